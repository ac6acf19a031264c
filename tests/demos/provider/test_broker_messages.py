"""The messages of a broker: each comes back as it was sent, and nothing else is accepted."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.provider.broker_messages import (
    MOST_OTHER,
    Answer,
    AskProvider,
    BrokerMessage,
    Gone,
    Summary,
    SymbolState,
    decode,
    encode,
    state_topic,
)
from demos.provider.messages import Account, AccountKind, Heartbeat, Hello, Position
from demos.provider.protocol import MOST_POSITIONS, MessageError
from demos.terminal.symbols import symbol_problem

RUN = "0" * 32
STREAM = f"{RUN}-{'1' * 16}"
NONCE = "a" * 32
EURUSD = Position("EURUSD", Decimal("0.1"), Decimal("1.1"), Decimal(100_000), 5)

MESSAGES: dict[str, BrokerMessage] = {
    "status": Hello(1, "provider", RUN, 5000, 7),
    "summary": Summary(STREAM, 3, 7, Account("USD", Decimal(1), Decimal(2)), {"EURUSD": 2}),
    "heartbeat": Heartbeat(STREAM, 3, 7),
    "state/EURUSD": SymbolState(STREAM, 2, 7, "EURUSD", (EURUSD,)),
    "state/Volatility%2075%20Index": SymbolState(STREAM, 2, 7, "Volatility 75 Index"),
    "ask/copier-1": AskProvider(1, NONCE),
    "answer/copier-1": Answer(1, NONCE, "provider", 5000, AccountKind("USD", False), STREAM, 3, 7),
}


def refusal(topic: str, payload: bytes) -> str:
    with pytest.raises(MessageError) as error:
        decode("p/q", topic, payload)
    assert "\n" not in str(error.value)
    return error.value.code


@pytest.mark.parametrize(("topic", "message"), MESSAGES.items())
def test_each_message_comes_back_as_it_was_sent(topic, message):
    found = decode("p/q", f"p/q/{topic}", encode(message))
    assert found.message == message
    assert found.client == ("copier-1" if "copier-1" in topic else "")


def test_the_last_will_has_the_topic_of_the_hello():
    assert decode("p", "p/status", encode(Gone(1, RUN))).message == Gone(1, RUN)


@pytest.mark.parametrize(("topic", "message"), MESSAGES.items())
def test_a_message_at_the_topic_of_another_one_is_refused(topic, message):
    for other in MESSAGES:
        if other.partition("/")[0] != topic.partition("/")[0]:
            assert refusal(f"p/q/{other}", encode(message)) == "type"


@pytest.mark.parametrize(("topic", "message"), MESSAGES.items())
def test_a_message_with_a_missing_or_wrong_field_is_refused(topic, message):
    raw = json.loads(encode(message))
    for name in raw.keys() - {"type", "positions"}:
        for changed in ({**raw, name: None}, {**raw, name: {"x": [None]}}):
            assert refusal(f"p/q/{topic}", json.dumps(changed).encode()) in ("malformed", "version")


@pytest.mark.parametrize(
    "topic",
    [
        "p/q", "p/q/", "p/status", "q/p/q/status", "p/q/Status", "p/q/status/", "p/q/state", "p/q/state/",
        "p/q/state/EUR/USD", "p/q/state/EUR%2fUSD", "p/q/state/%45URUSD", "p/q/ask/", "p/q/ask/a b",
        f"p/q/answer/{'a' * 65}", "$SYS/broker", "p/q/state/" + "x" * 60_000,
    ],
)  # fmt: skip
def test_other_topics_are_refused(topic):
    assert refusal(topic, encode(MESSAGES["state/EURUSD"])) in ("topic", "malformed")


def test_the_state_of_another_symbol_is_refused():
    state = SymbolState(STREAM, 2, 7, "EURUSD", (EURUSD,))
    assert refusal("p/q/state/GBPUSD", encode(state)) == "malformed"
    mixed = encode(SymbolState(STREAM, 2, 7, "GBPUSD", (EURUSD,)))
    assert refusal("p/q/state/GBPUSD", mixed) == "malformed"


def test_a_netting_account_has_one_position_in_a_symbol():
    assert refusal("p/q/state/EURUSD", encode(SymbolState(STREAM, 2, 7, "EURUSD", (EURUSD, EURUSD)))) == "malformed"


def test_sizes_and_numbers_are_bounded():
    assert refusal("p/q/status", b" " * (MOST_OTHER + 1)) == "too-large"
    assert refusal("p/q/summary", b" " * (1024 * 1024 + 1)) == "too-large"
    symbols = {f"S{number}": 1 for number in range(MOST_POSITIONS + 1)}
    summary = Summary(STREAM, 3, 7, Account("USD"), symbols)
    assert refusal("p/q/summary", encode(summary)) == "malformed"
    assert refusal("p/q/heartbeat", b"[" * 4000) == "malformed"
    assert refusal("p/q/heartbeat", b"\xff") == "malformed"
    later = encode(Hello(2, "provider", RUN, 5000, 7))
    assert refusal("p/q/status", later) == "version"


@given(st.binary(max_size=200), st.sampled_from(sorted(MESSAGES)))
def test_any_payload_is_a_message_or_refused(payload, topic):
    with suppress(MessageError):
        decode("p/q", f"p/q/{topic}", payload)


@given(st.text(min_size=1, max_size=64).filter(lambda name: symbol_problem(name) is None))
def test_every_symbol_has_a_topic_of_one_level_without_wildcards(symbol):
    topic = state_topic(symbol)
    assert topic.count("/") == 1
    assert not set("+#$\0") & set(topic)
    assert decode("p", f"p/{topic}", encode(SymbolState(STREAM, 1, 1, symbol))).message
