"""
Torrent files: read from wherever a user keeps them, and kept where the next run finds them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred, fail, succeed

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


class RereadInfo:
    """
    The info dictionary of a torrent whose file is on disk: kept in memory while it is in use, and read again
    when it is asked for after that.  Any thread may call any method; reading takes as long as the disk does.

    @ivar path: where the file is; C{None}: nowhere, so the dictionary stays in memory.
    """

    __slots__ = ("_calls", "_info", "_wireHash", "path")

    def __init__(self, metainfo: Metainfo, path: Path, calls: FileCalls) -> None:
        self._calls = calls
        self._info: bytes | None = metainfo.infoBytes
        self._wireHash = metainfo.wireHash
        self.path: Path | None = path

    def __call__(self) -> bytes:
        """
        The dictionary.

        @raise StorageError: the file cannot be read any more, or is another torrent's now.
        """
        info = self._info  # another thread may forget it meanwhile
        if info is None:
            assert self.path is not None, "it stays in memory"
            try:
                metainfo = readMetafile(self.path, self._calls)
            except MetainfoError as reason:
                raise StorageError(str(reason)) from reason
            if metainfo.wireHash != self._wireHash:
                raise StorageError(f"{self.path} is another torrent than it was")
            info = self._info = metainfo.infoBytes
        return info

    @property
    def here(self) -> bool:
        """Whether it is in memory."""
        return self._info is not None

    def rest(self) -> None:
        """Forget it until it is asked for."""
        if self.path is not None:
            self._info = None

    def kept(self, path: Path | None) -> None:
        """
        From now on the file is at C{path}; C{None}: nowhere.

        @raise StorageError: then it is read once more, which failed.
        """
        if path is None:
            self._info = self()
        self.path = path


def infoIsHere(metainfo: Metainfo) -> bool:
    """Whether the info dictionary can be had without reading the disk."""
    return not isinstance(metainfo.info, RereadInfo) or metainfo.info.here


def restInfo(metainfo: Metainfo) -> None:
    """Nobody needs the info dictionary for now: forget it, if it can be read again."""
    if isinstance(metainfo.info, RereadInfo):
        metainfo.info.rest()


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

    def rereading(self, metainfo: Metainfo, path: Path) -> Metainfo:
        """
        C{metainfo}, whose info dictionary need not stay in memory, since the file at C{path} has it too: its
        C{info} is a L{RereadInfo}.  As it was, if it is nowhere but in memory.
        """
        if not self.onDisk(path):
            return metainfo
        return replace(metainfo, info=RereadInfo(metainfo, path, self._calls))

    def onDisk(self, path: Path) -> bool:
        """Whether what L{keep} said is a file."""
        return path not in self._memory

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
            try:
                self._memory[name] = replace(metainfo, info=metainfo.infoBytes)
            except StorageError:
                return fail()
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
