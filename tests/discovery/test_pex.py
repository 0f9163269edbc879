"""Tests of L{twisted_bt.discovery.pex}: whom to tell of whom."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.discovery.pex import (
    FEW_LIVE,
    FIRST_DELAY,
    INTERVAL,
    MAX_FIRST,
    MAX_NEWS,
    Contact,
    News,
    PexRoster,
    PexState,
)
from twisted_bt.errors import ProtocolError
from twisted_bt.torrent.addresses import PeerAddr

PEER = PeerAddr("10.9.9.9", 50000)


def addrs(count: int, start: int = 0) -> list[PeerAddr]:
    """C{count} addresses of IPv4."""
    return [PeerAddr(f"10.0.{n >> 8}.{n & 255}", 6881) for n in range(start, start + count)]


class TellingTests(SynchronousTestCase):
    """What a peer is told."""

    def setUp(self) -> None:
        """One peer of an empty swarm."""
        self.roster = PexRoster()
        self.state = PexState(self.roster, PEER, 0.0)
        self.now = FIRST_DELAY

    def join(self, *peers: PeerAddr) -> None:
        """C{peers} are connected."""
        for addr in peers:
            self.roster.joined(addr, 0)

    def told(self) -> tuple[list[PeerAddr], list[PeerAddr]]:
        """What the next message adds and drops; nothing if there is none."""
        news = self.state.news(self.now) or News((), ())
        self.now += INTERVAL
        return [addr for addr, _ in news.added], list(news.dropped)

    def test_flags(self) -> None:
        """Who joined is told of with the newest flags."""
        a, b = addrs(2)
        self.roster.joined(a, 1)
        self.roster.joined(b, 2)
        self.roster.joined(a, 0x10)
        self.assertEqual(self.state.news(self.now), News(((a, 0x10), (b, 2)), ()))

    def test_onceAMinute(self) -> None:
        """The first message waits a little, each further one a minute, and then whoever comes is told of."""
        a, b, c = addrs(3)
        self.join(a)
        self.assertIsNone(self.state.news(FIRST_DELAY - 1))
        self.assertIsNotNone(self.state.news(FIRST_DELAY))
        self.join(b)
        self.assertIsNone(self.state.news(FIRST_DELAY + INTERVAL - 1))
        self.assertIsNotNone(self.state.news(FIRST_DELAY + INTERVAL))
        later = FIRST_DELAY + 10 * INTERVAL
        self.assertIsNone(self.state.news(later))
        self.join(c)
        self.assertEqual(self.state.news(later + 1), News(((c, 0),), ()))

    def test_dropped(self) -> None:
        """Who was told of and left is dropped, once."""
        a, b = addrs(2)
        self.join(a, b)
        self.told()
        self.roster.left(a)
        self.assertEqual(self.told(), ([], [a]))
        self.assertEqual(self.told(), ([], []))

    def test_transient(self) -> None:
        """Who came and went between two messages, or went and came, is not worth a word."""
        a, b = addrs(2)
        self.join(a)
        self.told()
        self.roster.left(a)
        self.join(a, b)
        self.roster.left(b)
        self.assertEqual(self.told(), ([], []))
        self.roster.left(a)
        self.assertEqual(self.told(), ([], [a]))

    def test_notItself(self) -> None:
        """A peer is not told of itself, at whatever address, nor that it left."""
        a, b = addrs(2)
        self.state.alsoAt(a)
        self.join(PEER, a, b)
        self.assertEqual(self.told(), ([b], []))
        self.roster.left(a)
        self.assertEqual(self.told(), ([], []))

    def test_limits(self) -> None:
        """The first message holds 100, the others 50 and 50, and all come in the end."""
        everybody = addrs(260)
        self.join(*everybody)
        messages = [self.told() for _ in range(6)]
        self.assertEqual(
            [len(added) for added, _ in messages], [MAX_FIRST, MAX_NEWS, MAX_NEWS, MAX_NEWS, 10, 0]
        )
        self.assertEqual([addr for added, _ in messages for addr in added], everybody)
        for addr in everybody:
            self.roster.left(addr)
        messages = [self.told() for _ in range(7)]
        self.assertEqual([len(dropped) for _, dropped in messages], [MAX_NEWS] * 5 + [10, 0])
        self.assertEqual([addr for _, dropped in messages for addr in dropped], everybody)

    def test_unknownLeaves(self) -> None:
        """Who never completed a handshake is told of to nobody."""
        (a,) = addrs(1)
        self.roster.left(a, alive=True)
        self.assertEqual(self.told(), ([], []))

    def test_recent(self) -> None:
        """With few connections, well peers parted from are told of once, and dropped with the next."""
        a, b, c = addrs(3)
        self.join(a, b, c)
        self.roster.left(a, alive=True)
        self.roster.left(b)
        self.assertEqual(self.told(), ([c, a], []))
        self.assertEqual(self.told(), ([], [a]))
        self.assertEqual(self.told(), ([], []))
        self.roster.left(c, alive=True)  # it was told of, so that now it is dropped
        self.assertEqual(self.told(), ([], [c]))
        self.assertEqual(self.told(), ([], []))

    def test_recentReturns(self) -> None:
        """Who was told of as parted from and is connected again stays told of."""
        (a,) = addrs(1)
        self.join(a)
        self.roster.left(a, alive=True)
        self.assertEqual(self.told(), ([a], []))
        self.join(a)
        self.assertEqual(self.told(), ([], []))
        self.roster.left(a)
        self.assertEqual(self.told(), ([], [a]))

    def test_recentByFamily(self) -> None:
        """Those parted from are told of only where there are few; each family by itself, and not too many."""
        four = addrs(FEW_LIVE + 1)
        six = [PeerAddr(f"fd00::{n:x}", 1) for n in range(1, 2 * FEW_LIVE)]
        self.join(*four, *six)
        self.roster.left(four[0], alive=True)
        for addr in six:
            self.roster.left(addr, alive=True)
        added, _ = self.told()
        self.assertEqual(added, four[1:] + six[-FEW_LIVE:])

    def test_anyHistory(self) -> None:
        """Whatever happens, the invariants of what a peer is told hold; in the end it knows who is here."""
        for seed in range(60):
            self._history(Random(seed))

    def _history(self, random: Random) -> None:
        roster, now = PexRoster(), 0.0
        pool = addrs(random.choice((3, 30, 200)))
        pool += [PeerAddr(f"fd00::{n:x}", 1) for n in range(1, random.choice((2, 60)))]
        live: set[PeerAddr] = set()
        states: list[tuple[PexState, set[PeerAddr]]] = []
        for step in range(400):
            for _ in range(random.choice((0, 1, 3, 60))):
                addr = random.choice(pool)
                if addr in live:
                    roster.left(addr, alive=random.random() < 0.3)
                    live.discard(addr)
                else:
                    roster.joined(addr, 0)
                    live.add(addr)
            if len(states) < 4 and random.random() < 0.1:
                states.append((PexState(roster, random.choice(pool), now), set()))
            now += random.choice((1.0, 30.0, INTERVAL))
            for state, known in states:
                if random.random() < 0.9 or step > 380:
                    self._tell(state, known, live, now)
        for _ in range(40):  # nothing happens any more
            now += INTERVAL
            for state, known in states:
                self._tell(state, known, live, now)
        for state, known in states:
            self.assertEqual(known, live - state.own)

    def _tell(self, state: PexState, known: set[PeerAddr], live: set[PeerAddr], now: float) -> None:
        first = state._first
        news = state.news(now)
        if news is None:
            return
        added, dropped = [addr for addr, _ in news.added], list(news.dropped)
        self.assertTrue(added or dropped)
        self.assertLessEqual(len(added), MAX_FIRST if first else MAX_NEWS)
        self.assertLessEqual(len(dropped), MAX_NEWS)
        self.assertEqual(len(set(added + dropped)), len(added + dropped))
        self.assertFalse(state.own & set(added + dropped))
        self.assertLessEqual(set(dropped), known)
        self.assertFalse(set(added) & known)
        known.difference_update(dropped)
        known.update(added)

    def test_memory(self) -> None:
        """However many come and go, what is remembered is bounded."""
        for addr in addrs(20_000):
            self.join(addr)
            self.roster.left(addr, alive=True)
        self.assertLessEqual(len(self.roster.parted), 2000)
        self.assertLessEqual(sum(map(len, self.roster.recent)), 2 * FEW_LIVE)
        self.assertEqual(len(self.roster.live), 0)


class HearingTests(SynchronousTestCase):
    """What is believed of a peer."""

    def state(self, host: str = "10.9.9.9") -> PexState:
        """Of a peer at C{host}."""
        return PexState(PexRoster(), PeerAddr(host, 1), 0.0)

    def test_usual(self) -> None:
        """What peers usually say is believed, with its flags."""
        said: list[Contact] = [(addr, n) for n, addr in enumerate(addrs(10))]
        self.assertEqual(self.state().heard(said, 60.0), said)

    def test_impossible(self) -> None:
        """Martians, the peer itself, and what it cannot know from where it is are left out."""
        state = self.state("8.8.8.8")
        state.alsoAt(PeerAddr("8.8.8.8", 2))
        hosts = ("224.0.0.1", "0.0.0.0", "127.0.0.1", "10.0.0.1", "192.168.0.1", "fe80::1", "::1", "fd00::1")
        said = [PeerAddr(host, 1) for host in (*hosts, "8.8.8.8")] + [PeerAddr("8.8.8.8", 2)]
        good = (PeerAddr("8.8.4.4", 1), 0)
        self.assertEqual(state.heard([(addr, 0) for addr in said] + [good], 60.0), [good])

    def test_onePort(self) -> None:
        """Further ports of a public host are left out; private hosts may be many peers."""
        said = [(PeerAddr(host, port), 0) for host in ("8.8.8.8", "10.0.0.1") for port in (1, 2, 3)]
        self.assertEqual(self.state().heard(said, 60.0), [said[0], *said[3:]])

    def test_many(self) -> None:
        """A message brings so many at most, and a peer so many in a while."""
        state = self.state()
        believed = [len(state.heard([(a, 0) for a in addrs(200, 200 * n)], 60.0 * n)) for n in range(1, 9)]
        self.assertEqual(believed[0], MAX_FIRST)
        self.assertEqual(believed[-1], MAX_NEWS)
        self.assertLessEqual(sum(believed), 200 + 8 * MAX_NEWS)

    def test_often(self) -> None:
        """Every twenty seconds is fine for ever; a flood is ignored first, and then ends the session."""
        state, now = self.state(), 0.0
        said = [(addr, 0) for addr in addrs(1)]
        for _ in range(1000):
            now += 20.0
            self.assertEqual(state.heard(said, now), said)
        ignored = 0
        with self.assertRaises(ProtocolError):
            for _ in range(100):
                now += 0.1
                ignored += not state.heard(said, now)
        self.assertGreater(ignored, 5)

    def test_clockBack(self) -> None:
        """A clock that goes back gives nobody more than it should."""
        state = self.state()
        state.heard([], 100.0)
        state.heard([], 0.0)
        self.assertLessEqual(len(state.heard([(a, 0) for a in addrs(500)], 0.0)), MAX_FIRST)
