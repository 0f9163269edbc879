"""L{twisted_bt.peerwire.extended}: BEP 10's handshake, ids of extensions, BEP 54."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases, dataFile, fromHex
from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire import extended
from twisted_bt.peerwire.extended import DontHave, ExtendedHandshake, ExtensionIds, LocalExtensions, cleaned
from twisted_bt.peerwire.framing import WireDecoder
from twisted_bt.peerwire.messages import Extended
from twisted_bt.torrent.bencoding import encode

FULL = ExtendedHandshake(
    extensions={b"ut_pex": 1, b"lt_donthave": 7},
    client="client 1.0",
    port=6881,
    reqq=500,
    yourIp="192.0.2.1",
    ipv4="192.0.2.2",
    ipv6="2001:db8::1",
    metadataSize=12345,
    uploadOnly=True,
)


def decoded(**fields: Any) -> ExtendedHandshake:
    """A handshake with C{fields} as they come from a peer."""
    return ExtendedHandshake.decode(encode({key.encode(): value for key, value in fields.items()}))


class HandshakeTests(SynchronousTestCase):
    """The extended handshake."""

    def test_encode(self) -> None:
        """It is written with the keys of BEP 10, in order; what is not said is left out."""
        plain = ExtendedHandshake(
            {b"ut_pex": 1}, client="c", port=1, reqq=2, yourIp="1.2.3.4", uploadOnly=True
        )
        self.assertEqual(
            plain.encode(),
            b"d1:md6:ut_pexi1ee1:pi1e4:reqqi2e11:upload_onlyi1e1:v1:c6:yourip4:\x01\x02\x03\x04e",
        )
        self.assertEqual(ExtendedHandshake().encode(), b"d1:mdee")
        self.assertEqual(ExtendedHandshake().message(), Extended(0, b"d1:mdee"))

    def test_roundTrip(self) -> None:
        """All fields, some, or none read as they were written."""
        for sent in (
            FULL,
            ExtendedHandshake(),
            ExtendedHandshake({b"a": 0}),
            ExtendedHandshake(yourIp="::1"),
        ):
            self.assertEqual(ExtendedHandshake.decode(sent.encode()), sent)

    def test_raw(self) -> None:
        """Keys nobody knows can be read, and sent, but do not replace what is known."""
        sent = ExtendedHandshake(port=1, raw={b"complete_ago": 5, b"p": 2})
        got = ExtendedHandshake.decode(sent.encode())
        self.assertEqual((got.raw[b"complete_ago"], got.port), (5, 1))

    def test_oddValues(self) -> None:
        """What has the wrong type or range counts as not said."""
        for odd in (b"text", -1, 0, 1 << 70, [1], {b"a": 1}):
            got = decoded(p=odd, reqq=odd, metadata_size=odd, m=odd if odd != {b"a": 1} else b"")
            self.assertEqual(got, ExtendedHandshake(), odd)
        for odd in (b"", b"123", b"x" * 5, b"x" * 17, 4, [], {}):
            self.assertEqual(decoded(yourip=odd, ipv4=odd, ipv6=odd), ExtendedHandshake(), odd)
        for odd in (1, [], {}):
            self.assertEqual(decoded(v=odd), ExtendedHandshake())
        for odd in (0, b"1", []):
            self.assertFalse(decoded(upload_only=odd).uploadOnly)

    def test_mapped(self) -> None:
        """IPv4 mapped into IPv6 is IPv4."""
        self.assertEqual(decoded(yourip=bytes(10) + b"\xff\xff\x01\x02\x03\x04").yourIp, "1.2.3.4")

    def test_oddExtensions(self) -> None:
        """Of the extensions, those with an id that fits in a byte and a name of sensible length count."""
        names = {b"a": 0, b"b": 255, b"c": 256, b"d": -1, b"e": b"1", b"": 3, b"x" * 100: 4}
        self.assertEqual(decoded(m=names).extensions, {b"a": 0, b"b": 255})
        many = {b"%d" % number: 1 for number in range(1000)}
        self.assertEqual(len(decoded(m=many).extensions), extended.MAX_EXTENSIONS)

    def test_client(self) -> None:
        """The client's name is text for a screen: valid, visible, in one line, not long."""
        self.assertEqual(decoded(v=b" \x1b[31mA\n\xffB\xe2\x80\xaeC ").client, "[31mA \ufffdB C")
        self.assertEqual(cleaned("\u00b5Torrent 3.5"), "\u00b5Torrent 3.5")
        self.assertEqual(cleaned("x" * 63 + " y"), "x" * 63)
        self.assertEqual(len(decoded(v=b"x" * 5000).client), extended.MAX_CLIENT_NAME)

    def test_refused(self) -> None:
        """What is no dictionary, is cut off, too long or too deep breaks the protocol."""
        long = encode({b"v": b"x" * extended.MAX_HANDSHAKE})
        deep = b"d1:a" + b"l" * 50 + b"e" * 50 + b"e"
        for payload in (b"", b"le", b"i1e", b"d1:md", b"x", b"d1:ai1e-6:", long, deep):
            self.assertRaises(ProtocolError, ExtendedHandshake.decode, payload)

    def test_trailing(self) -> None:
        """Bytes after the dictionary are ignored."""
        self.assertEqual(ExtendedHandshake.decode(FULL.encode() + b"\0\0"), FULL)

    def test_damaged(self) -> None:
        """A thousand handshakes, cut off or with bytes flipped, each are a value or ProtocolError."""
        random, whole = Random(1), FULL.encode()
        refused = read = 0
        for _ in range(1000):
            damaged = bytearray(whole)
            for _ in range(random.randrange(4)):
                damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
            if random.random() < 0.3:
                del damaged[random.randrange(len(damaged)) :]
            try:
                got = ExtendedHandshake.decode(bytes(damaged))
            except ProtocolError:
                refused += 1
                continue
            read += 1
            self.assertTrue(got.client.isprintable())
            self.assertEqual(ExtendedHandshake.decode(got.encode()).extensions, got.extensions)
        self.assertTrue(refused and read)

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(
        st.dictionaries(
            st.sampled_from([b"m", b"v", b"p", b"reqq", b"yourip", b"ipv4", b"ipv6", b"metadata_size"]),
            st.recursive(
                st.integers() | st.binary(max_size=20),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.binary(max_size=5), inner),
            ),
        )
    )
    def test_anyValues(self, fields: dict[bytes, Any]) -> None:
        """Any dictionary is a handshake, and what was understood can be said again."""
        got = ExtendedHandshake.decode(encode(fields))
        self.assertEqual(ExtendedHandshake.decode(got.encode()), got)


class IdTests(SynchronousTestCase):
    """Who calls an extension what."""

    def test_local(self) -> None:
        """We number what we speak from 1; 0 is the handshake's, others are nobody's."""
        ours = LocalExtensions([b"ut_pex", b"ut_metadata"])
        self.assertEqual(ours.ids, {b"ut_pex": 1, b"ut_metadata": 2})
        self.assertEqual(
            [ours.nameOf(number) for number in range(4)], [None, b"ut_pex", b"ut_metadata", None]
        )

    def test_localRefused(self) -> None:
        """A name twice, or more names than ids, is a mistake of ours."""
        self.assertRaises(ValueError, LocalExtensions, [b"a", b"a"])
        self.assertRaises(ValueError, LocalExtensions, [b"%d" % number for number in range(256)])

    def test_peer(self) -> None:
        """A later handshake changes what it names, ends what it calls 0, and leaves the rest."""
        theirs = ExtensionIds()
        theirs.update(ExtendedHandshake({b"a": 1, b"b": 2, b"c": 3, b"d": 0}))
        theirs.update(ExtendedHandshake({b"a": 9, b"b": 0}))
        self.assertEqual([theirs.idOf(name) for name in (b"a", b"b", b"c", b"d")], [9, None, 3, None])
        self.assertEqual((list(theirs), b"a" in theirs, b"b" in theirs), ([b"a", b"c"], True, False))

    def test_message(self) -> None:
        """A message carries the peer's id; there is none to a peer that does not speak the extension."""
        theirs = ExtensionIds()
        theirs.update(ExtendedHandshake({b"a": 9}))
        self.assertEqual(theirs.message(b"a", b"x"), Extended(9, b"x"))
        self.assertIsNone(theirs.message(b"b", b"x"))

    def test_bound(self) -> None:
        """Handshake after handshake, no more names are remembered than there are ids."""
        theirs = ExtensionIds()
        for number in range(1000):
            theirs.update(ExtendedHandshake({b"%d" % number: 1}))
        self.assertEqual(len(list(theirs)), extended.MAX_EXTENSIONS)


class DontHaveTests(SynchronousTestCase):
    """BEP 54."""

    def test_codec(self) -> None:
        """Four bytes, and nothing else."""
        self.assertEqual(DontHave(0x01020304).encode(), b"\x01\x02\x03\x04")
        self.assertEqual(DontHave.decode(b"\0\0\0\x05"), DontHave(5))
        for payload in (b"", b"\0\0\0", b"\0\0\0\0\0"):
            self.assertRaises(ProtocolError, DontHave.decode, payload)


class ConformanceTests(ConformanceTestCase):
    """The published vectors."""

    def test_captured(self) -> None:
        """The handshake captured from another client reads as published."""
        found = [case for case in cases("extension_messages") if "data_file" in case]
        self.assertTrue(found)
        for case in found:
            expect = case["expect"]
            (message,) = WireDecoder(1 << 20, 1 << 17).feed(dataFile(case["data_file"]))
            assert isinstance(message, Extended)
            self.assertEqual(message.extensionId, expect["ext_id"])
            self.assertEqual(len(message.payload) + 2, expect["length_prefix"])
            said, got = expect["dict"], ExtendedHandshake.decode(message.payload)
            self.assertEqual(got.extensions, {name.encode(): number for name, number in said["m"].items()})
            self.assertEqual(got.client, said["v"])
            self.assertEqual((got.reqq, got.metadataSize), (said["reqq"], said["metadata_size"]))
            self.assertEqual(got.uploadOnly, bool(said["upload_only"]))
            self.assertEqual(got.yourIp, ".".join(str(byte) for byte in fromHex(said["yourip"])))
            self.assertEqual(got.raw[b"complete_ago"], said["complete_ago"])
            self.assertEqual(encode(dict(got.raw)), message.payload)
