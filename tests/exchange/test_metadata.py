"""Tests of L{twisted_bt.exchange.metadata}: BEP 9."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1, sha256
from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from tests.exchange.metadataof import METADATA, PIECES, SIZE, download, pieceOf
from twisted_bt.errors import ProtocolError
from twisted_bt.exchange.metadata import (
    FIRST_TURN,
    HURRY,
    MAX_ATTEMPTS,
    MAX_METADATA,
    PIPELINE,
    TIMEOUT,
    MetadataDownload,
    MetadataSteps,
)
from twisted_bt.exchange.metadataattempt import PIECE_LENGTH


class DownloadTests(SynchronousTestCase):
    """Metadata from peers, step by step."""

    def setUp(self) -> None:
        """A download from nobody yet."""
        self.download = download()

    def answer(
        self, asks: Iterable[tuple[str, int]], now: float, lies: dict[str, bytes] | None = None
    ) -> tuple[bytes | None, set[str]]:
        """
        All peers answer at once whatever they are asked, those in C{lies} with pieces of that; what
        it came to, and who was found lying.
        """
        queue = list(asks)
        liars: set[str] = set()
        while queue:
            key, piece = queue.pop(0)
            if key not in self.download:
                continue
            data = pieceOf((lies or {}).get(key, METADATA), piece)
            steps = self.download.received(key, piece, SIZE, data, now)
            queue += steps.asks
            liars |= steps.liars
            if steps.metadata is not None:
                return steps.metadata, liars
        return None, liars

    def test_one(self) -> None:
        """One peer is asked for a few pieces at a time, and all arrives."""
        steps = self.download.joined("a", SIZE, 0.0)
        self.assertEqual(steps.asks, tuple(("a", piece) for piece in range(PIPELINE)))
        self.assertEqual(self.answer(steps.asks, 1.0), (METADATA, set()))
        self.assertTrue(self.download.done)

    def test_several(self) -> None:
        """Several are asked side by side, nobody for what another is asked for, each for as many."""
        asks: list[tuple[str, int]] = []
        self.download.joined("a", None, 0.0)
        for key in "abcd":
            asks += self.download.joined(key, SIZE, 0.0).asks
        self.assertEqual(sorted(piece for _, piece in asks), list(range(PIECES)))
        self.assertEqual(self.answer(asks, 1.0), (METADATA, set()))

    def test_spread(self) -> None:
        """What there is to ask is spread over all who are there."""
        self.download = download(bytes(40 * PIECE_LENGTH))
        asks = [ask for key in "ab" for ask in self.download.joined(key, 40 * PIECE_LENGTH, 0.0).asks]
        self.assertEqual([sum(who == key for who, _ in asks) for key in "ab"], [PIPELINE, PIPELINE])

    def test_hashes(self) -> None:
        """SHA-256 counts as SHA-1 does; if both are given both count."""
        one, two = sha1(METADATA).digest(), sha256(METADATA).digest()
        for hashes, good in (
            ((one, None), True),
            ((None, two), True),
            ((one, two), True),
            ((one, bytes(32)), False),
            ((bytes(20), two), False),
        ):
            self.download = MetadataDownload(*hashes)
            steps = self.download.joined("a", SIZE, 0.0)
            outcome = self.answer(steps.asks, 1.0)
            self.assertEqual(outcome, (METADATA, set()) if good else (None, {"a"}), hashes)
        self.assertRaises(ValueError, MetadataDownload, None)

    def test_sizes(self) -> None:
        """Who states nothing, or more than is borne, is not asked; who states the most is."""
        self.download = download(limit=SIZE)
        for size in (None, 0, -1, SIZE + 1, 1 << 60):
            self.assertEqual(self.download.joined("a", size, 0.0), MetadataSteps())
        self.assertEqual(len(self.download), 0)
        self.assertTrue(self.download.joined("a", SIZE, 0.0).asks)

    def test_laterSize(self) -> None:
        """A peer may have metadata later than it came."""
        self.download.joined("a", None, 0.0)
        self.assertTrue(self.download.joined("a", SIZE, 1.0).asks)
        self.assertEqual(self.download.joined("a", SIZE, 2.0).asks, ())
        self.assertEqual(self.download.joined("a", None, 3.0).asks, ())
        self.assertNotIn("a", self.download)

    def test_reject(self) -> None:
        """What one rejects another is asked for; who rejected is asked again later."""
        self.download.joined("a", SIZE, 0.0)
        self.download.joined("b", SIZE, 0.0)
        steps = self.download.rejected("a", 0, 1.0)
        self.assertEqual(steps.asks, (("b", 0),))
        for piece in range(1, PIPELINE):
            self.download.rejected("a", piece, 1.0)
        self.download.left("b", 2.0)
        self.assertEqual(self.download.tick(2.0).asks, ())
        asks = [ask for second in range(3, 400) for ask in self.download.tick(float(second)).asks]
        self.assertEqual(self.answer([*asks, ("a", 3), ("a", 2)], 400.0), (METADATA, set()))

    def test_silence(self) -> None:
        """What one owes too long another is asked for; it is taken if it comes late."""
        self.download.joined("a", SIZE, 0.0)
        self.assertEqual(self.download.tick(TIMEOUT - 1).asks, ())
        self.assertEqual(self.download.tick(TIMEOUT).asks, ())  # it rests
        steps = self.download.joined("b", SIZE, TIMEOUT)
        self.assertEqual({piece for _, piece in steps.asks}, set(range(PIPELINE)))
        late = self.download.received("a", 0, SIZE, pieceOf(METADATA, 0), TIMEOUT + 1)
        self.assertEqual({who for who, _ in late.asks}, {"a"})  # it is awake again
        self.assertEqual(self.answer(steps.asks + late.asks, TIMEOUT + 2), (METADATA, set()))

    def test_hurry(self) -> None:
        """Where others have nothing to do, nobody is waited for so long."""
        asks = [ask for key in "abcdefg" for ask in self.download.joined(key, SIZE, 0.0).asks]
        busy = {who for who, _ in asks}
        self.assertEqual(self.download.tick(HURRY - 0.1).asks, ())
        hurried = self.download.tick(HURRY).asks
        self.assertTrue(hurried)
        self.assertFalse(busy & {who for who, _ in hurried})

    def test_unasked(self) -> None:
        """What was not asked for is ignored: from whom, or of what, it was not, or twice."""
        data = pieceOf(METADATA, 0)
        self.assertEqual(self.download.received("x", 0, SIZE, data, 0.0), MetadataSteps())
        self.download.joined("a", SIZE, 0.0)
        self.assertEqual(self.download.received("a", 5, SIZE, b"", 0.0), MetadataSteps())
        self.assertEqual(self.download.received("a", 1 << 40, SIZE, b"", 0.0), MetadataSteps())
        self.download.received("a", 0, SIZE, data, 0.0)
        self.assertEqual(self.download.received("a", 0, SIZE, data, 0.0), MetadataSteps())
        self.assertEqual(self.download.held, PIECE_LENGTH)
        self.assertEqual(self.download.progress, (PIECE_LENGTH, SIZE))

    def test_broken(self) -> None:
        """A piece of the wrong length, or of a whole of another size, breaks the protocol."""
        self.download.joined("a", SIZE, 0.0)
        for total, data in ((SIZE + 1, bytes(PIECE_LENGTH)), (SIZE, bytes(PIECE_LENGTH - 1)), (None, b"")):
            with self.assertRaises(ProtocolError):
                self.download.received("a", 0, total, data, 0.0)
        self.assertEqual(self.download.held, 0)

    def test_liarAlone(self) -> None:
        """Who sent all of something wrong is a liar, at once; the next peer is asked for all."""
        steps = self.download.joined("liar", SIZE, 0.0)
        self.assertEqual(self.answer(steps.asks, 1.0, {"liar": bytes(SIZE)}), (None, {"liar"}))
        self.assertNotIn("liar", self.download)
        self.assertEqual(self.answer(self.download.joined("a", SIZE, 2.0).asks, 3.0), (METADATA, set()))

    def test_liarAmongOthers(self) -> None:
        """If several sent something wrong, each is asked alone; only the liar is called one."""
        asks = [ask for key in ("a", "liar", "b") for ask in self.download.joined(key, SIZE, 0.0).asks]
        outcome, liars = self.answer(asks, 1.0, {"liar": bytes(SIZE)})
        self.assertEqual((outcome, liars), (METADATA, {"liar"}))

    def test_exposedLater(self) -> None:
        """Who sent one wrong piece and then no more is exposed by the right ones."""
        asks = [ask for key in ("a", "liar") for ask in self.download.joined(key, SIZE, 0.0).asks]
        lies = {"liar": METADATA[:-1] + b"\0" if METADATA[-1] else METADATA[:-1] + b"\1"}
        last = next(piece for who, piece in asks if who == "liar")
        lies["liar"] = bytes(PIECE_LENGTH * last) + bytes(SIZE - PIECE_LENGTH * last)
        queue = list(asks)
        silent = False
        while queue:
            who, piece = queue.pop(0)
            if who == "liar" and silent:
                continue
            steps = self.download.received(
                who, piece, SIZE, pieceOf({**lies, "a": METADATA}[who], piece), 1.0
            )
            silent = silent or bool(steps.asks and self.download.progress[0] == 0)
            queue += steps.asks
            if steps.metadata is not None:
                self.assertEqual((steps.metadata, steps.liars), (METADATA, {"liar"}))
                return
        self.fail("it never arrived")

    def test_leaves(self) -> None:
        """What one who left owed is asked of others, and what it sent is not lost."""
        self.download.joined("a", SIZE, 0.0)
        self.download.received("a", 0, SIZE, pieceOf(METADATA, 0), 1.0)
        self.download.left("a", 1.0)
        asks = [ask for key in "bc" for ask in self.download.joined(key, SIZE, 2.0).asks]
        self.assertEqual({piece for _, piece in asks}, set(range(1, PIECES)))
        self.assertEqual(self.answer(asks, 3.0), (METADATA, set()))

    def test_manySizes(self) -> None:
        """Who states another size than the others gets its turn, however many these are."""
        for n in range(100):
            self.download.joined(f"liar{n}", SIZE + 1 + n, 0.0)
        asks = list(self.download.joined("a", SIZE, 0.0).asks)
        self.assertEqual(asks, [])
        now = 0.0
        while not asks and now < 10_000:
            now += 1
            asks += [ask for ask in self.download.tick(now).asks if ask[0] == "a"]
        self.assertLess(now, 100 / MAX_ATTEMPTS * FIRST_TURN)
        self.assertEqual(self.answer(asks, now), (METADATA, set()))

    def test_largeFirst(self) -> None:
        """Large attempts take turns; one of usual size goes on beside them."""
        half = MAX_METADATA // 2
        self.assertTrue(self.download.joined("liar", MAX_METADATA, 0.0).asks)
        self.assertEqual(self.download.joined("large", half, 0.0).asks, ())
        asks = self.download.joined("a", SIZE, 0.0).asks
        turn = self.download.tick(FIRST_TURN).asks
        self.assertEqual({who for who, _ in turn}, {"large"})
        self.assertEqual(self.answer(asks, FIRST_TURN), (METADATA, set()))

    def test_turns(self) -> None:
        """Two large attempts that get on slowly take turns, each time for longer, and keep what is here."""
        sizes = {"a": MAX_METADATA, "b": MAX_METADATA - 1}
        asks = [ask for key, size in sizes.items() for ask in self.download.joined(key, size, 0.0).asks]
        turns = [(0, "a")]
        for second in range(1, 200):
            now = float(second)
            asks += self.download.tick(now).asks
            who = asks[-1][0]
            if who != turns[-1][1]:
                turns.append((second, who))
                asks = [ask for ask in asks if ask[0] == who]
            if second % 5 == 4:
                key, piece = asks.pop(0)
                asks += self.download.received(key, piece, None, bytes(PIECE_LENGTH), now).asks
        lengths = [after - before for (before, _), (after, _) in pairwise(turns)]
        self.assertEqual(lengths, [30, 30, 60, 60])
        self.assertGreater(self.download.held, 30 * PIECE_LENGTH)

    def test_afterwards(self) -> None:
        """Once it is here nothing is asked, and nothing is kept."""
        self.test_one()
        for steps in (
            self.download.joined("b", SIZE, 9.0),
            self.download.received("a", 0, SIZE, b"", 9.0),
            self.download.rejected("a", 0, 9.0),
            self.download.left("a", 9.0),
            self.download.tick(9.0),
        ):
            self.assertEqual(steps, MetadataSteps())
        self.assertEqual((self.download.held, len(self.download)), (0, 0))
