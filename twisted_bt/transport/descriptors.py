"""
How many descriptors this process may have, and what connections leave of them for files.
"""

from __future__ import annotations

try:
    from resource import RLIMIT_NOFILE, getrlimit
except ImportError:  # Windows, where nobody counts them
    getrlimit = None  # type: ignore[assignment]


def highestDescriptor(kept: int) -> int:
    """
    The system gives out the lowest number that is free.  So as long as a connection gets a number under
    this one, C{kept} (or half of all, if these are few) are left for who cannot do without.
    """
    if getrlimit is None:
        return 1 << 31
    limit = getrlimit(RLIMIT_NOFILE)[0]
    return limit - min(kept, limit // 2) if limit > 0 else 1 << 31
