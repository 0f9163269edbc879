"""Tests for L{twisted_bt.torrent.addresses}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases, fromHex
from twisted_bt.torrent.addresses import PeerAddr, decodeCompact, encodeCompact, parsePeerAddr, peerAddr
from twisted_bt.torrent.bencoding import decode

fixed = settings(derandomize=True, deadline=None)
ports = st.integers(1, 65535)
addresses4 = st.builds(peerAddr, st.ip_addresses(v=4).map(str), ports)
addresses6 = st.builds(peerAddr, st.ip_addresses(v=6).map(str), ports).filter(lambda a: a.isIPv6)


class PeerAddrTests(SynchronousTestCase):
    """L{peerAddr} and L{PeerAddr}."""

    def test_literals(self) -> None:
        """A literal is written in one way, so that equal addresses are equal."""
        self.assertEqual(peerAddr("2001:DB8:0:0::1", 1), PeerAddr("2001:db8::1", 1))
        self.assertEqual(peerAddr("::ffff:192.0.2.1", 6881), PeerAddr("192.0.2.1", 6881))
        self.assertEqual(peerAddr("fe80::1%eth0", 1), PeerAddr("fe80::1", 1))

    def test_refused(self) -> None:
        """Names, broken literals and ports that cannot be are refused."""
        for host, port in (
            ("example.org", 1),
            ("", 1),
            ("1.2.3", 1),
            ("1.2.3.4.5", 1),
            ("1.2.3.256", 1),
            ("[::1]", 1),
            ("1.2.3.4", 0),
            ("1.2.3.4", 65536),
            ("1.2.3.4", -1),
        ):
            with self.assertRaises(ValueError, msg=f"{host} {port}"):
                peerAddr(host, port)

    def test_text(self) -> None:
        """As text an IPv6 literal is in brackets."""
        self.assertEqual(str(peerAddr("192.0.2.1", 80)), "192.0.2.1:80")
        self.assertEqual(str(peerAddr("::1", 80)), "[::1]:80")


class CompactTests(SynchronousTestCase):
    """The compact forms of BEP 23 and BEP 7."""

    def test_bytes(self) -> None:
        """Address and port are in network order."""
        self.assertEqual(peerAddr("1.2.3.4", 0x1AE1).compact(), b"\1\2\3\4\x1a\xe1")
        self.assertEqual(peerAddr("::5", 258).compact(), bytes(15) + b"\5\1\2")

    @fixed
    @given(st.lists(addresses4, max_size=5), st.lists(addresses6, max_size=5))
    def test_roundTrip(self, four: list[PeerAddr], six: list[PeerAddr]) -> None:
        """Each family decodes to what was encoded, and leaves out the other."""
        self.assertEqual(decodeCompact(encodeCompact(four + six)), four)
        self.assertEqual(decodeCompact(encodeCompact(four + six, ipv6=True), ipv6=True), six)

    def test_mapped(self) -> None:
        """IPv4 mapped into IPv6 decodes to the same peer as plain IPv4."""
        data = bytes(10) + b"\xff\xff\1\2\3\4\0\x50"
        self.assertEqual(decodeCompact(data, ipv6=True), [peerAddr("1.2.3.4", 80)])

    def test_portZero(self) -> None:
        """Port 0 is nobody's and is left out."""
        self.assertEqual(decodeCompact(b"\1\2\3\4\0\0\5\6\7\x08\0\1"), [PeerAddr("5.6.7.8", 1)])

    def test_broken(self) -> None:
        """What is no whole number of addresses is refused."""
        for size in (1, 5, 7, 13):
            with self.assertRaises(ValueError):
                decodeCompact(bytes(size))
        with self.assertRaises(ValueError):
            decodeCompact(bytes(6), ipv6=True)

    @fixed
    @given(st.binary(max_size=16 * 18))
    def test_canonical(self, data: bytes) -> None:
        """Whatever is decoded is written as L{peerAddr} writes it."""
        found = decodeCompact(data[: len(data) // 18 * 18], ipv6=True)
        self.assertEqual(found, [peerAddr(*each) for each in found])


class ParseTests(SynchronousTestCase):
    """L{parsePeerAddr}."""

    @fixed
    @given(st.one_of(addresses4, addresses6))
    def test_roundTrip(self, addr: PeerAddr) -> None:
        """It reads what L{PeerAddr} writes."""
        self.assertEqual(parsePeerAddr(str(addr)), addr)

    def test_refused(self) -> None:
        """Names, missing ports and IPv6 without brackets are refused."""
        for text in (
            "",
            ":",
            "1.2.3.4",
            "1.2.3.4:",
            "1.2.3.4:x",
            "1.2.3.4:+1",
            "::1:80",
            "[::1]",
            "a:1",
            "1.2.3.4:0",
        ):
            with self.assertRaises(ValueError, msg=text):
                parsePeerAddr(text)


class AddressVectorTests(ConformanceTestCase):
    """The section C{compact_addresses} of the vectors, as far as it is about addresses."""

    def test_text(self) -> None:
        """Endpoints as text are read, or refused."""
        for case in cases("compact_addresses"):
            if case.get("op") != "parse_endpoint":
                continue
            if case["expect"]["ok"]:
                expected = peerAddr(case["expect"]["ip"], case["expect"]["port"])
                self.assertEqual(parsePeerAddr(case["text"]), expected, case["id"])
            else:
                with self.assertRaises(ValueError, msg=case["id"]):
                    parsePeerAddr(case["text"])

    def test_bytes(self) -> None:
        """Compact endpoints are read, plain and out of a bencoded string or list; cut ones are refused."""
        seen = 0
        for case in cases("compact_addresses"):
            if "bytes" not in case:
                continue
            raw, expect = fromHex(case["bytes"]), case["expect"]
            if "ip" in expect:
                found = decodeCompact(raw, ipv6=True)
                self.assertEqual(found, [PeerAddr(expect["ip"], expect["port"])], case["id"])
            elif "endpoints" in expect:
                listed = decode(raw, 100)
                assert isinstance(listed, list)
                packed = [each for each in listed if isinstance(each, bytes)]
                found = [decodeCompact(each, len(each) == 18)[0] for each in packed]
                self.assertEqual([str(each) for each in found], expect["endpoints"], case["id"])
            elif "[" in expect.get("value", ""):
                found = decodeCompact(_string(raw), ipv6=True)
                self.assertEqual([str(each) for each in found], [expect["value"]], case["id"])
            elif "length" in expect.get("error", ""):
                with self.assertRaises(ValueError, msg=case["id"]):
                    decodeCompact(_string(raw))
            else:
                continue
            seen += 1
        self.assertEqual(seen, 4)


def _string(raw: bytes) -> bytes:
    value = decode(raw, 100)
    assert isinstance(value, bytes)
    return value
