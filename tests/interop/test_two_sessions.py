"""
C{docs/examples/two_sessions.py} does what it says.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.interop.swarmfiles import makeContent

ROOT = Path(__file__).resolve().parents[2]


def test_copies(tmp_path: Path) -> None:
    """One client of the process copies what another has."""
    content = makeContent(tmp_path, {"a": 300_000, "b/c": 1})
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "docs" / "examples" / "two_sessions.py"),
            str(content.folder / content.name),
            str(tmp_path / "copy"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done
    assert done.stdout.startswith("300001 bytes from 127.0.0.1:"), done
    content.check(tmp_path / "copy")
