"""
Who is not talked to any more: peers that sent blocks which were proved wrong, or that a policy refused.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from twisted_bt.torrent.addresses import PeerAddr

#: Entries kept; the oldest go.
MAX_BANS = 10_000

#: What a banned address counts for its host: where others are connected from there, and where nobody is.
_SHARED, _ALONE, _ENOUGH = 1, 4, 8


class Bans:
    """
    Banned addresses of a client, for as long as it runs.

    A liar may come back from another port: with its second address the whole host is banned.  Where
    others are connected from there, who may be honest or the same liar, it takes eight.
    """

    def __init__(self, limit: int = MAX_BANS) -> None:
        self._limit = limit
        self._addresses: OrderedDict[PeerAddr, None] = OrderedDict()
        self._hosts: OrderedDict[str, int] = OrderedDict()

    def ban(self, addr: PeerAddr, shared: bool = False) -> None:
        """Talk no more to C{addr}; C{shared}: others on that host may be honest: be slow to ban it."""
        if addr in self._addresses:
            return
        self._addresses[addr] = None
        self._hosts[addr.host] = self._hosts.get(addr.host, 0) + (_SHARED if shared else _ALONE)
        while len(self._addresses) > self._limit:
            self._addresses.popitem(last=False)
        while len(self._hosts) > self._limit:
            self._hosts.popitem(last=False)

    def __contains__(self, addr: PeerAddr) -> bool:
        return addr in self._addresses or self.bansHost(addr.host)

    def bansHost(self, host: str) -> bool:
        """Whether C{host} is banned, whatever port it comes from."""
        return self._hosts.get(host, 0) >= _ENOUGH

    def __len__(self) -> int:
        return len(self._addresses)

    def __iter__(self) -> Iterator[PeerAddr]:
        """The addresses, the oldest first."""
        return iter(self._addresses)
