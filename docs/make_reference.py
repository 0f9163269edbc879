"""
Writes C{docs/reference.md} from the code: the daemon's options, and every setting of a session.

Run it after changing either: C{python docs/make_reference.py}.  A test compares.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from twisted_bt import settings
from twisted_bt.control.options import allOptions, defaultStateDir

REFERENCE = Path(__file__).with_name("reference.md")

_HEAD = """\
# Reference: options and settings

Made by `docs/make_reference.py`; edit the code instead. The reference of all classes and functions is
made by `pydoctor`, see [CONTRIBUTING](../CONTRIBUTING.md).

## Options of `twistd bittorrent`

In a file given by `--config` the names are the same, without the dashes in front; options that may
be repeated are arrays there. What the command line says wins.

| option | in the file | meaning |
|---|---|---|
"""

_SETTINGS = """
## Settings of a client session

Fields of `twisted_bt.Settings`, which is frozen: to change them, make a new session. Times are in
seconds, sizes in bytes, rates in bytes a second.
"""


def options() -> Iterator[str]:
    """A row of the table for each option of the daemon."""
    for option in allOptions():
        text = option.help.replace(str(defaultStateDir()), "the user's folder for state, `twisted_bt` in it")
        where = f"`--{option.name}`" if option.commandLine else "arguments"
        kind = f"array, each {option.kind.expected}" if option.many else option.kind.expected
        yield f"| {where} | {kind} | {_markdown(text)} |"


def fields() -> Iterator[str]:
    """The tables of settings, with the headings of the source."""
    source = Path(settings.__file__).read_text(encoding="utf-8")
    lines = source.splitlines()
    body = next(
        node.body
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    for statement, following in pairwise(body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        heading = re.match(r"\s*# -- (.*)", lines[statement.lineno - 2])
        if heading:
            yield f"\n### {heading[1][0].upper()}{heading[1][1:]}\n"
            yield "| setting | default | meaning |"
            yield "|---|---|---|"
        assert isinstance(following, ast.Expr), f"{statement.target.id} has no docstring"
        assert isinstance(following.value, ast.Constant)
        text = " ".join(str(following.value.value).split())
        yield f"| `{statement.target.id}` | `{_default(statement)}` | {_markdown(text)} |"


def _default(statement: ast.AnnAssign) -> str:
    value = statement.value
    assert value is not None
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
        factory = next(keyword.value for keyword in value.keywords if keyword.arg == "default_factory")
        return f"{ast.unparse(factory)}()"
    return ast.unparse(value)


def _markdown(epytext: str) -> str:
    """What epytext's C{C{}} and C{L{}} are in Markdown, within a table."""
    text = re.sub(r"L\{[^<}]*<([^>}]*)>\}", r"`\1`", epytext)
    return re.sub(r"[CL]\{([^}]*)\}", r"`\1`", text).replace("|", r"\|")


def reference() -> str:
    """The whole page."""
    return "\n".join([_HEAD + "\n".join(options()), _SETTINGS.rstrip("\n"), *fields(), ""])


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
