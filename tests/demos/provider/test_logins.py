"""The check of a login: the same answer and the same work, whatever is wrong; and what runs in a thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from login_kit import DAY, HOME, NOW, PASSWORD, WRONG, Provider, add_user, begin, code, count_hashes, log_in, opened

from demos.provider import passwords
from demos.provider.guard import Refusal
from demos.provider.logins import Attempt, Credentials, finish, prepare
from demos.provider.passwords import MAX_TOKENS, PARAMETERS, Parameters, new_password, parse_password, use_parameters
from demos.provider.rights import Grant, Rights


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[Parameters]:
    return count_hashes(monkeypatch)


@pytest.fixture
def provider(tmp_path: Path, hashes: list[Parameters]) -> Provider:
    result = opened(tmp_path / "provider.sqlite")
    for login in ("anna", "bob", "carl"):
        add_user(result, login)
    result.users.set_disabled("bob", True)
    result.users.set_rights("carl", lambda _: Rights(expires=NOW - 1))
    hashes.clear()
    return result


def test_a_right_password_is_granted_with_the_rights_of_the_user(provider):
    result = log_in(provider, "Anna", NOW)
    assert result == Grant(provider.users.get("anna"), None)


# The address differs, so that the failures of one case do not delay the next.
REFUSED = [
    ("anna", WRONG),
    ("anna", ""),
    ("anna", "x" * 1_000_000),
    ("anna", "\ud800"),
    ("nobody", PASSWORD),
    ("", PASSWORD),
    ("x" * 1_000_000, PASSWORD),
    ("an na\0", PASSWORD),
    ("bob", WRONG),
    ("carl", WRONG),
]


def test_everything_that_is_wrong_gets_the_same_answer_and_costs_the_same_work(provider, hashes):
    for number, (login, password) in enumerate(REFUSED):
        hashes.clear()
        result = log_in(provider, login, NOW, f"192.0.2.{number}", password)
        assert result == Refusal("failed", "the login or the password is wrong", 0.5), (login[:10], password[:10])
        assert hashes == [PARAMETERS], (login[:10], password[:10])
    hashes.clear()
    assert code(log_in(provider, "anna", NOW)) == "granted"
    assert hashes == [PARAMETERS]


def test_a_wrong_token_costs_the_same_comparisons_whoever_has_how_many_tokens(provider, hashes, monkeypatch):
    tokens = [provider.users.add_token("anna", f"t{n}", NOW) for n in range(3)]
    bobs = provider.users.add_token("bob", "t", NOW)
    compared = []
    monkeypatch.setattr(passwords.hmac, "compare_digest", lambda a, b: compared.append(len(b)) or a == b)
    for number, (login, token) in enumerate(
        [("anna", "wrong"), ("anna", bobs), ("nobody", tokens[0]), ("bob", tokens[2]), ("", ""), ("carl", "x")]
    ):
        compared.clear()
        result = log_in(provider, login, NOW, f"192.0.2.{number}", token=token)
        assert result == Refusal("failed", "the login or the password is wrong", 0.5)
        assert compared == [32] * MAX_TOKENS
    assert hashes == []


def test_a_token_logs_in_without_a_password_and_is_named_in_the_grant(provider):
    provider.users.add_token("anna", "one", NOW)
    token = provider.users.add_token("anna", "two", NOW)
    result = log_in(provider, "anna", NOW, password="", token=token)
    assert isinstance(result, Grant)
    assert result.token is not None
    assert result.token.name == "two"


def test_a_token_is_no_password_and_a_password_no_token(provider):
    token = provider.users.add_token("anna", "one", NOW)
    assert code(log_in(provider, "anna", NOW, "192.0.2.1", password=token)) == "failed"
    assert code(log_in(provider, "anna", NOW, "192.0.2.2", token=PASSWORD)) == "failed"


def test_a_token_needs_no_thread_and_a_password_does(provider):
    for credentials, slow in ((Credentials("anna", PASSWORD), True), (Credentials("anna", token="x"), False)):
        attempt = prepare(provider.users, provider.guard, credentials, HOME, NOW)
        assert isinstance(attempt, Attempt)
        assert attempt.is_slow is slow


def test_the_check_runs_in_another_thread_and_uses_no_database(provider, monkeypatch):
    attempt = begin(provider, "anna", NOW)
    threads = []
    cheap_hash = passwords.hash_password

    def recorded(*arguments: object) -> bytes:
        threads.append(threading.current_thread())
        return cheap_hash(*arguments)

    monkeypatch.setattr(passwords, "hash_password", recorded)
    with ThreadPoolExecutor(1) as pool:
        # SQLite raises an error when another thread uses the connection.
        checked = pool.submit(attempt.check).result()
    assert threads
    assert threading.current_thread() not in threads
    assert code(finish(provider.users, provider.guard, attempt, checked, NOW)) == "granted"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (lambda users: users.set_disabled("anna", True), "disabled"),
        (lambda users: users.remove("anna"), "failed"),
        (lambda users: users.set_password("anna", new_password("another password")), "failed"),
        (lambda users: users.set_rights("anna", lambda _: Rights(expires=NOW)), "expired"),
    ],
)
def test_a_user_that_is_changed_during_the_check_is_not_granted(provider, change, refusal):
    attempt = begin(provider, "anna", NOW)
    checked = attempt.check()
    assert checked.matched
    change(provider.users)
    assert code(finish(provider.users, provider.guard, attempt, checked, NOW)) == refusal


ENDED = {
    "bob": Refusal("disabled", "the login was disabled", 0.0),
    "carl": Refusal("expired", "the login has expired", 0.0),
}


@pytest.mark.parametrize("login", ENDED)
def test_who_has_the_right_password_or_token_learns_that_the_login_has_ended(provider, login, hashes):
    token = provider.users.add_token(login, "one", NOW)
    assert log_in(provider, login, NOW) == ENDED[login]
    assert hashes == [PARAMETERS]
    assert log_in(provider, login, NOW, password="", token=token) == ENDED[login]


def test_a_login_that_has_ended_counts_neither_as_a_failure_nor_as_a_success(provider):
    for step in range(5):
        assert code(log_in(provider, "bob", NOW + 20 * step, password=WRONG)) == "failed"
        if step < 4:
            codes = [code(log_in(provider, "bob", NOW + 20 * step + 10)) for _ in range(30)]
            assert set(codes) == {"disabled"}
    # The failures were not reset: the fifth one has begun a ban.
    assert code(log_in(provider, "bob", NOW + 90)) == "banned"
    assert provider.guard._tables.known_since("bob", HOME) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda users: users.set_password("anna", new_password("another password")),
        lambda users: users.remove_token("anna", "one"),
    ],
)
def test_a_secret_that_is_replaced_during_the_check_does_not_show_that_the_login_was_disabled(provider, change):
    token = provider.users.add_token("anna", "one", NOW)
    attempts = [
        prepare(provider.users, provider.guard, credentials, HOME, NOW)
        for credentials in (Credentials("anna", PASSWORD), Credentials("anna", token=token))
    ]
    checked = [attempt.check() for attempt in attempts]
    change(provider.users)
    provider.users.set_disabled("anna", True)
    codes = [
        code(finish(provider.users, provider.guard, attempt, each, NOW))
        for attempt, each in zip(attempts, checked, strict=True)
    ]
    assert sorted(codes) == ["disabled", "failed"]


def test_rights_that_are_changed_during_the_check_are_those_of_the_grant(provider):
    attempt = begin(provider, "anna", NOW)
    provider.users.set_rights("anna", lambda _: Rights(("EURUSD",)))
    result = finish(provider.users, provider.guard, attempt, attempt.check(), NOW)
    assert isinstance(result, Grant)
    assert result.user.rights == Rights(("EURUSD",))


def test_a_login_that_expires_during_the_check_is_not_granted(provider):
    provider.users.set_rights("anna", lambda _: Rights(expires=NOW + DAY))
    attempt = begin(provider, "anna", NOW + DAY - 1)
    assert code(finish(provider.users, provider.guard, attempt, attempt.check(), NOW + DAY)) == "expired"


def test_an_old_hash_is_replaced_at_the_next_login_and_revokes_nothing(provider):
    grant = log_in(provider, "anna", NOW)
    dearer = Parameters(15, 8, 5)
    with use_parameters(dearer):
        assert code(log_in(provider, "anna", NOW, password=WRONG)) == "failed"
        assert parse_password(provider.users.get("anna").stored).parameters == PARAMETERS
        assert code(log_in(provider, "anna", NOW + 1)) == "granted"
    assert parse_password(provider.users.get("anna").stored).parameters == dearer
    assert provider.users.revocation(grant, NOW) is None
    assert code(log_in(provider, "anna", NOW + 1)) == "granted"


def test_no_text_of_an_attempt_shows_a_password_or_a_token(provider):
    for credentials in (Credentials("anna", PASSWORD), Credentials("anna", token="wst_secret")):
        attempt = prepare(provider.users, provider.guard, credentials, HOME, NOW)
        for value in (credentials, attempt):
            assert is_dataclass(value)
            assert fields(value)
            assert PASSWORD not in repr(value)
            assert "wst_secret" not in repr(value)


def test_a_real_login_with_scrypt_works(tmp_path):
    provider = opened(tmp_path / "provider.sqlite")
    add_user(provider, "anna")
    assert code(log_in(provider, "anna", NOW, password=WRONG)) == "failed"
    assert code(log_in(provider, "anna", NOW + 1)) == "granted"
