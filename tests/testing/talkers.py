"""
Who talks in tests of the simulated network: a line protocol over TCP, and datagrams.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Factory, Protocol
from twisted.python.failure import Failure

from twisted_bt.testing.host import Host


class Talker(Protocol):
    """Notes what it hears, and how it ended."""

    def __init__(self) -> None:
        self.heard = b""
        self.ended: list[type[BaseException]] = []

    def dataReceived(self, data: bytes) -> None:
        """Noted."""
        self.heard += data

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        """Noted."""
        assert reason.type is not None
        self.ended.append(reason.type)

    @property
    def peer(self) -> tuple[str, int]:
        """Who is at the other end, as this end sees it."""
        assert self.transport is not None
        address = self.transport.getPeer()
        assert isinstance(address, IPv4Address | IPv6Address)
        return address.host, address.port

    def say(self, data: bytes) -> None:
        """Send C{data}."""
        assert self.transport is not None
        self.transport.write(data)


class Answering(Factory):
    """Listens; C{accepted} are its connections."""

    noisy = False

    def __init__(self) -> None:
        self.accepted: list[Talker] = []

    def buildProtocol(self, addr: Any) -> Talker:
        """One more."""
        self.accepted.append(Talker())
        return self.accepted[-1]


class Dialling(ClientFactory):
    """Dials; C{made} is its connection, C{failed} why there is none."""

    noisy = False

    def __init__(self) -> None:
        self.made: Talker | None = None
        self.failed: type[BaseException] | None = None

    def buildProtocol(self, addr: Any) -> Talker:
        """It is made."""
        self.made = Talker()
        return self.made

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """It is not made."""
        self.failed = reason.type


class Datagrams(DatagramProtocol):
    """Notes what comes, and from whom."""

    noisy = False

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, tuple[str, int]]] = []
        self.refused = 0

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """Noted."""
        self.heard.append((datagram, addr))

    def connectionRefused(self) -> None:
        """Noted."""
        self.refused += 1

    @property
    def last(self) -> tuple[str, int]:
        """From where the last one came."""
        return self.heard[-1][1]


def listen(host: Host, port: int) -> Answering:
    """Accept connections at C{port}, of both kinds where the host has both."""
    factory = Answering()
    host.listenTCP(port, factory, interface="::" if any(":" in each for each in host.addresses) else "")
    return factory


def dial(host: Host, address: str, port: int, timeout: float = 30.0) -> Dialling:
    """Connect, and let that take the time that it takes; C{timeout} at most."""
    factory = Dialling()
    host.connectTCP(address, port, factory, timeout)
    network, end = host.network, host.network.now + timeout + 1
    while factory.made is None and factory.failed is None and network.step(end):
        pass
    return factory


class Socket:
    """A UDP socket on C{host}."""

    def __init__(self, host: Host, port: int = 0, interface: str = "") -> None:
        self.protocol = Datagrams()
        self._host = host
        self.port: Any = host.listenUDP(port, self.protocol, interface)
        assert IListeningPort.providedBy(self.port)

    @property
    def number(self) -> int:
        """Its port."""
        return int(self.port.getHost().port)

    @property
    def heard(self) -> list[bytes]:
        """What came so far."""
        return [data for data, _ in self.protocol.heard]

    @property
    def last(self) -> tuple[str, int]:
        """From where the last one came."""
        return self.protocol.last

    def send(self, data: bytes, address: str, port: int) -> None:
        """Send it, and let it arrive."""
        self.port.write(data, (address, port))
        self._host.network.advance(1)
