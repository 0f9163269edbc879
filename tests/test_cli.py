"""Tests for L{twisted_bt.cli}: what needs no reactor.  The rest: C{tests.interop.test_frontdoor_tool}."""

from __future__ import annotations

import json
import os
import sys
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt import cli
from twisted_bt.control import showing
from twisted_bt.torrent.create import createMetainfo
from twisted_bt.torrent.metainfo import Metainfo


class Outcome(NamedTuple):
    """What a command left: its exit status, and what it wrote."""

    status: int
    out: str
    err: str


class CommandTestCase(SynchronousTestCase):
    """A folder with a file and its torrent, and a way to run commands there."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        (self.folder / "content.bin").write_bytes(b"x" * 50_000)
        self.torrent = self.folder / "content.torrent"
        self.metainfo = createMetainfo(self.folder / "content.bin")
        self.torrent.write_bytes(self.metainfo.encode())
        here = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, here)

    def run_(self, *arguments: str) -> Outcome:
        """Run a command."""
        out, err = StringIO(), StringIO()
        for name, stream in (("stdout", out), ("stderr", err)):
            self.patch(sys, name, stream)
        return Outcome(cli.main(arguments), out.getvalue(), err.getvalue())

    def assertRefused(self, outcome: Outcome, *words: str) -> None:
        """One line on standard error, with these words; status 1; nothing else."""
        self.assertEqual(outcome.status, 1)
        self.assertEqual(outcome.out, "")
        self.assertTrue(outcome.err.startswith("twisted-bt: "), outcome.err)
        self.assertEqual(outcome.err.count("\n"), 1, outcome.err)
        for word in words:
            self.assertIn(word, outcome.err)


class MainTests(CommandTestCase):
    """The command line as such."""

    def test_version(self) -> None:
        """The version is shown."""
        outcome = self.run_("--version")
        self.assertEqual(outcome.status, 0)
        self.assertTrue(outcome.out.startswith("twisted-bt "))

    def test_help(self) -> None:
        """The help names every command; each has its own."""
        text = self.run_("--help").out
        for command in ("get", "show", "magnet", "verify", "create", "dht", "demo"):
            self.assertIn(command, text)
            outcome = self.run_(command, "--help")
            self.assertEqual((outcome.status, outcome.err), (0, ""))

    def test_badCommandLines(self) -> None:
        """A bad command line is status 2, and what is wrong is on standard error."""
        for arguments, word in [
            ((), "COMMAND"),
            (("nonsense",), "nonsense"),
            (("show",), "TORRENT"),
            (("show", "x", "--timeout", "0"), "'0' is no number of seconds"),
            (("magnet", "x", "--peer", "host"), "'host' is not HOST:PORT"),
            (("get", "x", "--dht-bootstrap", "host"), "'host' is not HOST:PORT"),
            (("dht",), "COMMAND"),
            (("dht", "get-peers", "x"), "40 hexadecimal digits"),
            (("dht", "ping", "host"), "'host' is not HOST:PORT"),
            (("dht", "sample", "--bootstrap", "host"), "'host' is not HOST:PORT"),
            (("dht", "sample", "--timeout", "nan"), "'nan' is no number of seconds"),
            (("verify", "x"), "--directory"),
            (("get", "x", "--peer", "host"), "'host' is not HOST:PORT"),
            (("get", "x", "--listen-port", "70000"), "'70000' is no port"),
            (("get", "x", "--interface", "eth0"), "eth0"),
            (("demo", "--size", "big"), "'big' is no size"),
            (("demo", "--size", "0"), "at least a byte"),
        ]:
            outcome = self.run_(*arguments)
            self.assertEqual((outcome.status, outcome.out), (2, ""), arguments)
            self.assertIn(word, outcome.err)

    def test_interrupted(self) -> None:
        """Ctrl-C is status 130, and no traceback."""

        def interrupt(path: Path) -> Metainfo:
            raise KeyboardInterrupt

        self.patch(showing, "readMetainfo", interrupt)
        self.assertEqual(self.run_("show", "x"), (130, "", ""))


class ShowTests(CommandTestCase):
    """C{show}."""

    def test_people(self) -> None:
        """Lines for people, torrents apart by an empty line."""
        outcome = self.run_("show", str(self.torrent), str(self.torrent))
        assert self.metainfo.infoHash is not None
        first, second = outcome.out.split("\n\n")
        self.assertIn(self.metainfo.infoHash.hex(), first)
        self.assertEqual(first, second.rstrip("\n"))
        self.assertEqual((outcome.status, outcome.err), (0, ""))

    def test_json(self) -> None:
        """One object a line, in the order of the files."""
        outcome = self.run_("show", "--json", "content.torrent", "content.torrent")
        objects = [json.loads(line) for line in outcome.out.splitlines()]
        self.assertEqual([each["file"] for each in objects], ["content.torrent"] * 2)
        self.assertEqual(objects[0]["files"], [{"path": "content.bin", "length": 50_000}])
        self.assertEqual((outcome.status, outcome.err), (0, ""))

    def test_jsonRefused(self) -> None:
        """A refused file is an object with the reason, the others are shown, and the status is 1."""
        outcome = self.run_("show", "--json", "missing", "content.bin", "content.torrent")
        missing, refused, shown = (json.loads(line) for line in outcome.out.splitlines())
        self.assertEqual(missing, {"file": "missing", "error": "cannot be read: No such file or directory"})
        self.assertEqual(set(refused), {"file", "error"})
        self.assertEqual(shown["name"], "content.bin")
        self.assertEqual((outcome.status, outcome.err), (1, ""))

    def test_refused(self) -> None:
        """For people a refused file is a line on standard error."""
        self.assertRefused(self.run_("show", "content.bin"), "content.bin: not a torrent file")

    def test_asciiOutput(self) -> None:
        """JSON goes through any terminal, whatever is in the names."""
        name = "\u6c34 \U0001f30a.bin"
        (self.folder / name).write_bytes(b"x")
        (self.folder / "u.torrent").write_bytes(createMetainfo(self.folder / name).encode())
        outcome = self.run_("show", "--json", "u.torrent")
        self.assertTrue(outcome.out.isascii())
        self.assertEqual(json.loads(outcome.out)["name"], name)


class MagnetTests(CommandTestCase):
    """C{magnet}, and what C{show} makes of links."""

    def test_roundTrip(self) -> None:
        """The link of a torrent, shown, has what it was made of."""
        outcome = self.run_("magnet", "content.torrent", "--peer", "[::1]:5")
        self.assertEqual((outcome.status, outcome.err), (0, ""))
        link = outcome.out.rstrip("\n")
        outcome = self.run_("show", "--json", link, "content.torrent")
        self.assertEqual((outcome.status, outcome.err), (0, ""))
        shown, file = (json.loads(line) for line in outcome.out.splitlines())
        self.assertEqual(shown["magnet"], link)
        for key in ("infoHash", "infoHashV2", "name"):
            self.assertEqual(shown[key], file[key])
        self.assertEqual((shown["length"], shown["peers"]), (50_000, [["::1", 5]]))

    def test_people(self) -> None:
        """Lines for people, apart from those of others by an empty line."""
        link = "magnet:?xt=urn:btih:" + "07" * 20 + "&dn=x"
        outcome = self.run_("show", link, link)
        lines = f"name          x\ninfo-hash     {'07' * 20}\n"
        self.assertEqual(outcome, (0, f"{lines}\n{lines}", ""))

    def test_version2(self) -> None:
        """A link to a torrent of version 2 can be shown, but not fetched."""
        link = "magnet:?xt=urn:btmh:1220" + "07" * 32
        self.assertEqual(self.run_("show", link).status, 0)
        self.assertRefused(self.run_("show", "--fetch", link), link, "version 1")

    def test_refused(self) -> None:
        """What is no link, and what is no torrent file, is refused."""
        self.assertRefused(self.run_("show", "magnet:?xt=urn:btih:abc"), "magnet:?xt=urn:btih:abc: ")
        self.assertRefused(self.run_("magnet", "content.bin"), "content.bin: not a torrent file")
        outcome = self.run_("show", "--json", "magnet:?dn=x")
        self.assertEqual(outcome.status, 1)
        self.assertEqual(set(json.loads(outcome.out)), {"file", "error"})


class VerifyTests(CommandTestCase):
    """C{verify}."""

    def test_right(self) -> None:
        """All right is status 0."""
        outcome = self.run_("verify", "content.torrent", "-d", ".")
        self.assertEqual(outcome, (0, "complete: all 4 pieces, 48.8 KiB\n", ""))

    def test_damaged(self) -> None:
        """Damage is status 1 and names the file."""
        (self.folder / "content.bin").write_bytes(b"x" * 49_999 + b"y")
        outcome = self.run_("verify", "content.torrent", "--directory", str(self.folder))
        self.assertEqual(outcome.status, 1)
        self.assertEqual(
            outcome.out, "damaged: content.bin, 1 piece: 3\nnot complete: 3 of 4 pieces verified\n"
        )

    def test_elsewhere(self) -> None:
        """Where the file is not there it is missing, and the folder is not made."""
        outcome = self.run_("verify", "content.torrent", "-d", "elsewhere")
        self.assertEqual(outcome.status, 1)
        self.assertIn("missing: content.bin\n", outcome.out)
        self.assertFalse((self.folder / "elsewhere").exists())

    def test_noTorrent(self) -> None:
        """What is no torrent is refused."""
        self.assertRefused(self.run_("verify", "content.bin", "-d", "."), "content.bin")


class CreateTests(CommandTestCase):
    """C{create}."""

    def read(self, name: str) -> Metainfo:
        """The torrent in a file."""
        return Metainfo.fromBytes((self.folder / name).read_bytes())

    def test_plain(self) -> None:
        """Without options the torrent is beside us, named after the content."""
        outcome = self.run_("create", "content.bin")
        self.assertEqual((outcome.status, outcome.err), (0, ""))
        made = self.read("content.bin.torrent")
        self.assertEqual((made.name, made.totalSize, made.private), ("content.bin", 50_000, False))
        assert made.infoHash is not None
        self.assertIn(made.infoHash.hex(), outcome.out)
        self.assertIsNotNone(made.creationDate)

    def test_options(self) -> None:
        """Each option is in the torrent."""
        outcome = self.run_(
            *(
                "create",
                "content.bin",
                "-o",
                "other.torrent",
                "--piece-length",
                "32K",
                "--private",
                "--hybrid",
            ),
            *("--tracker", "http://a/announce", "--tracker", "udp://b:1/announce"),
            *("--web-seed", "http://seed/content.bin", "--comment", "words"),
        )
        self.assertEqual(outcome.status, 0)
        made = self.read("other.torrent")
        self.assertEqual(made.trackers, (("http://a/announce",), ("udp://b:1/announce",)))
        self.assertEqual(made.webSeeds, ("http://seed/content.bin",))
        self.assertEqual((made.layout.pieceLength, made.private, made.comment), (32768, True, "words"))
        self.assertIsNotNone(made.infoHashV2)

    def test_overwrite(self) -> None:
        """What is there is overwritten only when told to."""
        before = self.torrent.read_bytes()
        arguments = ("create", "content.bin", "-o", "content.torrent", "--comment", "new")
        self.assertRefused(self.run_(*arguments), "content.torrent", "--force")
        self.assertEqual(self.torrent.read_bytes(), before)
        self.assertEqual(self.run_(*arguments, "--force").status, 0)
        self.assertEqual(self.read("content.torrent").comment, "new")

    def test_refused(self) -> None:
        """What cannot be in a torrent, read or written is refused, and nothing is written."""
        (self.folder / "empty").write_bytes(b"")
        for arguments, word in [
            (("missing",), "missing"),
            (("empty",), "empty"),
            (("content.bin", "--tracker", "nonsense"), "nonsense"),
            (("content.bin", "--web-seed", "nonsense"), "nonsense"),
            (("content.bin", "--hybrid", "--piece-length", "1000"), "1000"),
            (("content.bin", "-o", "nowhere/x.torrent"), "nowhere"),
        ]:
            self.assertRefused(self.run_("create", *arguments), word)
        self.assertEqual(sorted(os.listdir()), ["content.bin", "content.torrent", "empty"])


class GetTests(CommandTestCase):
    """What C{get} refuses before it starts."""

    def test_magnet(self) -> None:
        """A magnet link that names no torrent of version 1."""
        for link in ("magnet:?xt=urn:btih:abc", "magnet:?xt=urn:btmh:1220" + "07" * 32):
            self.assertRefused(self.run_("get", link), "magnet link")

    def test_folder(self) -> None:
        """A folder that is a file."""
        self.assertRefused(
            self.run_("get", "content.torrent", "-o", "content.bin"), "--output", "content.bin"
        )
