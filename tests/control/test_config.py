"""Tests for L{twisted_bt.control.config}."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.control.config import fromTable, readConfig
from twisted_bt.control.options import HostPort
from twisted_bt.errors import SettingsError

BASE = Path("/etc")


class TableTests(SynchronousTestCase):
    """A TOML table as values."""

    def refused(self, table: dict[str, Any]) -> str:
        """The message with which C{table} is refused."""
        return str(self.assertRaises(SettingsError, fromTable, table, BASE))

    def test_allNames(self) -> None:
        """Every option can be given, with dashes."""
        self.assertEqual(
            fromTable(
                {
                    "torrents": ["/a.torrent", "http://host/b.torrent"],
                    "listen-port": 6881,
                    "interface": ["::1"],
                    "download-dir": "/data",
                    "state-dir": "/state",
                    "peer": ["host:1", "[::1]:2"],
                    "max-peers": 3,
                    "max-peers-per-torrent": 4,
                    "upload-slots": 5,
                    "seed-ratio": 2,
                    "exit-when-complete": True,
                    "preallocate": False,
                },
                BASE,
            ),
            {
                "torrents": ("/a.torrent", "http://host/b.torrent"),
                "listenPort": 6881,
                "interface": ("::1",),
                "downloadDir": Path("/data"),
                "stateDir": Path("/state"),
                "peer": (HostPort("host", 1), HostPort("::1", 2)),
                "maxPeers": 3,
                "maxPeersPerTorrent": 4,
                "uploadSlots": 5,
                "seedRatio": 2.0,
                "exitWhenComplete": True,
                "preallocate": False,
            },
        )

    def test_underscores(self) -> None:
        """Underscores are as good as dashes."""
        self.assertEqual(fromTable({"max_peers_per_torrent": 4}, BASE), {"maxPeersPerTorrent": 4})

    def test_twice(self) -> None:
        """Both spellings of one name are an error."""
        self.assertIn("max_peers", self.refused({"max-peers": 1, "max_peers": 2}))

    def test_unknownKey(self) -> None:
        """An unknown key is an error that names it, and what may have been meant."""
        message = self.refused({"max-peer": 1})
        self.assertIn("unknown key 'max-peer'", message)
        self.assertIn("'max-peers'", message)
        self.assertIn("unknown key 'bittorrent'", self.refused({"bittorrent": {"listen-port": 1}}))

    def test_config(self) -> None:
        """A file cannot name a further file."""
        self.assertIn("unknown key 'config'", self.refused({"config": "x"}))

    def test_wrongTypes(self) -> None:
        """A wrong type is an error that names the key, what is expected and what is there."""
        for key, value, expected, there in [
            ("listen-port", "6881", "a whole number", "a string"),
            ("listen-port", True, "a whole number", "true or false"),
            ("listen-port", 1.5, "a whole number", "a number"),
            ("seed-ratio", "1", "a number", "a string"),
            ("seed-ratio", True, "a number", "true or false"),
            ("download-dir", 1, "a string", "a whole number"),
            ("preallocate", 1, "true or false", "a whole number"),
            ("preallocate", "yes", "true or false", "a string"),
            ("peer", "host:1", "an array", "a string"),
            ("peer", [1], "a string", "a whole number"),
            ("peer", ["host"], "HOST:PORT", "'host'"),
            ("interface", ["eth0"], "an IP address", "'eth0'"),
            ("torrents", [["a"]], "a string", "an array"),
            ("torrents", {"a": "b"}, "an array", "a table"),
            ("max-peers", date(2026, 1, 1), "a whole number", "a date"),
        ]:
            message = self.refused({key: value})
            self.assertIn(repr(key), message)
            self.assertIn(expected, message)
            self.assertIn(there, message)

    def test_relativePaths(self) -> None:
        """Relative paths start at the file's folder; URLs are left alone."""
        table = {"download-dir": "data", "torrents": ["a.torrent", "https://host/a.torrent", "magnet:?xt=x"]}
        self.assertEqual(
            fromTable(table, BASE),
            {
                "downloadDir": BASE / "data",
                "torrents": ("/etc/a.torrent", "https://host/a.torrent", "magnet:?xt=x"),
            },
        )

    def test_home(self) -> None:
        """C{~} is the home folder, which no shell would put in here."""
        self.assertEqual(fromTable({"state-dir": "~/bt"}, BASE), {"stateDir": Path.home() / "bt"})

    def test_nobodysHome(self) -> None:
        """The home of somebody who is not known is refused."""
        for table in ({"download-dir": "~nobody-of-that-name/x"}, {"torrents": ["~nobody-of-that-name/x"]}):
            self.assertIn("nobody's home", self.refused(table))

    def test_noPath(self) -> None:
        """What is no path is refused for torrents as it is for folders."""
        for table in ({"download-dir": "a\0b"}, {"torrents": ["a\0b"]}, {"torrents": [""]}):
            self.assertIn("an empty path", self.refused(table))

    def test_giantNumber(self) -> None:
        """A whole number that is too large to be a fraction is refused where one is wanted."""
        self.assertIn("seed-ratio", self.refused({"seed-ratio": 10**400}))


class FileTests(SynchronousTestCase):
    """The file itself."""

    def written(self, content: bytes) -> Path:
        """A file with C{content}."""
        path = Path(self.mktemp())
        path.write_bytes(content)
        return path

    def test_read(self) -> None:
        """A file's keys become values."""
        path = self.written(b'listen-port = 7000 # comment\npeer = ["a:1"]\n')
        self.assertEqual(readConfig(path), {"listenPort": 7000, "peer": (HostPort("a", 1),)})

    def test_errorsNameTheFile(self) -> None:
        """Whatever is wrong, the message begins with the file's path."""
        missing = Path(self.mktemp())
        wrong = [
            missing,
            self.written(b"listen-port = = 1"),
            self.written(b"\xff\xfe"),
            self.written(b"unknown = 1"),
            self.written(b"listen-port = []"),
            self.written(b"x = " + b"[" * 100_000),
            self.written(b"listen-port = " + b"9" * 5000),
            self.written(b"#" * ((1 << 20) + 1)),
            Path(missing.parent),
        ]
        for path in wrong:
            message = str(self.assertRaises(SettingsError, readConfig, path))
            self.assertTrue(message.startswith(f"{path}: "), message)
            self.assertNotIn("\n", message)
