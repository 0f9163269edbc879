"""
Some metadata, and the pieces and download of it.
"""

from __future__ import annotations

from hashlib import sha1
from random import Random

from twisted_bt.exchange.metadata import MAX_METADATA, MetadataDownload
from twisted_bt.exchange.metadataattempt import PIECE_LENGTH, pieceCount

METADATA = Random(1).randbytes(5 * PIECE_LENGTH + 100)
SIZE = len(METADATA)
PIECES = pieceCount(SIZE)


def pieceOf(metadata: bytes, piece: int) -> bytes:
    """What to send for C{piece}."""
    return metadata[piece * PIECE_LENGTH : (piece + 1) * PIECE_LENGTH]


def download(metadata: bytes = METADATA, limit: int = MAX_METADATA) -> MetadataDownload[str]:
    """A download of C{metadata}."""
    return MetadataDownload(sha1(metadata).digest(), sizeLimit=limit)
