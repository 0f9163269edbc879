"""L{twisted_bt.peerwire.handshake}: the first 68 bytes."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire.handshake import HANDSHAKE_LENGTH, Handshake, HandshakeReader, enabledExtensions
from twisted_bt.settings import Extension

HASH, PEER_ID = b"h" * 20, b"-XX0000-abcdefghijkl"
ALL = frozenset(Extension)


class HandshakeTests(SynchronousTestCase):
    """The value."""

    def test_encode(self) -> None:
        """It is written as BEP 3 says, with the bits of BEP 5, 6 and 10."""
        whole = b"\x13BitTorrent protocol" + bytes.fromhex("0000000000100005") + HASH + PEER_ID
        self.assertEqual(Handshake(HASH, PEER_ID, ALL).encode(), whole)
        self.assertEqual(len(whole), HANDSHAKE_LENGTH)

    def test_reservedAndExtensionsAgree(self) -> None:
        """Each has what the other has, whichever is given; unknown bits stay."""
        given = Handshake(HASH, PEER_ID, frozenset({Extension.FAST}), bytes.fromhex("8000000000100000"))
        self.assertEqual(given.extensions, {Extension.FAST, Extension.EXTENDED})
        self.assertEqual(given.reserved, bytes.fromhex("8000000000100004"))

    def test_sizes(self) -> None:
        """A field of the wrong size makes no handshake."""
        self.assertRaises(ValueError, Handshake, HASH[1:], PEER_ID)
        self.assertRaises(ValueError, Handshake, HASH, PEER_ID + b"x")
        self.assertRaises(ValueError, Handshake, HASH, PEER_ID, frozenset(), bytes(7))

    def test_enabled(self) -> None:
        """What holds is what both sides offer."""
        ours, theirs = {Extension.FAST, Extension.DHT}, {Extension.FAST, Extension.EXTENDED}
        self.assertEqual(enabledExtensions(ours, theirs), {Extension.FAST})
        self.assertEqual(enabledExtensions(frozenset(), ALL), frozenset())


class ReaderTests(SynchronousTestCase):
    """Reading as it trickles in."""

    def setUp(self) -> None:
        self.sent = Handshake(HASH, PEER_ID, ALL)

    @settings(derandomize=True, deadline=None)
    @given(
        st.frozensets(st.sampled_from(Extension)),
        st.binary(min_size=8, max_size=8),
        st.lists(st.integers(1, 40), max_size=20),
        st.binary(max_size=9),
    )
    def test_anyCuts(
        self, extensions: frozenset[Extension], reserved: bytes, sizes: list[int], more: bytes
    ) -> None:
        """However it is cut, it reads as it was sent, and what follows is given back."""
        sent = Handshake(HASH, PEER_ID, extensions, reserved)
        stream, rest, reader = sent.encode() + more, b"", HandshakeReader()
        for size in [*sizes, len(stream)]:
            rest += reader.feed(memoryview(stream[:size]))
            stream = stream[size:]
        self.assertEqual((reader.handshake, rest), (sent, more))

    def test_whenWhatIsKnown(self) -> None:
        """The info-hash is known after 48 bytes, the peer id after 68, and not before."""
        reader = HandshakeReader()
        for count, byte in enumerate(self.sent.encode(), 1):
            self.assertEqual(reader.feed(bytes([byte])), b"")
            self.assertEqual(reader.infoHash, HASH if count >= 48 else None)
            self.assertEqual(reader.reserved, self.sent.reserved if count >= 48 else None)
            self.assertEqual(reader.handshake, self.sent if count == 68 else None)
        self.assertEqual(reader.feed(b"more"), b"more")

    def test_otherProtocols(self) -> None:
        """Another protocol is refused at the first byte that differs."""
        good = self.sent.encode()
        for place in range(20):
            reader = HandshakeReader()
            reader.feed(good[:place])
            self.assertRaises(ProtocolError, reader.feed, bytes([good[place] ^ 0x20]))
        self.assertRaises(ProtocolError, HandshakeReader().feed, b"GET / HTTP/1.1\r\n\r\n")

    def test_damaged(self) -> None:
        """A thousand handshakes, cut off or with bytes flipped, each are a value or ProtocolError."""
        random = Random(1)
        refused = incomplete = read = 0
        for _ in range(1000):
            damaged = bytearray(self.sent.encode())
            for _ in range(random.randrange(4)):
                damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
            if random.random() < 0.3:
                del damaged[random.randrange(len(damaged)) :]
            reader = HandshakeReader()
            try:
                self.assertEqual(reader.feed(bytes(damaged)), b"")
            except ProtocolError:
                refused += 1
                self.assertNotEqual(damaged[:20], self.sent.encode()[: min(20, len(damaged))])
                continue
            if reader.handshake is None:
                incomplete += 1
                self.assertLess(len(damaged), HANDSHAKE_LENGTH)
            else:
                read += 1
                self.assertEqual(reader.handshake.encode(), damaged)
        self.assertTrue(refused and incomplete and read)
