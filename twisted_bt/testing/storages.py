"""
Contract tests for storages, and what they need; for your own storages too.

    >>> class MyStorageTests(StorageContract, SynchronousTestCase):
    ...     def makeStorage(self, sample: Sample) -> IStorage:
    ...         return MyStorage(sample.layout, sample.check)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha1
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from bitarray import bitarray
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_bt.errors import PieceCorrupt, SessionStopped, StorageError
from twisted_bt.interfaces import Buffer, IBatchStorage, IDiskQueue, IStorage
from twisted_bt.storage.diskqueue import Pressure
from twisted_bt.storage.filemap import FileSpan
from twisted_bt.torrent.pieces import PieceLayout

if TYPE_CHECKING:
    _TestCase = SynchronousTestCase
else:
    _TestCase = object

T = TypeVar("T")


class Sample:
    """
    Content to store: files one after the other, filled with reproducible random bytes.

    @param lengths: of the files, in bytes; their paths are C{("sample", "file-0")} and so on.
    @param pads: the numbers of those that are pad files (BEP 47).
    @ivar content: all bytes.
    @ivar files: as L{FileSpan}s.
    @ivar layout: its pieces.
    """

    def __init__(
        self, lengths: Sequence[int], pieceLength: int, seed: int = 0, pads: Sequence[int] = ()
    ) -> None:
        random = Random(seed)
        self.files: list[FileSpan] = []
        content = bytearray()
        for number, length in enumerate(lengths):
            isPad = number in pads
            self.files.append(FileSpan(("sample", f"file-{number}"), len(content), length, isPad))
            content += bytes(length) if isPad else random.randbytes(length)
        self.content = bytes(content)
        self.layout = PieceLayout(len(content), pieceLength)
        self.hashes = [sha1(self.piece(index)).digest() for index in range(self.layout.pieceCount)]

    def piece(self, index: int) -> bytes:
        """The bytes of piece C{index}."""
        start = self.layout.pieceOffset(index)
        return self.content[start : start + self.layout.pieceSize(index)]

    def fileContent(self, number: int) -> bytes:
        """The bytes of file C{number}."""
        span = self.files[number]
        return self.content[span.offset : span.offset + span.length]

    def check(self, index: int, data: Buffer) -> bool:
        """Whether C{data} is piece C{index}."""
        return sha1(data).digest() == self.hashes[index]


class StorageContract(_TestCase):
    """
    What every L{IStorage} promises.  Mix it into a C{SynchronousTestCase} and say how to make yours.
    """

    def makeStorage(self, sample: Sample) -> IStorage:
        """A new, empty storage for C{sample}.  Called once a test."""
        raise NotImplementedError

    def result(self, deferred: Deferred[T]) -> T:
        """The result of C{deferred}.  Override this where yours do not fire at once."""
        return self.successResultOf(deferred)

    def failure(self, deferred: Deferred[Any], *kinds: type[Exception]) -> Failure:
        """The failure of C{deferred}, of one of C{kinds}.  Override this where yours do not fire at once."""
        reason: Failure = self.failureResultOf(deferred, *kinds)
        return reason

    def filled(self, sample: Sample) -> IStorage:
        """A storage that all of C{sample} was written to."""
        storage = self.makeStorage(sample)
        for index in range(sample.layout.pieceCount):
            self.result(storage.writePiece(index, sample.piece(index)))
        return storage

    def _sample(self) -> Sample:
        """Files within a piece, over several, of one byte and none; a short last piece."""
        return Sample([5, 0, 70_000, 1, 1, 40_000, 0, 20_001], 1 << 15)

    def test_interface(self) -> None:
        """It has the methods of L{IStorage}."""
        verifyObject(IStorage, self.makeStorage(self._sample()))

    def test_empty(self) -> None:
        """Of a new storage no piece is allocated nor verifies."""
        sample = self._sample()
        storage = self.makeStorage(sample)
        self.assertEqual(self.result(storage.allocated()), bitarray(sample.layout.pieceCount))
        self.assertIs(self.result(storage.verifyPiece(0)), False)

    def test_readMissing(self) -> None:
        """To read what was never written is a L{StorageError}."""
        self.failure(self.makeStorage(self._sample()).read(0, 0, 10), StorageError)

    def test_roundTrip(self) -> None:
        """What was written is read, verifies, and is allocated, the short last piece too."""
        sample = self._sample()
        storage = self.filled(sample)
        for index in range(sample.layout.pieceCount):
            size = sample.layout.pieceSize(index)
            self.assertEqual(self.result(storage.read(index, 0, size)), sample.piece(index))
            self.assertIs(self.result(storage.verifyPiece(index)), True)
        self.assertTrue(self.result(storage.allocated()).all())

    def test_readParts(self) -> None:
        """Any part of a piece can be read, as C{bytes}."""
        sample = self._sample()
        storage = self.filled(sample)
        for index, begin, length in ((0, 0, 1), (0, 4, 2), (0, 32767, 1), (2, 4469, 20), (3, 100, 16384)):
            data = self.result(storage.read(index, begin, length))
            self.assertIs(type(data), bytes)
            self.assertEqual(data, sample.piece(index)[begin : begin + length])

    def test_someMissing(self) -> None:
        """Only the pieces written verify, and none that is missing is claimed to."""
        sample = self._sample()
        storage = self.makeStorage(sample)
        last = sample.layout.pieceCount - 1
        for index in (last, 1):
            self.result(storage.writePiece(index, sample.piece(index)))
        found = [self.result(storage.verifyPiece(index)) for index in range(last + 1)]
        self.assertEqual(found, [index in (last, 1) for index in range(last + 1)])
        allocated = self.result(storage.allocated())
        self.assertEqual([allocated[1], allocated[last]], [True, True])

    def test_corrupt(self) -> None:
        """A piece that does not match its hash is L{PieceCorrupt}, and not stored."""
        sample = self._sample()
        storage = self.makeStorage(sample)
        bad = bytes([sample.piece(1)[0] ^ 1]) + sample.piece(1)[1:]
        reason = self.failure(storage.writePiece(1, bad), PieceCorrupt)
        assert isinstance(reason.value, PieceCorrupt)
        self.assertEqual(reason.value.index, 1)
        self.assertIs(self.result(storage.verifyPiece(1)), False)

    def test_corruptChangesNothing(self) -> None:
        """A corrupt piece leaves a good one of the same index as it was."""
        sample = self._sample()
        storage = self.filled(sample)
        self.failure(storage.writePiece(1, bytes(1 << 15)), PieceCorrupt)
        self.assertIs(self.result(storage.verifyPiece(1)), True)

    def test_wrongLength(self) -> None:
        """A piece that is too long or too short is L{PieceCorrupt}, even if some of it would match."""
        sample = self._sample()
        storage = self.makeStorage(sample)
        self.failure(storage.writePiece(0, sample.piece(0) + b"\0"), PieceCorrupt)
        self.failure(storage.writePiece(0, sample.piece(0)[:-1]), PieceCorrupt)

    def test_buffers(self) -> None:
        """Any buffer may be written, and changed once that is done."""
        sample = self._sample()
        storage = self.makeStorage(sample)
        kept = bytearray(b"??" + sample.piece(0))
        self.result(storage.writePiece(0, memoryview(kept)[2:]))
        kept[:] = bytes(len(kept))
        array = bytearray(sample.piece(1))
        self.result(storage.writePiece(1, array))
        array[:] = bytes(len(array))
        self.assertIs(self.result(storage.verifyPiece(0)), True)
        self.assertIs(self.result(storage.verifyPiece(1)), True)

    def test_signature(self) -> None:
        """The signature differs once a write was flushed, and is the same while nothing happens."""
        sample = self._sample()
        storage = self.makeStorage(sample)
        empty = self.result(storage.signature())
        self.result(storage.writePiece(0, sample.piece(0)))
        self.result(storage.flush())
        written = self.result(storage.signature())
        self.assertNotEqual(empty, written)
        self.result(storage.verifyPiece(0))
        self.result(storage.read(0, 0, 100))
        self.result(storage.flush())
        self.assertEqual(self.result(storage.signature()), written)

    def test_flush(self) -> None:
        """A flush fires, with something to do or nothing, and loses nothing."""
        sample = self._sample()
        storage = self.makeStorage(sample)
        self.result(storage.flush())
        self.result(storage.writePiece(0, sample.piece(0)))
        self.result(storage.flush())
        self.assertEqual(self.result(storage.read(0, 0, 10)), sample.piece(0)[:10])

    def test_close(self) -> None:
        """Closing fires after what was begun before it, which is done."""
        sample = self._sample()
        storage = self.makeStorage(sample)
        fired: list[str] = []
        storage.writePiece(0, sample.piece(0)).addCallback(lambda _: fired.append("written"))
        self.result(storage.close().addCallback(lambda _: fired.append("closed")))
        self.assertEqual(fired, ["written", "closed"])

    def test_pads(self) -> None:
        """Pad files (BEP 47) are zeros, which need not be stored."""
        sample = Sample([30_000, 2768, 40_000], 1 << 15, pads=[1])
        storage = self.filled(sample)
        self.assertEqual(self.result(storage.read(0, 29_990, 2778)), sample.piece(0)[29_990:])
        self.assertTrue(all(self.result(storage.verifyPiece(index)) for index in range(3)))


class BatchStorageContract(StorageContract):
    """
    What every L{IBatchStorage} promises beside what L{StorageContract} tests.
    """

    def several(self, storage: IStorage, pieces: Sequence[tuple[int, Buffer]]) -> list[Exception | None]:
        """What became of C{pieces}."""
        assert IBatchStorage.providedBy(storage)
        return self.result(storage.writePieces(pieces))

    def test_batchInterface(self) -> None:
        """It has the methods of L{IBatchStorage}."""
        verifyObject(IBatchStorage, self.makeStorage(self._sample()))

    def test_several(self) -> None:
        """Pieces in any order are stored at once; none at all are, too."""
        sample = self._sample()
        storage = self.makeStorage(sample)
        order = list(range(sample.layout.pieceCount))
        Random(1).shuffle(order)
        outcomes = self.several(storage, [(index, sample.piece(index)) for index in order])
        self.assertEqual(outcomes, [None] * len(order))
        for index in order:
            self.assertEqual(
                self.result(storage.read(index, 0, sample.layout.pieceSize(index))), sample.piece(index)
            )
        self.assertEqual(self.several(storage, []), [])

    def test_severalCorrupt(self) -> None:
        """Those that do not match are L{PieceCorrupt}, each in its place; the others are stored."""
        sample = self._sample()
        storage = self.makeStorage(sample)
        pieces: list[tuple[int, Buffer]] = [
            (3, bytes(1 << 15)),
            (2, sample.piece(2)),
            (1, b""),
            (0, sample.piece(0)),
        ]
        outcomes = self.several(storage, pieces)
        self.assertEqual(
            [each and (type(each), str(each)) for each in outcomes],
            [(PieceCorrupt, str(PieceCorrupt(3))), None, (PieceCorrupt, str(PieceCorrupt(1))), None],
        )
        found = [self.result(storage.verifyPiece(index)) for index in range(4)]
        self.assertEqual(found, [True, False, True, False])


class HeldJob(NamedTuple):
    """A job that a L{HeldDisk} holds back."""

    run: Callable[[], None]
    cost: int


@implementer(IDiskQueue)
class HeldDisk:
    """
    A disk whose work is done when the test says so, and in the order it says.

    @ivar held: what was submitted and not yet done.
    """

    def __init__(self, budget: int = 1 << 30) -> None:
        self.held: list[HeldJob] = []
        self._pressure = Pressure(budget)
        self._stopping: Deferred[None] | None = None

    @property
    def congested(self) -> bool:
        """See L{IDiskQueue}."""
        return self._pressure.congested

    def onPressure(self, listener: Callable[[bool], None]) -> Callable[[], None]:
        """See L{IDiskQueue}."""
        return self._pressure.listen(listener)

    def submit(self, job: Callable[[], T], cost: int = 0) -> Deferred[T]:
        """See L{IDiskQueue}."""
        if self._stopping is not None:
            return fail(SessionStopped("the disk queue was stopped"))
        done: Deferred[T] = Deferred()

        def run() -> None:
            try:
                result = job()
            except Exception:
                done.errback(Failure())
            else:
                done.callback(result)

        self.held.append(HeldJob(run, cost))
        self._pressure.add(cost)
        return done

    def release(self, position: int = 0) -> None:
        """Do one held job: the oldest, or the one at C{position}."""
        job = self.held.pop(position)
        job.run()
        self._pressure.remove(job.cost)
        if self._stopping is not None and not self.held:
            self._stopping.callback(None)

    def releaseAll(self) -> None:
        """Do what is held, oldest first, and what that leads to."""
        while self.held:
            self.release()

    def stop(self) -> Deferred[None]:
        """See L{IDiskQueue}."""
        if self._stopping is None:
            self._stopping = Deferred()
            if not self.held:
                self._stopping.callback(None)
        if self._stopping.called:
            return succeed(None)
        waiter: Deferred[None] = Deferred()

        def stopped(result: None) -> None:
            waiter.callback(result)

        self._stopping.addCallback(stopped)
        return waiter
