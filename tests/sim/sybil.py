"""
Hostile nodes that sit round one info-hash: they name one another, take every announce, and keep none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.protocol import DatagramProtocol

from tests.sim.dhtnet import DhtNet, Port, SimReactor
from twisted_bt.dht.krpc import decodeMessage, encodeQuery, encodeResponse
from twisted_bt.dht.messages import FindNode, NodeInfo, Query, encodeNodes
from twisted_bt.errors import KrpcError
from twisted_bt.torrent.addresses import PeerAddr

_PORT = 6881
#: Bits that their ids share with the info-hash: far more than any honest one does.
_SHARED = 40


class _Hostile(DatagramProtocol):
    def __init__(self, ring: Ring, node: NodeInfo) -> None:
        self.ring = ring
        self.node = node

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer every query, with others of the ring and a token."""
        try:
            message = decodeMessage(datagram)
        except KrpcError:
            return
        if isinstance(message, Query):
            self.send(
                encodeResponse(message.transaction, self.node.id, nodes=self.ring.some(), token=b"t"), addr
            )

    def send(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """To C{addr}."""
        assert self.transport is not None
        self.transport.write(datagram, addr)


class Ring:
    """
    @ivar hosts: the addresses of its nodes.
    """

    def __init__(self, network: DhtNet, target: bytes, hosts: Sequence[str]) -> None:
        self.hosts = set(hosts)
        self._target = target
        self._random = network.random
        self._members: list[_Hostile] = []
        self._ports: list[Port] = []
        for host in hosts:
            nodeId = target[: _SHARED // 8] + network.random.randbytes(20 - _SHARED // 8)
            member = _Hostile(self, NodeInfo(nodeId, PeerAddr(host, _PORT)))
            self._members.append(member)
            self._ports.append(SimReactor(network, host).listenUDP(_PORT, member))

    def some(self) -> bytes:
        """Eight of them, packed."""
        return encodeNodes(member.node for member in self._random.sample(self._members, 8))

    def push(self, victims: Iterable[str]) -> None:
        """Make ourselves known: each asks one in ten of C{victims} something, and waits to be pinged."""
        for victim in victims:
            for member in self._random.sample(self._members, len(self._members) // 10):
                query = Query(b"x", member.node.id, FindNode(self._target))
                member.send(encodeQuery(query), (victim, _PORT))

    def stop(self) -> None:
        """Close all."""
        for port in self._ports:
            port.stopListening()
