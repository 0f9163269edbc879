"""
Clients where clients are: behind NATs, in networks that break, with addresses that change.
"""

from __future__ import annotations

from tests.sessions.case import Noted
from tests.sim.hostcase import HOME, PORT, HostCase
from twisted_bt.settings import Settings
from twisted_bt.testing.natkinds import ADDRESS_RESTRICTED, FULL_CONE, PORT_RESTRICTED, SYMMETRIC
from twisted_bt.torrent.addresses import PeerAddr

KINDS = (FULL_CONE, ADDRESS_RESTRICTED, PORT_RESTRICTED, SYMMETRIC)


class NatTests(HostCase):
    """Clients at home."""

    def test_dialsOut(self) -> None:
        """A leecher behind a NAT of any kind downloads from a seeder in the world, and gives to others."""
        seeder = self.swarm.seeder()
        members = [self.swarm.leecher(host=self.home(kind)[1]) for kind in KINDS]
        for each in members:
            each.meet(seeder)
        self.completes(*members)

    def test_mute(self) -> None:
        """
        Two behind NATs do not reach each other.  Neither is stuck: dials time out, what they held is given
        back, and both complete as soon as somebody is there whom they reach.
        """
        nats, hosts = zip(*(self.home() for _ in range(2)), strict=True)
        one = self.swarm.seeder(Settings(listenPort=PORT), host=hosts[0])
        other = self.swarm.leecher(Settings(listenPort=PORT), host=hosts[1])
        one.session.peersFound([PeerAddr(nats[1].address, PORT)], "tracker")
        other.session.peersFound([PeerAddr(nats[0].address, PORT)], "tracker")
        self.network.advance(5)
        self.assertEqual(
            [each.client.engine.dialSlots.taken for each in (one, other)], [0, 1]
        )  # seeders wait
        self.network.advance(25)
        for each in (one, other):
            engine = each.client.engine
            self.assertEqual((engine.dialSlots.taken, engine.clientSlots.taken), (0, 0))
        between = self.swarm.leecher()
        for each in (one, other):
            each.meet(between)
        self.completes(between, other)

    def test_forwarded(self) -> None:
        """A seeder at home whose port is forwarded is reached by all, from the world and from other homes."""
        nat, host = self.home()
        nat.forward(host, PORT)
        self.swarm.seeder(Settings(listenPort=PORT), host=host)
        members = [self.swarm.leecher(), self.swarm.leecher(host=self.home(SYMMETRIC)[1])]
        for each in members:
            each.session.peersFound([PeerAddr(nat.address, PORT)], "tracker")
        self.completes(*members)

    def test_sharedLink(self) -> None:
        """Two at one home share its link, and what one has the other gets without it."""
        nat, host = self.home()
        seeder = self.swarm.seeder()
        one, other = self.swarm.leecher(host=host), self.swarm.leecher(host=nat.host("192.168.1.3"))
        one.meet(seeder)
        self.completes(one)
        other.meet(one)
        self.assertLess(self.completes(other), self.size / HOME.down)

    def test_rebooted(self) -> None:
        """The NAT forgets everything during a download: the leecher finds out, dials again, completes."""
        nat, host = self.home()
        seeder, leecher = self.begun(host=host)
        nat.reboot()
        self.completes(leecher)
        self.network.advance(300)
        self.assertEqual(seeder.client.engine.clientSlots.taken, 0)


class PacketNatTests(NatTests):
    """The same packet by packet."""

    mode = "packets"


class PartitionTests(HostCase):
    """Networks that break."""

    def test_short(self) -> None:
        """A download goes on after half a minute without the other side, in the same session."""
        seeder, leecher = self.begun()
        noted = Noted()
        leecher.session.observe(noted)
        partition = self.network.partition([seeder.host], [leecher.host])
        self.network.advance(30)
        partition.heal()
        self.completes(leecher)
        self.assertEqual(noted.ended, [])

    def test_long(self) -> None:
        """After ten minutes sessions have ended, with all that they held; it completes once it heals."""
        seeder, leecher = self.begun()
        partition = self.network.partition([seeder.host], [leecher.host])
        self.network.advance(600)
        for each in (seeder, leecher):
            self.assertEqual(each.session.connectedPeers, {})
        partition.heal()
        self.completes(leecher, timeout=3600)

    def test_split(self) -> None:
        """Two halves of a swarm each go on; what one half lacks it gets when they meet again."""
        seeder = self.swarm.seeder(host=self.network.host(link=HOME))
        leechers = [self.swarm.leecher(host=self.network.host(link=HOME)) for _ in range(4)]
        for each in leechers:
            each.meet(seeder, *leechers)
        self.network.advance(1)
        with_, without = leechers[:2], leechers[2:]
        partition = self.network.partition(
            [seeder.host, *(each.host for each in with_)], [each.host for each in without]
        )
        self.completes(*with_)
        self.network.advance(300)
        partition.heal()
        self.completes(*without, timeout=3600)


class PacketPartitionTests(PartitionTests):
    """The same packet by packet."""

    mode = "packets"


class AddressTests(HostCase):
    """Clients that move."""

    def moved(self, *, resets: bool, seeder: bool) -> float:
        """Seconds until the leecher completes after one of both got another address."""
        members = self.begun()
        members[not seeder].host.readdress("10.9.9.9", resets=resets)
        if seeder:
            members[1].meet(members[0])  # as a tracker would tell
        return self.completes(members[1], timeout=3600)

    def test_leecherReset(self) -> None:
        """A leecher that hears of it is soon complete."""
        self.assertLess(self.moved(resets=True, seeder=False), 100)

    def test_leecherSilent(self) -> None:
        """One that is not told finds out, and completes."""
        self.assertLess(self.moved(resets=False, seeder=False), 400)

    def test_seeder(self) -> None:
        """So it does when the seeder moves, and the new address is told."""
        self.assertLess(self.moved(resets=False, seeder=True), 300)

    def test_listening(self) -> None:
        """Who moved is reached at the new address by the port that it had."""
        seeder, leecher = self.swarm.seeder(), self.swarm.leecher()
        seeder.host.readdress("10.9.9.9")
        leecher.meet(seeder)
        self.completes(leecher)


class PacketAddressTests(AddressTests):
    """The same packet by packet."""

    mode = "packets"


class LocalTests(HostCase):
    """Clients that find each other on the local network."""

    def test_found(self) -> None:
        """On one segment two find each other by LSD; on different ones they do not."""
        settings = Settings(lsd=True)
        segment, elsewhere = self.network.segment(), self.network.segment()
        self.swarm.seeder(settings, host=self.network.host("10.0.0.1", "fd00::1", segment=segment))
        near, far = (
            self.swarm.leecher(
                settings, host=self.network.host(f"10.0.0.{number}", f"fd00::{number}", segment=lan)
            )
            for number, lan in ((2, segment), (3, elsewhere))
        )
        self.completes(near)
        self.network.advance(600)
        self.assertEqual(far.stored.pieces, {})

    def test_oneKind(self) -> None:
        """They do over IPv6 alone, too, and behind one NAT."""
        settings = Settings(lsd=True)
        nat = self.network.nat()
        for hosts in (
            [nat.host("192.168.1.2"), nat.host("192.168.1.3")],
            [self.network.host(f"fd00::{number}") for number in (1, 2)],
        ):
            if hosts[0].behind is None:
                segment = self.network.segment()
                for each in hosts:
                    segment.join(each)
            self.swarm.seeder(settings, host=hosts[0])
            self.completes(self.swarm.leecher(settings, host=hosts[1]))
