"""Tests of what is remembered between runs."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.dht.messages import NodeInfo
from twisted_bt.dht.state import MAX_NODES, DhtState
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import encode

NODES = tuple(NodeInfo(bytes([n]) * 20, PeerAddr(f"10.0.0.{n}", n)) for n in range(1, 100))
NODES6 = tuple(NodeInfo(bytes([n]) * 20, PeerAddr(f"2001:db8::{n:x}", n)) for n in range(1, 50))


class StateTests(SynchronousTestCase):
    """Saved and restored."""

    def test_roundTrip(self) -> None:
        """What is saved is restored."""
        state = DhtState({"*/4": b"4" * 20, "2001:db8::1": b"6" * 20}, NODES + NODES6)
        self.assertEqual(DhtState.decode(state.encode()), state)
        self.assertEqual(DhtState.decode(DhtState().encode()), DhtState())

    def test_bounded(self) -> None:
        """So many nodes and no more."""
        many = tuple(
            NodeInfo(bytes(20), PeerAddr(f"10.0.{n >> 8}.{n & 255}", 1)) for n in range(MAX_NODES + 50)
        )
        self.assertEqual(len(DhtState.decode(DhtState(nodes=many).encode()).nodes), MAX_NODES)

    def test_damaged(self) -> None:
        """Of what is damaged as much is taken as can be."""
        for data in (b"", b"x", b"le", b"i7e", encode({b"ids": 7, b"nodes": b"short", b"nodes6": []})):
            self.assertEqual(DhtState.decode(data), DhtState())
        half = encode({b"ids": {b"a": b"short", b"b": b"b" * 20}, b"nodes": NODES[0].compact()})
        self.assertEqual(DhtState.decode(half), DhtState({"b": b"b" * 20}, NODES[:1]))

    def test_anyDamage(self) -> None:
        """However it is damaged, it is a state."""
        random = Random(1)
        good = DhtState({"*/4": b"4" * 20}, NODES[:3]).encode()
        for _ in range(500):
            data = bytearray(good)
            for _ in range(3):
                data[random.randrange(len(data))] = random.randrange(256)
            self.assertIsInstance(DhtState.decode(bytes(data)), DhtState)
