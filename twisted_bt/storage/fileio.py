"""
What is asked of the operating system: the calls, done completely, and their errors as sentences.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from threading import local

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


class FileCalls:
    """The system calls themselves.  A test hands in a subclass whose disk is full."""

    def open(self, name: str, flags: int, mode: int = 0o666, folder: int | None = None) -> int:
        """A descriptor of C{name}, which is looked up in C{folder} (a descriptor) where one is given."""
        return os.open(name, flags, mode, dir_fd=folder)

    def close(self, fd: int) -> None:
        """Close C{fd}."""
        os.close(fd)

    def makeFolder(self, name: str, folder: int) -> None:
        """Make the folder C{name} in C{folder}, a descriptor."""
        os.mkdir(name, dir_fd=folder)

    def makeLink(self, name: str, target: str, folder: int) -> None:
        """Make the symbolic link C{name} in C{folder}, a descriptor."""
        os.symlink(target, name, dir_fd=folder)

    def stat(self, fd: int) -> os.stat_result:
        """What is known of an open file."""
        return os.fstat(fd)

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


def writeAll(calls: FileCalls, fd: int, data: memoryview, offset: int) -> None:
    """
    Write all of C{data} (bytes) at C{offset}, in one call as a rule.

    @raise OSError: as it came; then any part of it may be written.
    """
    done = 0
    while done < len(data):
        end = min(len(data), done + SLICE * MAX_VECTORS)
        vector = [data[begin : min(begin + SLICE, end)] for begin in range(done, end, SLICE)]
        count = calls.write(fd, vector, offset + done)
        if count < 1:
            raise OSError(errno.EIO, "nothing was written")
        done += count


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


def dataRanges(fd: int, size: int) -> list[tuple[int, int]]:
    """
    The parts (begin, end) of the first C{size} bytes that are not holes; all of it where the system
    cannot tell.

    @raise OSError: as it came.
    """
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
    Keeps others from what C{path}, a file made for this, stands for.  Ends with the process at the latest.

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
