"""Tests for L{twisted_bt.tap}."""

from __future__ import annotations

import os
import socket
import sys
from io import StringIO
from pathlib import Path
from typing import Any, cast

from twisted.application.service import IService, IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.usage import Options as ParentOptions
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt import tap
from twisted_bt.control.options import DaemonConfig, HostPort, allOptions
from twisted_bt.errors import StorageError
from twisted_bt.tap import Options, makeService
from twisted_bt.torrent.create import createMetainfo


def parsed(*arguments: str) -> DaemonConfig:
    """What a command line says."""
    options = Options()
    options.parseOptions(arguments)
    return options.config


class PluginTests(SynchronousTestCase):
    """The drop-in."""

    def test_found(self) -> None:
        """twistd finds C{bittorrent}, with these options and this service."""
        (plugin,) = (each for each in getPlugins(IServiceMaker) if each.tapname == "bittorrent")
        self.assertIs(plugin.options, Options)
        self.assertIs(plugin.makeService, makeService)


class OptionsTests(SynchronousTestCase):
    """The command line."""

    def refused(self, *arguments: str) -> str:
        """The message with which a command line is refused."""
        return str(self.assertRaises(UsageError, Options().parseOptions, arguments))

    def test_none(self) -> None:
        """Without options there are the defaults, with absolute paths."""
        config = parsed()
        self.assertEqual(config.downloadDir, Path.cwd())
        self.assertTrue(config.stateDir.is_absolute())
        self.assertEqual(config, DaemonConfig(downloadDir=Path.cwd()))

    def test_all(self) -> None:
        """Each option arrives."""
        config = parsed(
            "--listen-port=6881",
            *("--interface", "127.0.0.1", "--interface", "::1"),
            *("--download-dir", "/data", "--state-dir", "/state"),
            *("--peer", "a:1", "--peer", "[::1]:2"),
            *("--max-peers", "10", "--max-peers-per-torrent", "9", "--upload-slots", "8"),
            *("--seed-ratio", "1.5", "--exit-when-complete", "--preallocate"),
            *("--no-dht", "--no-pex", "--no-lsd", "--dht-bootstrap", "c:3", "--dht-bootstrap", "[::1]:4"),
            *("one.torrent", "http://host/two.torrent"),
        )
        self.assertEqual(
            config,
            DaemonConfig(
                torrents=("one.torrent", "http://host/two.torrent"),
                listenPort=6881,
                interface=("127.0.0.1", "::1"),
                downloadDir=Path("/data"),
                stateDir=Path("/state"),
                peer=(HostPort("a", 1), HostPort("::1", 2)),
                maxPeers=10,
                maxPeersPerTorrent=9,
                uploadSlots=8,
                seedRatio=1.5,
                noDht=True,
                dhtBootstrap=(HostPort("c", 3), HostPort("::1", 4)),
                noPex=True,
                noLsd=True,
                exitWhenComplete=True,
                preallocate=True,
            ),
        )

    def test_anyOrder(self) -> None:
        """Options may come behind torrents, and what is behind C{--} is torrents."""
        config = parsed("one", "--max-peers", "3", "two", "--preallocate", "--", "--three")
        self.assertEqual(config.torrents, ("one", "two", "--three"))
        self.assertEqual((config.maxPeers, config.preallocate), (3, True))

    def test_refused(self) -> None:
        """What makes no sense is a UsageError that names the option."""
        for arguments, word in [
            (["--nonsense"], "--nonsense"),
            (["--max-peers"], "max-peers"),
            (["--max-peers", "many"], "--max-peers"),
            (["--max-peers", "0"], "max-peers"),
            (["--listen-port", "65536"], "listen-port"),
            (["--peer", "host"], "--peer"),
            (["--dht-bootstrap", "host:0"], "--dht-bootstrap"),
            (["--interface", "eth0"], "--interface"),
            (["--seed-ratio", "x"], "--seed-ratio"),
            (["--config", "/nonexistent.toml"], "/nonexistent.toml"),
        ]:
            message = self.refused(*arguments)
            self.assertIn(word, message)
            self.assertNotIn("\n", message)

    def test_underTwistd(self) -> None:
        """twistd would print all of its help; it gets a SystemExit of one line instead."""
        options = Options()
        options.parent = ParentOptions()
        end = self.assertRaises(SystemExit, options.parseOptions, ["--max-peers", "0"])
        self.assertEqual(str(end), "twistd bittorrent: max-peers is 0; it must be from 1 to 1048576")

    def test_help(self) -> None:
        """The help has every option with its words, and how to write a torrent."""
        text = " ".join(str(Options()).split())
        for option in allOptions():
            if option.commandLine:
                self.assertIn(f"--{option.name}", text)
                self.assertIn(option.help, text)
        self.assertIn("[TORRENT ...]", text)
        self.assertIn("--config", text)

    def test_version(self) -> None:
        """The version is ours, not Twisted's."""
        out = StringIO()
        self.patch(sys, "stdout", out)
        self.assertEqual(self.assertRaises(SystemExit, Options().parseOptions, ["--version"]).code, 0)
        self.assertTrue(out.getvalue().startswith("twisted_bt "))


class ConfigFileTests(SynchronousTestCase):
    """Command line and file together."""

    def file(self, text: str) -> str:
        """The path of a configuration file."""
        path = Path(self.mktemp())
        path.write_text(text, encoding="utf-8")
        return str(path)

    def test_file(self) -> None:
        """What only the file says holds, relative paths from its folder."""
        path = self.file('max-peers = 5\ndownload-dir = "x"\ntorrents = ["a.torrent"]\n')
        config = parsed("--config", path)
        folder = Path(path).absolute().parent
        self.assertEqual((config.maxPeers, config.downloadDir), (5, folder / "x"))
        self.assertEqual([Path(each).absolute() for each in config.torrents], [folder / "a.torrent"])

    def test_commandLineWins(self) -> None:
        """What both say is as on the command line, lists and torrents too."""
        path = self.file('max_peers = 5\nmax-peers-per-torrent = 4\npeer = ["a:1"]\ntorrents = ["x"]\n')
        config = parsed("--max-peers", "6", "-c", path, "--peer", "b:2", "y")
        self.assertEqual((config.maxPeers, config.maxPeersPerTorrent), (6, 4))
        self.assertEqual((config.peer, config.torrents), ((HostPort("b", 2),), ("y",)))

    def test_flag(self) -> None:
        """A flag of the file is as good as one on the command line."""
        self.assertTrue(parsed("--config", self.file("exit-when-complete = true")).exitWhenComplete)

    def test_discovery(self) -> None:
        """The ways of finding peers can be said in the file."""
        text = 'no-dht = true\nno_pex = true\nno-lsd = false\ndht-bootstrap = ["a:1", "b:2"]\n'
        config = parsed("--config", self.file(text))
        self.assertEqual((config.noDht, config.noPex, config.noLsd), (True, True, False))
        self.assertEqual(config.dhtBootstrap, (HostPort("a", 1), HostPort("b", 2)))

    def test_unknownKey(self) -> None:
        """An unknown key is refused by name."""
        path = self.file("colour = 'red'")
        message = str(self.assertRaises(UsageError, Options().parseOptions, ["--config", path]))
        self.assertIn("'colour'", message)

    def test_range(self) -> None:
        """Values of the file are judged as well."""
        path = self.file("upload-slots = 0")
        message = str(self.assertRaises(UsageError, Options().parseOptions, ["--config", path]))
        self.assertIn("upload-slots is 0", message)


class MakeServiceTests(SynchronousTestCase):
    """The service, and what is found wrong before there is one."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        (self.folder / "content").write_bytes(b"x" * 100)
        self.torrent = self.folder / "a.torrent"
        self.torrent.write_bytes(createMetainfo(self.folder / "content").encode())

    def options(self, *arguments: str) -> Options:
        """Options with folders of their own."""
        options = Options()
        folders = ["--state-dir", str(self.folder / "state"), "--download-dir", str(self.folder / "data")]
        options.parseOptions([*folders, *arguments])
        return options

    def made(self, *arguments: str) -> Any:
        """The service, with its state folder given back after the test."""
        service: Any = makeService(self.options(*arguments))
        self.addCleanup(service.stopService)
        return service

    def refused(self, *arguments: str) -> str:
        """The line with which nothing is made."""
        line = str(self.assertRaises(SystemExit, makeService, self.options(*arguments)))
        self.assertTrue(line.startswith("twistd bittorrent: "), line)
        self.assertNotIn("\n", line)
        return line

    def test_service(self) -> None:
        """There is a service that does not run; the folders are there, the state is its user's alone."""
        service = self.made(str(self.torrent))
        self.assertTrue(IService.providedBy(service))
        self.assertFalse(service.running)
        self.assertTrue((self.folder / "data").is_dir())
        self.assertEqual((self.folder / "state").stat().st_mode & 0o777, 0o700)

    def test_torrents(self) -> None:
        """A torrent that cannot be read, or is none, is refused with its path."""
        for wrong in (self.folder / "missing.torrent", self.folder / "content", self.folder):
            self.assertIn(str(wrong), self.refused(str(self.torrent), str(wrong)))

    def test_magnet(self) -> None:
        """A magnet link is as good as a torrent file, unless it names no torrent."""
        self.made("magnet:?xt=urn:btih:" + "07" * 20)
        self.assertIn("info-hash", self.refused("magnet:?xt=urn:btih:abc"))

    def test_folders(self) -> None:
        """A folder that cannot be is refused with its option."""
        content = str(self.folder / "content")
        self.assertIn("--download-dir", self.refused("--download-dir", content))
        self.assertIn("--state-dir", self.refused("--state-dir", content))

    def test_secondDaemon(self) -> None:
        """A state folder has one daemon; a refusal gives nothing of it away."""
        self.made()
        for _ in range(2):
            self.assertIn("used by another process", self.refused())

    def test_refusalReleases(self) -> None:
        """After a refusal the state folder is free."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = str(taken.getsockname()[1])
            line = self.refused("--listen-port", number, "--interface", "127.0.0.1")
        self.assertIn(f"port {number}", line)
        self.made()


class CannotStartTests(SynchronousTestCase):
    """What happens when it turns out only at the start that something is wrong."""

    def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        options = Options()
        options.parseOptions(["--state-dir", str(folder / "state"), "--download-dir", str(folder)])
        self.service = cast(Any, makeService(options))
        self.addCleanup(self.service.stopService)
        self.door: dict[str, str] = {"pidfile": str(folder / "pid")}
        self.service.door = self.door
        self.pidfile = folder / "pid"
        self.stderr = StringIO()
        self.patch(sys, "__stderr__", self.stderr)

    def startFailing(self) -> None:
        def fail() -> None:
            raise StorageError("the state is damaged")

        self.patch(self.service.client, "startService", fail)
        self.service.startService()

    def test_foreground(self) -> None:
        """In the foreground: a line on standard error, status 1, and no pidfile left of ours."""
        self.pidfile.write_text(str(os.getpid()))
        self.assertEqual(self.assertRaises(SystemExit, self.startFailing).code, 1)
        self.assertEqual(self.stderr.getvalue(), "twistd bittorrent: the state is damaged\n")
        self.assertFalse(self.pidfile.exists())

    def test_othersPidfile(self) -> None:
        """A pidfile of another process stays."""
        self.pidfile.write_text("1")
        self.assertRaises(SystemExit, self.startFailing)
        self.assertTrue(self.pidfile.exists())

    def test_background(self) -> None:
        """In the background twistd hears of it, and tells its process in the foreground."""
        self.door["statusPipe"] = "7"
        self.assertRaises(StorageError, self.startFailing)
        self.assertEqual(self.stderr.getvalue(), "")

    def test_program(self) -> None:
        """Lines begin with the program that was started, as far as it is one of Twisted's."""
        for argument, program in [("/usr/bin/twist", "twist"), ("/x/twistd", "twistd"), ("-c", "twistd")]:
            self.patch(sys, "argv", [argument])
            self.assertEqual(tap._program(), program)
