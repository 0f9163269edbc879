"""
Searches over all nodes of ours at once: peers, announces, scrapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_bt.dht.addressnode import AddressNode
from twisted_bt.dht.bloom import estimate, union
from twisted_bt.dht.lookup import Candidate, Lookup
from twisted_bt.dht.messages import AnnouncePeer, GetPeers, Response
from twisted_bt.dht.nodeid import isLocal, packed
from twisted_bt.errors import KrpcError
from twisted_bt.torrent.addresses import PeerAddr

T = TypeVar("T")

#: Told of peers as they come, each once.
Found: TypeAlias = Callable[[Sequence[PeerAddr]], object]

#: Peers of one search; more are not taken, whoever sends them.
MAX_PEERS = 5000


class Scrape(NamedTuple):
    """About how many peers a torrent has (BEP 33)."""

    seeds: int
    leechers: int


async def together(work: Sequence[Deferred[T]]) -> list[T]:
    """The results of all, in order.  If one fails, or this is cancelled, the others are cancelled."""
    try:
        return [await each for each in work]
    except BaseException:
        for each in work:
            each.addErrback(lambda _: None)
            each.cancel()
        raise


class _Search:
    """
    One C{get_peers} search on all of C{nodes}.

    @ivar peers: found so far.
    @ivar filters: of BEP 33, seeds and others.
    """

    def __init__(self, nodes: Sequence[AddressNode], ask: GetPeers, found: Found | None) -> None:
        self.peers: dict[PeerAddr, None] = {}
        self.filters: list[tuple[bytes, bytes]] = []
        self._nodes = nodes
        self._ask = ask
        self._found = found

    async def run(self) -> list[Lookup]:
        """To the end; one lookup for each node of ours, in their order."""
        searches = [node.search(self._ask.infoHash, self._askOf(node)) for node in self._nodes]
        for search in searches:
            search.seen = self._seen
        return await together([search.start() for search in searches])

    def _askOf(self, node: AddressNode) -> GetPeers:
        return self._ask._replace(want=node.wanted)

    def _seen(self, candidate: Candidate, response: Response) -> None:
        peers = response.peers()
        if peers and not isLocal(packed(candidate.addr.host)):
            # Who is out in the world has no business naming addresses on our own network.
            peers = [peer for peer in peers if not isLocal(packed(peer.host))]
        self.add(peers)
        blooms = response.blooms()
        if blooms is not None:
            self.filters.append(blooms)

    def add(self, peers: Iterable[PeerAddr]) -> None:
        """Hand on those that are new."""
        fresh = [peer for peer in dict.fromkeys(peers) if peer not in self.peers]
        fresh = fresh[: MAX_PEERS - len(self.peers)]
        if fresh:
            self.peers.update(dict.fromkeys(fresh))
            if self._found is not None:
                self._found(fresh)


async def findPeers(
    nodes: Sequence[AddressNode], ask: GetPeers, known: Iterable[PeerAddr], found: Found | None
) -> list[PeerAddr]:
    """All peers that a search finds; C{known} are those we store ourselves."""
    search = _Search(nodes, ask, found)
    search.add(known)
    await search.run()
    return list(search.peers)


async def announce(
    nodes: Sequence[AddressNode],
    infoHash: bytes,
    port: int | None,
    seed: bool,
    known: Iterable[PeerAddr],
    found: Found | None,
) -> int:
    """Search, then announce to the nearest nodes found; how many took it."""
    search = _Search(nodes, GetPeers(infoHash), found)
    search.add(known)
    lookups = await search.run()
    announces: list[Deferred[int]] = []
    for node, lookup in zip(nodes, lookups, strict=True):
        for candidate in lookup.closest():
            if candidate.token is not None:
                ask = AnnouncePeer(infoHash, port, candidate.token, seed)
                asked = node.ask(candidate.addr, ask, candidate.id, lambda: True)
                announces.append(asked.addCallbacks(lambda _: 1, _refused))
    return sum(await together(announces))


def _refused(reason: Failure) -> int:
    reason.trap(KrpcError)
    return 0


async def scrape(
    nodes: Sequence[AddressNode], infoHash: bytes, known: tuple[bytes, bytes] | None
) -> Scrape | None:
    """What the nodes near C{infoHash} know together; C{None}: none of them says."""
    search = _Search(nodes, GetPeers(infoHash, scrape=True), None)
    await search.run()
    filters = search.filters + ([known] if known is not None else [])
    if not filters:
        return None
    seeds, leechers = (round(estimate(union(each))) for each in zip(*filters, strict=True))
    return Scrape(seeds, leechers)
