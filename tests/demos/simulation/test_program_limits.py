"""The values that a program holds: what is counted, and what is not."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from demos.simulation.program_limits import held_values
from demos.terminal.interfaces import SymbolSpec


class Slots:
    """An object without a __dict__."""

    __slots__ = ("kept", "unset")

    def __init__(self, kept: object) -> None:
        self.kept = kept


@dataclass
class Node:
    """An object that refers to itself."""

    kept: list[object] = field(default_factory=list)
    me: Node | None = None

    def __post_init__(self) -> None:
        self.me = self

    def method(self) -> None:
        """Bound to the node."""


def program(**values: object) -> ModuleType:
    """A loaded program with these globals, whose own classes are those of this test."""
    module: Any = ModuleType("program")
    module.__dict__.update(values)
    return module  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def own_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (Slots, Node):
        monkeypatch.setattr(each, "__module__", "demos.example")


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ([1, 2, 3], 3),
        ({"a": [1], "b": ()}, 3),
        (deque([{1, 2}], maxlen=5), 3),
        (Slots([1, 2]), 2),
        (Node([1, 2]), 2),
        (Node([1, 2]).method, 2),
        ("x" * 5000, 4),
        (bytearray(500), 0),
        (SymbolSpec("EURUSD"), 0),
        (Node, 0),
        (pytest, 0),
    ],
)
def test_the_elements_of_a_programs_containers_are_counted(value: object, count: int) -> None:
    assert held_values(program(value=value)) == count


def test_what_is_reached_twice_counts_once() -> None:
    shared = [1, 2, 3]
    assert held_values(program(one=shared, two=Node([shared]))) == 4
