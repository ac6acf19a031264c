"""Closes what a test or a helper opened, at the end of the test, whatever its outcome; finds databases left open."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from functools import partial
from typing import Any, Protocol, TypeVar


class Closable(Protocol):
    def close(self) -> object: ...


Resource = TypeVar("Resource", bound=Closable)

_opened = ExitStack()
_open_databases: dict[sqlite3.Connection, str] = {}


def closed_after_test(resource: Resource) -> Resource:
    """The resource; its close() is called when the current test has ended."""
    return _opened.enter_context(closing(resource))


def close_all() -> None:
    """For conftest.py: close what the test that has ended opened, the last one first."""
    _opened.close()


class _RecordedConnection(sqlite3.Connection):
    """A connection that is in _open_databases until it is closed."""

    def __init__(self, database: Any, *args: Any, **options: Any) -> None:
        super().__init__(database, *args, **options)
        _open_databases[self] = str(database)

    def close(self) -> None:
        super().close()
        _open_databases.pop(self, None)


def record_databases() -> None:
    """For conftest.py: from now on record every connection that sqlite3.connect opens in this process.

    CPython 3.13 and later report a connection that was not closed when its memory is freed, which may be during another
    test. Earlier versions report nothing.
    """
    sqlite3.connect = partial(sqlite3.connect, factory=_RecordedConnection)  # type: ignore[assignment]


def close_forgotten_databases() -> list[str]:
    """For conftest.py: close the connections that the test that has ended left open; return their databases' names."""
    forgotten = list(_open_databases.values())
    for connection in list(_open_databases):
        connection.close()
    return forgotten
