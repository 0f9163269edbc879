"""
The house rules that a reader would otherwise have to check by eye: who imports whom, and who may
touch a socket, a clock, a disk or a thread.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "twisted_bt"

#: From the top of the house to its foundations.  A part imports from the rows below its own only.
ROWS: tuple[frozenset[str], ...] = (
    frozenset({"__main__"}),
    frozenset({"tap", "cli"}),
    frozenset({"control"}),
    frozenset({"sessions"}),
    frozenset({"peerwire", "exchange", "tracker", "storage", "transport", "dht", "discovery", "webseed"}),
    frozenset({"naming"}),
    frozenset({"torrent"}),
)
#: Anybody may import these; they import one another, and values for the type checker only.
COMMON = frozenset({"interfaces", "errors", "settings", "version"})
COMMON_TYPES = frozenset({"torrent"})
#: Shipped for tests: imports what it likes, and nobody else in the package imports it.
TESTING = "testing"
#: The front of the package: re-exports names, holds no code, and nobody imports from it.
FRONT = "twisted_bt"

#: The front door that C{twistd} calls without a reactor takes the one that is installed; nobody else does.
TAKES_REACTOR = frozenset({"tap.py"})

#: The longest file that is still taken for one thing.
MAX_LINES = 450

#: What reaches out of the program: modules (all their names) or single names, and builtins with C{()}.
POWERS: dict[str, frozenset[str]] = {
    "clock": frozenset({"time", "sched", ".now()", ".utcnow()", ".today()"}),
    "socket": frozenset({"socket", "select", "selectors", "ssl", "socketserver", "http", "urllib.request"}),
    "disk": frozenset({"os", "io", "shutil", "tempfile", "fcntl", "mmap", "glob", "sqlite3"})
    | frozenset({"twisted.python.filepath", "open()", ".open(mode)", ".stat()", ".lstat()", ".mkdir()"})
    | frozenset({".read_bytes()", ".read_text()", ".write_bytes()", ".write_text()", ".iterdir()"})
    | frozenset({".exists()", ".is_file()", ".is_dir()", ".unlink()", ".rmdir()", ".rglob()"}),
    "thread": frozenset({"threading", "_thread", "queue", "concurrent", "multiprocessing"})
    | frozenset({"twisted.internet.threads", "twisted.python.threadpool"}),
    "process": frozenset({"subprocess", "signal", "atexit", "sys"}),
    "randomness": frozenset({"random", "secrets", "uuid"}),
}
#: Names of those modules that only compute.
HARMLESS = (
    frozenset({"socket.AF_INET", "socket.AF_INET6", "socket.inet_ntop", "socket.inet_pton"})
    | {"socket.IPPROTO_TCP"}
    | {"os.PathLike", "os.fspath", "os.fsencode", "os.fsdecode", "os.name", "os.sep", "os.strerror"}
    | {"os.getpid", "os.get_terminal_size", "io.BytesIO", "random.Random", "sqlite3.Connection"}
    | {"sys.platform", "sys.version_info", "sys.byteorder", "sys.maxsize", "sys.exception"}
)
#: Who may: every file that uses a power, by its path in the package.
ALLOWED: dict[str, frozenset[str]] = {
    "clock": frozenset({"cli.py", "sessions/assembly.py"}),  # the latter: the date, for what is kept
    "socket": frozenset({"control/preflight.py"}),
    "disk": frozenset({"cli.py", "tap.py", "torrent/create.py"})
    | {
        f"control/{name}.py"
        for name in ("config", "demo", "metadata", "preflight", "sources", "statelock", "verify")
    }
    | {
        f"storage/{name}.py"
        for name in ("database", "diskfiles", "fileaccess", "fileio", "filepool", "folder")
    }
    | {f"testing/{name}.py" for name in ("files", "filesystem", "statefiles", "tree")},  # in memory, or given
    "thread": frozenset({"storage/diskqueue.py", "control/names.py"})  # start them; others are called on some
    | {
        f"storage/{name}.py"
        for name in (
            "database",
            "diskfiles",
            "fileaccess",
            "fileio",
            "filepool",
            "folder",
            "groupcommit",
            "resume",
        )
    },
    "process": frozenset({"cli.py", "tap.py"})
    | {f"control/{name}.py" for name in ("commandline", "dhttool", "foreground", "showing")},
    "randomness": frozenset(
        {"control/demo.py", "control/dhttool.py", "sessions/client.py"}
    ),  # where a source is chosen
}


@cache
def _nodes(source: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(source)))


class Import(NamedTuple):
    """A module or a name in one (C{a.b.name}) that a source imports, and where."""

    name: str
    line: int
    typesOnly: bool = False


def _called(node: ast.Call) -> str:
    """The name of the function or method, whatever it is taken from."""
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def imports(source: str) -> Iterator[Import]:
    """Everything that C{source} imports, at its top, inside functions and by C{import_module}."""
    typesOnly = {
        id(inner)
        for node in _nodes(source)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in _nodes(source):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield Import(each.name, node.lineno, id(node) in typesOnly)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for each in node.names:
                yield Import(f"{base}.{each.name}", node.lineno, id(node) in typesOnly)
        elif isinstance(node, ast.Call) and _called(node) in ("__import__", "import_module"):
            yield Import("<computed>", node.lineno)


def partOf(name: str) -> str | None:
    """The part of the house a dotted name is in (C{"storage"}, C{"errors"}); C{None}: not ours."""
    top, _, rest = name.partition(".")
    return None if top != "twisted_bt" else rest.partition(".")[0] or FRONT


def _row(part: str) -> int | None:
    return next((number for number, parts in enumerate(ROWS) if part in parts), None)


def mayImport(part: str, other: str, typesOnly: bool) -> bool:
    """Whether a module of C{part} may import from C{other}."""
    if part == other or part in (FRONT, TESTING):
        return True
    if part in COMMON:
        return other in COMMON or (typesOnly and other in COMMON_TYPES)
    above, below = _row(part), _row(other)
    return other in COMMON or (above is not None and below is not None and above < below)


def layerFaults(part: str, source: str) -> list[str]:
    """What C{source}, a module of C{part}, imports against the direction of the house."""
    found = []
    for each in imports(source):
        if each.name.startswith("."):
            found.append(f"line {each.line}: {each.name} is relative; imports here are absolute")
            continue
        other = partOf(each.name)
        if other is not None and not mayImport(part, other, each.typesOnly):
            found.append(f"line {each.line}: {part} imports {each.name}")
    return found


_REACTOR = "twisted.internet.reactor"


def reactorFaults(source: str) -> list[str]:
    """Where C{source} takes the reactor instead of being handed one."""
    found = [
        f"line {each.line}: imports {each.name}"
        for each in imports(source)
        if each.name in (_REACTOR, "twisted.internet.*", "<computed>") or each.name.startswith(f"{_REACTOR}.")
    ]
    for node in _nodes(source):
        if isinstance(node, ast.Attribute) and node.attr == "reactor" and ast.unparse(node) == _REACTOR:
            found.append(f"line {node.lineno}: uses {_REACTOR}")
    return found


_POWERFUL = frozenset().union(*POWERS.values())


def _reached(source: str) -> Iterator[tuple[str, int]]:
    """
    What C{source} gets hold of, and where: names it imports, C{module.name} where it imports the module,
    C{function()} and C{.method()} where it calls something.
    """
    modules = set()
    for each in imports(source):
        if each.name in _POWERFUL:
            modules.add(each.name)
        elif not each.typesOnly:
            yield each.name, each.line
    used = set()
    for node in _nodes(source):
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner in modules:
                used.add(owner)
                yield f"{owner}.{node.attr}", node.lineno
        elif isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                yield f"{function.id}()", node.lineno
            elif isinstance(function, ast.Attribute):
                withMode = node.args and isinstance(getattr(node.args[0], "value", None), str)
                yield (
                    f".{function.attr}({'mode' if withMode and function.attr == 'open' else ''})",
                    node.lineno,
                )
    for name in modules - used:  # by another name, or for what else it does
        yield name, 1


def powersOf(source: str) -> dict[str, str]:
    """The powers that C{source} uses, each with its first use."""
    used: dict[str, str] = {}
    for name, line in _reached(source):
        if name in HARMLESS:
            continue
        for power, reaches in POWERS.items():
            if name in reaches or any(name.startswith(f"{module}.") for module in reaches):
                used.setdefault(power, f"line {line}: {name}")
    return used


@cache
def package() -> dict[str, str]:
    """The text of every module, by its path in the package."""
    return {
        path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def partOfFile(path: str) -> str:
    """The part of the house that a file is in, by its path in the package."""
    first = path.removesuffix(".py").partition("/")[0]
    return FRONT if first == "__init__" else first


class RuleTests(SynchronousTestCase):
    """The rules themselves, on sources made to break them."""

    def test_downwards(self) -> None:
        """Every part may import from the rows below it and from the common modules."""
        for part in ("tap", "control", "sessions", "storage"):
            source = "from twisted_bt.torrent.pieces import Block\nimport twisted_bt.errors"
            self.assertEqual(layerFaults(part, source), [])

    def test_siblings(self) -> None:
        """A sibling is not imported, neither in a function nor for the type checker."""
        for source in (
            "from twisted_bt.exchange.picker import RarestFirst",
            "def f():\n    import twisted_bt.exchange.picker",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import twisted_bt.exchange",
        ):
            self.assertEqual(len(layerFaults("storage", source)), 1, source)

    def test_upwards(self) -> None:
        """Nothing above is imported, nor the front of the package."""
        self.assertEqual(len(layerFaults("torrent", "import twisted_bt.sessions.client")), 1)
        self.assertEqual(len(layerFaults("sessions", "from twisted_bt.control import daemon")), 1)
        self.assertEqual(len(layerFaults("control", "from twisted_bt import ClientSession")), 1)
        self.assertEqual(len(layerFaults("cli", "import twisted_bt.tap")), 1)

    def test_testing(self) -> None:
        """What is shipped for tests imports all, and is imported by none."""
        self.assertEqual(layerFaults("testing", "import twisted_bt.sessions.client"), [])
        self.assertEqual(len(layerFaults("cli", "import twisted_bt.testing")), 1)

    def test_common(self) -> None:
        """The common modules know values only, and those only for the type checker."""
        guarded = "if TYPE_CHECKING:\n    from twisted_bt.torrent.addresses import PeerAddr"
        self.assertEqual(layerFaults("interfaces", guarded), [])
        self.assertEqual(len(layerFaults("interfaces", "import twisted_bt.torrent.addresses")), 1)

    def test_relative(self) -> None:
        """Relative imports are refused, since they hide where they lead."""
        self.assertEqual(len(layerFaults("storage", "from ..exchange import picker")), 1)

    def test_reactor(self) -> None:
        """The reactor is found however it is taken."""
        for source in (
            "from twisted.internet import reactor",
            "def f():\n    from twisted.internet import defer, reactor as r",
            "import twisted.internet.reactor",
            "from twisted.internet.reactor import callLater",
            "from twisted.internet import *",
            "import twisted.internet\ntwisted.internet.reactor.run()",
            "import importlib\nimportlib.import_module('twisted.internet.reactor')",
        ):
            self.assertEqual(len(reactorFaults(source)), 1, source)
        self.assertEqual(reactorFaults("from twisted.internet.task import react"), [])

    def test_powers(self) -> None:
        """Each way to reach out is seen, and what only computes is not taken for one."""
        for power, source in (
            ("clock", "from time import monotonic"),
            ("clock", "def f():\n    import time as t\n    t.time()"),
            ("clock", "from datetime import datetime\ndatetime.now()"),
            ("disk", "import os\nos.remove('x')"),
            ("disk", "with path.open('rb') as file: pass"),
            ("socket", "from socket import AF_INET, create_connection"),
            ("disk", "import os.path"),
            ("disk", "open('x')"),
            ("disk", "path.read_bytes()"),
            ("thread", "from twisted.internet.threads import deferToThread"),
            ("process", "import subprocess"),
            ("randomness", "from random import SystemRandom"),
        ):
            self.assertEqual(list(powersOf(source)), [power], source)
        for harmless in (
            "from socket import AF_INET, inet_pton\nfrom random import Random\nfrom os import fspath",
            "import os\nwindows = os.name == 'nt'",
            "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, UTC)",
            "storage.open(7)",
        ):
            self.assertEqual(powersOf(harmless), {}, harmless)


class HouseTests(SynchronousTestCase):
    """The package keeps the rules."""

    def test_direction(self) -> None:
        """Every import points down: tap, cli -> control -> sessions -> the rest -> torrent."""
        faults = [
            f"{path} {fault}"
            for path, source in package().items()
            for fault in layerFaults(partOfFile(path), source)
        ]
        self.assertEqual(faults, [])

    def test_everyFileIsInARow(self) -> None:
        """Each file belongs to a part that the plan of the house knows."""
        known = {FRONT, TESTING, *COMMON, *(part for parts in ROWS for part in parts)}
        self.assertEqual([path for path in package() if partOfFile(path) not in known], [])

    def test_reactor(self) -> None:
        """No module but the plug-in's front door imports the reactor; it is handed in."""
        takers = {path for path, source in package().items() if reactorFaults(source)}
        self.assertEqual(takers, TAKES_REACTOR)

    def test_powers(self) -> None:
        """Only the files in the table touch a clock, a socket, a disk, a thread, a process or chance."""
        faults = [
            f"{path} uses the {power}: {where}"
            for path, source in package().items()
            for power, where in powersOf(source).items()
            if path not in ALLOWED[power]
        ]
        self.assertEqual(faults, [])

    def test_tableIsTrue(self) -> None:
        """The table allows nothing that is not used."""
        unused = [
            f"{path}: {power}"
            for power, paths in ALLOWED.items()
            for path in sorted(paths)
            if path not in package() or power not in powersOf(package()[path])
        ]
        self.assertEqual(unused, [])

    def test_sizes(self) -> None:
        """No file has grown past what one reads at a sitting."""
        long = {path: source.count("\n") for path, source in package().items()}
        self.assertEqual({path: lines for path, lines in long.items() if lines > MAX_LINES}, {})

    def test_dropinFolders(self) -> None:
        """The folders of the twistd plug-in hold no C{__init__.py}, or they would hide Twisted itself."""
        self.assertEqual([str(path) for path in (ROOT / "twisted").rglob("__init__.py")], [])
        self.assertTrue((ROOT / "twisted" / "plugins" / "twisted_bt_plugin.py").is_file())
