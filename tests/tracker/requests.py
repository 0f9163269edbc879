"""Announces for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted_bt.tracker.announce import AnnounceRequest

_PLAIN = AnnounceRequest(
    infoHash=b"i" * 20, peerId=b"-XX0001-abcdefghijkl", port=6881, uploaded=1, downloaded=2, left=100
)


def announcing(**more: Any) -> AnnounceRequest:
    """An announce, with these fields of your own."""
    return replace(_PLAIN, **more)
