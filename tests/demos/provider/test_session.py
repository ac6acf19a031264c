"""A subscriber's conversation: which messages are accepted at which stage, and what ends it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from provider_kit import HEARTBEAT_MS, KEY, START, account, holding

from demos.provider.guard import Refusal
from demos.provider.messages import Ack, Error, Heartbeat, Known, Login, Resync, Snapshot, Update, Welcome
from demos.provider.protocol import MOST_FROM_CLIENT, decode_from_server, encode
from demos.provider.publishing import Publisher
from demos.provider.rights import Grant, Rights, User
from demos.provider.session import LOGIN_MS, Ending, Reply, Session, Stage

LOGIN = encode(Login(1, "anna", token="t", client="copier 1.0"))


@pytest.fixture
def publisher() -> Publisher:
    return Publisher(account(holding("EURUSD", "0.1"), holding("GOLD", "1")), START, KEY, HEARTBEAT_MS)


def grant(**rights: object) -> Grant:
    return Grant(User(1, "anna", "", 1, Rights(**rights), False, 0.0), None)  # type: ignore[arg-type]


def subscribed(publisher: Publisher, **rights: object) -> Session:
    session = Session(START)
    assert session.receive(LOGIN, START).credentials is not None
    session.logged_in(grant(**rights), publisher, START)
    return session


def only_error(reply: Reply) -> Error:
    [text] = reply.send
    message = decode_from_server(text)
    assert isinstance(message, Error)
    assert message.fatal
    assert reply.ending == Ending(message.code, message.text)
    return message


def test_a_login_is_checked_then_welcomed_and_followed_by_a_snapshot(publisher):
    session = Session(START)
    reply = session.receive(LOGIN, START)
    assert (reply.send, reply.ending, session.stage) == ([], None, Stage.CHECKING)
    assert reply.credentials is not None
    assert (reply.credentials.login, reply.credentials.token, session.client) == ("anna", "t", "copier 1.0")
    assert session.next_message(START) is None
    [welcome] = session.logged_in(grant(), publisher, START).send
    assert isinstance(decode_from_server(welcome), Welcome)
    first = decode_from_server(session.next_message(START) or "")
    assert isinstance(first, Snapshot)
    assert [each.symbol for each in first.positions] == ["EURUSD", "GOLD"]
    assert session.next_message(START) is None


def test_a_user_sees_only_its_symbols_and_no_figures(publisher):
    session = subscribed(publisher, symbols=("GOLD",))
    state = decode_from_server(session.next_message(START) or "")
    assert isinstance(state, Snapshot)
    assert ([each.symbol for each in state.positions], state.account.equity) == (["GOLD"], None)


def test_a_slow_client_gets_the_newest_state_only_and_a_quiet_one_heartbeats(publisher):
    session = subscribed(publisher)
    session.next_message(START)
    for lots in ("0.2", "0.3"):
        publisher.observe(account(holding("EURUSD", lots)), START + 10)
    update = decode_from_server(session.next_message(START + 20) or "")
    assert isinstance(update, Update)
    assert [each.lots for each in update.positions] == [Decimal("0.3"), 0]
    assert session.next_message(START + 30) is None
    assert isinstance(decode_from_server(session.next_message(START + 20 + HEARTBEAT_MS) or ""), Heartbeat)


def test_an_acknowledgement_gives_the_lag_and_what_the_client_holds(publisher):
    session = subscribed(publisher)
    state = decode_from_server(session.next_message(START + 5) or "")
    assert isinstance(state, Snapshot)
    ack = Ack(state.stream, state.seq, {"EURUSD": Decimal("0.05")}, {"EURUSD": Decimal("0.1")})
    assert session.receive(encode(ack), START + 47) == Reply()
    assert session.progress == (1, 42, {"EURUSD": Decimal("0.05")}, {"EURUSD": Decimal("0.1")})
    # The same state once more is not a new lag.
    session.receive(encode(ack), START + 900)
    assert session.progress.lag_ms == 42


def trade(session: Session, publisher: Publisher, lots: str, now: int) -> Update:
    """A trade at ``now``, sent at once."""
    publisher.observe(account(holding("EURUSD", lots)), now)
    update = decode_from_server(session.next_message(now) or "")
    assert isinstance(update, Update)
    return update


def test_a_state_that_is_not_acknowledged_waits_since_it_was_sent(publisher):
    session = subscribed(publisher)
    assert session.waiting_since is None
    first = decode_from_server(session.next_message(START) or "")
    assert isinstance(first, Snapshot)
    assert session.waiting_since == START
    assert session.receive(encode(Ack(first.stream, first.seq)), START + 10) == Reply()
    assert session.waiting_since is None

    second, third = (trade(session, publisher, f"0.{n}", START + n * 1000) for n in (2, 3))
    assert session.next_message(START + 3000 + HEARTBEAT_MS) is not None
    assert session.waiting_since == START + 2000
    session.receive(encode(Ack(second.stream, second.seq)), START + 20_000)
    assert (session.waiting_since, session.progress.lag_ms) == (START + 3000, 18_000)
    session.receive(encode(Ack(third.stream, third.seq)), START + 20_000)
    assert (session.waiting_since, session.progress.lag_ms) == (None, 17_000)


def test_of_many_states_that_are_not_acknowledged_the_oldest_keeps_its_time(publisher):
    session = subscribed(publisher)
    session.next_message(START)
    updates = [trade(session, publisher, f"0.{n}", START + n * 1000) for n in range(11, 99)]
    assert session.waiting_since == START
    session.receive(encode(Ack(updates[0].stream, updates[0].seq)), START + 100_000)
    assert session.waiting_since == START + 12_000
    session.receive(encode(Ack(updates[-1].stream, updates[-1].seq)), START + 100_001)
    assert session.waiting_since is None


def test_an_acknowledgement_of_an_older_state_changes_nothing(publisher):
    session = subscribed(publisher)
    first = decode_from_server(session.next_message(START + 5) or "")
    assert isinstance(first, Snapshot)
    publisher.observe(account(holding("EURUSD", "0.7")), START + 2000)
    second = decode_from_server(session.next_message(START + 2001) or "")
    assert isinstance(second, Update)
    session.receive(encode(Ack(second.stream, second.seq, {"EURUSD": Decimal("0.7")})), START + 2010)
    before = session.progress
    assert session.receive(encode(Ack(first.stream, first.seq, {"EURUSD": Decimal("0.1")})), START + 2020) == Reply()
    assert session.progress == before


def test_a_resync_gives_a_snapshot_once_in_a_second(publisher):
    session = subscribed(publisher)
    session.next_message(START)
    session.receive(encode(Resync()), START + 10)
    session.receive(encode(Resync()), START + 10)
    assert session.next_message(START + 500) is None
    assert isinstance(decode_from_server(session.next_message(START + 1000) or ""), Snapshot)
    assert session.next_message(START + 1001) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "malformed"),
        ("{}", "malformed"),
        ("[" * 100_000, "malformed"),
        (json.dumps({"type": "welcome"}), "type"),
        ("x" * (MOST_FROM_CLIENT + 1), "too-large"),
        (LOGIN.replace('"version":1', '"version":2'), "version"),
        (encode(Resync()), "login"),
        (encode(Ack("0" * 32 + "-" + "0" * 16, 1)), "login"),
    ],
)
def test_anything_but_a_login_at_first_ends_the_conversation(text, code):
    session = Session(START)
    assert only_error(session.receive(text, START)).code == code
    assert session.receive(LOGIN, START) == Reply()


@pytest.mark.parametrize("stage", ["checking", "subscribed"])
def test_a_second_login_ends_the_conversation(stage, publisher):
    session = Session(START)
    session.receive(LOGIN, START)
    if stage == "subscribed":
        session.logged_in(grant(), publisher, START)
    assert only_error(session.receive(LOGIN, START)).code == "login"


@pytest.mark.parametrize(
    "ack", [Ack("0" * 32 + "-" + "0" * 16, 1), "newer"], ids=["another stream", "a state that was not sent"]
)
def test_a_false_acknowledgement_ends_the_conversation(ack, publisher):
    session = subscribed(publisher)
    state = decode_from_server(session.next_message(START) or "")
    assert isinstance(state, Snapshot)
    message = Ack(state.stream, state.seq + 1) if ack == "newer" else ack
    assert only_error(session.receive(encode(message), START)).code == "ack"
    assert session.next_message(START + HEARTBEAT_MS) is None


def test_a_client_without_a_login_is_ended_after_the_time_limit():
    session = Session(START)
    assert session.check(START + LOGIN_MS - 1) == Reply()
    assert only_error(session.check(START + LOGIN_MS)).code == "login"


def test_a_refused_login_gets_the_reason_and_a_late_grant_has_no_effect(publisher):
    session = Session(START)
    session.receive(LOGIN, START)
    assert only_error(session.refused(Refusal("failed", "wrong login or password", 0.5))).code == "failed"
    assert session.logged_in(grant(), publisher, START) == Reply()
    assert session.next_message(START) is None


def test_a_revoked_session_gets_the_reason_and_then_nothing_more(publisher):
    session = subscribed(publisher)
    assert only_error(session.end("disabled", "the login was\ndisabled")).text == "the login was?disabled"
    publisher.observe(account(holding("EURUSD", "9")), START + 10)
    assert session.next_message(START + 10) is None
    assert session.end("disabled", "again") == Reply()


def test_an_error_of_the_client_is_reported_and_a_fatal_one_ends_the_conversation(publisher):
    session = subscribed(publisher)
    reply = session.receive(encode(Error("slow", "cannot keep up", False)), START)
    assert (reply.report, reply.ending) == ("the client reports slow: cannot keep up", None)
    reply = session.receive(encode(Error("stop", "enough", True)), START)
    assert (reply.send, reply.ending) == ([], Ending("stop", "the client ends: enough"))


def test_a_claim_of_an_unknown_newer_state_is_reported(publisher):
    session = subscribed(publisher)
    state = decode_from_server(session.next_message(START) or "")
    assert isinstance(state, Snapshot)
    other = Session(START)
    other.receive(encode(Login(1, "anna", token="t", known=Known(state.stream, 7))), START)
    assert "the subscriber knows seq 7" in other.logged_in(grant(), publisher, START).report


@pytest.mark.parametrize("set_back", [0, 3_600_000])
def test_a_session_is_quiet_until_its_next_heartbeat_also_when_the_clock_is_set_back(set_back, publisher):
    session = subscribed(publisher)
    assert session.next_message(START) is not None
    now = START - set_back
    assert session.quiet_for(now) == HEARTBEAT_MS
    assert session.quiet_for(now + 1000) == HEARTBEAT_MS - 1000
    assert session.next_message(now + HEARTBEAT_MS - 1) is None
    assert session.quiet_for(now + HEARTBEAT_MS) == 0
    assert session.next_message(now + HEARTBEAT_MS) is not None


def test_a_session_without_a_subscription_is_never_quiet(publisher):
    session = Session(START)
    assert session.quiet_for(START) == 0
