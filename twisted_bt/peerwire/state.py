"""
What may be said when.

The rules of this file:

  1. Every rule about the order of messages is in the table below, or in L{WireState._judge}.
  2. What is received and what is sent go through the same rules.  The peer that breaks one gets
     L{ProtocolError}; if we do, that is a bug and no fault of the peer: C{RuntimeError}.

Blocks, requests and haves have no entry in the table, so that they cost a look-up in it at most.
"""

from __future__ import annotations

from collections.abc import Set
from enum import Enum
from typing import NamedTuple

from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire.messages import (
    AllowedFast,
    Bitfield,
    Choke,
    Extended,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    Message,
    NotInterested,
    Port,
    RejectRequest,
    SuggestPiece,
    Unchoke,
)
from twisted_bt.settings import Extension

#: Pieces allowed fast that are remembered of each side.  Others give out 5 to 10.
ALLOWED_FAST_LIMIT = 128


class _Rule(NamedTuple):
    """When a message may be sent, and what it changes about its sender."""

    needs: Extension | None = None  # both must have agreed on it
    opening: bool = False  # only before anything else was said
    flag: str | None = None  # the attribute of the side ...
    value: bool = True  # ... and what it becomes


_RULES: dict[type[Message], _Rule] = {
    Choke: _Rule(flag="choking"),
    Unchoke: _Rule(flag="choking", value=False),
    Interested: _Rule(flag="interested"),
    NotInterested: _Rule(flag="interested", value=False),
    # BEP 3 has it only as the first message; as a summary of many haves it may come again.
    Bitfield: _Rule(flag="toldPieces"),
    HaveAll: _Rule(needs=Extension.FAST, opening=True, flag="toldPieces"),
    HaveNone: _Rule(needs=Extension.FAST, opening=True, flag="toldPieces"),
    SuggestPiece: _Rule(needs=Extension.FAST),
    RejectRequest: _Rule(needs=Extension.FAST),
    AllowedFast: _Rule(needs=Extension.FAST),
    Extended: _Rule(needs=Extension.EXTENDED),
}

#: What does not end the opening: many clients send their extended handshake or port before the bitfield.
_BEFORE_OPENING: Set[type[Message]] = frozenset({KeepAlive, Extended, Port})


class Verdict(Enum):
    """What to do with a request."""

    SERVE = "send the block"
    REJECT = "say that it will not come (BEP 6)"
    IGNORE = "say nothing: the peer forgot it when it heard our choke"


#: Of most sides, most of the time; an empty set of its own takes 216 bytes.
_NONE: frozenset[int] = frozenset()


class _Side:
    """What one side has said of itself."""

    __slots__ = ("allowedFast", "choking", "interested", "opening", "toldPieces")

    def __init__(self) -> None:
        self.choking = True
        self.interested = False
        self.opening = True  # nothing said yet that ends it
        self.toldPieces = False
        self.allowedFast = _NONE  # pieces the I{other} side may ask for while choked


class WireState:
    """
    Both sides' status in one session.

    @ivar fast: whether BEP 6 holds.
    @ivar extended: whether BEP 10 holds.
    """

    __slots__ = ("_enabled", "_peer", "_we", "extended", "fast")

    def __init__(self, enabledExtensions: Set[Extension]) -> None:
        self._enabled = frozenset(enabledExtensions)
        self.fast = Extension.FAST in self._enabled
        self.extended = Extension.EXTENDED in self._enabled
        self._we = _Side()
        self._peer = _Side()

    @property
    def amChoking(self) -> bool:
        """We serve the peer nothing but what is allowed fast."""
        return self._we.choking

    @property
    def amInterested(self) -> bool:
        """We told the peer that it has what we want."""
        return self._we.interested

    @property
    def peerChoking(self) -> bool:
        """The peer serves us nothing but what is allowed fast."""
        return self._peer.choking

    @property
    def peerInterested(self) -> bool:
        """The peer told us that we have what it wants."""
        return self._peer.interested

    @property
    def peerHasSentBitfield(self) -> bool:
        """The peer said what it has: by bitfield, have-all or have-none."""
        return self._peer.toldPieces

    @property
    def peerAllowedFast(self) -> Set[int]:
        """Pieces we may ask the peer for while it chokes us."""
        return self._peer.allowedFast

    @property
    def chokeDropsRequests(self) -> bool:
        """
        Whether a choke drops what was asked before it (BEP 3).  With BEP 6 each request is answered,
        by its block or by a reject.
        """
        return not self.fast

    def mayRequest(self, index: int) -> bool:
        """Whether the peer would serve us blocks of piece C{index} now."""
        return not self._peer.choking or index in self._peer.allowedFast

    def judgeRequest(self, index: int) -> Verdict:
        """
        What to do with a request of the peer for a block of piece C{index}.

        A request while choked breaks no rule: it may have crossed our choke.
        """
        if not self._we.choking or index in self._we.allowedFast:
            return Verdict.SERVE
        return Verdict.REJECT if self.fast else Verdict.IGNORE

    def received(self, message: Message) -> None:
        """The peer said C{message}.  @raise ProtocolError: it may not, or not now."""
        if self._peer.opening or type(message) in _RULES:
            broken = self._judge(self._peer, message)
            if broken is not None:
                raise ProtocolError(broken)

    def askedOrServed(self) -> None:
        """The peer sent requests or blocks: no rule is about them, but they end its opening."""
        self._peer.opening = False

    def sent(self, message: Message) -> None:
        """We are about to say C{message}.  @raise RuntimeError: we may not; a bug."""
        if self._we.opening or type(message) in _RULES:
            broken = self._judge(self._we, message)
            if broken is not None:
                raise RuntimeError(broken)

    def _judge(self, side: _Side, message: Message) -> str | None:
        """Let C{message} change C{side}; or say which rule it breaks, and change nothing."""
        kind = type(message)
        rule = _RULES.get(kind)
        if rule is not None:
            if rule.needs is not None and rule.needs not in self._enabled:
                return f"{kind.__name__} without {rule.needs.name} being agreed on"
            if rule.opening and not side.opening:
                return f"{kind.__name__} after other messages"
            if rule.flag is not None:
                setattr(side, rule.flag, rule.value)
            if isinstance(message, AllowedFast) and len(side.allowedFast) < ALLOWED_FAST_LIMIT:
                side.allowedFast |= {message.index}
        if kind not in _BEFORE_OPENING:
            side.opening = False
        return None
