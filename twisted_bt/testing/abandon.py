"""
The end of a program that nobody tells of it: what it had in memory is gone, and none of its code runs any
more.

In one process that has to be brought about.  Whoever calls into the program is cut off first: timers,
connections, the disk.  What is left are its coroutines, which Python closes when it collects them, at
some time, running their C{finally} blocks.  So they are closed here, now, while nothing that they reach
reaches the world.
"""

from __future__ import annotations

from collections.abc import Iterable
from gc import get_referents
from types import CoroutineType, FunctionType, MethodType
from typing import Any

from twisted.internet.defer import Deferred

from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.engine import Engine

#: Containers that are looked into, whoever made them.
_PLAIN = frozenset({"builtins", "collections", "functools", "_functools", "contextlib"})
#: What belongs to all programs of the process, or to the test.
_SHARED = ("twisted_bt.testing", "twisted.trial", "twisted.logger", "twisted.python")
#: How often a coroutine is closed that waits again while it is.
_TRIES = 10


def abandon(reactor: object, roots: Iterable[object]) -> None:
    """
    Close the coroutines of programs that ran on C{reactor}, and let nothing that waits for them, or for
    which they wait, go on.

    @param roots: whatever its world held of them.
    """
    deferreds, coroutines = _find(reactor, roots)
    for deferred in deferreds:
        _callbacks(deferred).clear()
        deferred._debugInfo = None  # nobody is there to handle its failure
    for coroutine in coroutines:
        _close(coroutine)


def _callbacks(deferred: Deferred[Any]) -> list[Any]:
    # It got another name with Twisted 25.5.
    found: list[Any] = vars(deferred)["_callbacks" if hasattr(deferred, "_callbacks") else "callbacks"]
    return found


def _close(coroutine: Any) -> None:
    for _ in range(_TRIES):
        try:
            coroutine.close()
            return
        except RuntimeError:  # one of its C{finally} blocks waits for something
            continue
        except BaseException:  # ... or fails, since nothing answers
            return


def _find(reactor: object, roots: Iterable[object]) -> tuple[list[Deferred[Any]], list[Any]]:
    deferreds: list[Deferred[Any]] = []
    coroutines: list[Any] = []
    # What the application itself put off has nothing that is to be closed.
    todo = [each for each in roots if not callable(each) or _moduleOf(each).startswith("twisted")]
    seen = {id(each): each for each in todo}  # kept, so that no number is used again
    while todo:
        found = todo.pop()
        if isinstance(found, Deferred):
            deferreds.append(found)
            # Not who would cancel it: others may wait for us and for others.
            inner: Iterable[object] = (_callbacks(found), getattr(found, "result", None))
        elif isinstance(found, CoroutineType):
            coroutines.append(found)
            inner = get_referents(found)
        elif isinstance(found, FunctionType):
            inner = (*(found.__closure__ or ()), *(found.__defaults__ or ()))
        elif isinstance(found, MethodType):
            inner = (found.__self__, found.__func__)
        else:
            inner = get_referents(found)
        for each in inner:
            if id(each) not in seen and _isTheirs(each, reactor):
                seen[id(each)] = each
                todo.append(each)
    return deferreds, coroutines


def _isTheirs(found: Any, reactor: object) -> bool:
    """Whether to look into it, or to close it."""
    if isinstance(found, (ClientSession, Engine)):
        return found.reactor is reactor
    if isinstance(found, CoroutineType):
        frame = found.cr_frame
        return frame is not None and _isOurs(frame.f_globals.get("__name__", ""))
    if isinstance(found, (FunctionType, MethodType)):
        return _isOurs(_moduleOf(found))
    if isinstance(found, (type, str, bytes, int, float)):
        return False
    module = type(found).__module__
    if module == "builtins":
        return type(found).__name__ not in ("module", "frame", "traceback", "code", "getset_descriptor")
    return module in _PLAIN or _isOurs(module)


def _moduleOf(function: object) -> str:
    return getattr(function, "__module__", None) or ""


def _isOurs(module: str) -> bool:
    return module.startswith(("twisted_bt.", "twisted.")) and not module.startswith(_SHARED)
