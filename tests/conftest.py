"""
Under pytest, as trial does by itself: tests run in a folder of their own, so that nothing they write
lands in the checkout.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir

import pytest


@pytest.fixture(scope="session", autouse=True)
def ownFolder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The current folder of the whole run."""
    with chdir(tmp_path_factory.mktemp("cwd")):
        yield
