"""
Target: a whole node of the DHT among nodes that say anything.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import Deferred

from tests.dht.net import PORT, World
from tests.fuzz.datagrams import Krpc
from tests.fuzz.logs import Errors
from tests.fuzz.mutation import Mutator
from tests.fuzz.script import Script
from tests.fuzz.target import Tally, Target, require
from twisted_bt.dht.krpc import decodeMessage, encodeError, encodeQuery, encodeResponse
from twisted_bt.dht.messages import (
    AnnouncePeer,
    ErrorReply,
    FindNode,
    GetPeers,
    NodeInfo,
    Ping,
    Query,
    Response,
    SampleInfohashes,
    Samples,
    encodeNodes,
)
from twisted_bt.dht.state import DhtState
from twisted_bt.errors import BitTorrentError, KrpcError
from twisted_bt.torrent.addresses import PeerAddr

_STRANGERS = tuple(
    [PeerAddr(f"88.1.{n}.7", 1000 + n) for n in range(16)]
    + [PeerAddr("88.2.2.2", port) for port in (1, 2, 3, 65535)]
    + [
        PeerAddr("10.0.0.9", 9),
        PeerAddr("2001:4860::9", 9),
        PeerAddr("fe80::9%eth0", 9),
        PeerAddr("::ffff:9.9.9.9", 9),
    ]
)


class Nodes(Target):
    """C{dht/}: datagrams of any kind from many addresses, answers to what the node asked among them."""

    name = "node"
    batched = True
    maxLength = 4000
    seconds = 20.0

    def __init__(self) -> None:
        self._errors = Errors()
        self._mutator = Mutator(Krpc(), "node", fresh=False)

    def seeds(self) -> list[bytes]:
        """Anything is a script; here are some."""
        random = Random("scripts")
        return [Script.made(random, 100, 4000) for _ in range(40)]

    def run(self, data: bytes) -> Tally:
        """No exception; what is sent is well formed, what is kept is bounded; in the end nothing is left."""
        play = _Play(Script(data), self._mutator)
        try:
            play.run()
        finally:
            self._errors.none()
        return Tally(play.accepted, max(0, play.said - play.accepted))


class _Play:
    """One script."""

    def __init__(self, script: Script, mutator: Mutator) -> None:
        self._script = script
        self._mutator = mutator
        self.said = self.accepted = 0
        self._world = World(script.below(4))
        self._net = self._world.net
        self._world.grow(3)
        self._victim = self._world.node()
        self._net.advance(5.0)
        (self._host,) = [host for host, each in self._world.nodes.items() if each is self._victim]
        self._asked: list[tuple[Query, PeerAddr]] = []
        self._tokens: dict[PeerAddr, bytes] = {}
        self._waiting: list[Deferred[Any]] = []
        self._outcomes = 0
        self._deliver = self._net.deliver
        self._net.deliver = self._sent  # type: ignore[method-assign]
        self._actions: tuple[Callable[[], None], ...] = (
            self._ask, self._ask, self._ask, self._askDamaged, self._askDamaged, self._answer, self._answer,
            self._answer,
            self._answerDamaged, self._answerDamaged, self._refuse, self._answerOther, self._garbage,
            self._wait, self._want,
        )  # fmt: skip

    def _sent(self, datagram: bytes, source: Any, target: Any) -> None:
        if source[0] == self._host:
            message = decodeMessage(datagram)
            require(len(datagram) < 1472, "no fragments", len(datagram))
            addr = PeerAddr(*target)
            if isinstance(message, Query):
                self._asked = [*self._asked[-60:], (message, addr)]
            elif isinstance(message, Response):
                self.accepted += 1
                self._tokens[addr] = message.token() or self._tokens.get(addr, b"")
            else:
                require(message.code in (203, 204), "errors of BEP 5", message)
        self._deliver(datagram, source, target)

    # -- the play

    def run(self) -> None:
        """Do what the script says, then end it all."""
        while self._script:
            self._actions[self._script.below(len(self._actions))]()
            self._net.advance(0.01)
            self._look()
        state = self._victim.state()
        require(DhtState.decode(state).encode() == state, "its state can be kept", state)
        self._net.advance(60.0)
        self._look()
        left = self._world.stop()
        require(not left, "nothing is left", left)
        require(self._outcomes == len(self._waiting), "all that was asked for came to an end", self._outcomes)

    def _look(self) -> None:
        victim = self._victim
        (only,) = victim._nodes.values()
        require(victim.nodeCount < 300, "bounded: nodes", victim.nodeCount)
        require(len(only._verifying) < 9, "bounded: verifying", len(only._verifying))
        require(len(only.protocol._pending) < 400, "bounded: pending", len(only.protocol._pending))
        require(len(victim._store) <= 4000, "bounded: store", len(victim._store))
        require(self._net.pending < 4000, "bounded: calls", self._net.pending)

    # -- what strangers do

    def _stranger(self) -> PeerAddr:
        return _STRANGERS[self._script.below(len(_STRANGERS))]

    def _send(self, datagram: bytes, source: PeerAddr) -> None:
        self.said += 1
        self._net.ports[self._host, PORT].protocol.datagramReceived(datagram, tuple(source))

    def _id(self) -> bytes:
        kind = self._script.below(4)
        if kind == 0:
            return self._victim.nodeId
        if kind == 1:
            return self._victim.nodeId[:19] + bytes((self._script.byte(),))
        return bytes((self._script.byte(),)) * 20

    def _query(self, source: PeerAddr) -> Query:
        target = self._id()
        token = self._tokens.get(source) or b"token"
        kinds = (
            Ping(), FindNode(target, self._script.below(4)), GetPeers(target, self._script.below(4), True,
            True),
            GetPeers(target), AnnouncePeer(target, None, token), AnnouncePeer(target,
            1 + self._script.byte(), token, True),
            SampleInfohashes(target),
        )  # fmt: skip
        ask = kinds[self._script.below(len(kinds))]
        return Query(bytes((self._script.byte(), 7)), self._id(), ask, self._script.below(5) == 0)

    def _ask(self) -> None:
        for _ in range(1 + self._script.below(6)):
            source = self._stranger()
            self._send(encodeQuery(self._query(source)), source)

    def _damaged(self, datagram: bytes) -> bytes:
        self._mutator.random.seed(self._script.random().random())
        if self._mutator.random.random() < 0.3:
            return self._mutator.next()
        return self._mutator.mutated(datagram)

    def _askDamaged(self) -> None:
        for _ in range(1 + self._script.below(6)):
            source = self._stranger()
            self._send(self._damaged(encodeQuery(self._query(source))), source)

    def _reply(self, query: Query) -> bytes:
        random = self._script.random()
        nodes = [NodeInfo(random.randbytes(20), addr) for addr in random.sample(_STRANGERS[:20], 8)]
        more: dict[str, Any] = {"nodes": encodeNodes(nodes)}
        if random.random() < 0.3:
            more["nodes6"] = encodeNodes([NodeInfo(random.randbytes(20), _STRANGERS[21])])
        if isinstance(query.ask, GetPeers):
            more["token"] = random.randbytes(random.choice((1, 4, 64, 65)))
            more["values"] = [random.randbytes(6) for _ in range(random.randrange(5))]
            more["blooms"] = (random.randbytes(256), bytes(256)) if random.random() < 0.3 else None
        if isinstance(query.ask, SampleInfohashes):
            more["samples"] = Samples((bytes(20),) * random.randrange(5), 5, 60)
        external = random.choice((b"", b"\1\2\3\4\0\5", bytes(6), random.randbytes(18)))
        return encodeResponse(query.transaction, self._id(), external, **more)

    def _open(self) -> tuple[Query, PeerAddr] | None:
        """A query of the node to somebody who is a stranger."""
        found = [each for each in self._asked if (each[1].host, each[1].port) not in self._net.ports]
        if not found:
            return None
        chosen = found[self._script.below(len(found))]
        self._asked.remove(chosen)
        return chosen

    def _answer(self, damage: bool = False, source: PeerAddr | None = None) -> None:
        asked = self._open()
        if asked is None:
            return self._ask()
        query, addr = asked
        datagram = self._reply(query)
        self._send(self._damaged(datagram) if damage else datagram, source or addr)
        return None

    def _answerDamaged(self) -> None:
        self._answer(damage=True)

    def _answerOther(self) -> None:
        self._answer(source=self._stranger())

    def _refuse(self) -> None:
        asked = self._open()
        if asked is not None:
            query, addr = asked
            code = (201, 203, 0, 65535)[self._script.below(4)]
            self._send(encodeError(ErrorReply(query.transaction, code, "no")), addr)

    def _garbage(self) -> None:
        random = self._script.random()
        self._send(random.randbytes(random.choice((0, 1, 20, 100, 2048, 2049, 9000))), self._stranger())

    def _wait(self) -> None:
        kind = self._script.below(16)
        self._net.advance(
            (0.1, 1.0, 5.0, 20.0)[kind % 4] if kind < 14 else 60.0 * (1 + self._script.below(20))
        )

    def _want(self) -> None:
        """The node itself is told to do something."""
        if len(self._waiting) > 20:
            return
        victim, target, addr = self._victim, self._id(), self._stranger()
        kind = self._script.below(8)
        if kind == 0:
            victim.addNode(addr.host, addr.port)
            return
        wanted: tuple[Callable[[], Deferred[Any]], ...] = (
            lambda: victim.getPeers(target),
            lambda: victim.announce(target, 1),
            lambda: victim.scrape(target),
            lambda: victim.findNode(target),
            lambda: victim.ping(addr),
            lambda: victim.sample(addr),
        )
        try:
            waiting = wanted[kind % 6]()
        except KrpcError:
            return
        self._waiting.append(waiting)
        waiting.addCallbacks(self._came, self._failed)

    def _came(self, _: object) -> None:
        self._outcomes += 1

    def _failed(self, reason: Any) -> None:
        self._outcomes += 1
        reason.trap(BitTorrentError)
