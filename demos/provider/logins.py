"""The check of a login: three steps, so that the slow one can run in another thread.

    attempt = prepare(users, guard, credentials, address, now)    # an Attempt, or a Refusal
    checked = attempt.check()                                     # in any thread: a tenth of a second of scrypt
    result = finish(users, guard, attempt, checked, now)          # a Grant, or a Refusal

``prepare`` and ``finish`` use the database and run in the program's thread; ``check`` uses nothing but the attempt.
``finish`` must be called for every attempt, also if its client has disconnected: otherwise a client that does not wait
for the answer would have unlimited attempts. If ``check`` was never called, call ``guard.abandoned(attempt.ticket)``.

A client must not learn which logins exist. So an unknown login gets the answer of a wrong password, counts as a
failure, and costs the same: one scrypt with the parameters of new passwords, against a dummy or the user's hash, or a
comparison with MAX_TOKENS digests. A stored hash with other parameters is replaced when its user logs in the next time.

Only a client with the right password or token learns that its login is disabled or has expired: its user must know why
nothing is copied any more. That counts neither as a failure nor as a success.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from demos.provider.guard import NO_LOGIN, Guard, Refusal, Ticket, address_key
from demos.provider.passwords import (
    Parameters,
    StoredPassword,
    dummy_password,
    encode_password,
    matches,
    matching_token,
    parse_password,
    present_parameters,
    stored_password,
)
from demos.provider.rights import Grant, Token, User, canonical_login
from demos.provider.state_file import StateError
from demos.provider.users import UserStore


@dataclass(frozen=True)
class Credentials:
    """What a client sends: a login with a password or with a token. All are text from the network, of any length."""

    login: str
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


class Checked(NamedTuple):
    """The result of a check: whether it matches, the index of the token, and a new hash of the password or ""."""

    matched: bool
    token: int | None = None
    renewed: str = ""


@dataclass(frozen=True)
class Attempt:
    """A login that is being checked. ``user`` is None for an unknown login; ``parameters``: those of new passwords."""

    ticket: Ticket
    user: User | None
    tokens: tuple[Token, ...]
    stored: StoredPassword
    parameters: Parameters
    password: bytes | None = field(repr=False)
    token: str | None = field(repr=False)

    @property
    def is_slow(self) -> bool:
        """Whether check() needs a thread: it does for a password."""
        return self.token is None

    def check(self) -> Checked:
        """Compare the password or the token. It uses no database, so any thread may call it."""
        if self.token is not None:
            index = matching_token(self.token, [each.digest for each in self.tokens])
            return Checked(index is not None, index)
        if not matches(self.password, self.stored) or self.password is None or self.user is None:
            return Checked(False)
        if self.stored.parameters == self.parameters:
            return Checked(True)
        return Checked(True, None, stored_password(self.password, self.parameters).text())


def prepare(users: UserStore, guard: Guard, credentials: Credentials, address: str, now: float) -> Attempt | Refusal:
    """Begin the check of a login from this IPv4 or IPv6 address; ``now`` is in seconds since 1970.

    Errors: StateError, then nothing is checked; ValueError when ``address`` is no address.
    """
    login = canonical_login(credentials.login)
    ticket = guard.admit(login or NO_LOGIN, address_key(address), now)
    if isinstance(ticket, Refusal):
        return ticket
    try:
        user = users.find(login) if login else None
        parameters = present_parameters()
        stored = parse_password(user.stored) if user else dummy_password(parameters)
        tokens = tuple(users.tokens(user)) if user and credentials.token is not None else ()
    except (StateError, ValueError) as error:
        guard.abandoned(ticket)
        raise StateError(f"the login {login!r} cannot be checked: {error}") from error
    password = encode_password(credentials.password or "")
    return Attempt(ticket, user, tokens, stored, parameters, password, credentials.token)


def finish(users: UserStore, guard: Guard, attempt: Attempt, checked: Checked, now: float) -> Grant | Refusal:
    """End the check of a login, and count it. The caller checks the number of connections of the granted user.

    Errors: StateError, then the login is not granted; a wrong password counts as a failure nevertheless.
    """
    try:
        result = _result(users, attempt, checked, now)
    except StateError:
        # Only a right password or token gets here.
        guard.abandoned(attempt.ticket)
        raise
    if result is None:
        return guard.failed(attempt.ticket, now)
    if isinstance(result, Refusal):
        guard.abandoned(attempt.ticket)
        return result
    guard.succeeded(attempt.ticket, now)
    if checked.renewed:
        # When it cannot be written, the next login writes it.
        with suppress(StateError):
            users.renew_hash(result.user, checked.renewed)
    return result


def _result(users: UserStore, attempt: Attempt, checked: Checked, now: float) -> Grant | Refusal | None:
    """The result of a right password or token, or None. The user may have been changed during the check."""
    if not checked.matched or attempt.user is None:
        return None
    user = users.find(attempt.user.login)
    if user is None or user.id != attempt.user.id:
        return None
    token = None if checked.token is None else attempt.tokens[checked.token]
    # First the password or the token: who has an old one must not learn that the login has ended.
    if users.secret_revocation(user, Grant(attempt.user, token)) is not None:
        return None
    revocation = user.revocation(now)
    # New rights are no reason to refuse: the grant has them.
    return Grant(user, token) if revocation is None else Refusal(*revocation, 0.0)
