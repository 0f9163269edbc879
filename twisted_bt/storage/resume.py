"""
Which pieces were verified, kept between runs.

The rule that makes this safe: data is flushed I{before} the bitfield that claims it is saved
(L{IStorage.flush<twisted_bt.interfaces.IStorage.flush>}, then L{ResumeStore.save}).  What such a state
is worth when it is found again is judged in L{twisted_bt.storage.trust}.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from threading import Lock

from bitarray import bitarray
from bitarray.util import sc_decode, sc_encode
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_bt.storage.database import StateDatabase
from twisted_bt.storage.groupcommit import GroupCommit

#: More pieces than any torrent has (libtorrent's limit is 2,097,152); a damaged row may say anything.
MAX_PIECES = 1 << 24


@dataclass(frozen=True, slots=True)
class ResumeState:
    """
    What was known of a torrent when it was saved.

    @ivar verified: pieces that had their hash, and were flushed before this was saved.
    @ivar signature: the storage's, after that flush.
    @ivar writing: pieces may have been written since that flush: C{True} from before the first write
        until the flush after the last.
    @ivar savedAt: seconds since 1970.
    @ivar uploaded: bytes, over all runs.
    @ivar downloaded: bytes, over all runs.
    """

    verified: bitarray
    signature: bytes
    writing: bool
    savedAt: float
    uploaded: int
    downloaded: int


_TABLE = """
CREATE TABLE IF NOT EXISTS resume (
    infoHash BLOB NOT NULL PRIMARY KEY,
    verified BLOB NOT NULL,
    signature BLOB NOT NULL,
    writing INTEGER NOT NULL,
    savedAt REAL NOT NULL,
    uploaded INTEGER NOT NULL,
    downloaded INTEGER NOT NULL
)
"""
_COLUMNS = "verified, signature, writing, savedAt, uploaded, downloaded"


class ResumeStore:
    """
    The L{ResumeState} of each torrent, by info-hash.

    States that are saved while the database is busy go into one transaction: what syncs the disk is
    the commit, and a client with a thousand torrents should not wait for a thousand of them.

    Its methods fail with L{StorageError<twisted_bt.errors.StorageError>} or
    L{SessionStopped<twisted_bt.errors.SessionStopped>}.

    @param database: not yet open.
    """

    def __init__(self, database: StateDatabase | GroupCommit) -> None:
        self._database = database
        database.ensure(_TABLE)
        self._batch: _Batch | None = None

    def load(self, infoHash: bytes) -> Deferred[ResumeState | None]:
        """What was saved last; C{None}: nothing, or it is damaged."""

        def select(connection: sqlite3.Connection) -> ResumeState | None:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM resume WHERE infoHash = ?", (infoHash,)
            ).fetchone()
            return None if row is None else _decode(*row)

        return self._database.run(select)

    def save(self, infoHash: bytes, state: ResumeState) -> Deferred[None]:
        """Fires once C{state} survives a loss of power.  C{state.verified} may be changed afterwards."""
        return self.saveMany({infoHash: state})

    def saveMany(self, states: Mapping[bytes, ResumeState]) -> Deferred[None]:
        """L{save} for each of C{states}, in one transaction."""
        copies = {key: replace(state, verified=state.verified.copy()) for key, state in states.items()}
        if self._batch is not None and self._batch.add(copies):
            return self._batch.written()
        batch = self._batch = _Batch(copies)
        written = batch.written()
        self._database.run(batch.write).addBoth(batch.done)
        return written

    def forget(self, infoHash: bytes) -> Deferred[None]:
        """What is known of C{infoHash} is dropped."""
        self._batch = None  # what is saved from now on must not slip into what comes before this

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM resume WHERE infoHash = ?", (infoHash,))

        return self._database.run(delete)


class _Batch:
    """States on their way into one transaction; the reactor thread adds until the worker begins."""

    def __init__(self, states: dict[bytes, ResumeState]) -> None:
        self._lock = Lock()
        self._states: dict[bytes, ResumeState] | None = states
        self._waiters: list[Deferred[None]] = []

    def add(self, states: dict[bytes, ResumeState]) -> bool:
        """Take C{states} too; C{False}: it is too late for that."""
        with self._lock:
            if self._states is None:
                return False
            self._states.update(states)
            return True

    def written(self) -> Deferred[None]:
        """A new Deferred of the outcome; cancelling it changes nothing for the others."""
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def write(self, connection: sqlite3.Connection) -> None:
        """The transaction."""
        connection.executemany(
            f"INSERT OR REPLACE INTO resume (infoHash, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(infoHash, *_encode(state)) for infoHash, state in self._seal().items()],
        )

    def done(self, result: Failure | None) -> None:
        """The transaction came to its end, perhaps without having begun."""
        self._seal()
        for waiter in self._waiters:
            if isinstance(result, Failure):
                waiter.errback(result)
            else:
                waiter.callback(None)

    def _seal(self) -> dict[bytes, ResumeState]:
        with self._lock:
            states, self._states = self._states or {}, None
            return states


def _encode(state: ResumeState) -> tuple[bytes, bytes, int, float, int, int]:
    verified = sc_encode(state.verified)
    return verified, state.signature, state.writing, state.savedAt, state.uploaded, state.downloaded


def _decode(
    verified: object,
    signature: object,
    writing: object,
    savedAt: object,
    uploaded: object,
    downloaded: object,
) -> ResumeState | None:
    """A row, if it can be one that we wrote."""
    match verified, signature, writing, savedAt, uploaded, downloaded:
        case bytes(packed), bytes(sign), (0 | 1) as flag, float(when), int(up), int(down):
            bits = _decodeBits(packed)
            if bits is None or not isfinite(when) or when < 0 or up < 0 or down < 0:
                return None
            return ResumeState(bits, sign, bool(flag), when, up, down)
    return None


def _decodeBits(packed: bytes) -> bitarray | None:
    # The head says how many bits follow: a first byte whose low nibble counts the bytes of that number.
    # It is looked at before anything of that size is made.
    if not packed:
        return None
    width = packed[0] & 0x0F
    if int.from_bytes(packed[1 : 1 + width], "little") > MAX_PIECES:
        return None
    try:
        stream = iter(packed)
        bits = sc_decode(stream)
    except (ValueError, StopIteration, IndexError, MemoryError, OverflowError):
        return None
    return bits if next(stream, None) is None and bits.endian == "big" else None
