"""
The listening services of a client: one for peers, one for DHT nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort

T = TypeVar("T")


class ClientService(Service):
    """
    Something that listens on a port, on one or several addresses.

    @ivar ports: what is listened on while running.
    """

    def __init__(self, name: str, listen: Callable[[], Sequence[IListeningPort]]) -> None:
        """
        @param listen: binds and returns the ports; what it raises (C{CannotListenError}) leaves
            C{startService}, and the service is not running then.
        """
        self.setName(name)
        self._listen = listen
        self.ports: tuple[IListeningPort, ...] = ()
        self._closed: Deferred[None] = succeed(None)

    @property
    def port(self) -> int | None:
        """The number of the first port while running, else C{None}."""
        return getattr(self.ports[0].getHost(), "port", None) if self.ports else None

    def startService(self) -> None:
        """Listen; twice is the same as once."""
        if self.running:
            return
        self.ports = tuple(self._listen())
        super().startService()

    def stopService(self) -> Deferred[None]:
        """Fires once every port is closed; again if called again."""
        if self.running:
            super().stopService()
            ports, self.ports = self.ports, ()
            closing = DeferredList([maybeDeferred(port.stopListening) for port in ports], consumeErrors=True)
            self._closed = closing.addCallback(lambda _: None)
        done: Deferred[None] = Deferred()
        self._closed.addBoth(lambda _: done.callback(None))
        return done


def withRunning(
    service: ClientService, otherwise: Callable[[], T], action: Callable[[ClientService], T]
) -> T:
    """
    What C{action} makes of C{service} while it runs, else what C{otherwise} says.  Only looks: the
    service is left as it is.
    """
    return action(service) if service.running else otherwise()
