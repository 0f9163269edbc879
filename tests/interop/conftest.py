"""
Fixtures of the interop tests: programs of others, each started for one test and ended after it.

What a fixture gives are functions that start one more of its kind; all are ended by their pids when
the test is over, however it went.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.interop.aria2 import Aria2Peer
from tests.interop.frontdoor import daemon, running
from tests.interop.libtorrent_peer import LibtorrentPeer
from tests.interop.namespace import Namespace
from tests.interop.onreactor import asyncYieldFixture
from tests.interop.ours import OurPeer
from tests.interop.processes import Reactor
from tests.interop.swarmfiles import Content, makeContent
from tests.interop.tracker import OpentrackerProcess
from tests.interop.transmission import TransmissionPeer


class _Stoppable(Protocol):
    def stop(self) -> Awaitable[None]: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests here, so that C{-m "not interop"} leaves them out."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.interop)


@pytest.fixture
def reactor() -> Reactor:
    """The reactor that pytest-twisted runs."""
    from twisted.internet import reactor

    return reactor


Start = Callable[..., Awaitable[Any]]


@asyncYieldFixture
async def start(reactor: Reactor, tmp_path: Path) -> AsyncIterator[Callable[[Any], Start]]:
    """
    C{start(Kind)(**more)} starts a peer or tracker in a folder of its own; all are ended after the
    test, the last first.
    """
    started: list[_Stoppable] = []
    numbers = count(1)

    async def begin(kind: Any, **more: Any) -> Any:
        made = await kind.start(reactor, tmp_path / f"{kind.__name__}{next(numbers)}", **more)
        started.append(made)
        return made

    yield lambda kind: partial(begin, kind)
    for each in reversed(started):
        await each.stop()


@pytest.fixture
def libtorrent(start: Callable[[Any], Start]) -> Start:
    """Starts a L{LibtorrentPeer}."""
    return start(LibtorrentPeer)


@pytest.fixture
def transmission(start: Callable[[Any], Start]) -> Start:
    """Starts a L{TransmissionPeer}."""
    return start(TransmissionPeer)


@pytest.fixture
def aria2(start: Callable[[Any], Start]) -> Start:
    """Starts an L{Aria2Peer}."""
    return start(Aria2Peer)


@pytest.fixture
def opentracker(start: Callable[[Any], Start]) -> Start:
    """Starts an L{OpentrackerProcess}."""
    return start(OpentrackerProcess)


@pytest.fixture
def ours(start: Callable[[Any], Start]) -> Start:
    """Starts an L{OurPeer}."""
    return start(OurPeer)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A network namespace; the test is skipped where there can be none."""
    made = Namespace.create()
    yield made
    made.remove()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder for processes of ours to run in."""
    path = tmp_path / "here"
    path.mkdir()
    return path


@pytest.fixture
def content(tmp_path: Path) -> Content:
    """A folder with files, and its torrent."""
    return makeContent(tmp_path / "content", {"a": 300_000, "b/c": 1, "empty": 0, "d": 700_001})


@pytest.fixture
def seeder(tmp_path: Path, content: Content) -> Iterator[str]:
    """A daemon that has the content: where it listens."""
    folder = tmp_path / "seeder"
    folder.mkdir()
    argv = daemon(str(content.torrent), "--download-dir", str(content.folder))
    with running(argv, folder) as process:
        port = process.until(r"listening for peers on port (\d+)")[1]
        process.until("content: seeding")
        yield f"127.0.0.1:{port}"
        assert process.stop() == -signal.SIGTERM
