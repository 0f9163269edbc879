"""Tests for L{twisted_bt.tracker.announce}."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.tracker.requests import announcing
from twisted_bt.tracker.announce import printable


class AnnounceRequestTests(SynchronousTestCase):
    """L{AnnounceRequest<twisted_bt.tracker.announce.AnnounceRequest>}."""

    def test_refused(self) -> None:
        """What no tracker protocol can say cannot be made."""
        bad: list[dict[str, Any]] = [
            {"infoHash": b"i" * 19},
            {"peerId": b""},
            {"port": -1},
            {"port": 65536},
            {"left": -1},
            {"uploaded": 1 << 64},
            {"numwant": -2},
        ]
        for fields in bad:
            with self.assertRaises(ValueError, msg=repr(fields)):
                announcing(**fields)


class PrintableTests(SynchronousTestCase):
    """L{printable}: what trackers say to people."""

    def test_text(self) -> None:
        """Text in UTF-8 stays, on one line."""
        self.assertEqual(printable("Kein Platz,\nnächstes Mal".encode()), "Kein Platz, nächstes Mal")

    def test_terminal(self) -> None:
        """What would move a cursor, or turn the direction of writing, is gone."""
        self.assertEqual(printable(b"a\x1b[2Jb\x00\x07\xe2\x80\xaec\xff"), "a [2Jb c\ufffd")

    @settings(derandomize=True, deadline=None)
    @given(st.binary(max_size=3000))
    def test_anything(self, raw: bytes) -> None:
        """Whatever it is, it becomes a short printable line."""
        text = printable(raw)
        self.assertTrue(text.isprintable())
        self.assertLessEqual(len(text), 300)
