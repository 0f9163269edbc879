"""
Names to addresses, by the resolver of the reactor that was handed in.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from twisted_bt.torrent.addresses import PeerAddr, peerAddr


@implementer(IResolutionReceiver)
class _Receiver:
    """Collects what a resolver finds."""

    def __init__(self) -> None:
        # Cancelling does not reach the resolver: Twisted's own cannot stop what runs in a thread.
        self.found: Deferred[list[PeerAddr]] = Deferred()
        self._addresses: dict[PeerAddr, None] = {}

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Nothing to do yet."""

    def addressResolved(self, address: IAddress) -> None:
        """Keep C{address}."""
        if isinstance(address, (IPv4Address, IPv6Address)):
            self._addresses[peerAddr(address.host, address.port)] = None

    def resolutionComplete(self) -> None:
        """Hand over what was found."""
        self.found.callback(list(self._addresses))


def resolve(reactor: Any, host: str, port: int, semantics: str = "TCP") -> Deferred[list[PeerAddr]]:
    """
    The addresses of C{host} (a name or an IP literal), in the resolver's order; none where it has none.

    @param port: 1 to 65535.
    @param semantics: C{"TCP"} or C{"UDP"}.
    """
    try:
        return succeed([peerAddr(host, port)])
    except ValueError:  # no literal
        receiver = _Receiver()
        reactor.nameResolver.resolveHostName(receiver, host, port, transportSemantics=semantics)
        return receiver.found
