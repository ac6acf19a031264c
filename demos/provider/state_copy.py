"""Copies of the provider's state file: backups while the provider runs, and their return.

SQLite's backup copies the whole file in one step, as one reader of its WAL mode. So the copy is the state at one
moment, the provider never waits, and its writes do not disturb the copy. A copy is complete before it gets its name: it
is written next to it, checked, and renamed. It is one file, without "-wal", and only its owner can read it: it has the
hashes of all passwords.

A restored file makes no subscriber trade an old state: each start of the provider begins a stream with a new random
name, and no state of the account is in the file. What does return are users, passwords and tokens of the past. So
restore_state() reports every login and token that is valid again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from demos.provider.state_file import APPLICATION, VERSION, StateBusy, StateError

_MODE = 0o600

# The size of the file "-shm", which SQLite creates when it opens a file in WAL mode.
_SHARED_MEMORY = 32_768


class Summary(NamedTuple):
    """What a state file has: the version of its tables, and the number of users."""

    version: int
    users: int


class Restored(NamedTuple):
    """What restore_state() has done. ``former``: the name of the replaced file; None when there was none.

    ``compared`` is false when there was no readable file to compare with. Otherwise ``logins`` can log in and could not
    before, ``passwords`` are logins with another password than before, and ``tokens`` (LOGIN/NAME) are valid again.
    """

    summary: Summary
    former: Path | None
    compared: bool
    logins: list[str]
    passwords: list[str]
    tokens: list[str]


def inspect_state(path: Path) -> Summary:
    """Check a file without changing it, for example without upgrading it.

    Errors: StateError when it is missing, damaged, not a provider's, or has a newer version.
    """
    with _errors(path), closing(_connected(path)) as db:
        return _summary(db, path)


def backup_state(state: Path, copy: Path, *, force: bool = False) -> Summary:
    """Copy the state to a new file, also while the provider writes it; ``force`` replaces an existing file.

    Errors: StateError; then there is no new file, and an existing one is as it was.
    """
    _check_names(state, copy)
    if _is_part_of(state, copy):
        raise StateError(f"{copy} is a file of the state {state}: use another name for the backup")
    if copy.exists() and not force:
        raise StateError(f"{copy} exists: use another name, or --force to replace it")
    with _copied(state, copy) as (part, summary):
        _rename(part, copy, force)
    _sync_folder(copy)
    return summary


def restore_state(copy: Path, state: Path) -> Restored:
    """Replace the state by a backup. The former state stays as FILE.old, and replaces one of that name.

    Errors: StateBusy while a provider or a command uses the state; StateError. Then the state is as it was.
    """
    _check_names(state, copy)
    if _is_part_of(state, copy):
        raise StateError(f"{copy} is a file of the state {state} itself: give the name of a backup")
    former = state.with_name(f"{state.name}.old")
    if _is_part_of(former, copy):
        raise StateError(f"{copy} would be replaced by the former state: rename it first")
    with _copied(copy, state) as (part, summary):
        existed = state.exists()
        if existed:
            _leave_wal_mode(state)
        # What SQLite would otherwise take for a part of the new file.
        for end in ("-wal", "-shm", ""):
            former.with_name(former.name + end).unlink(missing_ok=True)
            if (source := state.with_name(state.name + end)).exists():
                os.replace(source, former.with_name(former.name + end))
        os.replace(part, state)
    _sync_folder(state)
    return _compared(summary, state, former if existed else None)


def _compared(summary: Summary, state: Path, former: Path | None) -> Restored:
    try:
        before = _Logins.of(former) if former else None
    except StateError:
        before = None
    if before is None:
        return Restored(summary, former, False, [], [], [])
    after = _Logins.of(state)
    logins = [login for login in after.enabled if login not in before.enabled]
    passwords = [
        login for login, stored in after.enabled.items() if login in before.enabled and before.enabled[login] != stored
    ]
    tokens = [name for digest, name in after.tokens.items() if digest not in before.tokens]
    return Restored(summary, former, True, logins, passwords, tokens)


class _Logins(NamedTuple):
    """The stored passwords of the users that are not disabled, and the names of the tokens by their digests."""

    enabled: dict[str, str]
    tokens: dict[bytes, str]

    @classmethod
    def of(cls, path: Path) -> _Logins:
        """Errors: StateError."""
        with _errors(path), closing(_connected(path)) as db:
            users = db.execute("SELECT login, password FROM users WHERE NOT disabled ORDER BY login").fetchall()
            tokens = db.execute(
                "SELECT digest, login || '/' || name FROM tokens JOIN users ON users.id = user ORDER BY login, name"
            ).fetchall()
            return cls(dict(users), dict(tokens))


@contextmanager
def _copied(source: Path, target: Path) -> Iterator[tuple[Path, Summary]]:
    """A checked copy next to the target, to be renamed; it is removed if that does not happen. Errors: StateError."""
    part = target.with_name(f"{target.name}.part")
    with _errors(source), closing(_connected(source)) as db:
        _summary(db, source)
        with _errors(target):
            _remove_with_logs(part)
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, _MODE))
            try:
                summary = _write_copy(db, part, source.stat().st_size)
                yield part, summary
            finally:
                _remove_with_logs(part)


def _write_copy(db: sqlite3.Connection, part: Path, size: int) -> Summary:
    """Copy a database of this size to a file, and check it. Errors: StateError; sqlite3.Error; OSError."""
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as copied:
            db.backup(copied)
            copied.execute("PRAGMA journal_mode = DELETE")
            summary = _summary(copied, part)
    except sqlite3.Error:
        _try_to_write(part, size)
        raise
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    return summary


def _try_to_write(path: Path, size: int) -> None:
    """Write a file after an error of SQLite, which says "disk I/O error" also of a full disk.

    Errors: OSError with the system's reason.
    """
    try:
        with path.open("wb") as file:
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)


def _remove_with_logs(path: Path) -> None:
    """Remove a database, and the files that SQLite may have left next to it."""
    for end in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _rename(part: Path, copy: Path, force: bool) -> None:
    """Give a copy its name; without ``force`` never that of an existing file. Errors: OSError."""
    if force:
        os.replace(part, copy)
        return
    # The name is taken first, because renaming would replace a file that was created meanwhile.
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MODE))
    try:
        os.replace(part, copy)
    except OSError:
        copy.unlink()
        raise


def _connected(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise StateError(f"not a file: {path}" if path.exists() else f"no such file: {path}")
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", isolation_level=None, uri=True)


def _summary(db: sqlite3.Connection, path: Path) -> Summary:
    """Errors: StateError."""
    application, version = (
        int(db.execute(query).fetchone()[0]) for query in ("PRAGMA application_id", "PRAGMA user_version")
    )
    if application != APPLICATION:
        raise StateError(f"not a provider's file: {path}")
    if not 1 <= version <= VERSION:
        raise StateError(
            f"{path} has version {version}; this program reads versions 1 to {VERSION}: use a newer program"
        )
    found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok" or db.execute("PRAGMA foreign_key_check").fetchone():
        raise StateError(f"{path} is damaged ({found}): restore a backup")
    return Summary(version, int(db.execute("SELECT count(*) FROM users").fetchone()[0]))


def _leave_wal_mode(state: Path) -> None:
    """Write the log of the WAL mode into the file, which SQLite does only for the last user of a file.

    A file that is damaged has no user that could go on. Errors: StateBusy.
    """
    with closing(sqlite3.connect(state, timeout=0, isolation_level=None)) as db:
        try:
            db.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            if "is locked" in str(error):
                raise StateBusy(f"{state} is in use: stop the provider first") from None
            raise
        except sqlite3.DatabaseError:
            return


def _check_names(*paths: Path) -> None:
    """Errors: StateError for a folder, and for a path without a name."""
    if folder := next((path for path in paths if not path.name or path.is_dir()), None):
        raise StateError(f"not a file: {folder}")


def _is_part_of(state: Path, path: Path) -> bool:
    """Whether a path is the file, or one that SQLite keeps next to it."""
    if path.resolve() in {state.with_name(state.name + end).resolve() for end in ("", "-wal", "-shm", "-journal")}:
        return True
    return path.exists() and state.exists() and path.samefile(state)


def _sync_folder(path: Path) -> None:
    """Make the new name survive a power failure, where folders can be synchronized."""
    if os.name != "posix":
        return
    folder = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Raise StateError for the errors of SQLite and of the system."""
    try:
        yield
    except sqlite3.Error as error:
        if "not a database" in str(error):
            raise StateError(f"not a provider's file: {path}") from error
        if "disk" in str(error):
            try:
                _try_to_write(path.with_name(f"{path.name}.part"), _SHARED_MEMORY)
            except OSError as reason:
                raise StateError(f"{path}: {reason.strerror}") from error
        raise StateError(f"{path}: {error}") from error
    except FileExistsError as error:
        raise StateError(f"{error.filename} exists: use another name, or --force to replace it") from error
    except OSError as error:
        raise StateError(f"{error.filename or path}: {error.strerror}") from error
