"""
C{twisted-bt dht}: questions to the DHT, for people who work on it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Coroutine, Sequence
from random import SystemRandom
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from twisted_bt.control.commandline import addCommand, addTimeout, argument
from twisted_bt.control.foreground import runToEnd
from twisted_bt.control.options import HostPort, parseHostPort
from twisted_bt.control.sources import isMagnet, readMagnet
from twisted_bt.control.units import plural
from twisted_bt.dht.messages import Samples
from twisted_bt.dht.routing import K
from twisted_bt.dht.service import DhtNode
from twisted_bt.dht.settings import ROUTERS, DhtSettings
from twisted_bt.errors import KrpcError, KrpcSilence, MagnetError
from twisted_bt.interfaces import IClientReactor
from twisted_bt.naming import resolve
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.ids import parseInfoHash

#: Seconds for one answer in a search: somebody is watching, and most answer within one.
QUERY_TIMEOUT = 3.0
#: Seconds after which one node is enough to begin with.
PATIENCE = 1.0


def parseHash(text: str) -> bytes:
    """
    An info-hash, or that of a magnet link.

    @raise ValueError: C{text} is neither.
    """
    if not isMagnet(text):
        return parseInfoHash(text)
    try:
        infoHash = readMagnet(text).infoHash
    except MagnetError as error:
        raise ValueError(str(error)) from error
    assert infoHash is not None
    return infoHash


def addDht(commands: Any) -> None:
    """C{dht} and its own commands."""
    dht = commands.add_parser("dht", help="ask the DHT", description="Asks the DHT.")
    questions = dht.add_subparsers(title="commands", metavar="COMMAND", required=True)
    getPeers = addCommand(
        questions, _getPeers, "get-peers", "print the peers of a torrent, one a line, as they are found"
    )
    getPeers.add_argument(
        "infoHash", metavar="HASH", type=argument(parseHash), help="an info-hash or a magnet link"
    )
    ping = addCommand(questions, _ping, "ping", "print the address and the id of a node")
    ping.add_argument("node", metavar="HOST:PORT", type=argument(parseHostPort))
    sample = addCommand(
        questions, _sample, "sample", "print info-hashes that nodes store, one a line (BEP 51)"
    )
    sample.add_argument(
        "node",
        metavar="HOST:PORT",
        type=argument(parseHostPort),
        nargs="?",
        help="which to ask [default: those near a random place]",
    )
    for command, seconds in ((getPeers, 30.0), (ping, 5.0), (sample, 30.0)):
        command.add_argument(
            "--bootstrap",
            metavar="HOST:PORT",
            type=argument(parseHostPort),
            action="append",
            default=[],
            help="a node to begin with; repeatable [default: well-known ones]",
        )
        addTimeout(command, seconds, "how long to wait for answers")


def _getPeers(arguments: argparse.Namespace) -> int:
    return _run(arguments, lambda node, reactor: getPeers(node, reactor, arguments.infoHash, sys.stdout))


def _ping(arguments: argparse.Namespace) -> int:
    return _run(
        arguments, lambda node, reactor: ping(node, reactor, arguments.node, sys.stdout), joining=False
    )


def _sample(arguments: argparse.Namespace) -> int:
    asked: HostPort | None = arguments.node
    return _run(
        arguments, lambda node, reactor: sample(node, reactor, asked, sys.stdout), joining=asked is None
    )


def _run(
    arguments: argparse.Namespace,
    work: Callable[[DhtNode, IClientReactor], Coroutine[Deferred[Any], Any, None]],
    joining: bool = True,
) -> int:
    """Do C{work} with a node of our own; the exit status."""
    routers: Sequence[tuple[str, int]] = arguments.bootstrap or ROUTERS
    seconds: float = arguments.timeout
    # Read-only (BEP 43): gone in a moment, so nobody should remember us.
    settings = DhtSettings(
        routers=tuple(routers) if joining else (),
        readOnly=True,
        queryTimeout=QUERY_TIMEOUT if joining else seconds,
    )
    return runToEnd(lambda reactor: withNode(reactor, settings, seconds, work))


async def withNode(
    reactor: IClientReactor,
    settings: DhtSettings,
    seconds: float,
    work: Callable[[DhtNode, IClientReactor], Coroutine[Deferred[Any], Any, None]],
) -> None:
    """
    Do C{work} with a node that lives as long.

    @param seconds: for all of it.
    @raise KrpcError: there was no answer, or one that is none.
    """
    node = DhtNode(reactor, SystemRandom(), settings=settings)

    def late(result: object, limit: float) -> object:
        if isinstance(result, Failure) and result.check(CancelledError):
            raise KrpcSilence(f"no answer within {limit:g} seconds")
        return result

    try:
        node.startService()
        working = Deferred.fromCoroutine(work(node, reactor))
        await working.addTimeout(seconds, reactor, onTimeoutCancel=late)
    finally:
        await maybeDeferred(node.stopService)


async def getPeers(node: DhtNode, clock: IReactorTime, infoHash: bytes, out: TextIO) -> None:
    """
    Print the peers of C{infoHash} as they come.  If the time is up, those found so far are a result.

    @raise KrpcError: there are none.
    """
    count = 0

    def found(addresses: Sequence[PeerAddr]) -> None:
        nonlocal count
        count += len(addresses)
        for addr in addresses:
            print(addr, file=out, flush=True)

    await _joined(node, clock)
    try:
        await node.getPeers(infoHash, found)
    except CancelledError:
        if not count:
            raise
    if not count:
        raise KrpcError("no peers found")


async def ping(node: DhtNode, reactor: IClientReactor, asked: HostPort, out: TextIO) -> None:
    """
    Print the address, the id and the milliseconds of each node at a name.

    @raise KrpcError: none answers.
    """
    began = reactor.seconds()

    def say(nodeId: bytes, addr: PeerAddr) -> None:
        print(f"{addr} {nodeId.hex()} {(reactor.seconds() - began) * 1000:.0f} ms", file=out, flush=True)

    addresses = await _addresses(reactor, asked)
    began = reactor.seconds()
    pings = [node.ping(addr).addCallback(say, addr) for addr in addresses]
    _needsOne(await DeferredList(pings, consumeErrors=True))


async def sample(node: DhtNode, reactor: IClientReactor, asked: HostPort | None, out: TextIO) -> None:
    """
    Print info-hashes that are stored by the node C{asked}, or by those near a random place.

    @raise KrpcError: nobody gives any.
    """
    if asked is not None:
        addresses = await _addresses(reactor, asked)
    else:
        await _joined(node, reactor)
        addresses = [each.addr for each in await node.findNode(SystemRandom().randbytes(20))]
    seen: set[bytes] = set()

    def say(samples: Samples) -> None:
        for infoHash in samples.infoHashes:
            if infoHash not in seen:
                seen.add(infoHash)
                print(infoHash.hex(), file=out, flush=True)

    asking = [node.sample(addr).addCallback(say) for addr in addresses]
    _needsOne(await DeferredList(asking, consumeErrors=True))
    if not seen:
        raise KrpcError(f"{plural(len(addresses), 'node')} asked, no info-hash stored there")


async def _joined(node: DhtNode, clock: IReactorTime) -> None:
    """
    Wait until there is somebody to ask: to search from a few nodes is sooner done than to join well.

    @raise KrpcSilence: nobody answers.
    """
    began, joined = clock.seconds(), node.whenJoined()
    enough = False

    def look() -> None:
        nonlocal enough
        if node.nodeCount >= (1 if clock.seconds() - began >= PATIENCE else K):
            enough = True
            joined.cancel()

    looking = LoopingCall(look)
    looking.clock = clock
    looking.start(0.1)
    try:
        await joined
    except CancelledError:
        if not enough:  # then it is we who were cancelled
            raise
    finally:
        looking.stop()
    if not node.nodeCount:
        raise KrpcSilence("no node of the DHT answers; --bootstrap names others to begin with")


async def _addresses(reactor: IClientReactor, asked: HostPort) -> list[PeerAddr]:
    addresses = await resolve(reactor, asked.host, asked.port, "UDP")
    if not addresses:
        raise KrpcSilence(f"{asked}: the name is not known")
    return addresses


def _needsOne(results: Sequence[tuple[bool, Any]]) -> None:
    """Raise the first failure, unless there was a success."""
    if not any(success for success, _ in results):
        for _, failure in results:
            failure.raiseException()
