"""
C{twistd bittorrent}: the daemon's front door.

What can be found wrong before the daemon goes to the background is found here, and said in one
line on standard error with a non-zero exit status.
"""

from __future__ import annotations

import atexit
import getopt
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, cast

from twisted.application.service import IService
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorCore
from twisted.logger import Logger
from twisted.python import usage

from twisted_bt.control.config import readConfig
from twisted_bt.control.daemon import Daemon
from twisted_bt.control.names import letLookupsGo
from twisted_bt.control.options import FLAG, DaemonConfig, Option, allOptions, fromText
from twisted_bt.control.preflight import checkFolder, checkPort, listenMessage
from twisted_bt.control.sources import checkSource, isMagnet, isURL, readMagnet, readMetainfo
from twisted_bt.control.statelock import StateLock
from twisted_bt.errors import BitTorrentError, SettingsError
from twisted_bt.interfaces import IClientReactor
from twisted_bt.version import VERSION

_log = Logger()
_OPTIONS = {option.name: option for option in allOptions() if option.commandLine}
_SINGLE = [option for option in _OPTIONS.values() if not option.many and option.kind is not FLAG]
_FLAGS = [option for option in _OPTIONS.values() if option.kind is FLAG]


def _repeatable(option: Option) -> Callable[[Options, str], None]:
    def handler(self: Options, value: str) -> None:
        self.given[option.field] = (*self.given.get(option.field, ()), fromText(option, value))

    handler.__doc__ = option.help
    return handler


class Options(usage.Options):
    """
    The command line of C{twistd bittorrent}.

    @ivar config: command line and configuration file together, once parsed; its paths are absolute.
    @ivar given: what the command line said, by field of L{DaemonConfig}.
    """

    synopsis = "[options] [TORRENT ...]"
    longdesc = (
        "Downloads each TORRENT (a torrent file, the http(s) URL of one, or a magnet link), then seeds it. "
        "Torrents are remembered: the next start with the same state folder goes on with them. A "
        "configuration file has the same names as keys, repeatable options and 'torrents' as arrays; what "
        "the command line gives replaces what the file gives."
    )
    optParameters = [
        ["config", "c", None, "TOML file with the same options; the command line wins."],
        *([option.name, None, None, option.help] for option in _SINGLE),
    ]
    optFlags = [[option.name, None, option.help] for option in _FLAGS]
    compData = usage.Completions(
        multiUse=["interface", "peer", "register", "dht-bootstrap"],
        optActions={
            "config": usage.CompleteFiles("*.toml"),
            "download-dir": usage.CompleteDirs(),
            "register": usage.CompleteDirs(),
            "state-dir": usage.CompleteDirs(),
            "peer": usage.CompleteHostnames(),
            "dht-bootstrap": usage.CompleteHostnames(),
        },
        extraActions=[usage.CompleteFiles("*.torrent", repeat=True)],
    )

    opt_interface = _repeatable(_OPTIONS["interface"])
    opt_peer = _repeatable(_OPTIONS["peer"])
    opt_register = _repeatable(_OPTIONS["register"])
    opt_dht_bootstrap = _repeatable(_OPTIONS["dht-bootstrap"])

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, Any] = {}
        self.config = DaemonConfig()
        self.parent: usage.Options | None = None

    def opt_version(self) -> None:
        """Show the version and exit."""
        print(f"twisted_bt {VERSION}")
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Options may come behind torrents, too.

        @raise usage.UsageError: something is wrong with the command line or the configuration file.
        @raise SystemExit: the same as one line, when called by C{twistd}, which would answer a
            C{UsageError} with all of its own help on standard output.
        """
        try:
            super().parseOptions(self._optionsFirst(sys.argv[1:] if options is None else options))
        except (usage.UsageError, SettingsError) as error:
            if self.parent is not None:
                _refuse(str(error))
            raise usage.UsageError(str(error)) from error

    def _optionsFirst(self, arguments: Sequence[str]) -> list[str]:
        try:
            found, torrents = getopt.gnu_getopt(arguments, self.shortOpt, self.longOpt)
        except getopt.error:
            return list(arguments)  # the base class says what is wrong
        flat = []
        for name, value in found:
            flat.append(name)
            if f"{name[2:]}=" in self.longOpt or f"{name[1:]}:" in self.shortOpt:
                flat.append(value)
        return [*flat, "--", *torrents]

    def parseArgs(self, *torrents: str) -> None:
        """Remember the TORRENTs."""
        if torrents:
            self.given["torrents"] = torrents

    def postOptions(self) -> None:
        """
        Make L{config}.

        @raise SettingsError: a value or the configuration file makes no sense.
        """
        for option in _SINGLE:
            if self[option.name] is not None:
                self.given[option.field] = fromText(option, self[option.name])
        for option in _FLAGS:
            if self[option.name]:
                self.given[option.field] = True
        values = readConfig(Path(self["config"])) if self["config"] is not None else {}
        config = DaemonConfig(**{**values, **self.given})
        # twistd may change its folder (--rundir) before anything is opened.
        self.config = replace(
            config,
            downloadDir=config.downloadDir.absolute(),
            stateDir=config.stateDir.absolute(),
            register=tuple(each.absolute() for each in config.register),
        )
        self.config.settings()


def _refuse(reason: str) -> NoReturn:
    """End here: the interpreter writes the line to standard error and exits with status 1."""
    raise SystemExit(f"{_program()} bittorrent: {reason}")


def _program() -> str:
    name = os.path.basename(sys.argv[0] if sys.argv else "")
    return name if name in ("twistd", "twist") else "twistd"


class _FrontService(Daemon):
    """
    A L{Daemon} that ends C{twistd} in one line if it cannot start.

    @ivar door: the options of C{twistd} itself, C{None} if it is not C{twistd} that runs us.
    """

    door: usage.Options | None = None

    def privilegedStartService(self) -> None:
        """See L{letLookupsGo}."""
        letLookupsGo(self.client.reactor)
        super().privilegedStartService()

    def startService(self) -> None:
        """
        @raise SystemExit: it cannot start, and there is a person in front of it to read why.
        @raise BitTorrentError: it cannot start in the background; twistd passes a line on to its
            first process, which still waits in the foreground.
        """
        try:
            super().startService()
        except CannotListenError as error:
            reason = error.socketError
            if not isinstance(reason, OSError):
                reason = OSError(0, str(reason))
            self._cannot(SettingsError(listenMessage(error.interface or "", error.port, reason)))
        except BitTorrentError as error:
            self._cannot(error)

    def _cannot(self, error: BitTorrentError) -> NoReturn:
        if self.door is not None and self.door.get("statusPipe") is not None:
            _log.critical("{error}", error=error)
            raise error
        # The service and its children may have been started in part: threads would keep us alive.
        self.stopService()
        if self.door is not None:
            _removePidfile(self.door.get("pidfile"))
        # Standard error goes to the log by now.
        print(f"{_program()} bittorrent: {error}", file=sys.__stderr__, flush=True)
        raise SystemExit(1)


def _removePidfile(path: str | None) -> None:
    # twistd removes it after an Exception, but a SystemExit is none.
    if path:
        with suppress(OSError, ValueError):
            if int(Path(path).read_text()) == os.getpid():
                os.unlink(path)


def makeService(options: Options) -> IService:
    """
    The daemon, not started; its state folder is locked and its torrent files have been read.

    @raise SystemExit: with one line, if something is wrong with a torrent, a folder or a port.
    """
    from twisted.internet import reactor  # the one place: twistd has chosen and installed it by now

    config = options.config
    lock = StateLock(config.stateDir)
    try:
        for source in config.torrents:
            checkSource(source)
        torrents = [
            readMagnet(source) if isMagnet(source) else readMetainfo(Path(source))
            for source in config.torrents
            if not isURL(source)
        ]
        checkFolder(config.downloadDir, "--download-dir")
        checkFolder(config.stateDir, "--state-dir", 0o700)
        lock.acquire()
        checkPort(config.interface or ("",), config.listenPort)
    except BitTorrentError as error:
        lock.release()
        _refuse(str(error))
    urls = [source for source in config.torrents if isURL(source)]
    engineReactor = cast(IClientReactor, reactor)
    finished = partial(_finished, cast(IReactorCore, reactor))
    service = _FrontService(engineReactor, config, torrents, urls, finished, lock)
    service.door = options.parent
    return service


def _finished(reactor: IReactorCore, error: str) -> None:
    """The daemon has nothing more to do: end the process, with status 1 if there was an error."""
    if error:
        _log.critical("{error}", error=error)
        print(f"{_program()} bittorrent: {error}", file=sys.__stderr__, flush=True)
        atexit.register(_exitWithError)

    def stop() -> None:
        if reactor.running:
            reactor.stop()

    reactor.callWhenRunning(stop)


def _exitWithError() -> None:
    # twistd exits with status 0 whenever its reactor was stopped, and asks nobody.  This is the last
    # thing that happens: services are stopped, the pidfile is gone, threads have ended.
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(Exception):
            stream.flush()  # type: ignore[union-attr]
    os._exit(1)
