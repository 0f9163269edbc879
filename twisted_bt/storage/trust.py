"""
What a saved state is worth: which of its pieces may be claimed, and which have to be looked at.

A file's size and time of change say whether it is as it was when the state was saved.  After
a crash in mid-download they differ by our own writes; but these can be told from a stranger's:

  - they fell into the time around the save, and until the crash.  That is bounded, since the state is saved
    every few seconds while there is something to write;
  - they went to files that lacked a piece.  A file that was complete is never written to.

Files whose change is explained like that keep their verified pieces: those were flushed before the
state was saved, and writing a piece touches no other.  Any other change leaves nothing of that file to
be trusted.  All is judged file by file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bitarray import bitarray

from twisted_bt.storage.resume import ResumeState
from twisted_bt.storage.signature import FileState, decodeSignature

_NANO = 10**9


class Verdict(Enum):
    """What became of the files since the state was saved."""

    NONE = "nothing is known"
    UNCHANGED = "nobody touched them"
    CRASHED = "we wrote to them, and did not come to save what"
    CHANGED = "somebody else changed some of them"


@dataclass(frozen=True, slots=True)
class Trust:
    """
    @ivar claim: pieces that are here, without a look.
    @ivar check: pieces that may be here, and have to be hashed to know.
    """

    verdict: Verdict
    claim: bitarray
    check: bitarray

    def within(self, allocated: bitarray) -> Trust:
        """
        The same, given the storage's
        L{allocated<twisted_bt.interfaces.IStorage.allocated>}: nothing else needs to be hashed.
        """
        return Trust(self.verdict, self.claim & allocated, self.check & allocated)


def trust(state: ResumeState | None, signature: bytes, pieceCount: int, window: float) -> Trust:
    """
    Judge C{state}, given the storage's signature now.

    @param window: the longest time, in seconds, from a save to the end of the writing it covers: the
        flush interval, and what a flush and differing clocks may add (half a minute is plenty).
    """
    everything = bitarray(pieceCount)
    everything.setall(True)
    nothing = ~everything
    if state is None or len(state.verified) != pieceCount:
        return Trust(Verdict.NONE, nothing, everything)
    verified = state.verified
    rest = ~verified if state.writing else nothing
    if signature == state.signature:
        return Trust(Verdict.CRASHED if state.writing else Verdict.UNCHANGED, verified.copy(), rest)
    before = decodeSignature(state.signature, pieceCount)
    now = decodeSignature(signature, pieceCount)
    if before is None or now is None or [_span(part) for part in before] != [_span(part) for part in now]:
        return Trust(Verdict.CHANGED, nothing, everything)
    suspect = nothing.copy()
    for old, new in zip(before, now, strict=True):
        if (old.size, old.changed) != (new.size, new.changed) and not _ours(state, old, new, window):
            suspect[new.first : new.last + 1] = True
    verdict = Verdict.CHANGED if suspect.any() else Verdict.CRASHED
    return Trust(verdict, verified & ~suspect, rest | suspect)


def _span(part: FileState) -> tuple[int, int]:
    return part.first, part.last


def _ours(state: ResumeState, old: FileState, new: FileState, window: float) -> bool:
    """Whether our own writes, after C{state} was saved, explain that C{old} became C{new}."""
    if not state.writing or new.size < 0 or state.verified.find(0, new.first, new.last + 1) < 0:
        return False
    if new.changed == old.changed and new.size > old.size:
        return True  # a loss of power: what was written is on the disk, and when it was is not
    saved = int(state.savedAt * _NANO)
    reach = int(window * _NANO)
    # Not even before the save: after a loss of power a file may have the time of the flush before it, where
    # a write between that flush and the save had shown a later one.
    return saved - reach <= new.changed <= saved + reach
