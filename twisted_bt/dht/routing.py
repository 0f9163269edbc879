"""
The routing table (BEP 5): buckets of k nodes each, many near our own id and few far away.

Only nodes that answered a query of ours become contacts.  A contact is

  - I{good}: it answered within 15 minutes, or answered once and asked us something within them;
  - I{questionable}: it did neither for that long;
  - I{bad}: it left several queries in a row unanswered.

A bucket that is full keeps its good contacts; others that answered wait as replacements, and the bad
one makes place for the latest of them.  Only the bucket that our own id falls into is split.

With C{secure} a node at a global address must have an id that fits it (BEP 42), each such address is
there once, and a bucket has one of each neighbourhood (/24, /64): what somebody who owns one network
can fill is a small part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from twisted_bt.dht.messages import NodeInfo
from twisted_bt.dht.nodeid import ID_BITS, idWithPrefix, isLocal, isSecure, network, number, packed
from twisted_bt.interfaces import Random
from twisted_bt.torrent.addresses import PeerAddr

#: Contacts in a bucket (BEP 5).
K = 8

#: Seconds after which a silent contact is questionable, and an unchanged bucket looked after (BEP 5).
FRESH = 900.0

#: Queries in a row left unanswered: then a contact is bad.
MAX_FAILURES = 3
#: And then it goes, even with nobody to replace it; well beyond a short loss of our own network.
GONE_FAILURES = 12


class Contact:
    """
    A node in the table.

    @ivar node: who it is and where.
    @ivar answered: when it last answered us.
    @ivar heard: when it last answered or asked.
    @ivar failures: queries in a row that it left unanswered.
    """

    __slots__ = ("answered", "compact", "failures", "heard", "node", "number", "place")

    def __init__(self, node: NodeInfo, now: float) -> None:
        address = packed(node.addr.host)
        self.node: Final = node
        self.number: Final = number(node.id)
        self.compact: Final = node.id + address + node.addr.port.to_bytes(2, "big")
        #: Its address and its neighbourhood, where these may be there once only.
        self.place: Final = None if isLocal(address) else (address, network(address))
        self.answered = now
        self.heard = now
        self.failures = 0

    def isGood(self, now: float) -> bool:
        """BEP 5; see the top of this module."""
        return self.failures == 0 and now - self.heard < FRESH


class _Bucket:
    """
    @ivar changed: when a contact was added or answered.
    @ivar packed: what L{RoutingTable.closestPacked} gives for all its targets; C{None}: not known.
    """

    __slots__ = ("changed", "contacts", "packed", "spares")

    def __init__(self, changed: float) -> None:
        self.contacts: list[Contact] = []
        self.spares: list[Contact] = []
        self.changed = changed
        self.packed: bytes | None = None


class RoutingTable:
    """
    @param ownId: ours; it is never in the table.
    @param secure: see the top of this module.
    """

    def __init__(self, ownId: bytes, now: float, secure: bool = True, k: int = K) -> None:
        self.ownId = ownId
        self._own = number(ownId)
        self._secure = secure
        self._k = k
        self._buckets = [_Bucket(now)]
        self._byId: dict[bytes, Contact] = {}
        self._byAddr: dict[PeerAddr, Contact] = {}
        self._addresses: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._byId)

    def __iter__(self) -> Iterator[Contact]:
        return iter(list(self._byId.values()))

    @property
    def depth(self) -> int:
        """How many buckets there are."""
        return len(self._buckets)

    def bucketSizes(self) -> list[int]:
        """How many contacts each bucket has, the farthest first."""
        return [len(bucket.contacts) for bucket in self._buckets]

    def find(self, nodeId: bytes) -> Contact | None:
        """The contact of that id."""
        return self._byId.get(nodeId)

    def idAt(self, addr: PeerAddr) -> bytes | None:
        """The id of the contact at C{addr}."""
        contact = self._byAddr.get(addr)
        return None if contact is None else contact.node.id

    # -- what happens

    def answered(self, node: NodeInfo, now: float) -> NodeInfo | None:
        """
        C{node} answered a query of ours from that address.

        @return: a questionable contact in whose place it might come: ping it.
        """
        contact = self._byId.get(node.id)
        if contact is not None:
            if contact.node.addr != node.addr:
                # Two claim one id.  The one we know keeps it, as long as it answers.
                return contact.node if contact.failures or not contact.isGood(now) else None
            contact.answered = contact.heard = now
            bucket = self._bucketOf(contact.number)
            bucket.changed = now
            if contact.failures:
                contact.failures = 0
                bucket.packed = None
            return None
        other = self._byAddr.get(node.addr)
        if other is not None:
            self._remove(other)  # it took a new id, and the old one is nobody's
        if node.id == self.ownId or (self._secure and not isSecure(node.id, packed(node.addr.host))):
            return None
        return self._add(Contact(node, now), now)

    def asked(self, node: NodeInfo, now: float) -> bool:
        """
        C{node} sent a query from that address.

        @return: whether to ping it: it is new, and there would be room for it.
        """
        contact = self._byId.get(node.id)
        if contact is not None:
            if contact.node.addr == node.addr:
                contact.heard = now
            return False
        return self.hasRoom(node)

    def hasRoom(self, node: NodeInfo) -> bool:
        """Whether C{node}, which is not there, would come into the table if it answered now."""
        if node.id == self.ownId or node.id in self._byId or node.addr in self._byAddr:
            return False
        value = number(node.id)
        bucket = self._bucketOf(value)
        full = len(bucket.contacts) >= self._k
        if full and bucket is not self._buckets[-1] and not any(each.failures for each in bucket.contacts):
            return False
        address = packed(node.addr.host)
        if not self._secure or isLocal(address):
            return True
        return isSecure(node.id, address) and self._isFree(bucket, (address, network(address)))

    def failed(self, addr: PeerAddr, now: float) -> None:
        """The node at C{addr} left a query of ours unanswered."""
        contact = self._byAddr.get(addr)
        if contact is None:
            return
        contact.failures += 1
        bucket = self._bucketOf(contact.number)
        bucket.packed = None
        if contact.failures >= GONE_FAILURES:
            self._remove(contact)
        elif contact.failures >= MAX_FAILURES and bucket.spares:
            self._remove(contact)
            self._promote(bucket, now)

    def mistaken(self, node: NodeInfo) -> None:
        """Whoever is at that address answers under another id."""
        contact = self._byId.get(node.id)
        if contact is not None and contact.node.addr == node.addr:
            self._remove(contact)

    # -- what is asked

    def closest(self, target: bytes, count: int = K) -> list[Contact]:
        """The contacts nearest to C{target} that left no query unanswered, in order."""
        value = number(target)
        found: list[Contact] = []
        for group in self._groups(value):
            usable = [contact for contact in group if not contact.failures]
            usable.sort(key=lambda contact: contact.number ^ value)
            found += usable
            if len(found) >= count:
                break
        return found[:count]

    def closestPacked(self, target: bytes) -> bytes:
        """The k nearest to C{target} as they go into an answer, in any order."""
        bucket = self._bucketOf(number(target))
        if bucket.packed is not None:
            return bucket.packed
        usable = [contact for contact in bucket.contacts if not contact.failures]
        if len(usable) >= self._k:
            # All of a full bucket are nearer to whatever falls into it than all others.
            bucket.packed = b"".join([contact.compact for contact in usable])
            return bucket.packed
        return b"".join([contact.compact for contact in self.closest(target, self._k)])

    def questionable(self, now: float) -> NodeInfo | None:
        """The contact that was silent for longest, if it is questionable: ping it."""
        if not self._byId:
            return None
        oldest = min(self._byId.values(), key=lambda contact: contact.heard)
        return oldest.node if now - oldest.heard >= FRESH else None

    def refreshTarget(self, now: float, random: Random) -> bytes | None:
        """An id to look for so that a bucket unchanged for long gets life; the longest unchanged first."""
        depth, bucket = min(enumerate(self._buckets), key=lambda each: each[1].changed)
        if now - bucket.changed < FRESH:
            return None
        bucket.changed = now  # or it would be the one again, should nobody answer
        return self._targetIn(depth, random)

    def gapTargets(self, random: Random) -> list[bytes]:
        """
        Ids to look for once we have looked for ourselves: one in each bucket that has room and is
        farther away than our neighbours.  Those that are as near are known already.
        """
        neighbours = self.closest(self.ownId, self._k)
        if not neighbours:
            return []
        near = ID_BITS - (self._own ^ neighbours[-1].number).bit_length()
        return [
            self._targetIn(depth, random)
            for depth, bucket in enumerate(self._buckets[: min(near + 1, len(self._buckets) - 1)])
            if len(bucket.contacts) < self._k
        ]

    def _targetIn(self, depth: int, random: Random) -> bytes:
        last = depth == len(self._buckets) - 1
        return self.ownId if last else idWithPrefix(self.ownId, depth, random)

    # -- inside

    def _bucketOf(self, value: int) -> _Bucket:
        buckets = self._buckets
        shared = ID_BITS - (self._own ^ value).bit_length()
        return buckets[shared] if shared < len(buckets) else buckets[-1]

    def _groups(self, value: int) -> Iterator[list[Contact]]:
        """
        All contacts, in groups of which each is nearer to C{value} than the next: its own bucket, all
        nearer to us than that one, then one after another away from us.
        """
        buckets = self._buckets
        own = min(ID_BITS - (self._own ^ value).bit_length(), len(buckets) - 1)
        yield buckets[own].contacts
        yield [contact for bucket in buckets[own + 1 :] for contact in bucket.contacts]
        for index in range(own - 1, -1, -1):
            yield buckets[index].contacts

    def _isFree(self, bucket: _Bucket, place: tuple[bytes, bytes]) -> bool:
        address, near = place
        return address not in self._addresses and all(
            each.place is None or each.place[1] != near for each in bucket.contacts
        )

    def _add(self, contact: Contact, now: float) -> NodeInfo | None:
        bucket = self._bucketOf(contact.number)
        if self._secure and contact.place is not None and not self._isFree(bucket, contact.place):
            return None
        while len(bucket.contacts) >= self._k:
            if bucket is self._buckets[-1] and len(self._buckets) < ID_BITS:
                self._split(bucket)
                bucket = self._bucketOf(contact.number)
                continue
            worst = max(bucket.contacts, key=lambda each: each.failures)
            if worst.failures >= MAX_FAILURES:
                self._remove(worst)
                break
            bucket.spares = [each for each in bucket.spares if each.node.addr != contact.node.addr]
            bucket.spares = [*bucket.spares[1 - self._k :], contact]
            silent = min(bucket.contacts, key=lambda each: each.heard)
            doubted = worst if worst.failures else silent
            return None if doubted.isGood(now) else doubted.node
        self._put(bucket, contact)
        bucket.changed = now
        return None

    def _put(self, bucket: _Bucket, contact: Contact) -> None:
        bucket.contacts.append(contact)
        bucket.packed = None
        self._byId[contact.node.id] = contact
        self._byAddr[contact.node.addr] = contact
        if contact.place is not None:
            self._addresses.add(contact.place[0])

    def _remove(self, contact: Contact) -> None:
        bucket = self._bucketOf(contact.number)
        bucket.contacts.remove(contact)
        bucket.packed = None
        del self._byId[contact.node.id]
        del self._byAddr[contact.node.addr]
        if contact.place is not None:
            self._addresses.discard(contact.place[0])

    def _promote(self, bucket: _Bucket, now: float) -> None:
        """The latest replacement that may come in takes the free place."""
        while bucket.spares:
            spare = bucket.spares.pop()
            taken = spare.node.id in self._byId or spare.node.addr in self._byAddr
            crowded = self._secure and spare.place is not None and not self._isFree(bucket, spare.place)
            if not taken and not crowded:
                self._put(bucket, spare)
                bucket.changed = now
                return

    def _split(self, bucket: _Bucket) -> None:
        """The nearest bucket parts: those as near to us as can be told now, and the others."""
        depth = len(self._buckets)
        nearer = _Bucket(bucket.changed)  # there are no spares: this one never was full for long
        self._buckets.append(nearer)
        bucket.packed = None
        both, bucket.contacts = bucket.contacts, []
        for each in both:
            near = ID_BITS - (self._own ^ each.number).bit_length() >= depth
            (nearer if near else bucket).contacts.append(each)
