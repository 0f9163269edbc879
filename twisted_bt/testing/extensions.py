"""
What every L{IExtension} promises, as tests for yours, in swarms of real clients::

    class MyExtensionTests(ExtensionContract, SynchronousTestCase):
        def makeExtension(self):
            return MyExtension()
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from zope.interface.verify import verifyObject

from twisted_bt.interfaces import IExtension
from twisted_bt.peerwire.extended import ExtendedHandshake
from twisted_bt.peerwire.messages import Extended, HaveNone
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.swarm import Member, SimulatedSwarm

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object

#: The number that scripted peers give to the extension.
_NUMBER = 9


class ExtensionContract(_Base):
    """Mix into a C{SynchronousTestCase} and implement L{makeExtension}."""

    #: Random messages that are tried; of them a session may end, and nothing else may happen.
    messages = 200

    def makeExtension(self) -> IExtension:
        """A new extension, for one swarm."""
        raise NotImplementedError

    def _member(self, swarm: SimulatedSwarm, seeds: bool) -> Member:
        def extensions(metainfo: Any) -> list[IExtension]:
            return [self.makeExtension()]

        return (swarm.seeder if seeds else swarm.leecher)(extensions=extensions)

    def test_interface(self) -> None:
        """It has the methods of the interface, and a name that can be agreed on."""
        extension = self.makeExtension()
        self.assertTrue(verifyObject(IExtension, extension))
        self.assertIs(type(extension.name), bytes)
        self.assertTrue(0 < len(extension.name) <= 64)

    def test_swarm(self) -> None:
        """Clients that all speak it exchange a torrent with one another, undisturbed."""
        swarm = SimulatedSwarm(seed=1)
        members = [self._member(swarm, seeds) for seeds in (True, False, False)]
        for each in members:
            each.meet(*members)
        swarm.finish(60)
        swarm.stop()

    def test_others(self) -> None:
        """So do they with others that do not speak it."""
        swarm = SimulatedSwarm(seed=2)
        members = [self._member(swarm, False), swarm.seeder(), swarm.leecher()]
        for each in members:
            each.meet(*members)
        swarm.finish(60)
        swarm.stop()

    def _stranger(self, swarm: SimulatedSwarm, member: Member) -> tuple[ScriptedPeer, int]:
        """A peer that says it speaks the extension too, and C{member}'s number for it."""
        name = self.makeExtension().name
        peer = ScriptedPeer(swarm.metainfo.wireHash, swarm.network.random.randbytes(20))
        swarm.run(peer.dial(swarm.network.host(), member.address))
        peer.greet()
        peer.say(HaveNone(), ExtendedHandshake({name: _NUMBER}))
        swarm.advance(0.2)
        if not peer.heardOf(Extended):
            self.fail("the session ended, or never began, before anything was said")
        ours = ExtendedHandshake.decode(peer.heardOf(Extended)[0].payload)
        return peer, ours.extensions[name]

    def test_anything(self) -> None:
        """
        Whatever a peer says in it, nothing is raised but C{ProtocolError}, which ends that peer's session.
        """
        source = Random(3)
        swarm = SimulatedSwarm(seed=3)
        member = self._member(swarm, True)
        peer, number = self._stranger(swarm, member)
        for count in range(self.messages):
            if peer.lost is not None:
                peer, number = self._stranger(swarm, member)
            length = source.choice((0, 1, 2, 5, 20, 300, 70_000))
            payload = source.choice((source.randbytes(length), b"d" * length, b"d1:ai1ee" + bytes(length)))
            peer.say(Extended(number, payload))
            swarm.advance(2.0)  # a flood is another matter
            if swarm.network.failures:
                self.fail(f"message {count}, {payload[:20]!r}...: {swarm.network.failures[0]}")
        peer.close()
        swarm.advance(1)
        swarm.stop()

    def test_comesAndGoes(self) -> None:
        """Peers that speak it, speak it no longer, and leave, do no harm."""
        swarm = SimulatedSwarm(seed=4)
        member = self._member(swarm, True)
        name = self.makeExtension().name
        for _ in range(5):
            peer, number = self._stranger(swarm, member)
            peer.say(ExtendedHandshake({name: 0}), Extended(number, b""), ExtendedHandshake({name: _NUMBER}))
            swarm.advance(0.2)
            peer.abandon()
        swarm.advance(1)
        swarm.stop()
