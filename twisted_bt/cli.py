"""
C{twisted-bt}: the one-shot tool's front door.

Exit status: 0, done; 1, it could not be done; 2, a bad command line; 130 or 143, interrupted or terminated.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.error import CannotListenError

from twisted_bt.control.commandline import (
    addCommand,
    addNetwork,
    argument,
    failed,
    networkSettings,
    parsePositiveSize,
)
from twisted_bt.control.describe import printable
from twisted_bt.control.dhttool import addDht
from twisted_bt.control.foreground import runToEnd
from twisted_bt.control.getting import getTorrent
from twisted_bt.control.meter import Pace, meterFor
from twisted_bt.control.preflight import checkFolder, listenMessage
from twisted_bt.control.showing import addMagnet, addShow
from twisted_bt.control.sources import checkSource, readMetainfo
from twisted_bt.control.units import formatSize, plural
from twisted_bt.control.verify import verifyContent
from twisted_bt.errors import BitTorrentError, MetainfoError, StorageError
from twisted_bt.settings import Settings
from twisted_bt.torrent.announcefields import seedUrl, trackerUrl
from twisted_bt.torrent.create import creation
from twisted_bt.version import VERSION

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run a command; the exit status.

    @param argv: the command line without the program's name; C{None}: that of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names in torrents may have what a terminal cannot show
            stream.reconfigure(errors="replace")
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what is wrong, or has shown its help
        return end.code if isinstance(end.code, int) else 2
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except CannotListenError as error:
        reason = error.socketError if isinstance(error.socketError, OSError) else OSError(str(error))
        return failed(listenMessage(error.interface or "", error.port, reason))
    except BitTorrentError as error:
        return failed(str(error))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # who read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


# ---------------------------------------------------------------- the command line


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="twisted-bt",
        description="Downloads, shows, checks and makes torrents. The daemon is 'twistd bittorrent'.",
    )
    parser.add_argument("--version", action="version", version=f"twisted-bt {VERSION}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_addGet, addShow, addMagnet, _addVerify, _addCreate, addDht, _addDemo):
        add(commands)
    return parser


def _addGet(commands: Any) -> None:
    get = addCommand(commands, _get, "get", "download a torrent; exit status 0 only once it is verified")
    get.add_argument(
        "torrent", metavar="TORRENT", help="a torrent file, the http(s) URL of one, or a magnet link"
    )
    get.add_argument(
        "-o", "--output", metavar="DIR", type=Path, default=Path(), help="folder to download to [default: .]"
    )
    addNetwork(get)
    get.add_argument("--preallocate", action="store_true", help="reserve the room of files first")


def _addVerify(commands: Any) -> None:
    verify = addCommand(
        commands, _verify, "verify", "check files against a torrent; exit status 0 only if all are right"
    )
    verify.add_argument("file", metavar="FILE", help="a torrent file")
    verify.add_argument(
        "-d", "--directory", metavar="DIR", type=Path, required=True, help="folder that the content is in"
    )


def _addCreate(commands: Any) -> None:
    create = addCommand(commands, _create, "create", "make a torrent of a file or folder")
    create.add_argument("path", metavar="PATH", type=Path, help="a file or folder")
    create.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="where to write it [default: NAME.torrent]"
    )
    create.add_argument("-f", "--force", action="store_true", help="overwrite the torrent if there is one")
    create.add_argument(
        "--tracker", metavar="URL", action="append", default=[], help="repeatable; each is a tier of its own"
    )
    create.add_argument("--web-seed", metavar="URL", action="append", default=[], help="repeatable")
    create.add_argument(
        "--piece-length",
        metavar="SIZE",
        type=argument(parsePositiveSize),
        help="for example 256K [default: by size]",
    )
    create.add_argument("--private", action="store_true", help="peers come from the trackers only (BEP 27)")
    create.add_argument("--comment", metavar="TEXT", default=None)
    create.add_argument("--hybrid", action="store_true", help="of versions 1 and 2 (BEP 52)")


def _addDemo(commands: Any) -> None:
    demo = addCommand(
        commands, _demo, "demo", "a tracker, a seeder and a leecher in one process, over real sockets"
    )
    demo.add_argument(
        "--size",
        metavar="SIZE",
        type=argument(parsePositiveSize),
        default=128 << 20,
        help="of the file that is downloaded, for example 1G [default: 128M]",
    )


# ---------------------------------------------------------------- the commands


def _get(arguments: argparse.Namespace) -> int:
    checkSource(arguments.torrent)
    checkFolder(arguments.output, "--output")
    settings = Settings(preallocate=arguments.preallocate, **networkSettings(arguments))
    return runToEnd(
        lambda reactor: getTorrent(
            reactor, arguments.torrent, arguments.output, settings, arguments.peer, sys.stderr
        )
    )


def _verify(arguments: argparse.Namespace) -> int:
    metainfo = readMetainfo(Path(arguments.file))
    meter = meterFor(f"checking {printable(metainfo.name)}", metainfo.totalSize, sys.stderr, time.monotonic)
    pace = Pace(meter, metainfo.totalSize, time.monotonic)
    try:
        verdict = verifyContent(metainfo, arguments.directory, pace.show)
    finally:
        meter.close()
    for fault in verdict.faults:
        print(printable(fault))
    pieces = plural(verdict.pieceCount, "piece")
    if verdict.passed:
        print(f"complete: all {pieces}, {formatSize(metainfo.totalSize)}")
        return 0
    print(f"not complete: {verdict.good} of {pieces} verified")
    return 1


def _create(arguments: argparse.Namespace) -> int:
    output: Path = arguments.output or Path(f"{arguments.path.resolve().name}.torrent")
    if output.exists() and not arguments.force:
        raise StorageError(f"{output}: exists already; --force overwrites it")
    for url in arguments.tracker:  # before hours of hashing, not after
        if trackerUrl(url.encode("utf-8", "replace")) != url:
            raise MetainfoError(f"{url!r} is not the URL of a tracker")
    for url in arguments.web_seed:
        if seedUrl(url.encode("utf-8", "replace")) is None:
            raise MetainfoError(f"{url!r} is not the URL of a web seed")
    if not output.absolute().parent.is_dir():
        raise StorageError(f"{output}: there is no such folder")
    steps = creation(
        arguments.path,
        pieceLength=arguments.piece_length,
        trackers=arguments.tracker,
        webSeeds=arguments.web_seed,
        private=arguments.private,
        comment=arguments.comment,
        createdBy=f"twisted_bt {VERSION}",
        creationDate=int(time.time()),
        hybrid=arguments.hybrid,
    )
    meter = pace = None
    try:
        while True:
            done, total = next(steps)
            if meter is None or pace is None:
                meter = meterFor(
                    f"hashing {printable(arguments.path.name)}", total, sys.stderr, time.monotonic
                )
                pace = Pace(meter, total, time.monotonic)
            pace.show(done)
    except StopIteration as end:
        metainfo = end.value
    finally:
        if meter is not None:
            meter.close()
    try:
        output.write_bytes(metainfo.encode())
    except OSError as error:
        raise StorageError(f"{output}: cannot be written: {error.strerror}") from error
    pieces = f"{plural(metainfo.layout.pieceCount, 'piece')} of {formatSize(metainfo.layout.pieceLength)}"
    print(f"{output}: {formatSize(metainfo.totalSize)} in {pieces}, info-hash {metainfo.infoHash.hex()}")
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from twisted_bt.control.demo import runDemo  # here, since it brings a web server along

    folder = Path(tempfile.mkdtemp(prefix="twisted-bt-demo-"))
    try:
        return runToEnd(lambda reactor: runDemo(reactor, folder, arguments.size, sys.stdout))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
