"""Tests for L{twisted_bt.control.sources}."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.control import sources, webfetch
from twisted_bt.control.sources import (
    checkSource,
    fetchMetainfo,
    isMagnet,
    isURL,
    readSource,
    readTorrentFile,
)
from twisted_bt.errors import MagnetError, MetainfoError
from twisted_bt.torrent.create import createMetainfo
from twisted_bt.torrent.magnet import Magnet

LINK = "magnet:?xt=urn:btih:" + "07" * 20


class CheckTests(SynchronousTestCase):
    """What can be told from the text of a source."""

    def test_isURL(self) -> None:
        """http and https are asked of the web, all else is a path."""
        self.assertTrue(isURL("http://a/b"))
        self.assertTrue(isURL("HTTPS://a/b"))
        self.assertFalse(isURL("https.torrent"))
        self.assertFalse(isURL("/http://a"))

    def test_isMagnet(self) -> None:
        """What begins like a magnet link is meant as one, pasted or shouted."""
        for text in (LINK, " " + LINK, LINK.upper(), "magnet:"):
            self.assertTrue(isMagnet(text))
        self.assertFalse(isMagnet("magnet.torrent"))

    def test_magnet(self) -> None:
        """A magnet link of version 1 passes; one that is none, or names nothing of version 1, does not."""
        checkSource(LINK)
        for wrong in ("magnet:", "magnet:?xt=urn:btih:abc", "magnet:?xt=urn:btmh:1220" + "07" * 32):
            self.assertIn("magnet link", str(self.assertRaises(MagnetError, checkSource, wrong)))

    def test_otherScheme(self) -> None:
        """Any other scheme is refused by name; paths that look odd are not."""
        self.assertIn("ftp://", str(self.assertRaises(MetainfoError, checkSource, "ftp://host/a")))
        for fine in ("a.torrent", "/tmp/x://y", "http://host/a", "C:\\a.torrent"):
            checkSource(fine)


class FileTests(SynchronousTestCase):
    """Torrent files on disk."""

    def test_read(self) -> None:
        """The content comes unchanged."""
        path = Path(self.mktemp())
        path.write_bytes(b"d4:infodee")
        self.assertEqual(readTorrentFile(path), b"d4:infodee")

    def test_unreadable(self) -> None:
        """A missing file, a folder and an impossible name are MetainfoErrors with the path."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for path in (Path(self.mktemp()), folder, Path("a\0b")):
            message = str(self.assertRaises(MetainfoError, readTorrentFile, path))
            self.assertTrue(message.startswith(f"{path}: cannot be read: "), message)

    def test_tooLong(self) -> None:
        """No more is read than a torrent file may have."""
        self.patch(sources, "MAX_TORRENT_SIZE", 100)
        path = Path(self.mktemp())
        path.write_bytes(b"x" * 100)
        self.assertEqual(len(readTorrentFile(path)), 100)
        path.write_bytes(b"x" * 101)
        self.assertRaises(MetainfoError, readTorrentFile, path)


class SourceTests(SynchronousTestCase):
    """A torrent from wherever it is."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "x").write_bytes(b"x")
        self.metainfo = createMetainfo(folder / "x")
        self.path = folder / "x.torrent"
        self.path.write_bytes(self.metainfo.encode())
        self.reactor: Any = object()
        self.patch(webfetch, "webAgent", lambda reactor: None)
        self.patch(webfetch, "fetchTorrent", self.fetch)
        self.asked: list[tuple[str, int]] = []
        self.answer = self.metainfo.encode()

    def fetch(self, reactor: object, agent: object, url: str, limit: int) -> Deferred[bytes]:
        """A web server that has the answer."""
        self.asked.append((url, limit))
        return succeed(self.answer)

    def test_each(self) -> None:
        """A path is read, a URL fetched, a magnet link parsed."""
        for source, found in [
            (str(self.path), self.metainfo),
            ("http://host/x", self.metainfo),
            (LINK, Magnet.parse(LINK)),
        ]:
            reading = Deferred.fromCoroutine(readSource(self.reactor, source))
            self.assertEqual(self.successResultOf(reading), found)
        self.assertEqual(self.asked, [("http://host/x", sources.MAX_TORRENT_SIZE)])

    def test_noTorrent(self) -> None:
        """What a web server gives that is no torrent is refused by URL."""
        self.answer = b"<html>"
        failure = self.failureResultOf(
            Deferred.fromCoroutine(fetchMetainfo(self.reactor, "http://host/b")), MetainfoError
        )
        self.assertTrue(failure.getErrorMessage().startswith("http://host/b: not a torrent file"))

    def test_noWebClient(self) -> None:
        """The front doors bring no web client along: most runs need none, and it takes long to import."""
        code = "import sys, twisted_bt.cli, twisted_bt.tap; print([m for m in sys.modules if '.web' in m])"
        argv, folder = [sys.executable, "-c", code], Path(sources.__file__).parents[2]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "[]\n")
