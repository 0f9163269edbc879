"""
What every L{IExtension} promises, as tests for yours::

    class MyExtensionTests(ExtensionContract, SynchronousTestCase):
        def makeExtensions(self, metainfo):
            return [MyExtension()]

They run in whole clients on a simulated network, with peers that say what no good one says.  What an
extension raises there, but for a C{ProtocolError}, is logged, and a logged error fails the test.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zope.interface.verify import verifyObject

from twisted_bt.interfaces import IExtension
from twisted_bt.peerwire.extended import DontHave, ExtendedHandshake
from twisted_bt.peerwire.messages import Extended, KeepAlive
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import SimulatedSwarm
from twisted_bt.torrent.metainfo import Metainfo

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object

#: The number that scripted peers have for the extension.
_NUMBER = 77


class ExtensionContract(_Base):
    """Mix into a C{SynchronousTestCase} and implement L{makeExtensions}."""

    def makeExtensions(self, metainfo: Metainfo) -> Sequence[IExtension]:
        """What C{Plugins.extensions} is to be: those of one swarm, new ones."""
        raise NotImplementedError

    def samples(self) -> Sequence[bytes]:
        """Messages as its good peers send them; damaged ones are made of these."""
        return [b"", b"d1:ai1ee", b"hello"]

    def _one(self, swarm: SimulatedSwarm) -> list[IExtension]:
        found = list(self.makeExtensions(swarm.metainfo))
        self.assertTrue(found, "there is none")
        return found

    def test_interface(self) -> None:
        """They have the methods of the interface, and names that are theirs alone."""
        extensions = self._one(SimulatedSwarm())
        for each in extensions:
            self.assertTrue(verifyObject(IExtension, each))
            self.assertIsInstance(each.name, bytes)
            self.assertTrue(each.name)
        names = {each.name for each in extensions}
        self.assertEqual(len(names), len(extensions))
        self.assertNotIn(DontHave.name, names)

    def test_eachSwarmItsOwn(self) -> None:
        """Two swarms share none."""
        swarm = SimulatedSwarm()
        ours, others = self._one(swarm), self._one(swarm)
        self.assertFalse([each for each in ours if any(each is other for other in others)])

    def test_exchange(self) -> None:
        """
        Clients that have it exchange content, and in the end nothing of it is left: no call to come, no
        connection.
        """
        swarm = SimulatedSwarm(seed="extension contract")
        members = [swarm.seeder(extensions=self.makeExtensions)]
        members += [swarm.leecher(extensions=self.makeExtensions) for _ in range(2)]
        members[1].meet(*members)
        members[2].meet(*members)
        swarm.finish()
        swarm.advance(60)
        swarm.stop()

    def test_whatPeersSay(self) -> None:
        """Whatever a peer says, that peer's session goes on or ends, and everything else goes on."""
        source = random.Random(17)
        swarm = SimulatedSwarm(seed="extension contract")
        extensions: list[IExtension] = []

        def make(metainfo: Metainfo) -> Sequence[IExtension]:
            extensions.extend(self.makeExtensions(metainfo))
            return extensions

        leecher = swarm.leecher(extensions=make)
        for number, extension in enumerate([*extensions] * 12):
            peer = self._meet(swarm, leecher.address, extension.name, number)
            ours = self._numberOf(peer, extension.name)
            for _ in range(20):
                if peer.lost is None:
                    peer.say(Extended(ours, self._damaged(source)))
                    swarm.advance(0.2)
            if peer.lost is None:
                peer.close()
            swarm.advance(2)
        leecher.meet(swarm.seeder())
        swarm.finish()
        swarm.stop()

    def test_peersThatLeave(self) -> None:
        """It has nothing to say to a peer that left at once, or no longer speaks the extension."""
        swarm = SimulatedSwarm(seed="extension contract")
        leecher = swarm.leecher(extensions=self.makeExtensions)
        for number, extension in enumerate(self._one(swarm) * 2):
            peer = self._meet(swarm, leecher.address, extension.name, number)
            if number % 2:
                peer.say(ExtendedHandshake({extension.name: 0}))
                swarm.advance(5)
            peer.abandon()
            swarm.advance(300)
        swarm.stop()

    def test_otherPeers(self) -> None:
        """Peers that do not speak it hear nothing of it."""
        swarm = SimulatedSwarm(seed="extension contract")
        leecher = swarm.leecher(extensions=self.makeExtensions)
        peer = self._meet(swarm, leecher.address, b"another_extension", 0)
        swarm.advance(60)
        said = [each for each in peer.heardOf(Extended) if each.extensionId]
        self.assertEqual(said, [])
        peer.close()
        swarm.stop()

    def _meet(self, swarm: SimulatedSwarm, addr: object, name: bytes, number: int) -> ScriptedPeer:
        """A peer of its own host that said that it speaks C{name}."""
        peer = ScriptedPeer(swarm.metainfo.wireHash, b"-SC0001-%012d" % number)
        swarm.run(peer.dial(swarm.network.host(), addr))  # type: ignore[arg-type]
        peer.greet()
        peer.say(ExtendedHandshake({name: _NUMBER}), KeepAlive())
        swarm.advance(2)
        return peer

    def _numberOf(self, peer: ScriptedPeer, name: bytes) -> int:
        """The number that the client gave the extension."""
        hello = next(each for each in peer.heardOf(Extended) if not each.extensionId)
        return ExtendedHandshake.decode(hello.payload).extensions[name]

    def _damaged(self, source: random.Random) -> bytes:
        payload = bytearray(source.choice(self.samples()))
        match source.randrange(5):
            case 0:
                return source.randbytes(source.choice([0, 1, 3, 100, 5000]))
            case 1:
                del payload[source.randrange(len(payload) + 1) :]
            case 2 if payload:
                payload[source.randrange(len(payload))] ^= 1 << source.randrange(8)
            case 3:
                payload += source.randbytes(source.choice([1, 40, 16000]))
        return bytes(payload)
