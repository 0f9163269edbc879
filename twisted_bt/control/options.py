"""
The daemon's options: one table for the command line and the configuration file.

L{DaemonConfig} is the table.  A field C{maxPeers} is C{--max-peers} on the command line and
C{max-peers} (or C{max_peers}) in the file; its metadata says what a value looks like.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from platformdirs import user_state_path

from twisted_bt.errors import SettingsError
from twisted_bt.settings import Settings


class HostPort(NamedTuple):
    """Where to find a peer; C{host} may be a name."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parseHostPort(text: str) -> HostPort:
    """
    C{"host:port"} or C{"[IPv6 address]:port"}.

    @raise ValueError: it is neither; the message says why.
    """
    host, colon, digits = text.strip().rpartition(":")
    if not colon or not host:
        raise ValueError(f"{text!r} is not HOST:PORT")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ip_address(host).version != 6:
            raise ValueError(f"{text!r} has no IPv6 address in its brackets")
    elif ":" in host:
        raise ValueError(f"{text!r} is not HOST:PORT; an IPv6 address goes in brackets: [ADDRESS]:PORT")
    if not (digits.isascii() and digits.isdigit() and 1 <= int(digits) <= 65535):
        raise ValueError(f"{text!r} has no port from 1 to 65535")
    return HostPort(host, int(digits))


def parseInterface(text: str) -> str:
    """
    An address of this machine to listen on.

    @raise ValueError: C{text} is no IP address.
    """
    ip_address(text.partition("%")[0])
    return text


def _wholeNumber(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if value != value:
        raise ValueError(f"{text!r} is not a number")
    return value


def parsePath(text: str) -> Path:
    """
    A path, C{~} as somebody's home.

    @raise ValueError: it is none.
    """
    if not text or "\0" in text:
        raise ValueError("an empty path")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{text!r}: nobody's home is known by that name") from error


@dataclass(frozen=True, slots=True)
class Kind:
    """
    What the values of an option look like.

    @ivar expected: for people, in errors of the configuration file.
    @ivar types: what TOML gives for it.  C{bool} never passes for a number.
    @ivar parse: from the text on the command line, or from a TOML string; raises C{ValueError}.
    """

    expected: str
    types: tuple[type, ...]
    parse: Callable[[str], Any]


FLAG = Kind("true or false", (bool,), lambda text: text == "true")
WHOLE = Kind("a whole number", (int,), _wholeNumber)
NUMBER = Kind("a number", (int, float), _number)
TEXT = Kind("a string", (str,), str)
FOLDER = Kind("a string (a path)", (str,), parsePath)
ADDRESS = Kind("a string (an IP address)", (str,), parseInterface)
PEER = Kind('a string ("HOST:PORT")', (str,), parseHostPort)


def defaultStateDir() -> Path:
    """Where this system keeps the state of a user's programs."""
    return user_state_path("twisted_bt", appauthor=False)


def _option(
    kind: Kind,
    default: Any,
    help: str,
    *,
    many: bool = False,
    shown: str = "",
    commandLine: bool = True,
) -> Any:
    metadata = {"kind": kind, "many": many, "help": help, "shown": shown, "commandLine": commandLine}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table: C{field} of L{DaemonConfig} and what its metadata says."""

    field: str
    name: str
    kind: Kind
    many: bool
    help: str
    commandLine: bool


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """
    What the daemon was told, command line and file together.
    """

    torrents: tuple[str, ...] = _option(
        TEXT, (), "Torrent files, http(s) URLs of such, or magnet links.", many=True, commandLine=False
    )
    listenPort: int = _option(WHOLE, 0, "TCP port for peers; 0: any that is free.", shown="0")
    interface: tuple[str, ...] = _option(
        ADDRESS, (), "Address to listen on; repeatable.", many=True, shown="all of them"
    )
    downloadDir: Path = _option(  # noqa: RUF009 -- it is a field
        FOLDER, Path, "Folder that new torrents are downloaded to.", shown="the current folder"
    )
    stateDir: Path = _option(  # noqa: RUF009
        FOLDER, defaultStateDir, "Folder for what is remembered between runs.", shown=str(defaultStateDir())
    )
    register: tuple[Path, ...] = _option(
        FOLDER,
        (),
        "Folder of torrent files whose content is in --download-dir: each is seeded, and open only while "
        "somebody wants it; repeatable.",
        many=True,
    )
    peer: tuple[HostPort, ...] = _option(
        PEER, (), "HOST:PORT of a peer to offer to every torrent given; repeatable.", many=True
    )
    maxPeers: int = _option(WHOLE, 1000, "Most peers, all torrents together.", shown="1000")
    maxPeersPerTorrent: int = _option(WHOLE, 50, "Most peers of one torrent.", shown="50")
    uploadSlots: int = _option(WHOLE, 4, "Peers of one torrent served at a time.", shown="4")
    seedRatio: float | None = _option(
        NUMBER,
        None,
        "Pause a complete torrent once uploads reach this multiple of its size.",
        shown="never",
    )
    noDht: bool = _option(FLAG, False, "Find no peers in the DHT.")
    dhtBootstrap: tuple[HostPort, ...] = _option(
        PEER,
        (),
        "HOST:PORT of a DHT node to begin with where none is remembered; repeatable.",
        many=True,
        shown="well-known ones",
    )
    noPex: bool = _option(FLAG, False, "Tell peers nothing of other peers, and hear nothing of them.")
    noLsd: bool = _option(FLAG, False, "Find no peers on the local network.")
    exitWhenComplete: bool = _option(FLAG, False, "End once every torrent given is complete.")
    preallocate: bool = _option(FLAG, False, "Reserve the room of files when they are made.")

    def settings(self) -> Settings:
        """
        The settings of the client session.

        @raise SettingsError: a value makes no sense; the message names the option.
        """
        try:
            return Settings(
                stateDir=self.stateDir,
                listenPort=self.listenPort,
                interfaces=self.interface or ("",),
                maxPeers=self.maxPeers,
                maxPeersPerTorrent=self.maxPeersPerTorrent,
                uploadSlots=self.uploadSlots,
                preallocate=self.preallocate,
                seedRatio=self.seedRatio,
                dht=not self.noDht,
                dhtRouters=self.dhtBootstrap or None,
                pex=not self.noPex,
                lsd=not self.noLsd,
            )
        except SettingsError as error:
            raise SettingsError(re.sub(r"^\w+", lambda found: optionName(found[0]), str(error))) from error


def optionName(fieldName: str) -> str:
    """C{"max-peers"} for C{"maxPeers"}."""
    return re.sub(r"[A-Z]", lambda letter: "-" + letter[0].lower(), fieldName)


def _asOption(each: Field[Any]) -> Option:
    data = each.metadata
    shown = f" [default: {data['shown']}]" if data["shown"] else ""
    return Option(
        each.name,
        optionName(each.name),
        data["kind"],
        data["many"],
        data["help"] + shown,
        data["commandLine"],
    )


def allOptions() -> Iterator[Option]:
    """Every row of the table."""
    return (_asOption(each) for each in fields(DaemonConfig))


def fromText(option: Option, text: str) -> Any:
    """
    The value of C{option} that C{text} on the command line means (one of several, if repeatable).

    @raise SettingsError: none; the message names the option.
    """
    try:
        return option.kind.parse(text)
    except ValueError as error:
        raise SettingsError(f"--{option.name}: {error}") from error
