"""
The DHT as a service: bound to its ports, joined, and kept alive.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.dht.addressnode import AddressNode, Means
from twisted_bt.dht.binding import bind
from twisted_bt.dht.finding import Found, Scrape, announce, findPeers, scrape
from twisted_bt.dht.messages import GetPeers, NodeInfo, Ping, Response, SampleInfohashes, Samples
from twisted_bt.dht.nodeid import ID_LENGTH
from twisted_bt.dht.peerstore import PeerStore
from twisted_bt.dht.responder import Responder
from twisted_bt.dht.routing import K
from twisted_bt.dht.settings import DhtSettings
from twisted_bt.dht.state import MAX_NODES, DhtState
from twisted_bt.dht.tokens import Tokens
from twisted_bt.errors import KrpcError, KrpcSilence, SessionStopped
from twisted_bt.interfaces import Random
from twisted_bt.naming import resolve
from twisted_bt.torrent.addresses import PeerAddr, decodeCompact

T = TypeVar("T")

#: Seconds between two looks after each table, on average.
TICK = 10.0
#: Between joins while nobody is found: at first, and at most.
_JOIN_AGAIN, _JOIN_RARELY = 5.0, 300.0
_NAME_TIME = 10.0
#: Addresses heard of before there was a port to ask them from.
_MAX_HEARD = 100


class DhtNode(Service):
    """
    Our part in the DHT; stands alone.  Operations fail with L{SessionStopped} while it is not running.
    Their Deferreds can be cancelled, and all of them end when it is stopped.

    @param reactor: time, UDP and names.
    @param random: of ids, tokens and transactions; what others must not guess: C{SystemRandom}.
    @param port: UDP; 0: the system picks one.
    @param interfaces: addresses to listen on, a node for each (BEP 45); C{""}: IPv4 and IPv6, all of them.
    @param state: what L{state} gave the last time; empty or damaged: begin anew.
    """

    name = "dht"
    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        random: Random,
        port: int = 0,
        interfaces: tuple[str, ...] = ("",),
        state: bytes = b"",
        settings: DhtSettings | None = None,
    ) -> None:
        self.settings = settings or DhtSettings()
        self._reactor = reactor
        self._random = random
        self._wantedPort = port
        self._interfaces = interfaces
        self._saved = DhtState.decode(state) if state else DhtState()
        self._nodes: dict[str, AddressNode] = {}
        self._ports: list[IListeningPort] = []
        self._store = PeerStore(random, self.settings.maxTorrents, self.settings.maxPeers)
        self._heard: dict[tuple[str, int], None] = {}
        self._tasks: dict[Deferred[Any], None] = {}
        self._joining: set[AddressNode] = set()
        self._joinAt: dict[AddressNode, float] = {}
        self._waiting: list[Deferred[None]] = []
        self._ticking: IDelayedCall | None = None

    # -- what a user interface asks

    @property
    def port(self) -> int:
        """The UDP port; 0: it is not running."""
        return getattr(self._ports[0].getHost(), "port", 0) if self._ports else 0

    @property
    def nodeId(self) -> bytes:
        """The id of our (first) node; empty before the first start."""
        return next(iter(self._nodes.values())).id if self._nodes else b""

    @property
    def nodeCount(self) -> int:
        """How many nodes are in our tables."""
        return sum(len(node.table) for node in self._nodes.values())

    @property
    def externalAddress(self) -> str | None:
        """Our address as others see it, once enough of them agree; C{None}: not known."""
        for node in self._nodes.values():
            address = node.votes.winner
            if address is not None:
                return inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)
        return None

    def state(self) -> bytes:
        """To be handed in the next time."""
        if not self._nodes:
            return self._saved.encode()
        return self._currentState().encode()

    def _currentState(self) -> DhtState:
        found: list[NodeInfo] = []
        for node in self._nodes.values():
            usable = [each for each in node.table if not each.failures]
            usable.sort(key=lambda each: -each.heard)
            nodes = [each.node for each in usable[:MAX_NODES]]
            # Where nobody is left our own network may be down: keep what we had.
            found += nodes or [each for each in self._saved.nodes if each.addr.isIPv6 == node.ipv6]
        return DhtState({name: node.id for name, node in self._nodes.items()}, tuple(dict.fromkeys(found)))

    # -- life

    def startService(self) -> None:
        """
        Bind, and begin to join.

        @raise CannotListenError: an address is taken, or not ours.
        """
        if self.running:
            return
        settings = self.settings
        means = Means(self._reactor, self._random, settings, Responder(self._store, Tokens(self._random)))
        homes, self._ports = bind(means, self._interfaces, self._wantedPort)
        self._nodes = {
            home.name: AddressNode(
                means, home.protocol, home.ipv6, home.address, self._saved.ids.get(home.name, b"")
            )
            for home in homes
        }
        self._joinAt.clear()
        super().startService()
        for node in self._nodes.values():
            node.relatives = [each for each in self._nodes.values() if each.ipv6 != node.ipv6]
            node.renamed = lambda node=node: self._join(node)  # type: ignore[misc]
            self._join(node)
        self._tickLater()

    def stopService(self) -> Deferred[None]:
        """End everything; fires once the ports are closed."""
        if not self.running:
            return succeed(None)
        super().stopService()
        self._saved = self._currentState()
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        for task in list(self._tasks):
            task.cancel()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.errback(SessionStopped("the DHT was stopped"))
        ports, self._ports = self._ports, []
        closing = [maybeDeferred(port.stopListening) for port in ports]
        return DeferredList(closing, consumeErrors=True).addCallback(lambda _: None)

    def _run(self, work: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        """C{work} as something that ends with the service."""
        if not self.running:
            work.close()
            return fail(SessionStopped("the DHT is not running"))
        task: Deferred[T] = Deferred.fromCoroutine(work)
        self._tasks[task] = None

        def ended(outcome: T | Failure) -> T | Failure:
            del self._tasks[task]
            if isinstance(outcome, Failure) and outcome.check(CancelledError) and not self.running:
                return Failure(SessionStopped("the DHT was stopped"))
            return outcome

        return task.addBoth(ended)

    # -- joining, and staying

    def whenJoined(self) -> Deferred[None]:
        """Fires once we know a node and have looked for ourselves, or have nobody to ask."""
        if not self.running:
            return fail(SessionStopped("the DHT is not running"))
        if not self._joining:
            return succeed(None)
        waiting: Deferred[None] = Deferred(lambda _: self._waiting.remove(waiting))
        self._waiting.append(waiting)
        return waiting

    def addNode(self, host: str, port: int) -> None:
        """
        There may be a node at C{host} (a name or an address) and C{port}: a torrent's C{nodes} or a peer's
        C{port} message says so.  It is pinged.
        """
        if not 0 < port < 65536:
            return
        if self.running:
            self._run(self._meet(host, port)).addErrback(self._unexpected)
        elif len(self._heard) < _MAX_HEARD:
            self._heard[host, port] = None

    async def _meet(self, host: str, port: int) -> None:
        for addr in await self._resolve([(host, port)]):
            for node in self._nodes.values():
                if node.ipv6 != addr.isIPv6:
                    continue
                if len(node.table) >= K:
                    node.greet(addr)
                elif node not in self._joining:
                    self._join(node, [addr])
                elif len(self._heard) < _MAX_HEARD:
                    self._heard[addr] = None

    async def _resolve(self, names: Iterable[tuple[str, int]]) -> list[PeerAddr]:
        searches = [resolve(self._reactor, host, port, "UDP") for host, port in names]
        for each in searches:
            each.addTimeout(_NAME_TIME, self._reactor)
        found: dict[PeerAddr, None] = {}
        for success, addresses in await DeferredList(searches, consumeErrors=True):
            found.update(dict.fromkeys(addresses if success else []))
        return list(found)

    def _join(self, node: AddressNode, addresses: Iterable[PeerAddr] = ()) -> None:
        if node in self._joining:
            return
        self._joining.add(node)

        def ended(outcome: object) -> None:
            self._joining.discard(node)
            wait = min(_JOIN_RARELY, _JOIN_AGAIN * 2 ** min(node.failedJoins, 10))
            wait *= self._random.uniform(0.8, 1.2)
            self._joinAt[node] = self._reactor.seconds() + wait
            if self.running and not self._joining:
                waiting, self._waiting = self._waiting, []
                for each in waiting:
                    each.callback(None)

        self._run(self._joined(node, addresses)).addErrback(self._unexpected).addBoth(ended)

    async def _joined(self, node: AddressNode, addresses: Iterable[PeerAddr]) -> None:
        """
        Look for ourselves from the nodes we knew; if these are too few, from the routers; then fill
        the buckets far from us (BEP 5 leaves it to traffic, which is slow in coming).
        """
        saved = [each for each in self._saved.nodes if each.addr.isIPv6 == node.ipv6]
        heard, self._heard = self._heard, {}
        first = [*addresses, *await self._resolve(heard)]
        # The others are for our node in the other family.
        self._heard.update(dict.fromkeys(each for each in first if each.isIPv6 != node.ipv6))
        await node.join(saved, self._of(node, first))
        if len(node.table) < K:
            routers = await self._resolve(self.settings.routers)
            await node.join((), self._of(node, routers))
        node.failedJoins = 0 if len(node.table) >= K else node.failedJoins + 1
        for target in node.table.gapTargets(self._random):
            await node.search(target).start()

    def _of(self, node: AddressNode, addresses: Iterable[PeerAddr]) -> list[PeerAddr]:
        return [each for each in addresses if each.isIPv6 == node.ipv6]

    def _tickLater(self) -> None:
        self._ticking = self._reactor.callLater(TICK * self._random.uniform(0.5, 1.5), self._tick)

    def _tick(self) -> None:
        self._tickLater()
        now = self._reactor.seconds()
        self._store.expire(now, 100)
        for node in self._nodes.values():
            if len(node.table) < K and now >= self._joinAt.get(node, 0.0):
                self._join(node)
            search = node.tick()
            if search is not None:
                search.start()

    def _unexpected(self, reason: Failure) -> None:
        if not reason.check(SessionStopped, CancelledError):
            self._log.failure("a task of the DHT failed", reason)

    # -- what can be asked for

    def getPeers(
        self, infoHash: bytes, found: Found | None = None, noSeed: bool = False
    ) -> Deferred[list[PeerAddr]]:
        """
        Peers of C{infoHash}.

        @param found: called with new ones as soon as a node names them, each once.
        @param noSeed: leave out those that said they are seeds (BEP 33), where nodes know that.
        @return: fires with all of them once the search is over.
        """
        ask = GetPeers(infoHash, noSeed=noSeed)
        return self._run(findPeers(list(self._nodes.values()), ask, self._stored(infoHash, noSeed), found))

    def announce(
        self, infoHash: bytes, port: int | None = None, found: Found | None = None, seed: bool = False
    ) -> Deferred[int]:
        """
        Tell the nodes nearest to C{infoHash} that we are a peer of it.

        @param port: of the peer listener; C{None}: the DHT's own, as others see it (uTP).
        @param found: as for L{getPeers}, which this does on the way.
        @param seed: that we have all of it (BEP 33).
        @return: fires with how many nodes took it; they keep it for half an hour or so.
        """
        known = self._stored(infoHash, False)
        return self._run(announce(list(self._nodes.values()), infoHash, port, seed, known, found))

    def scrape(self, infoHash: bytes) -> Deferred[Scrape | None]:
        """About how many peers C{infoHash} has (BEP 33); C{None}: nobody knows."""
        known = self._store.scrape(infoHash, self._reactor.seconds())
        return self._run(scrape(list(self._nodes.values()), infoHash, known))

    def findNode(self, target: bytes) -> Deferred[list[NodeInfo]]:
        """The nodes nearest to C{target} that answer, of each family in order."""

        async def search() -> list[NodeInfo]:
            found = []
            for node in self._nodes.values():
                lookup = await node.search(target).start()
                found += [NodeInfo(each.id, each.addr) for each in lookup.closest() if each.id is not None]
            return found

        return self._run(search())

    def ping(self, addr: PeerAddr) -> Deferred[bytes]:
        """The id of the node at C{addr}.  Fails with L{KrpcError}."""

        async def ask() -> bytes:
            response: Response = await self._nodeFor(addr).ask(addr, Ping())
            return response.sender

        return self._run(ask())

    def sample(self, addr: PeerAddr, target: bytes | None = None) -> Deferred[Samples]:
        """
        Some of the info-hashes that the node at C{addr} stores, and nodes near C{target} (BEP 51).  Fails
        with L{KrpcError}, also where the node does not know how to.
        """

        async def ask() -> Samples:
            node = self._nodeFor(addr)
            near = self._random.randbytes(ID_LENGTH) if target is None else target
            response = await node.ask(addr, SampleInfohashes(near))
            samples = response.samples()
            if samples is None:
                raise KrpcError("the node gives no samples", 204)
            return samples._replace(nodes=tuple(node.named(response, addr)))

        return self._run(ask())

    def _nodeFor(self, addr: PeerAddr) -> AddressNode:
        """Ours of that family.  L{KrpcSilence}: we have none."""
        for node in self._nodes.values():
            if node.ipv6 == addr.isIPv6:
                return node
        raise KrpcSilence(f"no way to {addr}")

    def _stored(self, infoHash: bytes, noSeed: bool) -> list[PeerAddr]:
        """What others announced to ourselves."""
        now = self._reactor.seconds()
        found = []
        for ipv6 in (False, True):
            packed = self._store.peers(infoHash, ipv6, self.settings.maxPeers, now, noSeed)
            found += decodeCompact(b"".join(packed), ipv6)
        return found
