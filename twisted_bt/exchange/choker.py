"""
Whom to serve.

I{While leeching} (BEP 3, tit for tat): the peers that send us most are served, so that sending pays.
One slot goes to somebody by chance, a different one every thirty seconds (I{optimistic unchoke}),
because a peer that nobody serves has nothing to send; newcomers are three times as likely to get it.
Peers that snub us may only have that one.  Who took something, has what we lack and gave nothing of it
is served where nobody else wants to be: an uplink need not stand idle for the sake of justice.  Peers
that are not interested but send faster than those served stay unchoked: should they become interested,
they have earned it.

I{While seeding} nobody sends us anything.  Slots go to those who take data fastest, so that it
spreads; and every thirty seconds the slowest of those that had their turn makes room for whoever
waited longest, so that everybody gets one.

Either way choking must not flutter, or nobody's connection gets up to speed: who is unchoked stays
so for a while, and then loses only to somebody clearly better.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

from zope.interface import implementer

from twisted_bt.interfaces import ChokeCandidate, IChoker, Random

#: How much better somebody must be than who is served.
_MARGIN = 1.1

#: Seconds for which a peer is a newcomer, and how many times as likely it is drawn (BEP 3).
_NEW = 60.0
_NEW_WEIGHT = 3

#: Bytes that a peer gets on trust, and the part of what it got that it should have given back by then.
_CREDIT = 1 << 15
_RETURN = 8


@implementer(IChoker)
class StandardChoker:
    """
    @param random: draws the optimistic unchoke.
    @param turn: seconds between two optimistic unchokes, or rotations.  Three rounds, as in BEP 3.
    @param leastTime: seconds that an unchoked peer keeps its slot, whatever its rate.
    """

    def __init__(self, random: Random, turn: float = 30.0, leastTime: float = 10.0) -> None:
        self._random = random
        self._turn = turn
        self._leastTime = leastTime
        self._turnedAt = float("-inf")
        self._optimistic: list[Hashable] = []
        self._served: dict[Hashable, float] = {}  # when each peer last had a slot
        self._seeding = False

    def rechoke(
        self, peers: Sequence[ChokeCandidate], slots: int, seeding: bool, now: float
    ) -> Collection[Hashable]:
        """See L{IChoker.rechoke}."""
        if seeding != self._seeding:
            self._seeding = seeding
            self._turnedAt = float("-inf")
        present = {peer.key for peer in peers}
        self._served = {key: when for key, when in self._served.items() if key in present}
        interested = [peer for peer in peers if peer.interested]
        turning = now - self._turnedAt >= self._turn
        if turning:
            self._turnedAt = now
        if slots <= 0:
            return []
        if seeding:
            chosen = self._seed(interested, slots, turning)
            extra: list[Hashable] = []
        else:
            chosen = self._leech(interested, slots, turning)
            extra = self._welcome(peers, chosen)
        for peer in chosen:
            self._served[peer.key] = now
        return [peer.key for peer in chosen] + extra

    # ------------------------------------------------------------ leeching

    def _leech(self, interested: list[ChokeCandidate], slots: int, turning: bool) -> list[ChokeCandidate]:
        earning = [peer for peer in interested if peer.downloadRate > 0 and not peer.snubbed]
        earning.sort(key=self._merit, reverse=True)
        lucky = max(1, slots // 5)
        if slots == 1 and earning:
            lucky = 0
        chosen = earning[: slots - lucky]
        taken = {peer.key for peer in chosen}
        rest = [peer for peer in interested if peer.key not in taken]
        # Who has a slot by chance keeps it until the next turn (or for the least time, if that is later),
        # and so does who earned one until a moment ago, as far as the slots go.
        kept = [
            peer
            for peer in rest
            if peer.unchoked
            and (peer.unchokedFor < self._leastTime or not turning)
            and (not peer.snubbed or peer.key in self._optimistic)
            and not (self._owes(peer) and peer.unchokedFor * 2 >= self._leastTime)
        ]
        kept.sort(key=lambda peer: peer.key in self._optimistic, reverse=True)
        kept = kept[: slots - len(chosen)]
        keptKeys = {peer.key for peer in kept}
        others = [peer for peer in rest if peer.key not in keptKeys]
        kept += self._draw(others, slots - len(chosen) - len(kept))
        self._optimistic = [peer.key for peer in kept]
        return chosen + kept

    def _merit(self, peer: ChokeCandidate) -> tuple[bool, float]:
        if not peer.unchoked:
            return (False, peer.downloadRate)
        # Who was drawn by chance has that slot to be sure of, not one of these.
        young = peer.unchokedFor < self._leastTime and peer.key not in self._optimistic
        return (young, peer.downloadRate * _MARGIN)

    def _draw(self, pool: list[ChokeCandidate], count: int) -> list[ChokeCandidate]:
        """
        C{count} of C{pool} by chance, those choked now before those that had their turn, and those who only
        take last.
        """
        drawn: list[ChokeCandidate] = []
        fair = [p for p in pool if not self._owes(p)]
        takers = [p for p in pool if self._owes(p)]
        for part in ([p for p in fair if not p.unchoked], [p for p in fair if p.unchoked], takers):
            urn = [p for p in part for _ in range(_NEW_WEIGHT if p.connectedFor < _NEW else 1)]
            while urn and len(drawn) < count:
                winner = self._random.choice(urn)
                drawn.append(winner)
                urn = [p for p in urn if p is not winner]
        return drawn

    @staticmethod
    def _owes(peer: ChokeCandidate) -> bool:
        """Whether it took more than it gets on trust, and gave next to nothing of what it has and we lack."""
        return peer.offers and peer.uploaded > _CREDIT and peer.downloaded * _RETURN < peer.uploaded

    def _welcome(self, peers: Sequence[ChokeCandidate], chosen: list[ChokeCandidate]) -> list[Hashable]:
        """Those who do not want anything yet but send faster than the slowest that earned a slot."""
        lucky = set(self._optimistic)
        earned = [peer.downloadRate for peer in chosen if peer.key not in lucky]
        least = min(earned, default=0.0)
        return [p.key for p in peers if not p.interested and not p.snubbed and p.downloadRate > least]

    # ------------------------------------------------------------ seeding

    def _seed(self, interested: list[ChokeCandidate], slots: int, turning: bool) -> list[ChokeCandidate]:
        self._optimistic = []
        serving = [peer for peer in interested if peer.unchoked]
        waiting = [peer for peer in interested if not peer.unchoked]
        self._random.shuffle(waiting)
        waiting.sort(key=lambda peer: self._served.get(peer.key, float("-inf")))
        # Who was unchoked less than a turn ago has not had enough; of the others the fastest stay.
        serving.sort(key=lambda peer: (peer.unchokedFor < self._turn, peer.uploadRate), reverse=True)
        room = slots
        if turning and waiting:
            had = sum(1 for peer in serving if peer.unchokedFor >= self._turn)
            places = min(max(1, slots // 4), had, len(waiting))
            room = slots - places
        chosen = serving[:room]
        return chosen + waiting[: slots - len(chosen)]
