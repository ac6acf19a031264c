"""An operator's live connection: messages, actions and their confirmation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dashboard_kit import NOW, OPERATOR, example, granted, made, request, server_row, subscriber

from demos.provider.attempts import Ban
from demos.provider.health import HealthLimits
from demos.provider.operator_logins import OperatorLogins
from demos.provider.operator_session import (
    CONFIRM_MS,
    LONGEST_MESSAGE,
    MOST_BYTES,
    MOST_REPLIES,
    Action,
    Feed,
    OperatorSession,
)


@pytest.fixture
def feed() -> Feed:
    result = Feed(HealthLimits())
    result.update(example())
    return result


@pytest.fixture
def session(feed: Feed) -> OperatorSession:
    """A session that has been sent everything so far."""
    result = opened(feed)
    assert [each["type"] for each in messages(result)] == ["hello", "overview"]
    return result


def opened(feed: Feed) -> OperatorSession:
    logins = OperatorLogins(tls=True)
    cookie = logins.add(request("/"), granted(), NOW).partition(";")[0]
    login = logins.find(request("/", headers={"Cookie": cookie}), NOW)
    assert login is not None
    return OperatorSession(feed, logins, login)


def messages(session: OperatorSession, now: int = NOW) -> list[dict[str, Any]]:
    return [json.loads(each) for each in iter(lambda: session.next_message(now), None)]


def propose(session: OperatorSession, now: int = NOW, **action: Any) -> dict[str, Any]:
    """Ask for an action; the answer."""
    assert session.receive(json.dumps(action), now) is None
    [answer] = messages(session, now)
    return answer


def confirm(session: OperatorSession, number: object, now: int = NOW) -> Action | None:
    return session.receive(json.dumps({"confirm": number}), now)


# ---- what is shown


def test_the_first_messages_are_the_history_and_the_newest_overview(feed):
    feed.update(example(NOW + 1000, 1))
    hello, newest = messages(opened(feed), NOW + 1000)
    assert hello["login"] == OPERATOR
    assert [point["time"] for point in hello["history"]] == [NOW + 1000]
    assert newest["overview"] == example(NOW + 1000, 1)
    assert newest["point"]["time"] == NOW + 1000
    assert newest["health"]["status"] == "publishing"


def test_each_overview_is_sent_once_and_a_slow_page_gets_only_the_newest(feed, session):
    assert messages(session) == []
    feed.update(example(NOW + 1000, 1))
    feed.update(example(NOW + 2000, 2))
    assert [each["overview"]["time"] for each in messages(session, NOW + 2000)] == [NOW + 2000]
    assert messages(session, NOW + 2000) == []


def test_before_the_first_overview_only_the_greeting_is_sent_and_nothing_can_be_done():
    session = opened(Feed(HealthLimits()))
    assert [each["type"] for each in messages(session)] == ["hello"]
    assert propose(session, action="pause")["ok"] is False


def test_an_overview_that_is_too_large_is_sent_with_fewer_subscribers(feed):
    rows = [subscriber(number, "x" * 64, client="\u20ac" * 3000) for number in range(400)]
    feed.update(made(subscribers=rows))
    hello, newest = opened(feed), None
    for text in iter(lambda: hello.next_message(NOW), None):
        newest = text
    assert newest is not None
    assert len(newest.encode()) <= MOST_BYTES
    overview = json.loads(newest)["overview"]
    assert 0 < len(overview["subscribers"]) < 400
    assert overview["totals"]["subscribers"] == 400


# ---- actions


@pytest.mark.parametrize(
    ("proposal", "title", "words", "action"),
    [
        (
            {"action": "disconnect", "id": 1},
            "Disconnect anna?",
            "The connection of anna from 203.0.113.7 is closed",
            Action("disconnect", OPERATOR, id=1),
        ),
        (
            {"action": "disable", "login": "bob@example.com"},
            "Disable bob@example.com?",
            "The login bob@example.com is disabled. Its connection is closed",
            Action("disable", OPERATOR, login="bob@example.com"),
        ),
        (
            {"action": "unban", "address": "198.51.100.9", "login": "anna"},
            "Unban anna?",
            "1 ban ends: the login anna from 198.51.100.9",
            Action("unban", OPERATOR, address="198.51.100.9", login="anna"),
        ),
        (
            {"action": "unban", "address": "198.51.100.9", "login": None},
            "Unban 198.51.100.9?",
            "2 bans end: every login from 198.51.100.9",
            Action("unban", OPERATOR, address="198.51.100.9"),
        ),
        (
            {"action": "unban", "login": "root"},
            "Unban root?",
            "1 ban ends: the login root from every address",
            Action("unban", OPERATOR, login="root"),
        ),
        (
            {"action": "pause"},
            "Pause the provider?",
            "8 subscribers are disconnected, and logins are refused",
            Action("pause", OPERATOR),
        ),
    ],
)
def test_an_action_is_done_after_the_operator_has_confirmed_what_it_will_do(session, proposal, title, words, action):
    question = propose(session, **proposal)
    assert (question["type"], question["title"]) == ("confirm", title)
    assert words in question["text"]
    assert question["button"]
    assert confirm(session, question["number"]) == action
    session.report(True, "done")
    assert messages(session) == [{"type": "result", "ok": True, "text": "done"}]


def test_a_paused_provider_is_resumed(feed, session):
    feed.update(made(server=server_row(paused=True)))
    messages(session)
    question = propose(session, action="resume")
    assert confirm(session, question["number"]) == Action("resume", OPERATOR)


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "No subscriber is connected"), (1, "1 subscriber is disconnected"), (2, "2 subscribers are disconnected")],
)
def test_the_question_says_how_many_are_concerned(feed, session, count, words):
    feed.update(made(subscribers=[subscriber(number) for number in range(count)]))
    messages(session)
    assert words in propose(session, action="pause")["text"]
    if count == 2:
        assert "Its 2 connections are closed" in propose(session, action="disable", login="anna")["text"]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"action": "disconnect", "id": 99}, "connection 99 has ended already"),
        ({"action": "disconnect"}, "id: missing"),
        ({"action": "disconnect", "id": "1"}, "id: not an integer"),
        ({"action": "disconnect", "id": True}, "id: not an integer"),
        ({"action": "disable", "login": "nobody"}, "nobody is not connected"),
        ({"action": "disable", "login": "x" * 65}, "login: not a string of 1 to 64 characters"),
        ({"action": "disable", "login": "a\nb"}, "login: a string with control characters"),
        ({"action": "unban"}, "unban needs an address or a login"),
        ({"action": "unban", "address": "192.0.2.1"}, "this ban has ended already"),
        ({"action": "resume"}, "the provider is not paused"),
        ({"action": "shutdown"}, "action: not one of disconnect, disable, unban, pause, resume"),
        ({"action": ["pause"]}, "action: not one of"),
        ({"action": {}}, "action: not one of"),
        ({}, "action: not one of"),
        ({"confirm": "guess"}, "confirmed already or replaced"),
        ({"confirm": 5}, "confirm: not a string"),
        ([], "not an object"),
        ("pause", "not an object"),
    ],
)
def test_an_invalid_message_does_nothing_and_gets_the_reason(session, message, text):
    assert session.receive(json.dumps(message), NOW) is None
    [answer] = messages(session)
    assert (answer["type"], answer["ok"]) == ("result", False)
    assert text in answer["text"]


@pytest.mark.parametrize(
    "data", ["", "{", "[" * 5000, '{"action":"pause","action":"pause"}', "x" * (LONGEST_MESSAGE + 1)]
)
def test_a_message_that_is_not_json_within_the_limits_gets_the_reason(session, data):
    assert session.receive(data, NOW) is None
    assert [each["ok"] for each in messages(session)] == [False]


def test_a_confirmation_is_valid_once(session):
    number = propose(session, action="pause")["number"]
    assert confirm(session, number) is not None
    assert confirm(session, number) is None


def test_another_question_replaces_the_one_before(session):
    first = propose(session, action="pause")["number"]
    second = propose(session, action="disconnect", id=1)["number"]
    assert confirm(session, first) is None
    assert confirm(session, second) == Action("disconnect", OPERATOR, id=1)


def test_a_confirmation_that_comes_too_late_does_nothing(session):
    number = propose(session, action="pause")["number"]
    assert confirm(session, number, NOW + CONFIRM_MS) is None
    assert "too late" in messages(session)[-1]["text"]
    number = propose(session, action="pause")["number"]
    assert confirm(session, number, NOW + CONFIRM_MS - 1) is not None


def test_a_confirmation_of_another_connection_does_nothing(feed, session):
    number = propose(session, action="pause")["number"]
    assert confirm(opened(feed), number) is None
    assert confirm(session, number) is not None


def test_an_action_whose_subject_has_gone_since_the_question_is_not_done(feed, session):
    number = propose(session, action="disconnect", id=1)["number"]
    feed.update(made())
    assert confirm(session, number) is None
    assert "has ended already" in messages(session)[0]["text"]


def test_a_page_that_reads_no_answers_is_disconnected(session):
    for _ in range(MOST_REPLIES + 1):
        session.receive("{}", NOW)
    assert session.next_message(NOW) is None
    assert session.reason == "too many messages without reading the answers"
    assert session.receive('{"action":"pause"}', NOW) is None


def test_an_operator_who_was_logged_out_confirms_nothing():
    feed = Feed(HealthLimits())
    feed.update(made(bans=[Ban(None, "192.0.2.1", 0, 9e9, 1)]))
    logins = OperatorLogins(tls=True)
    cookie = logins.add(request("/"), granted(), NOW).partition(";")[0]
    login = logins.find(request("/", headers={"Cookie": cookie}), NOW)
    assert login is not None
    session = OperatorSession(feed, logins, login)
    messages(session)
    number = propose(session, action="pause")["number"]
    logins.end_of_users({OPERATOR})
    assert confirm(session, number) is None
    assert session.reason
