"""
Where a torrent comes from: a path, an http(s) URL, or a magnet link.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from twisted_bt.errors import MagnetError, MetainfoError
from twisted_bt.interfaces import IClientReactor
from twisted_bt.torrent.magnet import Magnet
from twisted_bt.torrent.metainfo import Metainfo

#: Bytes a torrent file may have.
MAX_TORRENT_SIZE = 32 << 20


def readMetainfo(path: Path) -> Metainfo:
    """
    The torrent in the file at C{path}.

    @raise MetainfoError: it cannot be read, or is none; the message names C{path}.
    """
    return parseTorrent(str(path), readTorrentFile(path))


def torrentFilesBelow(folder: Path) -> Iterator[Path]:
    """The files in C{folder} and its subfolders that are called C{*.torrent}; none, if it is no folder."""
    for top, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".torrent"):
                yield Path(top, name)


def isURL(source: str) -> bool:
    """Whether C{source} is to be asked of a web server."""
    return source.lower().startswith(("http://", "https://"))


def isMagnet(source: str) -> bool:
    """Whether C{source} is a magnet link, or is meant as one."""
    return source.lstrip().lower().startswith("magnet:")


def readMagnet(source: str) -> Magnet:
    """
    The magnet link C{source}, of a torrent that can be exchanged.

    @raise MagnetError: it is none, or is of version 2 only.
    """
    magnet = Magnet.parse(source)
    if magnet.infoHash is None:
        raise MagnetError("the magnet link names no torrent of version 1; others are not supported yet")
    return magnet


def checkSource(source: str) -> None:
    """
    Refuse what can be told from the text alone.

    @raise MetainfoError: a URL of a scheme other than http and https.
    @raise MagnetError: a magnet link that cannot be used.
    """
    if isMagnet(source):
        readMagnet(source)
        return
    scheme, found, _ = source.partition("://")
    if found and not isURL(source) and "/" not in scheme:
        raise MetainfoError(
            f"{source}: {scheme}:// is not supported; give a path, http://, https:// or a magnet link"
        )


async def fetchMetainfo(reactor: IClientReactor, url: str) -> Metainfo:
    """
    The torrent at a web server.

    @raise MetainfoError: there is none; the message names C{url}.
    """
    # Here, since most runs need no web client, and it takes long to import.
    from twisted_bt.control import webfetch

    content = await webfetch.fetchTorrent(reactor, webfetch.webAgent(reactor), url, MAX_TORRENT_SIZE)
    return parseTorrent(url, content)


async def readSource(reactor: IClientReactor, source: str) -> Metainfo | Magnet:
    """
    The torrent at a path or URL, or the magnet link, that C{source} is.

    @raise MetainfoError: there is none; the message names C{source}.
    @raise MagnetError: a magnet link that cannot be used.
    """
    checkSource(source)
    if isMagnet(source):
        return readMagnet(source)
    return await fetchMetainfo(reactor, source) if isURL(source) else readMetainfo(Path(source))


def readTorrentFile(path: Path) -> bytes:
    """
    The content of the torrent file at C{path}.

    @raise MetainfoError: it cannot be read or is over L{MAX_TORRENT_SIZE} bytes; the message names it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TORRENT_SIZE + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise MetainfoError(f"{path}: cannot be read: {reason}") from error
    if len(content) > MAX_TORRENT_SIZE:
        raise MetainfoError(f"{path}: over {MAX_TORRENT_SIZE >> 20} MiB, hardly a torrent file")
    return content


def parseTorrent(source: str, content: bytes) -> Metainfo:
    """
    C{content} as a torrent that can be exchanged.

    @param source: where it is from, for the error.
    @raise MetainfoError: it is none; the message names C{source}.
    """
    try:
        return Metainfo.fromBytes(content)
    except MetainfoError as error:
        raise MetainfoError(f"{source}: {error}") from error
