"""The users of a provider: their passwords, tokens and rights, in the provider's file.

Every change of a user adds a row to the table of changes, so the running provider learns which users the command has
changed: it calls changes_since in each timer event and calls ``revocation`` for the sessions of these users. The table
keeps the last MAX_CHANGES rows; who has missed more checks all sessions.

``now`` and all times are seconds since 1970.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from demos.provider.passwords import MAX_TOKENS, new_token, token_digest
from demos.provider.rights import (
    Grant,
    Revocation,
    Rights,
    Token,
    User,
    UserError,
    canonical_login,
    check_rights,
    names_text,
    user_of_row,
)
from demos.provider.state_file import StateFile

MAX_USERS = 100_000
MAX_CHANGES = 10_000

_COLUMNS = (
    "id, login, password, generation, symbols, connections, expires, disabled, created, operator, publish, topics"
)


class Changes(NamedTuple):
    """The logins that were changed, and the position to continue from. Without ``complete`` any user may be changed."""

    position: int
    logins: tuple[str, ...]
    complete: bool


class UserStore:
    """The users in the provider's file; see the head of this module."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        self._data_version = -1
        self._newest = 0

    def add(self, login: str, stored: str, rights: Rights, now: float) -> User:
        """Add a user with a stored password (passwords.new_password).

        Errors: UserError for an invalid login or rights, an existing login, or MAX_USERS users; StateError.
        """
        name = canonical_login(login)
        if name is None:
            raise UserError(
                f"invalid login: {login!r}: it has 1 to 64 characters, letters, digits and . _ - + @, "
                "and begins with a letter or a digit"
            )
        check_rights(rights)
        with self._changing(name) as db:
            [count] = db.execute("SELECT count(*) FROM users").fetchone()
            if count >= MAX_USERS:
                raise UserError(f"the file has {MAX_USERS} users, which is the limit: remove users first")
            try:
                db.execute(
                    "INSERT INTO users (login, password, generation, symbols, connections, expires, disabled, created, "
                    "operator, publish, topics) VALUES (?, ?, 1, ?, ?, ?, 0, ?, ?, ?, ?)",
                    (name, stored, *_values(rights, now)),
                )
            except sqlite3.IntegrityError:
                raise UserError(f"the login exists already: {name}") from None
        return self.get(name)

    def find(self, login: str) -> User | None:
        """The user with this login, in upper or lower case; None when there is none.

        Errors: StateError.
        """
        rows = self._state.rows(f"SELECT {_COLUMNS} FROM users WHERE login = ?", (canonical_login(login),))
        return user_of_row(*rows[0]) if rows else None

    def get(self, login: str) -> User:
        """The user with this login.

        Errors: UserError when there is none; StateError.
        """
        user = self.find(login)
        if user is None:
            raise UserError(f"no such login: {login!r} (`python -m demos provider user list` shows all)")
        return user

    def all(self) -> list[User]:
        """All users by login.

        Errors: StateError.
        """
        return [user_of_row(*row) for row in self._state.rows(f"SELECT {_COLUMNS} FROM users ORDER BY login")]

    def set_password(self, login: str, stored: str) -> None:
        """Replace the password. Sessions that logged in with the old one are revoked.

        Errors: UserError; StateError.
        """
        self._update(login, "password = ?, generation = generation + 1", stored)

    def renew_hash(self, user: User, stored: str) -> None:
        """Store another hash of the same password; nothing is revoked. A password that has been changed stays.

        Errors: StateError.
        """
        with self._state.writing() as db:
            values = (stored, user.id, user.generation)
            db.execute("UPDATE users SET password = ? WHERE id = ? AND generation = ?", values)

    def set_disabled(self, login: str, disabled: bool) -> None:
        """Disable or enable a user. A disabled one cannot log in, and its sessions are revoked.

        Errors: UserError; StateError.
        """
        self._update(login, "disabled = ?", int(disabled))

    def set_rights(self, login: str, change: Callable[[Rights], Rights]) -> None:
        """Replace a user's rights by what ``change`` makes of them. Its sessions are revoked: they log in anew.

        Errors: UserError; StateError.
        """
        with self._changing(self.get(login).login) as db:
            user = self.get(login)
            rights = change(user.rights)
            check_rights(rights)
            db.execute(
                "UPDATE users SET symbols = ?, connections = ?, expires = ?, operator = ?, publish = ?, topics = ? "
                "WHERE id = ?",
                (*_values(rights), user.id),
            )

    def remove(self, login: str) -> None:
        """Remove a user with its tokens. Its sessions are revoked, also if the login is added again.

        Errors: UserError; StateError.
        """
        name = self.get(login).login
        with self._changing(name) as db:
            db.execute("DELETE FROM users WHERE login = ?", (name,))

    def add_token(self, login: str, name: str, now: float) -> str:
        """Create a token and return its text, which is shown once: only its digest is stored.

        Errors: UserError for an invalid or existing name, or MAX_TOKENS tokens; StateError.
        """
        if not (0 < len(name) <= 64 and name.isprintable() and name == name.strip()):
            raise UserError(f"invalid name of a token: {name!r}: it has 1 to 64 printable characters")
        token = new_token()
        with self._changing(self.get(login).login) as db:
            user = self.get(login)
            names = [each.name for each in self.tokens(user)]
            if name in names:
                raise UserError(f"{user.login} has a token {name!r} already: remove it first or choose another name")
            if len(names) >= MAX_TOKENS:
                raise UserError(f"{user.login} has {MAX_TOKENS} tokens, which is the limit: remove one first")
            values = (user.id, name, token_digest(token), now)
            db.execute("INSERT INTO tokens (user, name, digest, created) VALUES (?, ?, ?, ?)", values)
        return token

    def remove_token(self, login: str, name: str) -> None:
        """Remove a token. Sessions that logged in with it are revoked.

        Errors: UserError; StateError.
        """
        user = self.get(login)
        with self._changing(user.login) as db:
            if not db.execute("DELETE FROM tokens WHERE user = ? AND name = ?", (user.id, name)).rowcount:
                raise UserError(f"{user.login} has no token {name!r}")

    def tokens(self, user: User) -> list[Token]:
        """The user's tokens by name.

        Errors: StateError.
        """
        query = "SELECT id, name, digest, created FROM tokens WHERE user = ? ORDER BY name"
        return [Token(*row) for row in self._state.rows(query, (user.id,))]

    def position(self) -> int:
        """The number of the newest change: what a provider that starts passes to changes_since.

        Errors: StateError.
        """
        [[newest]] = self._state.rows("SELECT coalesce(max(position), 0) FROM changes")
        return int(newest)

    def changes_since(self, position: int) -> Changes:
        """The users that were changed after ``position``, by this or another process.

        It costs microseconds when nothing has been changed, so it can be called in every event.

        Errors: StateError.
        """
        version = self._state.data_version()
        if version != self._data_version:
            self._newest = self.position()
            self._data_version = version
        if position == self._newest:
            return Changes(position, (), True)
        query = "SELECT position, login FROM changes WHERE position > ? ORDER BY position"
        rows = self._state.rows(query, (position,))
        # A missing row was deleted because the table was full, or the file was replaced by an older one.
        complete = len(rows) == self._newest - position
        return Changes(self._newest, tuple(dict.fromkeys(login for _, login in rows)), complete)

    def revocation(self, grant: Grant, now: float) -> Revocation | None:
        """Why a session with this grant must end, or None. Call it after a change of the user, and when it expires.

        Errors: StateError.
        """
        before = grant.user
        user = self.find(before.login)
        if user is None or user.id != before.id:
            return Revocation("removed", "the login was removed")
        if (revocation := user.revocation(now) or self.secret_revocation(user, grant)) is not None:
            return revocation
        if user.rights != before.rights:
            return Revocation("rights", "the rights of the login were changed: log in again")
        return None

    def secret_revocation(self, user: User, grant: Grant) -> Revocation | None:
        """Why the password or the token of this grant is not the user's any more, or None.

        Errors: StateError.
        """
        if grant.token is None:
            if user.generation != grant.user.generation:
                return Revocation("password", "the password was changed: log in with the new one")
        elif all(each.id != grant.token.id for each in self.tokens(user)):
            return Revocation("token", "the token was removed")
        return None

    def _update(self, login: str, assignment: str, value: str | int) -> None:
        name = self.get(login).login
        with self._changing(name) as db:
            if not db.execute(f"UPDATE users SET {assignment} WHERE login = ?", (value, name)).rowcount:
                raise UserError(f"the login was removed meanwhile: {name}")

    @contextmanager
    def _changing(self, login: str) -> Iterator[sqlite3.Connection]:
        """A transaction that changes this user, and records that."""
        with self._state.writing() as db:
            yield db
            newest = db.execute("INSERT INTO changes (login) VALUES (?)", (login,)).lastrowid or 0
            db.execute("DELETE FROM changes WHERE position <= ?", (newest - MAX_CHANGES,))
        self._data_version = -1


def _values(rights: Rights, *created: float) -> tuple[object, ...]:
    """The values of the rights as they are stored; ``created`` comes before the operator's."""
    return (
        names_text(rights.symbols),
        rights.connections,
        rights.expires,
        *created,
        rights.operator,
        names_text(rights.publish),
        names_text(rights.topics),
    )
