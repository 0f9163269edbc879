"""
One UDP port: datagrams to messages, and queries to their answers.

An answer counts if it comes from the address that was asked and names the transaction; nothing else
about it is judged here.  Whoever sends too much, or we would have to answer beyond our budget, gets
silence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from twisted_bt.dht.krpc import MAX_DATAGRAM, decodeMessage, encodeError, encodeQuery
from twisted_bt.dht.limits import FloodGuard, SendBudget
from twisted_bt.dht.messages import Ask, ErrorReply, Query, Response
from twisted_bt.dht.settings import DhtSettings
from twisted_bt.errors import KrpcError, KrpcSilence, SessionStopped
from twisted_bt.interfaces import Random
from twisted_bt.torrent.addresses import PeerAddr

#: Queries that wait for the budget, or for their answers; further ones fail.
_MAX_WAITING = 1000
_MAX_PENDING = 4096


def _silence(query: Query, addr: PeerAddr) -> bytes | None:
    return None


class _Pending:
    """A query that waits for its answer; C{timer} is C{None} as long as it was not sent."""

    __slots__ = ("addr", "answer", "datagram", "slow", "timer")

    def __init__(
        self,
        addr: PeerAddr,
        datagram: bytes,
        slow: Callable[[], bool] | None,
        answer: Deferred[Response],
    ) -> None:
        self.addr = addr
        self.datagram = datagram
        self.slow = slow
        self.answer = answer
        self.timer: IDelayedCall | None = None


class KrpcProtocol(DatagramProtocol):
    """
    @ivar handlers: for IPv4 and for IPv6: gives the answer to a query from an address, or C{None} for
        silence.
    @ivar dual: whether this is a port for IPv6 that IPv4 comes through too, as C{::ffff:1.2.3.4}.
    """

    noisy = False
    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        random: Random,
        settings: DhtSettings,
        budget: SendBudget,
        floods: FloodGuard,
    ) -> None:
        self.dual = False
        self.handlers: list[Callable[[Query, PeerAddr], bytes | None]] = [_silence, _silence]
        self._reactor = reactor
        self._random = random
        self._settings = settings
        self._budget = budget
        self._floods = floods
        self._pending: dict[bytes, _Pending] = {}
        self._waiting: deque[bytes] = deque()
        self._drain: IDelayedCall | None = None

    # -- asking

    def ask(
        self, addr: PeerAddr, sender: bytes, ask: Ask, slow: Callable[[], bool] | None = None
    ) -> Deferred[Response]:
        """
        Ask the node at C{addr}; can be cancelled.

        @param sender: our id.
        @param slow: called if there is no answer yet after C{slowTimeout}; it tells whether to ask once
            more, the question or the answer being lost, perhaps.
        @return: fails with L{KrpcSilence}, with L{KrpcError} if the node says no, with
            L{SessionStopped<twisted_bt.errors.SessionStopped>}.
        """
        if len(self._pending) >= _MAX_PENDING or len(self._waiting) >= _MAX_WAITING:
            return fail(KrpcSilence("too many queries are under way"))
        if self.transport is None:
            return fail(SessionStopped("the DHT is not running"))
        while (transaction := self._random.randbytes(4)) in self._pending:
            pass
        datagram = encodeQuery(Query(transaction, sender, ask, self._settings.readOnly))
        answer: Deferred[Response] = Deferred(lambda _: self._cancelled(transaction))
        pending = self._pending[transaction] = _Pending(addr, datagram, slow, answer)
        if self._waiting or not self._budget.takeQuery(len(datagram), self._reactor.seconds()):
            self._waiting.append(transaction)
            self._drainLater()
        else:
            self._launch(transaction, pending)
        return answer

    def _launch(self, transaction: bytes, pending: _Pending) -> None:
        """Its turn has come."""
        if self._send(pending.datagram, pending.addr):
            pending.timer = self._reactor.callLater(self._settings.slowTimeout, self._isSlow, transaction)
        else:
            del self._pending[transaction]
            pending.answer.errback(KrpcSilence("there is no way to that address"))

    def _drainLater(self) -> None:
        if self._drain is None and self._waiting:
            first = self._pending.get(self._waiting[0])
            size = len(first.datagram) if first is not None else 0
            self._drain = self._reactor.callLater(max(0.02, self._budget.wait(size)), self._drained)

    def _drained(self) -> None:
        self._drain = None
        now = self._reactor.seconds()
        while self._waiting:
            pending = self._pending.get(self._waiting[0])
            if pending is not None:
                if not self._budget.takeQuery(len(pending.datagram), now):
                    break
                self._launch(self._waiting[0], pending)
            self._waiting.popleft()
        self._drainLater()

    def _isSlow(self, transaction: bytes) -> None:
        pending = self._pending[transaction]
        rest = max(0.0, self._settings.queryTimeout - self._settings.slowTimeout)
        pending.timer = self._reactor.callLater(rest, self._isSilent, transaction)
        if pending.slow is not None and pending.slow():
            datagram = pending.datagram
            if self._budget.takeQuery(len(datagram), self._reactor.seconds()):
                self._send(datagram, pending.addr)

    def _isSilent(self, transaction: bytes) -> None:
        pending = self._forget(transaction)
        if pending is not None:
            pending.answer.errback(KrpcSilence("no answer"))

    def _forget(self, transaction: bytes) -> _Pending | None:
        pending = self._pending.pop(transaction, None)
        if pending is not None and pending.timer is not None and pending.timer.active():
            pending.timer.cancel()
        return pending

    def _cancelled(self, transaction: bytes) -> None:
        self._forget(transaction)

    # -- the socket

    def _send(self, datagram: bytes, addr: PeerAddr) -> bool:
        """Send; C{False}: that can never arrive."""
        host, port = addr
        if self.dual and ":" not in host:
            host = f"::ffff:{host}"
        if self.transport is None:
            return False
        try:
            self.transport.write(datagram, (host, port))
        except BlockingIOError:
            return True  # the buffer is full: as good as lost on the way
        except (OSError, ValueError):  # Twisted's InvalidAddressError is one of the latter
            return False
        return True

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """The one place where what strangers send ends."""
        host, port = addr[0], addr[1]
        if ":" in host:
            host = host.partition("%")[0]
            if host.startswith("::ffff:"):
                host = host[7:]
        now = self._reactor.seconds()
        if not port or len(datagram) > MAX_DATAGRAM or self._floods.blocked(host, now):
            return
        sender = PeerAddr(host, port)
        answer: bytes | None
        try:
            message = decodeMessage(datagram)
            if type(message) is not Query:
                self._replied(message, sender, now)  # type: ignore[arg-type]
                return
            if not self._floods.allows(host, now):
                return
            answer = self.handlers[":" in host](message, sender)
        except KrpcError as reason:
            if not self._floods.allows(host, now) or reason.transaction is None:
                return
            answer = encodeError(ErrorReply(reason.transaction, reason.code, reason.reason))
        if answer is not None and self._budget.takeAnswer(len(answer), now):
            self._send(answer, sender)

    def _replied(self, message: Response | ErrorReply, sender: PeerAddr, now: float) -> None:
        pending = self._pending.get(message.transaction)
        if pending is None or pending.addr != sender:
            # Late, or from somebody who was not asked: no flood of that either.
            self._floods.allows(sender.host, now)
            return
        self._forget(message.transaction)
        if isinstance(message, ErrorReply):
            pending.answer.errback(KrpcError(message.message or "refused", message.code))
        else:
            pending.answer.callback(message)

    def stopProtocol(self) -> None:
        """The port was closed: end all that is under way."""
        self.transport = None
        if self._drain is not None:
            self._drain.cancel()
            self._drain = None
        self._waiting.clear()
        for transaction in list(self._pending):
            pending = self._forget(transaction)
            if pending is not None:
                pending.answer.errback(SessionStopped("the DHT was stopped"))
