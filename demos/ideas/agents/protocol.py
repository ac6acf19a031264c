"""The messages between coordinator and agents: no sockets, no clock, no state. notes/agents.md describes them.

No message contains code. The coordinator sends digests of its files, parameters and points; an agent sends figures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from demos.ideas.agents.grid import LONGEST_NAME, MOST_IN_TASK, MOST_PARAMETERS, Number
from demos.ideas.agents.strategy_file import FUNCTION_NAME
from demos.ideas.agents.values import LARGEST, LONGEST_ERROR, LONGEST_FIGURE, MOST_FIGURES, RESULT, Value
from demos.ideas.messages import ERROR, Codec
from demos.provider.fields import integer, listing, mapping, pattern, record, refuse, shown, text

VERSION = 1

# The longest time limit of a point.
LONGEST_POINT_S = 86_400

# The largest messages, in bytes: both directions have numbers of at most MOST_IN_TASK points.
MOST_BYTES = 256 * 1024

AGENT_NAME = "[A-Za-z0-9._-]{1,64}"

_DIGEST = pattern("[0-9a-f]{64}", "a SHA-256 of 64 hexadecimal digits")
_FIGURE = pattern(rf"[A-Za-z][A-Za-z0-9_]{{0,{LONGEST_FIGURE - 1}}}", "the name of a figure")
_PARAMETER = pattern(rf"[A-Za-z][A-Za-z0-9_]{{0,{LONGEST_NAME - 1}}}", "the name of a parameter")
_FUNCTION = pattern(f"{FUNCTION_NAME}|", "the name of a function")


@dataclass(frozen=True)
class Hello:
    """The coordinator's first message. ``function``: the strategy's function, "" for the only one of the file."""

    type: ClassVar[str] = "hello"
    version: int
    strategy: str
    function: str
    data: str
    parameters: tuple[str, ...]
    point_ms: int


@dataclass(frozen=True)
class Join:
    """An agent's answer: its name, and the digests of its own files."""

    type: ClassVar[str] = "join"
    version: int
    agent: str
    strategy: str
    data: str


@dataclass(frozen=True)
class Task:
    """Points to calculate: the values of the parameters, in the order of the hello message."""

    type: ClassVar[str] = "task"
    task: int
    points: tuple[tuple[Number, ...], ...]


@dataclass(frozen=True)
class Result:
    """The values of a task's points, in their order."""

    type: ClassVar[str] = "result"
    task: int
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Done:
    """The optimisation is finished: an agent can end."""

    type: ClassVar[str] = "done"


def _number(value: Any, path: str) -> Number:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -LARGEST <= value <= LARGEST:
        refuse(path, f"not a number: {shown(value)}")
    return value


_FIGURES = mapping(_FIGURE, lambda value, path: float(_number(value, path)), MOST_FIGURES)
_ERROR_TEXT = text(LONGEST_ERROR)


def _value(value: Any, path: str) -> Value:
    if isinstance(value, str):
        found: str = _ERROR_TEXT(value, path)
        return found
    figures: dict[str, float] = _FIGURES(value, path)
    if RESULT not in figures:
        refuse(path, f"no figure {RESULT!r}")
    return figures


_VALUES = listing(_value, MOST_IN_TASK)


def checked_values(raw: Any) -> tuple[Value, ...]:
    """The values of a task that were stored as JSON.

    Errors: FieldError.
    """
    found: tuple[Value, ...] = _VALUES(raw, "values")
    return found


def agent_name_problem(name: str) -> str | None:
    """Why this cannot be an agent's name, or None when it can."""
    if re.fullmatch(AGENT_NAME, name, re.ASCII):
        return None
    return f"invalid name: {name!r}; use 1 to 64 letters, digits and . _ -"


_FROM_COORDINATOR: Mapping[str, Any] = {
    "hello": record(
        Hello,
        {
            "version": integer(),
            "strategy": _DIGEST,
            "function": _FUNCTION,
            "data": _DIGEST,
            "parameters": listing(_PARAMETER, MOST_PARAMETERS),
            "point_ms": integer(1, LONGEST_POINT_S * 1000),
        },
    ),
    "task": record(
        Task,
        {"task": integer(), "points": listing(listing(_number, MOST_PARAMETERS), MOST_IN_TASK)},
    ),
    "done": record(Done, {}),
    "error": ERROR,
}
_FROM_AGENT: Mapping[str, Any] = {
    "join": record(
        Join,
        {
            "version": integer(),
            "agent": pattern(AGENT_NAME, "the name of an agent"),
            "strategy": _DIGEST,
            "data": _DIGEST,
        },
    ),
    "result": record(Result, {"task": integer(), "values": _VALUES}),
    "error": ERROR,
}

TO_AGENT = Codec(_FROM_COORDINATOR, most=MOST_BYTES, version=VERSION)
TO_COORDINATOR = Codec(_FROM_AGENT, most=MOST_BYTES, version=VERSION)
