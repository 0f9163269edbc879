"""
One node of the DHT: an id, a routing table, an address family.  We are one for each address (BEP 45).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twisted_bt.dht.lookup import Lookup
from twisted_bt.dht.messages import WANT4, WANT6, Ask, FindNode, NodeInfo, Ping, Query, Response
from twisted_bt.dht.nodeid import ID_LENGTH, isLocal, isSecure, packed, secureId
from twisted_bt.dht.protocol import KrpcProtocol
from twisted_bt.dht.responder import Responder
from twisted_bt.dht.routing import K, RoutingTable
from twisted_bt.dht.search import Search
from twisted_bt.dht.settings import DhtSettings
from twisted_bt.dht.votes import Votes
from twisted_bt.errors import KrpcError, KrpcSilence
from twisted_bt.interfaces import Random
from twisted_bt.torrent.addresses import PeerAddr

#: Pings under way at a time to nodes that asked us and might come into the table.
_MAX_VERIFYING = 8

#: Joins in vain after which the other family is no longer asked for nodes of this one.
_PATIENCE = 3


@dataclass(frozen=True)
class Means:
    """What all nodes of ours share."""

    reactor: IReactorTime
    random: Random
    settings: DhtSettings
    responder: Responder


class AddressNode:
    """
    @param protocol: the port it sends from.
    @param address: where it listens, packed, if that is one address; empty: not known.
    @param savedId: its id of last time, if any.
    @ivar id: changes when our external address turns out to be another (BEP 42).
    @ivar renamed: called after that.
    @ivar failedJoins: in a row, after which it knew too few nodes still.
    @ivar relatives: the nodes of ours in the other family.
    """

    def __init__(
        self, means: Means, protocol: KrpcProtocol, ipv6: bool, address: bytes = b"", savedId: bytes = b""
    ) -> None:
        self.means = means
        self.protocol = protocol
        self.ipv6 = ipv6
        self.relatives: list[AddressNode] = []
        self.renamed: Callable[[], object] = lambda: None
        self.votes = Votes()
        self._verifying: set[PeerAddr] = set()
        self.id = self._firstId(address, savedId)
        self.table = RoutingTable(self.id, means.reactor.seconds(), means.settings.secure)
        self.failedJoins = 0
        protocol.handlers[ipv6] = self.received
        if means.responder.tables[ipv6] is None:
            means.responder.tables[ipv6] = self.table

    def _firstId(self, address: bytes, savedId: bytes) -> bytes:
        known = address if address and any(address) and not isLocal(address) else b""
        if len(savedId) == ID_LENGTH and (not known or isSecure(savedId, known)):
            return savedId
        random = self.means.random
        return secureId(known, random) if known else random.randbytes(ID_LENGTH)

    @property
    def hungry(self) -> bool:
        """Whether it knows too few nodes, and has not tried in vain for long."""
        return len(self.table) < K and self.failedJoins < _PATIENCE

    @property
    def wanted(self) -> int:
        """Families of nodes to ask for (BEP 32): the other one too, as long as it knows too few."""
        if any(each.hungry for each in self.relatives):
            return WANT4 | WANT6
        return 0

    # -- asking

    def ask(
        self,
        addr: PeerAddr,
        ask: Ask,
        expected: bytes | None = None,
        slow: Callable[[], bool] | None = None,
    ) -> Deferred[Response]:
        """
        Ask the node at C{addr}; the table learns what comes of it.  Fails as L{KrpcProtocol.ask}.

        @param expected: the id that it must answer under.
        """
        asked = self.protocol.ask(addr, self.id, ask, slow)
        asked.addCallbacks(
            self._answered, self._unanswered, callbackArgs=(addr, expected), errbackArgs=(addr,)
        )
        return asked

    def _answered(self, response: Response, addr: PeerAddr, expected: bytes | None) -> Response:
        now = self.means.reactor.seconds()
        if expected is not None and response.sender != expected:
            self.table.mistaken(NodeInfo(expected, addr))
            raise KrpcError("a node answers under another id")
        if response.sender == self.id:
            raise KrpcError("that is us")
        doubted = self.table.answered(NodeInfo(response.sender, addr), now)
        if doubted is not None:
            self.verify(doubted)
        external = response.external
        if len(external) == (16 if self.ipv6 else 4) and self.votes.vote(addr.host, external):
            self._moved(external)
        for each in self.relatives:
            if each.hungry:
                for node in self.named(response, addr, each.ipv6):
                    each.hint(node)
        return response

    def _unanswered(self, reason: Failure, addr: PeerAddr) -> Failure:
        if reason.check(KrpcSilence):
            self.table.failed(addr, self.means.reactor.seconds())
        return reason

    def named(self, response: Response, addr: PeerAddr, ipv6: bool | None = None) -> list[NodeInfo]:
        """
        The nodes of a family (C{None}: ours) that C{response} from C{addr} names.  A node out in the
        world names none on our own network.
        """
        nodes = response.nodes(self.ipv6 if ipv6 is None else ipv6)
        if nodes and not isLocal(packed(addr.host)):
            nodes = [node for node in nodes if not isLocal(packed(node.addr.host))]
        return nodes

    def verify(self, node: NodeInfo) -> None:
        """Ping C{node}, unless many are being pinged; the table learns what comes of it."""
        self.greet(node.addr, node.id)

    def greet(self, addr: PeerAddr, expected: bytes | None = None) -> None:
        """Ping whoever is at C{addr}, unless many are being pinged; the table learns what comes of it."""
        if len(self._verifying) >= _MAX_VERIFYING or addr in self._verifying:
            return
        self._verifying.add(addr)
        self.ask(addr, Ping(), expected).addBoth(self._verified, addr)

    def _verified(self, outcome: object, addr: PeerAddr) -> None:
        self._verifying.discard(addr)

    def hint(self, node: NodeInfo) -> None:
        """There may be C{node}: see whether it is, if there is room for it."""
        if self.table.hasRoom(node):
            self.verify(node)

    # -- answering

    def received(self, query: Query, addr: PeerAddr) -> bytes | None:
        """The answer to C{query}."""
        means = self.means
        if means.settings.readOnly:
            return None
        now = means.reactor.seconds()
        answer = means.responder.answer(query, addr, self.id, now)
        if not query.readOnly:
            node = NodeInfo(query.sender, addr)
            if self.table.asked(node, now):
                self.verify(node)
        return answer

    # -- searching

    def search(self, target: bytes, ask: Ask | None = None) -> Search:
        """A search from the nodes of the table, to be started; by C{find_node} if not told otherwise."""
        lookup = Lookup(target, self.id, alpha=self.means.settings.alpha, secure=self.means.settings.secure)
        lookup.offer(contact.node for contact in self.table.closest(target, 2 * K))
        return Search(self, lookup, FindNode(target, self.wanted) if ask is None else ask)

    def join(self, nodes: Iterable[NodeInfo], addresses: Iterable[PeerAddr] = ()) -> Deferred[Lookup]:
        """Look for ourselves, beginning with C{nodes}, C{addresses} and whom we know."""
        search = self.search(self.id)
        search.lookup.offer(nodes)
        search.lookup.offerAddresses(addresses)
        return search.start()

    # -- what passes with time

    def tick(self) -> Search | None:
        """Ping one questionable contact; the search for a bucket that needs one, to be started."""
        now = self.means.reactor.seconds()
        silent = self.table.questionable(now)
        if silent is not None:
            self.verify(silent)
        target = self.table.refreshTarget(now, self.means.random)
        return None if target is None or not len(self.table) else self.search(target)

    def _moved(self, external: bytes) -> None:
        """Our address is C{external}: take an id that fits it, and the contacts along."""
        if not self.means.settings.secure or isSecure(self.id, external):
            return
        old = self.table
        self.id = secureId(external, self.means.random)
        self.table = RoutingTable(self.id, self.means.reactor.seconds(), self.means.settings.secure)
        tables = self.means.responder.tables
        if tables[self.ipv6] is old:
            tables[self.ipv6] = self.table
        for contact in sorted(old, key=lambda each: each.answered):
            if not contact.failures:
                self.table.answered(contact.node, contact.answered)
        self.renamed()
