"""
Whom a swarm talks to: dialling, admitting, refusing, parting.

A peer is met once: not at two addresses at a time, not in two sessions although both sides dialled
or three sources told of it, and a client never talks to itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.discovery.peerlist import PeerList
from twisted_bt.discovery.scopes import Scope, scopeOf
from twisted_bt.errors import PeerDisconnected, SessionException
from twisted_bt.interfaces import PeerInfo
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.peerwire.protocol import PeerProtocol
from twisted_bt.sessions.errands import whenOver
from twisted_bt.sessions.gathering import IGathering
from twisted_bt.sessions.joining import initiatePeerSession
from twisted_bt.sessions.wiresession import WireSession
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.ids import clientName

#: Seconds within which two sessions with one peer count as made at the same time, by both sides.
BOTH_DIAL = 10.0
#: Seconds between two sessions that make room for peers we never met.
TURNOVER = 2.0
#: Hosts remembered whose peers were of no use.
REMEMBERED = 1000
#: While leeching, the part of the slots that is kept for peers we dial, who chose them; and the part that
#: one host may have of the others, if that is more than a few.
KEPT = 5
ONE_HOST = 2
FEW = 4
#: Seconds for which a seeder waits for those who want something to come; then it dials those that perhaps
#: cannot, since it is behind a NAT.
PATIENCE = 60.0


class Meeting:
    """
    The peers of one swarm, known and connected.

    Invariant, after every event: C{swarm.maxPeers - len(swarm.connectedPeers) == swarm.vacantPeers}.

    @ivar known: addresses heard of.
    """

    _log = Logger()

    def __init__(self, swarm: IGathering) -> None:
        self._swarm = swarm
        self._engine = swarm.engine
        self.known = PeerList(swarm.engine.random, own=swarm.engine.ownAddresses)
        self._tasks: dict[Deferred[None], None] = {}
        self._byPeerId: dict[bytes, WireSession[Any]] = {}
        self._emptied: list[Deferred[None]] = []
        self._dialling: dict[PeerAddr, list[Deferred[WireSession[Any]]]] = {}  # not met yet; who waits
        self._choosing = False
        self._turnOverAt = 0.0
        self._waiting: dict[str, int] = {}  # hosts of those who knock and wait
        self._useless: dict[str, int] = {}  # how often one of a host made room; the latest last
        self._seedingSince: float | None = None

    def _now(self) -> float:
        return self._engine.reactor.seconds()

    # -- dialling

    def start(self) -> None:
        """The swarm runs: dial."""
        self._engine.busy(self._swarm)
        self.dialMore()

    def peersFound(self, addresses: Sequence[PeerAddr], source: str) -> None:
        """Hear of peers; they are dialled as slots fall free."""
        banned = self._engine.bans
        self.known.add([addr for addr in addresses if addr not in banned], source, self._now())
        self._engine.busy(self._swarm)
        self.dialMore()

    def tick(self, now: float) -> None:
        """Once a second: those whose turn has come again."""
        self.dialMore()
        if self._swarm.slots.vacant <= 0 and now >= self._turnOverAt:
            self._turnOver(now)

    def _turnOver(self, now: float) -> None:
        """
        All slots are taken: have the least useful session make room for somebody new, or whoever came
        first would stay although they give nothing, and keep out all others.
        """
        engine, known = self._engine, self.known
        free = engine.dialSlots.vacant > 0 and engine.clientSlots.vacant > 0
        if self._swarm.leeching and free and known.hasNew(now):
            if self.makeRoom():
                self._turnOverAt = now + TURNOVER
                addr = known.next(now)
                if addr is not None and addr not in self._swarm.connectedPeers and addr not in self._dialling:
                    self._dial(addr)  # it is the first in the queue for that slot
        else:
            for _ in self._waiting:
                if not self.makeRoom():
                    break

    def dialMore(self) -> None:
        """Dial as many as there are slots for."""
        if self._choosing or not self._swarm.running:
            return
        now, seeding = self._now(), not self._swarm.leeching
        if not seeding:
            self._seedingSince = None
        elif self._seedingSince is None:
            self._seedingSince = now
        if seeding and now < (self._seedingSince or 0.0) + PATIENCE:
            return
        self._choosing = True  # an attempt that fails at once leads here again
        try:
            self._choose(now, seeding)
        finally:
            self._choosing = False

    def wantsToDial(self) -> bool:
        """Whether there is somebody to dial, now or later."""
        return self.known.nextReadyAt(seeding=not self._swarm.leeching) is not None

    def _choose(self, now: float, seeding: bool) -> None:
        swarm, engine = self._swarm, self._engine
        # Seeders leave half of the attempts to those who want something.
        kept = engine.dialSlots.limit // 2 if seeding else 0
        while swarm.slots.vacant > 0 and engine.dialSlots.vacant > kept and engine.clientSlots.vacant > 0:
            addr = self.known.next(now, seeding, engine.dialSlots.vacant / engine.dialSlots.limit)
            if addr is None:
                return
            if addr in swarm.connectedPeers or addr in self._dialling:
                self.known.ended(addr, now, useful=True)  # it is here; later, perhaps
            else:
                self._dial(addr)

    def _dial(self, addr: PeerAddr, established: Deferred[WireSession[Any]] | None = None) -> None:
        met: WireSession[Any] | None = None
        waiting = self._dialling[addr] = [] if established is None else [established]

        def done(session: WireSession[Any]) -> None:
            nonlocal met
            met = session
            self.known.established(addr)
            del self._dialling[addr]
            for waiter in waiting:
                if not waiter.called:
                    waiter.callback(session)

        def ended(reason: Failure) -> None:
            self._tasks.pop(task, None)
            self._parted(addr, met)
            if met is None:
                del self._dialling[addr]
                error = reason.value
                if not isinstance(error, SessionException):
                    error = PeerDisconnected("the session was cancelled")
                for waiter in waiting:
                    if not waiter.called:
                        waiter.errback(error)
            if not reason.check(SessionException, CancelledError):
                self._log.failure("the session with {addr} failed", reason, addr=addr)
            self.dialMore()

        task = Deferred.fromCoroutine(initiatePeerSession(self._swarm, addr, done))
        self._tasks[task] = None
        task.addErrback(ended)

    def _parted(self, addr: PeerAddr, session: WireSession[Any] | None) -> None:
        """C{session}, if it came to that, or the attempt on C{addr} is over."""
        if session is not None and session.useless:
            self.known.disappointed(addr, self._now())
        else:
            self.known.ended(addr, self._now(), useful=session is not None)

    def connectPeer(self, host: str, port: int) -> Deferred[Any]:
        """Talk to the peer at C{host}; fires after the handshake, fails with C{SessionException}."""

        async def connect() -> Any:
            await self._swarm.whenChecked()
            addr = await self._engine.dialer.resolve(host, port)
            session = self._swarm.connectedPeers.get(addr)
            if session is not None and session.established:
                return session
            established: Deferred[WireSession[Any]] = Deferred()
            if addr in self._dialling:
                self._dialling[addr].append(established)
            else:
                self.known.add([addr], "user", self._now())
                self.known.connected(addr)
                self._dial(addr, established)
            return await established

        return Deferred.fromCoroutine(connect())

    # -- admitting

    def register(
        self, addr: PeerAddr, incoming: bool, protocol: PeerProtocol | None = None
    ) -> WireSession[Any]:
        """
        A session with C{addr} is to begin, and there is none yet: check and add in one step.  The
        caller took a slot, and owes L{unregister}.

        @raise PeerDisconnected: there is one, or there shall be none.
        """
        swarm, engine = self._swarm, self._engine
        if not swarm.running:
            raise PeerDisconnected("the torrent is not being exchanged now")
        if addr in swarm.connectedPeers:
            raise PeerDisconnected(f"already connected to {addr}")
        if addr in engine.bans:
            raise PeerDisconnected(f"{addr} is banned")
        if not incoming and addr in engine.ownAddresses:
            raise PeerDisconnected(f"{addr} is ourselves")
        if not swarm.peerPolicy.accepts(PeerInfo(addr, incoming)):
            raise PeerDisconnected(f"{addr} is not accepted")
        session = swarm.newSession(addr, incoming, self._now(), protocol)
        swarm.connectedPeers[addr] = session
        return session

    def unregister(self, session: WireSession[Any]) -> None:
        """The connection is gone, or never came; the caller gives the slot back."""
        del self._swarm.connectedPeers[session.connectedPeerAddr]
        if session.peerId is not None and self._byPeerId.get(session.peerId) is session:
            del self._byPeerId[session.peerId]
        if session.incoming and session.listenAddr is not None:
            self._parted(session.listenAddr, session)
        if not self._swarm.connectedPeers:
            emptied, self._emptied = self._emptied, []
            for waiter in emptied:
                waiter.callback(None)

    def admit(self, session: WireSession[Any], theirs: Handshake) -> None:
        """
        The peer said who it is.

        @raise PeerDisconnected: it is ourselves, or there is a session with it that stays, or it is
            not accepted.
        """
        swarm, engine = self._swarm, self._engine
        if theirs.peerId == engine.peerId:
            if not session.incoming:
                engine.rememberOwn(session.connectedPeerAddr)
                self.known.forget(session.connectedPeerAddr)
            raise PeerDisconnected("connected to ourselves")
        info = PeerInfo(session.connectedPeerAddr, session.incoming, theirs.peerId, clientName(theirs.peerId))
        if not swarm.peerPolicy.accepts(info):
            raise PeerDisconnected(f"{info.client or info.addr} is not accepted")
        other = self._byPeerId.get(theirs.peerId)
        if other is not None:
            if not self._prefer(session, other, theirs.peerId):
                raise PeerDisconnected("already connected to this peer")
            other.close(PeerDisconnected("the peer connected at the same time"))
        self._byPeerId[theirs.peerId] = session

    def _prefer(self, new: WireSession[Any], old: WireSession[Any], peerId: bytes) -> bool:
        """
        Both sides dialled: both keep the connection made by whose id is lower.  Else the older stays.
        """
        if new.incoming == old.incoming or self._now() - old.connectedAt > BOTH_DIAL:
            return False
        return new.incoming == (peerId < self._engine.peerId)

    def described(self, session: WireSession[Any]) -> None:
        """The peer told its software and port (BEP 10)."""
        if session.incoming and session.listenAddr is not None:
            if session.listenAddr in self._engine.bans:
                session.close(PeerDisconnected(f"{session.listenAddr} is banned"))
                return
            self.known.add([session.listenAddr], "incoming", self._now())
            self.known.connected(session.listenAddr)
        if not self._swarm.peerPolicy.accepts(session.info):
            session.close(PeerDisconnected(f"{session.client} is not accepted"))

    def welcome(self, addr: PeerAddr) -> None:
        """
        Somebody knocks from C{addr}.  Those who knock cannot take all slots of a leecher, nor can those
        from one host.

        @raise PeerDisconnected: enough have.
        """
        if not self._swarm.leeching:
            return
        came = [each for each in self._swarm.connectedPeers.values() if each.incoming and not each.closing]
        limit = self._swarm.slots.limit
        kept = limit // KEPT
        if sum(each.connectedPeerAddr.host == addr.host for each in came) >= max(FEW, limit // ONE_HOST):
            raise PeerDisconnected(f"enough peers came from {addr.host}")
        if kept and len(came) >= limit - kept and not self.makeRoom():
            raise PeerDisconnected("no vacancy: enough peers came by themselves")

    @contextmanager
    def atDoor(self, addr: PeerAddr) -> Iterator[int]:
        """
        Somebody at C{addr} waits for a slot while the body runs: one of each host at a time, and none of a
        host that has a slot; or a few hosts that knock without end would be let in before anybody else.
        Those on this machine are not told apart by their address.  Yields its turn: those who were here
        already and of no use come later.

        @raise PeerDisconnected: it is not the first of its host.
        """
        host = addr.host
        here = host in self._waiting or any(each.host == host for each in self._swarm.connectedPeers)
        if here and scopeOf(host) is not Scope.HOST:
            raise PeerDisconnected(f"no vacancy for another peer from {host}")
        self._waiting[host] = self._waiting.get(host, 0) + 1
        try:
            yield self._useless.get(host, 0)
        finally:
            self._waiting[host] -= 1
            if not self._waiting[host]:
                del self._waiting[host]

    def makeRoom(self) -> bool:
        """There is no slot for somebody: ask the policy who might leave; whether somebody does."""
        swarm = self._swarm
        candidates = [each for each in swarm.candidates(self._now()) if not getattr(each.key, "closing", 0)]
        victim = swarm.peerPolicy.victim(candidates, not swarm.leeching)
        if not isinstance(victim, WireSession):
            return False
        victim.partedWell = victim.useless = True
        host = victim.connectedPeerAddr.host
        self._useless[host] = self._useless.pop(host, 0) + 1
        if len(self._useless) > REMEMBERED:
            del self._useless[next(iter(self._useless))]
        victim.close(PeerDisconnected("made room for another peer"))
        return True

    def ban(self, addr: PeerAddr, why: str) -> None:
        """Close all sessions with C{addr} and have no other."""
        host = addr.host
        honest = any(
            peer.connectedPeerAddr.host == host and peer.connectedPeerAddr != addr
            for peer in self._swarm.establishedPeers()
        )
        self._log.warn("{addr} is banned: {why}", addr=str(addr), why=why)
        self._engine.bans.ban(addr, shared=honest)
        self.known.forget(addr)
        session = self._swarm.connectedPeers.get(addr)
        if session is not None:
            if session.listenAddr is not None and session.listenAddr != addr:
                self._engine.bans.ban(session.listenAddr, shared=True)
                self.known.forget(session.listenAddr)
            session.close(PeerDisconnected(f"banned: {why}"))

    # -- the end

    def stop(self, reason: SessionException) -> Deferred[None]:
        """End every session and attempt; fires once the last connection is closed."""
        tasks = list(self._tasks)
        waiting = [whenOver(task) for task in tasks]
        for task in tasks:
            task.cancel()
        for session in list(self._swarm.connectedPeers.values()):
            session.close(reason)
        if self._swarm.connectedPeers:
            emptied: Deferred[None] = Deferred()
            self._emptied.append(emptied)
            waiting.append(emptied)
        return DeferredList(waiting).addCallback(lambda _: None)
