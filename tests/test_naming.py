"""Tests of looking names up."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.tracker.names import Names
from twisted_bt.naming import resolve
from twisted_bt.torrent.addresses import PeerAddr


class ResolveTests(SynchronousTestCase):
    """Names to addresses."""

    def setUp(self) -> None:
        self.reactor: Any = type("Reactor", (), {})()
        self.reactor.nameResolver = Names({"both.example": ["10.0.0.1", "fd00::1", "10.0.0.1"], "slow": None})

    def test_names(self) -> None:
        """All addresses of a name, in order and each once; none where it has none."""
        found = self.successResultOf(resolve(self.reactor, "both.example", 80))
        self.assertEqual(found, [PeerAddr("10.0.0.1", 80), PeerAddr("fd00::1", 80)])
        self.assertEqual(self.successResultOf(resolve(self.reactor, "gone.example", 80, "UDP")), [])

    def test_literals(self) -> None:
        """An address is its own, in its shortest form, and nobody is asked."""
        self.assertEqual(
            self.successResultOf(resolve(self.reactor, "10.0.0.9", 80)), [PeerAddr("10.0.0.9", 80)]
        )
        self.assertEqual(
            self.successResultOf(resolve(self.reactor, "FD00:0::9", 80)), [PeerAddr("fd00::9", 80)]
        )
        self.assertEqual(self.reactor.nameResolver.asked, [])

    def test_slow(self) -> None:
        """What takes for ever can be given up."""
        searching = resolve(self.reactor, "slow", 80)
        self.assertNoResult(searching)
        searching.addErrback(lambda _: None)
        searching.cancel()
