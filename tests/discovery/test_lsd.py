"""Tests of L{twisted_bt.discovery.lsd}: the datagrams of BEP 14."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases, fromHex
from twisted_bt.discovery.lsd import (
    IPV4_GROUP,
    IPV6_GROUP,
    MAX_HASHES,
    MAX_READ,
    MAX_SENT,
    PORT,
    LocalAnnounce,
    announcements,
)

A, B = bytes(range(20)), bytes(range(100, 120))
LIKE_A = b"BT-SEARCH * HTTP/1.1\r\nHost: x\r\nPort: 6881\r\nInfohash: " + A.hex().encode() + b"\r\n"

announces = st.builds(
    LocalAnnounce,
    st.integers(1, 65535),
    st.lists(st.binary(min_size=20, max_size=20), min_size=1, max_size=MAX_HASHES, unique=True).map(tuple),
    st.text("0123456789abcdefXYZ-_=:", max_size=64),
)


class LocalAnnounceTests(SynchronousTestCase):
    """Announcements."""

    def test_blanks(self) -> None:
        """Blanks by the thousand, and a line that is none after all, take no time: no try after another."""
        blanks = b" \t" * 900
        for line in (blanks + b"\n", blanks[900:] + b"y" + blanks[900:], blanks):
            announce = LocalAnnounce.decode(LIKE_A + b"X:" + line + b"\r\n\r\n")
            self.assertEqual(announce, LocalAnnounce(6881, (A,)))

    def test_written(self) -> None:
        """The form is that of BEP 14, for each group."""
        announce = LocalAnnounce(6881, (A, B), "abc")
        for group, host in ((IPV4_GROUP, "239.192.152.143:6771"), (IPV6_GROUP, "[ff15::efc0:988f]:6771")):
            expected = (
                f"BT-SEARCH * HTTP/1.1\r\nHost: {host}\r\nPort: 6881\r\nInfohash: {A.hex()}\r\n"
                f"Infohash: {B.hex()}\r\ncookie: abc\r\n\r\n\r\n"
            )
            self.assertEqual(announce.encode(group).decode(), expected)

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(announces, st.sampled_from((IPV4_GROUP, IPV6_GROUP)))
    def test_roundTrip(self, announce: LocalAnnounce, group: str) -> None:
        """What is written fits into a datagram and reads the same."""
        datagram = announce.encode(group)
        self.assertLessEqual(len(datagram), MAX_SENT)
        self.assertEqual(LocalAnnounce.decode(datagram), announce)

    def test_unsaid(self) -> None:
        """What cannot be said is refused."""
        for announce in (
            LocalAnnounce(0, (A,)),
            LocalAnnounce(65536, (A,)),
            LocalAnnounce(1, ()),
            LocalAnnounce(1, (A,) * (MAX_HASHES + 1)),
            LocalAnnounce(1, (A[1:],)),
            LocalAnnounce(1, (A,), "a\r\nPort: 2"),
            LocalAnnounce(1, (A,), "a" * 65),
        ):
            self.assertRaises(ValueError, announce.encode, IPV4_GROUP)

    def test_lenient(self) -> None:
        """Names in any case, blanks, other headers, odd hashes beside good ones, no end: all is read."""
        for datagram in (
            LIKE_A + b"\r\n\r\n",
            LIKE_A,
            LIKE_A.replace(b"Infohash: ", b"INFOHASH:\t "),
            LIKE_A.replace(A.hex().encode(), A.hex().upper().encode() + b"  "),
            LIKE_A + b"X-Other: 1\r\nno header\r\n: \r\nInfohash: 12\r\n\r\n",
            LIKE_A + b"\r\nInfohash: " + B.hex().encode() + b"\r\n",
            LIKE_A + b"Infohash: " + A.hex().encode() + b"\r\n\r\n",
        ):
            self.assertEqual(LocalAnnounce.decode(datagram), LocalAnnounce(6881, (A,)), datagram)

    def test_refused(self) -> None:
        """No announcement, no port, no hash, or too long: nothing."""
        for datagram in (
            b"",
            b"\xff" * 100,
            LIKE_A.replace(b"BT-SEARCH", b"M-SEARCH"),
            LIKE_A.replace(b"1.1", b"9.9"),
            LIKE_A.replace(b"6881", b"0"),
            LIKE_A.replace(b"6881", b"65536"),
            LIKE_A.replace(b"6881", b"-1"),
            LIKE_A.replace(b"6881", "٦٨٨١".encode()),
            LIKE_A.replace(b"6881", b"9" * 1000),
            LIKE_A.replace(b"Port", b"Tor"),
            LIKE_A.replace(b"Infohash", b"Info"),
            LIKE_A.replace(A.hex().encode(), A.hex().encode()[1:]),
            LIKE_A.replace(A.hex().encode(), b"g" * 40),
            LIKE_A.replace(b"\r\n", b"\n"),
            LIKE_A + b"x" * MAX_READ,
        ):
            self.assertIsNone(LocalAnnounce.decode(datagram), datagram[:80])

    def test_bounded(self) -> None:
        """Of many hashes the first are read, of a long cookie its beginning."""
        many = b"".join(b"Infohash: %040x\r\n" % n for n in range(30))
        got = LocalAnnounce.decode(LIKE_A + many)
        assert got is not None
        self.assertEqual(len(got.infoHashes), MAX_HASHES)
        got = LocalAnnounce.decode(LIKE_A + b"cookie: " + b"\xe4" * 1000 + b"\r\n")
        assert got is not None
        self.assertEqual(len(got.cookie), 64)

    @settings(derandomize=True, deadline=None, max_examples=500)
    @given(st.integers(0, 120), st.binary(max_size=12), st.integers(0, 120))
    def test_damaged(self, start: int, damage: bytes, end: int) -> None:
        """Damaged datagrams are nothing, or something that can be used."""
        got = LocalAnnounce.decode(LIKE_A[:start] + damage + LIKE_A[end:])
        if got is not None:
            self.assertTrue(0 < got.port < 65536)
            self.assertTrue(all(len(each) == 20 for each in got.infoHashes))

    def test_batches(self) -> None:
        """Many hashes go into several announcements."""
        hashes = [n.to_bytes(20, "big") for n in range(50)]
        made = announcements(1, hashes, "c", 24)
        self.assertEqual([len(each.infoHashes) for each in made], [24, 24, 2])
        self.assertEqual([h for each in made for h in each.infoHashes], hashes)


class ConformanceTests(ConformanceTestCase):
    """The published vectors."""

    def test_groups(self) -> None:
        """The groups are the published ones."""
        (case,) = [case for case in cases("lsd") if case.get("name") == "groups"]
        self.assertEqual([f"{IPV4_GROUP}:{PORT}", f"[{IPV6_GROUP}]:{PORT}"], case["expect"])

    def test_datagrams(self) -> None:
        """
        Each published announcement is understood, once its hash of 20 digits (which is none, and makes
        it nothing) is written with 40.
        """
        found = [case for case in cases("lsd") if "bytes" in case]
        self.assertTrue(found)
        for case in found:
            datagram, digits = fromHex(case["bytes"]), case["expect"]["infohash_raw"]
            self.assertIsNone(LocalAnnounce.decode(datagram), case["id"])
            whole = datagram.replace(digits.encode(), digits.encode() * 2)
            expected = LocalAnnounce(case["expect"]["port"], (bytes.fromhex(digits * 2),))
            self.assertEqual(LocalAnnounce.decode(whole), expected, case["id"])
