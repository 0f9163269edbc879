"""
Hypothesis strategies for targets: seeds with edits that shrink, and bencoded trees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import EDGES
from tests.fuzz.target import Target

F = TypeVar("F", bound=Callable[..., Any])

Edit = tuple[float, int, bytes]


def edited(seed: bytes, edits: Sequence[Edit], limit: int) -> bytes:
    """C{seed} after edits: at a place (0 to 1) so many bytes become others."""
    made = seed
    for place, gone, new in edits:
        at = int(place * len(made))
        made = made[:at] + new + made[at + gone :]
    return made[:limit]


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """What to feed C{target} with: in the simplest case one of its seeds as it is."""
    words = st.sampled_from((*target.words, *EDGES)) | st.binary(max_size=6)
    edits = st.tuples(st.floats(0, 1), st.integers(0, 12), words)
    known = st.builds(
        partial(edited, limit=target.maxLength), st.sampled_from(target.seeds()), st.lists(edits, max_size=5)
    )
    if target.make(Random(0)) is None:
        return known
    made = st.integers(0, 1 << 32).map(lambda seed: (target.make(Random(seed)) or b"")[: target.maxLength])
    return known | made


def fuzzed(target: Target, examples: int) -> None:
    """
    Run C{target} on so many inputs, the same each time.

    @raise Exception: a finding; Hypothesis shows the smallest input that has it.
    """

    @settings(derandomize=True, deadline=None, max_examples=examples, database=None)
    @given(inputs(target))
    def look(data: bytes) -> None:
        target.run(data)

    for seed in target.seeds():
        target.run(seed)
    look()
