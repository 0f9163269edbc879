"""
A libtorrent session in a process of its own, for a program without a reactor.
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


class LibtorrentProcess:
    """
    Asks the worker, a line at a time.

    @ivar pid: of its process.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def ask(self, do: str, **request: Any) -> Any:
        """
        See the C{do_...} of the worker.

        @raise RuntimeError: libtorrent said no.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"id": 0, "do": do, **request}) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"libtorrent: {answer['error']}")
        return answer["result"]

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        port: int = self.ask("port")
        return port


@contextmanager
def libtorrentProcess(**settings: Any) -> Iterator[LibtorrentProcess]:
    """A session without torrents; C{settings} are more of libtorrent's C{settings_pack}."""
    with subprocess.Popen(
        [sys.executable, "-u", str(_WORKER), json.dumps({**_SETTINGS, **settings})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield LibtorrentProcess(process)
        finally:
            process.terminate()


@contextmanager
def libtorrentSeeder(torrent: Path, dataDir: Path) -> Iterator[int]:
    """Seeds C{torrent} from C{dataDir} on 127.0.0.1; gives its port."""
    with libtorrentProcess() as seeder:
        seeder.ask("add", torrent=str(torrent), saveDir=str(dataDir), seed=True)
        yield seeder.port
