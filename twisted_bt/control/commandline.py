"""
Parts of the one-shot tool's command line that several commands have.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from twisted_bt.control.describe import printable
from twisted_bt.control.options import parseHostPort, parseInterface
from twisted_bt.control.units import parseSize

T = TypeVar("T")


def failed(reason: str) -> int:
    """Say on standard error why something cannot be done; the exit status of that."""
    print(f"twisted-bt: {printable(reason)}", file=sys.stderr)
    return 1


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """C{parse} for argparse, which hides the words of a C{ValueError}."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def parsePort(text: str) -> int:
    """@raise ValueError: no port."""
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise ValueError(f"{text!r} is no port from 0 to 65535")
    return int(text)


def parsePositiveSize(text: str) -> int:
    """@raise ValueError: no size, or 0."""
    size = parseSize(text)
    if size < 1:
        raise ValueError("it must be at least a byte")
    return size


def parseSeconds(text: str) -> float:
    """@raise ValueError: no time above 0."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"{text!r} is no number of seconds above 0")
    return seconds


def addCommand(commands: Any, run: Callable[[argparse.Namespace], int], name: str, text: str) -> Any:
    """A command called C{name}; C{run} gives its exit status."""
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.set_defaults(run=run)
    return command


def addTimeout(command: Any, seconds: float, purpose: str) -> None:
    """C{--timeout}."""
    command.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=argument(parseSeconds),
        default=seconds,
        help=f"{purpose} [default: {seconds:g}]",
    )


def addNetwork(command: Any) -> None:
    """Options of commands that talk to peers."""
    command.add_argument(
        "--peer",
        metavar="HOST:PORT",
        type=argument(parseHostPort),
        action="append",
        default=[],
        help="a peer to try beside those that are found; repeatable",
    )
    command.add_argument(
        "--listen-port",
        metavar="PORT",
        type=argument(parsePort),
        default=0,
        help="TCP port for peers [default: any]",
    )
    command.add_argument(
        "--interface",
        metavar="ADDRESS",
        type=argument(parseInterface),
        action="append",
        default=[],
        help="address to listen on; repeatable [default: all]",
    )
    command.add_argument("--no-dht", action="store_true", help="find no peers in the DHT")
    command.add_argument(
        "--dht-bootstrap",
        metavar="HOST:PORT",
        type=argument(parseHostPort),
        action="append",
        default=[],
        help="a DHT node to begin with; repeatable [default: well-known ones]",
    )
    command.add_argument("--no-pex", action="store_true", help="tell and hear nothing of other peers")
    command.add_argument("--no-lsd", action="store_true", help="find no peers on the local network")


def networkSettings(arguments: argparse.Namespace) -> dict[str, Any]:
    """What L{addNetwork}'s options say, by field of L{Settings<twisted_bt.settings.Settings>}."""
    return {
        "listenPort": arguments.listen_port,
        "interfaces": tuple(arguments.interface) or ("",),
        "dht": not arguments.no_dht,
        "dhtRouters": tuple(arguments.dht_bootstrap) or None,
        "pex": not arguments.no_pex,
        "lsd": not arguments.no_lsd,
    }
