"""
Kinds of NAT, in the terms of RFC 4787 (UDP) and RFC 5382 (TCP), and what one remembers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import inf
from random import Random

from twisted_bt.testing.route import Endpoint

#: Ports that a NAT gives out.
_FIRST, _LAST = 1024, 65535


class Dependence(Enum):
    """On how much of the address of the other side something depends."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"

    def part(self, there: Endpoint) -> tuple[object, ...]:
        """As much of C{there}."""
        match self:
            case Dependence.ENDPOINT_INDEPENDENT:
                return ()
            case Dependence.ADDRESS_DEPENDENT:
                return (there.host,)
            case Dependence.ADDRESS_AND_PORT_DEPENDENT:
                return there


@dataclass(frozen=True)
class NatKind:
    """
    @ivar mapping: which others see the same port of the NAT for one port behind it (RFC 4787, section 4.1).
    @ivar filtering: who may send to such a port: anybody, or only whom something was sent to before
        (section 5).
    @ivar hairpin: whether hosts behind it reach each other by the NAT's own address (section 6).
    @ivar preserving: whether it takes the same number outside where that is free (section 4.2.1).
    @ivar udpTimeout: seconds after the last datagram going out at which it forgets (section 4.3).
    @ivar openingTimeout: seconds after which it forgets a TCP connection on which nothing came back
        (RFC 5382, section 5).
    @ivar tcpTimeout: seconds after which it forgets one that is idle.
    @ivar capacity: how many ports it remembers at most; nothing new gets through then.
    """

    mapping: Dependence
    filtering: Dependence
    hairpin: bool = False
    preserving: bool = True
    udpTimeout: float = 120.0
    openingTimeout: float = 240.0
    tcpTimeout: float = 7440.0
    capacity: int = 60_000


#: Whatever was once sent from can be reached by anybody.
FULL_CONE = NatKind(Dependence.ENDPOINT_INDEPENDENT, Dependence.ENDPOINT_INDEPENDENT)
#: ... by hosts to which something was sent.
ADDRESS_RESTRICTED = NatKind(Dependence.ENDPOINT_INDEPENDENT, Dependence.ADDRESS_DEPENDENT)
#: ... by ports to which something was sent: what most homes have.
PORT_RESTRICTED = NatKind(Dependence.ENDPOINT_INDEPENDENT, Dependence.ADDRESS_AND_PORT_DEPENDENT)
#: Everybody sees another port, and may answer to that only: companies, carriers.
SYMMETRIC = NatKind(
    Dependence.ADDRESS_AND_PORT_DEPENDENT, Dependence.ADDRESS_AND_PORT_DEPENDENT, preserving=False
)


class Mapping:
    """
    A port of the NAT that stands for a port of somebody behind it.

    @ivar inner: the latter.
    @ivar outer: the former.
    """

    def __init__(self, inner: Endpoint, outer: Endpoint, lasts: float, filtering: Dependence) -> None:
        """
        @param lasts: seconds of idleness after which it is forgotten.
        """
        self.inner = inner
        self.outer = outer
        self.lasts = lasts
        self._filtering = filtering
        self._used = -inf
        self._expected: dict[tuple[object, ...], float] = {}

    def use(self, there: Endpoint, now: float) -> None:
        """Something goes to C{there}."""
        self._used = now
        self._expected[self._filtering.part(there)] = now

    def alive(self, now: float) -> bool:
        """Whether it is remembered."""
        return now - self._used <= self.lasts

    def admits(self, there: Endpoint, now: float) -> bool:
        """Whether something from C{there} may come in."""
        return self.alive(now) and now - self._expected.get(self._filtering.part(there), -inf) <= self.lasts


class Forwarding(Mapping):
    """A mapping that somebody set up: for good, and for everybody."""

    def __init__(self, inner: Endpoint, outer: Endpoint) -> None:
        super().__init__(inner, outer, inf, Dependence.ENDPOINT_INDEPENDENT)

    def use(self, there: Endpoint, now: float) -> None:
        """Nothing is noted."""

    def alive(self, now: float) -> bool:
        """Always."""
        return True

    def admits(self, there: Endpoint, now: float) -> bool:
        """Everybody."""
        return True


class Session:
    """A mapping as one connection or datagram uses it; see L{Gateway<twisted_bt.testing.route.Gateway>}."""

    def __init__(self, table: Mappings, mapping: Mapping, there: Endpoint, lasts: float) -> None:
        self._table = table
        self._mapping = mapping
        self._there = there
        self._lasts = lasts

    @property
    def inner(self) -> Endpoint:
        """Behind the NAT."""
        return self._mapping.inner

    @property
    def outer(self) -> Endpoint:
        """Before it."""
        return self._mapping.outer

    def passes(self) -> bool:
        """Something more comes by on the connection: is it remembered?"""
        mapping, now = self._mapping, self._table.seconds()
        if not (self._table.has(mapping) and mapping.alive(now)):
            return False
        mapping.lasts = max(mapping.lasts, self._lasts)
        mapping.use(self._there, now)
        return True


class Mappings:
    """
    All that a NAT remembers.

    @ivar kind: how it behaves; may be exchanged, which what is remembered does not notice.
    @ivar seconds: the time.
    """

    def __init__(self, kind: NatKind, random: Random, seconds: Callable[[], float]) -> None:
        self.kind = kind
        self.seconds = seconds
        self._random = random
        self._inner: dict[tuple[object, ...], Mapping] = {}
        self._outer: dict[tuple[str, Endpoint], Mapping] = {}
        self._tidied = -inf

    def __len__(self) -> int:
        now = self.seconds()
        return sum(each.alive(now) for each in self._outer.values())

    def has(self, mapping: Mapping) -> bool:
        """Whether it was not forgotten at once with all others."""
        return any(self._outer.get((kind, mapping.outer)) is mapping for kind in ("tcp", "udp"))

    def forget(self) -> None:
        """Start anew, forwardings too."""
        self._inner.clear()
        self._outer.clear()

    def forward(self, kind: str, inner: Endpoint, outer: Endpoint) -> None:
        """From now on C{outer} is C{inner}."""
        made = Forwarding(inner, outer)
        self._outer[kind, outer] = self._inner[kind, inner] = made

    def outgoing(self, kind: str, inner: Endpoint, there: Endpoint, address: str) -> Session | None:
        """
        Something goes from C{inner} to C{there}, and is seen there under C{address}.

        @return: C{None}: no port is free.
        """
        now, rules = self.seconds(), self.kind
        mapping = self._inner.get((kind, inner))
        if mapping is None:
            key = (kind, inner, rules.mapping.part(there), address)
            mapping = self._inner.get(key)
            if mapping is None or not mapping.alive(now):
                mapping = self._made(kind, inner, address)
                if mapping is None:
                    return None
                self._inner[key] = mapping
        mapping.use(there, now)
        return self._session(kind, mapping, there)

    def incoming(self, kind: str, outer: Endpoint, there: Endpoint) -> Session | None:
        """Something comes from C{there} to C{outer}.  @return: C{None}: it may not come in."""
        mapping = self._outer.get((kind, outer))
        if mapping is None or not mapping.admits(there, self.seconds()):
            return None
        return self._session(kind, mapping, there)

    def _session(self, kind: str, mapping: Mapping, there: Endpoint) -> Session:
        return Session(self, mapping, there, self.kind.tcpTimeout if kind == "tcp" else self.kind.udpTimeout)

    def _made(self, kind: str, inner: Endpoint, address: str) -> Mapping | None:
        outer = self._free(kind, inner.port, address)
        if outer is None:
            return None
        rules = self.kind
        lasts = rules.openingTimeout if kind == "tcp" else rules.udpTimeout
        mapping = self._outer[kind, outer] = Mapping(inner, outer, lasts, rules.filtering)
        return mapping

    def _free(self, kind: str, number: int, address: str) -> Endpoint | None:
        if len(self._outer) >= self.kind.capacity:
            self._tidy()
            if len(self._outer) >= self.kind.capacity:
                return None
        if self.kind.preserving and self._isFree(kind, outer := Endpoint(address, number)):
            return outer
        while True:
            outer = Endpoint(address, self._random.randrange(_FIRST, _LAST + 1))
            if self._isFree(kind, outer):
                return outer

    def _isFree(self, kind: str, outer: Endpoint) -> bool:
        mapping = self._outer.get((kind, outer))
        return mapping is None or not mapping.alive(self.seconds())

    def _tidy(self) -> None:
        now = self.seconds()
        if now < self._tidied + 1.0:
            return  # who is full is asked often
        self._tidied = now
        for table in (self._inner, self._outer):
            for key in [key for key, each in table.items() if not each.alive(now)]:
                del table[key]  # type: ignore[arg-type]
