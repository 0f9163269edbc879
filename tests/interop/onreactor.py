"""
pytest-twisted's decorators, with types.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

import pytest_twisted  # type: ignore[import-untyped]

P = ParamSpec("P")
A = TypeVar("A", bound=Awaitable[Any])
Y = TypeVar("Y", bound=AsyncIterator[Any])


def onReactor(test: Callable[P, A]) -> Callable[P, A]:
    """An C{async def} test that runs on the real reactor."""
    marked: Callable[P, A] = pytest_twisted.ensureDeferred(test)
    return marked


def asyncYieldFixture(fixture: Callable[P, Y]) -> Callable[P, Y]:
    """An C{async def} fixture that yields once; what follows the yield runs after the test."""
    marked: Callable[P, Y] = pytest_twisted.async_yield_fixture(fixture)
    return marked
