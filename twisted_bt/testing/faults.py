"""
Storages that fail when a test wants it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bitarray import bitarray
from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from twisted_bt.interfaces import Buffer, IStorage, IStorageFactory

#: Asked before each operation, by its name in L{IStorage}: what it is to fail with, or C{None}.
Refusal = Callable[[str], Exception | None]


@implementer(IStorage)
class FaultyStorage:
    """C{storage}, but for what C{refusal} says."""

    def __init__(self, storage: IStorage, refusal: Refusal) -> None:
        self._storage = storage
        self._refusal = refusal

    def _do(self, operation: str, *arguments: Any) -> Deferred[Any]:
        refused = self._refusal(operation)
        if refused is not None:
            return fail(refused)
        outcome: Deferred[Any] = getattr(self._storage, operation)(*arguments)
        return outcome

    def writePiece(self, index: int, data: Buffer) -> Deferred[None]:
        """See L{IStorage}."""
        return self._do("writePiece", index, data)

    def read(self, index: int, begin: int, length: int) -> Deferred[bytes]:
        """See L{IStorage}."""
        return self._do("read", index, begin, length)

    def verifyPiece(self, index: int) -> Deferred[bool]:
        """See L{IStorage}."""
        return self._do("verifyPiece", index)

    def allocated(self) -> Deferred[bitarray]:
        """See L{IStorage}."""
        return self._do("allocated")

    def signature(self) -> Deferred[bytes]:
        """See L{IStorage}."""
        return self._do("signature")

    def flush(self) -> Deferred[None]:
        """See L{IStorage}."""
        return self._do("flush")

    def close(self) -> Deferred[None]:
        """See L{IStorage}."""
        return self._do("close")


@implementer(IStorageFactory)
class FaultyStorageFactory:
    """
    Makes the storages of C{factory} faulty.

    @ivar refusals: operations that fail from now on, by name, and with what.
    @ivar asked: the operations that were asked for.
    """

    def __init__(self, factory: IStorageFactory) -> None:
        self.factory = factory
        self.refusals: dict[str, Exception] = {}
        self.asked: list[str] = []

    def storageFor(self, metainfo: Any, dataDirPath: Path) -> IStorage:
        """See L{IStorageFactory}."""
        return FaultyStorage(self.factory.storageFor(metainfo, dataDirPath), self._refusal)

    def _refusal(self, operation: str) -> Exception | None:
        self.asked.append(operation)
        return self.refusals.get(operation)
