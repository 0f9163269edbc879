"""
Peer exchange (BEP 11): what to tell each peer of the others, and how much to believe of what it tells.

Pure, and without the messages themselves.  A swarm keeps one L{PexRoster}, a timeline of who joined and
who parted; each peer's L{PexState} remembers up to which point of it that peer was told.  So a peer costs
a few numbers, and not a copy of the swarm.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from twisted_bt.discovery.scopes import Scope, scopeOf, tellable
from twisted_bt.errors import ProtocolError
from twisted_bt.torrent.addresses import PeerAddr

#: Seconds between two messages to a peer (BEP 11).
INTERVAL = 60.0
#: Seconds before the first one: somebody should have connected by then.  rqbit waits as long.
FIRST_DELAY = 10.0
#: Added, and dropped, addresses in a message (BEP 11); the first may hold more, and holds up to
MAX_NEWS, MAX_FIRST = 50, 100
#: BEP 11: with fewer connections than this in a family, those parted from lately are told of too.
FEW_LIVE = 25

#: Partings remembered for those who were not told yet; what is older some of them never hear.
_MAX_PARTED = 2000

#: Messages that a peer may send ahead of one every L{_EVERY} seconds before they are ignored, and before
#: it is enough.  The BEP says one a minute; libtorrent closes at more than six.
_EVERY, _IGNORED, _FLOOD = 20.0, 4.0, 20.0
#: Addresses believed of one peer: as many at first and at most, and further ones a second.
_MAX_BELIEVED, _BELIEVED_RATE = 200, MAX_NEWS / INTERVAL

#: An address and the flags of BEP 11.
Contact = tuple[PeerAddr, int]


class News(NamedTuple):
    """What to put into a message: each address once, in one of the two."""

    added: tuple[Contact, ...]
    dropped: tuple[PeerAddr, ...]


class _Parting(NamedTuple):
    addr: PeerAddr
    joined: int  # its number when it joined


class PexRoster:
    """
    Who is connected to a swarm.

    Everything that happens gets the next number.  Invariant: what is in C{live}, and in C{parted}, is in
    the order of these numbers.
    """

    def __init__(self) -> None:
        self.last = 0
        self.live: OrderedDict[PeerAddr, tuple[int, int]] = OrderedDict()
        self.parted: deque[tuple[int, _Parting]] = deque(maxlen=_MAX_PARTED)
        self.recent: tuple[OrderedDict[PeerAddr, tuple[int, int]], ...] = (OrderedDict(), OrderedDict())
        self._count = [0, 0]

    def joined(self, addr: PeerAddr, flags: int) -> None:
        """
        A handshake was completed with the peer that listens on C{addr}: we dialled it there, or it came
        and told its port.  Once more: its flags are others now.
        """
        if addr in self.live:
            self.live[addr] = (self.live[addr][0], flags)
            return
        self.last += 1
        self.live[addr] = (self.last, flags)
        self.recent[addr.isIPv6].pop(addr, None)
        self._count[addr.isIPv6] += 1

    def left(self, addr: PeerAddr, alive: bool = False) -> None:
        """
        The session with it ended.

        @param alive: we ended it although it was well: both are seeds, there was no room, it is
            connected by another family already.
        """
        entry = self.live.pop(addr, None)
        if entry is None:
            return
        number, flags = entry
        self._count[addr.isIPv6] -= 1
        self.last += 1
        self.parted.append((self.last, _Parting(addr, number)))
        if alive:
            recent = self.recent[addr.isIPv6]
            recent[addr] = (self.last, flags)
            if len(recent) > FEW_LIVE:
                recent.popitem(last=False)

    def joinedSince(self, number: int) -> Iterable[tuple[PeerAddr, int, int]]:
        """Those live who joined after C{number}, the latest first: address, number, flags."""
        for addr, (joined, flags) in reversed(self.live.items()):
            if joined <= number:
                return
            yield addr, joined, flags

    def partedSince(self, number: int) -> list[tuple[int, _Parting]]:
        """The partings after C{number}, the oldest first."""
        found = []
        for entry in reversed(self.parted):
            if entry[0] <= number:
                break
            found.append(entry)
        found.reverse()
        return found

    def recentSince(self, number: int) -> list[Contact]:
        """Well peers parted from after C{number}, of families of which there are few."""
        return [
            (addr, flags)
            for recent, count in zip(self.recent, self._count, strict=True)
            if count < FEW_LIVE
            for addr, (parted, flags) in recent.items()
            if parted > number
        ]


class PexState:
    """
    Peer exchange with one peer: what it was told, and how much it may still tell.

    Invariants of what it is told, whatever happens: no address is in both parts of a message; only who
    was added and not dropped since is dropped; only who was not added, or dropped since, is added; itself
    is never told of.  (But that who parted more than C{_MAX_PARTED} partings ago is not dropped.)

    @param roster: of the swarm.
    @param peer: where the connection comes from.
    @param now: when both said that they speak C{ut_pex}.
    @ivar own: addresses that are the peer itself.
    """

    __slots__ = (
        "_believed",
        "_dropsTold",
        "_dueAt",
        "_first",
        "_heardAt",
        "_level",
        "_peer",
        "_recentTold",
        "_roster",
        "_shown",
        "_told",
        "own",
    )

    def __init__(self, roster: PexRoster, peer: PeerAddr, now: float) -> None:
        self.own = frozenset({peer})
        self._peer = peer
        self._roster = roster
        self._dueAt = now + FIRST_DELAY
        self._first = True
        self._told = 0  # it was told of joinings up to this number,
        self._dropsTold = roster.last  # of partings up to this,
        self._recentTold = 0  # and of the recent ones up to this
        self._shown: tuple[PeerAddr, ...] = ()  # added though parted from: to be dropped next time
        self._level = 0.0
        self._believed = float(_MAX_BELIEVED)
        self._heardAt = now

    def alsoAt(self, addr: PeerAddr) -> None:
        """The peer said that it listens there."""
        self.own |= {addr}

    # -- telling

    def news(self, now: float) -> News | None:
        """What to tell the peer at C{now}; C{None}: nothing, or not yet.  To be sent at once."""
        roster = self._roster
        if now < self._dueAt:
            return None
        if self._told == self._dropsTold == self._recentTold == roster.last and not self._shown:
            return None
        news = self._next()
        if not news.added and not news.dropped:
            return None
        self._first = False
        self._dueAt = now + INTERVAL
        return news

    def _next(self) -> News:
        roster = self._roster
        gone = [
            (number, parting.addr)
            for number, parting in roster.partedSince(self._dropsTold)
            if parting.joined <= self._told and parting.addr not in self.own
        ]
        room = MAX_NEWS - len(self._shown)
        if len(gone) > room:
            # Joinings wait until all who are to be dropped are: somebody may be among both.
            dropped = self._shown + tuple(addr for _, addr in gone[:room])
            self._shown = ()
            if room:
                self._dropsTold = gone[room - 1][0]
            return News((), dropped)
        return self._both((*self._shown, *(addr for _, addr in gone)))

    def _both(self, gone: tuple[PeerAddr, ...]) -> News:
        """All that are to be dropped, and whom to add."""
        roster = self._roster
        limit = MAX_FIRST if self._first else MAX_NEWS
        joined = [each for each in roster.joinedSince(self._told) if each[0] not in self.own]
        joined.reverse()
        self._told = joined[limit - 1][1] if len(joined) > limit else roster.last
        self._dropsTold = roster.last
        window = joined[:limit]
        back = set(gone).intersection(addr for addr, _, _ in window)  # it was away and is here again
        added = [(addr, flags) for addr, _, flags in window if addr not in back]
        recent = [
            contact
            for contact in roster.recentSince(self._recentTold)
            if contact[0] not in gone and contact[0] not in self.own
        ][: limit - len(added)]
        self._recentTold = roster.last
        self._shown = tuple(addr for addr, _ in recent)
        return News((*added, *recent), tuple(addr for addr in gone if addr not in back))

    # -- being told

    def heard(self, added: Sequence[Contact], now: float) -> list[Contact]:
        """
        Those of C{added}, of a message that arrived at C{now}, that may be believed.  Left out are what
        the peer cannot know, further ports of one public host, the peer itself, what is over a limit.

        @raise ProtocolError: messages have come much too often.
        """
        passed = max(0.0, now - self._heardAt)
        self._heardAt = now
        self._level = max(0.0, self._level - passed / _EVERY) + 1
        self._believed = min(_MAX_BELIEVED, self._believed + passed * _BELIEVED_RATE)
        if self._level > _FLOOD:
            raise ProtocolError("a flood of ut_pex messages")
        if self._level > _IGNORED:
            return []
        found: list[Contact] = []
        hosts: set[str] = set()
        for contact in added:
            if len(found) >= MAX_FIRST or self._believed < 1:
                break
            addr = contact[0]
            if addr in self.own or addr.host in hosts or not tellable(addr, self._peer.host):
                continue
            if scopeOf(addr.host) is Scope.WORLD:
                hosts.add(addr.host)
            self._believed -= 1
            found.append(contact)
        return found
