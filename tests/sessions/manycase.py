"""
What the tests of many registered torrents have in common: a client with torrents and a tracker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import TrackerError
from twisted_bt.peerwire.messages import Extended
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.registering import Registered
from twisted_bt.sessions.torrentmap import TorrentLoc
from twisted_bt.settings import Settings
from twisted_bt.storage.fileio import FileCalls
from twisted_bt.testing.host import Host
from twisted_bt.testing.network import Network
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import encode
from twisted_bt.tracker.announce import AnnounceRequest
from twisted_bt.tracker.peerstore import PeerStore
from twisted_bt.tracker.udpserver import UdpTracker

PIECE = 1 << 14
INTERVAL = 1800


class NotingStore(PeerStore):
    """Notes what was announced, and when."""

    heard: list[tuple[float, AnnounceRequest]]
    refusing = ""

    def announce(self, request: AnnounceRequest, addr: PeerAddr | None) -> None:
        """Noted; refused, if that is wanted."""
        self.heard.append((self._seconds(), request))
        if self.refusing:
            raise TrackerError(self.refusing)
        super().announce(request, addr)


class ManyCase(SynchronousTestCase):
    """A client, a tracker, and a folder of torrents whose content is one file."""

    def setUp(self) -> None:
        """The client runs; nothing is registered."""
        self.network = Network(self.id())
        self.tracker = self.network.host()
        self.store = NotingStore(self.network_seconds, self.tracker.random)
        self.store.heard = []
        protocol = UdpTracker(self.store, self.network_seconds, self.tracker.random, INTERVAL)
        self.tracker.listenUDP(6969, protocol)
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.content = self.network.random.randbytes(PIECE)
        (self.folder / "content").write_bytes(self.content)
        self.stateDir = Path(self.mktemp())
        self.host = self.network.host()
        self.client = self.newClient()

    def network_seconds(self) -> float:
        """The time in the simulation."""
        return self.network.clock.now

    def tearDown(self) -> None:
        """The client stops, and leaves nothing."""
        self.network.runUntil(self.client.stopService())
        self.assertEqual(self.host.leftovers(), [])

    def newClient(self, host: Host | None = None, **settings: Any) -> ClientSession:
        """A client that keeps its state and content in files."""
        host = host or self.host
        plugins = host.plugins(files=FileCalls())
        client = ClientSession(host, Settings(stateDir=self.stateDir, **settings), plugins, host.random)
        client.startService()
        self.network.runUntil(client.whenRestored())
        return client

    def restart(self, after: float = 0.0) -> None:
        """The client stops, and runs again some seconds later."""
        self.network.runUntil(self.client.stopService())
        self.network.advance(after)
        self.store.heard.clear()
        self.client = self.newClient()

    @property
    def url(self) -> str:
        """Of the tracker."""
        return f"udp://{self.tracker.address}:6969/announce"

    def torrent(
        self, number: int, private: bool = False, trackers: Sequence[str] | None = None
    ) -> TorrentLoc:
        """One of many torrents of the same file."""
        info: dict[bytes, object] = {
            b"length": PIECE,
            b"name": b"content",
            b"piece length": PIECE,
            b"pieces": sha1(self.content).digest(),
            b"source": b"%d" % number,
        }
        if private:
            info[b"private"] = 1
        urls = [self.url] if trackers is None else trackers
        path = self.folder / f"{number}.torrent"
        path.write_bytes(encode({b"info": info, b"announce-list": [[each] for each in urls]}))
        return TorrentLoc(path, self.folder)

    def torrents(self, count: int) -> Iterator[TorrentLoc]:
        """So many."""
        return (self.torrent(number) for number in range(count))

    def register(self, *locs: TorrentLoc) -> Registered:
        """They are registered."""
        return self.network.runUntil(self.client.registerTorrents(locs))

    def knock(self, infoHash: bytes) -> ScriptedPeer:
        """A peer has come and asked for a torrent."""
        peer = ScriptedPeer(infoHash, greets=True)
        address = PeerAddr(self.host.address, self.client.listenerPort or 0)
        self.network.runUntil(peer.dial(self.network.host(), address))
        self.network.runUntil(peer.whenHeard(Extended))
        return peer

    def hashes(self) -> list[bytes]:
        """What was announced, in order."""
        return [request.infoHash for _, request in self.store.heard]
