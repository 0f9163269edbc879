"""
What a query is answered with: pure, but for the store of peers.
"""

from __future__ import annotations

from twisted_bt.dht.krpc import MAX_ANSWER, encodeError, encodeResponse
from twisted_bt.dht.messages import (
    WANT4,
    WANT6,
    AnnouncePeer,
    ErrorReply,
    FindNode,
    GetPeers,
    Ping,
    Query,
    SampleInfohashes,
    Samples,
)
from twisted_bt.dht.nodeid import packed
from twisted_bt.dht.peerstore import PeerStore
from twisted_bt.dht.routing import RoutingTable
from twisted_bt.dht.tokens import Tokens
from twisted_bt.torrent.addresses import PeerAddr

#: Bytes of an answer that are always there, about: id, token, our view of the asker's address, keys.
_FRAME = 160
_MAX_VALUES = 100


class Responder:
    """
    Answers queries for all nodes of ours: they store together (BEP 45).

    @ivar tables: that of IPv4 and that of IPv6, as far as we have them: BEP 32 has both be asked for.
    """

    def __init__(self, store: PeerStore, tokens: Tokens) -> None:
        self._store = store
        self._tokens = tokens
        self.tables: list[RoutingTable | None] = [None, None]

    def answer(self, query: Query, addr: PeerAddr, ownId: bytes, now: float) -> bytes:
        """
        The datagram to send to C{addr}.

        @param ownId: of the node of ours that was asked.
        """
        transaction = query.transaction
        external = packed(addr.host) + addr.port.to_bytes(2, "big")
        ask = query.ask
        match ask:
            case GetPeers():
                return self._getPeers(ask, transaction, external, addr, ownId, now)
            case FindNode(target, want):
                nodes, nodes6 = self._nodes(target, want, addr)
                return encodeResponse(transaction, ownId, external, nodes=nodes, nodes6=nodes6)
            case Ping():
                return encodeResponse(transaction, ownId, external)
            case AnnouncePeer(infoHash, port, token, seed):
                if not self._tokens.accepts(token, addr.host, infoHash, now):
                    return encodeError(ErrorReply(transaction, 203, "bad token"))
                peer = external if port is None else external[:-2] + port.to_bytes(2, "big")
                self._store.add(infoHash, peer, seed, now)
                return encodeResponse(transaction, ownId, external)
            case SampleInfohashes(target, want):
                nodes, nodes6 = self._nodes(target, want, addr)
                hashes, total, interval = self._store.sample(now)
                samples = Samples(tuple(hashes), total, interval)
                return encodeResponse(
                    transaction, ownId, external, samples=samples, nodes=nodes, nodes6=nodes6
                )

    def _getPeers(
        self, ask: GetPeers, transaction: bytes, external: bytes, addr: PeerAddr, ownId: bytes, now: float
    ) -> bytes:
        infoHash = ask.infoHash
        nodes, nodes6 = self._nodes(infoHash, ask.want, addr)
        scraped = self._store.scrape(infoHash, now) if ask.scrape else None
        room = MAX_ANSWER - _FRAME - len(nodes or b"") - len(nodes6 or b"")
        if scraped is not None:
            room -= 2 * 256 + 20
        most = min(_MAX_VALUES, room // (len(external) + 3))
        return encodeResponse(
            transaction,
            ownId,
            external,
            blooms=scraped,
            nodes=nodes,
            nodes6=nodes6,
            token=self._tokens.make(addr.host, infoHash, now),
            values=self._store.peers(infoHash, len(external) == 18, max(0, most), now, ask.noSeed),
        )

    def _nodes(self, target: bytes, want: int, addr: PeerAddr) -> tuple[bytes | None, bytes | None]:
        """Nodes of both families, as far as they are wanted (BEP 32)."""
        if not want:
            want = WANT6 if ":" in addr.host else WANT4
        table, table6 = self.tables
        return (
            table.closestPacked(target) if table is not None and want & WANT4 else None,
            table6.closestPacked(target) if table6 is not None and want & WANT6 else None,
        )
