"""Tests for L{twisted_bt.torrent.metainfo} and L{filelist<twisted_bt.torrent.filelist}."""

from __future__ import annotations

import sys
import tracemalloc
from hashlib import sha1
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.torrent.torrents import (
    LAYERS,
    PIECE,
    Fields,
    MetainfoTestCase,
    file,
    folder,
    hybrid,
    names,
    read,
    single,
    torrent,
    without,
)
from twisted_bt.errors import MetainfoError
from twisted_bt.torrent.bencoding import encode
from twisted_bt.torrent.filelist import MAX_TOTAL, FileEntry
from twisted_bt.torrent.metainfo import MAX_PIECE_LENGTH, Metainfo
from twisted_bt.torrent.pieces import PieceLayout


class ContentTests(MetainfoTestCase):
    """What a torrent says of its content."""

    def test_single(self) -> None:
        """A single file has the torrent's name and no folder."""
        m = read(single(PIECE + 5))
        self.assertEqual(m.files, (FileEntry(("n",), PIECE + 5, 0),))
        self.assertEqual((m.name, m.isFolder, m.totalSize), ("n", False, PIECE + 5))
        self.assertEqual(m.layout, PieceLayout(PIECE + 5, PIECE))

    def test_folder(self) -> None:
        """Files follow each other without gaps, in the folder that has the torrent's name."""
        m = read(folder(file("a", 5), file("d/b", 0), file("d/c", PIECE)))
        self.assertEqual(
            m.files,
            (
                FileEntry(("n", "a"), 5, 0),
                FileEntry(("n", "d", "b"), 0, 5),
                FileEntry(("n", "d", "c"), PIECE, 5),
            ),
        )
        self.assertTrue(m.isFolder)

    def test_pieceHash(self) -> None:
        """Each piece has its hash, and there is none before the first or after the last."""
        m = read(single(PIECE * 2, pieces=b"a" * 20 + b"b" * 20))
        self.assertEqual([m.pieceHash(0), m.pieceHash(1)], [b"a" * 20, b"b" * 20])
        for index in (-1, 2):
            with self.assertRaises(IndexError):
                m.pieceHash(index)

    def test_refused(self) -> None:
        """What is missing, of the wrong kind, or cannot be, is refused with a reason for people."""
        one = single()
        for info, reason in (
            (without(one, b"name"), "no name"),
            (single(name=5), "no name"),
            (single(name=b""), "no usable character"),
            (single(name=b".."), "no usable character"),
            (without(one, b"piece length"), "piece length"),
            (single(piece_length=0), "piece length"),
            (single(piece_length=-PIECE), "piece length"),
            (single(piece_length=MAX_PIECE_LENGTH + 1), "piece length"),
            (single(piece_length=b"1"), "piece length"),
            (without(one, b"length"), "length of a file"),
            (single(length=-1, pieces=b"x" * 20), "length of a file"),
            (single() | {b"length": b"1"}, "length of a file"),
            (single() | {b"length": MAX_TOTAL + 1}, "larger"),
            (single(0), "no content"),
            (without(one, b"pieces"), "hashes"),
            (single(pieces=5), "hashes"),
            (single(pieces=b""), "piece hashes"),
            (single(pieces=b"x" * 19), "piece hashes"),
            (single(pieces=b"x" * 40), "piece hashes"),
            (single() | {b"length": PIECE << 22}, "pieces"),
            (single(files=[]), "no files"),
            (single(files=[b"x"]), "no dictionary"),
            (folder(file("a") | {b"length": 1, b"path": b"a"}), "no path"),
            (folder(file("a") | {b"path": []}), "no path"),
            (folder(without(file("a"), b"path")), "no path"),
            (folder(file("a") | {b"path": [b"a", 1]}), "no string"),
            (folder(file("a") | {b"path.utf-8": [1]}), "no string"),
            (folder(file("d/" * 100 + "a")), "folders deep"),
            (folder(file("a", 0)), "no content"),
            (single(files=[without(file("a"), b"length")]), "length of a file"),
            (single(files=[file("a", MAX_TOTAL), file("b", 1)]), "larger"),
            (folder(*[file("a")] * 40), "same name"),
            (b"info", "no info"),
            ([], "no info"),
        ):
            self.refused(torrent(info), reason)

    def test_bounds(self) -> None:
        """What is just within a bound is accepted."""
        read(single(piece_length=1))
        read(single(piece_length=MAX_PIECE_LENGTH))
        read(folder(file("d/" * 99 + "a")))

    def test_notTorrent(self) -> None:
        """Other files are refused as what they are not."""
        for data in (
            b"",
            b"hello",
            b"le",
            b"d",
            b"de",
            b"\x89PNG\r\n",
            b"d4:infoi1ee",
            torrent(single())[:-1],
        ):
            self.refused(data, "not a torrent file")
        self.refused(b"d4:info" + b"l" * 200, "nested")
        self.refused(b"d1:a" + b"%d:" % (40 << 20) + b"x" * (40 << 20) + b"e", "bytes are more than")

    def test_trailing(self) -> None:
        """Bytes after the end are ignored."""
        self.assertEqual(Metainfo.fromBytes(torrent(single()) + b"\n"), read(single()))

    def test_paths(self) -> None:
        """Paths are made safe and distinct."""
        m = read(folder(file("../../etc/passwd"), file("a"), file("A"), file("/x"), name=b"../../n"))
        self.assertEqual(names(m), ["....n/_/_/etc/passwd", "....n/a", "....n/A.1", "....n/_/x"])

    def test_folderWithoutName(self) -> None:
        """A folder whose name has nothing usable is called by its info-hash."""
        info = folder(file("a"), name=b"..")
        self.assertEqual(names(read(info)), [sha1(encode(info)).hexdigest() + "/a"])
        self.assertEqual(names(read(folder(file("a"), name=b""))), ["_/a"])

    def test_utf8Keys(self) -> None:
        """Keys that promise UTF-8 are believed before those that do not; bad bytes become underscores."""
        m = read(
            folder(
                file("b") | {b"path": [b"\xff"], b"path.utf-8": ["\u00e9".encode()]},
                file("c") | {b"path": [b"c\xff"], b"path.utf-8": b"wrong"},
            )
            | {b"name": b"\xff", b"name.utf-8": "\u0142".encode()}
        )
        self.assertEqual(names(m), ["\u0142/\u00e9", "\u0142/c_"])

    def test_attributes(self) -> None:
        """Attributes of BEP 47 are understood, and unknown ones ignored."""
        m = read(
            folder(
                file("a", 5, attr=b"xh", sha1=b"s" * 20),
                file(".pad/3", 3, attr=b"p"),
                file("_____padding_file_0_made", 4),
                file("b", 5, attr=b"zX", sha1=b"short"),
            )
        )
        self.assertEqual(
            m.files,
            (
                FileEntry(("n", "a"), 5, 0, isExecutable=True, isHidden=True, sha1=b"s" * 20),
                FileEntry(("n", ".pad", "3"), 3, 5, isPad=True),
                FileEntry(("n", "_____padding_file_0_made"), 4, 8, isPad=True),
                FileEntry(("n", "b"), 5, 12),
            ),
        )

    def test_padding(self) -> None:
        """Padding of one length may have one path; other files may not have it too."""
        pad = file(".pad/3", 3, attr=b"p")
        m = read(folder(file("a", 5), pad, file("b", 5), pad, file(".pad/3", 1)))
        self.assertEqual(names(m), ["n/a", "n/.pad/3", "n/b", "n/.pad/3", "n/.pad/3.1"])

    def test_symlinks(self) -> None:
        """Links that lead to something in the torrent are kept, over others too; others are not."""
        link = {b"attr": b"l", b"length": 7}
        m = read(
            folder(
                file("d/a", 5),
                file("file") | link | {b"symlink path": [b"d", b"a"]},
                file("folder") | link | {b"symlink path": [b"d"]},
                file("over") | link | {b"symlink path": [b"folder", b"a"]},
                file("out") | link | {b"symlink path": [b"..", b"..", b"etc"]},
                file("none") | link | {b"symlink path": [b"nowhere"]},
                file("self") | link | {b"symlink path": [b"self"]},
                file("one") | link | {b"symlink path": [b"two"]},
                file("two") | link | {b"symlink path": [b"one"]},
                file("bare") | link,
                file("last", 3),
            )
        )
        self.assertEqual(
            {each.path[-1]: each.symlink for each in m.files if each.symlink},
            {"file": ("n", "d", "a"), "folder": ("n", "d"), "over": ("n", "folder", "a")},
        )
        self.assertEqual([each.length for each in m.files], [5] + [0] * 9 + [3])
        self.assertEqual(m.files[-1].offset, 5)

    def test_symlinkPathWrong(self) -> None:
        """A link to something that is no path is refused."""
        link = file("s", 0, attr=b"l", symlink_path=[b"a", 5])
        self.refused(torrent(folder(file("a"), link)), "no string")


class HashTests(MetainfoTestCase):
    """Info-hashes, and the bytes they are over."""

    def test_exactBytes(self) -> None:
        """The info-hash is over the bytes as they are, keys out of order, repeated and all."""
        info = b"d6:pieces20:xxxxxxxxxxxxxxxxxxxx4:name1:n6:lengthi1e6:lengthi2e12:piece lengthi16384ee"
        m = Metainfo.fromBytes(b"d4:zzzzi1e4:info" + info + b"8:announce10:http://t/xe")
        self.assertEqual(m.infoBytes, info)
        self.assertEqual(m.infoHash, sha1(info).digest())
        self.assertEqual((m.wireHash, m.infoHashV2, m.totalSize), (m.infoHash, None, 1))

    def test_firstInfo(self) -> None:
        """Of two info dictionaries the first counts, for the hash as for the content."""
        info = encode(single())
        m = Metainfo.fromBytes(b"d4:info" + info + b"4:info" + encode(single(2)) + b"e")
        self.assertEqual((m.infoBytes, m.totalSize), (info, 1))

    def test_fromInfo(self) -> None:
        """From the info dictionary alone, as peers send it, comes the same torrent."""
        info = single(private=1)
        whole = read(info, announce_list=[], **{"announce-list": [[b"http://a/"], [b"udp://b:1"]]})
        bare = Metainfo.fromInfo(encode(info), ["http://a/", ["udp://b:1", "nonsense"]], ["http://w/"])
        self.assertEqual(bare.infoHash, whole.infoHash)
        self.assertEqual(bare.trackers, whole.trackers)
        self.assertEqual(bare.webSeeds, ("http://w/",))
        self.assertTrue(bare.private)

    def test_fromInfoRefused(self) -> None:
        """What is no info dictionary to its last byte is refused."""
        for data in (b"", b"le", b"i1e", encode(single()) + b"x", encode(single())[:-1], b"de"):
            with self.assertRaises(MetainfoError):
                Metainfo.fromInfo(data)

    def test_fromInfoBadText(self) -> None:
        """URLs that are no text are left out."""
        self.assertEqual(Metainfo.fromInfo(encode(single()), ["\ud800"], ["\ud800"]).trackers, ())


class HostileTests(MetainfoTestCase):
    """Whatever comes is a L{Metainfo} or L{MetainfoError}."""

    good = (
        torrent(folder(file("a", 5, attr=b"x"), file("d/b", 40000)), announce=b"http://t/", nodes=[[b"h", 5]])
        + b"\n",
        torrent(hybrid(), piece_layers=LAYERS, **{"url-list": [b"http://w/"]}),
    )

    def either(self, data: bytes) -> bool:
        """Whether C{data} is accepted; if so then what it says fits together."""
        try:
            m = Metainfo.fromBytes(data)
        except MetainfoError as reason:
            self.assertTrue(str(reason))
            return False
        self.assertEqual(len(m.pieceHashes), 20 * m.layout.pieceCount)
        self.assertEqual(sum(each.length for each in m.files), m.totalSize)
        self.assertEqual(Metainfo.fromBytes(m.encode()).infoHash, m.infoHash)
        for each in m.files:
            self.assertFalse({"", ".", ".."} & set(each.path))
            self.assertFalse(any("/" in element or "\0" in element for element in each.path))
        return True

    def test_truncatedOrFlipped(self) -> None:
        """A thousand variants of a torrent, cut short or with bits flipped, are accepted or refused."""
        random = Random(5)
        verdicts = set()
        for whole in self.good:
            self.assertTrue(self.either(whole))
            for number in range(1000):
                data = bytearray(whole)
                if number % 4 == 0:
                    del data[random.randrange(len(data)) :]
                for _ in range(
                    random.choice((0, 1, 1, 2, 5)) if number % 4 == 0 else random.choice((1, 1, 2, 5))
                ):
                    if data:
                        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
                verdicts.add(self.either(bytes(data)))
        self.assertEqual(verdicts, {True, False})

    def test_deepFolders(self) -> None:
        """Files in folders of their own, all as deep as can be, take memory for their paths, and no more."""
        deep = [file("/".join([str(number), *"a" * 98, "b"]), 1 - min(number, 1)) for number in range(400)]
        data = torrent(folder(*deep))
        tracemalloc.start()
        try:
            found = Metainfo.fromBytes(data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.assertEqual(len(found.files), 400)
        self.assertLess(peak, 60 * len(data))  # was over 300 times

    def test_linksInCircles(self) -> None:
        """Links by the thousand that lead into themselves, each time deeper, lead nowhere, and that soon."""
        steps = 0

        def count(frame: object, event: str, argument: object) -> object:
            nonlocal steps
            steps += 1
            return count

        link = {b"length": 0, b"attr": b"l"}
        names = [str(number).encode() for number in range(2000)]
        links = [link | {b"path": [name], b"symlink path": [name, b"x"]} for name in names]
        data = torrent(folder(file("a"), *links))
        before = sys.gettrace()
        sys.settrace(count)  # type: ignore[arg-type]
        try:
            found = Metainfo.fromBytes(data)
        finally:
            sys.settrace(before)
        self.assertEqual([each.symlink for each in found.files], [None] * 2001)
        self.assertLess(steps, 1_500_000)  # was over a thousand million

    def test_deepLinks(self) -> None:
        """A link may lead over others, but no further than systems follow."""
        link = {b"length": 0, b"attr": b"l"}
        chain = [link | {b"path": [b"%d" % n], b"symlink path": [b"%d" % (n + 1)]} for n in range(60)]
        found = Metainfo.fromBytes(torrent(folder(file("60"), *chain)))
        self.assertEqual(sum(each.symlink is not None for each in found.files), 40)

    junk = st.recursive(
        st.integers(-5, 1 << 65) | st.binary(max_size=40),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([b"", b"length", b"path", b"attr", b"pieces root", b"a"]), inner
            )
        ),
        max_leaves=8,
    )
    keys = st.sampled_from(
        [
            *(b"name", b"name.utf-8", b"length", b"files", b"piece length", b"pieces", b"private", b"source"),
            *(b"meta version", b"file tree", b"similar", b"collections"),
        ]
    )
    topKeys = st.sampled_from(
        [
            *(b"announce", b"announce-list", b"url-list", b"httpseeds", b"nodes", b"comment", b"created by"),
            *(b"creation date", b"similar", b"collections", b"piece layers", b"encoding", b"comment.utf-8"),
        ]
    )

    @settings(derandomize=True, deadline=None, max_examples=400)
    @given(st.booleans(), st.dictionaries(keys, junk, max_size=3), st.dictionaries(topKeys, junk, max_size=4))
    def test_wrongTypes(self, isHybrid: bool, info: Fields, top: Fields) -> None:
        """Values of any type in any field are accepted or refused."""
        base = hybrid() if isHybrid else folder(file("a", 5))
        self.either(encode({b"info": base | info} | top))
