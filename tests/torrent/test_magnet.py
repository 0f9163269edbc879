"""L{twisted_bt.torrent.magnet}: magnet links read and written."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases, fromHex
from twisted_bt.errors import MagnetError
from twisted_bt.torrent import magnet
from twisted_bt.torrent.magnet import Magnet

HASH = bytes(range(20))
LINK = f"magnet:?xt=urn:btih:{HASH.hex()}"


def parsed(rest: str) -> Magnet:
    """A link of a torrent with C{rest} after its info-hash."""
    return Magnet.parse(LINK + rest)


class ParseTests(SynchronousTestCase):
    """What is in a link."""

    def test_zones(self) -> None:
        """Addresses with a zone are left out: it means nothing elsewhere, and could put more in the link."""
        for zone in ("eth0", "a%26tr=http://x/", "%25"):
            found = parsed(f"&x.pe=[fe80::1%25{zone}]:80&dht=[fe80::1%25{zone}]:80&x.pe=[fe80::1]:80")
            self.assertEqual((found.peers, found.nodes), ((("fe80::1", 80),), ()))

    def test_names(self) -> None:
        """Plus is a space, escapes are UTF-8, and what would not be seen, or turn text round, is left out."""
        self.assertEqual(parsed("&dn=a+b%20c%c3%a9").name, "a b c\u00e9")
        self.assertEqual(parsed("&dn=a%0a%1b[31m%e2%80%aeb%ff").name, "a[31mb\ufffd")
        self.assertEqual(parsed("").name, "")
        self.assertEqual(len(parsed("&dn=" + "x" * 5000).name), magnet.MAX_NAME)

    def test_urls(self) -> None:
        """A plus in a URL is a plus; repeated ones count once; web seeds are fetched by HTTP."""
        self.assertEqual(parsed("&tr=http://a/?k=1+2").trackers, ("http://a/?k=1+2",))
        self.assertEqual(
            parsed("&tr=udp://a:1&tr.1=http://b&tr=udp%3a//a:1").trackers, ("udp://a:1", "http://b")
        )
        self.assertEqual(parsed("&ws=ftp://a/&ws=https://b/c").webSeeds, ("https://b/c",))

    def test_addresses(self) -> None:
        """Peers and nodes are a host (name, IPv4, bracketed IPv6) and a port; others are left out."""
        link = parsed("&x.pe=[2001:DB8::1]:6881&x.pe=10.0.0.1:1&x.pe=h-1.example:65535&dht=r.example:6881")
        self.assertEqual(link.peers, (("2001:db8::1", 6881), ("10.0.0.1", 1), ("h-1.example", 65535)))
        self.assertEqual(link.nodes, (("r.example", 6881),))
        for bad in ("10.0.0.1", ":1", "a:0", "a:65536", "a:-1", "[::1:1", "[zz]:1", "a b:1", "a:1x", "%ff:1"):
            self.assertEqual(parsed(f"&x.pe={bad}").peers, (), bad)

    def test_files(self) -> None:
        """BEP 53: numbers and ranges; what makes no sense is left out."""
        self.assertEqual(
            parsed("&so=0,2,6-8&so=11").selectOnly, (range(1), range(2, 3), range(6, 9), range(11, 12))
        )
        self.assertEqual(parsed("&so=3-1,-1,a,1-,,99999999999,0-99999999,7").selectOnly, (range(7, 8),))

    def test_lengthAndKey(self) -> None:
        """The content's length, and BEP 46's key and salt, which need no info-hash beside them."""
        self.assertEqual(parsed("&xl=123").length, 123)
        self.assertIsNone(parsed("&xl=-1").length)
        link = Magnet.parse(f"magnet:?xs=urn:btpk:{'ab' * 32}&s=6E")
        self.assertEqual((link.infoHash, link.publicKey, link.salt), (None, b"\xab" * 32, b"n"))

    def test_base32(self) -> None:
        """An info-hash in base32 is read."""
        self.assertEqual(Magnet.parse("magnet:?xt=urn:btih:" + "a" * 32).infoHash, bytes(20))

    def test_pasted(self) -> None:
        """Blanks around a link, and text in it that should have been escaped, do no harm."""
        self.assertEqual(Magnet.parse(f" {LINK}&dn=\u3042\u3000\u3044\r\n").name, "\u3042\u3000\u3044")

    def test_uselessIsLeftOut(self) -> None:
        """Unknown parameters and badly escaped optional ones do not make a link useless."""
        self.assertEqual(parsed("&foo=bar&=&&dn=%zz&tr=%&ws=http://%f&x"), Magnet(HASH))

    def test_refused(self) -> None:
        """What names no torrent, or a wrong one, is a MagnetError."""
        for uri in (
            "",
            "magnet:",
            "magnet:?",
            "magnet:?dn=name",
            "http://example.org/",
            LINK[:-1],
            LINK + "\0",
            LINK.replace("00", " 0"),
            LINK + "&xt=urn:btih:12",
            "magnet:?xs=urn:btpk:12",
            "magnet:?xt=urn:btmh:1220" + "0" * 63,
            LINK + "\udcff",
        ):
            self.assertRaises(MagnetError, Magnet.parse, uri)

    def test_limits(self) -> None:
        """Length and parameters are bounded; of long lists the first entries count."""
        self.assertRaises(MagnetError, Magnet.parse, LINK + "&dn=" + "x" * magnet.MAX_LENGTH)
        self.assertRaises(MagnetError, Magnet.parse, LINK + "&" * magnet.MAX_PARAMETERS)
        self.assertEqual(
            len(parsed("".join(f"&tr=udp://{i}" for i in range(900))).trackers), magnet.MAX_ENTRIES
        )
        self.assertEqual(len(parsed("&so=" + ",".join(map(str, range(9000)))).selectOnly), magnet.MAX_RANGES)


class ValueTests(SynchronousTestCase):
    """The value itself."""

    def test_cannotBeWrong(self) -> None:
        """No hash, or one of a wrong size, makes no Magnet."""
        self.assertRaises(MagnetError, Magnet)
        self.assertRaises(MagnetError, Magnet, infoHash=bytes(19))
        self.assertRaises(MagnetError, Magnet, infoHashV2=bytes(20))

    def test_escapes(self) -> None:
        """Names and URLs are escaped so that they cannot be read as parameters."""
        self.assertEqual(Magnet(HASH, name="a&b=c d").uri(), f"{LINK}&dn=a%26b%3Dc%20d")
        self.assertEqual(
            Magnet(HASH, trackers=("http://a/?b=1&c",)).uri(), f"{LINK}&tr=http%3A%2F%2Fa%2F%3Fb%3D1%26c"
        )


_hosts = st.sampled_from(["10.0.0.1", "2001:db8::1", "router.example", "h_1"])
_addresses = st.lists(st.tuples(_hosts, st.integers(1, 65535)), unique=True, max_size=3).map(tuple)
_paths = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=10)
_ranges = st.tuples(st.integers(0, 1000), st.integers(1, 9)).map(lambda pair: range(pair[0], sum(pair)))
_magnets = st.builds(
    Magnet,
    infoHash=st.binary(min_size=20, max_size=20),
    infoHashV2=st.none() | st.binary(min_size=32, max_size=32),
    name=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20).map(str.strip),
    trackers=st.lists(_paths.map("udp://t/".__add__), unique=True, max_size=3).map(tuple),
    webSeeds=st.lists(_paths.map("http://w/".__add__), unique=True, max_size=3).map(tuple),
    peers=_addresses,
    selectOnly=st.lists(_ranges, unique=True, max_size=4).map(tuple),
    length=st.none() | st.integers(0, 1 << 50),
    nodes=_addresses,
    publicKey=st.none() | st.binary(min_size=32, max_size=32),
    salt=st.binary(max_size=64),
)


class PropertyTests(SynchronousTestCase):
    """What holds for every link."""

    @settings(derandomize=True, deadline=None)
    @given(_magnets)
    def test_roundTrip(self, link: Magnet) -> None:
        """A link that was written reads as it was."""
        self.assertEqual(Magnet.parse(link.uri()), link)

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(st.lists(st.tuples(st.sampled_from(["xt", "dn", "tr", "x.pe", "so", "xl", "s", "xs"]), st.text())))
    def test_anything(self, fields: list[tuple[str, str]]) -> None:
        """Any parameters give a value that can be written and read again, or a MagnetError."""
        for write in (str, quote):
            uri = LINK + "".join(f"&{key}={write(value)}" for key, value in fields)
            try:
                link = Magnet.parse(uri)
            except MagnetError:
                continue
            self.assertEqual(Magnet.parse(link.uri()), link)


class ConformanceTests(ConformanceTestCase):
    """The published vectors."""

    def test_parse(self) -> None:
        """Each published link is read as published, or refused."""
        for case in cases("magnet_parse"):
            raw = case.get("uri")
            if raw is None:
                raw = f"{LINK}&{case['fragment']}"
            uri = raw if isinstance(raw, str) else fromHex(raw).decode("utf-8", "surrogateescape")
            expect = {**case["expect"], **case.get("libtorrent_2_1_1", {})}
            if not expect.get("ok", True):
                self.assertRaises(MagnetError, Magnet.parse, uri)
                continue
            self.compare(case["id"], Magnet.parse(uri), expect)

    def compare(self, name: str, link: Magnet, expect: dict[str, Any]) -> None:
        """Each field that C{expect} speaks of."""
        files = [number for each in link.selectOnly for number in each]
        ours = {
            "v1": link.infoHash.hex() if link.infoHash else None,
            "v2": link.infoHashV2.hex() if link.infoHashV2 else None,
            "name": link.name,
            "trackers": list(link.trackers),
            "webseeds": list(link.webSeeds),
            "peers": [list(each) for each in link.peers],
            "dht_nodes": [list(each) for each in link.nodes],
            "select_only": files or None,
        }
        for key in ours.keys() & expect.keys():
            self.assertEqual(ours[key], expect[key], f"{name}: {key}")

    def test_build(self) -> None:
        """Each published value is written as published."""
        for case in cases("magnet_build"):
            given = case["input"]
            wanted = given.get("file_priorities", [])
            runs: list[range] = []
            for number, priority in enumerate(wanted):
                if priority and runs and runs[-1].stop == number:
                    runs[-1] = range(runs[-1].start, number + 1)
                elif priority:
                    runs.append(range(number, number + 1))
            nodes = [each.rpartition(":") for each in given.get("dht_nodes", [])]
            link = Magnet(
                infoHash=bytes.fromhex(given["v1"]) if "v1" in given else None,
                infoHashV2=bytes.fromhex(given["v2"]) if "v2" in given else None,
                selectOnly=tuple(runs),
                nodes=tuple((host, int(port)) for host, _, port in nodes),
            )
            self.assertEqual(link.uri(), case["expect"], case["id"])
