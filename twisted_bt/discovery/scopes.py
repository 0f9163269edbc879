"""
How far an address reaches, and who can know of it.

RFC 6890 (special addresses).  An address that means nothing outside of some host, link or site can
be told of by somebody there only.  From anybody else it is a mistake, or a try to make us knock at the
doors of our own network.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from twisted_bt.torrent.addresses import PeerAddr


class Scope(IntEnum):
    """Where an address means the same host to everybody; the greater the wider."""

    NOWHERE = 0  # no host's: a group, unspecified, reserved
    HOST = 1
    LINK = 2
    SITE = 3  # private networks, carriers' NAT, overlays, what is set aside for tests and examples
    WORLD = 4


def _table(**ranges: str) -> tuple[tuple[int, int, Scope], ...]:
    """Lowest and highest address of each range, as numbers; the first that fits counts."""
    return tuple(
        (int(network[0]), int(network[-1]), Scope[name])
        for name, texts in ranges.items()
        for network in map(ip_network, texts.split())
    )


_IPV4 = _table(
    NOWHERE="0.0.0.0/8 224.0.0.0/3",
    HOST="127.0.0.0/8",
    LINK="169.254.0.0/16",
    SITE="10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 198.18.0.0/15"
    " 192.0.0.0/24 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24",
    WORLD="0.0.0.0/0",
)
_IPV6 = _table(
    HOST="::1/128",
    NOWHERE="::/8 100::/64 ff00::/8",  # IPv4 mapped into IPv6 is written as IPv4 here
    LINK="fe80::/10",
    SITE="2001:db8::/32",
    WORLD="2000::/3",
)
#: Other ranges of IPv6 are private, or nobody's but of an overlay network.
_IPV6_REST = Scope.SITE
_NAT64 = bytes.fromhex("0064ff9b0000000000000000")


@lru_cache(maxsize=4096)
def scopeOf(host: str) -> Scope:
    """How far the IP literal C{host} reaches; L{Scope.NOWHERE} if it is none, or not in its shortest form."""
    family = AF_INET6 if ":" in host else AF_INET
    try:
        packed = inet_pton(family, host)
    except (OSError, ValueError):
        return Scope.NOWHERE
    if inet_ntop(family, packed) != host:
        return Scope.NOWHERE
    number = int.from_bytes(packed, "big")
    if family == AF_INET:
        return next(scope for low, high, scope in _IPV4 if low <= number <= high)
    if packed.startswith(_NAT64):
        return Scope.WORLD
    return next((scope for low, high, scope in _IPV6 if low <= number <= high), _IPV6_REST)


def dialable(addr: PeerAddr) -> bool:
    """
    Whether C{addr} may be a peer's: a host's address, and a port.  Those of one IPv6 link are left
    out: without the name of the link nobody can connect to them.
    """
    scope = scopeOf(addr.host)
    return 0 < addr.port < 65536 and scope is not Scope.NOWHERE and not (scope is Scope.LINK and addr.isIPv6)


def tellable(addr: PeerAddr, teller: str) -> bool:
    """Whether the host C{teller}, from where it is, can know C{addr} as an address of somebody else."""
    return dialable(addr) and scopeOf(addr.host) >= scopeOf(teller)
