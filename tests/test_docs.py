"""
What can rot in the documentation: links, code, and what is made from the source.
"""

from __future__ import annotations

import ast
import re
import runpy
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: What a page is made of, outside of code.
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def prose(page: Path) -> str:
    """The text of C{page} without its code."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """What a link may name after C{#}, as GitHub makes it of headings."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class LinkTests(SynchronousTestCase):
    """Links between pages."""

    def test_targets(self) -> None:
        """Every link leads to a file that is there, and to a heading in it."""
        broken = []
        for page in PAGES:
            for link in _LINK.findall(prose(page)):
                path, _, anchor = link.partition("#")
                if re.match(r"[a-z]+:", link):
                    continue
                target = (page.parent / path).resolve() if path else page
                if not target.exists() or (anchor and anchor not in anchors(target)):
                    broken.append(f"{page.relative_to(ROOT)}: {link}")
        self.assertEqual(broken, [])

    def test_allPagesAreFound(self) -> None:
        """Every page of the documentation is linked from another."""
        linked = {
            (page.parent / link.partition("#")[0]).resolve()
            for page in PAGES
            for link in _LINK.findall(page.read_text(encoding="utf-8"))
        }
        alone = [page for page in PAGES if page not in linked and page.name not in ("README.md", "index.md")]
        self.assertEqual(alone, [])


class NameTests(SynchronousTestCase):
    """Files of the package that pages speak of."""

    def test_files(self) -> None:
        """Every C{part/file.py} that a page names is in the package."""
        absent = [
            f"{page.name}: {name}"
            for page in PAGES
            for name in re.findall(r"`(\w+/\w+\.py)`", page.read_text(encoding="utf-8"))
            if not any((folder / name).is_file() for folder in (ROOT, ROOT / "twisted_bt"))
        ]
        self.assertEqual(absent, [])


class CodeTests(SynchronousTestCase):
    """Code shown in pages."""

    def test_imports(self) -> None:
        """Python code in pages parses, and every name it imports of ours is there."""
        blocks = [
            (page, code)
            for page in PAGES
            for language, code in _FENCE.findall(page.read_text(encoding="utf-8"))
            if language == "python"
        ]
        self.assertTrue(blocks)
        missing = []
        for page, code in blocks:
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("twisted_bt"):
                    module = import_module(node.module or "")
                    missing += [
                        f"{page.name}: {each.name}" for each in node.names if not hasattr(module, each.name)
                    ]
        self.assertEqual(missing, [])

    def test_testing(self) -> None:
        """What the page about tests shows does what it says: all of it, one block after the other."""
        page = (ROOT / "docs" / "howto" / "testing.md").read_text(encoding="utf-8")
        names: dict[str, object] = {"__name__": "testing"}
        for language, code in _FENCE.findall(page):
            if language == "python":
                exec(compile(code, code.partition("\n")[0], "exec"), names)

    def test_modules(self) -> None:
        """Every command C{python -m} that pages show of ours is there."""
        shown = {
            name
            for page in PAGES
            for name in re.findall(
                r"^python -m ((?:tests|twisted_bt)[\w.]*)", page.read_text(encoding="utf-8"), re.MULTILINE
            )
        }
        self.assertTrue(shown)
        self.assertEqual([name for name in sorted(shown) if find_spec(name) is None], [])

    def test_commands(self) -> None:
        """Every option that pages show of C{twistd bittorrent} exists."""
        options = {row.name for row in import_module("twisted_bt.control.options").allOptions()} | {"config"}
        shown = {
            option
            for page in PAGES
            for line in re.findall(
                r"^.*twistd .*bittorrent(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE
            )
            for option in re.findall(r"--([a-z-]+)", line)
        }
        self.assertTrue(shown)
        self.assertEqual(shown - options, set())


class MadeTests(SynchronousTestCase):
    """Pages that are made from the source."""

    def test_reference(self) -> None:
        """The reference is what C{docs/make_reference.py} writes now."""
        made = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))["reference"]()
        found = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
        self.assertTrue(found == made, "out of date: run python docs/make_reference.py")

    def test_publicNames(self) -> None:
        """The package exports what the documentation's first examples import, in order."""
        names = import_module("twisted_bt").__all__
        self.assertEqual(names, sorted(names, key=lambda name: (name[0].islower(), name)))
        self.assertLessEqual({"ClientSession", "Settings", "TorrentLoc"}, set(names))
