"""
L{twisted_bt.exchange.metadata} among many peers, honest or not, by chance.
"""

from __future__ import annotations

from hashlib import sha1
from heapq import heappop, heappush
from itertools import count
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.exchange.metadataof import METADATA, PIECES, download, pieceOf
from twisted_bt.exchange.metadata import MAX_METADATA, PIPELINE, MetadataDownload, MetadataSteps
from twisted_bt.exchange.metadataattempt import PIECE_LENGTH


class Swarm:
    """Peers of all kinds on a clock of their own, and the download that asks them."""

    def __init__(self, random: Random, metadata: bytes, limit: int) -> None:
        self.random = random
        self.metadata = metadata
        self.limit = limit
        self.now = 0.0
        self.download: MetadataDownload[str] = MetadataDownload(sha1(metadata).digest(), sizeLimit=limit)
        self.kinds: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self.liars: set[str] = set()
        self.result: bytes | None = None
        self.most = 0
        self.asked: list[int] = []
        self._events: list[tuple[float, int, str, int]] = []
        self._numbers = count()

    def join(self, key: str, kind: str) -> None:
        """A peer of that kind comes."""
        size = len(self.metadata)
        self.kinds[key] = kind
        other = self.random.choice(
            (self.limit, size + self.random.randrange(1, 99), self.random.randrange(1, 99))
        )
        self.sizes[key] = min(self.limit, other) if kind in ("size", "sizeStaller") else size
        self.do(self.download.joined(key, self.sizes[key], self.now))

    def leave(self, key: str) -> None:
        """It goes."""
        del self.kinds[key]
        self.do(self.download.left(key, self.now))

    def do(self, steps: MetadataSteps[str]) -> None:
        """What the download wants."""
        for key, piece in steps.asks:
            self.asked.append(piece)
            assert key in self.kinds, "who is gone is asked for nothing"
            delay = {"drip": self.random.uniform(8, 14), "slow": self.random.uniform(5, 25)}.get(
                self.kinds[key], self.random.uniform(0.05, 2)
            )
            heappush(self._events, (self.now + delay, next(self._numbers), key, piece))
        for key in steps.liars:
            assert self.kinds.get(key) not in ("honest", "slow", "rejecter"), (
                "an honest peer was called a liar"
            )
            if key in self.kinds:
                del self.kinds[key]
                self.liars.add(key)
        if steps.metadata is not None:
            self.result = steps.metadata
        for peer in self.download._peers.values():
            assert len(peer.waiting) <= PIPELINE
            attempt = peer.attempt
            assert attempt.members[peer.key] is peer
            assert attempt.active == (attempt in self.download._active)
            assert attempt.active != (attempt in self.download._waiting)
            assert attempt.active or not peer.waiting
        self.most = max(self.most, self.download.held)

    def run(self, until: float) -> None:
        """Until it is here, or the time is over."""
        while self.result is None and self.now < until:
            nextTick = float(int(self.now) + 1)
            if self._events and self._events[0][0] < nextTick:
                self.now, _, key, piece = heappop(self._events)
                self._answer(key, piece)
            else:
                self.now = nextTick
                self.do(self.download.tick(self.now))

    def _answer(self, key: str, piece: int) -> None:
        kind = self.kinds.get(key)
        if kind is None or kind in ("staller", "sizeStaller"):
            return
        if kind == "rejecter" or (kind == "moody" and self.random.random() < 0.3):
            self.do(self.download.rejected(key, piece, self.now))
            return
        size = self.sizes[key]
        data = pieceOf(self.metadata, piece)
        wrong = self.random.randbytes(min(PIECE_LENGTH, size - piece * PIECE_LENGTH))
        if kind in ("wrong", "size", "drip") or (
            kind in ("sometimes", "moody") and self.random.random() < 0.4
        ):
            data = wrong
        self.do(self.download.received(key, piece, size, data, self.now))


class SwarmTests(SynchronousTestCase):
    """Metadata from peers that lie in all ways."""

    def test_anyLiars(self) -> None:
        """
        However many liars come, stay and go: as long as one honest peer stays it all arrives; nobody
        honest is called a liar; memory is bounded.
        """
        for seed in range(150):
            random = Random(seed)
            metadata = random.randbytes(
                random.choice((1, 100, PIECE_LENGTH, 3 * PIECE_LENGTH, 9 * PIECE_LENGTH + 1))
            )
            swarm = Swarm(random, metadata, limit=16 * PIECE_LENGTH)
            kinds: tuple[str, ...] = (
                "wrong",
                "size",
                "sizeStaller",
                "staller",
                "drip",
                "sometimes",
                "moody",
                "rejecter",
            )
            if random.random() < 0.5:
                kinds = (random.choice(kinds),)
            number = random.choice((0, 1, 3, 30, 100))
            for n in range(number):
                swarm.join(f"{n}", random.choice(kinds))
            swarm.join("honest", "honest" if random.random() < 0.7 else "slow")
            for n in range(number):  # more come, in place of others
                swarm.run(swarm.now + random.uniform(0, 5))
                if swarm.result is not None:
                    break
                gone = random.choice(list(swarm.kinds))
                if gone != "honest":
                    swarm.leave(gone)
                swarm.join(f"later{n}", random.choice(kinds))
            swarm.run(12 * 3600.0)
            self.assertEqual(swarm.result, metadata, f"seed {seed}")
            self.assertLessEqual(swarm.most, 2.25 * swarm.limit)

    def test_honestOnly(self) -> None:
        """Where all are honest each piece is asked for once."""
        for peers in (1, 2, 10, 50):
            swarm = Swarm(Random(peers), METADATA, MAX_METADATA)
            for n in range(peers):
                swarm.join(f"{n}", "honest")
            swarm.run(100.0)
            self.assertEqual(swarm.result, METADATA)
            self.assertEqual(sorted(swarm.asked), list(range(PIECES)))

    def test_silentCrowd(self) -> None:
        """A crowd that never answers does not keep out the one that does."""
        swarm = Swarm(Random(1), b"x" * 100, MAX_METADATA)
        for n in range(300):
            swarm.join(f"{n}", "staller")
        swarm.join("honest", "honest")
        swarm.run(3600.0)
        self.assertEqual(swarm.result, b"x" * 100)

    def test_fewLiars(self) -> None:
        """A liar among many honest peers costs seconds, and is found."""
        times, found = [], 0
        for seed in range(20):
            swarm = Swarm(Random(seed), METADATA, MAX_METADATA)
            swarm.join("liar", "wrong")
            for n in range(20):
                swarm.join(f"{n}", "honest")
            swarm.run(1000.0)
            self.assertEqual(swarm.result, METADATA)
            times.append(swarm.now)
            found += "liar" in swarm.liars
        self.assertLess(max(times), 60.0)
        self.assertGreater(found, 10)

    def test_largest(self) -> None:
        """The largest metadata arrives from one peer; a byte more is not begun."""
        metadata = Random(3).randbytes(MAX_METADATA)
        swarm = Swarm(Random(4), metadata, MAX_METADATA)
        swarm.join("honest", "honest")
        swarm.run(3600.0)
        self.assertTrue(swarm.result == metadata)
        self.assertEqual(download().joined("a", MAX_METADATA + 1, 0.0).asks, ())
