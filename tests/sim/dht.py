"""
Thousands of our DHT nodes in one process, on a virtual clock: what do their lookups find?

  python -m tests.sim.dht --nodes 10000

Each node joins through another one, as it would anywhere.  Then peers are announced and looked for: at
rest, with a fifth of all datagrams lost, with a third of the nodes gone at a blow; and with a ring of
hostile nodes round one info-hash, with BEP 42 and without.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, log2
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from tests.sim.dhtnet import DhtNet, SimReactor
from tests.sim.sybil import Ring
from twisted_bt.dht.addressnode import AddressNode
from twisted_bt.dht.lookup import Candidate, Lookup
from twisted_bt.dht.messages import GetPeers, Response
from twisted_bt.dht.nodeid import distance, isLocal, isUsable, packed
from twisted_bt.dht.service import DhtNode
from twisted_bt.dht.settings import DhtSettings

PORT = 6881
#: Virtual seconds between two nodes that join.
_EVERY = 0.05

Say = Callable[[str], object]


@dataclass(frozen=True)
class Result:
    """
    What some lookups came to.

    @ivar found: the share of them that found the stored peer.
    @ivar hops: of each: how many nodes, one told of by another, until one knew the peer.
    @ivar asked: of each: how many nodes were asked.
    """

    found: float
    hops: tuple[int, ...]
    asked: tuple[int, ...]

    def __str__(self) -> str:
        mean = sum(self.hops) / max(1, len(self.hops))
        asked = sum(self.asked) / max(1, len(self.asked))
        return (
            f"{self.found:6.1%} found; hops {mean:.1f} on average, {max(self.hops, default=0)} at most; "
            f"{asked:.0f} nodes asked"
        )


def address(random: Random, taken: set[str]) -> str:
    """An address out in the world that nobody has yet."""
    while True:
        made = ".".join(str(random.randrange(256)) for _ in range(4))
        if made not in taken and isUsable(packed(made)) and not isLocal(packed(made)):
            taken.add(made)
            return made


class World:
    """
    A network of nodes that all joined.

    @ivar hosts: the addresses of C{nodes}.
    """

    def __init__(self, count: int, seed: int, say: Say) -> None:
        self.net = DhtNet(seed)
        self.random = Random(seed)
        self.taken: set[str] = set()
        self.hosts: list[str] = []
        self.nodes: list[DhtNode] = []
        begun = time.process_time()
        for number in range(count):
            self._join()
            if (number + 1) % 1000 == 0:
                gc.collect()
                say(f"  {number + 1} nodes joined, {time.process_time() - begun:.0f} s")
        self.net.advance(120.0)
        say(
            f"  {count} nodes joined in {time.process_time() - begun:.0f} s of processor time with "
            f"{self.net.sent / count:.0f} datagrams each; they know "
            f"{sum(node.nodeCount for node in self.nodes) / count:.0f} others each"
        )

    def _join(self) -> None:
        host = address(self.random, self.taken)
        routers = ((self.random.choice(self.hosts), PORT),) if self.hosts else ()
        settings = DhtSettings(routers=routers)
        node = DhtNode(
            SimReactor(self.net, host), Random(self.random.random()), PORT, (host,), settings=settings
        )
        node.startService()
        self.hosts.append(host)
        self.nodes.append(node)
        self.net.advance(_EVERY)

    def living(self) -> DhtNode:
        """Any node that is not dead."""
        while True:
            place = self.random.randrange(len(self.nodes))
            if self.hosts[place] not in self.net.dead:
                return self.nodes[place]

    def announce(self, count: int) -> list[bytes]:
        """So many info-hashes, each announced by one node."""
        made = [self.random.randbytes(20) for _ in range(count)]
        self.net.result(gatherResults([self.living().announce(each, 1234) for each in made]))
        return made

    def lookUp(self, infoHashes: Sequence[bytes]) -> Result:
        """Look for a peer of each of them, each from any node, all at a time."""
        trials = [Trial(self.living(), infoHash) for infoHash in infoHashes]
        lookups = self.net.result(gatherResults([trial.start() for trial in trials]))
        hops = tuple(trial.depths[0] + 1 for trial in trials if trial.depths)
        return Result(len(hops) / len(trials), hops, tuple(lookup.asked for lookup in lookups))

    def kill(self, share: float) -> None:
        """That share of the nodes is gone, without a word."""
        self.net.dead |= set(self.random.sample(self.hosts, int(share * len(self.hosts))))

    def trustAll(self) -> None:
        """From now on nobody asks what BEP 42 says."""
        for node in map(addressNode, self.nodes):
            node.means = replace(node.means, settings=replace(node.means.settings, secure=False))
            node.table._secure = False

    def nearest(self, target: bytes, count: int) -> list[str]:
        """The addresses of the nodes nearest to C{target}."""
        order = sorted(range(len(self.nodes)), key=lambda place: distance(self.nodes[place].nodeId, target))
        return [self.hosts[place] for place in order[:count]]

    def stop(self) -> None:
        """Stop all nodes."""
        for node in self.nodes:
            node.stopService()


def addressNode(node: DhtNode) -> AddressNode:
    """The one it has."""
    (only,) = node._nodes.values()
    return only


class Trial:
    """
    One search for peers.

    @ivar depths: of the nodes that named any, in the order of their answers.
    """

    def __init__(self, node: DhtNode, infoHash: bytes) -> None:
        self.depths: list[int] = []
        self._search = addressNode(node).search(infoHash, GetPeers(infoHash))
        self._search.seen = self._seen

    def start(self) -> Deferred[Lookup]:
        """Fires when it is over."""
        return self._search.start()

    def _seen(self, candidate: Candidate, response: Response) -> None:
        if response.peers():
            self.depths.append(candidate.depth)


def underAttack(world: World, hostile: int, lookups: int) -> tuple[float, float]:
    """
    The share of lookups that find any of 20 peers that were announced while C{hostile} nodes sat round
    their info-hash, and the share of the nearest nodes they found that were hostile.
    """
    infoHash = world.random.randbytes(20)
    ring = Ring(world.net, infoHash, [address(world.random, world.taken) for _ in range(hostile)])
    near = world.nearest(infoHash, 100)
    for _ in range(3):
        ring.push([*near, *world.random.sample(world.hosts, min(200, len(world.hosts)))])
        world.net.advance(60.0)
    announces = [world.living().announce(infoHash, 1234) for _ in range(20)]
    world.net.result(gatherResults(announces))
    trials = [Trial(world.living(), infoHash) for _ in range(lookups)]
    done = world.net.result(gatherResults([trial.start() for trial in trials]))
    nearest = [candidate for lookup in done for candidate in lookup.closest()]
    wrong = sum(candidate.addr.host in ring.hosts for candidate in nearest)
    ring.stop()
    return sum(bool(trial.depths) for trial in trials) / lookups, wrong / max(1, len(nearest))


def simulate(count: int, lookups: int, hostile: int, seed: int, say: Say) -> list[str]:
    """All of it; what was not as it should be."""
    faults: list[str] = []
    most = ceil(log2(count))

    def judge(name: str, result: Result) -> None:
        say(f"  {name:28} {result}")
        if result.found < 0.99:
            faults.append(f"{name}: {result.found:.1%} of lookups found their peer")
        if max(result.hops, default=0) > most:
            faults.append(f"{name}: {max(result.hops)} hops, more than {most}")

    say(f"{count} nodes, seed {seed}; log2 of that is {log2(count):.1f}")
    world = World(count, seed, say)
    judge("at rest:", world.lookUp(world.announce(lookups)))
    world.net.loss = 0.2
    judge("20 % of datagrams lost:", world.lookUp(world.announce(lookups)))
    world.net.loss = 0.0
    if hostile:
        attacked = underAttack(world, hostile, lookups)
        say(_attackText(hostile, True, attacked))
        if attacked[0] < 0.99:
            faults.append(f"BEP 42 on: {attacked[0]:.1%} of lookups found a peer")
    announced = world.announce(lookups)
    world.kill(0.3)
    judge("30 % of nodes just died:", world.lookUp(announced))
    if hostile:
        world.net.dead.clear()
        world.trustAll()
        say(_attackText(hostile, False, underAttack(world, hostile, lookups)))
    world.stop()
    return faults


def _attackText(hostile: int, secure: bool, outcome: tuple[float, float]) -> str:
    found, wrong = outcome
    name = f"{hostile} hostile, BEP 42 {'on' if secure else 'off'}:"
    return f"  {name:28} {found:6.1%} found; {wrong:.1%} of the nearest nodes were hostile"


def main(argv: Any = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.dht", description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000, help="[default: 1000]")
    parser.add_argument("--lookups", type=int, default=200, help="in each situation [default: 200]")
    parser.add_argument(
        "--hostile", type=int, default=1000, help="nodes of the ring; 0: none [default: 1000]"
    )
    parser.add_argument("--seed", type=int, default=1, help="[default: 1]")
    chosen = parser.parse_args(argv)
    gc.disable()  # over millions of objects each of its rounds takes seconds, for next to nothing
    faults = simulate(
        chosen.nodes, chosen.lookups, chosen.hostile, chosen.seed, lambda text: print(text, flush=True)
    )
    for fault in faults:
        print(f"not as it should be: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
