"""An SQLite file of a program of the provider or the copier: opening, creating and upgrading it, and transactions.

Several processes use it at the same time: the running program, and its commands. All open it in WAL mode, so that a
reader never waits. A transaction that has returned survives a kill of the process. With ``durable`` it also survives a
power failure, which costs a write to the disk.

The version of the tables is SQLite's user_version. ``steps[n]`` upgrades a file of version n to n + 1, and a new file
has version 0, so each file goes through the same steps. A step that was released never changes; a new one is appended.

The file is created with mode 0600, and an existing one gets this mode when it is opened. SQLite gives its files "-wal"
and "-shm" the same mode.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demos.terminal.interfaces import TerminalError

# Seconds to wait while another process writes.
LOCK_TIMEOUT = 5.0

MODE = 0o600


@dataclass(frozen=True)
class FileKind:
    """What a file is: ``name`` as in "a provider's file", a mark in its header, and the steps that make its tables.

    ``creator`` is the command that creates a missing file.
    """

    name: str
    application: int
    steps: tuple[str, ...]
    creator: str


class StateError(TerminalError):
    """The file is of another kind, has a newer version, is damaged, or cannot be read or written."""

    code = 4


class StateBusy(StateError):
    """Another process has locked the file; the same call may work later."""


class SqliteFile:
    """An open file; see the head of this module. Use it in one thread at a time."""

    def __init__(self, path: Path, kind: FileKind, *, create: bool = True, timeout: float = LOCK_TIMEOUT) -> None:
        """Open the file, and upgrade it when it has an older version. With ``create`` a missing one is created.

        ``timeout``: the seconds that a call waits while another process has locked the file.

        Errors: StateError when it does not exist, is of another kind, or cannot be opened; StateBusy.
        """
        self._name = str(path)
        self._kind = kind
        # What SQLite's `synchronous` was set to last.
        self._durable: bool | None = None
        self.created = create_file(path) if create else False
        _check_is_file(path, kind)
        with self.errors():
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                timeout=timeout,
                isolation_level=None,
                uri=True,
                check_same_thread=False,
            )
            try:
                self._open_tables()
                _protect(path)
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The result of a query.

        Errors: StateError.
        """
        with self.errors():
            return self._db.execute(statement, values).fetchall()

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction that writes; an exception inside rolls it back.

        Errors: StateError; StateBusy when another process writes for longer than the timeout.
        """
        with self.errors():
            self._begin(durable=durable)
            with self._db:
                yield self._db

    def data_version(self) -> int:
        """A number that changes when another connection has changed the file. Reading it costs microseconds."""
        [[version]] = self.rows("PRAGMA data_version")
        return int(version)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise StateError for an error of SQLite."""
        try:
            yield
        except sqlite3.Error as error:
            if "not a database" in str(error):
                raise StateError(f"not {self._kind.name}: {self._name}") from error
            if "is locked" in str(error):
                raise StateBusy(f"{self._name} is in use by another process: try again") from error
            raise StateError(f"{self._name}: {error}") from error

    def _begin(self, *, durable: bool) -> None:
        """Begin a transaction that writes. Errors: sqlite3.Error."""
        if durable != self._durable:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable
        self._db.execute("BEGIN IMMEDIATE")

    def _open_tables(self) -> None:
        """Check that the file is of its kind, and create or upgrade its tables."""
        steps = self._kind.steps
        if self._version() < len(steps):
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:
                # Another process may have created or upgraded the tables since the check above.
                for step in steps[self._version() :]:
                    for statement in step.split(";"):
                        self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {self._kind.application}")
                self._db.execute(f"PRAGMA user_version = {len(steps)}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA foreign_keys = ON")

    def _version(self) -> int:
        return tables_version(self._db, self._name, self._kind)


def tables_version(db: sqlite3.Connection, name: str, kind: FileKind) -> int:
    """The version of the tables of a file; 0 for an empty file.

    Errors: StateError when the file is of another kind or has a newer version; sqlite3.Error.
    """
    application, version, tables = (
        db.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application == version == tables == 0:
        return 0
    if application != kind.application:
        raise StateError(f"not {kind.name}: {name}")
    newest = len(kind.steps)
    if not 1 <= version <= newest:
        raise StateError(
            f"{name} has version {version}; this program reads versions 1 to {newest}: use a newer program"
        )
    return int(version)


def create_file(path: Path) -> bool:
    """Create an empty file that only its owner can read; False when there is one."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, MODE))
    except OSError as error:
        # On Windows the error of an existing folder is another one than that of an existing file.
        if path.exists():
            return False
        raise StateError(f"{path} cannot be created: {error.strerror}") from error
    return True


def _check_is_file(path: Path, kind: FileKind) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise StateError(f"no such file: {path} (`{kind.creator}` creates it)") from None
    except OSError as error:
        raise StateError(f"{path} cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise StateError(f"not a file: {path}")


def _protect(path: Path) -> None:
    """Take away the rights of everyone but the file's owner, for example after a copy."""
    if os.name == "posix" and path.stat().st_mode & 0o077:
        try:
            path.chmod(MODE)
        except OSError as error:
            raise StateError(f"others can read {path}, and its mode cannot be changed: {error.strerror}") from error
