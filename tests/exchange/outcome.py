"""
What became of one block, for tests that send them one by one.
"""

from __future__ import annotations

from enum import Enum

from twisted_bt.exchange.download import Download
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.interfaces import Buffer


class Outcome(Enum):
    """See L{Arrival<twisted_bt.exchange.arrivals.Arrival>}."""

    UNASKED = "unasked"
    DUPLICATE = "duplicate"
    PARTIAL = "partial"
    COMPLETE = "complete"


def send(download: Download, peer: PeerDownload, index: int, begin: int, data: Buffer, now: float) -> Outcome:
    """C{data} comes from C{peer} as that block."""
    arrival = download.received(peer, [(index, begin, data)], now)
    found = {Outcome.UNASKED: arrival.unasked, Outcome.DUPLICATE: arrival.duplicate}
    found[Outcome.COMPLETE if arrival.completed else Outcome.PARTIAL] = arrival.stored
    assert arrival.size == len(data)
    assert arrival.completed in ([], [index])
    (outcome,) = [each for each, size in found.items() if size] or [Outcome.UNASKED]
    return outcome
