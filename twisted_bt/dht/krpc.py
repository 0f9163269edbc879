"""
KRPC, the messages of the DHT (BEP 5, 32, 33, 42, 43, 45, 51): bytes to values and back.

What comes in becomes a L{Query}, a L{Response} or an L{ErrorReply}, or L{KrpcError} is raised: with a
transaction where BEP 5 has an error answered to it (203, 204), without where silence is better, since
an answer to what is no query could go back and forth for ever.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from twisted_bt.dht.messages import (
    MAX_TOKEN,
    WANT4,
    WANT6,
    AnnouncePeer,
    Ask,
    ErrorReply,
    FindNode,
    GetPeers,
    Message,
    Ping,
    Query,
    Response,
    SampleInfohashes,
    Samples,
)
from twisted_bt.dht.nodeid import ID_LENGTH
from twisted_bt.errors import BencodeError, KrpcError
from twisted_bt.torrent.bencoding import (
    BValue,
    asDict,
    bytesIn,
    decode,
    dictIn,
    encode,
    intIn,
    listIn,
    textIn,
)

#: The longest datagram that is looked at; nobody's are longer than an Ethernet frame.
MAX_DATAGRAM = 2048
#: What we keep answers under, so that no network on the way cuts them.
MAX_ANSWER = 1400

#: BEP 5, C{v}: us.
VERSION = b"TB\0\1"

_MAX_TRANSACTION = 32


# ---------------------------------------------------------------- bytes to values


def decodeMessage(data: bytes) -> Message:
    """
    What a datagram says.

    @raise KrpcError: nothing that BEP 5 knows.
    """
    usual = _usualQuery(data)
    if usual is not None:
        return usual
    try:
        fields = asDict(decode(data, MAX_DATAGRAM, maxDepth=8))
    except BencodeError as reason:
        raise KrpcError(str(reason)) from reason
    transaction = bytesIn(fields, b"t", b"")
    if not 0 < len(transaction) <= _MAX_TRANSACTION:
        raise KrpcError("no transaction id")
    match bytesIn(fields, b"y", b""):
        case b"q":
            return _query(transaction, fields)
        case b"r":
            values = dictIn(fields, b"r")
            sender = bytesIn(values, b"id", None, ID_LENGTH)
            if sender is None:
                raise KrpcError("an answer without the id of its node")
            return Response(transaction, sender, values, _external(bytesIn(fields, b"ip", b"")))
        case b"e":
            said = listIn(fields, b"e")
            code = said[0] if said and type(said[0]) is int and 0 <= said[0] < 1 << 16 else 201
            text = {b"": said[1] if len(said) > 1 else b""}
            return ErrorReply(transaction, code, textIn(text, b"", "")[:200])
    raise KrpcError("neither query nor answer nor error")


def _external(data: bytes) -> bytes:
    """Our address in C{ip}, with a port or, as some send it, without."""
    size = len(data)
    return data[:-2] if size in (6, 18) else data if size in (4, 16) else b""


def _query(transaction: bytes, fields: dict[bytes, BValue]) -> Query:
    arguments = dictIn(fields, b"a")
    sender = bytesIn(arguments, b"id", None, ID_LENGTH)
    method = bytesIn(fields, b"q", None)
    if method is None or sender is None:
        raise KrpcError("a query has a method, and the id of its node", 203, transaction)
    reader = _READERS.get(method)
    if reader is None:
        raise KrpcError("method unknown", 204, transaction)
    ask = reader(arguments)
    if ask is None:
        raise KrpcError("invalid arguments", 203, transaction)
    return Query(transaction, sender, ask, fields.get(b"ro") == 1)


def _want(arguments: dict[bytes, BValue]) -> int:
    """BEP 32."""
    wanted = listIn(arguments, b"want")
    return (WANT4 if b"n4" in wanted else 0) | (WANT6 if b"n6" in wanted else 0)


def _findNode(arguments: dict[bytes, BValue]) -> Ask | None:
    target = bytesIn(arguments, b"target", None, ID_LENGTH)
    return None if target is None else FindNode(target, _want(arguments))


def _getPeers(arguments: dict[bytes, BValue]) -> Ask | None:
    infoHash = bytesIn(arguments, b"info_hash", None, ID_LENGTH)
    if infoHash is None:
        return None
    noSeed, scrape = arguments.get(b"noseed") == 1, arguments.get(b"scrape") == 1
    return GetPeers(infoHash, _want(arguments), noSeed, scrape)


def _announcePeer(arguments: dict[bytes, BValue]) -> Ask | None:
    infoHash = bytesIn(arguments, b"info_hash", None, ID_LENGTH)
    token = bytesIn(arguments, b"token", b"")
    port = intIn(arguments, b"port", 1, 65535, None)
    if arguments.get(b"implied_port", 0) not in (0, b""):
        port = None
    elif port is None:
        return None
    if infoHash is None or not 0 < len(token) <= MAX_TOKEN:
        return None
    return AnnouncePeer(infoHash, port, token, arguments.get(b"seed") == 1)


def _sampleInfohashes(arguments: dict[bytes, BValue]) -> Ask | None:
    target = bytesIn(arguments, b"target", None, ID_LENGTH)
    return None if target is None else SampleInfohashes(target, _want(arguments))


_READERS = {
    b"ping": lambda _: Ping(),
    b"find_node": _findNode,
    b"get_peers": _getPeers,
    b"announce_peer": _announcePeer,
    b"sample_infohashes": _sampleInfohashes,
}

# Nearly all queries are one of these two, in canonical order and with nothing else in them.  One look
# by the regular expressions' machine costs a tenth of decoding; whatever does not match is decoded.
_usual = re.compile(
    rb"d1:ad2:id20:(.{20})"
    rb"(?:6:target20:(.{20})|9:info_hash20:(.{20}))(?:4:wantl(2:n4)?(2:n6)?e)?e"
    rb"1:q9:(find_node|get_peers)(2:roi1e)?1:t(?:1:(.)|2:(..)|4:(....))(?:1:v4:....)?1:y1:qe",
    re.DOTALL,
).fullmatch


def _usualQuery(data: bytes) -> Query | None:
    found = _usual(data)
    if found is None:
        return None
    sender, target, infoHash, want4, want6, method, readOnly, one, two, four = found.groups()
    want = (WANT4 if want4 else 0) | (WANT6 if want6 else 0)
    ask: Ask
    if infoHash is not None and method == b"get_peers":
        ask = GetPeers(infoHash, want)
    elif target is not None and method == b"find_node":
        ask = FindNode(target, want)
    else:
        return None
    return Query(two or four or one, sender, ask, readOnly is not None)


# ---------------------------------------------------------------- values to bytes


def encodeQuery(query: Query, version: bytes = VERSION) -> bytes:
    """C{query} as a datagram; C{version} empty: not said."""
    name, arguments = _arguments(query.ask)
    return b"d1:ad2:id20:%be1:q%d:%b%b%b1:y1:qe" % (
        query.sender + arguments,
        len(name),
        name,
        b"2:roi1e" if query.readOnly else b"",
        _tail(query.transaction, version),
    )


def _tail(transaction: bytes, version: bytes) -> bytes:
    told = b"1:v%d:%b" % (len(version), version) if version else b""
    return b"1:t%d:%b%b" % (len(transaction), transaction, told)


_WANTS = (b"", b"4:wantl2:n4e", b"4:wantl2:n6e", b"4:wantl2:n42:n6e")


def _arguments(ask: Ask) -> tuple[bytes, bytes]:
    """The name of a method, and its arguments but the id, which comes before them all."""
    match ask:
        case Ping():
            return b"ping", b""
        case FindNode(target, want):
            return b"find_node", b"6:target20:%b%b" % (target, _WANTS[want])
        case GetPeers(infoHash, want, noSeed, scrape):
            options = (b"6:noseedi1e" if noSeed else b"") + (b"6:scrapei1e" if scrape else b"")
            return b"get_peers", b"9:info_hash20:%b%b%b" % (infoHash, options, _WANTS[want])
        case AnnouncePeer(infoHash, port, token, seed):
            # With an implied port the other is still there, for nodes that know no implied ones.
            return b"announce_peer", b"%b9:info_hash20:%b4:porti%de%b5:token%d:%b" % (
                b"12:implied_porti1e" if port is None else b"",
                infoHash,
                1 if port is None else port,
                b"4:seedi1e" if seed else b"",
                len(token),
                token,
            )
        case SampleInfohashes(target, want):
            return b"sample_infohashes", b"6:target20:%b%b" % (target, _WANTS[want])


def encodeResponse(
    transaction: bytes,
    sender: bytes,
    external: bytes = b"",
    *,
    blooms: tuple[bytes, bytes] | None = None,
    samples: Samples | None = None,
    nodes: bytes | None = None,
    nodes6: bytes | None = None,
    token: bytes | None = None,
    values: Sequence[bytes] = (),
    version: bytes = VERSION,
) -> bytes:
    """
    An answer as a datagram.

    @param external: the address of who asked, compact (BEP 42).
    @param blooms: the filters of seeds and of other peers (BEP 33).
    @param nodes: compact, one after another; C{nodes6} too.
    @param values: peers, compact.
    """
    fields = [b"d"]
    if external:
        fields.append(b"2:ip%d:%b" % (len(external), external))
    fields.append(b"1:rd")
    if blooms is not None:
        seeds, peers = blooms
        fields.append(b"4:BFpe256:%b4:BFsd256:%b" % (peers, seeds))
    fields.append(b"2:id20:" + sender)
    if samples is not None:
        fields.append(b"8:intervali%de" % samples.interval)
    if nodes is not None:
        fields.append(b"5:nodes%d:%b" % (len(nodes), nodes))
    if nodes6 is not None:
        fields.append(b"6:nodes6%d:%b" % (len(nodes6), nodes6))
    if samples is not None:
        hashes = b"".join(samples.infoHashes)
        fields.append(b"3:numi%de7:samples%d:%b" % (samples.total, len(hashes), hashes))
    if token is not None:
        fields.append(b"5:token%d:%b" % (len(token), token))
    if values:
        start = b"%d:" % len(values[0])
        fields.append(b"6:valuesl%b%be" % (start, start.join(values)))
    fields.append(b"e%b1:y1:re" % _tail(transaction, version))
    return b"".join(fields)


def encodeError(error: ErrorReply, version: bytes = VERSION) -> bytes:
    """A refusal as a datagram."""
    said = encode([error.code, error.message])
    return b"d1:e%b%b1:y1:ee" % (said, _tail(error.transaction, version))
