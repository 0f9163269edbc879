"""
Guided by coverage: U{atheris<https://github.com/google/atheris>} and libFuzzer.
"""

from __future__ import annotations

import sys
from pathlib import Path


def guided(name: str, keep: Path, options: list[str]) -> int:
    """
    Run target C{name} until it finds something, or C{options} (libFuzzer's) say that it is enough.

    The corpus that grows is kept in C{keep}, and is begun with the target's seeds.
    """
    try:
        import atheris
    except ImportError:
        print("atheris is not installed: pip install -e '.[fuzz]'", file=sys.stderr)
        return 2
    with atheris.instrument_imports(include=["twisted_bt", "bencodepy"], enable_loader_override=False):
        from tests.fuzz.all import TARGETS
    if name not in TARGETS:
        print(f"no target {name!r}", file=sys.stderr)
        return 2
    target = TARGETS[name]()
    corpus = keep / f"corpus-{name}"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = keep / f"words-{name}"
    lines = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words if len(word) < 128)
    words.write_text("".join(f'"{line}"\n' for line in lines))
    arguments = [
        sys.argv[0],
        str(corpus),
        f"-artifact_prefix={keep}/{name}-",
        f"-dict={words}",
        f"-max_len={target.maxLength}",
        "-timeout=20",
        *options,
    ]

    def run(data: bytes) -> None:
        target.run(data)

    atheris.Setup(arguments, run)
    atheris.Fuzz()  # does not return: libFuzzer ends the process
    return 0
