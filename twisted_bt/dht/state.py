"""
What a node remembers between runs: its ids and the nodes it knew.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted_bt.dht.messages import NodeInfo, decodeNodes, encodeNodes
from twisted_bt.dht.nodeid import ID_LENGTH
from twisted_bt.errors import BencodeError
from twisted_bt.torrent.bencoding import asDict, bytesIn, decode, dictIn, encode

#: Nodes kept of each family.
MAX_NODES = 200

_MAX_LENGTH = 1 << 16
_CHUNK = 32


@dataclass(frozen=True, slots=True)
class DhtState:
    """
    @ivar ids: of our nodes, by the address each listens on.
    @ivar nodes: of both families, those that were good.
    """

    ids: dict[str, bytes] = field(default_factory=dict)
    nodes: tuple[NodeInfo, ...] = ()

    def encode(self) -> bytes:
        """A small bencoded value; whoever keeps it need not look into it."""
        families: dict[bool, list[NodeInfo]] = {False: [], True: []}
        for node in self.nodes:
            families[node.addr.isIPv6].append(node)
        return encode(
            {
                b"ids": {name.encode("utf-8"): nodeId for name, nodeId in self.ids.items()},
                b"nodes": encodeNodes(families[False][:MAX_NODES]),
                b"nodes6": encodeNodes(families[True][:MAX_NODES]),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> DhtState:
        """
        The inverse of L{encode}.  What is damaged is left out, and of what is no state at all an empty
        one is made: all it costs is to begin at the routers.
        """
        try:
            fields = asDict(decode(data, _MAX_LENGTH))
        except BencodeError:
            return cls()
        ids = {
            name.decode("utf-8", "replace"): nodeId
            for name, nodeId in dictIn(fields, b"ids").items()
            if type(nodeId) is bytes and len(nodeId) == ID_LENGTH
        }
        nodes: list[NodeInfo] = []
        for key, ipv6, size in ((b"nodes", False, 26), (b"nodes6", True, 38)):
            packed = bytesIn(fields, key, b"")[: MAX_NODES * size]
            for start in range(0, len(packed), _CHUNK * size):
                nodes += decodeNodes(packed[start : start + _CHUNK * size], ipv6)
        return cls(ids, tuple(nodes))
