"""
Targets: values of C{torrent/}.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.fuzz.seeds import files, texts, vectors
from tests.fuzz.target import ACCEPTED, REJECTED, Tally, Target, outcome, require
from tests.fuzz.trees import Grove, written
from tests.torrent import torrents
from twisted_bt.errors import BencodeError, MagnetError, MetainfoError, TrackerError
from twisted_bt.torrent import merkle
from twisted_bt.torrent.bencoding import decode, decodePrefix, decodeSpans, encode
from twisted_bt.torrent.magnet import MAX_LENGTH, Magnet
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.torrent.paths import NAME_MAX
from twisted_bt.tracker.announce import AnnounceRequest
from twisted_bt.tracker.httpwire import announceURL, scrapeURL
from twisted_bt.tracker.urls import TrackerURL


class Bencoding(Target):
    """L{twisted_bt.torrent.bencoding}."""

    name = "bencode"
    maxLength = 2048
    words = (
        b"d",
        b"l",
        b"e",
        b"i",
        b"0:",
        b"1:a",
        b"i0e",
        b"i-1e",
        b"le",
        b"de",
        b"d1:ai1ee",
        b"4294967296:",
        b"i-0e",
    )

    def __init__(self) -> None:
        self._grove = Grove(self.seeds(), (b"", b"a", b"b", b"aa", b"info"))

    def seeds(self) -> list[bytes]:
        """What the vectors have, and a few of every kind."""
        nested = b"l" * 99 + b"e" * 99
        own = [
            b"i0e",
            b"0:",
            b"le",
            b"de",
            b"d1:ai1e1:bl2:xyi-5eee",
            nested,
            b"d1:bi1e1:ai2ee",
            b"d1:ai1e1:ai2ee",
        ]
        return own + [each for each in vectors("bencode_decode", "bencode_encode") if len(each) < 2048]

    def make(self, random: Random) -> bytes:
        """A tree."""
        return self._grove.make(random)

    def grow(self, random: Random, times: int) -> bytes:
        """A tree with more of something."""
        return self._grove.grown(random, times)

    def run(self, data: bytes) -> Tally:
        """One exception; what is decoded is encoded to the same; strict means canonical."""
        whole = outcome(lambda: [decode(data, 1 << 20)], BencodeError)
        prefix = outcome(lambda: decodePrefix(data, 1 << 20), BencodeError)
        strict = outcome(lambda: [decode(data, 1 << 20, strictKeys=True)], BencodeError)
        spans = outcome(lambda: decodeSpans(data, 1 << 20), BencodeError)
        counted = outcome(lambda: [decode(data, 1 << 20, maxItems=8)], BencodeError)
        if counted is not None:
            require(counted == whole, "counting values changes nothing", counted, whole)
        if prefix is None:
            require(whole is None and spans is None and strict is None, "no value, yet a value", data)
            return REJECTED
        value, end = prefix
        require((end == len(data)) == (whole is not None), "whole means that it ends at the end", data, end)
        written = encode(value)
        require(decode(written, len(written), strictKeys=True) == value, "decode(encode(x)) == x", value)
        if strict is not None:
            require(strict == whole and written == data, "strict is canonical", data, written)
        if spans is not None:
            require((spans.values, spans.end) == (value, end), "the same dictionary", data)
            for key, (start, stop) in spans.spans.items():
                require(decode(data[start:stop], 1 << 20) == spans.values[key], "spans", key, start, stop)
        return ACCEPTED


_INFO = (
    b"files", b"length", b"name", b"name.utf-8", b"piece length", b"pieces", b"private", b"source", b"path",
    b"path.utf-8", b"attr", b"symlink path", b"sha1", b"file tree", b"meta version", b"pieces root", b"",
    b"info", b"announce", b"announce-list", b"url-list", b"httpseeds", b"nodes", b"comment", b"comment.utf-8",
    b"created by", b"creation date", b"similar", b"collections", b"encoding", b"piece layers",
)  # fmt: skip
_NAMES = (
    b"a", b"b", b"A", b"", b".", b"..", b"/", b"a/b", b"\\", b"CON", b"a.txt", b"A.TXT", b"\xc3\xa4",
    b"a\xcc\x88",
    b"\xff", b"\xe2\x80\xae", b"\0", b"x" * 300, b"\xc3\xa4" * 130, b"/" * 260 + b".txt",
    b"_____padding_file_0",
)  # fmt: skip


class Torrents(Target):
    """L{twisted_bt.torrent.metainfo}, its files, paths and hash trees."""

    name = "metainfo"
    maxLength = 1 << 14
    memoryPerByte = 400
    words = (*tuple(b"%d:%b" % (len(each), each) for each in (*_INFO, *_NAMES)), b"i16384e", b"i2e", b"20:")

    def __init__(self) -> None:
        self._grove = Grove(self.seeds(), _INFO)

    def seeds(self) -> list[bytes]:
        """Torrents of each form."""
        own = [
            torrents.torrent(torrents.single(40000), announce=b"http://t/announce", comment=b"c"),
            torrents.torrent(
                torrents.folder(torrents.file("a/b", 5), torrents.file("c", 20000), private=1, source=b"s"),
                announce_list=[[b"udp://a:1", b"http://b/"], [b"wss://c"]],
                nodes=[[b"router", 6881]], similar=[b"h" * 20], collections=[b"one"], creation_date=5,
                url_list=[b"http://w/x", b"ftp://w/"], httpseeds=[b"http://h"], encoding=b"UTF-8",
                created_by=b"x",
            ),
            torrents.torrent(torrents.hybrid(), piece_layers=torrents.LAYERS),
            torrents.torrent(torrents.folder(
                torrents.file("a", 5), torrents.file("l", 0, attr=b"l", symlink_path=[b"a"]),
                torrents.file("m", 0, attr=b"lx", symlink_path=[b"l"], sha1=b"s" * 20),
                torrents.file("p", 100, attr=b"p"), torrents.file("A", 1, attr=b"h"),
            )),
        ]  # fmt: skip
        return own + [each for each in files(".torrent") if len(each) < 1 << 14] + vectors("metainfo_inline")

    def make(self, random: Random) -> bytes:
        """A seed changed; or one made to be right, but for its names."""
        if random.random() < 0.4:
            return self._grove.make(random)
        more: dict[str, Any] = {}
        if random.random() < 0.3:
            made = torrents.hybrid()
            more["piece_layers"] = torrents.LAYERS
        elif random.random() < 0.3:
            made = torrents.single(random.randrange(1, 100_000))
            made[b"name"] = random.choice(_NAMES)
        else:
            made = torrents.folder(*(self._file(random) for _ in range(random.randrange(1, 8))))
            made[b"name"] = random.choice(_NAMES)
        for key in random.sample(_INFO[17:], random.randrange(3)):
            more[key.decode().replace(" ", "_")] = self._grove.leaf(random)
        return written({b"info": made} | {k.replace("_", " ").encode(): v for k, v in more.items()}, random)

    def grow(self, random: Random, times: int) -> bytes:
        """A tree with more of something."""
        return self._grove.grown(random, times)

    def _file(self, random: Random) -> dict[bytes, Any]:
        def path() -> list[bytes]:
            return [random.choice(_NAMES) for _ in range(random.randrange(1, 4))]

        made: dict[bytes, Any] = {b"length": random.choice((0, 1, 5, 16384, 20000)), b"path": path()}
        if random.random() < 0.3:
            made[b"attr"] = random.choice((b"l", b"p", b"x", b"h", b"lp", b"xh"))
            made[b"symlink path"] = path()
        return made

    def run(self, data: bytes) -> Tally:
        """One exception; what is read is sound, its paths are safe, and it is written to the same."""
        found = outcome(lambda: Metainfo.fromBytes(data), MetainfoError)
        outcome(lambda: Metainfo.fromInfo(data), MetainfoError)
        if found is None:
            return REJECTED
        require(Metainfo.fromBytes(found.encode()) == found, "fromBytes(encode(x)) == x", data)
        require(
            Metainfo.fromInfo(found.infoBytes).infoHash == found.infoHash, "the info-hash is that of the info"
        )
        offset = 0
        folded = set()
        for entry in found.files:
            require(entry.offset == offset and entry.length >= 0, "files follow one another", entry)
            offset += entry.length
            for name in entry.path:
                require(name not in ("", ".", "..") and not set("/\\\0") & set(name), "safe names", entry)
                require(len(name.encode("utf-8")) <= NAME_MAX, "names fit a file system", entry)
            folded.add(tuple(name.casefold() for name in entry.path))
            if entry.symlink is not None:
                require(not set(entry.symlink) & {"", ".", ".."}, "links stay inside", entry)
        real = [entry for entry in found.files if not entry.isPad]
        require(len({entry.path for entry in real}) == len(real), "no two files of one path", real)
        require(offset == found.totalSize > 0, "files cover the content", offset, found.totalSize)
        require(len(found.pieceHashes) == 20 * found.layout.pieceCount, "a hash for each piece")
        for root, layer in found.pieceLayers.items():
            height = merkle.pieceHeight(found.layout.pieceLength)
            require(merkle.root(merkle.splitLayer(layer), height) == root, "layers have their roots")
        return ACCEPTED


class Magnets(Target):
    """L{twisted_bt.torrent.magnet}."""

    name = "magnet"
    words = (
        b"magnet:?", b"&", b"=", b"xt=urn:btih:", b"xt=urn:btmh:1220", b"xs=urn:btpk:", b"dn=", b"tr=",
        b"tr.1=",
        b"ws=http://a", b"x.pe=", b"x.pe=[fe80::1%25a]:80", b"x.pe=%5B::1%5D:1", b"so=", b"so=0-3,5",
        b"xl=", b"s=ab",
        b"dht=", b"%25", b"%26", b"%0a", b"%ed%a0%80", b"+", b"a" * 40, b"a" * 64, b"http%3a//t", b"udp://",
    )  # fmt: skip

    def seeds(self) -> list[bytes]:
        """Links of each form."""
        own = Magnet(
            b"h" * 20, b"i" * 32, "näme & more", ("http://t/announce?x=1&y=%20", "udp://u:1"), ("http://w/",),
            (("1.2.3.4", 5), ("::1", 6), ("host", 7)), (range(3), range(7, 8)), 99, (("r", 1),), b"k" * 32,
            b"salt",
        )  # fmt: skip
        bare = b"magnet:?xt=urn:btih:" + b"A" * 32
        return [
            own.uri().encode("utf-8"),
            bare,
            *texts("magnet_parse", "uri"),
            *texts("magnet_build", "expect"),
        ]

    def run(self, data: bytes) -> Tally:
        """One exception; what is read is written to the same."""
        text = data.decode("utf-8", "surrogateescape")
        found = outcome(lambda: Magnet.parse(text), MagnetError)
        if found is None:
            return REJECTED
        uri = found.uri()
        if len(uri) <= MAX_LENGTH:
            require(Magnet.parse(uri) == found, "parse(uri(x)) == x", found, uri)
        require(uri.isascii() and uri.isprintable() and " " not in uri, "a link is one word", uri)
        for host, port in found.peers + found.nodes:
            require(not set(host) & set("%&=[]/# "), "hosts are hosts", host)
            require(0 < port < 65536, "ports are ports", port)
        return ACCEPTED


class TrackerUrls(Target):
    """L{twisted_bt.tracker.urls}: from torrents, magnet links and redirects."""

    name = "trackerurl"
    maxLength = 1024
    words = (
        b"http://", b"https://", b"udp://", b"@", b":", b"[::1]", b"[fe80::1%25eth0]", b"[", b"]", b"//",
        b"/../",
        b"?", b"#", b"%", b"%2", b":0", b":65536", b":-1", b"xn--", b"\xc3\xa4", b"announce", b"\\", b"\t",
        b"\xe3\x80\x82",
    )  # fmt: skip

    def seeds(self) -> list[bytes]:
        """URLs of each form."""
        own = [
            "http://t/announce",
            "https://u:p@t:444/a/announce?k=1&j",
            "udp://[::1]:80/x",
            "HTTP://Ä.de/announce#f",
        ]
        return [each.encode("utf-8") for each in own] + texts("url_parse", "url")

    def run(self, data: bytes) -> Tally:
        """One exception; what is read can be sent, and is read again as the same."""
        text = data.decode("utf-8", "replace")
        here = TrackerURL.parse("http://user:x@tracker:8080/announce?k=1")
        joined = outcome(lambda: here.join(data.decode("latin-1")), TrackerError)
        found = outcome(lambda: TrackerURL.parse(text), TrackerError)
        for url in (found, joined):
            if url is None:
                continue
            raw = str(url).encode("ascii")
            require(raw.decode().isprintable() and b" " not in raw, "fit to be sent", raw)
            if len(raw) <= 4096:  # it may have grown, by what had to be escaped
                again = TrackerURL.parse(str(url))
                require(
                    (again.netloc, again.target) == (url.netloc, url.target), "parse(str(x)) == x", url, again
                )
            request = AnnounceRequest(b"\0\xff+&%=? " * 2 + b"hash", b"p" * 20, 1, 2, 3, 4)
            asked = str(announceURL(url, request)).encode("ascii")
            require(b"info_hash=%00%FF%2B%26%25%3D%3F%20" in asked, "the info-hash is escaped", asked)
            outcome(lambda url=url: str(scrapeURL(url, [b"h" * 20])).encode("ascii"), TrackerError)  # type: ignore[misc]
        return REJECTED if found is None else ACCEPTED
