"""From an account's states to publications at a broker: what has changed, the summary, and everything again."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from demos.provider.accounts import AccountState, Holding
from demos.provider.broker_messages import AskProvider, decode
from demos.provider.broker_publishing import BrokerStates, Publication

NOW = 1_700_000_000_000


def account(balance: int = 1000, **lots: str) -> AccountState:
    holdings = [Holding(symbol, Decimal(each), Decimal("1.1"), Decimal(100_000)) for symbol, each in lots.items()]
    return AccountState("USD", False, Decimal(balance), Decimal(balance), tuple(holdings))


def opened(**lots: str) -> BrokerStates:
    states = BrokerStates("provider", account(**lots), NOW)
    states.all(NOW)
    return states


def after(states: BrokerStates, state: AccountState, now: int = NOW + 10) -> list[Publication]:
    states.observe(state, now)
    return states.next(now)


def raw(publication: Publication) -> dict[str, Any]:
    assert decode("p", f"p/{publication.topic}", publication.payload).message
    found: dict[str, Any] = json.loads(publication.payload)
    return found


def topics(publications: list[Publication]) -> list[str]:
    return [each.topic for each in publications]


def test_everything_is_the_hello_each_symbol_and_last_the_summary():
    found = BrokerStates("provider", account(EURUSD="0.1", GBPUSD="-0.2"), NOW).all(NOW)
    assert topics(found) == ["status", "state/EURUSD", "state/GBPUSD", "summary"]
    assert all(each.retain for each in found)
    assert raw(found[-1])["symbols"] == {"EURUSD": 1, "GBPUSD": 1}


def test_a_change_is_the_symbol_that_changed_and_the_summary_with_the_seq_of_each_symbol():
    states = opened(EURUSD="0.1", GBPUSD="-0.2")
    change = after(states, account(EURUSD="0.3", GBPUSD="-0.2"))
    assert topics(change) == ["state/EURUSD", "summary"]
    assert raw(change[0])["seq"] == 2
    assert raw(change[1])["symbols"] == {"EURUSD": 2, "GBPUSD": 1}


def test_a_symbol_that_becomes_flat_leaves_the_summary_and_its_stored_message_is_deleted():
    states = opened(EURUSD="0.1", GBPUSD="-0.2")
    change = after(states, account(GBPUSD="-0.2"))
    assert topics(change) == ["state/EURUSD", "summary"]
    assert change[0] == Publication("state/EURUSD", b"", retain=True)
    assert raw(change[1])["symbols"] == {"GBPUSD": 1}
    assert topics(states.all(NOW + 20)) == ["status", "state/GBPUSD", "summary"]


def test_a_symbol_that_becomes_flat_before_everything_is_published_again_is_deleted_too():
    states = opened(EURUSD="0.1", GBPUSD="-0.2")
    states.observe(account(GBPUSD="-0.2"), NOW + 10)
    assert Publication("state/EURUSD", b"", retain=True) in states.all(NOW + 10)


def test_a_symbol_that_is_opened_again_is_published_and_not_deleted():
    states = opened(EURUSD="0.1")
    states.observe(account(), NOW + 10)
    states.observe(account(EURUSD="0.2"), NOW + 20)
    change = states.next(NOW + 30)
    assert topics(change) == ["state/EURUSD", "summary"]
    assert raw(change[0])["positions"][0]["lots"] == "0.2"


def test_stored_messages_are_deleted_except_those_of_open_symbols():
    states = opened(**{"EUR/USD": "0.1"})
    assert states.is_open("state/EUR%2FUSD")
    assert not states.is_open("state/EUR/USD")
    found = states.deletions(["state/OLD", "state/EUR%2FUSD", "state/EUR/USD"])
    assert topics(found) == ["state/OLD", "state/EUR/USD"]
    assert all(each.retain and not each.payload for each in found)


def test_a_change_of_the_figures_alone_is_the_summary_alone():
    change = after(opened(EURUSD="0.1"), account(2000, EURUSD="0.1"), NOW + 1000)
    assert topics(change) == ["summary"]
    assert raw(change[0])["account"]["balance"] == "2000"


def test_states_that_were_not_published_are_skipped():
    states = opened(EURUSD="0.1")
    for step in range(200):
        states.observe(account(EURUSD=f"0.{step + 2}"), NOW + step)
    change = states.next(NOW + 300)
    assert raw(change[-1])["seq"] == 201
    assert raw(change[0])["positions"][0]["lots"] == "0.201"


def test_a_symbol_that_was_closed_among_skipped_states_is_deleted():
    states = opened(EURUSD="0.1", GBPUSD="0.1")
    for step in range(200):
        states.observe(account(EURUSD=f"0.{step + 2}"), NOW + step)
    change = states.next(NOW + 300)
    assert topics(change)[-1] == "summary"
    assert {each.topic: each.payload for each in change[:-1]}["state/GBPUSD"] == b""


def test_everything_again_is_the_same_byte_for_byte():
    states = opened(EURUSD="0.1", GBPUSD="0.1")
    after(states, account(EURUSD="0.3", GBPUSD="0.1"))
    first, again = states.all(NOW + 100), states.all(NOW + 200)
    assert first == again
    assert "state/GBPUSD" in topics(again)


def test_nothing_is_published_without_a_change_and_a_heartbeat_after_its_time():
    states = opened(EURUSD="0.1")
    assert states.next(NOW + 1000) == []
    [beat] = states.next(NOW + 5000)
    assert (beat.topic, beat.retain, raw(beat)["seq"]) == ("heartbeat", False, 1)


def test_an_answer_repeats_the_nonce_with_the_time_of_the_answer():
    states = opened(EURUSD="0.1")
    answer = states.answer("copier-1", AskProvider(1, "b" * 32), NOW + 77)
    assert (answer.topic, answer.retain) == ("answer/copier-1", False)
    assert (raw(answer)["nonce"], raw(answer)["time"], raw(answer)["seq"]) == ("b" * 32, NOW + 77, 1)


def test_the_will_names_the_run_and_two_runs_differ():
    first, second = opened(), opened()
    assert raw(first.will())["stream"] == first.run != second.run


def test_an_account_that_the_protocol_cannot_carry_is_an_error():
    states = opened()
    with pytest.raises(ValueError, match="more than 1000"):
        states.observe(account(**{f"S{number}": "0.1" for number in range(1001)}), NOW)
