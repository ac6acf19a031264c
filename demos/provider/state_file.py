"""The provider's SQLite file: its users and tokens, the failed logins and bans, and whether the provider is paused.

Two processes use it at the same time: the running provider, and the command that changes users. The module sqlite_file
says how it is opened and upgraded. The changes of users are durable, and the counts of failed passwords are not,
because each durable change costs a write to the disk.

The file has the hashes of all passwords.
"""

from __future__ import annotations

from pathlib import Path

from demos.provider.sqlite_file import LOCK_TIMEOUT, FileKind, SqliteFile, StateBusy, StateError
from demos.terminal.runtime.randomness import token_bytes

__all__ = ["APPLICATION", "LOCK_TIMEOUT", "VERSION", "StateBusy", "StateError", "StateFile"]

_SECRET_BYTES = 32

# "WSPR" in the header marks the file as a provider's.
APPLICATION = 0x57535052

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
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
""",
    """
ALTER TABLE users ADD COLUMN publish TEXT NOT NULL DEFAULT '[]';
""",
    """
ALTER TABLE users ADD COLUMN topics TEXT;
""",
)
VERSION = len(_STEPS)


class StateFile(SqliteFile):
    """An open file of the provider. Use it in one thread at a time."""

    def __init__(self, path: Path, *, create: bool = True, timeout: float = LOCK_TIMEOUT) -> None:
        """Open the file, and upgrade it when it has an older version. With ``create`` a missing one is created.

        ``timeout``: the seconds that a call waits while another process has locked the file. The provider passes a
        short time, because its events wait meanwhile.

        Errors: StateError when it does not exist, is not a provider's file, or cannot be opened; StateBusy.
        """
        kind = FileKind("a provider's file", APPLICATION, _STEPS, "python -m demos provider user add")
        super().__init__(path, kind, create=create, timeout=timeout)

    def secret(self, name: str) -> bytes:
        """The random secret of this file with this name; it is made when it is first read.

        Errors: StateError.
        """
        with self.writing() as db:
            db.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (name, token_bytes(_SECRET_BYTES)))
            [value] = db.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()
        return bytes(value)

    def setting(self, name: str) -> str:
        """A value that set_setting() has stored, or "".

        Errors: StateError.
        """
        rows = self.rows("SELECT value FROM settings WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else ""

    def set_setting(self, name: str, value: str, *, durable: bool = True) -> None:
        """Store a value that survives a restart.

        Errors: StateError; StateBusy.
        """
        with self.writing(durable=durable) as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))
