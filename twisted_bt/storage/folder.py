"""
The data folder of one torrent, as the only way to its files.

Each file is looked up part by part, from one open folder to the next, and no part may be a symbolic
link: whatever lies in the folder, nothing outside it is opened.  The data folder itself is the
user's choice and may be a link.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from threading import Lock

from twisted_bt.errors import StorageError
from twisted_bt.storage.fileio import FileCalls, explained, makeFolders, syncFolder

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_FOLDER = os.O_RDONLY | _CLOEXEC | getattr(os, "O_DIRECTORY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
# Without O_NONBLOCK, opening a named pipe would wait for its other end, perhaps for ever.
_FILE = _CLOEXEC | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class DataFolder:
    """
    Opens, makes and syncs what is in one folder.  Any thread may call any method.

    It is made, with the folders above it, when first something is to be made in it.  Once seen, it is
    never made again: a folder that vanishes is a disk that was unplugged, and what is written
    into a new folder of that name would be lost on another disk.
    """

    def __init__(self, path: Path, calls: FileCalls) -> None:
        self._path = path
        self._calls = calls
        self._lock = Lock()
        self._device: int | None = None  # of the folder, once seen
        # Folders, below the data folder, with names that are not known to be on the disk.
        self._fresh: set[tuple[str, ...]] = set()
        self._above = list(path.parents)  # the same of it, and of those above it

    def name(self, path: tuple[str, ...]) -> str:
        """The whole path of a file, for people."""
        return str(self._path.joinpath(*path))

    def openFile(self, path: tuple[str, ...], write: bool, create: bool = False, mode: int = 0o666) -> int:
        """
        A descriptor of the file at C{path}, for reading or for both.

        @param create: make it, and the folders on the way, where missing.
        @param mode: permissions of a new file, less the umask.
        @raise StorageError: something in the way is no folder or file: a link, a pipe, a device.  Or the data
            folder was here, and is no longer.
        @raise OSError: all other trouble, as it came; C{FileNotFoundError} means just that.
        """
        flags = _FILE | (os.O_RDWR if write else os.O_RDONLY)
        folder = self._openFolder(path[:-1], create)
        try:
            fd = self._openOrMake(path, flags, create, mode, folder)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
                raise StorageError(f"a link or a device, not a file: {self.name(path)}") from error
            raise
        finally:
            self._calls.close(folder)
        if not S_ISREG(self._calls.stat(fd).st_mode):
            self._calls.close(fd)
            raise StorageError(f"not a file: {self.name(path)}")
        if create:
            self.use(path)
        return fd

    def use(self, path: tuple[str, ...]) -> None:
        """
        What is at C{path} is to last: L{sync} sees to its name, and to all on the way.  Also if it was there
        before: perhaps it was made by a process that was killed before it came to that.
        """
        with self._lock:
            self._fresh.update(path[:depth] for depth in range(len(path)))

    def makeLink(self, path: tuple[str, ...], target: tuple[str, ...]) -> None:
        """
        See that there is something at C{path}: if nothing is, a symbolic link to C{target} in this folder.

        @raise StorageError: as L{openFile}.
        @raise OSError: as L{openFile}.
        """
        folder = self._openFolder(path[:-1], True)
        try:
            self._calls.makeLink(path[-1], _relative(path[:-1], target), folder)
        except FileExistsError:
            pass
        finally:
            self._calls.close(folder)
        self.use(path)

    def sync(self) -> None:
        """
        Return once the names of all files and folders L{use}d so far are on the disk.

        @raise StorageError: they could not be put there; a later call tries again.
        """
        with self._lock:
            fresh = list(self._fresh)
        while fresh and self._above:
            with self._syncing(str(self._above[-1])), suppress(PermissionError):  # then we did not make it
                syncFolder(self._calls, self._above[-1])
            self._above.pop()
        for inner in fresh:
            with self._lock:
                self._fresh.discard(inner)  # before the sync: what is made meanwhile is for the next
            try:
                with self._syncing(self.name(inner)):
                    self._sync(self._openFolder(inner, False))
            except BaseException:
                with self._lock:
                    self._fresh.add(inner)
                raise

    @contextmanager
    def _syncing(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # Some file systems cannot sync a folder, and need not.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise explained(error, name) from error

    def _sync(self, folder: int) -> None:
        try:
            self._calls.sync(folder)
        finally:
            self._calls.close(folder)

    def _openOrMake(self, path: tuple[str, ...], flags: int, create: bool, mode: int, folder: int) -> int:
        try:
            return self._calls.open(path[-1], flags, mode, folder)
        except FileNotFoundError:
            if not create:
                raise
        return self._calls.open(path[-1], flags | os.O_CREAT, mode, folder)

    def _openFolder(self, path: tuple[str, ...], create: bool) -> int:
        """A descriptor of the folder at C{path}; the caller closes it."""
        folder = self._openRoot(create)
        for depth, name in enumerate(path):
            try:
                inner = self._step(name, folder, create, path[:depth])
            finally:
                self._calls.close(folder)
            folder = inner
        return folder

    def _step(self, name: str, folder: int, create: bool, parent: tuple[str, ...]) -> int:
        try:
            return self._calls.open(name, _FOLDER | _NOFOLLOW, folder=folder)
        except FileNotFoundError:
            if not create:
                raise
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.EMLINK) and self._isLink(name, folder):
                where = self.name((*parent, name))
                raise StorageError(f"a symbolic link is where a folder must be: {where}") from error
            raise
        with suppress(FileExistsError):  # another thread was faster
            self._calls.makeFolder(name, folder)
        return self._calls.open(name, _FOLDER | _NOFOLLOW, folder=folder)

    def _openRoot(self, create: bool) -> int:
        try:
            fd = self._calls.open(str(self._path), _FOLDER)
        except FileNotFoundError as error:
            if self._device is not None:
                raise StorageError(f"folder {self._path} is gone") from error
            if not create:
                raise
            makeFolders(self._calls, self._path)
            fd = self._calls.open(str(self._path), _FOLDER)
        device = self._calls.stat(fd).st_dev
        if self._device is None:
            self._device = device
        elif self._device != device:
            self._calls.close(fd)
            raise StorageError(f"folder {self._path} is on another disk than it was: is its own unplugged?")
        return fd

    def _isLink(self, name: str, folder: int) -> bool:
        try:
            return S_ISLNK(self._calls.look(name, folder).st_mode)
        except OSError:
            return False


def _relative(folder: tuple[str, ...], target: tuple[str, ...]) -> str:
    """The way to C{target} from C{folder}."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(folder, target, strict=False))
    common = sum(1 for _ in same)
    return os.sep.join([".."] * (len(folder) - common) + list(target[common:])) or "."
