"""Users, their tokens and rights, and how a running provider learns of changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from login_kit import DAY, NOW, PASSWORD, Provider, add_user, code, count_hashes, log_in, opened

from demos.provider import users as users_module
from demos.provider.passwords import MAX_TOKENS, Parameters, new_password
from demos.provider.rights import Grant, Rights, UserError, canonical_login
from demos.provider.state_file import StateError
from demos.provider.users import Changes


@pytest.fixture(autouse=True)
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[Parameters]:
    return count_hashes(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "provider.sqlite"


@pytest.fixture
def provider(path: Path) -> Provider:
    """The running provider, with the user anna."""
    result = opened(path)
    add_user(result, "anna")
    return result


def granted(provider: Provider, token: str | None = None) -> Grant:
    result = log_in(provider, "anna", NOW, token=token)
    assert isinstance(result, Grant), result
    return result


def test_a_user_has_the_rights_that_were_given(provider, path):
    rights = Rights(("EURUSD", "Volatility 75 Index"), 3, NOW + DAY)
    add_user(provider, "bob@example.com", rights)
    user = opened(path).users.get("bob@example.com")
    assert (user.login, user.rights, user.created) == ("bob@example.com", rights, NOW)
    assert [user.state(NOW), user.state(NOW + DAY - 1), user.state(NOW + DAY)] == ["active", "active", "expired"]
    assert [each.login for each in provider.users.all()] == ["anna", "bob@example.com"]


def test_the_hash_of_a_password_is_not_part_of_a_users_text(provider):
    assert provider.users.get("anna").stored not in repr(provider.users.get("anna"))


def test_upper_and_lower_case_are_one_login(provider):
    with pytest.raises(UserError, match="exists already: anna"):
        add_user(provider, "Anna")
    assert provider.users.get("ANNA").login == "anna"


@pytest.mark.parametrize("login", ["", "-a", "a b", "a\n", "é", "a" * 65, "?", "a/b", "a" * 10_000_000])
def test_an_invalid_login_is_refused(provider, login):
    assert canonical_login(login) is None
    assert provider.users.find(login) is None
    with pytest.raises(UserError, match="invalid login"):
        add_user(provider, login)


@pytest.mark.parametrize(
    ("rights", "problem"),
    [
        (Rights(connections=0), "0 connections: the number is from 1 to 1000"),
        (Rights(connections=1001), "1001 connections"),
        (Rights(()), "0 symbols: the number is from 1 to 1000"),
        (Rights(topics=()), "0 topics: the number is from 1 to 100"),
        (Rights(topics=tuple(f"t{n}" for n in range(101))), "101 topics"),
        (Rights(topics=("Main",)), "invalid topic: 'Main'"),
        (Rights(tuple(f"S{n}" for n in range(1001))), "1001 symbols"),
        (Rights(("EUR|USD",)), "cannot contain '|'"),
    ],
)
def test_invalid_rights_are_refused(provider, rights, problem):
    with pytest.raises(UserError) as caught:
        add_user(provider, "bob", rights)
    assert problem in str(caught.value)
    with pytest.raises(UserError):
        provider.users.set_rights("anna", lambda _: rights)
    assert provider.users.find("bob") is None
    assert provider.users.get("anna").rights == Rights()


def test_the_number_of_users_has_a_limit(provider, monkeypatch):
    monkeypatch.setattr(users_module, "MAX_USERS", 2)
    add_user(provider, "bob")
    with pytest.raises(UserError, match="has 2 users, which is the limit"):
        add_user(provider, "carl")


@pytest.mark.parametrize(
    "change",
    [
        lambda users: users.set_password("nobody", "x"),
        lambda users: users.set_disabled("nobody", True),
        lambda users: users.set_rights("nobody", lambda rights: rights),
        lambda users: users.remove("nobody"),
        lambda users: users.add_token("nobody", "name", NOW),
        lambda users: users.remove_token("nobody", "name"),
    ],
)
def test_a_change_of_an_unknown_login_is_an_error_and_no_change(provider, change):
    position = provider.users.position()
    with pytest.raises(UserError, match="no such login: 'nobody'"):
        change(provider.users)
    assert provider.users.position() == position


def test_a_damaged_row_is_one_clear_error(provider, path):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE users SET symbols = '{\"a\": 1}'")
    with pytest.raises(StateError, match="damaged: the user 'anna' cannot be read"):
        provider.users.get("anna")


# ---- tokens


def test_a_token_has_a_name_and_only_its_digest_is_stored(provider, path):
    token = provider.users.add_token("anna", "copier-1", NOW)
    assert len(token) > 40
    [stored] = provider.users.tokens(provider.users.get("anna"))
    assert (stored.name, stored.created) == ("copier-1", NOW)
    provider.state.close()
    assert token.encode() not in path.read_bytes()
    assert token[4:].encode() not in path.read_bytes()


def test_names_of_tokens_are_unique_for_a_user_only(provider):
    add_user(provider, "bob")
    provider.users.add_token("anna", "copier", NOW)
    provider.users.add_token("bob", "copier", NOW)
    with pytest.raises(UserError, match="anna has a token 'copier' already"):
        provider.users.add_token("anna", "copier", NOW)


@pytest.mark.parametrize("name", ["", " a", "a\n", "a" * 65])
def test_an_invalid_name_of_a_token_is_refused(provider, name):
    with pytest.raises(UserError, match="invalid name of a token"):
        provider.users.add_token("anna", name, NOW)


def test_the_number_of_tokens_of_a_user_has_a_limit(provider):
    for number in range(MAX_TOKENS):
        provider.users.add_token("anna", f"copier-{number}", NOW)
    with pytest.raises(UserError, match=f"anna has {MAX_TOKENS} tokens, which is the limit"):
        provider.users.add_token("anna", "one more", NOW)


def test_removing_a_user_removes_tokens_and_known_addresses(provider):
    provider.users.add_token("anna", "copier", NOW)
    granted(provider)
    provider.users.remove("anna")
    assert provider.state.rows("SELECT * FROM tokens UNION ALL SELECT *, 1, 1 FROM known") == []
    with pytest.raises(UserError, match="no such login"):
        provider.users.remove_token("anna", "copier")


def test_a_missing_token_cannot_be_removed(provider):
    with pytest.raises(UserError, match="anna has no token 'x'"):
        provider.users.remove_token("anna", "x")


# ---- changes


def test_a_running_provider_learns_which_users_another_process_has_changed(provider, path):
    add_user(provider, "bob")
    position = provider.users.position()
    assert provider.users.changes_since(position) == Changes(position, (), True)
    command = opened(path).users
    command.set_disabled("bob", True)
    command.add_token("anna", "copier", NOW)
    command.set_disabled("bob", False)
    changes = provider.users.changes_since(position)
    assert changes == Changes(position + 3, ("bob", "anna"), True)
    assert provider.users.changes_since(changes.position) == Changes(changes.position, (), True)


def test_a_provider_learns_of_its_own_changes_too(provider):
    position = provider.users.position()
    provider.users.changes_since(position)
    provider.users.remove("anna")
    assert provider.users.changes_since(position) == Changes(position + 1, ("anna",), True)


def test_without_a_change_only_the_data_version_is_read(provider, monkeypatch):
    position = provider.users.position()
    provider.users.changes_since(position)
    statements = []
    monkeypatch.setattr(provider.state, "rows", lambda text, values=(): statements.append(text) or [(1,)])
    monkeypatch.setattr(provider.users, "_data_version", 1)
    provider.users.changes_since(position)
    assert statements == ["PRAGMA data_version"]


def test_failed_logins_are_no_changes_of_users(provider, path):
    position = provider.users.position()
    log_in(opened(path), "anna", NOW, password="wrong password")
    assert provider.users.changes_since(position) == Changes(position, (), True)


def test_who_missed_more_changes_than_are_kept_checks_all_users(provider, monkeypatch):
    monkeypatch.setattr(users_module, "MAX_CHANGES", 3)
    position = provider.users.position()
    for disabled in (True, False, True):
        provider.users.set_disabled("anna", disabled)
    assert provider.users.changes_since(position).complete
    provider.users.set_disabled("anna", False)
    changes = provider.users.changes_since(position)
    assert changes == Changes(position + 4, ("anna",), False)
    assert provider.state.rows("SELECT count(*) FROM changes") == [(3,)]


def test_a_position_after_the_newest_change_means_that_an_older_file_was_restored(provider):
    position = provider.users.position()
    assert provider.users.changes_since(position + 5) == Changes(position, (), False)


# ---- revocation


def test_an_unchanged_user_keeps_its_session(provider):
    add_user(provider, "bob")
    assert provider.users.revocation(granted(provider), NOW) is None
    token = provider.users.add_token("anna", "copier", NOW)
    provider.users.add_token("anna", "other", NOW)
    assert provider.users.revocation(granted(provider, token), NOW) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda users: users.set_disabled("anna", True), "disabled"),
        (lambda users: users.remove("anna"), "removed"),
        (lambda users: users.set_password("anna", new_password("another password")), "password"),
        (lambda users: users.set_password("anna", users.get("anna").stored), "password"),
        (lambda users: users.set_rights("anna", lambda _: Rights(("EURUSD",))), "rights"),
        (lambda users: users.set_rights("anna", lambda _: Rights(operator=True)), "rights"),
        (lambda users: users.set_rights("anna", lambda _: Rights(expires=NOW)), "expired"),
    ],
)
def test_a_session_is_revoked_when_the_command_takes_its_right_away(provider, path, change, expected):
    grant = granted(provider)
    position = provider.users.position()
    change(opened(path).users)
    assert provider.users.changes_since(position).logins == ("anna",)
    revocation = provider.users.revocation(grant, NOW)
    assert revocation is not None
    assert revocation.code == expected
    assert revocation.text


def test_a_session_ends_at_the_time_of_expiry_without_a_change(provider):
    provider.users.set_rights("anna", lambda _: Rights(expires=NOW + DAY))
    grant = granted(provider)
    assert provider.users.revocation(grant, NOW + DAY - 1) is None
    assert provider.users.revocation(grant, NOW + DAY).code == "expired"


def test_a_login_that_is_removed_and_added_again_is_another_user(provider):
    grant = granted(provider)
    provider.users.remove("anna")
    add_user(provider, "anna")
    assert provider.users.revocation(grant, NOW).code == "removed"


def test_removing_a_token_revokes_its_sessions_only(provider):
    tokens = [provider.users.add_token("anna", name, NOW) for name in ("one", "two")]
    one, two = (granted(provider, token) for token in tokens)
    by_password = granted(provider)
    provider.users.remove_token("anna", "one")
    assert provider.users.revocation(one, NOW).code == "token"
    assert provider.users.revocation(two, NOW) is None
    assert provider.users.revocation(by_password, NOW) is None
    provider.users.add_token("anna", "one", NOW)
    assert provider.users.revocation(one, NOW).code == "token"


def test_a_new_password_does_not_revoke_the_sessions_of_tokens(provider):
    grant = granted(provider, provider.users.add_token("anna", "copier", NOW))
    provider.users.set_password("anna", new_password("another password"))
    assert provider.users.revocation(grant, NOW) is None
    assert code(log_in(provider, "anna", NOW, password=PASSWORD)) == "failed"
