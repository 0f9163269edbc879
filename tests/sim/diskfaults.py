"""
A computer whose disk fails in one way or another while it downloads: the torrent concerned stops with a
reason, everything else goes on, and once the disk is mended it completes.

    python -m tests.sim.diskfaults --seeds 1000

Of each seed: a host downloads one to three torrents.  At a random moment its disk begins to fail, for one
torrent's files or altogether: full at the nth write or for good, errors when it reads, writes, syncs,
opens, makes, reserves room or commits, always or now and then, torn writes, short ones, slow ones.  After a
while it is mended.  What must hold:

  - a swarm whose files fail has failed, with a reason, or goes on; no other swarm has;
  - no piece is claimed that is not on the disk;
  - the client goes on, and after C{resume} everything completes, byte for byte;
  - nothing is raised or logged that is not documented, and in the end nothing is left: no call, session,
    slot, buffer or open file.
"""

from __future__ import annotations

import errno
import sys
from collections import Counter
from dataclasses import replace
from math import inf
from random import Random

from tests.sim.durable import STATE, Run, Violation, World
from tests.sim.known import Known
from tests.sim.seeds import command, watched
from twisted_bt.errors import StorageError
from twisted_bt.sessions.life import SwarmStatus
from twisted_bt.settings import Settings
from twisted_bt.testing.diskfaults import Fault
from twisted_bt.testing.invariants import endFaults

#: Virtual seconds until all must be complete once the disk is mended.
PATIENCE = 900.0
#: How often a swarm may fail again after that: what was under way comes to its end.
AGAIN = 3


def randomFault(random: Random, path: str) -> Fault:
    """Something that goes wrong with what is at C{path}."""
    harm = Fault(
        "write",
        after=random.choice((0, 0, random.randrange(12))),
        times=random.choice((1, random.randrange(1, 5), inf)),
        odds=random.choice((1.0, 0.5, 0.1)),
        path=path,
    )
    kind = random.randrange(9)
    if kind == 0:
        return replace(harm, error=errno.ENOSPC)
    if kind == 1:  # torn
        return replace(harm, error=random.choice((errno.EIO, errno.ENOSPC)), short=random.randrange(20_000))
    if kind == 2:
        begin = random.randrange(50_000)
        return replace(harm, operation="read", error=errno.EIO, begin=begin, end=begin + 8192)
    if kind == 3:
        return replace(harm, operation="read", error=errno.EIO)
    if kind == 4:
        return replace(harm, operation="sync", error=random.choice((errno.EIO, errno.ENOSPC)))
    if kind == 5:
        number = random.choice((errno.EACCES, errno.EIO, errno.EMFILE, errno.EROFS))
        return replace(harm, operation=random.choice(("open", "make")), error=number)
    if kind == 6:
        return replace(harm, operation=random.choice(("allocate", "truncate")), error=errno.ENOSPC)
    if kind == 7:  # as the system is free to do
        return replace(harm, operation=random.choice(("write", "read")), short=random.randrange(1, 9000))
    return replace(harm, operation=random.choice(("write", "read", "sync")), delay=random.random() * 10)


class Scenario:
    """
    One seed.

    @ivar counts: what happened.
    """

    def __init__(self, seed: int) -> None:
        self.random = random = Random(f"{seed}/diskfaults")
        self.world = World(seed, random.choice((1, 2, 2, 3)), random)
        self.counts = self.world.counts
        self.known = Known(self.world)
        self.known.strict = False
        self.victim: bytes | None = None  # whose files alone fail
        self.run: Run
        settings = Settings(preallocate=random.random() < 0.3, maxOpenFiles=random.choice((2, 128)))
        self.settings = replace(settings, diskThreads=random.choice((1, 2)))
        self.failed: dict[bytes, None] = {}

    def play(self) -> None:
        """All of it.  @raise Violation: something happened that must never happen."""
        random, network = self.random, self.world.network
        early = random.random() < 0.15  # before it even starts
        if early:
            self._break()
            self._start()
        else:
            self._start()
            self._advance(random.random() * self.world.seconds)
            self._break()
        for content in self.world.contents:
            self.run.add(content)
        self._advance(random.choice((3.0, 20.0, 150.0)))
        self._mend()
        self._complete()
        engine = self.run.engine
        network.runUntil(self.run.client.stopService())
        left = endFaults(engine) + self.world.host.leftovers() + self.world.host.files.openFiles
        if left:
            raise Violation(f"left: {left}")
        self._compare()
        self.counts += Counter(
            {f"fault: {key}": count for key, count in self.world.host.files.faults.injected.items()}
        )
        self.counts["faults injected"] += sum(self.world.host.files.faults.injected.values())
        self.world.end()

    def _start(self) -> None:
        try:
            self.run = Run(self.world, self.settings, self.known)
        except StorageError:  # as documented; it can be started once that is over
            self.counts["starts refused"] += 1
            self._mend()
            self.run = Run(self.world, self.settings, self.known)
        self.world.network.afterEvent[:] = [self.run.look, self._look]
        for content in self.world.contents:
            self.run.add(content)

    def _look(self) -> None:
        for infoHash, swarm in self.run.client.swarmSessions.items():
            if swarm.status is SwarmStatus.FAILED and infoHash not in self.failed:
                self.failed[infoHash] = None
                self.counts["swarms failed"] += 1
                if not swarm.reason:
                    raise Violation(f"{swarm.name} failed without a reason")
                if self.victim is not None and infoHash != self.victim:
                    raise Violation(f"{swarm.name} failed, whose files are well: {swarm.reason}")

    def _advance(self, seconds: float) -> None:
        network = self.world.network
        over: list[bool] = []
        network.clock.callLater(seconds, lambda: over.append(True))
        while not over and network.step():
            pass

    # -- trouble

    def _break(self) -> None:
        random, files = self.random, self.world.host.files
        content = random.choice(self.world.contents)
        what = random.random()
        if what < 0.15:
            files.disk.capacity = files.used + random.randrange(200_000)
            self.counts["disks full"] += 1
            return
        if what < 0.3:
            number = random.choice((errno.EIO, errno.ENOSPC))
            times = random.choice((1, 3, inf))
            operation = random.choice(("commit", "commit", "query"))
            files.faults.add(Fault(operation, number, times=times, odds=random.choice((1.0, 0.3))))
            return
        if what < 0.4:
            operation = random.choice(("rename", "remove", "make", "write", "sync", "open"))
            files.faults.add(Fault(operation, errno.EIO, times=random.choice((1, inf)), path=str(STATE)))
            return
        path = content.name if random.random() < 0.6 else ""
        self.victim = content.metainfo.wireHash if path else None
        for _ in range(random.choice((1, 1, 2, 3))):
            files.faults.add(randomFault(random, path))

    def _mend(self) -> None:
        files = self.world.host.files
        files.faults.clear()
        files.disk.capacity = inf

    def _complete(self) -> None:
        """After C{resume}, everything comes to its end."""
        run, network = self.run, self.world.network
        end = network.now + PATIENCE
        tries: Counter[bytes] = Counter()
        while not run.complete:
            swarms = run.client.swarmSessions
            for content in self.world.contents:
                infoHash = content.metainfo.wireHash
                if infoHash not in swarms:
                    run.add(content)
                    continue
                swarm = swarms[infoHash]
                if swarm.status is SwarmStatus.FAILED:
                    tries[infoHash] += 1
                    if tries[infoHash] > AGAIN:
                        raise Violation(f"{swarm.name} fails on a mended disk: {swarm.reason}")
                    self.counts["resumed"] += 1
                    self.failed.pop(infoHash, None)
                    swarm.resume()
                elif swarm.running and not swarm.complete and not swarm.connectedPeers:
                    self.world.introduce(infoHash, swarm)
            self._advance(10.0)
            if network.now > end:
                raise Violation(f"not complete {PATIENCE} seconds after the mending: {dict(swarms)}")

    def _compare(self) -> None:
        files = self.world.host.files
        for content in self.world.contents:
            for path, data in content.files.items():
                if files.content(path) != data:
                    raise Violation(f"{path} is not what it was")
        others = [each for each in files.names() if each.endswith(".new")]
        if others:
            raise Violation(f"left on the disk: {others}")


def play(seed: int) -> Counter[str]:
    """
    One seed; returns what happened.

    @raise Violation: something happened that must never happen.
    """
    return watched(lambda: Scenario(seed), lambda text: "Traceback" not in text)


if __name__ == "__main__":
    sys.exit(command(play, "tests.sim.diskfaults", __doc__, sys.argv[1:]))
