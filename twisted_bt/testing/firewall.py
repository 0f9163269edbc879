"""
Firewalls of the simulated network: what a host, or a home's router, lets in and out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from twisted_bt.testing.route import Endpoint, Packet

#: Answers waited for at a time, above which those that are over are forgotten.
_MANY = 4096


@dataclass(frozen=True)
class Firewall:
    """
    Rules.  They are for what begins something: connections that are made go on whatever the rules
    become.

    @ivar incomingTCP: whether strangers may connect.
    @ivar incomingUDP: whether datagrams come in from those to whom nothing was sent of late.
    @ivar outgoingTCP: whether one may connect to others.
    @ivar outgoingUDP: whether datagrams get out.
    @ivar blockedPorts: nothing for these ports passes, in or out.
    @ivar rejects: C{True}: who is not let through is told; C{False}: hears nothing.
    @ivar memory: for so many seconds an answer may come to a datagram that was sent.
    """

    incomingTCP: bool = True
    incomingUDP: bool = True
    outgoingTCP: bool = True
    outgoingUDP: bool = True
    blockedPorts: Collection[int] = field(default_factory=frozenset)
    rejects: bool = False
    memory: float = 60.0


class Gate:
    """
    Where a L{Firewall} stands: its rules, which may be exchanged at any time, and whom it expects.

    @ivar rules: what is let through.
    @ivar now: the time.
    """

    def __init__(self, rules: Firewall, now: Callable[[], float]) -> None:
        self.rules = rules
        self._now = now
        self._asked: dict[tuple[Endpoint, Endpoint], float] = {}
        self._open: set[tuple[str, Endpoint]] = set()

    def open(self, kind: str, here: Endpoint) -> None:
        """Let everybody in to C{here}: C{kind} is C{"tcp"} or C{"udp"}."""
        self._open.add((kind, here))

    def letsOut(self, packet: Packet) -> bool:
        """Whether C{packet} may go out; answers to it may come in."""
        rules = self.rules
        allowed = rules.outgoingTCP if packet.kind == "tcp" else rules.outgoingUDP
        if not allowed or packet.target.port in rules.blockedPorts:
            return False
        if packet.kind == "udp" and not rules.incomingUDP:
            self._expect(packet)
        return True

    def letsIn(self, packet: Packet) -> bool:
        """Whether C{packet} may come in."""
        rules = self.rules
        if packet.target.port in rules.blockedPorts:
            return False
        if packet.kind == "tcp":
            return rules.incomingTCP or (packet.kind, packet.target) in self._open
        if rules.incomingUDP or (packet.kind, packet.target) in self._open:
            return True
        asked = self._asked.get((packet.target, packet.source))
        return asked is not None and self._now() - asked <= rules.memory

    def _expect(self, packet: Packet) -> None:
        now = self._now()
        if len(self._asked) >= _MANY:
            kept = {key: at for key, at in self._asked.items() if now - at <= self.rules.memory}
            self._asked = kept
        self._asked[packet.source, packet.target] = now
