"""For tests of simulated links: transfers, and how quick they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_bt.testing.host import Host
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network
from twisted_bt.testing.tcpsender import TcpSender

Mode = Literal["packets", "flow"]

#: A link that holds nobody up.
WIDE = Link(0.0, 1e9, 1e9)


class Talker(Protocol):
    """Remembers what it hears, and how it ended."""

    transport: Any

    def __init__(self) -> None:
        self.data = bytearray()
        self.times: list[float] = []
        self.reason: BaseException | None = None
        self.now: Callable[[], float] = lambda: 0.0

    def dataReceived(self, data: bytes) -> None:
        """Noted."""
        self.data += data
        self.times.append(self.now())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Noted."""
        self.reason = reason.value

    @property
    def sender(self) -> TcpSender:
        """What brings there what it writes."""
        sender: TcpSender = self.transport.sender
        return sender


@implementer(IPullProducer)
class Endless:
    """Always has more."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """See C{IPullProducer}."""
        self._transport.write(bytes(1 << 16))

    def stopProducing(self) -> None:
        """See C{IProducer}."""


class TransferCase(SynchronousTestCase):
    """
    @ivar network: where everything is.
    @ivar server: the host at 10.0.0.200 that all connect to.
    @ivar heard: its ends of the connections.
    """

    mode: Mode = "packets"

    def build(self, server: Link = WIDE, seed: int = 1) -> None:
        """A new network, with a server."""
        self.network = Network(seed, mode=self.mode)
        self.server = self.network.host("10.0.0.200", link=server)
        self.heard: list[Talker] = []
        factory = Factory.forProtocol(Talker)

        def accept(_: object) -> Talker:
            talker = Talker()
            talker.now = lambda: self.network.now
            self.heard.append(talker)
            return talker

        factory.buildProtocol = accept  # type: ignore[method-assign,assignment]
        self.server.listenTCP(80, factory)

    def dial(self, source: Link | Host) -> tuple[Talker, Talker]:
        """Both ends of a connection from a host, or a new one with this link."""
        host = source if isinstance(source, Host) else self.network.host(link=source)
        endpoint = TCP4ClientEndpoint(host, "10.0.0.200", 80)
        count = len(self.heard)
        client = self.network.runUntil(connectProtocol(endpoint, Talker()))
        self.network.runWhile(lambda: len(self.heard) == count)
        return client, self.heard[-1]

    def rates(self, clients: Sequence[Talker], seconds: float, warmUp: float = 5.0) -> list[float]:
        """Bytes a second that arrive of each of C{clients}, all that were dialled, which send without end."""
        for each in clients:
            Endless(each.transport)
        self.network.advance(warmUp)
        before = [len(each.data) for each in self.heard]
        self.network.advance(seconds)
        return [(len(each.data) - then) / seconds for each, then in zip(self.heard, before, strict=True)]


def fairness(rates: Sequence[float]) -> float:
    """Jain's index: 1 where all are equal, 1/n where one has all."""
    return sum(rates) ** 2 / len(rates) / sum(each * each for each in rates)
