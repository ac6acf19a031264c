"""Delays and bans after failed passwords: who is refused, for how long, and who is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from login_kit import (
    AWAY,
    DAY,
    HOME,
    NOW,
    PASSWORD,
    WRONG,
    Provider,
    add_user,
    begin,
    code,
    count_hashes,
    fail,
    log_in,
    opened,
)

from demos.provider import attempts
from demos.provider.attempts import AttemptTables, Ban
from demos.provider.guard import BAN_SECONDS, Guard, Refusal, Rules, Ticket, address_key, duration_text
from demos.provider.logins import Attempt, Credentials, finish, prepare
from demos.provider.passwords import Parameters
from demos.provider.state_file import StateBusy, StateError

# Logins of an attacker who tries many.
CROWD = [f"guess{number}" for number in range(100)]


@pytest.fixture(autouse=True)
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[Parameters]:
    return count_hashes(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "provider.sqlite"


@pytest.fixture
def provider(path: Path) -> Provider:
    result = opened(path)
    for login in ("anna", "bob"):
        add_user(result, login)
    return result


def bans(provider: Provider, now: float) -> list[Ban]:
    return AttemptTables(provider.state).bans(now)


def ban_address(provider: Provider, now: float = NOW, address: str = HOME) -> float:
    """Let an attacker fail with 20 logins; returns the time when the address is banned."""
    for login in CROWD[:20]:
        fail(provider, login, now, 1, address)
    assert (None, address) in [(ban.login, ban.address) for ban in bans(provider, now)]
    return now


# ---- delays


def test_each_failed_password_is_answered_later_than_the_one_before(provider):
    now, delays = NOW, []
    for _ in range(5):
        result = log_in(provider, "anna", now, password=WRONG)
        assert isinstance(result, Refusal)
        delays.append(result.wait_s)
        now += result.wait_s
    assert delays == [0.5, 1, 2, 4, 8]


def test_no_password_of_the_login_is_checked_before_the_delay_is_over(provider, hashes):
    fail(provider, "anna", NOW, 3)
    now = fail(provider, "anna", NOW + 100, 1)
    hashes.clear()
    result = log_in(provider, "anna", now + 3.5)
    assert result == Refusal("wait", "wait 1 s before the next attempt", 0.5)
    assert hashes == []
    assert code(log_in(provider, "anna", now + 4)) == "granted"


def test_a_delay_concerns_only_this_login_from_this_address(provider):
    fail(provider, "anna", NOW, 1)
    assert code(log_in(provider, "anna", NOW)) == "wait"
    assert code(log_in(provider, "anna", NOW, AWAY)) == "granted"
    assert code(log_in(provider, "bob", NOW)) == "granted"


# ---- bans of a login from an address


def test_five_failures_ban_the_login_from_the_address(provider, hashes):
    now = fail(provider, "anna", NOW, 5)
    assert bans(provider, now) == [Ban("anna", HOME, now, now + 60, 1)]
    hashes.clear()
    result = log_in(provider, "anna", now + 10)
    assert result == Refusal("banned", "too many failed logins from this address: try again in 50 s", 50)
    assert hashes == []
    assert code(log_in(provider, "anna", now + 59.9)) == "banned"
    assert code(log_in(provider, "anna", now + 60)) == "granted"


def test_a_ban_of_a_login_concerns_no_other_login_and_no_other_address(provider):
    now = fail(provider, "anna", NOW, 5)
    assert code(log_in(provider, "bob", now)) == "granted"
    assert code(log_in(provider, "anna", now, AWAY)) == "granted"
    assert code(log_in(provider, "anna", now)) == "banned"


def test_each_ban_is_longer_than_the_one_before_up_to_a_limit(provider):
    now, lengths = NOW, []
    for _ in range(len(BAN_SECONDS) + 2):
        now = fail(provider, "anna", now, 5)
        [length] = [ban.until - now for ban in bans(provider, now) if ban.login]
        lengths.append(length)
        now += length
    assert lengths == [*BAN_SECONDS, BAN_SECONDS[-1], BAN_SECONDS[-1]]


def test_attempts_during_a_ban_do_not_make_it_longer(provider):
    now = fail(provider, "anna", NOW, 5)
    for second in range(60):
        assert code(log_in(provider, "anna", now + second, password=WRONG)) == "banned"
    assert code(log_in(provider, "anna", now + 60)) == "granted"


def test_a_success_resets_the_failures_and_keeps_the_length_of_the_next_ban(provider):
    now = fail(provider, "anna", NOW, 5) + 60
    now = fail(provider, "anna", now, 4) + 10
    assert code(log_in(provider, "anna", now)) == "granted"
    now = fail(provider, "anna", now, 4) + 10
    assert bans(provider, now) == []
    now = fail(provider, "anna", now, 1)
    assert [ban.until - now for ban in bans(provider, now)] == [BAN_SECONDS[1]]


def test_failures_and_bans_are_forgotten_after_a_day(provider):
    now = fail(provider, "anna", NOW, 5) + 60
    now = fail(provider, "anna", now, 4)
    now = fail(provider, "anna", now + DAY + 1, 4)
    assert bans(provider, now) == []
    now = fail(provider, "anna", now, 1)
    assert [ban.until - now for ban in bans(provider, now)] == [60]


def test_an_unknown_login_is_delayed_and_banned_like_a_known_one(provider):
    results = []
    for login in ("anna", "nobody", "not a login!"):
        now, address = NOW, f"192.0.2.{len(results)}"
        answers = []
        for _ in range(7):
            result = log_in(provider, login, now, address, WRONG)
            answers.append(result)
            now += result.wait_s
        results.append(answers)
    assert results[0] == results[1] == results[2]
    assert [code(answer) for answer in results[0]] == ["failed"] * 5 + ["banned", "failed"]


def test_all_texts_that_cannot_be_a_login_are_banned_together(provider):
    now = NOW
    for text in ("", "a b", "x" * 1_000_000, "?", "\ud800"):
        now = fail(provider, text, now, 1)
    assert [(ban.login, ban.address) for ban in bans(provider, now)] == [("?", HOME)]
    assert code(log_in(provider, "c d", now)) == "banned"


# ---- parallel attempts


def test_parallel_attempts_are_no_way_around_the_limit_of_failures(provider, hashes):
    now = fail(provider, "anna", NOW, 2) + 10
    first = [begin(provider, "anna", now, password=WRONG) for _ in range(3)]
    hashes.clear()
    for _ in range(100):
        refused = log_in(provider, "anna", now)
        assert (code(refused), refused.wait_s) == ("wait", 1)
    assert hashes == []
    for attempt in first:
        assert code(finish(provider.users, provider.guard, attempt, attempt.check(), now)) == "failed"
    assert [ban.login for ban in bans(provider, now)] == ["anna"]


def test_attempts_that_are_not_finished_count_like_failures(provider):
    log_in(provider, "anna", NOW)
    held = [begin(provider, "anna", NOW) for _ in range(5)]
    assert code(log_in(provider, "anna", NOW)) == "wait"
    finish(provider.users, provider.guard, held[0], held[0].check(), NOW)
    assert code(log_in(provider, "anna", NOW)) == "granted"


def test_an_abandoned_attempt_does_not_count(provider):
    for _ in range(20):
        provider.guard.abandoned(begin(provider, "anna", NOW, password=WRONG).ticket)
    assert code(log_in(provider, "anna", NOW)) == "granted"


def test_several_programs_of_one_customer_can_log_in_at_once(provider):
    parallel = [begin(provider, "anna", NOW) for _ in range(4)]
    results = [finish(provider.users, provider.guard, each, each.check(), NOW) for each in parallel]
    assert [code(result) for result in results] == ["granted"] * 4


def test_one_address_cannot_use_all_checks(provider):
    held = [begin(provider, login, NOW, AWAY) for login in CROWD[:4]]
    assert code(log_in(provider, CROWD[4], NOW, AWAY)) == "wait"
    assert code(log_in(provider, "anna", NOW)) == "granted"
    provider.guard.abandoned(held[0].ticket)
    assert code(log_in(provider, CROWD[4], NOW, AWAY)) == "failed"


def test_a_crowd_of_addresses_leaves_checks_for_known_logins(provider):
    assert code(log_in(provider, "anna", NOW)) == "granted"
    for number in range(48):
        begin(provider, "bob", NOW, f"10.0.0.{number}")
    assert code(log_in(provider, "bob", NOW)) == "wait"
    assert code(log_in(provider, "anna", NOW)) == "granted"
    for _ in range(4):
        begin(provider, "anna", NOW)
    assert code(log_in(provider, "anna", NOW)) == "granted"


def test_all_checks_together_have_a_limit(path):
    provider = opened(path, Rules(most_checks=3, most_unknown_checks=3))
    add_user(provider, "anna")
    assert code(log_in(provider, "anna", NOW)) == "granted"
    for number in range(3):
        begin(provider, "bob", NOW, f"10.0.0.{number}")
    assert code(log_in(provider, "anna", NOW)) == "wait"


# ---- bans of an address


def test_twenty_failures_with_any_logins_ban_the_address(provider):
    now = ban_address(provider)
    assert bans(provider, now) == [Ban(None, HOME, now, now + 60, 1)]


def test_a_ban_of_an_address_does_not_concern_a_login_that_is_known_there(provider):
    assert code(log_in(provider, "anna", NOW)) == "granted"
    now = ban_address(provider)
    for second in range(60):
        assert code(log_in(provider, "anna", now + second)) == "granted"


def test_a_login_is_known_at_an_address_for_thirty_days(provider):
    log_in(provider, "anna", NOW)
    log_in(provider, "bob", NOW + 20 * DAY)
    now = ban_address(provider, NOW + 31 * DAY)
    fail(provider, CROWD[50], now, 1)
    assert code(log_in(provider, "bob", now)) == "granted"
    assert code(log_in(provider, "anna", now)) == "wait"


def test_another_customer_at_a_banned_address_gets_in_with_the_right_password(provider):
    """One customer's program repeats a wrong password, at every second, for a day."""
    now = NOW
    while not any(ban.login is None for ban in bans(provider, now)):
        result = log_in(provider, "anna", now, password=WRONG)
        now += max(result.wait_s, 1)
    assert [ban.login for ban in bans(provider, now) if ban.login] == ["anna"]
    assert code(log_in(provider, "anna", now, password=WRONG)) == "banned"
    assert code(log_in(provider, "bob", now)) == "granted"


def test_a_banned_address_has_one_attempt_in_ten_seconds_for_all_unknown_logins(provider, hashes):
    now = ban_address(provider)
    hashes.clear()
    checked = 0
    for step in range(600):
        checked += code(log_in(provider, CROWD[20 + step % 80], now + step / 10, password=WRONG)) == "failed"
    assert checked == len(hashes) == 6


def test_a_customer_waits_for_the_next_attempt_of_a_banned_address(provider):
    now = ban_address(provider)
    fail(provider, CROWD[50], now, 1)
    assert log_in(provider, "anna", now + 4) == Refusal("wait", "wait 6 s before the next attempt", 6)
    assert code(log_in(provider, "anna", now + 10)) == "granted"


def test_with_strict_rules_nobody_logs_in_from_a_banned_address(path):
    provider = opened(path, Rules(strict=True))
    add_user(provider, "anna")
    assert code(log_in(provider, "anna", NOW)) == "granted"
    now = ban_address(provider)
    assert code(log_in(provider, "anna", now)) == "banned"
    assert code(log_in(provider, "anna", now, AWAY)) == "granted"
    assert code(log_in(provider, "anna", now + 60)) == "granted"


def test_a_login_of_ones_own_does_not_reset_the_failures_of_the_address(provider):
    now = NOW
    for login in CROWD[:20]:
        assert bans(provider, now) == []
        fail(provider, login, now, 1)
        assert code(log_in(provider, "bob", now)) == "granted"
    assert [ban.login for ban in bans(provider, now)] == [None]


def test_a_known_login_is_banned_too_when_its_password_is_guessed(provider):
    log_in(provider, "anna", NOW)
    now = ban_address(provider)
    now = fail(provider, "anna", now, 5)
    assert code(log_in(provider, "anna", now)) == "banned"


def test_mistakes_of_many_customers_over_a_long_time_do_not_ban_their_address(provider):
    for hour in range(100):
        now = NOW + hour * 3600
        fail(provider, CROWD[hour], now, 1)
    assert bans(provider, now) == []


def test_bans_of_an_address_become_longer(provider):
    now, lengths = NOW, []
    for turn in range(3):
        for login in CROWD[20 * turn : 20 * turn + 20]:
            fail(provider, login, now, 1)
        [ban] = [ban for ban in bans(provider, now) if ban.login is None]
        lengths.append(ban.until - now)
        now = ban.until
    assert lengths == list(BAN_SECONDS[:3])


# ---- restarts and clocks


def test_bans_and_failures_survive_a_restart(provider, path):
    now = fail(provider, "anna", NOW, 5)
    fail(provider, "bob", now, 4)
    ban_address(provider, now, AWAY)
    expected = bans(provider, now)
    provider.state.close()
    restarted = opened(path)
    assert bans(restarted, now) == expected
    assert code(log_in(restarted, "anna", now + 30)) == "banned"
    fail(restarted, "bob", now + 30, 1)
    assert ("bob", HOME) in [(ban.login, ban.address) for ban in bans(restarted, now + 30)]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("back", [3600.0, DAY, 10 * 365 * DAY])
def test_a_clock_that_goes_back_ends_no_ban_and_makes_none_last_for_ever(provider, path, restart, back):
    now = fail(provider, "anna", NOW, 5)
    early = now - back
    if restart:
        provider = opened(path)
    assert [ban.until - early for ban in bans(provider, early)] == [60]
    assert code(log_in(provider, "anna", early)) == "banned"
    assert code(log_in(provider, "anna", early + 59)) == "banned"
    assert code(log_in(provider, "anna", early + 61)) == "granted"


def test_a_clock_that_goes_back_during_a_ban_leaves_at_most_the_whole_ban(provider):
    now = fail(provider, "anna", NOW, 5)
    assert code(log_in(provider, "anna", now + 50)) == "banned"
    assert log_in(provider, "anna", now + 20).wait_s == 40
    assert log_in(provider, "anna", now - 1000).wait_s == 60


def test_a_clock_that_goes_back_leaves_no_endless_delay(provider):
    now = fail(provider, "anna", NOW, 4)
    assert log_in(provider, "anna", now - DAY).wait_s <= 10
    assert code(log_in(provider, "anna", now - DAY + 10)) == "granted"


def test_after_a_clock_that_was_wrong_for_a_while_failures_are_still_forgotten(provider):
    fail(provider, "anna", NOW + 1000 * DAY, 4)
    now = fail(provider, "anna", NOW, 1)
    assert [ban.login for ban in bans(provider, now)] == ["anna"]
    now = fail(provider, "anna", now + 2 * DAY, 4)
    assert bans(provider, now) == []


def test_a_login_that_was_known_in_the_future_is_not_known_for_ever(provider):
    log_in(provider, "anna", NOW + 1000 * DAY)
    log_in(provider, "bob", NOW, AWAY)
    now = ban_address(provider, NOW + 31 * DAY)
    fail(provider, CROWD[50], now, 1)
    assert code(log_in(provider, "anna", now)) == "wait"


# ---- addresses


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_the_first_64_bits_of_ipv6_count_as_the_address(host, key):
    assert address_key(host) == key


@pytest.mark.parametrize("host", ["", "localhost", "203.0.113", "1.2.3.4:5"])
def test_a_text_that_is_no_address_is_an_error(host):
    with pytest.raises(ValueError, match="does not appear"):
        address_key(host)


def test_all_addresses_of_one_ipv6_network_share_a_ban(provider):
    now = NOW
    for number in range(5):
        now = fail(provider, "anna", now, 1, f"2001:db8::{number}")
    assert code(log_in(provider, "anna", now, "2001:db8::abcd")) == "banned"
    assert code(log_in(provider, "anna", now, "2001:db8:0:1::1")) == "granted"


# ---- bounds


def test_one_address_has_a_limited_number_of_records_and_banned_ones_are_kept(provider, monkeypatch):
    monkeypatch.setattr(attempts, "MAX_LOGINS_OF_ADDRESS", 5)
    now = fail(provider, "anna", NOW, 5)
    for number, login in enumerate(CROWD[:14]):
        fail(provider, login, now + number, 1)
        [[count]] = provider.state.rows("SELECT count(*) FROM attempts WHERE login <> ''")
        assert count <= 5
    found = provider.state.rows("SELECT login FROM attempts WHERE login <> '' ORDER BY last")
    assert [login for [login] in found] == ["anna", *CROWD[10:14]]


def test_the_table_of_failures_has_a_limit_and_bans_are_deleted_last(provider, monkeypatch):
    monkeypatch.setattr(attempts, "MAX_ROWS", 40)
    fail(provider, "anna", NOW, 5)
    for number in range(200):
        fail(provider, "bob", NOW + 20, 1, f"10.0.0.{number}")
        [[count]] = provider.state.rows("SELECT count(*) FROM attempts")
        assert count <= 40
    assert code(log_in(provider, "anna", NOW + 30)) == "banned"


def test_known_addresses_have_a_limit_for_each_login_and_the_newest_are_kept(provider):
    for number in range(20):
        log_in(provider, "anna", NOW + number, f"10.0.0.{number}")
    log_in(provider, "bob", NOW + 20)
    query = "SELECT address FROM known JOIN users ON id = user WHERE login = 'anna' ORDER BY time"
    assert [address for [address] in provider.state.rows(query)] == [f"10.0.0.{number}" for number in range(4, 20)]
    assert provider.state.rows("SELECT count(*) FROM known") == [(17,)]


def test_the_memory_of_attempts_is_empty_when_all_have_ended(provider):
    for login in ("anna", *CROWD[:10]):
        log_in(provider, login, NOW, password=WRONG)
    log_in(provider, "bob", NOW)
    assert not provider.guard._pending.pairs
    assert not provider.guard._pending.unknown_of_address


def test_a_repeated_success_writes_nothing(provider):
    log_in(provider, "anna", NOW)
    [[before]] = provider.state.rows("SELECT total_changes()")
    log_in(provider, "anna", NOW + 60)
    assert provider.state.rows("SELECT total_changes()") == [(before,)]
    log_in(provider, "anna", NOW + 3600)
    assert provider.state.rows("SELECT total_changes()") != [(before,)]


# ---- unban


def test_an_unban_by_another_process_counts_at_once(provider, path):
    now = fail(provider, "anna", NOW, 5)
    assert code(log_in(provider, "anna", now)) == "banned"
    assert AttemptTables(opened(path).state).unban(HOME, "anna", now) == 1
    assert code(log_in(provider, "anna", now)) == "granted"


@pytest.mark.parametrize(
    ("address", "login", "left"),
    [
        (None, None, []),
        (HOME, None, [("anna", AWAY)]),
        (None, "anna", [(None, HOME)]),
        (HOME, "anna", [("anna", AWAY), (None, HOME)]),
        ("192.0.2.1", None, [("anna", HOME), ("anna", AWAY), (None, HOME)]),
    ],
)
def test_an_unban_ends_the_bans_that_were_named(provider, address, login, left):
    now = fail(provider, "anna", NOW, 5)
    now = fail(provider, "anna", now, 5, AWAY)
    for guess in CROWD[:15]:
        fail(provider, guess, now, 1)
    tables = AttemptTables(provider.state)
    assert tables.unban(address, login, now) == 3 - len(left)
    assert {(ban.login, ban.address) for ban in tables.bans(now)} == set(left)


def test_after_an_unban_the_failures_count_from_zero(provider):
    now = fail(provider, "anna", NOW, 5)
    AttemptTables(provider.state).unban(None, None, now)
    now = fail(provider, "anna", now, 4)
    assert bans(provider, now) == []


# ---- errors of the file


class LockedOnce:
    """Another process that has locked the file while the block runs."""

    def __init__(self, path: Path) -> None:
        self._other = opened(path)

    def __enter__(self) -> None:
        self._writing = self._other.state.writing()
        self._writing.__enter__()

    def __exit__(self, *error: object) -> None:
        self._writing.__exit__(None, None, None)


def test_failures_that_cannot_be_written_count_nevertheless(path):
    provider = opened(path, timeout=0.0)
    add_user(provider, "anna")
    log_in(provider, "anna", NOW, AWAY)
    admitted = []
    with LockedOnce(path):
        for _ in range(10):
            attempt = prepare(provider.users, provider.guard, Credentials("anna", WRONG), HOME, NOW)
            if isinstance(attempt, Attempt):
                admitted.append(attempt)
        assert len(admitted) == 4
        for attempt in admitted:
            with pytest.raises(StateBusy):
                finish(provider.users, provider.guard, attempt, attempt.check(), NOW)
        with pytest.raises(StateBusy):
            prepare(provider.users, provider.guard, Credentials("anna", PASSWORD), HOME, NOW)
    assert code(log_in(provider, "anna", NOW)) == "wait"
    assert provider.state.rows("SELECT failures FROM attempts ORDER BY login") == [(4,), (4,)]
    fail(provider, "anna", NOW + 10, 1)
    assert [ban.login for ban in bans(provider, NOW + 10)] == ["anna"]


def test_a_right_password_is_accepted_while_the_file_cannot_be_written(path):
    provider = opened(path, timeout=0.0)
    add_user(provider, "anna")
    log_in(provider, "anna", NOW, AWAY)
    with LockedOnce(path):
        assert code(log_in(provider, "anna", NOW)) == "granted"


def test_an_attempt_that_meets_an_error_of_the_file_leaves_no_pending_one(provider, monkeypatch):
    def broken(login: str) -> None:
        raise StateError("the disk is broken")

    attempt = begin(provider, "anna", NOW)
    monkeypatch.setattr(provider.users, "find", broken)
    with pytest.raises(StateError, match="the disk is broken"):
        finish(provider.users, provider.guard, attempt, attempt.check(), NOW)
    with pytest.raises(StateError, match="the disk is broken"):
        begin(provider, "anna", NOW)
    assert not provider.guard._pending.pairs


def test_a_guard_refuses_nothing_without_failures(provider):
    guard = Guard(provider.state)
    assert guard.admit("anna", HOME, NOW) == Ticket("anna", HOME, False)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59, "59 s"), (59.5, "1 min"), (61, "2 min"), (3600, "1 h"), (86_400, "24 h")]
)
def test_a_length_of_time_is_rounded_up(seconds, text):
    assert duration_text(seconds) == text
