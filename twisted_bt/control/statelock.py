"""
One state folder, one process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from twisted.python.lockfile import FilesystemLock

from twisted_bt.errors import SettingsError

try:
    import fcntl
except ImportError:  # no such thing on Windows
    fcntl = None  # type: ignore[assignment]

_NAME = "lock"


class StateLock:
    """
    Holds a state folder for this process, and for those it forks.

    The lock is C{flock}'s: it belongs to the open file, so it survives going to the background (which
    is two forks) and falls with the last of the processes, however they end.  Where there is no
    C{flock} there is no such forking either, and a lock by process id does.
    """

    def __init__(self, stateDir: Path) -> None:
        self._stateDir = stateDir
        self._file: IO[str] | None = None
        self._byProcess: FilesystemLock | None = None

    def acquire(self) -> None:
        """
        Take the folder, which must exist.  Taking it again changes nothing.

        @raise SettingsError: somebody else has it, or it cannot be written to.
        """
        if self._file is not None or self._byProcess is not None:
            return
        path = self._stateDir / _NAME
        taken = f"the state folder {self._stateDir} is used by another process"
        try:
            if fcntl is None:
                lock = FilesystemLock(str(path))
                if not lock.lock():
                    raise SettingsError(taken)
                self._byProcess = lock
                return
            file = path.open("a", encoding="ascii")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.close()
                raise SettingsError(taken) from error
            except OSError:
                file.close()
                raise
            self._file = file
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise SettingsError(f"cannot lock the state folder {self._stateDir}: {reason}") from error

    def release(self) -> None:
        """Give the folder back.  Doing so twice, or without having it, changes nothing."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
        byProcess, self._byProcess = self._byProcess, None
        if byProcess is not None:
            byProcess.unlock()
