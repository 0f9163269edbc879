"""Tests for L{twisted_bt.torrent.announcefields}."""

from __future__ import annotations

from tests.torrent.torrents import MetainfoTestCase, file, folder, read, single, torrent
from twisted_bt.torrent.bencoding import Raw
from twisted_bt.torrent.metainfo import Metainfo


class FieldTests(MetainfoTestCase):
    """What stands beside the info dictionary."""

    def test_trackers(self) -> None:
        """Tiers keep their order; C{announce} counts where they have nothing usable (BEP 12)."""
        a, b, c = b"http://a/x", b"udp://b:80", b"https://c/"
        for said, expected in (
            ({"announce": a}, [["http://a/x"]]),
            ({"announce": a, "announce-list": [[b, c], [a]]}, [["udp://b:80", "https://c/"], ["http://a/x"]]),
            ({"announce": a, "announce-list": []}, [["http://a/x"]]),
            ({"announce": a, "announce-list": [[], [b"", b"nothing", 5], 7]}, [["http://a/x"]]),
            ({"announce": a, "announce-list": b}, [["http://a/x"]]),
            ({"announce-list": [[], [b], b]}, [["udp://b:80"]]),
            ({"announce": b"\t http://a/x \n"}, [["http://a/x"]]),
            ({"announce": b"HTTP://A/"}, [["HTTP://A/"]]),
            ({"announce": b"http://[::1]:80/x"}, [["http://[::1]:80/x"]]),
            ({}, []),
        ):
            m = read(single(), **said)
            self.assertEqual([list(tier) for tier in m.trackers], expected)

    def test_noTracker(self) -> None:
        """What is not the URL of a tracker is left out."""
        urls: list[object] = [
            *(b"", b"http://", b"http:///x", b"a.com:80/announce", b"ftp://x/", b"://", b"udp:x", b"x://y"),
            *(
                b"http://x/a b",
                b"http://x/\r\nHost: y",
                b"http://\xff/",
                b"http://x/\xff",
                b"file:///etc",
                7,
                [],
            ),
        ]
        for url in urls:
            self.assertEqual(read(single(), announce=url).trackers, ())

    def test_webSeeds(self) -> None:
        """One URL or several; a folder's end in a slash; what a URL cannot hold is escaped."""
        for said, one, many in (
            (b"http://w/f", ["http://w/f"], ["http://w/f/"]),
            ([b" http://w/f/ ", b"", 5, b"junk", b"http://w/f/"], ["http://w/f/"], ["http://w/f/"]),
            (b"http://w/a b%20c\xff", ["http://w/a%20b%20c%FF"], ["http://w/a%20b%20c%FF/"]),
            (b"", [], []),
            (7, [], []),
        ):
            self.assertEqual(list(read(single(), **{"url-list": said}).webSeeds), one)
            self.assertEqual(list(read(folder(file("a")), **{"url-list": said}).webSeeds), many)
        self.assertEqual(read(single(), httpseeds=[b"http://h/"]).httpSeeds, ("http://h/",))

    def test_nodes(self) -> None:
        """Nodes with a name and a port are kept, others left out (BEP 5)."""
        nodes = [
            [b"h", 1],
            [b"::1", 65535],
            [b"h", 0],
            [b"h", 70000],
            [b"h"],
            [1, b"h"],
            b"x",
            [b"", 5],
            [b"\xff", 6],
        ]
        self.assertEqual(read(single(), nodes=nodes).nodes, (("h", 1), ("::1", 65535)))

    def test_words(self) -> None:
        """Words are read as UTF-8, those of C{.utf-8} keys first; dates are numbers."""
        m = read(
            single(source=b"S"),
            comment=b"x",
            **{"comment.utf-8": "\u00e9".encode()},
            created_by=b"a\xffb",
            creation_date=1234567,
            encoding=b"GBK",
        )
        self.assertEqual(
            (m.comment, m.createdBy, m.creationDate, m.encoding, m.source),
            ("\u00e9", "a_b", 1234567, "GBK", "S"),
        )
        for wrong in (0, -5, b"1234567", 1 << 70):
            self.assertIsNone(read(single(), creation_date=wrong).creationDate)
        self.assertEqual(read(single(), comment=5).comment, "")

    def test_private(self) -> None:
        """A number other than zero makes a torrent private (BEP 27)."""
        self.assertEqual(
            [read(single(private=value)).private for value in (1, 2, 0, b"1")], [True, True, False, False]
        )
        self.assertFalse(read(single()).private)

    def test_similar(self) -> None:
        """Similar torrents and collections are taken from both places (BEP 38)."""
        a, b, c = b"a" * 20, b"b" * 32, b"c" * 20
        m = read(
            single(similar=[a], collections=[b"in"]),
            similar=[b, b"short", 5, a, c],
            collections=[b"out", b"in", b"", 5],
        )
        self.assertEqual((m.similar, m.collections), ((a, b, c), ("in", "out")))

    def test_encode(self) -> None:
        """A torrent that was read and written says the same, its info dictionary byte for byte."""
        m = read(
            Raw(b"d6:pieces20:xxxxxxxxxxxxxxxxxxxx4:name1:n6:lengthi1e12:piece lengthi16384ee"),
            **{"announce-list": [[b"http://a/"], [b"http://b/", b"http://a/"]], "url-list": [b"http://w/"]},
            httpseeds=[b"http://h/"],
            nodes=[[b"h", 5]],
            comment=b"c",
            created_by=b"me",
            creation_date=5,
            similar=[b"a" * 20],
            collections=[b"x"],
            encoding=b"UTF-8",
        )
        self.assertEqual(Metainfo.fromBytes(m.encode()), m)
        self.assertIn(m.infoBytes, m.encode())
        self.assertEqual(hash(Metainfo.fromBytes(m.encode())), hash(m))
        bare = read(single())
        self.assertEqual(bare.encode(), torrent(single()))
