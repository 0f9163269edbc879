"""
Names to addresses, by the resolver of the reactor that was handed in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from twisted_bt.torrent.addresses import PeerAddr, peerAddr
from twisted_bt.tracker.announce import AnnounceResponse
from twisted_bt.tracker.urls import isLiteral

NAME_TIME = 5.0
"""Seconds for the names among a tracker's peers: rare, and not worth the answer's time limit."""


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


def resolve(reactor: Any, host: str, port: int, semantics: str) -> Deferred[list[PeerAddr]]:
    """
    The addresses of C{host}, in the resolver's order; none where it has none.

    @param semantics: C{"TCP"} or C{"UDP"}.
    """
    if isLiteral(host):
        return succeed([peerAddr(host, port)])
    receiver = _Receiver()
    reactor.nameResolver.resolveHostName(receiver, host, port, transportSemantics=semantics)
    return receiver.found


async def resolveNames(reactor: Any, response: AnnounceResponse) -> AnnounceResponse:
    """C{response} with the addresses of its C{names} among its peers, as far as they are found in time."""
    searches = [
        resolve(reactor, host, port, "TCP").addTimeout(NAME_TIME, reactor) for host, port in response.names
    ]
    peers = list(response.peers)
    for success, found in await DeferredList(searches, consumeErrors=True):
        peers += found if success else []
    return replace(response, peers=tuple(dict.fromkeys(peers)), names=())
