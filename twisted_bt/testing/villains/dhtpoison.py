"""
A villain of the DHT.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import DatagramProtocol

from twisted_bt.dht.krpc import decodeMessage, encodeQuery, encodeResponse
from twisted_bt.dht.messages import (
    AnnouncePeer,
    Ask,
    FindNode,
    GetPeers,
    NodeInfo,
    Ping,
    Query,
    encodeNodes,
)
from twisted_bt.errors import KrpcError
from twisted_bt.testing.villains.base import Effect, ITarget, Villain, VillainPeer
from twisted_bt.testing.villains.registry import villain
from twisted_bt.torrent.addresses import PeerAddr, encodeCompact

#: Bits that its ids share with the info-hash.
_SHARED = 5


class _Node(DatagramProtocol):
    noisy = False
    transport: Any

    def __init__(self, owner: DhtPoison) -> None:
        self._owner = owner

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        try:
            message = decodeMessage(datagram)
        except KrpcError:
            return
        if isinstance(message, Query):
            self._owner.asked(message, (addr[0], addr[1]))


@villain
class DhtPoison(Villain):
    """
    A node of the DHT that lies: answers under another id each time, names nodes and peers that do not exist
    and itself as nearest, gives tokens that are too long, and announces dead peers with tokens it was never
    given.  It has no session with anybody: other nodes believe what others say too.
    """

    name = "dht poison"
    effect = Effect.REFUSED
    mayLure = False
    interval, count = 0.5, 8
    _node: _Node | None = None
    _socket: IListeningPort | None = None

    def attack(self, target: ITarget) -> None:
        """Make itself known to the node of C{target}, if it has one (on its port for peers)."""
        if target.address not in self.targets:
            self.targets.append(target.address)
        if self._node is None:
            self._node = _Node(self)
            self._socket = self.host.listenUDP(6881, self._node)
            self._push()

    def stop(self) -> None:
        """See L{Villain.stop}."""
        super().stop()
        if self._socket is not None:
            self._socket.stopListening()
            self._socket = self._node = None

    def play(self, peer: VillainPeer) -> None:
        """It has no peers."""

    def _id(self) -> bytes:
        return self.metainfo.wireHash[:_SHARED] + self.random.randbytes(20 - _SHARED)

    def _addresses(self) -> list[PeerAddr]:
        hosts = [self.random.getrandbits(16) for _ in range(self.count)]
        return [PeerAddr(f"10.202.{host >> 8}.{host & 255}", 6881) for host in hosts]

    def _push(self) -> None:
        wanted = self.metainfo.wireHash
        asks: list[Ask] = [Ping(), FindNode(wanted), GetPeers(wanted)]
        asks.append(AnnouncePeer(wanted, self.random.randrange(1, 65536), self.random.randbytes(8)))
        assert self._node is not None
        for host, port in self.targets:
            ask = self.random.choice(asks)
            datagram = encodeQuery(Query(self.random.randbytes(2), self._id(), ask))
            self._node.transport.write(datagram, (host, port))
        self.later(self.interval, self._push)

    def asked(self, query: Query, asker: tuple[str, int]) -> None:
        """Somebody asks: lie."""
        nodes = [NodeInfo(self._id(), addr) for addr in self._addresses()]
        nodes.append(NodeInfo(self._id(), PeerAddr(self.host.address, 6881)))
        token = self.random.randbytes(self.random.choice((0, 8, 400)))
        values = [encodeCompact([addr]) for addr in self._addresses()]
        datagram = encodeResponse(
            query.transaction, self._id(), nodes=encodeNodes(nodes), token=token, values=values
        )
        assert self._node is not None
        self._node.transport.write(datagram, asker)
