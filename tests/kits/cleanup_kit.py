"""Closes what a test or a helper opened, at the end of the test, whatever its outcome."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import Protocol, TypeVar


class Closable(Protocol):
    def close(self) -> object: ...


Resource = TypeVar("Resource", bound=Closable)

_opened = ExitStack()


def closed_after_test(resource: Resource) -> Resource:
    """The resource; its close() is called when the current test has ended."""
    return _opened.enter_context(closing(resource))


def close_all() -> None:
    """For conftest.py: close what the test that has ended opened, the last one first."""
    _opened.close()
