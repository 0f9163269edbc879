"""
What is asked of the operating system: the calls, done completely, and their errors as sentences.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import local
from typing import Protocol

from twisted_bt.errors import StorageError

try:
    import fcntl
except ImportError:  # no such thing on Windows
    fcntl = None  # type: ignore[assignment]

#: Bytes in one element of a vectored write.  From 16 KiB to 1 MiB they cost the same in most measurements,
#: but a whole piece as one element was several times slower in some, on ext4.  With 64 KiB, a piece of
#: 64 MiB is still one call.
SLICE = 64 << 10
#: Elements in one vectored write: the least that Linux and macOS promise to take (IOV_MAX).
MAX_VECTORS = 1024

_SEEK_DATA = getattr(os, "SEEK_DATA", None)
_SEEK_HOLE = getattr(os, "SEEK_HOLE", None)


class ILock(Protocol):
    """A lock that is held."""

    def release(self) -> None:
        """Let others have it.  Not to be called twice."""


class FileCalls:
    """
    The system calls themselves: all that the engine asks of a file system.

    Who keeps files elsewhere hands in a subclass (as
    L{Plugins.files<twisted_bt.sessions.engine.Plugins.files>}): the simulated disk
    L{twisted_bt.testing.filesystem.SimulatedFiles}, one that is full, one in memory.  All of them raise
    C{OSError} with the system's error numbers.  Any thread may call any method.
    """

    def open(self, name: str, flags: int, mode: int = 0o666, folder: int | None = None) -> int:
        """A descriptor of C{name}, which is looked up in C{folder} (a descriptor) where one is given."""
        return os.open(name, flags, mode, dir_fd=folder)

    def close(self, fd: int) -> None:
        """Close C{fd}."""
        os.close(fd)

    def makeFolder(self, name: str, folder: int | None = None, mode: int = 0o777) -> None:
        """Make the folder C{name} in C{folder}, a descriptor."""
        os.mkdir(name, mode, dir_fd=folder)

    def makeLink(self, name: str, target: str, folder: int) -> None:
        """Make the symbolic link C{name} in C{folder}, a descriptor."""
        os.symlink(target, name, dir_fd=folder)

    def rename(self, name: str, target: str) -> None:
        """The file C{name} is C{target} from now on, in place of what had that name."""
        os.replace(name, target)

    def remove(self, name: str) -> None:
        """There is no file C{name} any more; who has it open may go on with it."""
        os.unlink(name)

    def stat(self, fd: int) -> os.stat_result:
        """What is known of an open file."""
        return os.fstat(fd)

    def look(self, name: str, folder: int | None = None, follow: bool = False) -> os.stat_result:
        """
        What is known of C{name}.

        @param follow: of what a symbolic link leads to, and not of the link.
        """
        return os.stat(name, dir_fd=folder, follow_symlinks=follow)

    def dataRanges(self, fd: int, size: int) -> list[tuple[int, int]]:
        """
        The parts (begin, end) of the first C{size} bytes that are not holes; all of it where the system
        cannot tell.
        """
        return _dataRanges(fd, size)

    def write(self, fd: int, buffers: list[memoryview], offset: int) -> int:
        """Write some of C{buffers} at C{offset}; returns how many bytes that were."""
        return os.pwritev(fd, buffers, offset)

    def read(self, fd: int, buffer: memoryview, offset: int) -> int:
        """Fill C{buffer} from C{offset} on, perhaps partly; returns how many bytes came, 0 at the end."""
        return os.preadv(fd, [buffer], offset)

    def readNew(self, fd: int, length: int, offset: int) -> bytes:
        """C{length} bytes from C{offset} on, or fewer; none at the end."""
        return os.pread(fd, length, offset)

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file at C{size}."""
        os.ftruncate(fd, size)

    def allocate(self, fd: int, size: int) -> None:
        """Reserve room for C{size} bytes."""
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, size)
        else:
            raise OSError(errno.EOPNOTSUPP, "no way to reserve room")

    def changeMode(self, fd: int, mode: int) -> None:
        """Set the permissions."""
        os.fchmod(fd, mode)

    def sync(self, fd: int) -> None:
        """Return once all that was written to C{fd}, and its modification time, is on the disk."""
        os.fsync(fd)

    def lock(self, path: Path) -> ILock:
        """
        Keep others from what C{path}, a file made for this, stands for; ends with the process at the latest.

        @raise BlockingIOError: somebody has it, in this process or another.
        """
        return FileLock(path)

    def connect(self, path: Path, readOnly: bool = False) -> sqlite3.Connection:
        """
        The SQLite database in the file C{path}, made where missing; transactions are begun by hand.

        @param readOnly: for looking things up beside a connection that writes.
        @raise sqlite3.Error: it cannot be opened.
        """
        # A connection is used by one thread at a time, not always by the same.
        name = path.absolute().as_uri() + ("?mode=ro" if readOnly else "")
        return sqlite3.connect(name, timeout=1.0, isolation_level=None, check_same_thread=False, uri=True)


def writeAll(calls: FileCalls, fd: int, data: memoryview, offset: int) -> None:
    """Write all of C{data} (bytes) at C{offset}; see L{writeParts}."""
    writeParts(calls, fd, [data], offset)


def writeParts(calls: FileCalls, fd: int, parts: Iterable[memoryview], offset: int) -> None:
    """
    Write all of C{parts} (bytes), one behind the other from C{offset} on, in one call as a rule.

    @raise OSError: as it came; then any part of it may be written.
    """
    slices = [part[begin : begin + SLICE] for part in parts for begin in range(0, len(part), SLICE)]
    done = 0
    while done < len(slices):
        vector = slices[done : done + MAX_VECTORS]
        count = calls.write(fd, vector, offset)
        if count < 1:
            raise OSError(errno.EIO, "nothing was written")
        offset += count
        for each in vector:
            if count < len(each):
                slices[done] = each[count:]
                break
            count -= len(each)
            done += 1


def readInto(calls: FileCalls, fd: int, buffer: memoryview, offset: int) -> int:
    """
    Fill C{buffer} from C{offset} on; returns how many bytes there were, fewer only at the file's end.

    @raise OSError: as it came.
    """
    done = 0
    while done < len(buffer):
        count = calls.read(fd, buffer[done:], offset + done)
        if count == 0:
            break
        done += count
    return done


def _dataRanges(fd: int, size: int) -> list[tuple[int, int]]:
    if _SEEK_DATA is None or _SEEK_HOLE is None:
        return [(0, size)]
    ranges = []
    end = 0
    while end < size:
        try:
            begin = os.lseek(fd, end, _SEEK_DATA)
            end = os.lseek(fd, begin, _SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here on
                break
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
                return [(0, size)]
            raise
        if begin < size:
            ranges.append((begin, min(end, size)))
    return ranges


# -- whole files and folders


def makeFolders(calls: FileCalls, path: Path, mode: int = 0o777) -> None:
    """
    Make the folder C{path}, and those above it, where missing.

    @param mode: permissions of C{path} itself, if it is made.
    @raise OSError: as it came.
    """
    missing = []
    for each in (path, *path.parents):
        if _isThere(calls, each):
            break
        missing.append(each)
    for each in reversed(missing):
        with suppress(FileExistsError):  # somebody was faster
            calls.makeFolder(str(each), mode=mode if each == path else 0o777)


def _isThere(calls: FileCalls, path: Path) -> bool:
    try:
        calls.look(str(path), follow=True)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def syncFolder(calls: FileCalls, path: Path) -> None:
    """
    Return once the names of all that is in the folder C{path} are on the disk.

    @raise OSError: as it came.
    """
    fd = calls.open(str(path), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_DIRECTORY", 0))
    try:
        calls.sync(fd)
    except OSError as error:
        # Some file systems cannot sync a folder, and need not.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        calls.close(fd)


def syncAbove(calls: FileCalls, path: Path) -> None:
    """
    Return once the folder C{path} and those above it have their names on the disk, whoever made them:
    perhaps a process that was killed before it came to sync them.

    @raise OSError: as it came.
    """
    for each in path.parents:
        # A folder that we may not even read was hardly made by us.
        with suppress(PermissionError):
            syncFolder(calls, each)


def readFile(calls: FileCalls, path: Path, limit: int) -> bytes:
    """
    What the file C{path} holds, or its first C{limit} bytes.

    @raise OSError: as it came.
    """
    fd = calls.open(str(path), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        parts: list[bytes] = []
        done = 0
        while done < limit and (part := calls.readNew(fd, min(limit - done, 1 << 20), done)):
            parts.append(part)
            done += len(part)
        return b"".join(parts)
    finally:
        calls.close(fd)


def replaceFile(calls: FileCalls, path: Path, data: bytes) -> None:
    """
    All of C{data} under the name C{path}, or what was there before, whatever happens; once this returns, also
    after a loss of power, if the folder itself survives that.

    @raise OSError: as it came; nothing is left behind.
    """
    new = path.with_suffix(".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    fd = calls.open(str(new), flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        try:
            writeAll(calls, fd, memoryview(data), 0)
            calls.sync(fd)
        finally:
            calls.close(fd)
        calls.rename(str(new), str(path))
    except BaseException:
        with suppress(OSError):
            calls.remove(str(new))
        raise
    syncFolder(calls, path.parent)


class Scratch(local):
    """A buffer for each thread, kept between uses: fresh memory costs more than what is done with it."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def take(self, size: int) -> memoryview:
        """C{size} bytes of any content; to be used no longer once C{take} is called again."""
        if len(self._buffer) < size:
            self._buffer = bytearray(size)
        return memoryview(self._buffer)[:size]


class FileLock:
    """
    What L{FileCalls.lock} gives.

    @raise BlockingIOError: somebody has it, in this process or another.
    @raise OSError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        if fcntl is not None:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BaseException:
                os.close(self._fd)
                raise

    def release(self) -> None:
        """Let others have it.  Not to be called twice."""
        os.close(self._fd)


_REASONS = {
    errno.ENOSPC: "disk full while writing {path}",
    errno.EDQUOT: "disk quota used up while writing {path}",
    errno.EFBIG: "{path} grows larger than the file system or a limit allows",
    errno.EACCES: "permission denied: {path}",
    errno.EPERM: "permission denied: {path}",
    errno.EROFS: "read-only file system: {path}",
    errno.ENOENT: "{path} is gone",
    errno.ENOTDIR: "a file is where a folder must be, on the way to {path}",
    errno.EISDIR: "a folder is where a file must be: {path}",
    errno.ENAMETOOLONG: "the name is too long for the file system: {path}",
    errno.EIO: "the disk fails (input/output error) at {path}",
    errno.EMFILE: "too many open files, at {path}",
    errno.ENFILE: "too many open files, at {path}",
}


def explained(error: OSError | ValueError, path: str) -> StorageError:
    """What went wrong at C{path}, for people.  C{ValueError}: a name that the system cannot express."""
    if isinstance(error, OSError):
        text = _REASONS.get(error.errno or 0)
        if text is not None:
            return StorageError(text.format(path=path))
        return StorageError(f"{error.strerror or error}: {path}")
    return StorageError(f"no file can have this name here: {path!r}")
