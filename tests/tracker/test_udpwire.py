"""Tests for L{twisted_bt.tracker.udpwire}."""

from __future__ import annotations

import contextlib
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases, dataFile, fromHex
from tests.tracker.requests import announcing
from twisted_bt.errors import TrackerError
from twisted_bt.torrent.addresses import PeerAddr, peerAddr
from twisted_bt.tracker import udpwire
from twisted_bt.tracker.announce import AnnounceRequest, Event
from twisted_bt.tracker.udpwire import (
    AnnounceCall,
    AnnounceReply,
    ConnectReply,
    ConnectRequest,
    ErrorReply,
    ScrapeCall,
    ScrapeReply,
    UdpReply,
    UdpRequest,
    decodeOptions,
    decodeReply,
    decodeRequest,
    encodeOptions,
    retransmitDelay,
    transactionOf,
)

fixed = settings(derandomize=True, deadline=None)
u32 = st.integers(0, (1 << 32) - 1)
u64 = st.integers(0, (1 << 64) - 1)
hashes = st.binary(min_size=20, max_size=20)
ports = st.integers(1, 65535)
announces = st.builds(
    AnnounceRequest,
    infoHash=hashes,
    peerId=hashes,
    port=st.integers(0, 65535),
    uploaded=u64,
    downloaded=u64,
    left=u64,
    event=st.sampled_from(Event),
    key=u32,
    numwant=st.integers(-1, (1 << 31) - 1),
    ip=st.none()
    | st.integers(1, (1 << 32) - 1).map(lambda n: f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"),
)
requests: st.SearchStrategy[UdpRequest] = st.one_of(
    st.builds(ConnectRequest, u32),
    st.builds(AnnounceCall, u64, u32, announces, st.text("/?&=abc%", max_size=600)),
    st.builds(ScrapeCall, u64, u32, st.lists(hashes, max_size=74).map(tuple)),
)
peers4 = st.builds(peerAddr, st.ip_addresses(v=4).map(str), ports)
peers6 = st.builds(peerAddr, st.ip_addresses(v=6).map(str), ports).filter(lambda a: a.isIPv6)


def encoded(reply: UdpReply, ipv6: bool) -> bytes:
    """C{reply} as a datagram."""
    return reply.encode(ipv6) if isinstance(reply, AnnounceReply) else reply.encode()


class RequestTests(SynchronousTestCase):
    """What clients send."""

    @fixed
    @given(requests)
    def test_roundTrip(self, request: UdpRequest) -> None:
        """A request decodes to what was encoded, however long its options are."""
        self.assertEqual(decodeRequest(request.encode()), request)

    @fixed
    @given(requests, st.integers(0, 200))
    def test_cut(self, request: UdpRequest, keep: int) -> None:
        """A request that was cut gives a value or L{TrackerError}."""
        with contextlib.suppress(TrackerError):
            decodeRequest(request.encode()[:keep])

    def test_refused(self) -> None:
        """Unknown actions and events, and a connect without the protocol id, are refused."""
        announce = bytearray(AnnounceCall(1, 2, announcing()).encode())
        announce[83] = 4
        for datagram in (
            b"",
            bytes(15),
            bytes(16),
            (1).to_bytes(8, "big") + (9).to_bytes(4, "big") + bytes(4),
            bytes(announce),
            bytes(announce[:97]),
        ):
            with self.assertRaises(TrackerError, msg=datagram.hex()):
                decodeRequest(datagram)

    def test_numwant(self) -> None:
        """Any negative number of addresses wanted is -1, which is what BEP 15 has for "as you like"."""
        datagram = bytearray(AnnounceCall(1, 2, announcing()).encode())
        datagram[92:96] = b"\x80\0\0\0"
        call = decodeRequest(bytes(datagram))
        assert isinstance(call, AnnounceCall)
        self.assertEqual(call.request.numwant, -1)

    def test_address(self) -> None:
        """An address of ours that is no IPv4 address cannot be said."""
        datagram = AnnounceCall(1, 2, announcing(ip="2001:db8::1")).encode()
        self.assertEqual(datagram[84:88], bytes(4))

    def test_manyHashes(self) -> None:
        """More info-hashes than BEP 15 allows are not looked at."""
        call = decodeRequest(ScrapeCall(1, 2, (b"a" * 20,) * 100).encode())
        assert isinstance(call, ScrapeCall)
        self.assertEqual(len(call.infoHashes), 74)


class ReplyTests(SynchronousTestCase):
    """What trackers send."""

    @fixed
    @given(u32, u32, u32, u32, st.lists(peers4, max_size=9), st.lists(peers6, max_size=9))
    def test_announce(
        self,
        transaction: int,
        interval: int,
        leechers: int,
        seeders: int,
        four: list[PeerAddr],
        six: list[PeerAddr],
    ) -> None:
        """The peers of the family that the datagram came by are found."""
        reply = AnnounceReply(transaction, interval, leechers, seeders, tuple(four + six))
        for ipv6, peers in ((False, four), (True, six)):
            self.assertEqual(
                decodeReply(reply.encode(ipv6), ipv6),
                AnnounceReply(transaction, interval, leechers, seeders, tuple(peers)),
            )

    def test_others(self) -> None:
        """The other replies decode to what was encoded."""
        replies: list[UdpReply] = [
            ConnectReply(0xFEDCBA98, 1 << 63),
            ScrapeReply(0xFEDCBA98, ((1, 2, 3), (4, 5, 6))),
            ScrapeReply(0xFEDCBA98, ()),
            ErrorReply(0xFEDCBA98, "go away"),
        ]
        for reply in replies:
            datagram = encoded(reply, False)
            self.assertEqual(decodeReply(datagram, False), reply)
            self.assertEqual(transactionOf(datagram), 0xFEDCBA98)

    def test_refused(self) -> None:
        """Short replies and unknown actions are refused."""
        for datagram in (b"", bytes(7), bytes(15), b"\0\0\0\1" + bytes(15), b"\0\0\0\4" + bytes(40)):
            with self.assertRaises(TrackerError, msg=datagram.hex()):
                decodeReply(datagram, False)
        self.assertIsNone(transactionOf(bytes(7)))

    def test_errorText(self) -> None:
        """The text of an error is made fit for people."""
        reply = decodeReply(b"\0\0\0\3\0\0\0\7no\x1b[2J\xff", False)
        self.assertEqual(reply, ErrorReply(7, "no [2J\ufffd"))

    def test_thousandVariants(self) -> None:
        """Of 1,000 truncated and flipped answers each gives a value or L{TrackerError}."""
        answers = [
            AnnounceReply(7, 1800, 1, 2, (PeerAddr("1.2.3.4", 80),) * 3).encode(False),
            ScrapeReply(7, ((1, 2, 3),)).encode(),
            ConnectReply(7, 8).encode(),
            ErrorReply(7, "no").encode(),
        ]
        random = Random(7)
        refused = 0
        for number in range(1000):
            variant = bytearray(answers[number % 4])
            variant[random.randrange(len(variant))] = random.randrange(256)
            del variant[random.randrange(len(variant) + 1) :]
            for ipv6 in (False, True):
                try:
                    decodeReply(bytes(variant), ipv6)
                except TrackerError:
                    refused += 1
        self.assertTrue(100 < refused < 1900, refused)


class OptionTests(SynchronousTestCase):
    """The options of BEP 41."""

    @fixed
    @given(st.text(max_size=700))
    def test_roundTrip(self, target: str) -> None:
        """Path and query survive in options of 255 bytes."""
        self.assertEqual(decodeOptions(encodeOptions(target)), target)

    def test_table(self) -> None:
        """NOP and unknown options are skipped; nothing follows the end."""
        table = {
            b"": "",
            b"\x02\x02/a\x02\x02/b": "/a/b",
            b"\x01\x09\x03xyz\x02\x02/a": "/a",
            b"\x02\x02/a\x00\x02\x02/b": "/a",
        }
        for raw, target in table.items():
            self.assertEqual(decodeOptions(raw), target)

    def test_cut(self) -> None:
        """An option that is cut short is refused."""
        for raw in (b"\x02", b"\x02\x02/", b"\x05\x01"):
            with self.assertRaises(TrackerError, msg=raw.hex()):
                decodeOptions(raw)


class UdpVectorTests(ConformanceTestCase):
    """The section C{udp_tracker} of the vectors."""

    def test_requests(self) -> None:
        """Datagrams of clients, both ways."""
        seen = 0
        for case in cases("udp_tracker"):
            if not case.get("name", "").endswith(("request", "request with default num_want")):
                continue
            raw, expect = fromHex(case["bytes"]), case["expect"]
            request = decodeRequest(raw)
            self.assertEqual(request.encode(), raw, case["id"])
            self.assertEqual(request.action, expect.get("action", 1), case["id"])
            if isinstance(request, AnnounceCall):
                it = request.request
                known = {
                    "connection_id_hex": f"{request.connection:016x}",
                    "transaction_id": request.transaction,
                    "info_hash": it.infoHash.hex(),
                    "peer_id": it.peerId.decode(),
                    "downloaded": it.downloaded,
                    "left": it.left,
                    "uploaded": it.uploaded,
                    "event": udpwire._EVENTS.index(it.event),
                    "ip": 0 if it.ip is None else it.ip,
                    "key": it.key,
                    "num_want": it.numwant,
                    "port": it.port,
                }
                for name in known.keys() & expect.keys():
                    self.assertEqual(known[name], expect[name], f"{case['id']} {name}")
            elif isinstance(request, ScrapeCall):
                self.assertEqual([each.hex() for each in request.infoHashes], expect["info_hashes"])
            seen += 1
        self.assertEqual(seen, 4)

    def test_replies(self) -> None:
        """Datagrams of trackers: a captured announce with 200 peers, and a connection id."""
        for case in cases("udp_tracker"):
            expect = case["expect"]
            if "data_file" in case:
                reply = decodeReply(dataFile(case["data_file"]), False)
                assert isinstance(reply, AnnounceReply)
                self.assertEqual([str(each) for each in reply.peers], expect["peers"])
                self.assertEqual(
                    (reply.transaction, reply.interval, reply.leechers, reply.seeders),
                    tuple(expect[each] for each in ("transaction_id", "interval", "leechers", "seeders")),
                )
            elif case.get("name") == "connect response":
                self.assertEqual(
                    decodeReply(fromHex(case["bytes"]), False),
                    ConnectReply(expect["transaction_id"], int(expect["connection_id_hex"], 16)),
                )

    def test_options(self) -> None:
        """The examples of BEP 41."""
        for case in cases("udp_tracker"):
            if case.get("name") == "BEP 41 options":
                self.assertEqual(decodeOptions(fromHex(case["bytes"])), case["expect"]["urldata"], case["id"])

    def test_schedule(self) -> None:
        """Repetitions come after 15 * 2 ^ n seconds."""
        for case in cases("udp_tracker"):
            if case.get("name", "").startswith("retransmission"):
                self.assertEqual([retransmitDelay(n) for n in range(9)], case["expect"])
                self.assertEqual(retransmitDelay(20), case["expect"][-1])

    def test_constants(self) -> None:
        """The numbers of BEP 15."""
        expect = cases("udp_tracker")[0]["expect"]
        self.assertEqual(udpwire.PROTOCOL_ID, int(expect["protocol_id_hex"], 16))
        self.assertEqual(udpwire.CONNECTION_LIFE, expect["connection_id_client_lifetime_s"])
        events = {(event.value or "none"): number for number, event in enumerate(udpwire._EVENTS)}
        self.assertEqual(events, expect["events"])
        self.assertEqual(len(ConnectRequest(1).encode()), expect["lengths"]["connect_request"])
        self.assertEqual(
            len(AnnounceCall(1, 2, announcing()).encode()), expect["lengths"]["announce_request"]
        )
