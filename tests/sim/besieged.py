"""
One leecher among fifty villains: C{python -m tests.sim.besieged --seeds 10}.

Five seeds of 50 kB/s each are all there is.  In half of the runs the leecher hears of them together with the
villains; in the other half only after these had twenty seconds to take all its slots.  The rate at which it
downloads is printed beside that without villains on the same seed, and must be at least 80 % of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from tests.sim.seeds import seedParser, seedsOf
from tests.testing.villaincase import LIMITS as OF_ONE
from tests.testing.villaincase import conclude
from twisted_bt.testing.footprint import Footprint
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network
from twisted_bt.testing.swarm import SimulatedSwarm
from twisted_bt.testing.villains import someVillain

#: Of the rate without villains.
SHARE = 0.8
SEEDS, RATE = 5, 50e3
#: Seconds that those who come first have for themselves.
HEAD_START = 20.0
#: What the leecher may keep at most, where one villain alone would be allowed less.
LIMITS = replace(OF_ONE, connections=500, known=3000, unsent=4 << 20, asked=8000, buffers=64 << 20, bans=500)


@dataclass
class Siege:
    """
    @ivar seconds: from when the leecher could hear of the first honest peer until it was complete.
    @ivar most: what it kept.
    @ivar wronged: honest peers that it banned.
    """

    seconds: float
    most: Footprint
    wronged: int
    events: int


def besiege(seed: int, villains: int, late: bool, size: int) -> Siege:
    """
    One run.

    @raise AssertionError: it does not complete, with wrong bytes, or something is left behind.
    """
    network = Network(f"besieged {seed}", mode="flow")
    swarm = SimulatedSwarm(size=size, pieceLength=1 << 17, network=network)
    random = Random(f"{seed}/besieged")

    def latency() -> float:
        return random.uniform(0.01, 0.05)

    honest = [swarm.seeder(host=network.host(link=Link(latency(), up=RATE))) for _ in range(SEEDS)]
    leecher = swarm.leecher(host=network.host(link=Link(up=125e3, down=1e6)))
    begun = network.now
    hostile = [
        someVillain(swarm, random, network.host(link=Link(latency(), up=125e3, down=1e6)))
        for _ in range(villains)
    ]
    for one in hostile:
        network.clock.callLater(random.uniform(0, HEAD_START), one.attack, ((leecher,), {}))
    since = HEAD_START if late else 0.0
    for each in honest:
        network.clock.callLater(since + random.uniform(0, 5), leecher.meet, ((each,), {}))
    most, toldAt = Footprint(), begun + 300
    while not leecher.session.complete:
        network.advance(1.0)
        most |= Footprint.of(leecher.client, leecher.host)
        if network.now >= toldAt:  # as by a tracker
            toldAt += 300
            leecher.meet(*honest)
        if network.now > begun + 7200:
            raise AssertionError("it does not complete")
    seconds = network.now - begun - since
    wronged = sum(each.address in leecher.client.engine.bans for each in honest)
    for one in hostile:
        one.stop()
    conclude(swarm, leecher)
    return Siege(seconds, most, wronged, network.events)


def run(
    seeds: range, size: int, villains: int = 50, say: Callable[[str], object] = print
) -> tuple[list[float], list[str]]:
    """All C{seeds}: the parts of the quiet rate that were kept, and what went wrong."""
    kept: list[float] = []
    faults: list[str] = []
    for seed in seeds:
        for late in (False, True):
            try:
                quiet = besiege(seed, 0, late, size)
                siege = besiege(seed, villains, late, size)
            except Exception as reason:
                faults.append(f"seed {seed}: {type(reason).__name__}: {reason}")
                continue
            kept.append(quiet.seconds / siege.seconds)
            what = "after them" if late else "together"
            say(
                f"seed {seed}, {what}: {quiet.seconds:.0f} s without, {siege.seconds:.0f} s with {villains}: "
                f"{kept[-1]:.0%}; {siege.events} events"
            )
            faults += [f"seed {seed}: {each}" for each in siege.most.beyond(LIMITS)]
            if siege.wronged:
                faults.append(f"seed {seed}: {siege.wronged} honest peers are banned")
            if kept[-1] < SHARE:
                faults.append(f"seed {seed}: only {kept[-1]:.0%} of the rate is left")
    return kept, faults


def main(arguments: list[str] | None = None) -> int:
    """The command; 1: something was wrong, and the seed is told."""
    parser = seedParser("tests.sim.besieged", __doc__, seeds=10)
    parser.add_argument("--size", type=int, default=40_000_000, help="bytes to download")
    options = parser.parse_args(arguments)
    kept, faults = run(seedsOf(options), options.size)
    if kept:
        print(f"kept of the rate: {min(kept):.0%} at least, {sum(kept) / len(kept):.0%} on average")
    print("\n".join(faults))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
