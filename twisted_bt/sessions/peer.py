"""
One peer of one swarm: what it says becomes calls, what it must hear becomes bytes.

It knows what each message means; what may be said when is in C{peerwire.state}, what to ask for is decided
in C{exchange}, through the swarm's L{Downloader} and L{Uploader}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bitarray import bitarray
from bitarray.util import any_and

from twisted_bt.errors import ProtocolError, SessionException
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.rate import RateMeter
from twisted_bt.interfaces import Buffer, ChokeCandidate
from twisted_bt.peerwire import messages
from twisted_bt.peerwire.allowance import Allowance
from twisted_bt.peerwire.extended import DontHave
from twisted_bt.peerwire.framing import PieceRun, RequestRun
from twisted_bt.peerwire.protocol import PeerProtocol
from twisted_bt.peerwire.state import Verdict, WireState
from twisted_bt.sessions.dialect import Dialect
from twisted_bt.sessions.wiresession import WireSession
from twisted_bt.settings import Extension
from twisted_bt.torrent.addresses import PeerAddr
from twisted_bt.torrent.pieces import Block
from twisted_bt.transport.plainsocket import limitUnsent

if TYPE_CHECKING:
    from twisted_bt.sessions.swarm import SwarmSession
    from twisted_bt.sessions.uploader import PeerUpload


@dataclass(frozen=True, slots=True)
class SessionState:
    """What a peer has, and who chokes and wants whom."""

    bitfield: bitarray
    status: WireState


class PeerSession(WireSession["SwarmSession"]):
    """
    A session about content.

    @ivar download: what is asked of the peer; from the handshake on.
    @ivar upload: what the peer asked of us; from the handshake on.
    @ivar uploadOnly: the peer downloads no more (BEP 21).
    @ivar dhtPort: where its DHT node is, if it said so.
    """

    download: PeerDownload
    upload: PeerUpload

    def __init__(
        self,
        swarm: SwarmSession,
        addr: PeerAddr,
        incoming: bool,
        now: float,
        protocol: PeerProtocol | None = None,
    ) -> None:
        super().__init__(swarm, addr, incoming, now, protocol)
        self.uploadRate = RateMeter()
        self.unchokedAt = 0.0
        self.dhtPort: int | None = None
        self.uploadOnly = False
        self._dialect = Dialect(self)

    # -- what others ask

    @property
    def state(self) -> SessionState:
        """What the peer has and how we stand to each other."""
        return SessionState(self.download.have, self.wire)

    @property
    def isSeed(self) -> bool:
        """Whether the peer has every piece, or says that it downloads no more (BEP 21)."""
        return self.uploadOnly or self.download.seed or self.download.have.all()

    def candidate(self, now: float) -> ChokeCandidate:
        """The peer as chokers see it."""
        unchoked = not self.wire.amChoking
        return ChokeCandidate(
            key=self,
            interested=self.wire.peerInterested,
            unchoked=unchoked,
            snubbed=self.download.snubbed,
            downloadRate=self.download.rate.rate(now),
            uploadRate=self.uploadRate.rate(now),
            unchokedFor=now - self.unchokedAt if unchoked else 0.0,
            connectedFor=now - self.connectedAt,
            isSeed=self.isSeed,
            uploaded=self.uploadRate.total,
            offers=self.wire.amInterested,
            downloaded=self.download.rate.total,
        )

    # -- the life of the session

    def began(self, protocol: PeerProtocol) -> None:
        """See L{WireSession.began}."""
        swarm = self.swarmSession
        fast = Extension.FAST in self.enabledExtensions
        self.download = swarm.downloader.download.addPeer(self.connectedPeerAddr, fast)
        self.upload = swarm.uploader.addPeer(self)
        protocol.decoder.pieceCount = swarm.layout.pieceCount
        self.allowance = Allowance(swarm.layout.pieceCount, swarm.engine.reactor.seconds())
        self.sendClientStatus()
        swarm.peerEstablished(self)

    def ended(self, reason: SessionException) -> None:
        """The connection is gone: give back what was asked of the peer."""
        super().ended(reason)
        self._dialect.ended()
        self.swarmSession.uploader.removePeer(self)
        self.swarmSession.downloader.removePeer(self)
        self.swarmSession.downloader.storeCompleted()  # also what came just before it broke a rule
        self.swarmSession.peerLost(self, reason)

    def turnEnded(self) -> None:
        """All that the bytes said was done: ask for more, in one write; then let the disk begin."""
        self._inTurn = False
        self.swarmSession.downloader.endTurn(self)
        self.flush(self.swarmSession.downloader.requests(self))
        self.swarmSession.uploader.endTurn()
        self.swarmSession.downloader.storeCompleted()

    def sendingPaused(self, paused: bool) -> None:
        """The transport is full, or has room again."""
        self.sendingBlocked = paused
        if not paused:
            # Requests go first: behind blocks they would wait for as long as there are any.
            self.flush(self.swarmSession.downloader.requests(self))
            self.swarmSession.uploader.serve(self)

    def pauseReading(self, paused: bool) -> None:
        """Take nothing more from the peer for now, because the disk is behind; or take again."""
        if self._protocol is not None:
            if paused:
                self._protocol.pauseReading("disk")
                self.incomingTimeout.stop()
            elif self.established:
                self.incomingTimeout.start()
                self._protocol.resumeReading("disk")

    # -- sending

    def sendExtended(self, name: bytes, payload: bytes) -> bool:
        """Say C{payload} in the extension C{name}; C{False} if the peer does not speak it (BEP 10)."""
        message = self._dialect.message(name, payload)
        if message is None:
            return False
        self.send(message)
        return True

    def hearOf(self, pieces: bitarray, indices: Sequence[int]) -> None:
        """
        C{pieces} are new here: tell the peer of those it lacks, and judge our interest if it has any.

        @param indices: the same, as numbers.
        """
        have = self.download.have
        if any_and(have, pieces):
            self.judgeInterest()
            indices = [index for index in indices if not have[index]]
        if indices:
            self.pendingMessages.haves(indices)
            self._flushLater()

    def limitUnsent(self, size: int | None) -> None:
        """Have about C{size} bytes wait in the transport at a time; see L{plainsocket.limitUnsent}."""
        assert self._protocol is not None
        limitUnsent(self._protocol.transport, size)

    def sendBlocks(self, parts: list[Buffer], length: int) -> None:
        """C{piece} messages, encoded; C{length} bytes of content in them."""
        assert self._protocol is not None
        self.flush()
        self.uploadRate.add(length, self.swarmSession.engine.reactor.seconds())
        self.outcomingTimeout.touch()
        if self.allowance is not None:
            self.allowance.earn(len(parts) // 2)
        self._protocol.writeSequence(parts)

    def flush(self, requests: Sequence[Block] = ()) -> None:
        """Send all that is pending, and C{requests}, in one write; later, while the transport is full."""
        if requests:
            self._write(self._drain() + messages.encodeRequests(requests))
        else:
            super().flush()

    def ownBitfield(self) -> bytes:
        """See L{WireSession.ownBitfield}."""
        return self.swarmSession.clientBitfield.tobytes()

    def sendClientStatus(self) -> None:
        """What we have, who we are, and what may be had while choked: the first messages."""
        swarm = self.swarmSession
        have = swarm.possession.told
        if Extension.FAST in self.enabledExtensions and have.all():
            self.send(messages.HaveAll())
        elif Extension.FAST in self.enabledExtensions and not have.any():
            self.send(messages.HaveNone())
        elif have.any():
            self.send(messages.Bitfield(have.tobytes()))
        if Extension.EXTENDED in self.enabledExtensions:
            self.send(self._dialect.handshake().message())
        if Extension.FAST in self.enabledExtensions:
            for index in sorted(self.upload.offerFast()):
                self.send(messages.AllowedFast(index))
        if Extension.DHT in self.enabledExtensions and swarm.engine.dhtPort is not None:
            self.send(messages.Port(swarm.engine.dhtPort))
        self.flush()

    def choke(self, now: float) -> None:
        """Serve the peer no more; what it asked for is dropped (and rejected, with BEP 6)."""
        if not self.wire.amChoking:
            self.send(messages.Choke())
            self.upload.choked()

    def unchoke(self, now: float) -> None:
        """Serve the peer from now on."""
        if self.wire.amChoking:
            self.unchokedAt = now
            self.send(messages.Unchoke())
            self.upload.unchoked(now)

    def judgeInterest(self) -> None:
        """Tell the peer whether it has something for us, if that changed."""
        wanted = self.swarmSession.downloader.download.interesting(self.download)
        if wanted and not self.wire.amInterested:
            self.send(messages.Interested())
        elif not wanted and self.wire.amInterested:
            self.send(messages.NotInterested())

    def retract(self, index: int) -> None:
        """A piece we told of is not here after all (BEP 54, where the peer knows it)."""
        self.sendExtended(DontHave.name, DontHave(index).encode())

    # -- what the peer says

    def _choked(self, message: messages.Choke) -> None:
        self.wire.received(message)
        self.swarmSession.downloader.download.peerChoked(self.download)

    def _unchoked(self, message: messages.Unchoke) -> None:
        self.wire.received(message)
        self.swarmSession.downloader.download.peerUnchoked(self.download, self.now)

    def _interested(self, message: messages.Interested) -> None:
        self.wire.received(message)
        self.swarmSession.choking.interestChanged(self, self.now)

    def _notInterested(self, message: messages.NotInterested) -> None:
        self.wire.received(message)
        self.swarmSession.choking.interestChanged(self, self.now)

    def _have(self, message: messages.Have) -> None:
        self.wire.received(message)
        index = self.swarmSession.layout.checkPiece(message.index)
        self.swarmSession.downloader.download.peerHave(self.download, index)
        self._peerHasMore()

    def _bitfield(self, message: messages.Bitfield) -> None:
        self.wire.received(message)
        bits = bitarray(message.bits)
        count = self.swarmSession.layout.pieceCount
        if len(message.bits) != (count + 7) // 8 or bits.find(1, count) != -1:
            raise ProtocolError(f"a bitfield of {len(message.bits)} bytes is not one of {count} pieces")
        del bits[count:]
        self.swarmSession.downloader.download.peerBitfield(self.download, bits)
        self._peerHasMore()

    def _haveAll(self, message: messages.HaveAll) -> None:
        self.wire.received(message)
        self.swarmSession.downloader.download.peerHasAll(self.download)
        self._peerHasMore()

    def _haveNone(self, message: messages.HaveNone) -> None:
        self.wire.received(message)
        self.swarmSession.downloader.download.peerHasNone(self.download)

    def peerLost(self, index: int) -> None:
        """The peer has piece C{index} no longer (BEP 54).  @raise ProtocolError: there is none."""
        self.swarmSession.layout.checkPiece(index)
        self.swarmSession.downloader.download.peerLost(self.download, index)
        self.judgeInterest()

    def _peerHasMore(self) -> None:
        self.judgeInterest()
        self.swarmSession.peerHasMore(self)

    def _requests(self, run: RequestRun) -> None:
        self.wire.askedOrServed()
        swarm = self.swarmSession
        swarm.layout.checkBlocks(run, swarm.engine.settings.maxRequestLength)
        if not self.wire.amChoking:
            self.upload.requested(run)
            return
        for asked in run:
            verdict = self.wire.judgeRequest(asked[0])
            if verdict is Verdict.SERVE:
                self.upload.requested([asked])
            elif verdict is Verdict.REJECT:
                self.send(messages.RejectRequest(*asked))

    def _cancel(self, message: messages.Cancel) -> None:
        self.wire.received(message)
        self.upload.cancelled(Block(message.index, message.begin, message.length))

    def _pieces(self, run: PieceRun) -> None:
        self.swarmSession.downloader.received(self, run)

    def _suggested(self, message: messages.SuggestPiece) -> None:
        self.wire.received(message)
        index = self.swarmSession.layout.checkPiece(message.index)
        self.swarmSession.downloader.download.suggest(self.download, index)

    def _rejected(self, message: messages.RejectRequest) -> None:
        self.wire.received(message)
        block = Block(message.index, message.begin, message.length)
        self.swarmSession.downloader.download.rejected(self.download, block, self.now)

    def _allowedFast(self, message: messages.AllowedFast) -> None:
        self.wire.received(message)
        index = self.swarmSession.layout.checkPiece(message.index)
        self.swarmSession.downloader.download.allowFast(self.download, index)

    def _port(self, message: messages.Port) -> None:
        self.dhtPort = message.port
        self.swarmSession.dhtNodeHeard(self, message.port)

    def _keptAlive(self, message: messages.KeepAlive) -> None:
        """It is alive; the timer was touched already."""

    def _extended(self, message: messages.Extended) -> None:
        self.wire.received(message)
        self._dialect.received(message)


PeerSession.handlers = {
    messages.Choke: PeerSession._choked,
    messages.Unchoke: PeerSession._unchoked,
    messages.Interested: PeerSession._interested,
    messages.NotInterested: PeerSession._notInterested,
    messages.Have: PeerSession._have,
    messages.Bitfield: PeerSession._bitfield,
    RequestRun: PeerSession._requests,
    PieceRun: PeerSession._pieces,
    messages.Cancel: PeerSession._cancel,
    messages.Port: PeerSession._port,
    messages.SuggestPiece: PeerSession._suggested,
    messages.HaveAll: PeerSession._haveAll,
    messages.HaveNone: PeerSession._haveNone,
    messages.RejectRequest: PeerSession._rejected,
    messages.AllowedFast: PeerSession._allowedFast,
    messages.Extended: PeerSession._extended,
    messages.KeepAlive: PeerSession._keptAlive,
}
