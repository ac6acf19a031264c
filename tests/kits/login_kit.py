"""A provider's users and guard for tests: a file, a cheap hash that counts its computations, and whole logins."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import pytest
from cleanup_kit import closed_after_test

from demos.provider import passwords
from demos.provider.guard import Guard, Refusal, Rules
from demos.provider.logins import Attempt, Credentials, finish, prepare
from demos.provider.passwords import Parameters, new_password
from demos.provider.rights import Grant, Rights
from demos.provider.state_file import StateFile
from demos.provider.users import UserStore

NOW = 1_800_000_000.0
DAY = 86_400.0
HOME, AWAY = "203.0.113.7", "198.51.100.9"
PASSWORD = "correct horse"
WRONG = "battery staple"


class Provider(NamedTuple):
    """What a running provider has open."""

    state: StateFile
    users: UserStore
    guard: Guard


def opened(path: Path, rules: Rules | None = None, **options: float) -> Provider:
    """The file, opened as another process would; it is closed after the test."""
    state = closed_after_test(StateFile(path, **options))  # type: ignore[arg-type]
    return Provider(state, UserStore(state), Guard(state, rules))


def count_hashes(monkeypatch: pytest.MonkeyPatch) -> list[Parameters]:
    """Replace scrypt by a cheap hash; returns the list of the parameters of all computations."""
    computed: list[Parameters] = []

    def cheap_hash(password: bytes, salt: bytes, parameters: Parameters) -> bytes:
        computed.append(parameters)
        return hashlib.sha256(salt + password + repr(parameters).encode()).digest()

    monkeypatch.setattr(passwords, "hash_password", cheap_hash)
    return computed


def add_user(provider: Provider, login: str, rights: Rights | None = None) -> None:
    """Add a user with PASSWORD."""
    provider.users.add(login, new_password(PASSWORD), rights or Rights(), NOW)


def begin(provider: Provider, login: str, now: float, address: str = HOME, password: str = PASSWORD) -> Attempt:
    """The first step of a login that is admitted."""
    attempt = prepare(provider.users, provider.guard, Credentials(login, password), address, now)
    assert isinstance(attempt, Attempt), attempt
    return attempt


def log_in(
    provider: Provider, login: str, now: float, address: str = HOME, password: str = PASSWORD, token: str | None = None
) -> Grant | Refusal:
    """A whole login."""
    users, guard, _ = provider.users, provider.guard, provider.state
    attempt = prepare(users, guard, Credentials(login, password, token), address, now)
    if isinstance(attempt, Refusal):
        return attempt
    return finish(users, guard, attempt, attempt.check(), now)


def code(result: Grant | Refusal) -> str:
    """``granted``, or the code of the refusal."""
    return "granted" if isinstance(result, Grant) else result.code


def fail(provider: Provider, login: str, now: float, times: int, address: str = HOME) -> float:
    """Fail this many times, each as soon as it is admitted; returns the time afterwards."""
    for _ in range(times):
        result = log_in(provider, login, now, address, WRONG)
        while isinstance(result, Refusal) and result.code == "wait":
            now += result.wait_s
            result = log_in(provider, login, now, address, WRONG)
        assert code(result) == "failed", result
    return now
