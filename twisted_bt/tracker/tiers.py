"""
In which order trackers are asked: BEP 12.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twisted_bt.errors import TrackerError
from twisted_bt.interfaces import Random
from twisted_bt.tracker.urls import TrackerURL


@dataclass(frozen=True, slots=True)
class SkippedTracker:
    """A tracker that cannot be asked, and why, for people."""

    url: str
    reason: str


class TrackerTiers:
    """
    The trackers of a torrent.  Tiers are tried in turn; inside a tier the order was shuffled once,
    and whoever answers moves to the front.

    A URL counts where it stands first; those that cannot be used are in C{skipped}.
    """

    def __init__(self, tiers: Iterable[Iterable[str]], random: Random) -> None:
        self._tiers: list[list[str]] = []
        self.skipped: list[SkippedTracker] = []
        seen: set[str] = set()
        for tier in tiers:
            usable: list[str] = []
            for url in tier:
                url = url.strip()
                if not url or url in seen:
                    continue
                seen.add(url)
                try:
                    TrackerURL.parse(url)
                except TrackerError as reason:
                    self.skipped.append(SkippedTracker(url, reason.reason))
                else:
                    usable.append(url)
            random.shuffle(usable)
            if usable:
                self._tiers.append(usable)

    def order(self) -> Sequence[str]:
        """All trackers, in the order in which they are to be tried now."""
        return [url for tier in self._tiers for url in tier]

    def answered(self, url: str) -> None:
        """C{url} answered: it comes first in its tier from now on."""
        for tier in self._tiers:
            if url in tier:
                tier.remove(url)
                tier.insert(0, url)

    def __len__(self) -> int:
        return sum(map(len, self._tiers))
