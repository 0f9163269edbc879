"""
C{twisted-bt show} and C{twisted-bt magnet}: torrents and links, and the one from the other.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted_bt.control.commandline import (
    addCommand,
    addNetwork,
    addTimeout,
    argument,
    failed,
    networkSettings,
)
from twisted_bt.control.describe import describe, describeLines, describeRefused
from twisted_bt.control.foreground import runToEnd
from twisted_bt.control.links import describeMagnet, magnetLines, magnetOf
from twisted_bt.control.options import parseHostPort
from twisted_bt.control.sources import isMagnet, readMagnet, readMetainfo
from twisted_bt.errors import BitTorrentError
from twisted_bt.interfaces import IClientReactor
from twisted_bt.settings import Settings
from twisted_bt.torrent.magnet import Magnet
from twisted_bt.torrent.metainfo import Metainfo


def addShow(commands: Any) -> None:
    """C{show}."""
    show = addCommand(commands, _show, "show", "show what is in torrent files and magnet links")
    show.add_argument("files", metavar="TORRENT", nargs="+", help="a torrent file or a magnet link")
    show.add_argument("--json", action="store_true", help="one JSON object a line")
    show.add_argument(
        "--fetch",
        action="store_true",
        help="of magnet links, fetch the metadata from peers and show that; no content is downloaded",
    )
    addTimeout(show, 60.0, "how long to wait for metadata")
    addNetwork(show)


def addMagnet(commands: Any) -> None:
    """C{magnet}."""
    magnet = addCommand(commands, _magnet, "magnet", "print the magnet link of a torrent file")
    magnet.add_argument("file", metavar="FILE", help="a torrent file")
    magnet.add_argument(
        "--peer",
        metavar="HOST:PORT",
        type=argument(parseHostPort),
        action="append",
        default=[],
        help="a peer that has the torrent, to be named in the link; repeatable",
    )


def _magnet(arguments: argparse.Namespace) -> int:
    print(magnetOf(readMetainfo(Path(arguments.file)), arguments.peer).uri())
    return 0


def _show(arguments: argparse.Namespace) -> int:
    status = 0
    for number, (source, found) in enumerate(_found(arguments)):
        if isinstance(found, BitTorrentError):
            status = 1
            reason = str(found).removeprefix(f"{source}: ")
            if arguments.json:
                print(json.dumps(describeRefused(source, reason)))
            else:
                failed(f"{source}: {reason}")
        elif arguments.json:
            if isinstance(found, Magnet):
                print(json.dumps(describeMagnet(source, found)))
            else:
                print(json.dumps(describe(source, found)))
        else:
            if number:
                print()
            for line in magnetLines(found) if isinstance(found, Magnet) else describeLines(found):
                print(line)
    return status


def _found(arguments: argparse.Namespace) -> Iterator[tuple[str, Metainfo | Magnet | BitTorrentError]]:
    """What there is to show of each of the arguments, in their order."""
    fetched = iter(_fetched(arguments)) if arguments.fetch else None
    for source in arguments.files:
        try:
            if not isMagnet(source):
                yield source, readMetainfo(Path(source))
            elif fetched is None:
                yield source, Magnet.parse(source)
            else:
                yield source, next(fetched)
        except BitTorrentError as error:
            yield source, error


def _fetched(arguments: argparse.Namespace) -> list[Metainfo | BitTorrentError]:
    """What the magnet links among the arguments name, in their order."""
    outcomes: list[Magnet | Metainfo | BitTorrentError] = []
    for source in filter(isMagnet, arguments.files):
        try:
            outcomes.append(readMagnet(source))
        except BitTorrentError as error:
            outcomes.append(error)
    magnets = [each for each in outcomes if isinstance(each, Magnet)]
    results: list[Metainfo | BitTorrentError] = []
    settings = Settings(**networkSettings(arguments))

    async def fetch(reactor: IClientReactor) -> None:
        from twisted_bt.control.metadata import fetchMetadata

        results.extend(
            await fetchMetadata(reactor, magnets, settings, arguments.peer, arguments.timeout, sys.stderr)
        )

    if magnets:
        status = runToEnd(fetch)
        if status:
            raise SystemExit(status)
    rest = iter(results)
    return [next(rest) if isinstance(each, Magnet) else each for each in outcomes]
