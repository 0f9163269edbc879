"""
Targets: what nodes of the DHT and neighbours on the local network send.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.fuzz.seeds import texts, vectors
from tests.fuzz.target import ACCEPTED, REJECTED, Tally, Target, outcome, require
from tests.fuzz.trees import Grove
from twisted_bt.dht import krpc
from twisted_bt.dht.krpc import MAX_DATAGRAM, decodeMessage, encodeError, encodeQuery, encodeResponse
from twisted_bt.dht.messages import (
    AnnouncePeer,
    Ask,
    ErrorReply,
    FindNode,
    GetPeers,
    NodeInfo,
    Ping,
    Query,
    Response,
    SampleInfohashes,
    Samples,
    encodeNodes,
)
from twisted_bt.dht.state import MAX_NODES, DhtState
from twisted_bt.discovery.lsd import IPV4_GROUP, IPV6_GROUP, MAX_HASHES, MAX_READ, LocalAnnounce
from twisted_bt.errors import KrpcError
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import asDict, decode

_KEYS = (
    b"a", b"q", b"r", b"e", b"t", b"y", b"v", b"ro", b"ip", b"id", b"target", b"info_hash", b"token",
    b"port", b"seed",
    b"implied_port", b"noseed", b"scrape", b"want", b"n4", b"n6", b"nodes", b"nodes6", b"values",
    b"samples", b"num",
    b"interval", b"BFsd", b"BFpe", b"ping", b"find_node", b"get_peers", b"announce_peer",
    b"sample_infohashes",
)  # fmt: skip
_ID, _HASH = b"i" * 20, b"h" * 20
_NODES = encodeNodes([NodeInfo(bytes([n]) * 20, PeerAddr(f"8.8.8.{n}", 1 + n)) for n in range(8)])
_NODES6 = encodeNodes([NodeInfo(bytes([n]) * 20, PeerAddr(f"2001:4860::{n + 1}", 1 + n)) for n in range(4)])


class Krpc(Target):
    """L{twisted_bt.dht.krpc} and the messages."""

    name = "krpc"
    maxLength = MAX_DATAGRAM + 100
    words = (
        *(b"%d:%b" % (len(each), each) for each in _KEYS), b"1:y1:q", b"1:y1:r", b"1:t2:aa", b"i1e", b"le",
    )  # fmt: skip

    def __init__(self) -> None:
        self._grove = Grove(self.seeds(), _KEYS)

    def seeds(self) -> list[bytes]:
        """All queries, answers and errors."""
        asks: tuple[Ask, ...] = (
            Ping(), FindNode(_HASH), FindNode(_HASH, 3), GetPeers(_HASH), GetPeers(_HASH, 1, True, True),
            AnnouncePeer(_HASH, 6881, b"token"), AnnouncePeer(_HASH, None, b"tok", True),
            SampleInfohashes(_HASH, 2),
        )  # fmt: skip
        queries = [encodeQuery(Query(b"aa", _ID, ask, number % 2 == 0)) for number, ask in enumerate(asks)]
        blooms = bytes(256), b"\xff" * 256
        samples = Samples((_HASH, _ID), 5, 60)
        answers = [
            encodeResponse(b"aa", _ID),
            encodeResponse(b"aa", _ID, b"\1\2\3\4\0\5", nodes=_NODES, nodes6=_NODES6, token=b"token"),
            encodeResponse(
                b"abcd", _ID, values=[b"\1\2\3\4\0\5", b"\5\6\7\x08\0\5"], token=b"t", blooms=blooms
            ),
            encodeResponse(b"a", _ID, samples=samples, nodes=_NODES),
        ]
        return queries + answers + [encodeError(ErrorReply(b"aa", 203, "no"))] + vectors("krpc_messages")

    def make(self, random: Random) -> bytes:
        """A message."""
        return self._grove.make(random)

    def grow(self, random: Random, times: int) -> bytes:
        """A tree with more of something."""
        return self._grove.grown(random, times)

    def run(self, data: bytes) -> Tally:
        """One exception; the short way is the long way; what is read is bounded, and written to the same."""
        found = outcome(lambda: decodeMessage(data), KrpcError)
        if found is None:
            return REJECTED
        if isinstance(found, Query):
            raw = encodeQuery(found)
            require(decodeMessage(raw) == found, "decode(encode(x)) == x", found, raw)
            fields = asDict(decode(data, MAX_DATAGRAM))
            require(krpc._query(found.transaction, fields) == found, "the short way is the long way", data)
        elif isinstance(found, ErrorReply):
            require(0 <= found.code < 1 << 16 and len(found.message) <= 200, "bounded", found)
            require(decodeMessage(encodeError(found)) == found, "decode(encode(x)) == x", found)
        else:
            self._look(found)
        return ACCEPTED

    def _look(self, found: Response) -> None:
        for ipv6 in (False, True):
            nodes = found.nodes(ipv6)
            require(len(nodes) <= 32 and all(each.addr.isIPv6 == ipv6 for each in nodes), "nodes", nodes)
        require(len(found.peers()) <= 400, "peers", found)
        token, samples, blooms = found.token(), found.samples(), found.blooms()
        raw = encodeResponse(
            found.transaction, found.sender, blooms=blooms, samples=samples, token=token,
            nodes=encodeNodes(found.nodes()), nodes6=encodeNodes(found.nodes(True)),
        )  # fmt: skip
        if len(raw) <= MAX_DATAGRAM:
            again: Any = decodeMessage(raw)
            require(
                (again.token(), again.samples(), again.blooms()) == (token, samples, blooms), "again", found
            )
            require(
                (again.nodes(), again.nodes(True)) == (found.nodes(), found.nodes(True)), "nodes again", found
            )


class DhtStates(Target):
    """L{twisted_bt.dht.state}: what a node remembers between runs."""

    name = "dhtstate"
    words = (b"3:ids", b"5:nodes", b"6:nodes6", b"20:", b"26:", b"38:")

    def __init__(self) -> None:
        self._grove = Grove(self.seeds(), (b"ids", b"nodes", b"nodes6", b"0.0.0.0"))

    def seeds(self) -> list[bytes]:
        """One."""
        nodes = [NodeInfo(bytes([n]) * 20, PeerAddr(f"8.8.8.{n}", 1 + n)) for n in range(40)]
        return [DhtState({"": _ID, "::": _HASH}, tuple(nodes)).encode(), DhtState().encode()]

    def make(self, random: Random) -> bytes:
        """One with a tree changed."""
        return self._grove.make(random)

    def grow(self, random: Random, times: int) -> bytes:
        """A tree with more of something."""
        return self._grove.grown(random, times)

    def run(self, data: bytes) -> Tally:
        """No exception at all; bounded; what is read is written to the same."""
        found = DhtState.decode(data)
        require(len(found.nodes) <= 2 * MAX_NODES, "bounded", len(found.nodes))
        again = DhtState.decode(found.encode())
        require(
            set(again.nodes) == set(found.nodes) and again.ids == found.ids, "decode(encode(x)) == x", found
        )
        return ACCEPTED if found.ids or found.nodes else REJECTED


class LocalAnnounces(Target):
    """L{twisted_bt.discovery.lsd}."""

    name = "lsd"
    maxLength = MAX_READ + 100
    words = (
        b"BT-SEARCH * HTTP/1.1\r\n",
        b"Infohash: ",
        b"Port: ",
        b"cookie: ",
        b"\r\n\r\n\r\n",
        b"a" * 40,
        b" \t",
        b":",
    )

    def seeds(self) -> list[bytes]:
        """With one and with many."""
        announces = (
            LocalAnnounce(6881, (_HASH,), "cookie"),
            LocalAnnounce(1, tuple(bytes([n]) * 20 for n in range(24))),
        )
        groups = IPV4_GROUP, IPV6_GROUP
        return (
            [each.encode(group) for each in announces for group in groups]
            + texts("lsd", "message")
            + vectors("lsd")
        )

    def run(self, data: bytes) -> Tally:
        """No exception at all; bounded; what is read is written to the same."""
        found = LocalAnnounce.decode(data)
        if found is None:
            return REJECTED
        require(0 < len(found.infoHashes) <= MAX_HASHES and 0 < found.port < 65536, "bounded", found)
        raw = outcome(lambda: found.encode(IPV4_GROUP), ValueError)
        if raw is not None:
            require(LocalAnnounce.decode(raw) == found, "decode(encode(x)) == x", found, raw)
        return ACCEPTED
