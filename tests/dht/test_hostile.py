"""A node that is sent a hundred thousand damaged datagrams."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.dht.net import PORT, World, globalAddress
from twisted_bt.dht.krpc import decodeMessage
from twisted_bt.dht.messages import ErrorReply, Query, Response
from twisted_bt.torrent.addresses import PeerAddr

COUNT = 100_000
HASH = b"h" * 20


def damaged(data: bytes, random: Random) -> bytes:
    """C{data} with something wrong: bytes changed, taken out, put in, doubled, cut off; or as it was."""
    made = bytearray(data)
    for _ in range(random.randrange(5)):
        at = random.randrange(len(made) + 1)
        match random.randrange(6):
            case 0:
                made[at : at + 1] = random.randbytes(1)
            case 1:
                made[at : at + 1] = random.choice([b"e", b"d", b"l", b"i", b":", b"0", b"9", b"-"])
            case 2:
                del made[at : at + random.randrange(1, 9)]
            case 3:
                made[at:at] = random.randbytes(random.randrange(1, 30))
            case 4:
                made[at:at] = made[at : at + random.randrange(1, 200)]
            case _:
                del made[at + 1 :]
    return bytes(made)


class HostileTests(SynchronousTestCase):
    """Whatever is sent: answers, errors 203 and 204, or silence."""

    def setUp(self) -> None:
        self.world = World()
        self.nodes = self.world.grow(12)
        self.random = Random(1)

    def samples(self) -> list[bytes]:
        """Messages of every kind, as nodes send them."""
        net, kept = self.world.net, []
        deliver = net.deliver

        def noting(datagram: bytes, source: Any, target: Any) -> None:
            kept.append(datagram)
            deliver(datagram, source, target)

        net.deliver = noting  # type: ignore[method-assign]
        net.result(self.nodes[1].announce(HASH, 1, seed=True))
        net.result(self.nodes[2].scrape(HASH))
        found = net.result(self.nodes[2].findNode(HASH))
        net.result(self.nodes[2].sample(found[0].addr))
        net.result(self.nodes[2].ping(found[0].addr))
        del net.deliver
        return kept

    def test_damaged(self) -> None:
        """
        A node that is sent them goes on: all it sends is well formed, it keeps no more than its bounds,
        and it answers and finds as before.
        """
        net, victim = self.world.net, self.nodes[0]
        (host,) = [host for host, each in self.world.nodes.items() if each is victim]
        (only,) = victim._nodes.values()
        samples = self.samples()
        sources = [(globalAddress(self.random), self.random.randrange(1, 65536)) for _ in range(20_000)]
        sent: Counter[str] = Counter()

        def judge(datagram: bytes, source: Any, target: Any) -> None:
            if source[0] == host:
                message = decodeMessage(datagram)
                sent[type(message).__name__] += 1
                if isinstance(message, ErrorReply):
                    self.assertIn(message.code, (203, 204))
                self.assertLess(len(datagram), 1472)

        deliver = net.deliver
        port = net.ports[host, PORT]
        net.deliver = judge  # type: ignore[method-assign]
        for number in range(COUNT):
            data = damaged(samples[number % len(samples)], self.random)
            port.protocol.datagramReceived(data, self.random.choice(sources))
            net.advance(0.002)
        self.assertGreater(sent[Response.__name__], COUNT // 50)
        self.assertGreater(sent[ErrorReply.__name__], COUNT // 50)
        self.assertLessEqual(set(sent), {Response.__name__, ErrorReply.__name__, Query.__name__})

        self.assertLess(victim.nodeCount, 200)
        self.assertLess(len(only._verifying), 9)
        self.assertLess(len(only.protocol._pending), 200)
        self.assertLess(len(only.protocol._floods), 8193)
        self.assertLessEqual(len(victim._store), 4000)
        self.assertEqual(self.flushLoggedErrors(), [])

        net.deliver = deliver  # type: ignore[method-assign]
        net.advance(60.0)
        addr = PeerAddr(host, PORT)
        self.assertEqual(net.result(self.nodes[5].ping(addr)), victim.nodeId)
        net.result(self.nodes[3].announce(b"i" * 20, 1))
        self.assertEqual(len(net.result(victim.getPeers(b"i" * 20))), 1)
        self.assertEqual(self.world.stop(), [])
