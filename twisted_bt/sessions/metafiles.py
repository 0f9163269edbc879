"""
Torrent files: read from wherever a user keeps them, and kept where the next run finds them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred, succeed

from twisted_bt.errors import MetainfoError, StorageError
from twisted_bt.interfaces import IDiskQueue
from twisted_bt.storage.fileio import FileCalls, explained, makeFolders, readFile, replaceFile, syncAbove
from twisted_bt.torrent.metainfo import MAX_TORRENT, Metainfo

T = TypeVar("T")
TorrentSource = Metainfo | bytes | str | Path


def readMetafile(path: Path, calls: FileCalls | None = None) -> Metainfo:
    """
    The torrent in the file C{path}.  Touches the disk.

    @param calls: where files are.
    @raise MetainfoError: it cannot be read, or is no torrent; the message names the file.
    """
    try:
        data = readFile(calls if calls is not None else FileCalls(), path, MAX_TORRENT + 1)
    except OSError as reason:
        raise MetainfoError(f"cannot read {path}: {reason.strerror or reason}") from reason
    try:
        return Metainfo.fromBytes(data)
    except MetainfoError as reason:
        raise MetainfoError(f"{path}: {reason}") from reason


class Metafiles:
    """
    Reads torrents off the reactor thread, and keeps copies in a folder of our own, since users
    delete what they downloaded.

    @param folder: C{None}: keep them in memory.
    @param calls: where files are.
    """

    def __init__(self, folder: Path | None, disk: IDiskQueue, calls: FileCalls | None = None) -> None:
        self._folder = folder
        self._disk = disk
        self._calls = calls if calls is not None else FileCalls()
        self._ready = False  # the folder is there, and stays there
        self._memory: dict[Path, Metainfo] = {}

    def read(self, source: TorrentSource) -> Deferred[Metainfo]:
        """A torrent from its file's path or content.  Fails with C{MetainfoError}."""
        if isinstance(source, Metainfo):
            return succeed(source)
        if isinstance(source, bytes):
            return self._disk.submit(lambda: Metainfo.fromBytes(source))
        path = Path(source)
        if path in self._memory:
            return succeed(self._memory[path])
        return self._disk.submit(lambda: readMetafile(path, self._calls))

    def readNow(self, path: Path) -> Metainfo:
        """The same on a thread that may wait for the disk.  @raise MetainfoError: it cannot be read."""
        return readMetafile(path, self._calls)

    def submit(self, job: Callable[[], T]) -> Deferred[T]:
        """Run C{job} where torrent files are read."""
        return self._disk.submit(job)

    def keep(self, metainfo: Metainfo) -> Deferred[Path]:
        """Where L{read} will find it from now on.  Fails with C{StorageError}."""
        name = Path(f"{metainfo.wireHash.hex()}.torrent")
        if self._folder is None:
            self._memory[name] = metainfo
            return succeed(name)
        path = self._folder / name

        def write() -> Path:
            try:
                self._prepare(path.parent)
                replaceFile(self._calls, path, metainfo.encode())
            except OSError as reason:
                raise StorageError(f"cannot write {path}: {reason.strerror or reason}") from reason
            return path

        return self._disk.submit(write)

    def _prepare(self, folder: Path) -> None:
        makeFolders(self._calls, folder)
        if not self._ready:
            syncAbove(self._calls, folder)
            self._ready = True

    def drop(self, infoHash: bytes) -> Deferred[None]:
        """Keep our copy no longer.  Fails with C{StorageError}."""
        name = Path(f"{infoHash.hex()}.torrent")
        self._memory.pop(name, None)
        if self._folder is None:
            return succeed(None)
        path = self._folder / name

        def remove() -> None:
            try:
                self._calls.remove(str(path))
            except (FileNotFoundError, NotADirectoryError):
                pass
            except OSError as reason:
                raise explained(reason, str(path)) from reason

        return self._disk.submit(remove)
