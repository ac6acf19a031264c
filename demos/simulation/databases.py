"""The SQLite files of a simulated process: they are closed when it ends, as the operating system does.

A process that is killed cannot close its files itself: its last calls have no effect. Without this module they would
stay open in the real process, and locked for the next start of the same program. An open transaction is rolled back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# The files that the process of this context has opened; None outside a simulated process.
_opened: ContextVar[list[sqlite3.Connection] | None] = ContextVar("opened_databases", default=None)
_users = 0
_connect = sqlite3.connect


def _recording_connect(*args: Any, **options: Any) -> sqlite3.Connection:
    database: sqlite3.Connection = _connect(*args, **options)
    opened = _opened.get()
    if opened is not None:
        opened.append(database)
    return database


@contextmanager
def closing_databases() -> Iterator[None]:
    """Close at the end every SQLite file that was opened inside, in this context and in copies of it."""
    global _users
    opened: list[sqlite3.Connection] = []
    token = _opened.set(opened)
    _users += 1
    sqlite3.connect = _recording_connect  # type: ignore[assignment]
    try:
        yield
    finally:
        _users -= 1
        if not _users:
            sqlite3.connect = _connect
        _opened.reset(token)
        for database in reversed(opened):
            database.close()
