"""The provider's SQLite file: opening, creating and upgrading it, and transactions.

Two processes use it at the same time: the running provider, and the command that changes users. Both open it in WAL
mode, so that a reader never waits. A transaction that has returned survives a kill of the process. With ``durable`` it
also survives a power failure, which costs a write to the disk: so the changes of users are durable, and the counts of
failed passwords are not.

The version of the tables is SQLite's user_version. ``_STEPS[n]`` upgrades a file of version n to n + 1, and a new file
has version 0, so each file goes through the same steps. A step that was released never changes; a new one is appended.

The file has the hashes of all passwords. It is created with mode 0600, and an existing one gets this mode when it is
opened. SQLite gives its files "-wal" and "-shm" the same mode.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demos.terminal.interfaces import TerminalError

# Seconds to wait while another process writes. The provider passes a shorter time, because its events wait meanwhile.
LOCK_TIMEOUT = 5.0

# "WSPR" in the header marks the file as a provider's.
APPLICATION = 0x57535052

_MODE = 0o600

_SECRET_BYTES = 32

_STEPS = (
    """
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, login TEXT NOT NULL UNIQUE, password TEXT NOT NULL,
    generation INTEGER NOT NULL, symbols TEXT, connections INTEGER NOT NULL, expires REAL,
    disabled INTEGER NOT NULL, created REAL NOT NULL
);
CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT, user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    name TEXT NOT NULL, digest BLOB NOT NULL UNIQUE, created REAL NOT NULL, UNIQUE (user, name)
);
CREATE TABLE changes (position INTEGER PRIMARY KEY AUTOINCREMENT, login TEXT NOT NULL);
CREATE TABLE attempts (
    login TEXT NOT NULL, address TEXT NOT NULL, failures INTEGER NOT NULL, level INTEGER NOT NULL, last REAL NOT NULL,
    next REAL NOT NULL, since REAL NOT NULL, until REAL NOT NULL, PRIMARY KEY (address, login)
) WITHOUT ROWID;
CREATE TABLE known (
    user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE, address TEXT NOT NULL, time REAL NOT NULL,
    PRIMARY KEY (user, address)
) WITHOUT ROWID;
""",
    """
ALTER TABLE users ADD COLUMN operator INTEGER NOT NULL DEFAULT 0;
CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
""",
)
VERSION = len(_STEPS)


class StateError(TerminalError):
    """The file is not a provider's, has a newer version, is damaged, or cannot be read or written."""

    code = 4


class StateBusy(StateError):
    """Another process has locked the file; the same call may work later."""


class StateFile:
    """An open file of the provider; see the head of this module. Use it in one thread at a time."""

    def __init__(self, path: Path, *, create: bool = True, timeout: float = LOCK_TIMEOUT) -> None:
        """Open the file, and upgrade it when it has an older version. With ``create`` a missing one is created.

        ``timeout``: the seconds that a call waits while another process has locked the file.

        Errors: StateError when it does not exist, is not a provider's file, or cannot be opened; StateBusy.
        """
        self._name = str(path)
        self.created = _create(path) if create else False
        _check_is_file(path)
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
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:
                yield self._db

    def secret(self, name: str) -> bytes:
        """The random secret of this file with this name; it is made when it is first read.

        Errors: StateError.
        """
        with self.writing() as db:
            db.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (name, secrets.token_bytes(_SECRET_BYTES)))
            [value] = db.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()
        return bytes(value)

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
                raise StateError(f"not a provider's file: {self._name}") from error
            if "is locked" in str(error):
                raise StateBusy(f"{self._name} is in use by another process: try again") from error
            raise StateError(f"{self._name}: {error}") from error

    def _open_tables(self) -> None:
        """Check that the file is a provider's, and create or upgrade its tables."""
        if self._version() < VERSION:
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:
                # Another process may have created or upgraded the tables since the check above.
                for step in _STEPS[self._version() :]:
                    for statement in step.split(";"):
                        self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {VERSION}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA foreign_keys = ON")

    def _version(self) -> int:
        """The version of the tables; 0 for an empty file."""
        application, version, tables = (
            self._db.execute(query).fetchone()[0]
            for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
        if application == version == tables == 0:
            return 0
        if application != APPLICATION:
            raise StateError(f"not a provider's file: {self._name}")
        if not 1 <= version <= VERSION:
            raise StateError(
                f"{self._name} has version {version}; this program reads versions 1 to {VERSION}: use a newer program"
            )
        return int(version)


def _create(path: Path) -> bool:
    """Create an empty file that only its owner can read; False when there is one."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _MODE))
    except OSError as error:
        # On Windows the error of an existing folder is another one than that of an existing file.
        if path.exists():
            return False
        raise StateError(f"{path} cannot be created: {error.strerror}") from error
    return True


def _check_is_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise StateError(f"no such file: {path} (`python -m demos provider user add` creates it)") from None
    except OSError as error:
        raise StateError(f"{path} cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise StateError(f"not a file: {path}")


def _protect(path: Path) -> None:
    """Take away the rights of everyone but the file's owner, for example after a copy."""
    if os.name == "posix" and path.stat().st_mode & 0o077:
        try:
            path.chmod(_MODE)
        except OSError as error:
            raise StateError(f"others can read {path}, and its mode cannot be changed: {error.strerror}") from error
