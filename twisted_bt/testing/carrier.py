"""
How something gets from one host straight to another: through an uplink, the network, and a downlink.

A link that is full serves its flows in turns, so that they share it fairly, and drops what comes to
a full queue; but a flow with next to nothing there is always let in, so that those who send little
do not suffer from those who send much.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from random import Random
from typing import TYPE_CHECKING

from twisted_bt.testing.flow import FlowDownlink, FlowUplink
from twisted_bt.testing.link import Link
from twisted_bt.testing.pipe import Pipe

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host

#: Bytes of headers of IP alone, which every fragment has.
_IP = 20


class Access:
    """
    Both ends of one host's link.

    @ivar random: decides what its link does to whom.
    @ivar flowUp: what it sends, where that is simulated as a flow.
    @ivar flowDown: what it receives, likewise.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.random = Random(f"{host.network.seed}/{host.space.name}{host.addresses[0]}/link")
        self.flowUp = FlowUplink(host)
        self.flowDown = FlowDownlink(host)
        clock = host.network.clock
        self._up, self._down = Pipe(clock, host=host), Pipe(clock, host=host)
        self._link: Link | None = None
        self._last: dict[Hashable, float] = {}

    @property
    def up(self) -> Pipe:
        """What it sends, packet by packet."""
        self._look()
        return self._up

    @property
    def down(self) -> Pipe:
        """What it receives, packet by packet."""
        self._look()
        return self._down

    def _look(self) -> None:
        link = self._host.link
        if link is not self._link:  # it may be exchanged at any time
            self._link = link
            self._up.rate, self._up.most = link.up, link.queueUp
            self._down.rate, self._down.most = link.down, link.queueDown

    def happens(self, share: float) -> bool:
        """Whether something that happens to C{share} of all packets happens to this one."""
        return share > 0 and self.random.random() < share

    def jitter(self, target: Host) -> float:
        """Seconds that something takes longer to C{target} this time."""
        jitter = self._host.link.jitter + target.link.jitter
        return jitter * self.random.random() if jitter else 0.0

    def arrival(self, flow: Hashable, target: Host, left: float) -> float:
        """When a packet of C{flow} that leaves at C{left} comes to the downlink of C{target}."""
        link, now = self._host.link, self._host.network.clock.now
        time = left + link.latency + target.link.latency
        if link.jitter or target.link.jitter:
            last = self._last
            if len(last) > 1000:
                self._last = last = {key: then for key, then in last.items() if then > now}
            time = last[flow] = max(time + self.jitter(target), last.get(flow, 0.0))
        if self.happens(link.reordering) or target.access.happens(target.link.reordering):
            # Late enough for some that were sent after it, not for all.
            time += (0.2 + 0.8 * self.random.random()) * max(0.002, link.latency + target.link.latency)
        return time

    def drop(self, flow: Hashable) -> None:
        """What waits here of C{flow} is not sent."""
        self._up.drop(flow)


def passes(source: Host, target: Host) -> bool:
    """Whether anything gets from C{source} straight to C{target} now."""
    return source.online and target.online and source.network.reachable(source, target)


def carry(
    source: Host,
    target: Host,
    flow: Hashable,
    size: int,
    arrive: Callable[[], object],
    dropped: Callable[[], object] | None = None,
    fragments: bool = True,
) -> None:
    """
    Pass C{size} bytes through C{source}'s uplink, the way and C{target}'s downlink, as their links say.

    @param flow: whose turn it takes.  One with an attribute C{repeated} that is false does not come twice.
    @param arrive: called when it is there; twice, when it was duplicated.
    @param dropped: called when it is lost, at once.
    @param fragments: whether something longer than the MTU goes in parts; else it is lost.
    """
    clock = source.network.clock
    if source is target:
        clock.post(clock.now, target, arrive)
        return
    passage = _Passage(source, target, flow, arrive, dropped)
    mtu = min(source.link.mtu, target.link.mtu)
    if not passes(source, source) or (size > mtu and not fragments):
        passage.lost()
    elif source.network.mode == "flow":
        passage.compute(size)
    else:
        rest = size
        passage.parts = 1 if size <= mtu else -(-(size - _IP) // (mtu - _IP))
        for _ in range(passage.parts):
            passage.enter(min(rest, mtu))
            rest -= mtu - _IP


class _Passage:
    """
    Something on its way.

    @ivar parts: fragments that did not arrive yet.
    """

    __slots__ = ("_arrive", "_dropped", "_flow", "_source", "_target", "_wasLost", "parts")

    def __init__(
        self,
        source: Host,
        target: Host,
        flow: Hashable,
        arrive: Callable[[], object],
        dropped: Callable[[], object] | None,
    ) -> None:
        self._source = source
        self._target = target
        self._flow = flow
        self._arrive = arrive
        self._dropped = dropped
        self._wasLost = False
        self.parts = 1

    def lost(self) -> None:
        """It does not arrive."""
        if not self._wasLost:
            self._wasLost = True
            if self._dropped is not None:
                self._dropped()

    # -- packet by packet

    def enter(self, size: int) -> None:
        """A part of C{size} bytes comes to the uplink."""
        if not self._source.access.up.send(self._flow, size, self._left, size):
            self.lost()

    def _left(self, size: int) -> None:
        source, target = self._source, self._target
        if not passes(source, source) or source.access.happens(source.link.loss):
            self.lost()
            return
        clock = source.network.clock
        clock.post(source.access.arrival(self._flow, target, clock.now), target, self._came, size)

    def _came(self, size: int) -> None:
        source, target = self._source, self._target
        access = target.access
        if (
            not passes(target, target)
            or not source.network.reachable(source, target)
            or access.happens(target.link.loss)
            or not access.down.send(self._flow, size, self._through)
        ):
            self.lost()
        elif self._repeats():
            access.down.send(self._flow, size, self._through)

    def _repeats(self) -> bool:
        if self.parts > 1 or not getattr(self._flow, "repeated", True):
            return False
        source, target = self._source, self._target
        return source.access.happens(source.link.duplication) or target.access.happens(
            target.link.duplication
        )

    def _through(self) -> None:
        self.parts -= 1
        if self.parts <= 0 and not self._wasLost:
            self._arrive()

    # -- computed

    def compute(self, size: int) -> None:
        """It is simulated as a flow."""
        source, target = self._source, self._target
        uplink, now = source.access.flowUp, source.network.clock.now
        done = uplink.small(size)
        if done < 0:
            if (uplink.freeAt - now) * source.link.up > source.link.queueUp:
                self.lost()
                return
            done = uplink.queue(size)
        done, full = target.access.flowDown.take(now, done, size)
        loss = source.link.loss + target.link.loss
        if full or source.access.happens(loss):
            self.lost()
            return
        done = source.access.arrival(self._flow, target, done)
        for _ in range(2 if self._repeats() else 1):
            source.network.clock.post(done, target, self._computed)

    def _computed(self) -> None:
        if passes(self._source, self._target):
            self._arrive()
        else:
            self.lost()
