"""L{twisted_bt.peerwire.state}: what may be said when."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire.messages import (
    AllowedFast,
    Bitfield,
    Cancel,
    Choke,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    Message,
    NotInterested,
    Piece,
    Port,
    RejectRequest,
    Request,
    SuggestPiece,
    Unchoke,
)
from twisted_bt.peerwire.state import ALLOWED_FAST_LIMIT, Verdict, WireState
from twisted_bt.settings import Extension

PLAIN: list[Message] = [
    KeepAlive(),
    Choke(),
    Unchoke(),
    Interested(),
    NotInterested(),
    Have(1),
    Bitfield(b"\0"),
    Request(1, 0, 1),
    Piece(1, 0, b"x"),
    Cancel(1, 0, 1),
    Port(1),
]
FAST: list[Message] = [HaveAll(), HaveNone(), SuggestPiece(1), RejectRequest(1, 0, 1), AllowedFast(1)]


def fresh(*enabled: Extension) -> WireState:
    return WireState(frozenset(enabled))


class StatusTests(SynchronousTestCase):
    """Who chokes, who is interested."""

    def test_start(self) -> None:
        """Both sides begin choking and not interested (BEP 3)."""
        state = fresh()
        self.assertEqual(
            (state.amChoking, state.amInterested, state.peerChoking, state.peerInterested),
            (True, False, True, False),
        )
        self.assertFalse(state.peerHasSentBitfield)

    def test_sides(self) -> None:
        """What the peer says changes the peer's side, what we say ours, and only that."""
        table: list[tuple[Message, str, bool]] = [
            (Unchoke(), "Choking", False),
            (Choke(), "Choking", True),
            (Interested(), "Interested", True),
            (NotInterested(), "Interested", False),
        ]
        for message, what, value in table:
            state = fresh()
            before = {side: getattr(state, side + what) for side in ("am", "peer")}
            state.received(message)
            self.assertEqual(getattr(state, "peer" + what), value)
            self.assertEqual(getattr(state, "am" + what), before["am"])
            state = fresh()
            state.sent(message)
            self.assertEqual(getattr(state, "am" + what), value)
            self.assertEqual(getattr(state, "peer" + what), before["peer"])

    def test_backAndForth(self) -> None:
        """Each change can be taken back, and repeated."""
        state = fresh()
        for _ in range(2):
            for message, choking in ((Unchoke(), False), (Unchoke(), False), (Choke(), True)):
                state.received(message)
                self.assertEqual(state.peerChoking, choking)

    def test_toldPieces(self) -> None:
        """Each of the three ways to say what a side has counts as having said it."""
        for message in (Bitfield(b"\0"), HaveAll(), HaveNone()):
            state = fresh(Extension.FAST)
            state.sent(message)
            self.assertFalse(state.peerHasSentBitfield)
            state.received(message)
            self.assertTrue(state.peerHasSentBitfield)


class LegalityTests(SynchronousTestCase):
    """What breaks the rules, whoever says it."""

    def assertIllegal(self, message: Message, state: WireState) -> None:
        self.assertRaises(ProtocolError, state.received, message)

    def test_plain(self) -> None:
        """The messages of BEP 3 and 5 need no agreement."""
        for message in PLAIN:
            state = fresh()
            state.received(message)
            state.sent(message)

    def test_fast(self) -> None:
        """Those of BEP 6 need it to be agreed on; the peer breaks a rule, we have a bug."""
        for message in FAST:
            self.assertIllegal(message, fresh(Extension.EXTENDED, Extension.DHT))
            self.assertRaises(RuntimeError, fresh().sent, message)
            state = fresh(Extension.FAST)
            state.received(message)
            state.sent(message)

    def test_extended(self) -> None:
        """So does that of BEP 10."""
        self.assertIllegal(Extended(0, b""), fresh(Extension.FAST))
        self.assertRaises(RuntimeError, fresh().sent, Extended(0, b""))
        state = fresh(Extension.EXTENDED)
        state.received(Extended(0, b""))
        state.sent(Extended(0, b""))

    def test_flags(self) -> None:
        """What was agreed on can be asked."""
        self.assertEqual((fresh().fast, fresh().extended), (False, False))
        self.assertEqual(
            (fresh(Extension.FAST).fast, fresh(Extension.FAST).chokeDropsRequests), (True, False)
        )
        self.assertTrue(fresh(Extension.EXTENDED).extended)
        self.assertTrue(fresh().chokeDropsRequests)

    def test_haveAllOpens(self) -> None:
        """Have-all and have-none come before all that speaks of pieces, and once."""
        for opening in (HaveAll(), HaveNone()):
            for before in (*PLAIN, *FAST):
                if isinstance(before, KeepAlive | Port):
                    continue
                state = fresh(Extension.FAST)
                state.received(before)
                self.assertIllegal(opening, state)

    def test_beforeTheOpening(self) -> None:
        """The extended handshake, a port and a keep-alive may come before."""
        state = fresh(*Extension)
        for message in (Extended(0, b"de"), Port(1), KeepAlive(), HaveAll()):
            state.received(message)

    def test_sidesOpenApart(self) -> None:
        """What one side has said does not end the opening of the other."""
        state = fresh(Extension.FAST)
        state.sent(HaveAll())
        state.sent(Interested())
        state.received(HaveNone())

    def test_bitfieldAgain(self) -> None:
        """A bitfield may come again, and in the middle."""
        state = fresh(Extension.FAST)
        for message in (HaveNone(), Have(1), Bitfield(b"\xff"), Bitfield(b"\xff")):
            state.received(message)

    def test_illegalChangesNothing(self) -> None:
        """A message that is refused has no effect."""
        state = fresh()
        self.assertIllegal(HaveAll(), state)
        self.assertFalse(state.peerHasSentBitfield)
        self.assertIllegal(AllowedFast(1), state)
        self.assertFalse(state.mayRequest(1))


class RequestTests(SynchronousTestCase):
    """Who may ask for what."""

    def test_judge(self) -> None:
        """A request while choked breaks no rule: it is rejected with BEP 6, else not answered."""
        for state, verdict in ((fresh(), Verdict.IGNORE), (fresh(Extension.FAST), Verdict.REJECT)):
            state.received(Request(1, 0, 1))
            self.assertIs(state.judgeRequest(1), verdict)
            state.sent(Unchoke())
            self.assertIs(state.judgeRequest(1), Verdict.SERVE)
            state.sent(Choke())
            self.assertIs(state.judgeRequest(1), verdict)

    def test_allowedFast(self) -> None:
        """A piece that was allowed fast is served while choked, by the side that allowed it."""
        state = fresh(Extension.FAST)
        state.sent(AllowedFast(3))
        self.assertIs(state.judgeRequest(3), Verdict.SERVE)
        self.assertIs(state.judgeRequest(4), Verdict.REJECT)
        self.assertFalse(state.mayRequest(3))
        state.received(AllowedFast(5))
        self.assertTrue(state.mayRequest(5))
        self.assertEqual(state.peerAllowedFast, {5})
        self.assertIs(state.judgeRequest(5), Verdict.REJECT)

    def test_mayRequest(self) -> None:
        """We ask while we are not choked."""
        state = fresh()
        self.assertFalse(state.mayRequest(1))
        state.received(Unchoke())
        self.assertTrue(state.mayRequest(1))

    def test_allowedFastIsBounded(self) -> None:
        """A peer that allows everything fast takes up little memory."""
        state = fresh(Extension.FAST)
        for index in range(10 * ALLOWED_FAST_LIMIT):
            state.received(AllowedFast(index))
        self.assertEqual(len(state.peerAllowedFast), ALLOWED_FAST_LIMIT)
