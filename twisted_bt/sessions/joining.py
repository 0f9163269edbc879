"""
How a peer session comes to be, and what it holds meanwhile.

Both ways are one flow of steps, whichever side dials: acquire slots, connect, register, exchange,
unregister, close, release.  What was taken is given back in reverse order on every path: refused,
timed out, wrong handshake, duplicate, cancelled, lost.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred, TimeoutError

from twisted_bt.errors import PeerDisconnected
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.peerwire.protocol import PeerProtocol
from twisted_bt.sessions.vacancy import Vacancy
from twisted_bt.sessions.wiresession import WireSession
from twisted_bt.torrent.addresses import PeerAddr

if TYPE_CHECKING:
    from twisted_bt.sessions.engine import Engine
    from twisted_bt.sessions.gathering import IGathering

T = TypeVar("T")

#: Accepted peers that may wait for a slot of one swarm; each holds a descriptor meanwhile.
MAX_WAITING = 20

#: Of the peers that wait for a slot of their swarm, those we dial come before those who knock.
WANTED = -1


class ISwarmFinder(Protocol):
    """What the accepting side needs of the client."""

    @property
    def engine(self) -> Engine:
        """What the swarms of the client share."""

    def swarmFor(self, infoHash: bytes) -> Deferred[Any]:
        """The swarm to talk about, opened if need be.  Fails with C{UnknownTorrent}."""


async def initiatePeerSession(
    swarm: IGathering, addr: PeerAddr, established: Callable[[WireSession[Any]], None]
) -> None:
    """
    Dial C{addr} and talk to it until the connection is gone.

    @param established: told of the session once its handshake is done.
    @raise SessionException: why it ended.
    """
    engine = swarm.engine
    async with holding(engine.clientSlots, swarm.priority), holding(swarm.slots, WANTED):
        session = swarm.meeting.register(addr, incoming=False)
        try:
            async with holding(engine.dialSlots):
                protocol = await engine.dialer.connect(addr)
                try:
                    protocol.write(_greeting(swarm))
                    theirs = await _intime(protocol.whenHandshake(), engine)
                except BaseException:
                    await _close(protocol)
                    raise
            await _exchange(swarm, session, protocol, theirs, established)
        finally:
            swarm.meeting.unregister(session)


async def acceptPeerSession(finder: ISwarmFinder, protocol: PeerProtocol, addr: PeerAddr) -> None:
    """
    Read the handshake of who dialled us from C{addr}, look its swarm up, answer, and talk until the
    connection is gone.

    @raise SessionException: why it ended.
    """
    engine = finder.engine
    try:
        if not engine.clientSlots.tryEnter():
            raise PeerDisconnected("no vacancy: the client has enough peers")
        try:
            infoHash = await _intime(protocol.whenInfoHash(), engine)
            swarm = await finder.swarmFor(infoHash)
            swarm.meeting.welcome(addr)
            if not swarm.slots.tryEnter():
                with swarm.meeting.atDoor(addr) as turn:
                    swarm.meeting.makeRoom()
                    if swarm.slots.waiting >= MAX_WAITING:
                        raise PeerDisconnected("no vacancy: others wait already")
                    await _intime(
                        swarm.slots.waitVacancy(turn), engine, "no vacancy: the swarm has enough peers"
                    )
            try:
                session = swarm.meeting.register(addr, incoming=True, protocol=protocol)
                try:
                    protocol.write(_greeting(swarm))
                    theirs = await _intime(protocol.whenHandshake(), engine)
                    await _exchange(swarm, session, protocol, theirs, lambda session: None)
                finally:
                    swarm.meeting.unregister(session)
            finally:
                swarm.slots.leave()
        finally:
            engine.clientSlots.leave()
    finally:
        await _close(protocol)


async def _exchange(
    swarm: IGathering,
    session: WireSession[Any],
    protocol: PeerProtocol,
    theirs: Handshake,
    established: Callable[[WireSession[Any]], None],
) -> None:
    try:
        if theirs.infoHash != swarm.infoHash:
            raise PeerDisconnected("the peer answers for another torrent")
        try:
            swarm.meeting.admit(session, theirs)
        except PeerDisconnected as reason:
            protocol.part(reason)
            raise
        lost = session.exchange(protocol, theirs)
        established(session)
        await lost
        raise protocol.reason or PeerDisconnected("the connection is gone")
    finally:
        await _close(protocol)


@asynccontextmanager
async def holding(vacancy: Vacancy, priority: int = 0) -> AsyncIterator[None]:
    """Wait for a slot of C{vacancy} and hold it for the body."""
    await vacancy.waitVacancy(priority)
    try:
        yield
    finally:
        vacancy.leave()


async def _intime(waiting: Deferred[T], engine: Engine, otherwise: str = "no handshake in time") -> T:
    try:
        return await waiting.addTimeout(engine.settings.handshakeTimeout, engine.reactor)
    except TimeoutError as late:
        raise PeerDisconnected(otherwise) from late


async def _close(protocol: PeerProtocol) -> None:
    """Whatever became of it: the connection is closed now, and this returns once it is gone."""
    protocol.close(PeerDisconnected("the session was ended"))
    if isinstance(sys.exception(), GeneratorExit):
        return  # the client was dropped, not stopped: nobody is left to wait
    with suppress(CancelledError):  # cancelled twice: the transport is closed all the same
        await protocol.whenLost()


def _greeting(swarm: IGathering) -> bytes:
    engine = swarm.engine
    return Handshake(swarm.infoHash, engine.peerId, engine.allowedExtensions).encode()
