"""
A download in a process of its own that may be killed at any moment.

Says on its output what it knows, a line each: C{start N HASHED} with the pieces that it has when it starts
and how many it hashed to know, C{flushed N} with those whose claim was saved, C{have N} for each
piece stored, C{complete}.  Bitfields are in hexadecimal.

Usage: crash_worker.py TORRENT FOLDER STATE PORT
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from twisted_bt import ClientSession, Settings, SwarmObserver, SwarmSession


def say(*words: object) -> None:
    """One line, at once."""
    print(*words, flush=True)


class Reporter(SwarmObserver):
    """Says what was stored, and counts what was hashed."""

    hashed = 0

    def pieceVerified(self, swarm: SwarmSession, index: int) -> None:
        """A piece is on disk."""
        say("have", index)

    def checkProgressed(self, swarm: SwarmSession, done: int, total: int) -> None:
        """A piece was hashed."""
        self.hashed = done


async def download(reactor: Any, torrent: str, folder: str, state: str, port: str) -> None:
    """Go on until all is here."""
    client = ClientSession(
        reactor, Settings(stateDir=Path(state), interfaces=("127.0.0.1",), flushInterval=0.3)
    )
    reporter = Reporter()
    client.observe(reporter)
    client.startService()
    saved = client.engine.resume.save

    def save(infoHash: bytes, resume: Any) -> Deferred[None]:
        claimed = resume.verified.tobytes().hex()
        return saved(infoHash, resume).addCallback(lambda _: say("flushed", claimed))

    client.engine.resume.save = save  # type: ignore[method-assign,assignment]
    swarm = await client.addTorrent(torrent, folder)
    await swarm.whenChecked()
    say("start", swarm.clientBitfield.tobytes().hex(), reporter.hashed)
    if not swarm.complete:
        await swarm.connectPeer("127.0.0.1", int(port))
    await swarm.whenComplete()
    await client.stopService()
    say("complete")


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(download(reactor, *sys.argv[1:])))
