"""L{twisted_bt.peerwire.outbox}: what waits to be told to a peer."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire.framing import WireDecoder
from twisted_bt.peerwire.messages import (
    Bitfield,
    Cancel,
    Choke,
    Extended,
    Have,
    Interested,
    Message,
    RejectRequest,
    SuggestPiece,
    Unchoke,
)
from twisted_bt.peerwire.outbox import Outbox

BITS = b"\xf0" * 100


def drained(outbox: Outbox, bits: bytes = BITS) -> list[Message]:
    """The messages of one write."""
    return list(WireDecoder(1 << 20, 1 << 17).feed(outbox.drain(lambda: bits)))


class OutboxTests(SynchronousTestCase):
    """The queue."""

    def test_empty(self) -> None:
        """An empty one is false, and gives no bytes without asking what we have."""
        outbox = Outbox()
        self.assertFalse(outbox)
        self.assertEqual(outbox.drain(lambda: self.fail("asked")), b"")

    def test_ranks(self) -> None:
        """Control messages come first and in order, then haves, then gossip."""
        outbox = Outbox()
        outbox.gossip(SuggestPiece(9))
        outbox.haves([1])
        outbox.send(Unchoke())
        outbox.haves([2])
        outbox.send(Interested())
        self.assertEqual(drained(outbox), [Unchoke(), Interested(), Have(1), Have(2), SuggestPiece(9)])

    def test_drained(self) -> None:
        """What was given out does not wait any more, of whatever rank it was."""
        outbox = Outbox()
        for put in (
            lambda: outbox.send(Choke()),
            lambda: outbox.haves([1]),
            lambda: outbox.gossip(SuggestPiece(1)),
        ):
            put()
            self.assertTrue(outbox)
            self.assertEqual(len(drained(outbox)), 1)
            self.assertFalse(outbox)

    def test_havesOnce(self) -> None:
        """A piece is told once."""
        outbox = Outbox()
        for _ in range(3):
            outbox.haves([1])
        self.assertEqual(drained(outbox), [Have(1)])

    def test_manyHavesAreOneBitfield(self) -> None:
        """Haves become a bitfield as soon as that is shorter, and not before."""
        for count in range(1, 30):
            for size in range(90, 115):
                outbox, bits = Outbox(), bytes(size)
                for index in range(count):
                    outbox.haves([index])
                told = drained(outbox, bits)
                if 9 * count > 5 + size:
                    self.assertEqual(told, [Bitfield(bits)], (count, size))
                else:
                    self.assertEqual(told, [Have(index) for index in range(count)], (count, size))

    def test_tooManyHaves(self) -> None:
        """Over the bound, haves are forgotten and the bitfield, however long, says them all."""
        outbox, bits = Outbox(maxHaves=10), bytes(5000)
        for index in range(11):
            outbox.haves([index])
        outbox.haves([99])
        self.assertEqual(drained(outbox, bits), [Bitfield(bits)])
        outbox.haves([100])
        self.assertEqual(drained(outbox, bits), [Have(100)])

    def test_bitfieldIsOfTheMoment(self) -> None:
        """The bitfield is what we have when it is sent."""
        outbox = Outbox(maxHaves=1)
        outbox.haves([1])
        outbox.haves([2])
        self.assertEqual(drained(outbox, b"\x01"), [Bitfield(b"\x01")])

    def test_oldGossipDrops(self) -> None:
        """Of too much gossip the oldest drops, and what alone is too much as well; nothing else does."""
        outbox = Outbox(maxGossip=30)
        outbox.send(Choke())
        outbox.haves([7])
        for index in range(10):
            outbox.gossip(SuggestPiece(index))
        self.assertEqual(
            drained(outbox), [Choke(), Have(7), SuggestPiece(7), SuggestPiece(8), SuggestPiece(9)]
        )
        outbox.gossip(Extended(1, bytes(100)))
        self.assertFalse(outbox)
        outbox.gossip(SuggestPiece(1))
        self.assertEqual(drained(outbox), [SuggestPiece(1)])

    def test_controlIsBounded(self) -> None:
        """A peer that makes us answer and does not read loses its session; one that reads does not."""
        outbox = Outbox(maxControl=170)
        for _ in range(3):
            for _ in range(10):
                outbox.send(RejectRequest(1, 2, 3))
            outbox.drain(bytes)
        for _ in range(10):
            outbox.send(RejectRequest(1, 2, 3))
        self.assertRaises(ProtocolError, outbox.send, Choke())

    @settings(derandomize=True, deadline=None)
    @given(
        st.lists(
            st.integers(0, 50).map(lambda index: ("have", Have(index)))
            | st.integers(0, 50).map(lambda index: ("gossip", SuggestPiece(index)))
            | st.sampled_from([Choke(), Unchoke(), Cancel(1, 2, 3)]).map(lambda each: ("send", each))
        )
    )
    def test_nothingIsLost(self, puts: list[tuple[str, Message]]) -> None:
        """Control arrives whole and in order; each have arrives, or a bitfield instead; gossip is last."""
        outbox = Outbox()
        for rank, message in puts:
            if isinstance(message, Have):
                outbox.haves([message.index])
            elif rank == "gossip":
                outbox.gossip(message)
            else:
                outbox.send(message)
        control = [message for rank, message in puts if rank == "send"]
        haves = list(dict.fromkeys(message for rank, message in puts if rank == "have"))
        gossip = [message for rank, message in puts if rank == "gossip"]
        told = drained(outbox)
        self.assertIn(told, (control + haves + gossip, [*control, Bitfield(BITS), *gossip]))
