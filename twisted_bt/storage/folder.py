"""
The data folder of one torrent, as the only way to its files.

Each file is looked up part by part, from one open folder to the next, and no part may be a symbolic
link: whatever lies in the folder, nothing outside it is opened.  The data folder itself is the
user's choice and may be a link.

A folder once found is kept open for the next file in it, since of ten thousand small files most of the time
would be spent on the way to them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from threading import Lock
from typing import NamedTuple, TypeVar

from twisted_bt.errors import StorageError
from twisted_bt.storage.fileio import FileCalls, explained, makeFolders, syncFolder
from twisted_bt.storage.filepool import FilePool

T = TypeVar("T")

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_FOLDER = os.O_RDONLY | _CLOEXEC | getattr(os, "O_DIRECTORY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
# Without O_NONBLOCK, opening a named pipe would wait for its other end, perhaps for ever.
_FILE = _CLOEXEC | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Found(NamedTuple):
    """An open file: its descriptor, and what the system knows of it."""

    fd: int
    stat: os.stat_result


class DataFolder:
    """
    Opens, makes and syncs what is in one folder.  Any thread may call any method.

    It is made, with the folders above it, when first something is to be made in it.  Once seen, it is
    never made again: a folder that vanishes is a disk that was unplugged, and what is written
    into a new folder of that name would be lost on another disk.

    @param pool: keeps folders open, until L{sync} or L{close}; to be that of the files in them.
    """

    def __init__(self, path: Path, calls: FileCalls, pool: FilePool) -> None:
        self._path = path
        self._name = str(path)
        self._calls = calls
        self._pool = pool
        self._lock = Lock()
        self._device: int | None = None  # of the folder, once seen
        # Folders, below the data folder, with names that are not known to be on the disk.
        self._fresh: dict[tuple[str, ...], None] = {}
        self._above = list(path.parents)  # the same of it, and of those above it

    def survey(self) -> Callable[[tuple[str, ...]], bool]:
        """
        What tells whether a folder may be there, and anything in it.  It looks at each once, so that nobody
        need look for the ten thousand files of a torrent that is new.
        """
        if self._device is not None:
            return lambda path: True
        known: dict[tuple[str, ...], bool] = {}

        def mayBe(path: tuple[str, ...]) -> bool:
            found = known.get(path)
            if found is None:
                # By length, and not by calling itself: there are paths of thousands of folders.
                for depth in range(len(path) + 1):
                    above = path[:depth]
                    if above not in known:
                        known[above] = self._isThere(above)
                    if not known[above]:
                        known[path] = False
                        break
                found = known[path]
            return found

        return mayBe

    def _isThere(self, path: tuple[str, ...]) -> bool:
        try:
            self._calls.look(self.name(path), follow=not path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (OSError, ValueError):
            pass  # who goes there will say so
        return True

    def name(self, path: tuple[str, ...]) -> str:
        """The whole path of a file, for people."""
        return os.sep.join((self._name, *path))

    def openFile(self, path: tuple[str, ...], write: bool) -> Found:
        """
        The file at C{path}, opened for reading or for both.

        @raise StorageError: something in the way is no folder or file: a link, a pipe, a device.  Or the data
            folder was here, and is no longer.
        @raise OSError: all other trouble, as it came; C{FileNotFoundError} means just that.
        """
        flags = _FILE | (os.O_RDWR if write else os.O_RDONLY)

        def find(folder: int) -> Found:
            fd = self._openHere(path, flags, 0, folder)
            try:
                found = Found(fd, self._calls.stat(fd))
                if not S_ISREG(found.stat.st_mode):
                    raise StorageError(f"not a file: {self.name(path)}")
            except BaseException:
                self._calls.close(fd)
                raise
            return found

        return self._inFolder(path[:-1], False, find)

    def makeFile(self, path: tuple[str, ...], mode: int = 0o666) -> int | None:
        """
        A descriptor, for reading and writing, of a new file at C{path}, which is to last (see L{use}).  The
        folders on the way are made where missing.

        @param mode: its permissions, less the umask.
        @return: C{None} if something is there already, whatever it is; that is to last too.
        @raise StorageError: as L{openFile}.
        @raise OSError: as L{openFile}.
        """
        flags = _FILE | os.O_RDWR | os.O_CREAT | os.O_EXCL
        try:
            fd = self._inFolder(path[:-1], True, lambda folder: self._openHere(path, flags, mode, folder))
        except FileExistsError:
            fd = None
        self.use(path)
        return fd

    def use(self, path: tuple[str, ...]) -> None:
        """
        What is at C{path} is to last: L{sync} sees to its name, and to all on the way.  Also if it was there
        before: perhaps it was made by a process that was killed before it came to that.
        """
        # What leads to a folder came in with it, or was synced since.
        if path[:-1] not in self._fresh:
            with self._lock:
                self._fresh.update({path[:depth]: None for depth in range(len(path))})

    def makeLink(self, path: tuple[str, ...], target: tuple[str, ...]) -> None:
        """
        See that there is something at C{path}: if nothing is, a symbolic link to C{target} in this folder.

        @raise StorageError: as L{openFile}.
        @raise OSError: as L{openFile}.
        """
        where = _relative(path[:-1], target)
        with suppress(FileExistsError):
            self._inFolder(path[:-1], True, lambda folder: self._calls.makeLink(path[-1], where, folder))
        self.use(path)

    def sync(self) -> None:
        """
        Return once the names of all files and folders L{use}d so far are on the disk.  What was moved away
        meanwhile is noticed here.

        @raise StorageError: they could not be put there; a later call tries again.
        """
        self.close()
        with self._lock:
            fresh = list(self._fresh)
        while fresh and self._above:
            with self._syncing(str(self._above[-1])), suppress(PermissionError):  # then we did not make it
                syncFolder(self._calls, self._above[-1])
            self._above.pop()
        for inner in fresh:
            with self._lock:
                self._fresh.pop(inner, None)  # before the sync: what is made meanwhile is for the next
            try:
                with self._syncing(self.name(inner)):
                    self._sync(self._openFolder(inner, False))
            except BaseException:
                with self._lock:
                    self._fresh[inner] = None
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

    def close(self) -> None:
        """Close the folders that are kept open."""
        self._pool.close(self)

    def _openHere(self, path: tuple[str, ...], flags: int, mode: int, folder: int) -> int:
        try:
            return self._calls.open(path[-1], flags, mode, folder)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
                raise StorageError(f"a link or a device, not a file: {self.name(path)}") from error
            raise

    def _inFolder(self, path: tuple[str, ...], create: bool, job: Callable[[int], T]) -> T:
        """What C{job} gives for a descriptor of the folder at C{path}."""
        held = self._pool.held(self, path)
        if held is not None:
            try:
                with held as folder:
                    return job(folder)
            except FileNotFoundError:  # perhaps the folder was deleted, and is there again
                self._pool.drop(self, path)
        fd = self._pool.open(lambda: self._openFolder(path, create))
        with self._pool.hold(self, path, fd) as folder:
            return job(folder)

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
        self.use((*parent, name))
        return self._calls.open(name, _FOLDER | _NOFOLLOW, folder=folder)

    def _openRoot(self, create: bool) -> int:
        try:
            fd = self._calls.open(self._name, _FOLDER)
        except FileNotFoundError as error:
            if self._device is not None:
                raise StorageError(f"folder {self._path} is gone") from error
            if not create:
                raise
            makeFolders(self._calls, self._path)
            fd = self._calls.open(self._name, _FOLDER)
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
