"""Tests for L{twisted_bt.control.metadata}.  With real peers: C{tests.interop.test_frontdoor_magnets}."""

from __future__ import annotations

import os
import tempfile
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.control.fakes import FakeFetching, FakeSwarm
from twisted_bt.control import metadata
from twisted_bt.control.metadata import MetadataWatch, fetchMetadata
from twisted_bt.control.meter import LINE_INTERVAL
from twisted_bt.control.options import HostPort
from twisted_bt.errors import BitTorrentError, MetainfoError, StorageError
from twisted_bt.settings import Settings
from twisted_bt.torrent.magnet import Magnet

MAGNET = Magnet(b"m" * 20, name="na\x1bme")


class FakeClient(Service):
    """Opens a swarm when a test says so."""

    made: Any = None

    def __init__(self, reactor: object, settings: Settings) -> None:
        type(self).made = self
        self.metadataSessions: dict[bytes, Any] = {}
        self.removed: list[bytes] = []
        self.folders: list[Path] = []
        self.observers: list[Any] = []

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return succeed(None)

    def observe(self, observer: Any) -> Any:
        self.observers.append(observer)
        return lambda: None

    def addTorrent(self, magnet: Magnet, folder: Path) -> Deferred[Any]:
        assert magnet.infoHash is not None
        self.folders.append(folder)
        fetching = self.metadataSessions[magnet.infoHash] = FakeFetching(magnet.infoHash)
        for observer in self.observers:
            observer.metadataProgressed(fetching, 0, 0)
        return fetching.opening

    def removeTorrent(self, infoHash: bytes) -> Deferred[None]:
        self.removed.append(infoHash)
        return succeed(None)


class Terminal(StringIO):
    """Somebody watches."""

    def isatty(self) -> bool:
        return True


class WatchTests(SynchronousTestCase):
    """What is shown while metadata is fetched."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.fetching = FakeFetching()
        self.client: Any = FakeClient(None, Settings())

    def watch(self, out: StringIO) -> MetadataWatch:
        """A watch, closed again after the test; no timer is left then."""
        watch = MetadataWatch(self.clock, self.client, MAGNET, out)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(watch.close)
        return watch

    def test_lines(self) -> None:
        """Where nobody watches there is a line for news, not many in a short time, with nothing odd in it."""
        out = StringIO()
        self.watch(out)
        self.clock.advance(1)
        self.assertEqual(out.getvalue(), "")
        self.client.metadataSessions[b"m" * 20] = self.fetching
        self.clock.pump([1.0] * 3)
        self.fetching.sources = 1
        self.clock.advance(1)
        self.fetching.sources = 2
        self.clock.pump([1.0] * int(3 * LINE_INTERVAL))
        name = "na\ufffdme"
        self.assertEqual(
            out.getvalue().splitlines(),
            [f"{name}: fetching metadata from 0 peers", f"{name}: fetching metadata from 2 peers"],
        )

    def test_terminal(self) -> None:
        """On a terminal one line changes, and is gone in the end."""
        out = Terminal()
        watch = self.watch(out)
        self.client.metadataSessions[b"m" * 20] = self.fetching
        for self.fetching.sources in (0, 1):
            self.clock.advance(1)
        watch.close()
        shown = [part.removesuffix("\x1b[K") for part in out.getvalue().split("\r")]
        name = "na\ufffdme"
        self.assertEqual(
            shown,
            ["", f"{name}: fetching metadata from 0 peers", f"{name}: fetching metadata from 1 peer", ""],
        )


class FetchTests(SynchronousTestCase):
    """Metadata and nothing else."""

    def setUp(self) -> None:
        self.patch(metadata, "ClientSession", FakeClient)
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.patch(tempfile, "tempdir", str(self.folder))
        self.clock = Clock()
        reactor: Any = self.clock
        other = Magnet(b"n" * 20)
        peers = [HostPort("h", 1)]
        self.fetch = Deferred.fromCoroutine(
            fetchMetadata(reactor, [MAGNET, other], Settings(), peers, 10.0, StringIO())
        )
        self.client = FakeClient.made

    def tearDown(self) -> None:
        """Nothing is left: no timer, no folder, no service."""
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(os.listdir(self.folder), [])
        self.assertFalse(self.client.running)

    def opened(self, letter: bytes) -> FakeSwarm:
        """The metadata of one comes."""
        swarm = FakeSwarm(infoHash=letter * 20)
        self.client.metadataSessions[letter * 20].opening.callback(swarm)
        return swarm

    def result(self) -> list[Any]:
        """What came of each."""
        results: Any = self.successResultOf(self.fetch)
        return list(results)

    def test_both(self) -> None:
        """Each is fetched from the peers that were named, too; no swarm goes on."""
        for fetching in self.client.metadataSessions.values():
            self.assertEqual([dial[:2] for dial in fetching.dials], [("h", 1)])
        second = self.opened(b"n")
        self.assertEqual(self.client.removed, [b"n" * 20])
        first = self.opened(b"m")
        self.assertEqual(self.result(), [first.metainfo, second.metainfo])
        self.assertEqual(self.client.removed, [b"n" * 20, b"m" * 20])

    def test_late(self) -> None:
        """What has not come in time is an error; what has is not lost."""
        first = self.opened(b"m")
        self.clock.advance(10.0)
        found, reason = self.result()
        self.assertEqual(found, first.metainfo)
        self.assertIsInstance(reason, MetainfoError)
        self.assertEqual(str(reason), "no metadata within 10 seconds")

    def test_failed(self) -> None:
        """So is what fails."""
        self.opened(b"n")
        self.client.metadataSessions[b"m" * 20].opening.errback(StorageError("why"))
        reason = self.result()[0]
        self.assertIsInstance(reason, BitTorrentError)
        self.assertEqual(str(reason), "why")

    def test_bug(self) -> None:
        """An error of our own is not swallowed."""
        self.opened(b"n")
        self.client.metadataSessions[b"m" * 20].opening.errback(ZeroDivisionError())
        self.failureResultOf(self.fetch, ZeroDivisionError)

    def test_cancel(self) -> None:
        """To cancel ends it all."""
        self.fetch.cancel()
        self.failureResultOf(self.fetch)
