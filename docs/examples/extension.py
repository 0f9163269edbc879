"""
A protocol of your own beside the peer wire (BEP 10): peers tell one another a greeting.
"""

from collections.abc import Sequence

from zope.interface import implementer

from twisted_bt import Metainfo, PeerSession, Plugins, ProtocolError
from twisted_bt.interfaces import IExtension

#: What a message of ours may be at most; a peer can send anything.
MAX_LENGTH = 200


@implementer(IExtension)
class Greeting:
    """
    Greets every peer that speaks this too.

    @ivar heard: greetings, by who sent them.
    """

    name = b"example_greeting"

    def __init__(self, words: str) -> None:
        self._words = words
        self.heard: dict[PeerSession, str] = {}

    def started(self, peer: PeerSession) -> None:
        """See L{IExtension}."""
        peer.sendExtended(self.name, self._words.encode("utf-8"))

    def received(self, peer: PeerSession, payload: bytes) -> None:
        """See L{IExtension}."""
        if len(payload) > MAX_LENGTH:
            raise ProtocolError(f"a greeting of {len(payload)} bytes")
        self.heard[peer] = payload.decode("utf-8", "replace")
        print(f"{peer.connectedPeerAddr.host} says {self.heard[peer]!r}")

    def stopped(self, peer: PeerSession) -> None:
        """See L{IExtension}."""
        self.heard.pop(peer, None)


def greetings(metainfo: Metainfo) -> Sequence[IExtension]:
    """Called once for every swarm."""
    return [Greeting(f"hello from the swarm of {metainfo.name}")]


plugins = Plugins(extensions=greetings)
