"""Tests of L{twisted_bt.discovery.scopes}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import ConformanceTestCase, cases
from twisted_bt.discovery.scopes import Scope, dialable, scopeOf, tellable
from twisted_bt.torrent.addresses import PeerAddr


class ScopeTests(SynchronousTestCase):
    """How far addresses reach."""

    def test_ranges(self) -> None:
        """The first and last addresses of special ranges, and their neighbours outside."""
        table = {
            Scope.NOWHERE: "0.0.0.0 0.255.255.255 224.0.0.0 255.255.255.255 :: ::2 ff02::1 100::1 "
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff name.test 01.2.3.4 1.2.3 ::ffff:1.2.3.4 "
            "2001:0::1 fe80::1%2",
            Scope.HOST: "127.0.0.0 127.255.255.255 ::1",
            Scope.LINK: "169.254.0.0 169.254.255.255 fe80::1 febf::1",
            Scope.SITE: "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.1.1 100.64.0.0 "
            "100.127.255.255 198.18.0.1 198.19.255.255 fd00::1 fc00::1 200::1 2001:db8::1",
            Scope.WORLD: "1.0.0.0 9.255.255.255 11.0.0.0 126.255.255.255 128.0.0.0 169.253.255.255 "
            "169.255.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 100.63.255.255 "
            "100.128.0.0 198.17.255.255 198.20.0.0 "
            "223.255.255.255 2001:4860:4860::8888 2a00::1 3fff::1 64:ff9b::102:304",
        }
        for scope, hosts in table.items():
            for host in hosts.split():
                self.assertIs(scopeOf(host), scope, host)

    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(st.text(max_size=20))
    def test_anyText(self, text: str) -> None:
        """Whatever is no address reaches nowhere, and is not dialled."""
        if not set(text) <= set("0123456789abcdef.:"):
            self.assertIs(scopeOf(text), Scope.NOWHERE)
            self.assertFalse(dialable(PeerAddr(text, 1)))

    def test_told(self) -> None:
        """Who is far away cannot tell of what is near; who is near can tell of both."""
        near = ("127.0.0.1", "169.254.1.1", "10.0.0.1", "8.8.8.8")
        for place, teller in enumerate(near):
            believed = [host for host in near if tellable(PeerAddr(host, 1), teller)]
            self.assertEqual(believed, list(near[place:]), teller)
        self.assertFalse(tellable(PeerAddr("224.0.0.1", 1), "127.0.0.1"))
        self.assertFalse(tellable(PeerAddr("fe80::1", 1), "::1"))


class ConformanceTests(ConformanceTestCase):
    """The published vectors."""

    def test_public(self) -> None:
        """What is published as public reaches the world, and nothing else does."""
        found = [case for case in cases("address_classes") if "public" in case["predicate"]]
        self.assertTrue(found)
        for case in found:
            self.assertEqual(scopeOf(case["address"]) is Scope.WORLD, case["expect"], case["id"])
