"""
What nodes of the DHT say to one another, as values (BEP 5, 32, 33, 42, 43, 45, 51).

Nodes and peers in a response are read when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from socket import AF_INET, AF_INET6, inet_ntop
from typing import NamedTuple, TypeAlias

from twisted_bt.dht.bloom import LENGTH as BLOOM_LENGTH
from twisted_bt.dht.nodeid import ID_LENGTH, isUsable
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import BValue, bytesIn, intIn, listIn

#: Families of nodes asked for (BEP 32, C{want}), as bits.
WANT4, WANT6 = 1, 2

#: The longest token that is taken.
MAX_TOKEN = 64

_MAX_NODES = 32
_MAX_PEERS = 400
_MAX_SAMPLES = 100


class NodeInfo(NamedTuple):
    """A node: its id, and where it listens."""

    id: bytes
    addr: PeerAddr

    def compact(self) -> bytes:
        """26 bytes, or 38 for IPv6 (BEP 5, 32)."""
        return self.id + self.addr.compact()


# ---------------------------------------------------------------- what is asked


class Ping(NamedTuple):
    """Are you there?"""


class FindNode(NamedTuple):
    """Nodes near C{target}.  C{want}: L{WANT4} and L{WANT6}; 0: the family by which it is asked."""

    target: bytes
    want: int = 0


class GetPeers(NamedTuple):
    """
    Peers of C{infoHash}, or nodes nearer to it.

    @ivar noSeed: BEP 33: no seeds, please.
    @ivar scrape: BEP 33: send the filters.
    """

    infoHash: bytes
    want: int = 0
    noSeed: bool = False
    scrape: bool = False


class AnnouncePeer(NamedTuple):
    """
    The sender is a peer of C{infoHash}.

    @ivar port: 1 to 65535; C{None}: that from which this is sent (C{implied_port}).
    """

    infoHash: bytes
    port: int | None
    token: bytes
    seed: bool = False


class SampleInfohashes(NamedTuple):
    """Some of the info-hashes you store, and nodes near C{target} (BEP 51)."""

    target: bytes
    want: int = 0


Ask: TypeAlias = Ping | FindNode | GetPeers | AnnouncePeer | SampleInfohashes


class Query(NamedTuple):
    """
    A question.

    @ivar sender: the id of who asks.
    @ivar readOnly: BEP 43: who asks answers no queries.
    """

    transaction: bytes
    sender: bytes
    ask: Ask
    readOnly: bool = False


class ErrorReply(NamedTuple):
    """A node says no."""

    transaction: bytes
    code: int
    message: str


class Samples(NamedTuple):
    """
    What BEP 51 gives.

    @ivar infoHashes: some of those the node stores.
    @ivar total: how many it says it stores.
    @ivar interval: seconds until it is worth asking again.
    @ivar nodes: near the target that was asked with: whom to ask next.
    """

    infoHashes: tuple[bytes, ...]
    total: int
    interval: int
    nodes: tuple[NodeInfo, ...] = ()


class Response(NamedTuple):
    """
    An answer.  Its methods give what it holds that can be used, and nothing where that is damaged.

    @ivar sender: the id of who answers.
    @ivar fields: what C{r} holds, unchecked.
    @ivar external: our own address as the sender sees it (BEP 42), packed; empty: not said.
    """

    transaction: bytes
    sender: bytes
    fields: dict[bytes, BValue]
    external: bytes = b""

    def nodes(self, ipv6: bool = False) -> list[NodeInfo]:
        """The nodes of one family that it names."""
        return decodeNodes(bytesIn(self.fields, b"nodes6" if ipv6 else b"nodes", b""), ipv6)

    def peers(self) -> list[PeerAddr]:
        """The peers that it names, of either family."""
        found = []
        for each in listIn(self.fields, b"values")[:_MAX_PEERS]:
            addr = _compactAddr(each) if type(each) is bytes else None
            if addr is not None:
                found.append(addr)
        return found

    def token(self) -> bytes | None:
        """What an announce to this node must show."""
        token = bytesIn(self.fields, b"token", b"")
        return token if 0 < len(token) <= MAX_TOKEN else None

    def blooms(self) -> tuple[bytes, bytes] | None:
        """The filters of seeds and of other peers (BEP 33)."""
        seeds = bytesIn(self.fields, b"BFsd", None, BLOOM_LENGTH)
        peers = bytesIn(self.fields, b"BFpe", None, BLOOM_LENGTH)
        return None if seeds is None or peers is None else (seeds, peers)

    def samples(self) -> Samples | None:
        """What BEP 51 gives; C{None}: the node does not know it."""
        data = bytesIn(self.fields, b"samples", None)
        if data is None or len(data) % ID_LENGTH:
            return None
        data = data[: _MAX_SAMPLES * ID_LENGTH]
        hashes = tuple(data[start : start + ID_LENGTH] for start in range(0, len(data), ID_LENGTH))
        total = intIn(self.fields, b"num", len(hashes), 1 << 32, len(hashes))
        return Samples(hashes, total, intIn(self.fields, b"interval", 0, 21600, 0))


Message: TypeAlias = Query | Response | ErrorReply


# ---------------------------------------------------------------- compact nodes


def _compactAddr(data: bytes) -> PeerAddr | None:
    """6 bytes or 18 as an address that somebody can have."""
    size = len(data)
    if size not in (6, 18) or not isUsable(data[:-2]):
        return None
    port = int.from_bytes(data[-2:], "big")
    return PeerAddr(inet_ntop(AF_INET if size == 6 else AF_INET6, data[:-2]), port) if port else None


def decodeNodes(data: bytes, ipv6: bool = False) -> list[NodeInfo]:
    """
    The nodes packed in C{data}, 26 bytes each or 38; those no node can be at are left out, and so is
    all where C{data} is no whole number of them.
    """
    size = 38 if ipv6 else 26
    if len(data) % size:
        return []
    found = []
    for start in range(0, min(len(data), _MAX_NODES * size), size):
        addr = _compactAddr(data[start + ID_LENGTH : start + size])
        if addr is not None:
            found.append(NodeInfo(data[start : start + ID_LENGTH], addr))
    return found


def encodeNodes(nodes: Iterable[NodeInfo]) -> bytes:
    """C{nodes}, all of one family, packed."""
    return b"".join([node.compact() for node in nodes])
