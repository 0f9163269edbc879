"""
Which sockets of a host have which numbers.
"""

from __future__ import annotations

import errno
from collections.abc import Collection
from typing import Any

from twisted.internet.error import CannotListenError

#: Numbers given to who does not care.
_FIRST, _LAST = 49152, 65535

#: Bound to these, a socket gets what comes to any address: of IPv4, or of both kinds.
_ANY_IPV4 = ("", "0.0.0.0")
_ANY = "::"


class PortTable:
    """
    One for TCP and one for UDP.

    @param addresses: those of the host.
    """

    def __init__(self, addresses: Collection[str]) -> None:
        self._addresses = addresses
        self._bound: dict[int, dict[str, list[Any]]] = {}
        self._shared: dict[Any, None] = {}
        self._last = _LAST

    def __len__(self) -> int:
        return sum(len(sockets) for bound in self._bound.values() for sockets in bound.values())

    def ephemeral(self) -> int:
        """A number that nobody has, and that was not given out lately."""
        for _ in range(_FIRST, _LAST + 1):
            self._last = _FIRST if self._last >= _LAST else self._last + 1
            if self._last not in self._bound:
                return self._last
        raise CannotListenError("", 0, OSError(errno.EADDRINUSE, "no port is free"))

    def check(self, interface: str, number: int, shared: bool = False) -> None:
        """
        May a socket be bound there?

        @param shared: it does not mind others, if these do not mind either.
        @raise CannotListenError: the address is taken, or not one of this host.
        """
        if interface not in (*_ANY_IPV4, _ANY) and interface not in self._addresses:
            raise CannotListenError(interface, number, OSError(errno.EADDRNOTAVAIL, "not an address here"))
        for other, sockets in self._bound.get(number, {}).items():
            if _overlap(interface, other) and not (shared and all(each in self._shared for each in sockets)):
                raise CannotListenError(interface, number, OSError(errno.EADDRINUSE, "address in use"))

    def bind(self, interface: str, number: int, socket: Any, shared: bool = False) -> None:
        """C{socket} gets what comes there.  @raise CannotListenError: as L{check} says."""
        self.check(interface, number, shared)
        self._bound.setdefault(number, {}).setdefault(interface, []).append(socket)
        if shared:
            self._shared[socket] = None

    def free(self, socket: Any) -> None:
        """C{socket} gets nothing more."""
        self._shared.pop(socket, None)
        for number, bound in list(self._bound.items()):
            for interface, sockets in list(bound.items()):
                if socket in sockets:
                    sockets.remove(socket)
                if not sockets:
                    del bound[interface]
            if not bound:
                del self._bound[number]

    def sockets(self) -> list[Any]:
        """All of them."""
        return [each for bound in self._bound.values() for sockets in bound.values() for each in sockets]

    def find(self, address: str, number: int) -> Any:
        """
        The socket that gets what comes to C{address} and C{number}, of several the last; C{None}: there
        is none.
        """
        bound = self._bound.get(number, {})
        ways = (address, _ANY) if ":" in address else (address, *_ANY_IPV4, _ANY)
        return next((bound[way][-1] for way in ways if way in bound), None)

    def findAll(self, number: int) -> list[Any]:
        """All sockets of that number."""
        return [each for sockets in self._bound.get(number, {}).values() for each in sockets]


def _overlap(one: str, other: str) -> bool:
    if one == other or _ANY in (one, other):
        return True
    one, other = ("" if each in _ANY_IPV4 else each for each in (one, other))
    return one == other or (not one and ":" not in other) or (not other and ":" not in one)
