"""
Every decoder, fed what nobody should send: the short form of C{python -m tests.fuzz}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz.all import TARGETS
from tests.fuzz.strategies import fuzzed

EXAMPLES = 150


class DecoderTests(SynchronousTestCase):
    """A value or the one documented exception, and what else each target promises."""

    def test_bencode(self) -> None:
        """Bencoding."""
        fuzzed(TARGETS["bencode"](), EXAMPLES)

    def test_metainfo(self) -> None:
        """Torrent files."""
        fuzzed(TARGETS["metainfo"](), EXAMPLES)

    def test_magnet(self) -> None:
        """Magnet links."""
        fuzzed(TARGETS["magnet"](), EXAMPLES)

    def test_trackerUrl(self) -> None:
        """URLs of trackers, and where they redirect to."""
        fuzzed(TARGETS["trackerurl"](), EXAMPLES)

    def test_handshake(self) -> None:
        """Handshakes."""
        fuzzed(TARGETS["handshake"](), EXAMPLES)

    def test_wire(self) -> None:
        """Streams of messages."""
        fuzzed(TARGETS["wire"](), EXAMPLES)

    def test_extended(self) -> None:
        """Extended handshakes."""
        fuzzed(TARGETS["extended"](), EXAMPLES)

    def test_metadata(self) -> None:
        """Messages of C{ut_metadata}."""
        fuzzed(TARGETS["ut_metadata"](), EXAMPLES)

    def test_pex(self) -> None:
        """Messages of C{ut_pex}."""
        fuzzed(TARGETS["ut_pex"](), EXAMPLES)

    def test_lsd(self) -> None:
        """Announcements on the local network."""
        fuzzed(TARGETS["lsd"](), EXAMPLES)

    def test_krpc(self) -> None:
        """Datagrams of the DHT."""
        fuzzed(TARGETS["krpc"](), EXAMPLES)

    def test_dhtState(self) -> None:
        """What a node of the DHT remembers."""
        fuzzed(TARGETS["dhtstate"](), EXAMPLES)

    def test_httpBody(self) -> None:
        """Bodies of trackers' answers."""
        fuzzed(TARGETS["httpbody"](), EXAMPLES)

    def test_httpClient(self) -> None:
        """Whatever a web server sends."""
        fuzzed(TARGETS["httpclient"](), EXAMPLES)

    def test_udpReply(self) -> None:
        """Datagrams of UDP trackers."""
        fuzzed(TARGETS["udpreply"](), EXAMPLES)

    def test_udpServer(self) -> None:
        """Datagrams to the embedded tracker."""
        fuzzed(TARGETS["udpserver"](), EXAMPLES)

    def test_announceQuery(self) -> None:
        """Queries of announces to the embedded tracker."""
        fuzzed(TARGETS["announcequery"](), EXAMPLES)

    def test_httpServer(self) -> None:
        """Whatever comes over a connection to the embedded tracker."""
        fuzzed(TARGETS["httpserver"](), EXAMPLES)

    def test_config(self) -> None:
        """Configuration files and options."""
        fuzzed(TARGETS["config"](), EXAMPLES)

    def test_resume(self) -> None:
        """Rows of resume state."""
        fuzzed(TARGETS["resume"](), EXAMPLES)

    def test_recording(self) -> None:
        """Recordings of traffic."""
        fuzzed(TARGETS["recording"](), EXAMPLES)


class MachineTests(SynchronousTestCase):
    """Whole machines, fed scripts of many messages each."""

    def test_session(self) -> None:
        """A client that seeds, or leeches, or fetches metadata, among strangers."""
        fuzzed(TARGETS["session"](), 10)

    def test_node(self) -> None:
        """A node of the DHT among strangers."""
        fuzzed(TARGETS["node"](), 10)

    def test_allAreHere(self) -> None:
        """Every target has a test."""
        tests = [
            name for case in (DecoderTests, MachineTests) for name in dir(case) if name.startswith("test_")
        ]
        self.assertEqual(len(tests) - 1, len(TARGETS))
