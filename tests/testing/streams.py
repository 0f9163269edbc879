"""
What the tests of simulated TCP have in common: two hosts, and programs that note what happens to them.
"""

from __future__ import annotations

from typing import Any, Literal

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network


class End(Protocol):
    """Notes all that happens to it."""

    transport: Any

    def __init__(self) -> None:
        self.data = b""
        self.reads = 0
        self.events: list[str] = []
        self.reason: BaseException | None = None

    def connectionMade(self) -> None:
        """Noted."""
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        """Noted."""
        self.data += data
        self.reads += 1

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Noted."""
        self.events.append("lost")
        self.reason = reason.value


@implementer(IHalfCloseableProtocol)
class HalfEnd(End):
    """Goes on when one direction is closed."""

    def readConnectionLost(self) -> None:
        """Noted."""
        self.events.append("read closed")

    def writeConnectionLost(self) -> None:
        """Noted."""
        self.events.append("write closed")


@implementer(IPushProducer)
class Producer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        """Noted."""
        self.told.append("pause")

    def resumeProducing(self) -> None:
        """Noted."""
        self.told.append("resume")

    def stopProducing(self) -> None:
        """Noted."""
        self.told.append("stop")


class StreamCase(SynchronousTestCase):
    """Two hosts, 10 ms from each other."""

    kind: type[End] = End
    mode: Literal["packets", "flow"] = "packets"

    def setUp(self) -> None:
        """A server and a client."""
        self.network = Network(mode=self.mode)
        link = Link(0.005, 1e6, 1e6)
        self.one = self.network.host("10.0.0.1", "fd00::1", link=link)
        self.two = self.network.host("10.0.0.2", "fd00::2", link=link)
        self.accepted: list[End] = []
        self.port = self.two.listenTCP(80, Factory.forProtocol(self.accept))

    def accept(self) -> End:
        """The server's end."""
        self.accepted.append(self.kind())
        return self.accepted[-1]

    def connect(self, host: str = "10.0.0.2", port: int = 80, **more: Any) -> Deferred[Any]:
        """A connection from the first host."""
        kind = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
        connecting: Deferred[Any] = connectProtocol(kind(self.one, host, port, **more), self.kind())
        return connecting

    def pair(self) -> tuple[Any, Any]:
        """The two ends of a new connection."""
        client = self.network.runUntil(self.connect())
        self.network.advance(0.1)
        return client, self.accepted[-1]

    def assertNothingLeft(self) -> None:
        """All connections are gone."""
        self.network.advance(1)
        self.assertEqual((self.one.leftovers(), self.network.failures), ([], []))
        self.assertEqual(list(self.two.streams), [])
