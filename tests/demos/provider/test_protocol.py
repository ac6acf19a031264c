"""Messages to text and back, and the refusal of everything that is not one."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demos.provider.fields import FieldError, parse_json
from demos.provider.messages import (
    Account,
    AccountKind,
    Ack,
    Error,
    Heartbeat,
    Hello,
    Known,
    Login,
    Message,
    Position,
    Resync,
    Snapshot,
    Update,
    Welcome,
)
from demos.provider.protocol import (
    MOST_FROM_CLIENT,
    MOST_FROM_SERVER,
    MOST_POSITIONS,
    MessageError,
    decode_from_client,
    decode_from_server,
    encode,
)
from demos.terminal.symbols import symbol_problem

RUN = "0123456789abcdef" * 2
STREAM = f"{RUN}-{'0' * 16}"

STREAMS = st.from_regex(r"[0-9a-f]{32}-[0-9a-f]{16}", fullmatch=True)
SEQS = st.integers(1, 2**53 - 1)
TIMES = st.integers(0, 2**53 - 1)
NUMBERS = st.decimals(-(10**14), 10**14, places=10, allow_nan=False).map(
    lambda number: number if number else Decimal(0)
)
NAMES = st.text(min_size=1, max_size=64).filter(str.isprintable)
SYMBOLS = st.text(min_size=1, max_size=64).filter(lambda name: symbol_problem(name) is None)
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
ACCOUNTS = st.builds(Account, st.just("USD"), st.none() | NUMBERS, st.none() | NUMBERS)
OPTIONAL_SYMBOLS = st.none() | st.lists(SYMBOLS, max_size=5).map(tuple)
POSITIONS = st.lists(
    st.builds(
        Position,
        SYMBOLS,
        NUMBERS.filter(bool),
        NUMBERS,
        NUMBERS.map(abs),
        TIMES,
        st.none() | NUMBERS,
        st.none() | NUMBERS,
    ),
    unique_by=lambda position: position.symbol,
    max_size=5,
).map(tuple)
FROM_SERVER: Any = st.one_of(
    st.builds(Hello, st.just(1), NAMES, st.just(RUN), st.integers(100, 600_000), TIMES),
    st.builds(
        Welcome, NAMES, st.builds(AccountKind, st.just("EUR"), st.booleans()), STREAMS, SEQS, TIMES, OPTIONAL_SYMBOLS
    ),
    st.builds(Snapshot, STREAMS, SEQS, TIMES, ACCOUNTS, POSITIONS),
    st.builds(Update, STREAMS, st.just(9), st.integers(1, 8), TIMES, ACCOUNTS, POSITIONS),
    st.builds(Heartbeat, STREAMS, SEQS, TIMES),
    st.builds(Error, st.just("login"), NAMES, st.booleans()),
)
FROM_CLIENT: Any = st.one_of(
    st.builds(
        Login, st.just(1), NAMES, SECRETS, st.none(), OPTIONAL_SYMBOLS, st.none() | st.builds(Known, STREAMS, SEQS)
    ),
    st.builds(Login, st.just(1), NAMES, st.none(), SECRETS),
    st.builds(Ack, STREAMS, SEQS, st.dictionaries(SYMBOLS, NUMBERS, max_size=5)),
    st.just(Resync()),
    st.builds(Error, st.just("malformed"), NAMES, st.booleans()),
)


@given(FROM_SERVER)
def test_a_message_from_the_server_survives_encoding_and_decoding(message: Any) -> None:
    assert decode_from_server(encode(message)) == message


@given(FROM_CLIENT)
def test_a_message_from_the_client_survives_encoding_and_decoding(message: Any) -> None:
    assert decode_from_client(encode(message)) == message


def refusal(decode: Any, text: str) -> tuple[str, str]:
    """Code and reason of the refusal; empty when the message is decoded."""
    try:
        decode(text)
    except MessageError as problem:
        return problem.code, str(problem)
    return "", ""


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(message=FROM_SERVER | FROM_CLIENT, data=st.data())
def test_a_message_with_any_one_value_replaced_is_decoded_or_refused_with_one_line(message: Any, data: Any) -> None:
    raw = json.loads(encode(message))
    target: Any = raw
    while True:
        key = data.draw(st.sampled_from(sorted(target) if isinstance(target, dict) else range(len(target))))
        if isinstance(target[key], (dict, list)) and target[key] and data.draw(st.booleans()):
            target = target[key]
            continue
        target[key] = data.draw(JSON)
        break
    for decode in (decode_from_server, decode_from_client):
        code, text = refusal(decode, json.dumps(raw))
        assert text.isprintable()
        assert code in ("", "malformed", "type", "version", "too-large")


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text('{}[]",:0aeNI\\'))
def test_any_text_is_a_message_or_refused_with_one_line(text: str) -> None:
    for decode in (decode_from_server, decode_from_client):
        with pytest.raises(MessageError) as raised:
            decode(text)
        assert str(raised.value).isprintable()


def position(**changes: Any) -> dict[str, Any]:
    values = {"symbol": "EURUSD", "lots": "0.1", "price": "1.1", "contract": "100000", "time": 1}
    return {**values, **changes}


def snapshot(*positions: dict[str, Any], **changes: Any) -> str:
    values = {"type": "snapshot", "stream": STREAM, "seq": 1, "time": 1, "account": {"currency": "USD"}}
    return json.dumps({**values, "positions": list(positions), **changes})


def test_unknown_fields_are_ignored_at_every_level() -> None:
    message = decode_from_server(
        snapshot(position(new=[1.5]), new={"a": [None]}, account={"currency": "USD", "new": 1})
    )
    assert message == decode_from_server(snapshot(position()))


@pytest.mark.parametrize(
    "value", [0.1, 1, "", "+1", "1e3", ".5", "1.", "01", " 1", "NaN", "Infinity", "1" * 16, None, "\u0661"]
)
def test_lots_are_a_decimal_number_in_a_string(value: object) -> None:
    with pytest.raises(MessageError, match=r"snapshot: positions\[0\]\.lots: not a decimal number in a string"):
        decode_from_server(snapshot(position(lots=value)))


@pytest.mark.parametrize("value", [0, -1, 2**53, 1.0, True, "1", None, [1]])
def test_a_seq_is_an_integer_within_its_limits(value: object) -> None:
    with pytest.raises(MessageError, match="snapshot: seq: not an integer from 1"):
        decode_from_server(snapshot(seq=value))


@pytest.mark.parametrize(
    ("positions", "problem"),
    [
        ([position(lots="0")], r"positions\[0\].lots: a position of 0 lots"),
        ([position(), position()], r"positions\[1\]: a second position in 'EURUSD'"),
        ([position(), position(ticket=1)], r"positions\[1\]: a second position"),
        ([position(ticket=1), position()], r"positions\[1\]: a second position"),
        ([position(ticket=1), position(ticket=1)], r"positions\[1\]: a second position"),
        ([position(symbol="a|b")], "symbol"),
        ([position(symbol="\ud800")], "symbol"),
        ([position(contract="-1")], "contract: less than 0"),
        ([position()] * (MOST_POSITIONS + 1), "a list of more than 1000 values: 1001"),
        (["EURUSD"], r"positions\[0\]: not an object"),
    ],
)
def test_impossible_positions_are_refused(positions: list[Any], problem: str) -> None:
    with pytest.raises(MessageError, match=problem):
        decode_from_server(snapshot(*positions))


def test_a_hedging_account_has_several_positions_of_a_symbol_with_tickets() -> None:
    message = decode_from_server(snapshot(position(ticket=1), position(ticket=2)))
    assert isinstance(message, Snapshot)
    assert [each.ticket for each in message.positions] == [1, 2]


@pytest.mark.parametrize(
    ("text", "code", "problem"),
    [
        ('{"type":"hello","version":2}', "version", "unsupported protocol version: 2; this program has version 1"),
        ('{"type":"order"}', "type", "unknown type of message: 'order'"),
        ('{"type":"login"}', "type", "unknown type of message: 'login'"),
        ("[]", "malformed", "not an object with a type"),
        ('{"type":["hello"]}', "malformed", "not an object with a type"),
        ('{"type":"resync"', "malformed", "not JSON: "),
        ('{"type":"heartbeat","seq":1,"seq":2}', "malformed", "the name 'seq' occurs twice in an object"),
        ('{"type":"heartbeat","seq":NaN}', "malformed", "not JSON: NaN is not a number"),
        ('{"type":"heartbeat","seq":-Infinity}', "malformed", "not JSON: -Infinity is not a number"),
        ('{"type":"heartbeat","seq":' + "9" * 5000 + "}", "malformed", "a number has more than 32 characters"),
        ('{"type":"heartbeat","x":' + "[" * 100_000, "malformed", "nested more than 8 levels deep"),
        ('{"type":"heartbeat","seq":1}', "malformed", "heartbeat: stream: missing"),
    ],
)
def test_what_is_not_a_message_has_one_clear_reason(text: str, code: str, problem: str) -> None:
    with pytest.raises(MessageError) as raised:
        decode_from_server(text)
    assert raised.value.code == code
    assert str(raised.value).startswith(problem)


@pytest.mark.parametrize("text", ["x" * (MOST_FROM_SERVER + 1), "\u20ac" * (MOST_FROM_SERVER // 3 + 1)])
def test_the_size_of_a_message_from_the_server_is_limited_in_bytes(text: str) -> None:
    assert refusal(decode_from_server, text)[0] == "too-large"
    assert refusal(decode_from_server, text[:-1])[0] == "malformed"


@pytest.mark.parametrize("character", ["x", "\u20ac", "\U0001f600"])
def test_the_size_of_a_message_from_a_client_is_limited_in_characters(character: str) -> None:
    assert refusal(decode_from_client, character * (MOST_FROM_CLIENT + 1))[0] == "too-large"
    assert refusal(decode_from_client, character * MOST_FROM_CLIENT)[0] == "malformed"


@pytest.mark.parametrize(
    "text", ['"' * 10**6, '"\\' * (5 * 10**5), '\\"' * (5 * 10**5), '"' + "\\" * 10**6, "[]" * (5 * 10**5)]
)
def test_a_hostile_text_of_a_megabyte_is_refused(text: str) -> None:
    with pytest.raises(FieldError):
        parse_json(text)


def test_a_login_has_either_a_password_or_a_token() -> None:
    for secrets in ({}, {"password": "a", "token": "b"}):
        with pytest.raises(MessageError, match="login: needs either a password or a token"):
            decode_from_client(json.dumps({"type": "login", "version": 1, "login": "customer", **secrets}))


def test_no_text_shows_a_password() -> None:
    message = Login(1, "customer", password="correct horse")
    assert "correct horse" not in repr(message)
    with pytest.raises(MessageError) as raised:
        decode_from_client(json.dumps({"type": "login", "version": 1, "login": "c", "password": ["correct horse"]}))
    assert "correct" not in str(raised.value)


def test_an_update_follows_an_older_state() -> None:
    with pytest.raises(MessageError, match="update: previous: not less than seq 1: 1"):
        decode_from_server(snapshot(type="update", previous=1))


@pytest.mark.parametrize(
    "message",
    [
        Heartbeat(STREAM, 0, 1),
        Snapshot(STREAM, 1, 1, Account("USD", Decimal("NaN"))),
        Snapshot(STREAM, 1, 1, Account("USD", Decimal(10) ** 15)),
        Error("Not A Code", "text", True),
        Login(1, "customer"),
    ],
)
def test_a_message_that_a_peer_would_refuse_is_not_encoded(message: Message) -> None:
    with pytest.raises(MessageError):
        encode(message)


@pytest.mark.parametrize("character", ["\U0001f600", "\\"], ids=["four bytes", "escaped"])
def test_the_largest_acknowledgement_fits_into_a_message(character: str) -> None:
    number = Decimal("-999999999999999.12345678901234567891")
    lots = {f"{index:04}" + character * 60: number for index in range(MOST_POSITIONS)}
    message = Ack(STREAM, 2**53 - 1, lots, lots)
    assert decode_from_client(encode(message)) == message


def test_the_largest_snapshot_fits_into_a_message() -> None:
    number = Decimal("-999999999999999.12345678901234567891")
    positions = tuple(
        Position(f"{index:04}" + "\U0001f600" * 60, number, number, -number, 2**53 - 1, number, number, 2**53 - 1)
        for index in range(MOST_POSITIONS)
    )
    message = Snapshot(STREAM, 2**53 - 1, 2**53 - 1, Account("USD", number, number), positions)
    assert decode_from_server(encode(message)) == message
