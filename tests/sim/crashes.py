"""
A computer that downloads crashes at random moments, again and again, and loses nothing that was flushed.

    python -m tests.sim.crashes --seeds 1000

Of each seed: a host adds one to three torrents and downloads.  At a random event, of whatever host, its
power fails, or its process is killed: while it downloads, while it looks at the disk after the crash
before, while it stops.  Its disk then holds what was synced and any part of the rest.  What must hold:

  - at each restart, no piece is claimed that is not on the disk;
  - no piece is lost, or hashed again, that was reported to be on the disk;
  - totals never fall behind what was saved, and all torrents are still known;
  - in the end all content is there, byte for byte, and nothing else is.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from random import Random

from tests.sim.durable import STATE, Run, Violation, World
from tests.sim.known import Known
from tests.sim.seeds import command, watched
from twisted_bt.settings import Settings
from twisted_bt.testing.invariants import endFaults

#: Virtual seconds that one life may take.
PATIENCE = 600.0


class Scenario:
    """
    One seed.

    @ivar counts: what happened.
    """

    def __init__(self, seed: int, crashes: bool = True) -> None:
        self.seed = seed
        self.random = Random(f"{seed}/crashes")
        self.world = World(seed, self.random.choice((1, 1, 1, 2, 3)), self.random)
        self.counts = self.world.counts
        self.known = Known(self.world)
        self.crashes = crashes
        self.settings = Settings(
            preallocate=self.random.random() < 0.3,
            maxOpenFiles=self.random.choice((2, 128)),
            diskThreads=self.random.choice((1, 2)),
        )
        self.events = 0
        self.stopping = False

    def live(self, most: float, stopEarly: float) -> bool:
        """
        One life.

        @param most: how many events it has; then it crashes.
        @param stopEarly: after how many it begins to stop, complete or not.
        @return: whether it came to its end.
        """
        world, network = self.world, self.world.network
        self.known.begin()
        self.stopping = False
        run = Run(world, self.settings, self.known)
        network.afterEvent[:] = [run.look]
        self._expect(run)
        self._addTorrents(run)
        end = network.now + PATIENCE
        for what in (lambda: run.complete, self._waited(2.0)):
            while not what() and self.events < stopEarly:
                if self.events >= most:
                    return False
                if not self._step(end):
                    raise Violation(f"not complete within {PATIENCE} seconds: {run.client.swarmSessions}")
        engine = run.engine
        whole = run.complete
        self.stopping = True
        stopped: list[object] = []
        run.client.stopService().addBoth(stopped.append)
        while not stopped:
            if self.events >= most:
                return False
            if not self._step(end):
                raise Violation("it does not stop")
        left = endFaults(engine) + world.host.leftovers() + world.host.files.openFiles
        if left:
            raise Violation(f"left: {left}")
        self.counts["clean stops"] += 1
        return whole

    def _step(self, end: float) -> bool:
        self.events += 1
        return self.world.network.step(end)

    def _waited(self, seconds: float) -> Callable[[], bool]:
        over: list[bool] = []

        def begin() -> bool:
            if not over:
                over.append(False)
                self.world.network.clock.callLater(seconds, lambda: over.append(True))
            return over[-1]

        return begin

    def _expect(self, run: Run) -> None:
        """All torrents that were added before are still known, and opened."""
        expected = list(self.known.added)

        def restored(_: object) -> None:
            if self.stopping:
                return
            missing = [each for each in expected if each not in run.client.swarmSessions]
            if missing:
                names = [self.world.byHash[each].name for each in missing]
                self.world.violations.append(f"{', '.join(names)}: added and no longer known")

        run.client.whenRestored().addCallback(restored)

    def _addTorrents(self, run: Run) -> None:
        for content in self.world.contents:
            if content.metainfo.wireHash not in self.known.added:
                clock = self.world.network.clock
                clock.callLater(self.random.random() * 2, lambda content=content: run.add(content))

    def play(self) -> None:
        """All of it.  @raise Violation: something happened that must never happen."""
        world, random = self.world, self.random
        if not self.crashes:
            if not self.live(float("inf"), float("inf")):
                raise Violation("not complete without a crash")
            return
        length = self._length()
        for _ in range(random.choice((1, 2, 3, 4))):
            short = random.random() < 0.4  # while it is restored and looks at the disk
            most = random.randrange(1, 80 if short else length)
            stopEarly = random.choice((float("inf"), max(0, most - random.randrange(40))))
            self.events = 0
            if not self.live(most, stopEarly):
                self.counts["crashes"] += 1
                if random.random() < 0.75:
                    world.host.crash()
                else:
                    self.counts["of them kills"] += 1
                    world.host.kill()
            self._nothingRuns()
            world.network.advance(random.choice((0.0, 1.0, random.random() * 100)))
            world.host.restart()
        self.events = 0
        if not self.live(float("inf"), float("inf")):
            raise Violation("not complete in the end")
        self._compare()
        world.end()

    def _length(self) -> int:
        """How many events a life without a crash has."""
        twin = Scenario(self.seed, crashes=False)
        try:
            twin.play()
            twin.world.end()
        except BaseException:
            twin.world.abandon()
            raise
        return twin.events

    def _nothingRuns(self) -> None:
        host = self.world.host
        left = host.leftovers() + host.files.openFiles
        if left:
            raise Violation(f"the dead have {left}")
        self.world.network.afterEvent.clear()

    def _compare(self) -> None:
        files = self.world.host.files
        expected = {path: data for each in self.world.contents for path, data in each.files.items()}
        for path, data in expected.items():
            if files.content(path) != data:
                raise Violation(f"{path} is not what it was")
        hashes = [each.hex() for each in self.world.byHash]
        state = {f"{STATE}/torrents/{each}.torrent" for each in hashes}
        state |= {f"{STATE}/state.sqlite", f"{STATE}/state.sqlite.lock"}
        others = [each for each in files.names() if each not in expected and each not in state]
        if others:
            raise Violation(f"left on the disk: {others}")


def play(seed: int) -> Counter[str]:
    """
    One seed; returns what happened.

    @raise Violation: something happened that must never happen.
    """
    return watched(lambda: Scenario(seed))


if __name__ == "__main__":
    sys.exit(command(play, "tests.sim.crashes", __doc__, sys.argv[1:]))
