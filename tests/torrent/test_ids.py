"""L{twisted_bt.torrent.ids}: info-hashes as text, peer ids made and recognised."""

from __future__ import annotations

import contextlib
from base64 import b32encode
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases, fromHex
from twisted_bt.torrent.ids import azureusPrefix, clientName, decodeBase32, makePeerId, parseInfoHash

HASH = bytes(range(100, 120))


class InfoHashTests(SynchronousTestCase):
    """Info-hashes as people write them."""

    def test_hex(self) -> None:
        """Forty hexadecimal digits of either case are read."""
        self.assertEqual(parseInfoHash(HASH.hex()), HASH)
        self.assertEqual(parseInfoHash(HASH.hex().upper()), HASH)

    def test_base32(self) -> None:
        """Thirty-two digits of base32 of either case are read."""
        text = b32encode(HASH).decode()
        self.assertEqual(parseInfoHash(text), HASH)
        self.assertEqual(parseInfoHash(text.lower()), HASH)

    def test_refused(self) -> None:
        """Whatever is neither is a ValueError: wrong length, digits, blanks, padding, other alphabets."""
        good = HASH.hex()
        for text in ("", good[:-1], good + "0", "g" + good[1:], " " + good[1:], good + "\n", "=" * 32):
            self.assertRaises(ValueError, parseInfoHash, text)
        for text in ("A" * 31 + "=", "A" * 24 + "=" * 8, "\u00df" * 16 + "A" * 16, "\u0661" * 40, "8" * 32):
            self.assertRaises(ValueError, parseInfoHash, text)

    @settings(derandomize=True, deadline=None)
    @given(st.text(max_size=45))
    def test_anyText(self, text: str) -> None:
        """Any text is twenty bytes or a ValueError."""
        with contextlib.suppress(ValueError):
            self.assertEqual(len(parseInfoHash(text)), 20)


class MakePeerIdTests(SynchronousTestCase):
    """Our own peer ids."""

    def test_shape(self) -> None:
        """Twenty printable bytes that begin with our code and version."""
        made = makePeerId(Random(1), "0.1.0")
        self.assertEqual((len(made), made[:8]), (20, b"-TB0100-"))
        self.assertTrue(made.isascii() and made.decode().isprintable())

    def test_random(self) -> None:
        """Two are different; the same random source makes the same one."""
        self.assertNotEqual(makePeerId(Random(1), "0.1"), makePeerId(Random(2), "0.1"))
        self.assertEqual(makePeerId(Random(1), "0.1"), makePeerId(Random(1), "0.1"))

    def test_versions(self) -> None:
        """What is no number of the version is left out; too large numbers become the largest."""
        for version, prefix in (
            ("1.15.16.17", b"-TB1FGH-"),
            ("2.0.0rc1.dev3", b"-TB2000-"),
            ("1.2.3.4.5.6", b"-TB1234-"),
            ("99999.1", b"-TBz100-"),
            ("", b"-TB0000-"),
            ("unknown", b"-TB0000-"),
        ):
            self.assertEqual(makePeerId(Random(1), version)[:8], prefix, version)

    def test_recognised(self) -> None:
        """We recognise ourselves."""
        self.assertEqual(clientName(makePeerId(Random(1), "0.1.2")), "twisted_bt 0.1.2")

    def test_badPrefix(self) -> None:
        """A code or version that does not fit is a ValueError."""
        for code, version in (
            ("T", [1]),
            ("TBT", [1]),
            ("T-", [1]),
            ("\u00b5T", [1]),
            ("TB", [62]),
            ("TB", [-1]),
        ):
            self.assertRaises(ValueError, azureusPrefix, code, version)
        self.assertRaises(ValueError, azureusPrefix, "TB", [1, 2, 3, 4, 5])


class ClientNameTests(SynchronousTestCase):
    """Peer ids of others."""

    def test_known(self) -> None:
        """The styles of BEP 20, and the odd ones, are told apart."""
        for peerId, name in (
            (b"-qB4520-abcdefghijkl", "qBittorrent 4.5.2"),
            (b"-LT20B0-abcdefghijkl", "libtorrent 2.0.11"),
            (b"-lt0D60-abcdefghijkl", "libTorrent (rTorrent) 0.13.6"),
            (b"-DE13F0-abcdefghijkl", "Deluge 1.3.15"),
            (b"A2-1-36-0-abcdefghij", "aria2 1.36.0"),
            (b"-ML2.7.2-abcdefghijk", "MLdonkey 2.7.2"),
            (b"-ML\x01\x02", "MLdonkey"),
            (b"Mbrst1-1-3-abcdefghi", "burst! 1.1.3"),
            (b"XBT054d-abcdefghijkl", "XBT 0.5.4"),
            (b"OP7685abcdefghijklmn", "Opera 7685"),
            (b"T03I-----abcdefghijk", "BitTornado 0.3.18"),
            (b"346-abcdefghijklmnop", "TorrentTopia"),
        ):
            self.assertEqual(clientName(peerId), name)

    def test_unknown(self) -> None:
        """An id of no style shows what of it can be printed."""
        self.assertEqual(clientName(b"\xff\x1b[31mhello\x00\x00\x00world"), "Unknown .[31mhello.world")
        self.assertEqual(clientName(b""), "Unknown ")

    @settings(derandomize=True, deadline=None, max_examples=500)
    @given(
        st.tuples(
            st.sampled_from([b"", b"-", b"-AZ", b"S", b"M4-", b"exbc", b"OP", b"A2-", b"-ML", b"\0" * 12]),
            st.binary(max_size=24) | st.from_regex(rb"[-A-Za-z0-9.]{0,20}", fullmatch=True),
        ).map(b"".join)
    )
    def test_neverFails(self, peerId: bytes) -> None:
        """Any bytes have a name, and it is printable."""
        self.assertTrue(clientName(peerId).isprintable())


class ConformanceTests(ConformanceTestCase):
    """The published vectors."""

    def test_identify(self) -> None:
        """Each published id is of the published client; of that version where it is written alike."""
        for case in cases("peer_id_identify"):
            ours = clientName(fromHex(case["peer_id"]))
            theirs = case["expect"]
            if case["impl"] == "libtorrent":
                self.assertEqual(ours, theirs, case["id"])
            elif case["impl"] == "pxqr":
                # This one writes most versions as the digits are; only the name carries over there.
                name, version = theirs.split("-")
                self.assertEqual(ours.split()[0], name, case["id"])
                if not fromHex(case["peer_id"]).startswith(b"-"):
                    self.assertEqual(ours.split()[1], version, case["id"])
            else:  # shows what the id begins with, and that is all
                self.assertIn(ours, ("Azureus 2.0.6", "rain 0.0.0", f"Unknown {theirs}"), case["id"])

    def test_generate(self) -> None:
        """Each published prefix is made, or refused."""
        for case in cases("peer_id_generate"):
            code = case["code"] if isinstance(case["code"], str) else fromHex(case["code"]).decode()
            if "error" in case["expect"]:
                self.assertRaises(ValueError, azureusPrefix, code, case["version"])
                continue
            expect = case["expect"]
            prefix = expect.encode() if isinstance(expect, str) else fromHex(expect)
            self.assertEqual(azureusPrefix(code, case["version"]), prefix, case["id"])

    def test_base32(self) -> None:
        """Each published text has its bytes; those that have none are refused."""
        for case in cases("base32_hex"):
            text, expect = fromHex(case["input"]).decode("latin-1"), fromHex(case["expect"])
            if expect:
                self.assertEqual(decodeBase32(text), expect, case["id"])
            else:
                self.assertRaises(ValueError, decodeBase32, text)
