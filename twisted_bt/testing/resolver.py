"""
Names of the simulated network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host


def isLiteral(host: str) -> bool:
    """Whether C{host} is an address and no name."""
    return ":" in host or host.replace(".", "").isdigit()


@implementer(IHostResolution)
class Resolution:
    """One look-up under way."""

    call: IDelayedCall | None = None

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """See C{IHostResolution}."""
        if self.call is not None and self.call.active():
            self.call.cancel()


@implementer(IHostnameResolver)
class SimulatedResolver:
    """
    Answers after a round trip of the host's own link; off line, that there is nothing of that name.

    @param find: the addresses of a name; none if it has none.
    """

    def __init__(self, host: Host, find: Callable[[str], Sequence[str]]) -> None:
        self._host = host
        self._find = find

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """See C{IHostnameResolver}."""
        kinds: Sequence[Any] = addressTypes or (IPv4Address, IPv6Address)
        resolution = Resolution(hostName)

        def answer() -> None:
            known = self._find(hostName) if self._host.online else ()
            for found in [hostName] if isLiteral(hostName) else known:
                kind = IPv6Address if ":" in found else IPv4Address
                if kind in kinds:
                    semantics: Any = transportSemantics
                    resolutionReceiver.addressResolved(kind(semantics, found, portNumber))
            resolutionReceiver.resolutionComplete()

        resolutionReceiver.resolutionBegan(resolution)
        delay = 0.0 if isLiteral(hostName) else 2 * self._host.link.latency
        resolution.call = self._host.callLater(delay, answer)
        return resolution
