"""
Ports: which to open so that a node can be at each address.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from twisted_bt.dht.addressnode import Means
from twisted_bt.dht.limits import FloodGuard, SendBudget
from twisted_bt.dht.protocol import KrpcProtocol


class Home(NamedTuple):
    """
    Where one node of ours will live.

    @ivar name: of the address, for what is remembered between runs.
    @ivar address: packed; empty: all there are.
    """

    name: str
    ipv6: bool
    protocol: KrpcProtocol
    address: bytes


def bind(means: Means, interfaces: Sequence[str], number: int) -> tuple[list[Home], list[IListeningPort]]:
    """
    Open ports on C{interfaces}, all with the same number.  They share one budget and one look at who
    floods.

    @param number: of the port; 0: the system picks one.
    @raise CannotListenError: an address is taken, or not ours; no port is left open then.
    """
    binder = _Binder(means, number)
    try:
        for interface in interfaces:
            if interface:
                address = ip_address(interface)
                protocol = binder.listen(interface)
                binder.homes.append(Home(interface, address.version == 6, protocol, address.packed))
            else:
                binder.everywhere()
    except BaseException:
        for port in binder.ports:
            port.stopListening()
        raise
    return binder.homes, binder.ports


class _Binder:
    def __init__(self, means: Means, number: int) -> None:
        settings = means.settings
        self.homes: list[Home] = []
        self.ports: list[IListeningPort] = []
        self._means = means
        self._number = number
        self._budget = SendBudget(settings.sendRate)
        self._floods = FloodGuard(settings.floodRate, settings.floodWindow, settings.floodBlock)

    def listen(self, interface: str) -> KrpcProtocol:
        """One more port."""
        means = self._means
        reactor: Any = means.reactor
        protocol = KrpcProtocol(means.reactor, means.random, means.settings, self._budget, self._floods)
        port = reactor.listenUDP(self._number, protocol, interface=interface)
        self.ports.append(port)
        self._number = port.getHost().port
        return protocol

    def everywhere(self) -> None:
        """On all addresses, of both families."""
        try:
            protocol6 = self.listen("::")
        except CannotListenError:
            # There is no IPv6 here; or if the port is taken, it is for IPv4 too.
            self.homes.append(Home("*/4", False, self.listen("0.0.0.0"), b""))
            return
        try:
            protocol4 = self.listen("0.0.0.0")  # where IPv6 ports are for IPv6 alone, as on Windows
        except CannotListenError:
            protocol4 = protocol6
            protocol6.dual = True
        self.homes.append(Home("*/4", False, protocol4, b""))
        self.homes.append(Home("*/6", True, protocol6, b""))
