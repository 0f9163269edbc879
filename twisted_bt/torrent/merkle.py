"""
Hash trees of version 2 torrents (BEP 52).

A file is cut into blocks of 16 KiB; their SHA-256 hashes are the leaves of a binary tree, filled up
with zero hashes to a power of two.  The torrent names the root of each file's tree, and carries in
C{piece layers} the layer in which one node covers one piece.

A tree is numbered flat: node 0 is the root, the children of C{i} are C{2i + 1} and C{2i + 2}.  Layers
are numbered from the root down, from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256

#: Bytes of content under one leaf.
LEAF_LENGTH = 1 << 14

#: Bytes of a hash.
HASH_LENGTH = 32


# ---------------------------------------------------------------- numbering


def leafCount(blocks: int) -> int:
    """Leaves of the tree over so many blocks (at least one): the next power of two."""
    return 1 << max(blocks - 1, 0).bit_length()


def nodeCount(leaves: int) -> int:
    """All nodes of a tree with so many leaves (a power of two)."""
    return 2 * leaves - 1


def layerCount(leaves: int) -> int:
    """Layers under the root of a tree with so many leaves (a power of two; 0 has none)."""
    return max(leaves, 1).bit_length() - 1


def firstLeaf(leaves: int) -> int:
    """The number of the first leaf, of so many (a power of two)."""
    return leaves - 1


def parent(node: int) -> int:
    """The node above C{node}, which is not the root."""
    return (node - 1) // 2


def sibling(node: int) -> int:
    """The other child of the node above C{node}, which is not the root."""
    return node + 1 if node % 2 else node - 1


def firstChild(node: int, depth: int = 1) -> int:
    """The leftmost node C{depth} layers under C{node}."""
    return ((node + 1) << depth) - 1


def layerOf(node: int) -> int:
    """The layer of C{node}."""
    return (node + 1).bit_length() - 1


def layerStart(layer: int) -> int:
    """The first node of C{layer}."""
    return (1 << layer) - 1


def offsetInLayer(node: int) -> int:
    """How many nodes stand left of C{node} in its layer."""
    return node - layerStart(layerOf(node))


def flatIndex(layer: int, offset: int) -> int:
    """The node with C{offset} others left of it in C{layer}."""
    return layerStart(layer) + offset


# ---------------------------------------------------------------- hashes


def hashPair(left: bytes, right: bytes) -> bytes:
    """The hash of the node above these two."""
    return sha256(left + right).digest()


@cache
def padHash(height: int) -> bytes:
    """The hash of a node that has only filling under it, C{height} layers above the leaves."""
    if height == 0:
        return bytes(HASH_LENGTH)
    below = padHash(height - 1)
    return hashPair(below, below)


def blockHashes(data: bytes | memoryview) -> list[bytes]:
    """The leaves over C{data}, without filling."""
    view = memoryview(data)
    return [sha256(view[at : at + LEAF_LENGTH]).digest() for at in range(0, len(view), LEAF_LENGTH)]


def nextLayer(nodes: Sequence[bytes], height: int) -> list[bytes]:
    """The layer above C{nodes} (a layer C{height} above the leaves, its filling left out)."""
    pairs = [hashPair(nodes[i], nodes[i + 1]) for i in range(0, len(nodes) - 1, 2)]
    if len(nodes) % 2:
        pairs.append(hashPair(nodes[-1], padHash(height)))
    return pairs


def root(nodes: Sequence[bytes], height: int = 0) -> bytes:
    """
    The root of the tree that has C{nodes} as its layer C{height} above the leaves, filling left out.

    @raise ValueError: there are no nodes; a file of no bytes has no tree.
    """
    if not nodes:
        raise ValueError("no nodes, so no root")
    while len(nodes) > 1:
        nodes = nextLayer(nodes, height)
        height += 1
    return nodes[0]


def pieceHeight(pieceLength: int) -> int:
    """
    How many layers above the leaves one node covers one piece.

    @raise ValueError: C{pieceLength} is no power of two of at least 16 KiB.
    """
    if pieceLength < LEAF_LENGTH or pieceLength & (pieceLength - 1):
        raise ValueError(f"{pieceLength} is no power of two of at least {LEAF_LENGTH}")
    return (pieceLength // LEAF_LENGTH).bit_length() - 1


def pieceLayer(leaves: Sequence[bytes], pieceLength: int) -> list[bytes]:
    """The layer of the pieces, from the leaves (filling left out) of a file longer than a piece."""
    layer = list(leaves)
    for height in range(pieceHeight(pieceLength)):
        layer = nextLayer(layer, height)
    return layer


def splitLayer(layer: bytes) -> list[bytes]:
    """The hashes that stand one after the other in C{layer}."""
    return [layer[at : at + HASH_LENGTH] for at in range(0, len(layer), HASH_LENGTH)]


def layerMatches(layer: bytes, fileRoot: bytes, length: int, pieceLength: int) -> bool:
    """
    Whether C{layer}, of C{piece layers}, is that of the file with C{fileRoot} and C{length} bytes: has
    the right number of hashes, and the root.
    """
    pieces = -(-length // pieceLength)
    if pieces < 1 or len(layer) != pieces * HASH_LENGTH:
        return False
    return root(splitLayer(layer), pieceHeight(pieceLength)) == fileRoot


# ---------------------------------------------------------------- proofs


def proof(nodes: Sequence[bytes], index: int, height: int = 0) -> list[bytes]:
    """
    The hashes that prove C{nodes[index]} under the root, from below: the sibling of each node on the
    way up.  C{nodes} is a layer C{height} above the leaves, filling left out.
    """
    found = []
    while len(nodes) > 1:
        beside = index ^ 1
        found.append(nodes[beside] if beside < len(nodes) else padHash(height))
        nodes = nextLayer(nodes, height)
        index //= 2
        height += 1
    return found


def proves(node: bytes, index: int, hashes: Iterable[bytes], fileRoot: bytes) -> bool:
    """Whether C{hashes} prove that C{node} stands at C{index} of its layer under C{fileRoot}."""
    for beside in hashes:
        node = hashPair(beside, node) if index % 2 else hashPair(node, beside)
        index //= 2
    return index == 0 and node == fileRoot
