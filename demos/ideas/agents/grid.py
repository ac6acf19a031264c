"""The values of a strategy's parameters: a grid of points, split into tasks.

A parameter is a range or a list: ``fast=5:50:5`` has the values 5, 10 … 50, ``mode=1,2,5`` has three. The grid is every
combination, in the order of itertools.product: the last parameter changes fastest. A point is known by its number in
this order, so nothing needs a list of all points. A task is a run of consecutive points.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, TypeAlias

Number: TypeAlias = "int | float"

MOST_PARAMETERS = 8
MOST_VALUES = 10_000
MOST_POINTS = 1_000_000
LONGEST_NAME = 32

# The points of a task, without an option: a hundredth of the grid within these limits.
MOST_IN_TASK = 200
_TASKS = 100
MOST_TASKS = 20_000

_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{LONGEST_NAME - 1}}}", re.ASCII)
_VALUE = re.compile(r"-?\d{1,9}(?:\.\d{1,8})?", re.ASCII)
_FORM = "NAME=FIRST:LAST:STEP or NAME=VALUE,VALUE, as in fast=5:50:5"


class GridError(ValueError):
    """A parameter or a grid that cannot be used; the text is one line."""


class Parameter(NamedTuple):
    """A parameter's name, its values in order, and the text that they were read from."""

    name: str
    values: tuple[Number, ...]
    text: str


@dataclass(frozen=True)
class Grid:
    """Every combination of the parameters' values."""

    parameters: tuple[Parameter, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names."""
        return tuple(each.name for each in self.parameters)

    @property
    def points(self) -> int:
        """The number of combinations."""
        return math.prod(len(each.values) for each in self.parameters)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that the parameters were read from."""
        return tuple(each.text for each in self.parameters)

    def point(self, number: int) -> tuple[Number, ...]:
        """The values of a point, in the order of the names."""
        found = []
        for each in reversed(self.parameters):
            number, at = divmod(number, len(each.values))
            found.append(each.values[at])
        return tuple(reversed(found))

    def text(self, number: int) -> str:
        """``fast=5 slow=20``: a point for a person."""
        return " ".join(f"{name}={value}" for name, value in zip(self.names, self.point(number), strict=True))


class Tasks(NamedTuple):
    """The points 0 to ``points`` - 1 in tasks of ``size`` points; the last task may be smaller."""

    points: int
    size: int

    @property
    def number(self) -> int:
        """The number of tasks."""
        return -(-self.points // self.size)

    def of(self, task: int) -> range:
        """The points of a task."""
        return range(task * self.size, min((task + 1) * self.size, self.points))


def read_grid(texts: Sequence[str]) -> Grid:
    """The grid of parameters such as ``fast=5:50:5``.

    Errors: GridError.
    """
    parameters = tuple(read_parameter(text) for text in texts)
    names = [each.name for each in parameters]
    if not parameters:
        raise GridError(f"there is no parameter: give {_FORM}")
    if len(parameters) > MOST_PARAMETERS:
        raise GridError(f"more than {MOST_PARAMETERS} parameters: {len(parameters)}")
    for name in names:
        if names.count(name) > 1:
            raise GridError(f"the parameter {name!r} occurs twice")
    grid = Grid(parameters)
    if grid.points > MOST_POINTS:
        raise GridError(f"the grid has {grid.points} points, more than {MOST_POINTS}: use larger steps")
    return grid


def read_parameter(text: str) -> Parameter:
    """The parameter of a text such as ``fast=5:50:5`` or ``mode=1,2,5``.

    The values are int where no number of the text has a decimal point, else float.

    Errors: GridError.
    """
    name, _, rest = text.partition("=")
    if not _NAME.fullmatch(name):
        raise GridError(f"invalid parameter {text[:80]!r}: expected {_FORM}")
    parts = rest.split(":") if ":" in rest else rest.split(",")
    if not all(map(_VALUE.fullmatch, parts)) or (":" in rest and len(parts) != 3):
        raise GridError(f"invalid parameter {text[:80]!r}: expected {_FORM}")
    numbers = [Decimal(part) for part in parts]
    values = list(_range(name, *numbers)) if ":" in rest else numbers
    if len(values) > MOST_VALUES:
        raise GridError(f"the parameter {name!r} has {len(values)} values, more than {MOST_VALUES}: use a larger step")
    if len(set(values)) != len(values):
        raise GridError(f"the parameter {name!r} has a value twice: {rest[:80]}")
    kind = float if "." in rest else int
    return Parameter(name, tuple(kind(value) for value in values), text)


def _range(name: str, first: Decimal, last: Decimal, step: Decimal) -> Iterator[Decimal]:
    if step <= 0 or last < first:
        raise GridError(f"the parameter {name!r} has no values from {first} to {last} with the step {step}")
    # One more than allowed is enough to refuse the range.
    for number in range(min(int((last - first) / step), MOST_VALUES) + 1):
        yield first + number * step


def split(points: int, size: int = 0) -> Tasks:
    """The tasks of so many points; ``size`` 0 chooses it.

    Errors: GridError.
    """
    tasks = Tasks(points, size or max(1, min(points // _TASKS, MOST_IN_TASK)))
    if tasks.number > MOST_TASKS:
        raise GridError(f"{points} points in tasks of {size} are more than {MOST_TASKS} tasks: use larger tasks")
    return tasks
