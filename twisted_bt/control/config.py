"""
The configuration file: TOML with the same names as the command line's options.

Dashes or underscores; repeatable options are arrays; relative paths start at the file's folder.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from twisted_bt.control.options import FOLDER, NUMBER, TEXT, Option, allOptions, parsePath
from twisted_bt.errors import SettingsError

_LIMIT = 1 << 20
_TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}


def readConfig(path: Path) -> dict[str, Any]:
    """
    What the file at C{path} says, by field of L{DaemonConfig<twisted_bt.control.options.DaemonConfig>}.

    @raise SettingsError: it cannot be read, is no TOML, or has a key that is unknown, given twice or
        of a wrong type; the message names file and key.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
        if len(content) > _LIMIT:
            raise SettingsError(f"{path}: over {_LIMIT} bytes, hardly a configuration")
        table = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # the former also for numbers of thousands of digits
        raise SettingsError(f"{path}: not a TOML file: {error}") from error
    try:
        return fromTable(table, path.parent)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def fromTable(table: dict[str, Any], base: Path) -> dict[str, Any]:
    """
    The values in a TOML table, by field.

    @param base: the folder relative paths start at.
    @raise SettingsError: a key is unknown, given twice or of a wrong type; the message names it.
    """
    options = {option.name: option for option in allOptions()}
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        option = options.get(name)
        if option is None:
            raise SettingsError(f"unknown key {key!r}{_suggestion(name, options)}")
        if option.field in values:
            raise SettingsError(f"key {key!r} is given twice (with dashes and with underscores)")
        values[option.field] = _values(key, option, value, base)
    return values


def _suggestion(name: str, options: dict[str, Option]) -> str:
    close = get_close_matches(name, options, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _values(key: str, option: Option, value: Any, base: Path) -> Any:
    if not option.many:
        return _value(key, option, value, base, "")
    if not isinstance(value, list):
        raise SettingsError(
            f"{key!r} must be an array, each {option.kind.expected}; it is {_typeName(value)}"
        )
    return tuple(_value(key, option, each, base, "each of ") for each in value)


def _value(key: str, option: Option, value: Any, base: Path, each: str) -> Any:
    kind = option.kind
    if type(value) not in kind.types:
        raise SettingsError(f"{each}{key!r} must be {kind.expected}; it is {_typeName(value)}")
    try:
        if not isinstance(value, str):
            return float(value) if kind is NUMBER else value  # TOML has 2 and 2.0
        parsed = kind.parse(value)
        if kind is FOLDER:
            return base / parsed
        if kind is TEXT and "://" not in value and not value.startswith("magnet:"):
            return str(base / parsePath(value))
        return parsed
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"{each}{key!r} must be {kind.expected}: {error}") from error


def _typeName(value: Any) -> str:
    if isinstance(value, list):
        return "an array"
    if isinstance(value, dict):
        return "a table"
    return _TYPE_NAMES.get(type(value), "a date or time")
