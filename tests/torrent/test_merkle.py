"""Tests for L{twisted_bt.torrent.merkle}."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.torrent import merkle

fixed = settings(derandomize=True, deadline=None, max_examples=100)
nodes = st.integers(1, 1 << 20)


def _wholeTree(leaves: list[bytes]) -> list[bytes]:
    """All nodes of the tree in flat order, made without any cleverness."""
    count = 1
    while count < len(leaves):
        count *= 2
    layers = [leaves + [bytes(32)] * (count - len(leaves))]
    while len(layers[0]) > 1:
        below = layers[0]
        layers.insert(0, [sha256(a + b).digest() for a, b in zip(below[::2], below[1::2], strict=True)])
    return [node for layer in layers for node in layer]


def _leaves(count: int) -> list[bytes]:
    return [sha256(b"%d" % number).digest() for number in range(count)]


class NumberingTests(SynchronousTestCase):
    """Flat numbers of nodes."""

    @fixed
    @given(nodes)
    def test_family(self, node: int) -> None:
        """Parent, sibling and children agree with each other."""
        above = merkle.parent(node)
        self.assertIn(node, (merkle.firstChild(above), merkle.firstChild(above) + 1))
        self.assertEqual(merkle.parent(merkle.sibling(node)), above)
        self.assertEqual(merkle.sibling(merkle.sibling(node)), node)
        self.assertNotEqual(merkle.sibling(node), node)
        self.assertEqual(merkle.layerOf(node), merkle.layerOf(above) + 1)
        self.assertEqual(merkle.firstChild(node, 2), merkle.firstChild(merkle.firstChild(node)))

    @fixed
    @given(nodes)
    def test_layers(self, node: int) -> None:
        """Layer and offset name a node."""
        layer, offset = merkle.layerOf(node), merkle.offsetInLayer(node)
        self.assertEqual(merkle.flatIndex(layer, offset), node)
        self.assertTrue(0 <= offset < 2**layer)
        self.assertEqual(merkle.offsetInLayer(merkle.layerStart(layer)), 0)

    @fixed
    @given(st.integers(1, 5000))
    def test_sizes(self, blocks: int) -> None:
        """There are as many leaves as the least power of two that has room for the blocks."""
        leaves = merkle.leafCount(blocks)
        self.assertTrue(leaves >= blocks > leaves // 2)
        self.assertEqual(leaves & (leaves - 1), 0)
        self.assertEqual(merkle.nodeCount(leaves), merkle.firstLeaf(leaves) + leaves)
        self.assertEqual(merkle.layerCount(leaves), merkle.layerOf(merkle.firstLeaf(leaves)))


class HashTests(SynchronousTestCase):
    """Roots, layers and proofs."""

    @fixed
    @given(st.integers(1, 70))
    def test_root(self, count: int) -> None:
        """The root is that of the whole tree, from the leaves and from any layer above them."""
        leaves = _leaves(count)
        whole = _wholeTree(leaves)
        self.assertEqual(merkle.root(leaves), whole[0])
        layer = leaves
        for height in range(merkle.layerCount(merkle.leafCount(count)) + 1):
            self.assertEqual(merkle.root(layer, height), whole[0])
            first = merkle.layerStart(merkle.layerCount(merkle.leafCount(count)) - height)
            self.assertEqual(layer, whole[first : first + len(layer)])
            layer = merkle.nextLayer(layer, height)

    @fixed
    @given(st.integers(1, 70), st.data())
    def test_proof(self, count: int, data: st.DataObject) -> None:
        """A proof proves its node at its place, and no other node, place or root."""
        leaves = _leaves(count)
        index = data.draw(st.integers(0, count - 1))
        top = merkle.root(leaves)
        hashes = merkle.proof(leaves, index)
        self.assertEqual(len(hashes), merkle.layerCount(merkle.leafCount(count)))
        self.assertTrue(merkle.proves(leaves[index], index, hashes, top))
        self.assertFalse(merkle.proves(bytes(32), index, hashes, top))
        self.assertFalse(merkle.proves(leaves[index], index + merkle.leafCount(count), hashes, top))
        self.assertFalse(merkle.proves(leaves[index], index, hashes, bytes(32)))
        for wrong in range(len(hashes)):
            self.assertFalse(merkle.proves(leaves[index], index ^ (1 << wrong), hashes, top))

    def test_noNodes(self) -> None:
        """A file of no bytes has no root."""
        with self.assertRaises(ValueError):
            merkle.root([])

    def test_blocks(self) -> None:
        """The leaves are the hashes of 16 KiB blocks, the last perhaps short."""
        data = bytes(range(256)) * 128 + b"x"
        self.assertEqual(
            merkle.blockHashes(data),
            [sha256(data[:16384]).digest(), sha256(data[16384:32768]).digest(), sha256(b"x").digest()],
        )

    def test_pieceLayer(self) -> None:
        """The layer of the pieces has one hash a piece, the root of the blocks in it, and the file's root."""
        leaves = _leaves(11)
        layer = merkle.pieceLayer(leaves, 4 * 16384)
        self.assertEqual(layer[:2], [merkle.root(leaves[:4]), merkle.root(leaves[4:8])])
        self.assertEqual(len(layer), 3)
        packed = b"".join(layer)
        length = 11 * 16384 - 5
        self.assertEqual(merkle.splitLayer(packed), layer)
        self.assertTrue(merkle.layerMatches(packed, merkle.root(leaves), length, 4 * 16384))
        for wrong in (packed[:-32], packed + bytes(32), packed[:-1], b"", packed[:-1] + b"?"):
            self.assertFalse(merkle.layerMatches(wrong, merkle.root(leaves), length, 4 * 16384))
        self.assertFalse(merkle.layerMatches(b"", merkle.root(leaves), 0, 4 * 16384))

    def test_pieceHeight(self) -> None:
        """Only powers of two of 16 KiB and more have a layer."""
        self.assertEqual([merkle.pieceHeight(n << 14) for n in (1, 2, 64)], [0, 1, 6])
        for wrong in (0, -16384, 8192, 3 << 14, (1 << 14) + 1):
            with self.assertRaises(ValueError):
                merkle.pieceHeight(wrong)
