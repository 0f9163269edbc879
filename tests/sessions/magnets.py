"""
Clients that have no more than a magnet link, and peers that tell them the metadata or something else.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1
from typing import Any

from twisted.internet.defer import Deferred

from tests.sessions.case import SwarmCase
from twisted_bt.peerwire.extended import ExtendedHandshake, ExtensionIds
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.peerwire.messages import Extended, HaveAll
from twisted_bt.peerwire.metadata import METADATA_PIECE_LENGTH, MetadataKind, MetadataMessage
from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.metadatasession import MetadataSession
from twisted_bt.sessions.observers import SwarmObserver
from twisted_bt.sessions.swarm import SwarmSession
from twisted_bt.settings import Settings
from twisted_bt.storage.memory import MemoryContent
from twisted_bt.testing.host import Host
from twisted_bt.testing.invariants import endFaults
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import FOLDER, SimulatedStorages
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import encode
from twisted_bt.torrent.magnet import Magnet
from twisted_bt.torrent.metainfo import Metainfo


class Fetcher:
    """
    A client without torrents, on a host of its own.

    @ivar told: what observers heard of fetching, in order: bytes here, bytes in all.
    """

    def __init__(self, host: Host, settings: Settings) -> None:
        self.host = host
        self.storages = SimulatedStorages()
        plugins = host.plugins(storageFactory=self.storages)
        self.client = ClientSession(host, settings, plugins, host.random)
        self.storages.client = self.client
        self.told: list[tuple[int, int]] = []
        told = self.told

        class Told(SwarmObserver):
            def metadataProgressed(self, fetching: MetadataSession, done: int, total: int) -> None:
                told.append((done, total))

        self.client.observe(Told())

    @property
    def address(self) -> PeerAddr:
        """Where it listens."""
        return PeerAddr(self.host.address, self.client.listenerPort or 0)

    def stored(self, infoHash: bytes) -> MemoryContent:
        """What it has of a torrent."""
        return self.storages.contents[infoHash, FOLDER]


class Teller(ScriptedPeer):
    """
    Has metadata, and gives it to who asks.

    @ivar asked: the pieces it was asked for.
    @param forge: what to send in place of a piece, from its number; C{None}: nothing.
    """

    def __init__(
        self,
        metainfo: Metainfo,
        forge: Callable[[int], bytes | None] | None = None,
        peerId: bytes = b"-SC0001-teller000001",
    ) -> None:
        super().__init__(metainfo.wireHash, peerId)
        self.asked: list[int] = []
        self._metadata = metainfo.infoBytes
        self._forge = forge or self.right
        self._ids = ExtensionIds()
        self.reactions[Handshake] = self._begin
        self.reactions[Extended] = self._extended

    def right(self, piece: int) -> bytes:
        """The piece as it is."""
        at = piece * METADATA_PIECE_LENGTH
        return self._metadata[at : at + METADATA_PIECE_LENGTH]

    def wrong(self, piece: int) -> bytes:
        """Something of the same length."""
        return bytes(len(self.right(piece)))

    def _begin(self, _: Handshake) -> None:
        self.greet()
        mine = ExtendedHandshake({MetadataMessage.name: 7}, metadataSize=len(self._metadata))
        self.say(HaveAll(), mine)

    def _extended(self, message: Extended) -> None:
        if message.extensionId == 0:
            self._ids.update(ExtendedHandshake.decode(message.payload))
        elif message.extensionId == 7:
            request = MetadataMessage.decode(message.payload)
            assert request is not None
            assert request.kind is MetadataKind.REQUEST
            self.asked.append(request.piece)
            data = self._forge(request.piece)
            if data is not None:
                answer = MetadataMessage(MetadataKind.DATA, request.piece, len(self._metadata), data)
                extended = self._ids.message(MetadataMessage.name, answer.encode())
                assert extended is not None
                self.say(extended)


class MagnetCase(SwarmCase):
    """
    A torrent of three files, whose metadata takes three pieces, and clients that have nothing of it.
    """

    sizes = (100_000, 100_000, 100_000)
    private = False

    def setUp(self) -> None:
        """Nobody is there yet."""
        super().setUp()
        content = self.swarm.content
        pieces = [content[at : at + self.pieceLength] for at in range(0, self.size, self.pieceLength)]
        info: dict[bytes, Any] = {
            b"files": [{b"length": size, b"path": [f"{i}.bin"]} for i, size in enumerate(self.sizes)],
            b"name": "content",
            b"padding": self.network.random.randbytes(40_000),
            b"piece length": self.pieceLength,
            b"pieces": b"".join(sha1(each).digest() for each in pieces),
        }
        if self.private:
            info[b"private"] = 1
        self.metainfo = self.swarm.metainfo = Metainfo.fromInfo(encode(info))
        self.infoHash = self.metainfo.wireHash
        self.fetchers: list[Fetcher] = []

    def tearDown(self) -> None:
        """Everybody stops, and leaves nothing."""
        for each in self.fetchers:
            self.stop(each)
        super().tearDown()

    def stop(self, fetcher: Fetcher) -> None:
        """It stops, and leaves nothing."""
        if fetcher.client.running:
            engine = fetcher.client.engine
            self.swarm.run(fetcher.client.stopService())
            self.assertEqual(endFaults(engine), [])
            self.assertEqual(fetcher.host.leftovers(), [])

    def fetcher(self, host: Host | None = None, **settings: Any) -> Fetcher:
        """A client that runs."""
        made = Fetcher(host or self.network.host(), Settings(**settings))
        made.client.startService()
        self.fetchers.append(made)
        return made

    def link(self, *peers: PeerAddr, **more: Any) -> str:
        """A magnet link that names C{peers}."""
        return Magnet(self.infoHash, peers=tuple((each.host, each.port) for each in peers), **more).uri()

    def added(
        self, fetcher: Fetcher, *peers: PeerAddr, **more: Any
    ) -> tuple[Deferred[SwarmSession], list[object]]:
        """A link that names C{peers}; and a list of what comes of it."""
        adding = fetcher.client.addTorrent(self.link(*peers, **more), FOLDER)
        outcome: list[object] = []
        adding.addBoth(lambda result: outcome.append(result))
        self.advance(0.5)
        return adding, outcome

    def teller(self, forge: Callable[[int], bytes | None] | str | None = None, **more: Any) -> Teller:
        """Somebody with metadata; C{wrong}: it lies."""
        made = Teller(self.metainfo, **more)
        if forge == "wrong":
            made._forge = made.wrong
        elif callable(forge):
            made._forge = forge
        return made

    def fetching(self, fetcher: Fetcher) -> MetadataSession:
        """What fetches it."""
        return fetcher.client.metadataSessions[self.infoHash]

    def assertComplete(self, fetcher: Fetcher) -> None:
        """It gets everything."""
        swarm = fetcher.client.swarmSessions[self.infoHash]
        self.swarm.run(swarm.whenComplete(), 300)
        pieces = fetcher.stored(self.infoHash).pieces
        self.assertEqual(b"".join(pieces[index] for index in sorted(pieces)), self.swarm.content)
