"""Tests of KRPC's codec."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases, dataFile, fromHex
from twisted_bt.dht.krpc import (
    MAX_DATAGRAM,
    decodeMessage,
    encodeError,
    encodeQuery,
    encodeResponse,
)
from twisted_bt.dht.messages import (
    WANT4,
    WANT6,
    AnnouncePeer,
    Ask,
    ErrorReply,
    FindNode,
    GetPeers,
    NodeInfo,
    Ping,
    Query,
    Response,
    SampleInfohashes,
    Samples,
    decodeNodes,
    encodeNodes,
)
from twisted_bt.errors import KrpcError
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.bencoding import decode, encode

ID, TARGET = b"abcdefghij0123456789", b"mnopqrstuvwxyz123456"

ids = st.binary(min_size=20, max_size=20)
wants = st.integers(0, 3)
asks: st.SearchStrategy[Ask] = st.one_of(
    st.just(Ping()),
    st.builds(FindNode, ids, wants),
    st.builds(GetPeers, ids, wants, st.booleans(), st.booleans()),
    st.builds(
        AnnouncePeer,
        ids,
        st.none() | st.integers(1, 65535),
        st.binary(min_size=1, max_size=64),
        st.booleans(),
    ),
    st.builds(SampleInfohashes, ids, wants),
)
queries = st.builds(Query, st.binary(min_size=1, max_size=32), ids, asks, st.booleans())


class RoundTripTests(SynchronousTestCase):
    """What is encoded is decoded to the same."""

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(queries)
    def test_queries(self, query: Query) -> None:
        """Queries of each kind; and their keys are in order."""
        data = encodeQuery(query)
        decode(data, 2048, strictKeys=True)
        self.assertEqual(decodeMessage(data), query)

    @settings(derandomize=True, deadline=None, max_examples=200)
    @given(queries)
    def test_shortWay(self, query: Query) -> None:
        """The short way for usual queries gives what the long way gives: with a key more, it is taken."""
        data = encodeQuery(query)
        self.assertEqual(decodeMessage(data[:-1] + b"1:zi0ee"), decodeMessage(data))

    def test_response(self) -> None:
        """A response with all there can be."""
        nodes = encodeNodes([NodeInfo(TARGET, PeerAddr("1.2.3.4", 5))])
        nodes6 = encodeNodes([NodeInfo(TARGET, PeerAddr("2001:db8::1", 6))])
        values = [PeerAddr("5.6.7.8", 9), PeerAddr("6.7.8.9", 10)]
        data = encodeResponse(
            b"tt",
            ID,
            PeerAddr("9.8.7.6", 1234).compact(),
            blooms=(b"s" * 256, b"p" * 256),
            samples=Samples((TARGET, ID), 7, 60),
            nodes=nodes,
            nodes6=nodes6,
            token=b"token",
            values=[each.compact() for each in values],
        )
        decode(data, 2048, strictKeys=True)
        response = decodeMessage(data)
        assert isinstance(response, Response)
        self.assertEqual((response.transaction, response.sender), (b"tt", ID))
        self.assertEqual(response.external, bytes([9, 8, 7, 6]))
        self.assertEqual(response.nodes(), [NodeInfo(TARGET, PeerAddr("1.2.3.4", 5))])
        self.assertEqual(response.nodes(ipv6=True), [NodeInfo(TARGET, PeerAddr("2001:db8::1", 6))])
        self.assertEqual(response.token(), b"token")
        self.assertEqual(response.peers(), values)
        self.assertEqual(response.blooms(), (b"s" * 256, b"p" * 256))
        self.assertEqual(response.samples(), Samples((TARGET, ID), 7, 60))

    def test_bareResponse(self) -> None:
        """A response with nothing but an id gives nothing else."""
        response = decodeMessage(encodeResponse(b"t", ID))
        assert isinstance(response, Response)
        self.assertEqual(response.nodes() + response.nodes(True), [])
        self.assertEqual(response.peers(), [])
        self.assertEqual(response.external, b"")
        self.assertIsNone(response.token())
        self.assertIsNone(response.blooms())
        self.assertIsNone(response.samples())

    def test_error(self) -> None:
        """A refusal."""
        error = ErrorReply(b"aa", 203, "bad token")
        self.assertEqual(decodeMessage(encodeError(error)), error)


class DecodeTests(SynchronousTestCase):
    """What strangers send."""

    def _refused(self, message: object) -> KrpcError:
        refused: KrpcError = self.assertRaises(KrpcError, decodeMessage, encode(message))
        return refused

    def test_unknownMethod(self) -> None:
        """A method that is not known: 204, with the transaction to answer to."""
        refused = self._refused({b"t": b"x", b"y": b"q", b"q": b"vote", b"a": {b"id": ID}})
        self.assertEqual((refused.code, refused.transaction), (204, b"x"))

    def test_badArguments(self) -> None:
        """A query without what it needs: 203, with the transaction to answer to."""
        for method, arguments in (
            (b"ping", {}),
            (b"ping", {b"id": b"short"}),
            (b"find_node", {b"id": ID}),
            (b"find_node", {b"id": ID, b"target": 7}),
            (b"get_peers", {b"id": ID, b"info_hash": ID[:19]}),
            (b"announce_peer", {b"id": ID, b"info_hash": ID, b"port": 1}),
            (b"announce_peer", {b"id": ID, b"info_hash": ID, b"port": 0, b"token": b"t"}),
            (b"announce_peer", {b"id": ID, b"info_hash": ID, b"port": 65536, b"token": b"t"}),
            (b"announce_peer", {b"id": ID, b"info_hash": ID, b"port": 1, b"token": b"t" * 65}),
            (b"sample_infohashes", {b"id": ID}),
            (7, {b"id": ID}),
        ):
            refused = self._refused({b"t": b"x", b"y": b"q", b"q": method, b"a": arguments})
            self.assertEqual((refused.code, refused.transaction), (203, b"x"), (method, arguments))

    def test_silence(self) -> None:
        """What is no query is not answered, whatever is wrong with it."""
        for message in (
            {b"y": b"q", b"q": b"ping", b"a": {b"id": ID}},
            {b"t": b"", b"y": b"q", b"q": b"ping", b"a": {b"id": ID}},
            {b"t": b"t" * 33, b"y": b"q", b"q": b"ping", b"a": {b"id": ID}},
            {b"t": b"x", b"y": b"r", b"r": {}},
            {b"t": b"x", b"y": b"r", b"r": [ID]},
            {b"t": b"x", b"y": b"z"},
            {b"t": b"x"},
            [b"t"],
            7,
        ):
            self.assertIsNone(self._refused(message).transaction, message)

    def test_notBencoded(self) -> None:
        """Bytes that are no bencoding, too long, or nested too deep."""
        for data in (b"", b"d", b"x" * 20, b"d1:ai1e-6:", b"l" * 1000 + b"e" * 1000):
            self.assertIsNone(self.assertRaises(KrpcError, decodeMessage, data).transaction)
        long = encode({b"t": b"x", b"y": b"q", b"q": b"ping", b"a": {b"id": ID}, b"z": bytes(MAX_DATAGRAM)})
        self.assertRaises(KrpcError, decodeMessage, long)

    def test_impliedPort(self) -> None:
        """With an implied port the one that is given does not matter."""
        for implied, port, expected in ((1, 0, None), (1, 80, None), (0, 80, 80)):
            arguments = {
                b"id": ID,
                b"info_hash": TARGET,
                b"port": port,
                b"token": b"t",
                b"implied_port": implied,
            }
            message = decodeMessage(encode({b"t": b"x", b"y": b"q", b"q": b"announce_peer", b"a": arguments}))
            assert isinstance(message, Query)
            assert isinstance(message.ask, AnnouncePeer)
            self.assertEqual(message.ask.port, expected)

    def test_want(self) -> None:
        """BEP 32: either family, both, or what is no list."""
        for wanted, expected in (
            ([b"n4"], WANT4),
            ([b"n6"], WANT6),
            ([b"n6", b"n4", b"n8"], WANT4 | WANT6),
            (b"n4", 0),
        ):
            arguments = {b"id": ID, b"target": TARGET, b"want": wanted}
            message = decodeMessage(encode({b"t": b"x", b"y": b"q", b"q": b"find_node", b"a": arguments}))
            assert isinstance(message, Query)
            self.assertEqual(message.ask, FindNode(TARGET, expected))

    def test_oddErrors(self) -> None:
        """A refusal is one, whatever its parts are."""
        for said, text in (
            ([], ""),
            ([b"x"], ""),
            ([201], ""),
            ([201, 7], ""),
            (b"no", ""),
            ([-1, b"x"], "x"),
            ([1 << 70, b"x"], "x"),
        ):
            message = decodeMessage(encode({b"t": b"x", b"y": b"e", b"e": said}))
            self.assertEqual(message, ErrorReply(b"x", 201, text), said)

    def test_external(self) -> None:
        """Our address, with a port or without, of either family; of other lengths it is left out."""
        for sent, expected in (
            (b"\1\2\3\4\0\7", b"\1\2\3\4"),
            (b"\1\2\3\4", b"\1\2\3\4"),
            (b"a" * 18, b"a" * 16),
            (b"a" * 16, b"a" * 16),
            (b"abc", b""),
            (7, b""),
        ):
            message = decodeMessage(encode({b"t": b"x", b"y": b"r", b"r": {b"id": ID}, b"ip": sent}))
            assert isinstance(message, Response)
            self.assertEqual(message.external, expected)


class ContentTests(SynchronousTestCase):
    """What a response holds, damaged or not."""

    def _response(self, **fields: object) -> Response:
        values: dict[bytes, object] = {name.encode(): value for name, value in fields.items()}
        message = decodeMessage(encode({b"t": b"x", b"y": b"r", b"r": values | {b"id": ID}}))
        assert isinstance(message, Response)
        return message

    def test_brokenNodes(self) -> None:
        """Nodes that are no whole number of them are left out, as are those nobody can be at."""
        self.assertEqual(self._response(nodes=b"def456...").nodes(), [])
        self.assertEqual(self._response(nodes=7).nodes(), [])
        usable = TARGET + b"\1\2\3\4\0\5"
        for host in (b"\0\0\0\1", b"\xe0\0\0\1", b"\xff\xff\xff\xff"):
            both = ID + host + b"\0\5" + usable
            self.assertEqual(self._response(nodes=both).nodes(), [NodeInfo(TARGET, PeerAddr("1.2.3.4", 5))])
        self.assertEqual(decodeNodes(ID + b"\1\2\3\4\0\0"), [])
        mapped = bytes(10) + b"\xff\xff\1\2\3\4"
        self.assertEqual(decodeNodes(ID + mapped + b"\0\5", ipv6=True), [])

    def test_manyNodes(self) -> None:
        """One response names no more nodes than anybody sends."""
        many = b"".join(bytes([n]) * 20 + b"\1\2\3\4\0\5" for n in range(60))
        self.assertEqual(len(self._response(nodes=many).nodes()), 32)

    def test_brokenPeers(self) -> None:
        """Of a list of peers those that are addresses are taken, of either family."""
        values = [
            b"\1\2\3\4\0\5",
            b"short",
            7,
            b"\1\2\3\4\0\0",
            bytes.fromhex("20010db8") + bytes(11) + b"\1\0\6",
        ]
        found = [PeerAddr("1.2.3.4", 5), PeerAddr("2001:db8::1", 6)]
        self.assertEqual(self._response(values=values).peers(), found)
        self.assertEqual(self._response(values=b"\1\2\3\4\0\5").peers(), [])

    def test_tokens(self) -> None:
        """A token nobody would make is none."""
        self.assertIsNone(self._response(token=b"").token())
        self.assertIsNone(self._response(token=b"x" * 65).token())
        self.assertIsNone(self._response(token=7).token())

    def test_samples(self) -> None:
        """Samples of a wrong length are none; numbers that make no sense are not believed."""
        self.assertIsNone(self._response(samples=b"x" * 30).samples())
        odd = self._response(samples=ID + TARGET, num=1, interval=1 << 40).samples()
        self.assertEqual(odd, Samples((ID, TARGET), 2, 0))

    def test_blooms(self) -> None:
        """Filters of a wrong length are none."""
        self.assertIsNone(self._response(BFsd=bytes(256), BFpe=bytes(255)).blooms())


class VectorTests(ConformanceTestCase):
    """The published messages."""

    def test_decoded(self) -> None:
        """Each is one, and those that are ours to send we write to the last byte."""
        written = 0
        for case in cases("krpc_messages"):
            data = fromHex(case["bytes"]) if "bytes" in case else dataFile(case["data_file"])
            message = decodeMessage(data)
            if isinstance(message, Query) and not isinstance(message.ask, AnnouncePeer):
                self.assertEqual(encodeQuery(message, version=b""), data, case["id"])
                written += 1
            elif isinstance(message, ErrorReply):
                self.assertEqual(encodeError(message, version=b""), data, case["id"])
                written += 1
        self.assertGreaterEqual(written, 5)

    def test_fields(self) -> None:
        """Those with a field by field account are understood so."""
        for case in cases("krpc_messages"):
            expect = case.get("expect")
            if expect is None:
                continue
            message = decodeMessage(dataFile(case["data_file"]))
            self.assertEqual(message.transaction.hex(), expect["t"])
            if isinstance(message, Response):
                nodes = [[node.id.hex(), str(node.addr)] for node in message.nodes()]
                self.assertEqual((message.sender.hex(), nodes), (expect["id"], expect["nodes"]))
            else:
                self.assertEqual(
                    message,
                    Query(
                        message.transaction,
                        bytes.fromhex(expect["a"]["id"]),
                        FindNode(bytes.fromhex(expect["a"]["target"])),
                    ),
                )

    def test_compactNodes(self) -> None:
        """Published compact addresses, behind an id."""
        done = 0
        for case in cases("compact_addresses"):
            data = fromHex(case["bytes"]) if "bytes" in case else b""
            if len(data) in (6, 18) and "ip" in case["expect"]:
                node = NodeInfo(ID, PeerAddr(case["expect"]["ip"], case["expect"]["port"]))
                self.assertEqual(decodeNodes(ID + data, len(data) == 18), [node], case["id"])
                self.assertEqual(node.compact(), ID + data, case["id"])
                done += 1
        self.assertTrue(done)


class DamagedTests(SynchronousTestCase):
    """Damaged messages of every kind."""

    def test_nothingElse(self) -> None:
        """A damaged message becomes a message or L{KrpcError}, and its content can be read."""
        random = Random(1)
        seeds = [
            encodeQuery(Query(b"ab", ID, ask, True))
            for ask in (Ping(), FindNode(TARGET, 3), GetPeers(TARGET), AnnouncePeer(ID, 7, b"t"))
        ]
        seeds.append(encodeResponse(b"ab", ID, b"123456", nodes=b"n" * 52, token=b"t", values=[b"abcdef"]))
        seeds.append(encodeResponse(b"ab", ID, samples=Samples((ID,), 1, 1), blooms=(bytes(256), bytes(256))))
        seeds.append(encodeError(ErrorReply(b"ab", 201, "no")))
        outcomes: set[object] = set()
        for number in range(7000):
            data = bytearray(seeds[number % len(seeds)])
            for _ in range(random.randrange(1, 4)):
                data[random.randrange(len(data))] = random.choice(b"0123456789:deil\0\xff")
            try:
                message = decodeMessage(bytes(data))
            except KrpcError as refused:
                outcomes.add(refused.code)
                continue
            outcomes.add(type(message))
            if isinstance(message, Response):
                message.nodes(), message.nodes(True), message.peers()
                message.token(), message.samples(), message.blooms()
        self.assertTrue({Query, Response, ErrorReply, 203, 204} <= outcomes, outcomes)
