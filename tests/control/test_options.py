"""Tests for L{twisted_bt.control.options}."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.control.options import (
    DaemonConfig,
    HostPort,
    allOptions,
    fromText,
    parseHostPort,
    parseInterface,
)
from twisted_bt.errors import SettingsError

NAMES = {
    "torrents",
    "listen-port",
    "interface",
    "download-dir",
    "state-dir",
    "peer",
    "max-peers",
    "max-peers-per-torrent",
    "upload-slots",
    "seed-ratio",
    "no-dht",
    "dht-bootstrap",
    "no-pex",
    "no-lsd",
    "exit-when-complete",
    "preallocate",
    "register",
}


class HostPortTests(SynchronousTestCase):
    """Peers as people write them."""

    def test_forms(self) -> None:
        """A name, an IPv4 address, an IPv6 address in brackets."""
        for text, peer in [
            ("localhost:6881", HostPort("localhost", 6881)),
            ("10.0.0.1:1", HostPort("10.0.0.1", 1)),
            ("[::1]:65535", HostPort("::1", 65535)),
        ]:
            self.assertEqual(parseHostPort(text), peer)

    def test_refused(self) -> None:
        """Missing or impossible parts are a ValueError that shows the text."""
        for text in (
            "",
            "host",
            ":6881",
            "host:",
            "host:0",
            "host:65536",
            "host:-1",
            "host:x",
            "host:٣",
            "::1:6881",
            "[::1]",
            "[10.0.0.1]:1",
            "[]:1",
        ):
            self.assertRaises(ValueError, parseHostPort, text)

    @settings(derandomize=True, deadline=None)
    @given(st.ip_addresses(), st.integers(1, 65535))
    def test_roundTrip(self, address: IPv4Address | IPv6Address, port: int) -> None:
        """What a peer is written as reads back as the same."""
        peer = HostPort(str(address), port)
        self.assertEqual(parseHostPort(str(peer)), peer)


class InterfaceTests(SynchronousTestCase):
    """Addresses to listen on."""

    def test_addresses(self) -> None:
        """IP addresses of both kinds pass unchanged, a zone too."""
        for text in ("127.0.0.1", "::1", "fe80::1%lo"):
            self.assertEqual(parseInterface(text), text)

    def test_names(self) -> None:
        """Names are refused."""
        self.assertRaises(ValueError, parseInterface, "eth0")


class TableTests(SynchronousTestCase):
    """The table of options."""

    def test_names(self) -> None:
        """The options have just the names that were promised."""
        self.assertEqual({option.name for option in allOptions()}, NAMES)

    def test_help(self) -> None:
        """Every option says what it is for, and its default if it is not a flag or a list."""
        for option in allOptions():
            self.assertTrue(option.help)
            if option.kind.types != (bool,) and not option.many:
                self.assertIn("[default: ", option.help)

    def test_shownDefaults(self) -> None:
        """The numbers shown as defaults are the defaults."""
        config = DaemonConfig()
        for option in allOptions():
            value = getattr(config, option.field)
            if type(value) is int:
                self.assertTrue(option.help.endswith(f"[default: {value}]"), option)

    def test_textErrors(self) -> None:
        """What cannot be meant is a SettingsError that names the option."""
        wrong = {
            "listen-port": "x",
            "interface": "eth0",
            "download-dir": "",
            "peer": "host",
            "dht-bootstrap": "host",
            "max-peers": "1.5",
            "seed-ratio": "much",
        }
        for option in allOptions():
            if option.name in wrong:
                error = self.assertRaises(SettingsError, fromText, option, wrong[option.name])
                self.assertIn(f"--{option.name}:", str(error))


class SettingsTests(SynchronousTestCase):
    """What the client session is told."""

    def test_defaults(self) -> None:
        """All addresses, any port, 1000 peers, 50 of one torrent, 4 slots, seeding for ever."""
        made = DaemonConfig(stateDir=Path("/state")).settings()
        self.assertEqual(made.stateDir, Path("/state"))
        self.assertEqual(made.interfaces, ("",))
        self.assertEqual((made.listenPort, made.maxPeers, made.maxPeersPerTorrent), (0, 1000, 50))
        self.assertEqual((made.uploadSlots, made.seedRatio, made.preallocate), (4, None, False))

    def test_values(self) -> None:
        """Each option arrives in its setting."""
        made = DaemonConfig(
            listenPort=7000,
            interface=("127.0.0.1", "::1"),
            maxPeers=9,
            maxPeersPerTorrent=8,
            uploadSlots=7,
            seedRatio=1.5,
            preallocate=True,
        ).settings()
        self.assertEqual(made.interfaces, ("127.0.0.1", "::1"))
        self.assertEqual((made.listenPort, made.maxPeers, made.maxPeersPerTorrent), (7000, 9, 8))
        self.assertEqual((made.uploadSlots, made.seedRatio, made.preallocate), (7, 1.5, True))

    def test_discovery(self) -> None:
        """Each way of finding peers is on until it is said to be off; routers are the usual until named."""
        made = DaemonConfig().settings()
        self.assertEqual((made.dht, made.pex, made.lsd, made.dhtRouters), (True, True, True, None))
        made = DaemonConfig(noDht=True, noPex=True, noLsd=True).settings()
        self.assertEqual((made.dht, made.pex, made.lsd), (False, False, False))
        made = DaemonConfig(dhtBootstrap=(HostPort("h", 1), HostPort("::1", 2))).settings()
        self.assertEqual(made.dhtRouters, (("h", 1), ("::1", 2)))

    def test_ranges(self) -> None:
        """A number out of range is an error that names the option as it is written."""
        for config, name in [
            (DaemonConfig(listenPort=70000), "listen-port"),
            (DaemonConfig(maxPeers=0), "max-peers"),
            (DaemonConfig(maxPeersPerTorrent=0), "max-peers-per-torrent"),
            (DaemonConfig(uploadSlots=-1), "upload-slots"),
            (DaemonConfig(seedRatio=-0.5), "seed-ratio"),
            (replace(DaemonConfig(), seedRatio=float("nan")), "seed-ratio"),
        ]:
            message = str(self.assertRaises(SettingsError, config.settings))
            self.assertTrue(message.startswith(f"{name} is "), message)
