"""Tests for L{twisted_bt.control.daemon}."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.control.fakes import FakeFetching, FakeSwarm
from twisted_bt.control import daemon
from twisted_bt.control.daemon import Daemon
from twisted_bt.control.options import DaemonConfig, HostPort
from twisted_bt.control.statelock import StateLock
from twisted_bt.errors import MetainfoError, SessionStopped, SettingsError, StorageError
from twisted_bt.sessions.registering import Registered
from twisted_bt.settings import Settings
from twisted_bt.torrent.create import createMetainfo
from twisted_bt.torrent.magnet import Magnet
from twisted_bt.torrent.metainfo import Metainfo


class FakeClient(Service):
    """A client session that opens L{FakeSwarm}s."""

    def __init__(self, reactor: object, settings: Settings) -> None:
        self.settings = settings
        self.listenerPort = 1234
        self.dhtPort = 1235 if settings.dht else None
        self.swarmSessions: dict[bytes, Any] = {}
        self.metadataSessions: dict[bytes, Any] = {}
        self.added: list[tuple[Any, Path]] = []
        self.restored: Deferred[None] = succeed(None)
        self.observers: list[Any] = []
        self.refusal: Exception | None = None

    def observe(self, observer: Any) -> Any:
        self.observers.append(observer)

        def remove() -> None:
            if observer in self.observers:
                self.observers.remove(observer)

        return remove

    def whenRestored(self) -> Deferred[None]:
        return self.restored

    def registerTorrents(self, locs: Any) -> Deferred[Registered]:
        self.registered: list[Any] = list(locs)
        refused = [(loc, "no torrent") for loc in self.registered if loc.metafilePath.stem == "bad"]
        return succeed(Registered(len(self.registered) - len(refused), refused))

    def addTorrent(self, source: Any, folder: Path) -> Deferred[Any]:
        self.added.append((source, folder))
        if self.refusal is not None:
            return fail(self.refusal)
        if isinstance(source, Magnet):
            assert source.infoHash is not None
            fetching = self.metadataSessions[source.infoHash] = FakeFetching(source.infoHash, source.name)
            for observer in self.observers:
                observer.metadataProgressed(fetching, 0, 0)
            return fetching.opening
        swarm = FakeSwarm(source.name, infoHash=source.wireHash)
        return succeed(self.swarmSessions.setdefault(source.wireHash, swarm))


class DaemonTestCase(SynchronousTestCase):
    """A daemon with a client session that only plays one."""

    def setUp(self) -> None:
        self.patch(daemon, "ClientSession", FakeClient)
        self.clock = Clock()
        self.finished: list[str] = []
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.torrents: list[Metainfo | Magnet] = []
        for name in ("a", "b"):
            (self.folder / name).write_bytes(name.encode())
            self.torrents.append(createMetainfo(self.folder / name))

    def made(self, urls: tuple[str, ...] = (), **options: Any) -> Daemon:
        """A daemon, stopped again after the test."""
        config = DaemonConfig(downloadDir=self.folder, stateDir=self.folder, **options)
        reactor: Any = self.clock
        self.daemon = Daemon(reactor, config, self.torrents, urls, self.finished.append)
        self.client: Any = self.daemon.client
        self.addCleanup(self.stopped)
        return self.daemon

    def stopped(self) -> None:
        """Stop it; no timer is left then, and nobody observes."""
        self.successResultOf(self.daemon.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.client.observers, [])

    @property
    def swarms(self) -> list[FakeSwarm]:
        return list(self.client.swarmSessions.values())


class DaemonTests(DaemonTestCase):
    """The daemon and what it was given."""

    def test_settings(self) -> None:
        """The client session gets what the options say."""
        self.made(maxPeers=7)
        self.assertEqual((self.client.settings.maxPeers, self.client.settings.stateDir), (7, self.folder))

    def test_register(self) -> None:
        """The torrent files of a folder are registered with the download folder; one that is none is told."""
        shelf = self.folder / "shelf"
        (shelf / "more").mkdir(parents=True)
        for name in ("bad.torrent", "good.torrent", "more/other.torrent", "readme.txt"):
            (shelf / name).write_bytes(b"x")
        events: list[Any] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.made(register=(shelf,)).startService()
        found = [(loc.metafilePath.name, loc.dataDirPath) for loc in self.client.registered]
        names = ["bad.torrent", "good.torrent", "other.torrent"]
        self.assertEqual(found, [(name, self.folder) for name in names])
        said = "\n".join(formatEvent(each) for each in events)
        self.assertIn("bad.torrent: no torrent", said)
        self.assertIn("2 torrents registered", said)

    def test_torrents(self) -> None:
        """Every torrent is added, to the download folder, once those of earlier runs are there."""
        service = self.made()
        self.client.restored = Deferred()
        service.startService()
        self.assertEqual(self.client.added, [])
        self.client.restored.callback(None)
        self.assertEqual(self.client.added, [(each, self.folder) for each in self.torrents])

    def test_peers(self) -> None:
        """Every peer is offered to every torrent given."""
        self.made(peer=(HostPort("h", 1), HostPort("i", 2))).startService()
        for swarm in self.swarms:
            self.assertEqual([dial[:2] for dial in swarm.dials], [("h", 1), ("i", 2)])

    def test_exitWhenComplete(self) -> None:
        """Once the last of them is complete there is nothing more to do."""
        self.made(exitWhenComplete=True).startService()
        first, second = self.swarms
        second.completion.callback(second)
        self.assertEqual(self.finished, [])
        first.completion.callback(first)
        self.assertEqual(self.finished, [""])

    def test_exitWithFailure(self) -> None:
        """A torrent that fails does not end the others, but the outcome is its reason."""
        self.made(exitWhenComplete=True).startService()
        first, second = self.swarms
        first.completion.errback(Failure(StorageError("the disk is full")))
        self.assertEqual(self.finished, [])
        second.completion.callback(second)
        self.assertEqual(self.finished, ["the disk is full"])

    def test_exitRemembered(self) -> None:
        """Without torrents on the command line those of earlier runs are waited for."""
        self.torrents = []
        service = self.made(exitWhenComplete=True)
        swarm = self.client.swarmSessions[b"x"] = FakeSwarm()
        service.startService()
        self.assertEqual(self.finished, [])
        swarm.completion.callback(swarm)
        self.assertEqual(self.finished, [""])

    def test_stoppedBeforeComplete(self) -> None:
        """To be stopped while torrents are waited for is no error of theirs."""
        service = self.made(exitWhenComplete=True)
        service.startService()
        self.successResultOf(service.stopService())
        self.assertEqual(self.finished, [])

    def test_goesOn(self) -> None:
        """Without that option it seeds on."""
        self.made().startService()
        for swarm in self.swarms:
            swarm.completion.callback(swarm)
        self.assertEqual(self.finished, [])

    def test_refused(self) -> None:
        """A torrent that cannot be added ends the daemon with the reason."""
        service = self.made()
        self.client.refusal = StorageError("no room")
        service.startService()
        self.assertEqual(self.finished, ["no room"])

    def test_stoppedMeanwhile(self) -> None:
        """To be stopped in the middle is no error."""
        service = self.made()
        self.client.refusal = SessionStopped("the client is stopped")
        service.startService()
        self.assertEqual(self.finished, [])

    def test_bug(self) -> None:
        """An error of our own is logged in full and ends the daemon."""
        service = self.made()
        self.client.refusal = ZeroDivisionError("oops")
        service.startService()
        self.assertEqual(self.finished, ["internal error: oops"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_url(self) -> None:
        """A URL is fetched, checked, and added after the files."""
        fetched: list[str] = []
        metainfo = self.torrents.pop()
        assert isinstance(metainfo, Metainfo)

        async def fetch(reactor: object, url: str) -> Metainfo:
            fetched.append(url)
            return metainfo

        self.patch(daemon, "fetchMetainfo", fetch)
        self.made(urls=("http://host/b.torrent",)).startService()
        self.assertEqual(fetched, ["http://host/b.torrent"])
        self.assertEqual([source.name for source, _ in self.client.added], ["a", "b"])

    def test_badURL(self) -> None:
        """What a URL gives that is no torrent ends the daemon with the reason."""
        reason = MetainfoError("http://host/b: not a torrent file")
        self.patch(daemon, "fetchMetainfo", lambda *args: fail(reason))
        self.made(urls=("http://host/b",)).startService()
        self.assertEqual(self.finished, [str(reason)])

    def test_stopWhileFetching(self) -> None:
        """To stop cancels what is being fetched."""
        fetching: Deferred[Metainfo] = Deferred()
        self.patch(daemon, "fetchMetainfo", lambda *args: fetching)
        service = self.made(urls=("http://host/b",))
        service.startService()
        self.successResultOf(service.stopService())
        self.assertTrue(fetching.called)
        self.assertEqual(self.finished, [])

    def test_lock(self) -> None:
        """The state folder is held until everything has stopped."""
        config = DaemonConfig(downloadDir=self.folder, stateDir=self.folder)
        lock = StateLock(self.folder)
        lock.acquire()
        reactor: Any = self.clock
        service = Daemon(reactor, config, [], [], self.finished.append, lock)
        service.startService()
        other = StateLock(self.folder)
        self.assertRaises(SettingsError, other.acquire)
        self.successResultOf(service.stopService())
        other.acquire()
        other.release()

    def test_metainfoErrorOfFile(self) -> None:
        """What the session refuses as no torrent is a reason like others."""
        service = self.made()
        self.client.refusal = MetainfoError("is another torrent than it was")
        service.startService()
        self.assertEqual(self.finished, ["is another torrent than it was"])


class MagnetTests(DaemonTestCase):
    """Magnet links, which may take long to become torrents, or for ever."""

    def setUp(self) -> None:
        super().setUp()
        self.torrents = [Magnet(b"m" * 20, name="m"), Magnet(b"n" * 20, name="n"), self.torrents[0]]

    def fetching(self, letter: bytes) -> FakeFetching:
        """What fetches the metadata of one of them."""
        fetching: FakeFetching = self.client.metadataSessions[letter * 20]
        return fetching

    def opened(self, letter: bytes) -> FakeSwarm:
        """Its metadata comes."""
        fetching = self.client.metadataSessions.pop(letter * 20)
        swarm = FakeSwarm(letter.decode(), infoHash=letter * 20)
        self.client.swarmSessions[letter * 20] = swarm
        fetching.opening.callback(swarm)
        return swarm

    def test_others(self) -> None:
        """None waits for another."""
        self.made().startService()
        self.assertEqual([source for source, _ in self.client.added], self.torrents)

    def test_peers(self) -> None:
        """Peers are offered to who fetches metadata, then to the swarm, never to both."""
        self.made(peer=(HostPort("h", 1),)).startService()
        fetching = self.fetching(b"n")
        self.assertEqual([dial[:2] for dial in fetching.dials], [("h", 1)])
        swarm = self.opened(b"n")
        self.assertEqual(fetching.cancelled, 1)
        self.assertEqual([dial[:2] for dial in swarm.dials], [("h", 1)])
        self.assertEqual(self.fetching(b"m").cancelled, 0)

    def test_exitWhenComplete(self) -> None:
        """They are waited for, too."""
        self.made(exitWhenComplete=True).startService()
        for swarm in (*self.swarms, self.opened(b"m"), self.opened(b"n")):
            self.assertEqual(self.finished, [])
            swarm.completion.callback(swarm)
        self.assertEqual(self.finished, [""])

    def test_exitWithFailure(self) -> None:
        """One that fails is a reason like others, once they are through."""
        self.made(exitWhenComplete=True).startService()
        self.fetching(b"m").opening.errback(MetainfoError("no torrent"))
        for swarm in (*self.swarms, self.opened(b"n")):
            self.assertEqual(self.finished, [])
            swarm.completion.callback(swarm)
        self.assertEqual(self.finished, ["no torrent"])

    def test_exitRemembered(self) -> None:
        """Those of earlier runs are waited for as well."""
        self.torrents = []
        service = self.made(exitWhenComplete=True)
        self.client.metadataSessions[b"m" * 20] = FakeFetching(b"m" * 20)
        service.startService()
        swarm = self.opened(b"m")
        self.assertEqual(self.finished, [])
        swarm.completion.callback(swarm)
        self.assertEqual(self.finished, [""])

    def test_failure(self) -> None:
        """One that fails later on does not end the others."""
        self.made().startService()
        self.fetching(b"m").opening.errback(MetainfoError("no torrent"))
        self.opened(b"n")
        self.assertEqual(self.finished, [])

    def test_stopped(self) -> None:
        """To stop cancels what is waited for, and is no error."""
        for exits in (False, True):
            service = self.made(exitWhenComplete=exits)
            service.startService()
            fetching = self.fetching(b"m")
            self.successResultOf(service.stopService())
            self.assertTrue(fetching.opening.called)
            self.assertEqual(self.finished, [])
