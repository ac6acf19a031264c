"""How a simulation gives one of its programs something else than the real world has, such as random numbers.

What can be replaced is the value of a context variable (contextvars), whose default is the real one. A simulated
process runs in a context of its own, and so does each of its threads: other programs keep their values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def replaced(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Give the variable this value inside, in the present context."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
