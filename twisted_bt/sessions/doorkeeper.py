"""
Who may knock: decided before anything is made for a connection, so that those turned away cost little.

In quiet times a host may come as often as any does.  When there is a crowd at the door, each
host gets a few tries in a while, so that a storm from some leaves the others' way in free; who was
found to flood gets none for minutes.  And of those inside the door that have not said what they want,
the host with the most loses its oldest to a newcomer: honest peers say it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Generic, TypeVar

#: Seconds over which connections are counted.
WINDOW = 10.0
#: Connections of one host in that time, in quiet; many peers may share an address.
QUIET = 200
#: Connections of all in that time that make it a crowd, and those of one host then.
CROWD = 500
FEW = 3
#: Hosts counted at a time, and kept out at a time.
HOSTS = 10_000
#: Seconds that a host is kept out.
SHUNNED = 300.0

T = TypeVar("T")


def network(host: str) -> str:
    """What one party can be taken to have: an address, or with IPv6 all 64 bits that a line gets."""
    if ":" not in host:
        return host
    try:
        return str(IPv6Address(int(IPv6Address(host.partition("%")[0])) >> 64 << 64))
    except ValueError:
        return host


class Doorkeeper(Generic[T]):
    """
    @param most: how many may be inside the door at a time.
    @param now: seconds, of a clock that only goes forward.
    """

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._most = most
        self._now = now
        self._began = now()
        self._counts: dict[str, int] = {}
        self._total = 0
        self._shunned: dict[str, float] = {}
        self._inside: dict[str, dict[T, None]] = {}
        self._number = 0

    def __len__(self) -> int:
        return self._number

    def admits(self, host: str) -> bool:
        """Whether a connection from C{host} may come in; it is counted."""
        now, home = self._now(), network(host)
        until = self._shunned.get(home)
        if until is not None:
            if now < until:
                return False
            del self._shunned[home]
        if now - self._began >= WINDOW:
            self._began, self._total = now, 0
            self._counts.clear()
        self._total += 1
        count = self._counts.get(home, 0) + 1
        if count == 1 and len(self._counts) >= HOSTS:
            return False
        self._counts[home] = count
        return count <= (QUIET if self._total <= CROWD else FEW)

    def shun(self, host: str) -> None:
        """Keep C{host} out for some minutes."""
        if len(self._shunned) >= HOSTS:
            del self._shunned[next(iter(self._shunned))]
        self._shunned[network(host)] = self._now() + SHUNNED

    def enter(self, host: str, one: T) -> T | None:
        """C{one} is inside the door now; the result, if any, has to go for it."""
        gone = self._evict() if self._number >= self._most else None
        self._inside.setdefault(network(host), {})[one] = None
        self._number += 1
        return gone

    def leave(self, host: str, one: T) -> None:
        """C{one} said what it wants, or is gone; twice is the same as once."""
        home = network(host)
        here = self._inside.get(home, {})
        if one in here:
            del here[one]
            self._number -= 1
            if not here:
                del self._inside[home]

    def _evict(self) -> T:
        """The oldest of the host that has the most inside; of several, of the one that came first."""
        home = max(self._inside, key=lambda each: len(self._inside[each]))
        oldest = next(iter(self._inside[home]))
        self.leave(home, oldest)
        return oldest
