"""
How hosts hang on the network: delay, bandwidth, queues and faults, each way.

Every host has one access link; between links the network costs nothing.  What a host sends waits
for its own uplink, travels for the delay of both links, then waits for the downlink of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

#: Bytes of headers with each packet, and of payload in one of the usual size.
HEADERS, PAYLOAD = 40, 1460


@dataclass(frozen=True)
class Link:
    """
    What is said of packets holds for each that passes, whichever way it goes.

    @ivar latency: seconds from the host to the middle of the network, and back.  Two hosts are twice
        the sum of theirs apart, there and back.
    @ivar up: bytes a second that the host can send.
    @ivar down: bytes a second that the host can receive.
    @ivar jitter: seconds; a packet takes up to that much longer, and is overtaken by none of its flow.
    @ivar loss: the share of packets that are lost, from 0 to 1.
    @ivar reordering: the share of packets that come late, behind some of those sent after them.
    @ivar duplication: the share of packets that come twice.
    @ivar mtu: bytes of the longest packet, headers included.  A longer datagram goes in fragments.
    @ivar upQueue: bytes that wait for the uplink at most; what comes on top is lost.  C{None}: a tenth
        of a second's worth, at least 64 KiB.
    @ivar downQueue: the same at the other end of the downlink.
    @raise ValueError: a number makes no sense.
    """

    latency: float = 0.01
    up: float = 10e6
    down: float = 10e6
    jitter: float = 0.0
    loss: float = 0.0
    reordering: float = 0.0
    duplication: float = 0.0
    mtu: int = 1500
    upQueue: int | None = None
    downQueue: int | None = None

    def __post_init__(self) -> None:
        shares = (self.loss, self.reordering, self.duplication)
        queues = (each for each in (self.upQueue, self.downQueue) if each is not None)
        if not (
            0 <= self.latency < inf
            and 0 <= self.jitter < inf
            and self.up > 0
            and self.down > 0
            and all(0 <= each <= 1 for each in shares)
            and self.mtu >= 576
            and all(each >= self.mtu for each in queues)
        ):
            raise ValueError(f"no such link: {self}")

    @property
    def queueUp(self) -> float:
        """Bytes that wait for the uplink at most."""
        return max(1 << 16, self.up / 10) if self.upQueue is None else self.upQueue

    @property
    def queueDown(self) -> float:
        """Bytes that wait for the downlink at most."""
        return max(1 << 16, self.down / 10) if self.downQueue is None else self.downQueue

    @classmethod
    def datacenter(cls) -> Link:
        """1 Gbit/s each way, half a millisecond to the others."""
        return cls(0.00025, 125e6, 125e6)

    @classmethod
    def home(cls) -> Link:
        """As at home: 8 Mbit/s down, an eighth of it up, 30 ms to everywhere."""
        return cls(0.0075, 125e3, 1e6)

    @classmethod
    def fibre(cls) -> Link:
        """A home with fibre: 500 Mbit/s down, 200 up, 10 ms to everywhere."""
        return cls(0.0025, 25e6, 62.5e6)

    @classmethod
    def mobile(cls) -> Link:
        """On the road: 20 Mbit/s down, 5 up, 50 ms and more to everywhere, some losses, long queues."""
        return cls(0.025, 625e3, 2.5e6, jitter=0.02, loss=0.002, upQueue=1 << 18, downQueue=1 << 20)

    @classmethod
    def satellite(cls) -> Link:
        """Over a satellite that does not move: 20 Mbit/s down, 3 up, 600 ms there and back."""
        return cls(0.15, 375e3, 2.5e6, jitter=0.01, loss=0.001, upQueue=1 << 18, downQueue=1 << 20)

    @classmethod
    def dialup(cls) -> Link:
        """A modem: 56 kbit/s down, 33.6 up, 150 ms to everywhere."""
        return cls(0.0375, 4.2e3, 7e3, mtu=576, upQueue=1 << 13, downQueue=1 << 14)


def wireSize(payload: int, mtu: int = PAYLOAD + HEADERS) -> int:
    """Bytes on the wire for C{payload} bytes in packets of C{mtu}."""
    return payload + HEADERS * max(1, -(-payload // (mtu - HEADERS)))
