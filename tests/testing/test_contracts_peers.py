"""
The contracts of extensions and of trackers' clients: the engine's own keep them, broken ones are found out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.testing.failing import failed
from twisted_bt.errors import ProtocolError, TrackerError
from twisted_bt.interfaces import IExtension, ITrackerClient
from twisted_bt.testing.extensions import ExtensionContract
from twisted_bt.testing.host import Host
from twisted_bt.testing.trackerclients import TrackerClientContract
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.tracker.http import HttpTrackerClient
from twisted_bt.tracker.udp import UdpTrackerClient

# -- extensions


@implementer(IExtension)
class Counter:
    """Counts what it hears, and says it."""

    name = b"example_counter"

    def __init__(self) -> None:
        self.heard: dict[Any, int] = {}

    def started(self, peer: Any) -> None:
        """See L{IExtension}."""
        self.heard[peer] = 0
        peer.sendExtended(self.name, b"0")

    def received(self, peer: Any, payload: bytes) -> None:
        """See L{IExtension}."""
        if not payload.isdigit() or len(payload) > 10:
            raise ProtocolError("no number")
        self.heard[peer] += 1

    def stopped(self, peer: Any) -> None:
        """See L{IExtension}."""
        self.heard.pop(peer, None)


class CounterTests(ExtensionContract, SynchronousTestCase):
    """An extension as it should be."""

    def makeExtensions(self, metainfo: Metainfo) -> Sequence[IExtension]:
        """See L{ExtensionContract}."""
        return [Counter()]

    def samples(self) -> Sequence[bytes]:
        """See L{ExtensionContract}."""
        return [b"1", b"23"]


class BrokenExtensionTests(SynchronousTestCase):
    """Extensions that keep no promise."""

    def broken(self, make: Callable[[], IExtension], *only: str) -> set[str]:
        """Which tests those of C{make} fail."""

        class Case(ExtensionContract, SynchronousTestCase):
            def makeExtensions(self, metainfo: Metainfo) -> Sequence[IExtension]:
                return [make()]

        return failed(Case, *only)

    def test_trusting(self) -> None:
        """One that takes for granted what peers say."""

        class Trusting(Counter):
            def received(self, peer: Any, payload: bytes) -> None:
                self.heard[peer] = int(payload)

        self.assertEqual(self.broken(Trusting), {"test_whatPeersSay"})

    def test_forgetsNothing(self) -> None:
        """One that raises when peers leave."""

        class Clinging(Counter):
            def stopped(self, peer: Any) -> None:
                self.heard[None] += 1

        self.assertIn("test_peersThatLeave", self.broken(Clinging, "test_peersThatLeave"))

    def test_shared(self) -> None:
        """One object for all swarms."""
        one = Counter()
        self.assertEqual(self.broken(lambda: one, "test_eachSwarmItsOwn"), {"test_eachSwarmItsOwn"})

    def test_nameless(self) -> None:
        """One without a name, and one that has ours."""

        class Nameless(Counter):
            name = b""

        class Thief(Counter):
            name = b"lt_donthave"

        for each in (Nameless, Thief):
            self.assertEqual(self.broken(each, "test_interface"), {"test_interface"})

    def test_leavesCalls(self) -> None:
        """One that has something to do for ever."""

        class Ticking(Counter):
            def started(self, peer: Any) -> None:
                reactor = peer.swarmSession.engine.reactor
                reactor.callLater(10, self.started, peer)

        self.assertEqual(self.broken(Ticking, "test_exchange"), {"test_exchange"})


# -- tracker clients


class HttpClientTests(TrackerClientContract, SynchronousTestCase):
    """The engine's, over HTTP."""

    def makeClient(self, reactor: Host) -> ITrackerClient:
        """See L{TrackerClientContract}."""
        return HttpTrackerClient(reactor)


class UdpClientTests(TrackerClientContract, SynchronousTestCase):
    """The engine's, over UDP."""

    scheme = "udp"

    def makeClient(self, reactor: Host) -> ITrackerClient:
        """See L{TrackerClientContract}."""
        return UdpTrackerClient(reactor, Random(1))


class BrokenClientTests(SynchronousTestCase):
    """Tracker clients that keep no promise."""

    def broken(self, make: Callable[[Host], ITrackerClient]) -> set[str]:
        """Which tests those of C{make} fail."""

        class Case(TrackerClientContract, SynchronousTestCase):
            def makeClient(self, reactor: Host) -> ITrackerClient:
                return make(reactor)

        return failed(Case)

    def test_impatient(self) -> None:
        """One that waits for ever."""
        self.assertEqual(self.broken(lambda host: HttpTrackerClient(host, timeout=1e6)), {"test_mute"})

    def test_cannotClose(self) -> None:
        """One that goes on when it was closed."""

        class Busy(HttpTrackerClient):
            def close(self) -> Deferred[None]:
                return succeed(None)

        self.assertEqual(self.broken(Busy), {"test_close"})

    def test_otherErrors(self) -> None:
        """One that fails with whatever comes."""

        class Frank(HttpTrackerClient):
            def announce(self, url: str, request: Any) -> Deferred[Any]:
                outcome = super().announce(url, request)
                return outcome.addErrback(lambda reason: fail(ValueError(reason.value)))

        expected = {
            "test_noTracker",
            "test_silence",
            "test_mute",
            "test_comesBack",
            "test_nonsense",
            "test_close",
        }
        self.assertEqual(self.broken(Frank), expected | {"test_cancelled"})

    def test_useless(self) -> None:
        """One that never gets an answer."""

        class Deaf(HttpTrackerClient):
            def announce(self, url: str, request: Any) -> Deferred[Any]:
                return fail(TrackerError("no"))

        useful = {"test_announce", "test_leaves", "test_scrape", "test_atOnce"}
        self.assertLessEqual(useful, self.broken(Deaf))
