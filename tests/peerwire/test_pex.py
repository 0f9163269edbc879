"""L{twisted_bt.peerwire.pex}: the messages of BEP 11."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases
from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire.pex import MAX_MESSAGE, MAX_READ, PexFlags, PexMessage
from twisted_bt.torrent.addresses import PeerAddr, peerAddr
from twisted_bt.torrent.bencoding import decode, encode

A, B = PeerAddr("1.2.3.4", 80), PeerAddr("5.6.7.8", 65535)
C, D = PeerAddr("2001:db8::1", 1), PeerAddr("2001:db8::2", 6881)

addresses = st.builds(peerAddr, st.ip_addresses().map(str), st.integers(1, 65535))


class PexMessageTests(SynchronousTestCase):
    """News of peers."""

    def test_written(self) -> None:
        """The fields are as BEP 11 has them, each family in its own."""
        message = PexMessage(((A, 0x12), (C, 1), (B, 0)), (D,))
        self.assertEqual(
            decode(message.encode(), 1000),
            {
                b"added": bytes.fromhex("01020304005005060708ffff"),
                b"added.f": b"\x12\0",
                b"added6": C.compact(),
                b"added6.f": b"\x01",
                b"dropped": b"",
                b"dropped6": D.compact(),
            },
        )

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(
        st.dictionaries(addresses, st.integers(0, 31), max_size=20),
        st.lists(addresses, unique=True, max_size=20),
    )
    def test_roundTrip(self, added: dict[PeerAddr, int], dropped: list[PeerAddr]) -> None:
        """What is written reads the same."""
        message = PexMessage(tuple(added.items()), tuple(dropped))
        got = PexMessage.decode(message.encode())
        self.assertEqual(dict(got.added), added)
        self.assertEqual(set(got.dropped), set(dropped))
        self.assertEqual(sorted(got.seeds()), sorted(addr for addr, flags in added.items() if flags & 2))

    def test_flags(self) -> None:
        """Flags are read as such; missing ones are none, unknown ones and too many are ignored."""
        packed = A.compact() + B.compact()
        for flags, expected in (
            (b"\x02\x11", (PexFlags.SEED, PexFlags.ENCRYPTION | PexFlags.REACHABLE)),
            (b"\xff", (PexFlags(31), PexFlags(0))),
            (b"", (PexFlags(0), PexFlags(0))),
            (b"\x04\x08\x01", (PexFlags.UTP, PexFlags.HOLEPUNCH)),
            (7, (PexFlags(0), PexFlags(0))),
        ):
            message = PexMessage.decode(encode({b"added": packed, b"added.f": flags}))
            self.assertEqual(message.added, tuple(zip((A, B), expected, strict=True)))

    def test_leftOut(self) -> None:
        """Without a port, or said twice, an address is left out; flags stay with theirs."""
        packed = bytes(6) + A.compact() + PeerAddr("9.9.9.9", 0).compact() + A.compact() + B.compact()
        message = PexMessage.decode(encode({b"added": packed, b"added.f": bytes(range(1, 6))}))
        self.assertEqual(message.added, ((A, 2), (B, 5)))

    def test_mapped(self) -> None:
        """IPv4 among IPv6 is the same peer as IPv4."""
        mapped = bytes(10) + b"\xff\xff" + A.compact()
        message = PexMessage.decode(encode({b"added": A.compact(), b"added6": mapped, b"dropped6": mapped}))
        self.assertEqual((message.added, message.dropped), (((A, 0),), (A,)))

    def test_empty(self) -> None:
        """Nothing to tell is allowed, and so are fields that nobody knows."""
        for payload in (encode({}), encode({b"x": [1]}), PexMessage().encode()):
            self.assertEqual(PexMessage.decode(payload), PexMessage())

    def test_bounded(self) -> None:
        """Of each field only so many addresses are read."""
        many = b"".join(bytes((1, 2, n >> 8, n & 255, 1, 1)) for n in range(1000))
        message = PexMessage.decode(encode({b"added": many, b"dropped": many}))
        self.assertEqual((len(message.added), len(message.dropped)), (MAX_READ, MAX_READ))

    def test_refused(self) -> None:
        """No dictionary, a cut address, another type, or too much of it breaks the protocol."""
        for payload in (
            b"",
            b"le",
            b"d5:added",
            encode({b"added": bytes(7)}),
            encode({b"dropped6": bytes(6)}),
            encode({b"added": 1}),
            encode({b"added": [A.compact()]}),
            encode({b"added": bytes(6 * (MAX_MESSAGE // 6 + 1))}),
            encode({b"x": [0] * 5000}),
            encode({}) + b"x",
        ):
            self.assertRaises(ProtocolError, PexMessage.decode, payload)

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(st.integers(0, 110), st.binary(max_size=9), st.integers(0, 110))
    def test_damaged(self, start: int, damage: bytes, end: int) -> None:
        """Damaged messages are a value or ProtocolError."""
        whole = PexMessage(((A, 1), (C, 2)), (B, D)).encode()
        try:
            got = PexMessage.decode(whole[:start] + damage + whole[end:])
        except ProtocolError:
            return
        self.assertTrue(all(0 < addr.port < 65536 for addr, _ in got.added))


class ConformanceTests(ConformanceTestCase):
    """The published vectors."""

    def test_flags(self) -> None:
        """The flags have the published values."""
        (case,) = [case for case in cases("extension_messages") if case.get("name") == "pex flags"]
        words = {
            "prefers encryption": PexFlags.ENCRYPTION,
            "seed/upload_only": PexFlags.SEED,
            "supports uTP": PexFlags.UTP,
            "ut_holepunch": PexFlags.HOLEPUNCH,
            "outgoing connection / reachable": PexFlags.REACHABLE,
        }
        self.assertEqual(
            {int(value, 16): words[word] for value, word in case["expect"].items()},
            {int(flag): flag for flag in PexFlags},
        )
