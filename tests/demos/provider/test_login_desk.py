"""The login desk: answers, seats and revocations, in steps of a clock that the test sets."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from login_kit import HOME, NOW, PASSWORD, WRONG, Provider, add_user, count_hashes, fail, opened
from winsock_kit import LIMIT_SECONDS

from demos.provider import login_desk
from demos.provider.guard import Refusal, Rules
from demos.provider.login_desk import LoginDesk
from demos.provider.logins import Credentials
from demos.provider.rights import Grant, Rights
from demos.provider.session import Ending
from demos.provider.state_file import StateError, StateFile


class Desk:
    """A desk whose clock and steps belong to the test."""

    def __init__(self, path: Path) -> None:
        self.now = NOW
        self.path = path
        self.lines: list[str] = []
        self.changed: list[Collection[str] | None] = []
        self.state = StateFile(path)
        self.desk = LoginDesk(self.state, lambda: self.now, self.lines.append, self.changed.append)
        self.answers: list[Grant | Refusal] = []
        self.endings: dict[int, Ending] = {}

    def ask(self, login: str = "anna", password: str = PASSWORD, number: int = 1) -> None:
        self.desk.request(number, Credentials(login, password), HOME, self.answers.append)

    def log_in(self, login: str = "anna", number: int = 1) -> Grant:
        """A whole login that takes its seat."""
        self.ask(login, number=number)
        self.until_answered()
        [grant] = self.answers
        self.answers.clear()
        assert isinstance(grant, Grant), grant
        self.seat(number, grant)
        return grant

    def seat(self, number: int, grant: Grant) -> None:
        self.desk.take_seat(number, grant, lambda ending: self.endings.update({number: ending}))
        self.desk.step()

    def next_step(self) -> None:
        """Step when a hashing thread has posted something."""
        # The first wait may end at once, because of what was posted before the last step.
        for _ in range(2):
            if not self.desk._posted:
                self.desk.wait(LIMIT_SECONDS)
        self.desk.step()

    def until_answered(self) -> None:
        """Step with what the hashing threads post, until a request was answered."""
        self.desk.step()
        while not self.answers:
            self.next_step()


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Provider:
    count_hashes(monkeypatch)
    result = opened(tmp_path / "provider.sqlite")
    add_user(result, "anna", Rights(connections=2))
    add_user(result, "bob")
    return result


@pytest.fixture
def desk(provider: Provider, tmp_path: Path) -> Iterator[Desk]:
    result = Desk(tmp_path / "provider.sqlite")
    yield result
    result.desk.close()
    result.state.close()


def test_a_right_password_is_granted_and_a_wrong_one_is_answered_after_the_guards_delay(desk):
    desk.log_in()
    desk.ask(password=WRONG, number=2)
    desk.desk.step()
    # The check has ended, but its answer is held back.
    desk.next_step()
    assert desk.answers == []
    desk.now += 0.5
    desk.desk.step()
    [refusal] = desk.answers
    assert isinstance(refusal, Refusal)
    assert refusal.code == "failed"


def test_an_attempt_that_must_wait_is_checked_afterwards(desk):
    desk.ask(password=WRONG)
    desk.desk.step()
    desk.next_step()
    desk.ask(number=2)
    desk.desk.step()
    assert desk.answers == []
    desk.now += 10
    desk.desk.step()
    while len(desk.answers) < 2:
        desk.next_step()
    assert {type(each) for each in desk.answers} == {Refusal, Grant}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda users: users.set_disabled("anna", True), "disabled"),
        (lambda users: users.remove("anna"), "removed"),
        (lambda users: users.set_rights("anna", lambda _: Rights(symbols=("GOLD",))), "rights"),
    ],
)
def test_a_change_by_another_process_ends_the_sessions_of_that_user_only(change, code, desk, provider):
    desk.log_in("anna", 1)
    desk.log_in("bob", 2)
    desk.desk.step()
    assert desk.endings == {}
    change(provider.users)
    desk.desk.step()
    assert {number: ending.code for number, ending in desk.endings.items()} == {1: code}
    assert desk.changed == [("anna",)]
    # It is ended once.
    desk.endings.clear()
    desk.desk.step()
    assert desk.endings == {}


def test_a_session_ends_when_its_login_expires(desk, provider):
    provider.users.set_rights("anna", lambda _: Rights(expires=NOW + 60))
    desk.log_in()
    desk.now = NOW + 59
    desk.desk.step()
    assert desk.endings == {}
    desk.now = NOW + 60
    desk.desk.step()
    assert desk.endings[1].code == "expired"


def test_a_right_that_was_taken_away_between_the_grant_and_the_seat_ends_the_session(desk, provider):
    desk.ask()
    desk.until_answered()
    provider.users.set_disabled("anna", True)
    desk.desk.step()
    [grant] = desk.answers
    desk.seat(1, grant)
    assert desk.endings[1].code == "disabled"


def test_the_oldest_connection_of_a_login_makes_room_for_a_new_one(desk):
    for number in (1, 2):
        desk.log_in(number=number)
    assert desk.endings == {}
    desk.log_in(number=3)
    assert {number: ending.code for number, ending in desk.endings.items()} == {1: "replaced"}
    desk.desk.leave(2)
    desk.log_in(number=4)
    assert list(desk.endings) == [1]


def test_a_state_file_that_cannot_be_read_ends_sessions_and_answers_busy(desk, monkeypatch):
    desk.log_in()

    def fails(*_: object) -> None:
        raise StateError("disk I/O error")

    monkeypatch.setattr(desk.desk.users, "find", fails)
    monkeypatch.setattr(desk.desk.users, "changes_since", lambda position: login_desk_changes(position))
    desk.ask(number=2)
    desk.desk.step()
    assert [each.code for each in desk.answers] == ["busy"]
    assert desk.endings[1].code == "busy"
    assert [line for line in desk.lines if "disk I/O error" in line]


def test_a_login_that_cannot_be_written_is_a_problem_until_the_file_can_be_written(desk, monkeypatch):
    assert desk.desk.problem == ""
    with monkeypatch.context() as patch:
        patch.setattr(desk.state, "writing", unwritable)
        desk.ask(password=WRONG)
        desk.until_answered()
        assert [each.code for each in desk.answers] == ["busy"]
        for _ in range(3):
            desk.now += 1
            desk.desk.step()
            assert desk.desk.problem == "disk full"
    desk.desk.step()
    assert desk.desk.problem == "disk full"
    desk.now += 1
    desk.desk.step()
    assert desk.desk.problem == ""


def test_a_ban_is_reported_once_when_it_begins(desk, provider):
    desk.desk.step()
    desk.now = fail(provider, "bob", desk.now, 5)
    for _ in range(3):
        desk.now += 1
        desk.desk.step()
    [line] = [line for line in desk.lines if "banned" in line]
    assert line.startswith(f"-bob from {HOME} is banned for ")

    again = Desk(desk.path)
    again.now = desk.now
    for _ in range(2):
        again.desk.step()
        again.now += 2
    assert len(again.desk.bans) == 1
    assert again.lines == []
    again.desk.close()
    again.state.close()


@contextmanager
def unwritable(*, durable: bool = True) -> Iterator[None]:
    raise StateError("disk full")
    yield


def login_desk_changes(position: int) -> object:
    from demos.provider.users import Changes

    return Changes(position, (), False)


def test_more_waiting_attempts_than_the_limit_are_asked_to_come_again(desk, monkeypatch):
    monkeypatch.setattr(login_desk, "MOST_WAITING", 2)
    for number in range(Rules().most_checks_of_address + 3):
        desk.ask("nobody", number=number)
    desk.desk.step()
    assert [each.code for each in desk.answers] == ["busy"]


def test_attempts_that_wait_keep_neither_other_addresses_nor_known_logins_out(desk):
    desk.log_in()
    for number in range(1000):
        desk.ask(f"guess{number}", WRONG, number=number)
    desk.desk.step()
    busy = [each.code for each in desk.answers]
    assert busy == ["busy"] * (1000 - Rules().most_checks_of_address - login_desk.MOST_WAITING_OF_ADDRESS)
    desk.answers.clear()
    results: list[Grant | Refusal] = []
    desk.desk.request(2000, Credentials("bob", PASSWORD), "203.0.113.77", results.append)
    desk.desk.request(2001, Credentials("anna", PASSWORD), HOME, results.append)
    desk.desk.step()
    while len(results) < 2:
        desk.next_step()
    assert {each.user.login for each in results if isinstance(each, Grant)} == {"anna", "bob"}


def test_the_desks_thread_answers_and_ends(desk):
    answered = threading.Event()
    thread = threading.Thread(target=desk.desk.run)
    thread.start()
    desk.desk.request(1, Credentials("anna", PASSWORD), HOME, lambda result: answered.set())
    assert answered.wait(LIMIT_SECONDS)
    desk.desk.stop()
    thread.join(LIMIT_SECONDS)
    assert not thread.is_alive()
