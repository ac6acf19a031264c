"""What a user is: its login, its rights, its tokens, and what a login grants. No database.

All times are seconds since 1970.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from demos.provider.state_file import StateError
from demos.provider.topic_names import topic_problem
from demos.terminal.symbols import symbol_problem

MAX_SYMBOLS = 1000
MAX_CONNECTIONS = 1000
MAX_TOPICS = 100

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}", re.ASCII)


class UserError(StateError):
    """A user or a token that does not exist, exists already, or has invalid properties."""

    code = 2


@dataclass(frozen=True)
class Rights:
    """What a user may do. ``symbols``: the visible ones, None for all. ``expires``: None for never.

    ``operator``: the user opens the dashboard instead of subscribing. ``publish``: the topics of a proxy that it may
    publish. ``topics``: the topics of a proxy that it may follow, None for all.
    """

    symbols: tuple[str, ...] | None = None
    connections: int = 1
    expires: float | None = None
    operator: bool = False
    publish: tuple[str, ...] = ()
    topics: tuple[str, ...] | None = None

    def may_follow(self, topic: str) -> bool:
        """Whether the user may subscribe to this topic; the only topic of a provider has the name ""."""
        return not topic or self.topics is None or topic in self.topics


class Revocation(NamedTuple):
    """Why a session must end, or a login is refused: a code for programs, and a sentence."""

    code: str
    text: str


@dataclass(frozen=True)
class User:
    """A user. ``id`` is never used again, ``generation`` counts the passwords, ``stored`` is the password's hash."""

    id: int
    login: str
    stored: str = field(repr=False)
    generation: int
    rights: Rights
    disabled: bool
    created: float

    def state(self, now: float) -> str:
        """``active``, ``disabled`` or ``expired``."""
        if self.disabled:
            return "disabled"
        return "expired" if self.rights.expires is not None and now >= self.rights.expires else "active"

    def revocation(self, now: float) -> Revocation | None:
        """Why nobody can use this login at this time, or None."""
        state = self.state(now)
        if state == "active":
            return None
        return Revocation(state, "the login was disabled" if self.disabled else "the login has expired")


class Token(NamedTuple):
    """A token of a user; its text is not stored."""

    id: int
    name: str
    digest: bytes
    created: float


class Grant(NamedTuple):
    """A successful login: the user at that time, and the token that was used, or None for the password."""

    user: User
    token: Token | None


def canonical_login(text: str) -> str | None:
    """The login as it is stored, in lower case, or None when no user can have it."""
    login = text.lower() if len(text) <= 64 and text.isascii() else ""
    return login if _LOGIN.fullmatch(login) else None


def check_rights(rights: Rights) -> None:
    """Raise UserError for rights that no user can have."""
    if not 1 <= rights.connections <= MAX_CONNECTIONS:
        raise UserError(f"{rights.connections} connections: the number is from 1 to {MAX_CONNECTIONS}")
    if rights.topics == ():
        raise UserError(f"0 topics: the number is from 1 to {MAX_TOPICS}")
    for topics in (rights.publish, rights.topics or ()):
        if len(topics) > MAX_TOPICS:
            raise UserError(f"{len(topics)} topics: the number is at most {MAX_TOPICS}")
        for problem in filter(None, map(topic_problem, topics)):
            raise UserError(problem)
    if rights.symbols is None:
        return
    if not 1 <= len(rights.symbols) <= MAX_SYMBOLS:
        raise UserError(f"{len(rights.symbols)} symbols: the number is from 1 to {MAX_SYMBOLS}")
    for problem in filter(None, map(symbol_problem, rights.symbols)):
        raise UserError(problem)


def names_text(names: Iterable[str] | None) -> str | None:
    """Symbols or topics as they are stored; None: all."""
    return None if names is None else json.dumps(sorted(set(names)), ensure_ascii=False)


def user_of_row(*row: Any) -> User:
    """The user in a row of the table.

    Errors: StateError when the row cannot be one that this module has written.
    """
    number, login, stored, generation, symbols, connections, expires, disabled, created, operator, publish, topics = row
    try:
        ends = None if expires is None else float(expires)
        published = _names(publish) or ()
        rights = Rights(_names(symbols), int(connections), ends, bool(operator), published, _names(topics))
        return User(number, str(login), str(stored), int(generation), rights, bool(disabled), float(created))
    except (ValueError, TypeError) as error:
        raise StateError(f"the file is damaged: the user {login!r} cannot be read: {error}") from error


def _names(text: str | None) -> tuple[str, ...] | None:
    """The names in a text of names_text()."""
    if text is None:
        return None
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError("not a list of names")
    return tuple(value)
