"""
What waits to be told to a peer, to go out in one write.

The vocabulary's C{pendingMessages}: a queue with three ranks and a bound on each.

  1. I{Control}: choke, interested, cancel, reject ... in the order they came.  Nothing is dropped; a
     peer that lets too many of them pile up does not read, and that ends its session.
  2. I{Haves}, in the order they came; or one bitfield as soon as that is shorter.
  3. I{Gossip}: suggestions, peer exchange: what does no harm if it never arrives.  The oldest drops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted_bt.errors import ProtocolError
from twisted_bt.peerwire.messages import Bitfield, Message, encodeHaves

#: Bytes in a C{have}, and in a L{Bitfield} before its bits.
_HAVE_SIZE = 9
_BITFIELD_HEAD = 5


class Outbox:
    """
    The pending messages of one peer session.

    @ivar maxControl: bytes of control messages that may wait; 15,000 rejects, many times more than a
        peer may have asked for.
    @ivar maxHaves: pieces to be told that are kept apart; beyond, the bitfield is told instead.
    @ivar maxGossip: bytes of gossip that may wait.
    """

    __slots__ = (
        "_bitfieldDue",
        "_control",
        "_controlSize",
        "_gossip",
        "_gossipSize",
        "_haves",
        "maxControl",
        "maxGossip",
        "maxHaves",
    )

    def __init__(self, maxControl: int = 1 << 18, maxHaves: int = 1 << 10, maxGossip: int = 1 << 14) -> None:
        self.maxControl = maxControl
        self.maxHaves = maxHaves
        self.maxGossip = maxGossip
        self._control: list[bytes] = []
        self._controlSize = 0
        self._haves: dict[int, None] = {}  # each once, in the order they came
        self._bitfieldDue = False
        self._gossip: list[bytes] = []  # an empty deque takes 760 bytes
        self._gossipSize = 0

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._control or self._haves or self._bitfieldDue or self._gossip)

    @property
    def waiting(self) -> int:
        """Bytes of control messages that wait."""
        return self._controlSize

    def send(self, message: Message) -> None:
        """
        Queue C{message}, to arrive for sure and in order with others sent this way.

        @raise ProtocolError: too much waits already: the peer makes us answer, and does not read.
        """
        frame = message.encode()
        self._controlSize += len(frame)
        if self._controlSize > self.maxControl:
            raise ProtocolError(f"does not read: {self._controlSize} bytes of messages wait for it")
        self._control.append(frame)

    def haves(self, indices: Iterable[int]) -> None:
        """Tell that we have the pieces C{indices}; of many, they may be told by one bitfield."""
        if self._bitfieldDue:
            return
        self._haves.update(dict.fromkeys(indices))
        if len(self._haves) > self.maxHaves:
            self._haves.clear()
            self._bitfieldDue = True

    def gossip(self, message: Message) -> None:
        """Queue C{message} behind all others; older gossip, or itself, drops if there is too much."""
        frame = message.encode()
        self._gossip.append(frame)
        self._gossipSize += len(frame)
        while self._gossipSize > self.maxGossip:
            self._gossipSize -= len(self._gossip.pop(0))

    def drain(self, bitfield: Callable[[], bytes]) -> bytes:
        """
        All that waits, as the bytes of one write; afterwards nothing waits.

        @param bitfield: gives what we have now (the C{bits} of a L{Bitfield}); called only if it may be sent.
        """
        parts = self._control
        self._control = []
        self._controlSize = 0
        if self._bitfieldDue or self._haves:
            parts.append(self._pieces(bitfield))
        if self._gossip:
            parts.extend(self._gossip)
            self._gossip.clear()
            self._gossipSize = 0
        return b"".join(parts)

    def _pieces(self, bitfield: Callable[[], bytes]) -> bytes:
        """The haves as they are, or the bitfield in their stead."""
        size = _HAVE_SIZE * len(self._haves)
        bits = bitfield() if self._bitfieldDue or size > _BITFIELD_HEAD + 1 + _HAVE_SIZE else None
        if bits is not None and (self._bitfieldDue or _BITFIELD_HEAD + len(bits) < size):
            told = Bitfield(bits).encode()
        else:
            told = encodeHaves(self._haves)
        self._bitfieldDue = False
        self._haves.clear()
        return told
