"""
Leechers that find their peer through a tracker only: aria2 and Transmission, where they are installed.

The tracker is a stub in this process.  aria2 is told where the seeder is and dials it.  Transmission dials
nobody on 127.0.0.0/8, so the seeder is told where it is, and dials.  How long they wait for all that is part
of what is measured, so they take part in large downloads only.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from tests.benchmarks.leechers import Command
from tests.benchmarks.seeder import LibtorrentProcess
from tests.interop.swarmfiles import Content

#: Bytes of the smallest download that they take part in.
LEAST = 64 << 20
_ARIA2 = (
    *("--no-conf", "--seed-time=0", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false"),
    *("--enable-peer-exchange=false", "--file-allocation=none", "--disable-ipv6", "--summary-interval=0"),
)
_TRANSMISSION = {
    **dict.fromkeys(("dht-enabled", "lpd-enabled", "pex-enabled", "port-forwarding-enabled"), False),
    "utp-enabled": False,
    "bind-address-ipv4": "127.0.0.1",
}


@contextmanager
def stubTracker(port: int, announced: Callable[[int], object]) -> Iterator[str]:
    """
    A tracker that knows one peer, at C{port} of 127.0.0.1; its URL.

    @param announced: called with the port of each who says that it has begun.
    """
    peer = socket.inet_aton("127.0.0.1") + port.to_bytes(2, "big")
    answer = b"d8:intervali1800e5:peers6:" + peer + b"e"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query, errors="replace")
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            if query.get("event") == ["started"]:
                announced(int(query["port"][0]))

        def log_message(self, format: str, *arguments: object) -> None:
            """Nobody wants to read that."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/announce"
        finally:
            server.shutdown()


def _freePort() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def guests(content: Content, seeder: LibtorrentProcess) -> Iterator[dict[str, Command]]:
    """How to start those that are installed, while C{seeder} has C{content}."""
    found: dict[str, Command] = {}
    if content.size < LEAST:
        yield found
        return

    def announced(port: int) -> None:
        if dialled:
            seeder.ask("connect", infoHash=content.infoHash, host="127.0.0.1", port=port)

    dialled: list[int] = []
    with stubTracker(seeder.port, announced) as url:
        told = content.withTrackers(url)

        def byAria2(torrent: Path, folder: Path, ports: Sequence[int]) -> list[str]:
            dialled.clear()
            return ["aria2c", *_ARIA2, f"--listen-port={_freePort()}", f"--dir={folder}", str(told)]

        def byTransmission(torrent: Path, folder: Path, ports: Sequence[int]) -> list[str]:
            dialled.append(1)
            return _transmission(told, folder, content.torrent.parent / "transmission")

        if shutil.which("aria2c"):
            found["aria2"] = byAria2
        if shutil.which("transmission-cli"):
            found["Transmission"] = byTransmission
        yield found


def _transmission(torrent: Path, folder: Path, config: Path) -> list[str]:
    """It goes on for ever; so what it runs at the end ends it."""
    shutil.rmtree(config, ignore_errors=True)  # it would remember that it has it all
    config.mkdir()
    (config / "settings.json").write_text(json.dumps(_TRANSMISSION), encoding="utf-8")
    finish = config / "finish"
    finish.write_text(f"#!/bin/sh\nkill $(cat {config}/pid)\n", encoding="utf-8")
    finish.chmod(0o755)
    options = f"-g {config} -w {folder} -p {_freePort()} -M -f {finish}"
    start = f"transmission-cli {options} '{torrent}' & echo $! > {config}/pid"
    return ["sh", "-c", f"{start}; wait; exit 0"]  # whether it succeeded shows in the files
