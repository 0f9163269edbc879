"""
A libtorrent seeder in a process of its own, for a program without a reactor.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WORKER = Path(__file__).parents[1] / "interop" / "libtorrent_worker.py"
_SETTINGS: dict[str, Any] = {
    "listen_interfaces": "127.0.0.1:0",
    "in_enc_policy": 2,  # in the clear: what is compared is moving bytes
    "out_enc_policy": 2,
}


@contextmanager
def libtorrentSeeder(torrent: Path, dataDir: Path) -> Iterator[int]:
    """Seeds C{torrent} from C{dataDir} on 127.0.0.1; gives its port."""
    with subprocess.Popen(
        [sys.executable, "-u", str(_WORKER), json.dumps(_SETTINGS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(**request: Any) -> Any:
            process.stdin.write(json.dumps({"id": 0, **request}) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            answer = json.loads(process.stdout.readline())  # type: ignore[union-attr]
            if "error" in answer:
                raise RuntimeError(f"the seeder: {answer['error']}")
            return answer["result"]

        try:
            ask(do="add", torrent=str(torrent), saveDir=str(dataDir), seed=True)
            yield ask(do="port")
        finally:
            process.terminate()
