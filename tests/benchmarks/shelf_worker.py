"""
Our client and a shelf of torrents, in a process of its own.  Prints one JSON object.  Run as a script::

    shelf_worker.py TASK SHELF COUNT STATE [ARGUMENT]
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet import threads
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from tests.benchmarks.gauges import Heartbeat, memory, processor
from tests.benchmarks.shelf import Crowd, dataOf, metafileOf
from twisted_bt.control.collecting import Collecting
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.metafiles import readMetafile
from twisted_bt.sessions.torrentmap import TorrentLoc
from twisted_bt.settings import Settings

reactor: Any = installed
#: Torrents that are added or removed at a time.
UNDERWAY = 64
#: Knocks that are timed.
KNOCKS = 50


class Knocking(Protocol):
    """Says a handshake, and waits for the answer."""

    def __init__(self, infoHash: bytes) -> None:
        self._infoHash = infoHash
        self._heard = b""
        self.answered: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """Knock."""
        assert self.transport is not None
        self.transport.write(Handshake(self._infoHash, b"-KN0001-" + Random(0).randbytes(12)).encode())

    def dataReceived(self, data: bytes) -> None:
        """The answer is a handshake of 68 bytes."""
        self._heard += data
        if len(self._heard) >= 68 and not self.answered.called:
            self.answered.callback(None)

    def connectionLost(self, reason: Any = None) -> None:
        """Nobody opened."""
        if not self.answered.called:
            self.answered.errback(reason)


def after(seconds: float) -> Deferred[None]:
    """Fires then."""
    waiter: Deferred[None] = Deferred()
    reactor.callLater(seconds, waiter.callback, None)
    return waiter


async def each(begin: Callable[[Any], Deferred[Any]], things: Iterable[Any]) -> None:
    """Do it with all C{things}, L{UNDERWAY} at a time: to ask for all at once would hold the reactor up."""
    waiting = iter(things)

    async def some() -> None:
        for thing in waiting:
            await begin(thing)

    await gatherResults([Deferred.fromCoroutine(some()) for _ in range(UNDERWAY)])


class Worker:
    """One client and its shelf."""

    def __init__(self, shelf: Path, count: int, state: str) -> None:
        self.shelf = shelf
        self.count = count
        self.beat = Heartbeat(reactor)
        self.state = None if state == "-" else Path(state)

    async def started(self, **settings: Any) -> ClientSession:
        """A client that runs, in a process of its own, as the daemon's does."""
        client = ClientSession(reactor, Settings(stateDir=self.state, interfaces=("127.0.0.1",), **settings))
        Collecting(reactor, client).setServiceParent(client)
        client.startService()
        await client.whenRestored()
        return client

    async def register(self, argument: str) -> dict[str, Any]:
        """Register all of the shelf."""
        client = await self.started()
        before, cpu, begun = memory(), processor(), time.perf_counter()
        self.beat.begin()
        outcome = await client.registerTorrents(
            TorrentLoc(metafileOf(self.shelf, number), dataOf(self.shelf)) for number in range(self.count)
        )
        found = {
            "seconds": time.perf_counter() - begun,
            "cpu": processor() - cpu,
            "memory": memory() - before,
            "pause": self.beat.end(),
            "busy": self.beat.busiest,
            "count": outcome.count,
            "refused": outcome.refused[:1],
        }
        await client.stopService()
        return found

    async def open(self, argument: str) -> dict[str, Any]:
        """Start with what is registered; then have some opened by knocks, one after the other."""
        begun = time.perf_counter()
        self.beat.begin()
        client = await self.started()
        started = time.perf_counter() - begun
        await after(1.0)
        found: dict[str, Any] = {"start": started, "pause": self.beat.end(), "memory": memory()}
        found["known"] = len(client.torrentMap)
        random = Random(3)
        times = []
        for _ in range(min(KNOCKS, self.count)):
            metainfo = readMetafile(metafileOf(self.shelf, random.randrange(self.count)))
            knock = time.perf_counter()
            knocking = Knocking(metainfo.wireHash)
            await connectProtocol(
                TCP4ClientEndpoint(reactor, "127.0.0.1", client.listenerPort or 0), knocking
            )
            await knocking.answered
            times.append(time.perf_counter() - knock)
            assert knocking.transport is not None
            knocking.transport.loseConnection()
        found["knocks"] = sorted(times)
        await client.stopService()
        return found

    async def add(self, argument: str) -> dict[str, Any]:
        """Add all of the shelf, with nothing of its content here."""
        client = await self.started()
        before, cpu, begun = memory(), processor(), time.perf_counter()
        self.beat.begin()
        folder = self.shelf / "nothing"
        await each(
            lambda number: client.addTorrent(metafileOf(self.shelf, number), folder), range(self.count)
        )
        found: dict[str, Any] = {
            "seconds": time.perf_counter() - begun,
            "cpu": processor() - cpu,
            "memory": memory() - before,
            "pause": self.beat.end(),
            "busy": self.beat.busiest,
        }
        await after(1.0)
        self.beat.begin()
        stopping = time.perf_counter()
        await client.stopService()
        found["stop"], found["stopPause"] = time.perf_counter() - stopping, self.beat.end()
        found["stopBusy"] = self.beat.busiest
        return found

    async def restart(self, argument: str) -> dict[str, Any]:
        """Start with what was added, then remove all."""
        self.beat.begin()
        begun = time.perf_counter()
        client = await self.started()
        found = {"restart": time.perf_counter() - begun, "restartPause": self.beat.end()}
        found["restartBusy"] = self.beat.busiest
        found["swarms"] = client.getSwarmCount()
        hashes = list(client.swarmSessions)
        await after(1.0)
        self.beat.begin()
        begun = time.perf_counter()
        await each(client.removeTorrent, hashes)
        found["remove"], found["removePause"] = time.perf_counter() - begun, self.beat.end()
        found["removeBusy"] = self.beat.busiest
        await client.stopService()
        return found

    async def peers(self, argument: str) -> dict[str, Any]:
        """Seed one torrent to so many peers that want nothing of it."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        seconds, most = float(argument), self.count + 100
        client = await self.started(maxPeers=most, maxPeersPerTorrent=most)
        loc = TorrentLoc(metafileOf(self.shelf, 0), dataOf(self.shelf))
        infoHash = await client.registerTorrent(loc)
        swarm = await client.openSwarm(infoHash)
        await swarm.whenChecked()
        before = memory()
        crowd = await threads.deferToThread(Crowd, client.listenerPort or 0, infoHash, self.count)
        await after(min(3.0, seconds))
        cpu = processor()
        await after(seconds)
        found = {"cpu": (processor() - cpu) / seconds, "memory": memory() - before}
        found["connected"] = client.getPeerCount()
        crowd.leave()
        await client.stopService()
        return found

    async def announce(self, argument: str) -> dict[str, Any]:
        """Have what is registered announced for so many seconds, measured after ten."""
        seconds = float(argument)
        client = await self.started()
        await after(min(10.0, seconds / 4))
        herald = client.herald
        before = memory()
        answers, cpu, begun = herald.answers, processor(), time.perf_counter()
        herald.lateness = 0.0
        self.beat.begin()
        await after(seconds)
        took = time.perf_counter() - begun
        found = {
            "rate": (herald.answers - answers) / took,
            "cpu": (processor() - cpu) / took,
            "late": herald.lateness,
            "pause": self.beat.end(),
            "busy": self.beat.busiest,
            "failed": herald.refusals,
            "memory": before,
        }
        await client.stopService()
        return found

    async def idle(self, argument: str) -> dict[str, Any]:
        """Seed all of the shelf at a time, and do nothing."""
        seconds = float(argument)
        client = await self.started(maxActive=self.count + 10)
        before = memory()
        locs = [TorrentLoc(metafileOf(self.shelf, n), dataOf(self.shelf)) for n in range(self.count)]
        await client.registerTorrents(locs)
        hashes = [readMetafile(loc.metafilePath).wireHash for loc in locs]
        for infoHash in hashes:
            swarm = await client.openSwarm(infoHash)
            await swarm.whenChecked()
        await after(min(3.0, seconds))
        cpu = processor()
        await after(seconds)
        found = {"cpu": (processor() - cpu) / seconds, "memory": memory() - before}
        found["seeding"] = sum(swarm.complete for swarm in client.swarmSessions.values())
        await client.stopService()
        return found


def main() -> None:
    """Do one task."""
    task, shelf, count, state, *rest = sys.argv[1:]
    worker = Worker(Path(shelf), int(count), state)
    tasks: dict[str, Callable[[str], Coroutine[Any, Any, dict[str, Any]]]] = {
        "register": worker.register,
        "open": worker.open,
        "add": worker.add,
        "restart": worker.restart,
        "announce": worker.announce,
        "idle": worker.idle,
        "peers": worker.peers,
    }
    failed: list[Any] = []

    def begin() -> None:
        done = Deferred.fromCoroutine(tasks[task](rest[0] if rest else ""))
        done.addCallback(lambda found: print(json.dumps(found), flush=True))
        done.addErrback(failed.append)
        done.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if failed:
        sys.exit(failed[0].getTraceback())


if __name__ == "__main__":
    main()
