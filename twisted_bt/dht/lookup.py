"""
One iterative search of the table (BEP 5): whom to ask next, and when it is over.

Pure: whoever runs it asks what L{Lookup.toAsk} says and tells what came of it.

It goes nearer and nearer to the target, with C{alpha} queries under way at a time; one that takes long
no longer counts among them.  It ends when the C{k} nearest it heard of answered.  BEP 42: only nodes whose
ids fit their addresses count there.  Others may be asked too, but no more than C{k} of them: a thousand
ids made up around the target cost eight queries and decide nothing.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from enum import Enum
from operator import attrgetter

from twisted_bt.dht.messages import NodeInfo
from twisted_bt.dht.nodeid import ID_BITS, isLocal, isSecure, number, packed
from twisted_bt.torrent.addresses import PeerAddr

#: Queries under way at a time; libtorrent's.
ALPHA = 5

#: Most nodes kept in mind, and most asked, whatever others say.
_MAX_CANDIDATES = 400
_MAX_ASKED = 200
#: Most nodes that one answer may add.
_MAX_FROM_ONE = 16


class State(Enum):
    """What became of a candidate."""

    NEW = "new"
    ASKED = "asked"
    SLOW = "slow"
    ANSWERED = "answered"
    FAILED = "failed"


class Candidate:
    """
    A node that might be near.

    @ivar id: C{None}: not known, as with a router.
    @ivar depth: how many nodes told of one another until this one was told of; hops.
    @ivar secure: whether its id fits its address.
    @ivar token: from its answer.
    """

    __slots__ = ("addr", "depth", "distance", "id", "secure", "state", "token")

    def __init__(self, addr: PeerAddr, nodeId: bytes | None, distance: int, depth: int, secure: bool) -> None:
        self.addr = addr
        self.id = nodeId
        self.distance = distance
        self.depth = depth
        self.secure = secure
        self.state = State.NEW
        self.token: bytes | None = None


_FAR = 1 << ID_BITS
_byDistance = attrgetter("distance")


class Lookup:
    """
    @param target: an id or info-hash.
    @param ownId: ours; we do not ask ourselves.
    @param secure: whether BEP 42 counts.
    @ivar asked: how many nodes were asked.
    @ivar hops: the depth of the deepest node that answered.
    """

    def __init__(
        self, target: bytes, ownId: bytes = b"", k: int = 8, alpha: int = ALPHA, secure: bool = True
    ) -> None:
        self.target = target
        self.asked = 0
        self.hops = 0
        self._number = number(target)
        self._k = k
        self._alpha = alpha
        self._secure = secure
        self._candidates: list[Candidate] = []  # nearest first
        self._ids: set[bytes] = {ownId}
        self._addresses: set[PeerAddr | bytes] = set()
        self._doubtful: set[PeerAddr | bytes] = set()
        self._underWay = 0
        self._slow = 0
        self._insecureLeft = k

    # -- what happens

    def offer(self, nodes: Iterable[NodeInfo], depth: int = 0) -> None:
        """Here are C{nodes} to begin with."""
        for node in nodes:
            self._consider(node.addr, node.id, depth)

    def offerAddresses(self, addresses: Iterable[PeerAddr]) -> None:
        """Here are nodes whose ids nobody knows."""
        for addr in addresses:
            self._consider(addr, None, 0)

    def answered(
        self, candidate: Candidate, nodeId: bytes, nodes: list[NodeInfo], token: bytes | None = None
    ) -> None:
        """C{candidate} answered under that id, and told of C{nodes}."""
        self._ended(candidate, State.ANSWERED)
        if candidate.id is None:
            self._identify(candidate, nodeId)
        candidate.token = token
        self.hops = max(self.hops, candidate.depth)
        self.offer(nodes[:_MAX_FROM_ONE], candidate.depth + 1)

    def slow(self, candidate: Candidate) -> None:
        """C{candidate} takes its time; another may be asked meanwhile."""
        if candidate.state is State.ASKED:
            candidate.state = State.SLOW
            self._underWay -= 1
            self._slow += 1

    def failed(self, candidate: Candidate) -> None:
        """C{candidate} did not answer, or not as it should."""
        self._ended(candidate, State.FAILED)

    def _ended(self, candidate: Candidate, state: State) -> None:
        if candidate.state is State.ASKED:
            self._underWay -= 1
        elif candidate.state is State.SLOW:
            self._slow -= 1
        candidate.state = state

    # -- what to do

    def toAsk(self) -> list[Candidate]:
        """Whom to ask now; they count as asked."""
        chosen: list[Candidate] = []
        room = min(self._alpha - self._underWay, _MAX_ASKED - self.asked)
        if room <= 0:
            return chosen
        answered = 0
        for candidate in self._candidates:
            state = candidate.state
            if state is State.ANSWERED:
                answered += candidate.secure
                if answered >= self._k:
                    break
            elif state is State.NEW:
                if not candidate.secure:
                    if self._insecureLeft == 0:
                        continue
                    self._insecureLeft -= 1
                candidate.state = State.ASKED
                chosen.append(candidate)
                if len(chosen) == room:
                    break
        self._underWay += len(chosen)
        self.asked += len(chosen)
        return chosen

    def isNear(self, candidate: Candidate) -> bool:
        """Whether C{candidate} is among the C{k} nearest that did not fail: worth asking twice."""
        nearer = 0
        for each in self._candidates:
            if each is candidate:
                return True
            nearer += each.secure and each.state is not State.FAILED
            if nearer == self._k:
                break
        return False

    @property
    def finished(self) -> bool:
        """
        Whether it is over, L{toAsk} having nobody: nothing is under way, and slow ones are waited for
        only where less than C{k} answered.
        """
        if self._underWay:
            return False
        return self._slow == 0 or len(self.closest()) >= self._k

    def closest(self) -> list[Candidate]:
        """The C{k} nearest that answered and may be trusted, in order."""
        found: list[Candidate] = []
        for candidate in self._candidates:
            if candidate.state is State.ANSWERED and candidate.secure:
                found.append(candidate)
                if len(found) == self._k:
                    break
        return found

    # -- inside

    def _consider(self, addr: PeerAddr, nodeId: bytes | None, depth: int) -> None:
        if nodeId is not None and nodeId in self._ids:
            return
        address = packed(addr.host)
        local = isLocal(address)
        secure = local or not self._secure or nodeId is None or isSecure(nodeId, address)
        # An id that does not fit takes no address away from one that does.
        taken = self._addresses if secure else self._doubtful
        # Globally, one node for an address: whoever has one machine has one voice.
        place = addr if local or not self._secure else address
        if place in taken:
            return
        distance = _FAR if nodeId is None else number(nodeId) ^ self._number
        if len(self._candidates) >= _MAX_CANDIDATES:
            last = self._candidates[-1]
            if distance >= last.distance or last.state is not State.NEW:
                return
            del self._candidates[-1]
        taken.add(place)
        if nodeId is not None:
            self._ids.add(nodeId)
        insort(self._candidates, Candidate(addr, nodeId, distance, depth, secure), key=_byDistance)

    def _identify(self, candidate: Candidate, nodeId: bytes) -> None:
        """A node without a known id told it."""
        self._candidates.remove(candidate)
        candidate.id = nodeId
        candidate.distance = number(nodeId) ^ self._number
        candidate.secure = not self._secure or isSecure(nodeId, packed(candidate.addr.host))
        self._ids.add(nodeId)
        insort(self._candidates, candidate, key=_byDistance)
