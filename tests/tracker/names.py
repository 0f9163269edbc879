"""A name resolver in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer


@implementer(IHostnameResolver, IHostResolution)
class Names:
    """
    Knows the addresses of C{hosts}.  Of a name whose addresses are C{None} it never says anything.
    """

    name = ""

    def __init__(self, hosts: dict[str, list[str] | None]) -> None:
        self.hosts = hosts
        self.asked: list[str] = []

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """See L{IHostnameResolver}."""
        self.asked.append(hostName)
        resolutionReceiver.resolutionBegan(self)
        found = self.hosts.get(hostName, [])
        if found is not None:
            for each in found:
                kind: Any = IPv6Address if ":" in each else IPv4Address
                resolutionReceiver.addressResolved(kind(transportSemantics, each, portNumber))
            resolutionReceiver.resolutionComplete()
        return self

    def cancel(self) -> None:
        """As Twisted's own."""
        raise NotImplementedError
