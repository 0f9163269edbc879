"""
What is in a torrent file, for people and for programs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from twisted_bt.control.units import formatSize, plural
from twisted_bt.torrent.metainfo import Metainfo


def describe(file: str, metainfo: Metainfo) -> dict[str, Any]:
    """
    A JSON object.  Keys are always the same; hashes are hexadecimal and C{None} where absent; paths
    are from the data folder, with C{/}; C{totalSize} is what the pieces cover, padding included.

    @param file: what the user called it.
    """
    return {
        "file": file,
        "name": metainfo.name,
        "infoHash": _hex(metainfo.infoHash),
        "infoHashV2": _hex(metainfo.infoHashV2),
        "pieceLength": metainfo.layout.pieceLength,
        "pieceCount": metainfo.layout.pieceCount,
        "totalSize": metainfo.totalSize,
        "files": [
            {"path": "/".join(each.path), "length": each.length} for each in metainfo.files if not each.isPad
        ],
        "trackers": [list(tier) for tier in metainfo.trackers],
        "webSeeds": list(metainfo.webSeeds),
        "private": metainfo.private,
        "comment": metainfo.comment,
        "createdBy": metainfo.createdBy,
        "creationDate": metainfo.creationDate,
        "nodes": [[host, port] for host, port in metainfo.nodes],
    }


def describeRefused(file: str, reason: str) -> dict[str, Any]:
    """The JSON object for a file that is no torrent."""
    return {"file": file, "error": reason}


def describeLines(metainfo: Metainfo) -> Iterator[str]:
    """The same for people, a line at a time; nothing in it can move the cursor of a terminal."""
    for label, value in _rows(metainfo):
        yield printable(f"{label:<14}{value}")
    files = [each for each in metainfo.files if not each.isPad]
    yield f"{'files':<14}{len(files)}"
    for each in files:
        yield printable(f"  {formatSize(each.length):>10}  {'/'.join(each.path)}")


def _rows(metainfo: Metainfo) -> Iterator[tuple[str, str]]:
    layout = metainfo.layout
    yield "name", metainfo.name
    yield "info-hash", _hex(metainfo.infoHash) or "none"
    if metainfo.infoHashV2 is not None:
        yield "info-hash v2", metainfo.infoHashV2.hex()
    yield "size", f"{formatSize(metainfo.totalSize)} ({metainfo.totalSize} bytes)"
    yield "pieces", f"{plural(layout.pieceCount, 'piece')} of {formatSize(layout.pieceLength)}"
    for number, tier in enumerate(metainfo.trackers, 1):
        yield (f"trackers {number}" if len(metainfo.trackers) > 1 else "trackers"), " ".join(tier)
    for url in metainfo.webSeeds:
        yield "web seed", url
    if metainfo.private:
        yield "private", "yes"
    if metainfo.comment:
        yield "comment", metainfo.comment
    if metainfo.createdBy:
        yield "created by", metainfo.createdBy
    if metainfo.creationDate is not None:
        yield "created", _date(metainfo.creationDate)
    for host, port in metainfo.nodes:
        yield "DHT node", f"{host}:{port}"


def _hex(infoHash: bytes | None) -> str | None:
    return None if infoHash is None else infoHash.hex()


def _date(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):  # whoever made the torrent wrote any number
        return str(seconds)


def printable(text: str) -> str:
    """C{text} in one line, without anything a terminal would obey."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
