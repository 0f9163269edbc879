"""Tests of L{twisted_bt.storage.trust} and L{twisted_bt.storage.signature}."""

from __future__ import annotations

from dataclasses import replace

from bitarray import bitarray
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.storage.resume import ResumeState
from twisted_bt.storage.signature import FileState, decodeSignature, encodeSignature
from twisted_bt.storage.trust import Trust, Verdict, trust

SECOND = 10**9
#: When the state was saved, and how long writes after that may be ours.
SAVED, WINDOW = 1_000_000.0, 45.0
NOW = 1_000_000 * SECOND
#: Ten pieces in three files; piece 3 is in the first two, piece 6 in the last two.
FILES = [
    FileState(0, 3, 100, NOW - 7 * SECOND),
    FileState(3, 6, 100, NOW - 5 * SECOND),
    FileState(6, 9, 50, NOW - 100_000 * SECOND),
]
VERIFIED = bitarray("1011 1110 10".replace(" ", ""))


def state(writing: bool = False, verified: bitarray = VERIFIED) -> ResumeState:
    """What was saved of L{FILES}."""
    return ResumeState(verified, encodeSignature(FILES), writing, SAVED, 0, 0)


def changed(number: int, changed: int = NOW + SECOND, size: int | None = None) -> bytes:
    """The signature after file C{number} became as the arguments say."""
    files = list(FILES)
    old = files[number]
    files[number] = old._replace(changed=changed, size=old.size if size is None else size)
    return encodeSignature(files)


class TrustTests(SynchronousTestCase):
    """What a saved state is worth."""

    def judged(self, found: Trust, verdict: Verdict, claim: str, check: str) -> None:
        """C{found} says just this; blanks are for the eye."""
        bits = (found.claim.to01(), found.check.to01())
        self.assertEqual((found.verdict, *bits), (verdict, claim.replace(" ", ""), check.replace(" ", "")))

    def test_nothingKnown(self) -> None:
        """Without a state, or with one of another torrent's size, all has to be looked at."""
        signature = encodeSignature(FILES)
        wrong = state(verified=VERIFIED[:9])
        for known in (None, wrong):
            self.judged(trust(known, signature, 10, WINDOW), Verdict.NONE, "0" * 10, "1" * 10)

    def test_unchanged(self) -> None:
        """Files as they were, and nothing unflushed: the state is claimed, and nothing hashed."""
        found = trust(state(), encodeSignature(FILES), 10, WINDOW)
        self.judged(found, Verdict.UNCHANGED, VERIFIED.to01(), "0" * 10)

    def test_claimIsACopy(self) -> None:
        """The claim may be changed without changing the state."""
        known = state()
        trust(known, known.signature, 10, WINDOW).claim.setall(False)
        self.assertEqual(known.verified, VERIFIED)

    def test_crashedWithoutWrite(self) -> None:
        """A crash before anything was written: claim the state, and look only at what else is there."""
        found = trust(state(writing=True), encodeSignature(FILES), 10, WINDOW)
        self.judged(found, Verdict.CRASHED, VERIFIED.to01(), (~VERIFIED).to01())

    def test_crashed(self) -> None:
        """A file we may have written to since: what was flushed is claimed and not hashed again."""
        for when in (-40, 0, 1, 44):
            found = trust(state(writing=True), changed(0, NOW + when * SECOND, 120), 10, WINDOW)
            self.judged(found, Verdict.CRASHED, VERIFIED.to01(), (~VERIFIED).to01())

    def test_crashedBeforeTime(self) -> None:
        """A loss of power may leave a file longer, with its old time; a shorter one is not ours."""
        known = state(True)
        found = trust(known, changed(2, FILES[2].changed, 60), 10, WINDOW)
        self.judged(found, Verdict.CRASHED, VERIFIED.to01(), (~VERIFIED).to01())
        found = trust(known, changed(2, FILES[2].changed, 49), 10, WINDOW)
        self.judged(found, Verdict.CHANGED, "1011 1100 00", "0100 0011 11")

    def test_crashedNewFile(self) -> None:
        """So it is for a file that we made since."""
        known = replace(state(True), signature=encodeSignature([*FILES[:2], FILES[2]._replace(size=-1)]))
        found = trust(known, changed(2), 10, WINDOW)
        self.judged(found, Verdict.CRASHED, VERIFIED.to01(), (~VERIFIED).to01())

    def test_changedLater(self) -> None:
        """A change after our writing can have ended is a stranger's: that file's pieces are hashed."""
        found = trust(state(writing=True), changed(0, NOW + 46 * SECOND), 10, WINDOW)
        self.judged(found, Verdict.CHANGED, "0000 1110 10", "1111 0001 01")

    def test_changedToOld(self) -> None:
        """So is one to a much older time: a copy that was put back."""
        found = trust(state(writing=True), changed(0, NOW - 46 * SECOND), 10, WINDOW)
        self.judged(found, Verdict.CHANGED, "0000 1110 10", "1111 0001 01")

    def test_changedWhileClean(self) -> None:
        """So is any change when nothing was being written; of other files nothing is hashed."""
        found = trust(state(), changed(0), 10, WINDOW)
        self.judged(found, Verdict.CHANGED, "0000 1110 10", "1111 0000 00")

    def test_changedComplete(self) -> None:
        """So is a change of a file that lacked nothing, even while others were written."""
        found = trust(state(writing=True), changed(1), 10, WINDOW)
        self.judged(found, Verdict.CHANGED, "1010 0000 10", "0101 1111 01")

    def test_sizeOnly(self) -> None:
        """A size that differs is a change even where the time does not."""
        found = trust(state(), changed(2, FILES[2].changed, 49), 10, WINDOW)
        self.assertEqual(found.verdict, Verdict.CHANGED)

    def test_deleted(self) -> None:
        """A file that is gone was not deleted by us."""
        found = trust(state(writing=True), changed(2, 0, -1), 10, WINDOW)
        self.judged(found, Verdict.CHANGED, "1011 1100 00", "0100 0011 11")

    def test_otherStorages(self) -> None:
        """A signature that cannot be taken apart is the same or not; if not, nothing is claimed."""
        known = replace(state(writing=True), signature=b"opaque 1")
        self.assertEqual(trust(known, b"opaque 1", 10, WINDOW).claim, VERIFIED)
        for now in (b"opaque 2", encodeSignature(FILES)):
            self.judged(trust(known, now, 10, WINDOW), Verdict.CHANGED, "0" * 10, "1" * 10)

    def test_otherFiles(self) -> None:
        """Nor is anything if the files were others."""
        for files in (FILES[:2], [FILES[0]._replace(last=4), *FILES[1:]]):
            found = trust(state(), encodeSignature(files), 10, WINDOW)
            self.judged(found, Verdict.CHANGED, "0" * 10, "1" * 10)

    def test_within(self) -> None:
        """What is not allocated is neither claimed nor hashed."""
        found = trust(state(writing=True), encodeSignature(FILES), 10, WINDOW)
        found = found.within(bitarray("1110000000"))
        self.judged(found, Verdict.CRASHED, "1010 0000 00", "0100 0000 00")

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(
        st.lists(st.booleans(), min_size=10, max_size=10).map(bitarray),
        st.booleans(),
        st.lists(st.tuples(st.integers(-1, 101), st.integers(-100, 100)), min_size=3, max_size=3),
    )
    def test_neverBoth(self, verified: bitarray, writing: bool, files: list[tuple[int, int]]) -> None:
        """Only verified pieces are claimed; none is claimed and hashed; verified ones are one of both."""
        now = [
            file._replace(size=size, changed=NOW + when * SECOND)
            for file, (size, when) in zip(FILES, files, strict=True)
        ]
        found = trust(state(writing, verified), encodeSignature(now), 10, WINDOW)
        self.assertFalse((found.claim & ~verified).any())
        self.assertFalse((found.claim & found.check).any())
        self.assertTrue(((found.claim | found.check) & verified) == verified)
        if not writing:
            for file, is_ in zip(FILES, now, strict=True):
                if file != is_:
                    self.assertTrue(found.check[file.first : file.last + 1].all())


fileStates = st.builds(
    FileState,
    st.integers(0, 9),
    st.just(9),
    st.integers(-1, (1 << 63) - 1),
    st.integers(-(1 << 63), (1 << 63) - 1),
)


class SignatureTests(SynchronousTestCase):
    """Signatures as bytes."""

    @settings(derandomize=True, deadline=None)
    @given(st.lists(fileStates))
    def test_roundTrip(self, files: list[FileState]) -> None:
        """What was encoded is decoded."""
        self.assertEqual(decodeSignature(encodeSignature(files), 10), files)

    @settings(derandomize=True, deadline=None)
    @given(st.binary())
    def test_anything(self, data: bytes) -> None:
        """Any other bytes are no signature of files, and no exception."""
        self.assertIsNone(decodeSignature(b"x" + data, 10))
        decodeSignature(b"files1" + data, 10)

    def test_damaged(self) -> None:
        """Nor is one that is cut off or names pieces that there are not."""
        good = encodeSignature(FILES)
        self.assertIsNotNone(decodeSignature(good, 10))
        for bad, count in ((good[:-1], 10), (good, 9), (encodeSignature([FILES[0]._replace(first=4)]), 10)):
            self.assertIsNone(decodeSignature(bad, count))
