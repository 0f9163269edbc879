"""L{twisted_bt.peerwire.framing}: messages cut from a stream."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire.framing import PieceRun, WireDecoder
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

LIMIT, BLOCK = 1 << 17, 1 << 17

UNKNOWN = bytes.fromhex("00000004 32 070707")


def kept(message: Message) -> Message:
    """C{message} with its own copy of what is valid for a moment only."""
    return Piece(message.index, message.begin, bytes(message.data)) if isinstance(message, Piece) else message


def read(decoder: WireDecoder, chunks: Iterable[bytes]) -> list[Message]:
    """
    All messages in C{chunks}, each of which lies in a buffer that is overwritten after it was fed, as
    a buffer for receiving is.
    """
    found = []
    for chunk in chunks:
        buffer = bytearray(chunk)
        found += [kept(message) for message in decoder.feed(memoryview(buffer))]
        buffer[:] = b"\x07" * len(buffer)
    return found


def decoder(pieceCount: int | None = None) -> WireDecoder:
    made = WireDecoder(LIMIT, BLOCK)
    made.pieceCount = pieceCount
    return made


def head(length: int, kind: int) -> bytes:
    """The length and id of a frame."""
    return length.to_bytes(4, "big") + bytes([kind])


_numbers = st.integers(0, (1 << 32) - 1)
_messages: st.SearchStrategy[Message] = st.one_of(
    st.sampled_from(
        [KeepAlive(), Choke(), Unchoke(), Interested(), NotInterested(), HaveAll(), HaveNone()],
    ),
    st.builds(Have, _numbers),
    st.builds(SuggestPiece, _numbers),
    st.builds(AllowedFast, _numbers),
    st.builds(Port, st.integers(0, 65535)),
    st.builds(Bitfield, st.binary(max_size=40)),
    st.builds(Request, _numbers, _numbers, _numbers),
    st.builds(Cancel, _numbers, _numbers, _numbers),
    st.builds(RejectRequest, _numbers, _numbers, _numbers),
    st.builds(Piece, _numbers, _numbers, st.binary(max_size=60)),
    st.builds(Extended, st.integers(0, 255), st.binary(max_size=40)),
)

#: One of each, with blocks of usual and unusual sizes, and messages nobody knows between them.
ALL: list[Message] = [
    KeepAlive(),
    Bitfield(b"\xff\x80"),
    Extended(0, b"de"),
    Unchoke(),
    Choke(),
    KeepAlive(),
    Have(3),
    Piece(1, 0, bytes(range(256)) * 64),
    Piece(1, 16384, b""),
    Piece(2, 0, b"\xaa" * BLOCK),
    Extended(1, b"x" * 70000),
    Piece(3, 0, b"b" * 16384),
    Request(1, 2, 3),
    Cancel(1, 2, 3),
    Port(4),
    HaveAll(),
    KeepAlive(),
]
STREAM = b"".join(UNKNOWN + message.encode() for message in ALL)


class CutTests(SynchronousTestCase):
    """The same messages come out however the stream is cut."""

    def test_whole(self) -> None:
        """A stream fed at once."""
        self.assertEqual(read(decoder(), [STREAM]), ALL)

    def test_oneByteAtATime(self) -> None:
        """A stream fed a byte at a time yields what it yields fed whole."""
        self.assertEqual(read(decoder(), (STREAM[i : i + 1] for i in range(len(STREAM)))), ALL)

    def test_everySplit(self) -> None:
        """A short stream split at every place."""
        messages: list[Message] = [KeepAlive(), Have(1), Piece(1, 2, b"abcdefgh"), Choke(), KeepAlive()]
        stream = b"".join(UNKNOWN + message.encode() for message in messages)
        for first in range(len(stream)):
            for second in range(first, len(stream), 3):
                parts = [stream[:first], stream[first:second], stream[second:]]
                self.assertEqual(read(decoder(), parts), messages, (first, second))

    def test_unknownOfOneByte(self) -> None:
        """An unknown message that is just its id takes nothing of the next with it, wherever it is cut."""
        stream = bytes.fromhex("00000001 64") + Have(7).encode() + Choke().encode()
        for cut in range(len(stream)):
            self.assertEqual(read(decoder(), [stream[:cut], stream[cut:]]), [Have(7), Choke()], cut)

    @settings(derandomize=True, deadline=None)
    @given(st.lists(_messages, max_size=12), st.lists(st.integers(1, 30)), st.booleans())
    def test_randomCuts(self, messages: list[Message], sizes: list[int], unknown: bool) -> None:
        """Any messages in any pieces."""
        stream = b"".join((UNKNOWN if unknown else b"") + message.encode() for message in messages)
        chunks = []
        for size in sizes:
            chunks.append(stream[:size])
            stream = stream[size:]
        self.assertEqual(read(decoder(), [*chunks, stream]), messages)

    @settings(derandomize=True, deadline=None)
    @given(st.lists(st.integers(0, len(STREAM)), max_size=30))
    def test_randomCutsOfLongFrames(self, places: list[int]) -> None:
        """Long frames in any pieces."""
        cuts = [0, *sorted(places), len(STREAM)]
        chunks = [STREAM[start:end] for start, end in pairwise(cuts)]
        self.assertEqual(read(decoder(), chunks), ALL)


class CopyTests(SynchronousTestCase):
    """What is copied, and what is not."""

    def test_wholeBlockIsView(self) -> None:
        """A block that lies whole in what was fed is a view of it."""
        buffer = bytearray(Piece(1, 0, b"abc").encode())
        (piece,) = decoder().feed(memoryview(buffer))
        buffer[-1:] = b"X"
        assert isinstance(piece, Piece)
        self.assertEqual(piece.data, b"abX")

    def test_nothingOfTheFeedIsKept(self) -> None:
        """What was fed may be resized afterwards: no view of it is left, not even of a begun frame."""
        buffer = bytearray(STREAM[: 16384 + 500])
        subject = decoder()
        for message in subject.feed(memoryview(buffer)):
            del message
        buffer.clear()

    def test_straddlingFramesShareABuffer(self) -> None:
        """Blocks that straddle two feeds are put together in one buffer, time after time."""
        subject = decoder()
        owners = set()
        frame = Piece(1, 0, bytes(16384)).encode()
        for _ in range(5):
            self.assertEqual(list(subject.feed(frame[:100])), [])
            (piece,) = subject.feed(frame[100:])
            assert isinstance(piece, Piece)
            assert isinstance(piece.data, memoryview)
            owners.add(id(piece.data.obj))
            self.kept = piece  # or the address may be used again
        self.assertEqual(len(owners), 1)

    def test_longFrameIsLetGo(self) -> None:
        """The room for a long straddling frame is given back after it."""
        subject = decoder()
        frame = Extended(1, bytes(100_000)).encode()
        read(subject, [frame[:50_000], frame[50_000:]])
        self.assertEqual(len(subject._buffer), 0)

    def test_claimsTakeNoRoom(self) -> None:
        """A peer that announces a long message, and sends little of it, takes little room."""
        subject = decoder()
        read(subject, [head(LIMIT, Extended.id) + b"x" * 10])
        self.assertLess(len(subject._buffer), 1 << 16)

    def test_oldViewsDoNoHarm(self) -> None:
        """Somebody who keeps a block's view too long reads wrong bytes, but breaks nothing."""
        subject = decoder()
        frames = [Piece(1, 0, bytes(size)).encode() for size in (10, 100, 1000, 20_000, 100_000)]
        views = []
        for frame in frames:
            self.assertEqual(list(subject.feed(frame[:-3])), [])
            views += list(subject.feed(frame[-3:]))
        self.assertEqual(len(views), 5)


class RunTests(SynchronousTestCase):
    """Blocks come in runs."""

    def test_runs(self) -> None:
        """Blocks behind one another are one run; another message ends it; all stay in their order."""
        sent: list[Message] = [
            Piece(1, 0, b"ab"),
            Piece(1, 2, b"c"),
            Have(3),
            Piece(2, 0, b""),
            KeepAlive(),
            Piece(4, 5, b"d"),
        ]
        found = list(decoder().feedRuns(b"".join(each.encode() for each in sent)))
        self.assertEqual(
            found, [[(1, 0, b"ab"), (1, 2, b"c")], Have(3), [(2, 0, b"")], KeepAlive(), [(4, 5, b"d")]]
        )
        self.assertEqual([type(each) for each in found].count(PieceRun), 3)

    def test_straddling(self) -> None:
        """A block begun in the feed before leads the run of those that follow."""
        stream = b"".join(Piece(1, number, b"abc").encode() for number in range(4))
        subject = decoder()
        kept = []
        for part in (stream[:20], stream[20:55], stream[55:]):
            for run in subject.feedRuns(part):
                assert isinstance(run, PieceRun)
                kept.append([(begin, bytes(data)) for _, begin, data in run])
        self.assertEqual(kept, [[(0, b"abc")], [(1, b"abc"), (2, b"abc")], [(3, b"abc")]])

    def test_beforeABrokenRule(self) -> None:
        """What came before a message that is refused is handed on."""
        for broken in (
            head(100_000_000, Piece.id),
            head(2, Choke.id) + bytes(20),
            Piece(10, 0, b"x").encode(),
        ):
            runs = decoder(10).feedRuns(Piece(9, 0, b"x").encode() + broken)
            self.assertEqual(next(runs), [(9, 0, b"x")])
            self.assertRaises(ProtocolError, next, runs)


class LimitTests(SynchronousTestCase):
    """A claim is judged as soon as it is made."""

    def assertRefused(self, data: bytes, pieceCount: int | None = None) -> None:
        """Refused whole, and byte by byte with the last byte of C{data} and not before."""
        self.assertRaises(ProtocolError, list, decoder(pieceCount).feed(data))
        subject = decoder(pieceCount)
        read(subject, (data[i : i + 1] for i in range(len(data) - 1)))
        self.assertRaises(ProtocolError, list, subject.feed(data[-1:]))

    def test_hugeFrames(self) -> None:
        """A frame of 100 MB is refused after five bytes, whatever it says to be."""
        for kind in range(256):
            self.assertRefused(head(100_000_000, kind))
            self.assertRefused(head(0xFFFFFFFF, kind))

    def test_fixedSizes(self) -> None:
        """A message of fixed size has that size."""
        sizes = {0: 1, 1: 1, 2: 1, 3: 1, 4: 5, 6: 13, 8: 13, 9: 3, 13: 5, 14: 1, 15: 1, 16: 13, 17: 5}
        for kind, size in sizes.items():
            self.assertRefused(head(size + 1, kind))
            if size > 1:
                self.assertRefused(head(size - 1, kind))

    def test_blocks(self) -> None:
        """A block may be as long as was said; its numbers must be there."""
        self.assertRefused(head(9 + BLOCK + 1, Piece.id))
        self.assertRefused(head(8, Piece.id))
        whole = Piece(1, 0, bytes(BLOCK + 1)).encode()
        self.assertRaises(ProtocolError, list, decoder().feed(whole))
        self.assertEqual(read(decoder(), [head(9 + BLOCK, Piece.id)]), [])

    def test_extended(self) -> None:
        """An extended message says of which extension it is, and has a limit."""
        self.assertRefused(head(LIMIT + 1, Extended.id))
        self.assertRefused(head(1, Extended.id))
        self.assertEqual(read(decoder(), [head(LIMIT, Extended.id)]), [])

    def test_bitfield(self) -> None:
        """A bitfield has the size that the number of pieces asks for, where that is known."""
        self.assertRefused(head(LIMIT + 1, Bitfield.id))
        self.assertRefused(head(1 + 3, Bitfield.id), pieceCount=9)
        self.assertRefused(head(1 + 1, Bitfield.id), pieceCount=9)
        self.assertRefused(Bitfield(b"\xff\xc0").encode(), pieceCount=9)
        self.assertEqual(read(decoder(9), [Bitfield(b"\xff\x80").encode()]), [Bitfield(b"\xff\x80")])

    def test_manyPieces(self) -> None:
        """A torrent of very many pieces has bitfields over the limit of other messages."""
        bits = bytes(LIMIT + 5)
        frame = Bitfield(bits).encode()
        self.assertEqual(read(decoder(len(bits) * 8), [frame[:7], frame[7:]]), [Bitfield(bits)])

    def test_indices(self) -> None:
        """No message names a piece that is not there, where their number is known."""
        for make in (Have, SuggestPiece, AllowedFast):
            self.assertEqual(read(decoder(10), [make(9).encode()]), [make(9)])
            self.assertRefused(make(10).encode(), pieceCount=10)
            self.assertEqual(read(decoder(), [make(10).encode()]), [make(10)])
        for ask in (Request, Cancel, RejectRequest):
            self.assertEqual(read(decoder(10), [ask(9, 0, 1).encode()]), [ask(9, 0, 1)])
            self.assertRefused(ask(10, 0, 1).encode(), pieceCount=10)
        self.assertEqual(read(decoder(10), [Piece(9, 0, b"x").encode()]), [Piece(9, 0, b"x")])
        self.assertRefused(Piece(10, 0, b"x").encode(), pieceCount=10)

    def test_pieceCountBetweenMessages(self) -> None:
        """The number of pieces may become known between two messages of one feed."""
        subject = decoder()
        messages = subject.feed(Have(99).encode() + Have(99).encode())
        self.assertEqual(next(messages), Have(99))
        subject.pieceCount = 10
        self.assertRaises(ProtocolError, next, messages)

    def test_unknownIsSkipped(self) -> None:
        """A message nobody knows is passed over without being kept, up to the limit."""
        frame = head(LIMIT, 99) + bytes(LIMIT - 1)
        subject = decoder()
        self.assertEqual(read(subject, [frame[:1000]]), [])
        self.assertLess(len(subject._buffer), 100)
        self.assertEqual(read(subject, [frame[1000:] + Choke().encode()]), [Choke()])
        self.assertRefused(head(LIMIT + 1, 99))

    @settings(derandomize=True, deadline=None, max_examples=500)
    @given(
        st.lists(
            st.binary(max_size=30)
            | st.builds(head, st.integers(0, 40), st.integers(0, 25))
            | _messages.map(lambda message: message.encode()),
            max_size=8,
        ),
        st.none() | st.integers(1, 100),
    )
    def test_anyBytes(self, chunks: list[bytes], pieceCount: int | None) -> None:
        """Any bytes yield messages, or ProtocolError and nothing else; the same whole and byte by byte."""
        stream = b"".join(chunks)
        outcomes = []
        for parts in ([stream], chunks, [stream[i : i + 1] for i in range(len(stream))]):
            subject = decoder(pieceCount)
            found: list[Message | str] = []
            try:
                for part in parts:
                    for message in subject.feed(part):
                        found.append(kept(message))
            except ProtocolError as error:
                found.append(error.reason)
            outcomes.append(found)
        self.assertEqual(outcomes[0], outcomes[1])
        self.assertEqual(outcomes[0], outcomes[2])
