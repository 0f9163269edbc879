"""
Host names, looked up by threads that nobody waits for.
"""

from __future__ import annotations

from threading import Thread
from typing import Any

from twisted.internet._resolver import GAIResolver  # there is no other way to name its threads
from twisted.python.threadpool import ThreadPool

#: Names looked up at a time.
MAX_LOOKUPS = 10


class _Abandoned(Thread):
    """Ends with the process."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, daemon=True, **more)


def letLookupsGo(reactor: Any) -> None:
    """
    Have C{reactor} end although names are being looked up.

    The system's resolver cannot be cancelled, and takes half a minute where no server answers.  The
    reactor waits for its own threads when it stops; so names get threads that end with the process.
    """
    pool = ThreadPool(0, MAX_LOOKUPS, "names")
    pool.threadFactory = _Abandoned
    pool.start()
    reactor.installNameResolver(GAIResolver(reactor, lambda: pool))
