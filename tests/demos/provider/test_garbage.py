"""The garbage collector: the objects of connections are not looked at again and again, and need no collection."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from demos.provider.garbage import FULL_S, Garbage


class Cycle:
    """An object with a reference to itself; ``freed`` counts those that were collected."""

    freed = 0

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        Cycle.freed += 1


@pytest.fixture
def garbage() -> Iterator[Garbage]:
    result = Garbage(0.0)
    yield result
    result.close()
    gc.collect()


def test_existing_objects_are_left_out_of_collections_until_the_next_full_one(garbage):
    gc.collect()
    Cycle.freed = 0
    Cycle()
    garbage.timer(1.0)
    gc.collect()
    assert Cycle.freed == 0
    garbage.timer(FULL_S - 1.0)
    assert Cycle.freed == 0
    garbage.timer(FULL_S)
    assert Cycle.freed == 1
    Cycle()
    garbage.timer(FULL_S + 1.0)
    assert Cycle.freed == 1
    garbage.timer(2.0 * FULL_S)
    assert Cycle.freed == 2


def test_the_end_of_the_provider_leaves_nothing_frozen(garbage):
    garbage.timer(1.0)
    assert gc.get_freeze_count() > 0
    garbage.close()
    assert gc.get_freeze_count() == 0
