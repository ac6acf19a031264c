"""Which of a broker's messages become states of the follower, whatever was stored, repeated or reordered before."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from broker_states_kit import Bench, Provider

from demos.copier.broker_states import (
    ASK_MS,
    GONE_MS,
    HELLO_MS,
    MOST_KEPT,
    RIVAL_MS,
    SETTLE_MS,
)
from demos.provider.broker_messages import Answer, AskProvider, Gone, Summary, SymbolState, decode
from demos.provider.messages import Hello, Position, Resync
from demos.provider.protocol import MessageError
from demos.provider.steps import Kind, Status
from demos.provider.streams import HEARTBEAT_MS


@pytest.fixture
def bench() -> Bench:
    return Bench()


def followed(bench: Bench, **lots: str) -> Provider:
    provider = Provider(bench, **lots)
    question = bench.connect()
    bench.hear(*provider.all, retained=True)
    bench.hear(provider.answer(question))
    bench.wait(SETTLE_MS)
    return provider


def test_a_stored_state_is_passed_on_after_the_answer_has_settled(bench):
    provider = Provider(bench, EURUSD="0.1")
    question = bench.connect()
    bench.hear(*provider.all, retained=True)
    assert bench.copied == []
    bench.hear(provider.answer(question))
    bench.wait(SETTLE_MS - 1)
    assert bench.copied == []
    bench.wait(1)
    assert bench.copied == [{"EURUSD": "0.1"}]
    assert bench.follower.status is Status.LIVE


def test_an_answer_to_another_question_counts_for_nothing(bench):
    provider = Provider(bench, EURUSD="0.1")
    bench.connect()
    bench.hear(*provider.all, retained=True)
    bench.hear(provider.answer(AskProvider(1, "f" * 32)))
    bench.wait(SETTLE_MS)
    assert bench.copied == []


def test_the_age_of_a_stored_state_counts_from_the_question(bench):
    provider = Provider(bench, EURUSD="0.1")
    bench.now += 60_000
    question = bench.connect()
    bench.hear(*provider.all, retained=True)
    bench.now += 200
    bench.hear(provider.answer(question))
    bench.wait(SETTLE_MS)
    # The answer was written when it was heard; the change is a minute older.
    assert bench.follower.confirmed_age(bench.now) == 200 + SETTLE_MS


@pytest.mark.parametrize("seed", range(30))
def test_in_whatever_order_and_how_often_messages_arrive_only_whole_states_in_their_order_are_passed_on(bench, seed):
    chance = random.Random(seed)
    provider = Provider(bench, A="0.1", B="0.1", C="0.1")
    question = bench.connect()
    messages, states = list(provider.all), [{"A": "0.1", "B": "0.1", "C": "0.1"}]
    for number in range(2, 12):
        state = {symbol: f"0.{number}1" for symbol in "ABC" if chance.random() < 0.7}
        state = {**states[-1], **state} if chance.random() < 0.7 else state
        bench.now += 1
        messages += provider.trade(**state)
        states.append(state)
    messages += chance.choices(messages, k=20)
    chance.shuffle(messages)
    answered = chance.randrange(len(messages))
    for number, each in enumerate(messages):
        if number == answered:
            bench.hear(provider.answer(question))
            bench.wait(SETTLE_MS)
        # The hello is of the run that is followed, so it changes nothing.
        bench.hear(each, retained=chance.random() < 0.5 or number < answered)
    assert all(each in states for each in bench.copied)
    places = [states.index(each) for each in bench.copied]
    assert places == sorted(places)
    assert bench.copied[-1] == states[-1]
    assert not set(bench.alarms) - {Kind.GAP}


def test_a_missing_part_is_asked_for(bench):
    provider = followed(bench, A="0.1")
    bench.now += 1
    part, summary = provider.trade(A="0.2")
    bench.hear(summary)
    assert bench.follower.status is Status.WAITING
    assert Resync() in bench.sent
    bench.hear(part, retained=True)
    assert bench.copied == [{"A": "0.1"}, {"A": "0.2"}]
    assert bench.follower.status is Status.LIVE


def test_a_question_is_repeated_and_rarely_while_the_provider_is_gone(bench):
    bench.connect()
    bench.wait(ASK_MS)
    assert len(bench.questions) == 2
    bench.hear(Provider(bench).gone(), retained=True)
    bench.wait(ASK_MS)
    assert len(bench.questions) == 2
    bench.wait(GONE_MS)
    assert len(bench.questions) == 3
    assert bench.states.gone


def test_the_last_will_of_the_followed_run_disconnects_and_a_new_run_is_asked(bench):
    provider = followed(bench, A="0.1")
    bench.now += HELLO_MS
    bench.hear(provider.gone())
    assert bench.follower.status is Status.OFFLINE
    assert bench.states.gone
    new = Provider(bench, A="0.3")
    bench.hear(*new.all)
    # The will was a reason to ask too.
    bench.wait(HELLO_MS)
    bench.hear(new.answer(bench.questions[-1]))
    bench.wait(SETTLE_MS)
    assert bench.copied == [{"A": "0.1"}, {"A": "0.3"}]
    assert not bench.states.gone


@pytest.mark.parametrize("is_settled", [True, False])
def test_after_the_last_will_an_answer_to_an_earlier_question_counts_for_nothing(bench, is_settled):
    provider = Provider(bench, A="0.1")
    answer = provider.answer(bench.connect())
    bench.hear(*provider.all, retained=True)
    if is_settled:
        bench.hear(answer)
        bench.wait(SETTLE_MS)
    late = provider.trade(A="0.2")
    bench.hear(provider.gone())
    for _ in range(3):
        bench.hear(answer, *late)
        bench.wait(SETTLE_MS)
        assert bench.follower.status is Status.OFFLINE
        assert bench.states.gone
    assert bench.copied == [{"A": "0.1"}] * is_settled


def test_a_last_will_that_was_late_costs_one_question(bench):
    provider = followed(bench, A="0.1")
    bench.now += HELLO_MS
    bench.hear(provider.gone())
    bench.hear(provider.answer(bench.questions[-1]))
    bench.wait(SETTLE_MS)
    assert bench.follower.status is Status.LIVE
    assert not bench.states.gone


def test_an_answer_that_was_delivered_before_the_hello_of_another_run_counts_for_nothing_after_it(bench):
    provider = followed(bench, A="0.1")
    answer = provider.answer(bench.questions[-1])
    bench.hear(Hello(1, "other", "e" * 32, 5000, 1))
    bench.hear(answer)
    assert not bench.states.is_answered


def test_an_answer_that_is_later_than_the_next_question_would_be_counts_for_nothing(bench):
    provider = Provider(bench, A="0.1")
    question = bench.connect()
    bench.hear(*provider.all, provider.gone(), retained=True)
    answer = provider.answer(question)
    bench.wait(ASK_MS + 1)
    bench.hear(answer)
    bench.wait(SETTLE_MS)
    assert bench.copied == []


def test_a_heartbeat_from_before_the_answer_does_not_prove_that_the_provider_lives(bench):
    provider = Provider(bench, A="0.1")
    old = [provider.made.next(provider.time + each * HEARTBEAT_MS)[0] for each in range(1, 4)]
    bench.now += 4 * HEARTBEAT_MS
    question = bench.connect()
    bench.hear(*provider.all, retained=True)
    bench.hear(provider.answer(question))
    bench.wait(SETTLE_MS)
    for each in old:
        bench.hear(each)
        bench.wait(HEARTBEAT_MS)
    bench.wait(1)
    assert bench.follower.status is Status.STALE


@pytest.mark.parametrize("retained", [True, False])
def test_the_last_will_of_another_run_changes_nothing(bench, retained):
    followed(bench, A="0.1")
    bench.hear(Gone(1, "e" * 32), retained=retained)
    assert bench.follower.status is Status.LIVE


def test_two_answers_to_one_question_stop_the_follower_before_anything_is_copied(bench):
    first, second = Provider(bench, "first", A="0.1"), Provider(bench, "second", A="0.9")
    question = bench.connect()
    bench.hear(*first.all, *second.all, retained=True)
    bench.hear(first.answer(question), second.answer(question))
    bench.wait(SETTLE_MS)
    assert bench.alarms == [Kind.RIVALS]
    assert bench.copied == []
    assert "'first'" in bench.follower.stopped
    assert "'second'" in bench.follower.stopped


def test_after_the_hello_of_another_run_nothing_is_copied_before_an_answer(bench):
    provider = followed(bench, A="0.1")
    bench.hear(Hello(1, "other", "e" * 32, 5000, 1))
    assert bench.follower.status is Status.OFFLINE
    bench.hear(*provider.trade(A="0.2"))
    bench.wait(HELLO_MS)
    assert bench.copied == [{"A": "0.1"}]
    bench.hear(provider.answer(bench.questions[-1]))
    bench.wait(SETTLE_MS)
    assert bench.copied[-1] == {"A": "0.2"}


def test_another_run_that_sends_without_a_hello_is_a_reason_to_ask_once_in_a_while(bench):
    provider = followed(bench, A="0.1")
    other = Provider(bench, "other", A="0.9")
    asked = len(bench.questions)
    bench.hear(*other.all[1:])
    assert len(bench.questions) == asked
    bench.now += RIVAL_MS
    bench.hear(*other.trade(A="0.8"), *other.trade(A="0.7"))
    assert len(bench.questions) == asked + 1
    bench.hear(provider.answer(bench.questions[-1]), other.answer(bench.questions[-1]))
    assert bench.alarms == [Kind.RIVALS]


def test_two_messages_with_one_number_and_different_contents_stop_the_follower(bench):
    provider = followed(bench, A="0.1")
    bench.now += 1
    [change, _] = provider.trade(A="0.2")
    bench.hear(change)
    forged = decode("p", f"p/{change.topic}", change.payload.replace(b"0.2", b"0.9")).message
    bench.hear(forged)
    assert bench.alarms == [Kind.CONFLICT]


def test_a_run_that_comes_back_after_another_one_stops_the_follower(bench):
    first = followed(bench, A="0.1")
    bench.hear(first.gone())
    for provider in (Provider(bench, "second", A="0.2"), first):
        bench.now += HELLO_MS
        bench.hear(*provider.made.all(provider.time))
        bench.hear(provider.answer(bench.questions[-1]))
        bench.wait(SETTLE_MS)
        bench.hear(provider.gone())
    assert bench.alarms == [Kind.RETURNED]


def followed_stream(provider: Provider) -> str:
    summary = decode("p", "p/summary", provider.all[-1].payload).message
    assert isinstance(summary, Summary)
    return summary.stream


def state_of(symbol: str, stream: str) -> SymbolState:
    return SymbolState(stream, 1, 1, symbol, (Position(symbol, Decimal(1), Decimal(1), Decimal(1), 1),))


def test_what_is_kept_is_bounded(bench):
    provider = followed(bench, A="0.1")
    stream = followed_stream(provider)
    for number in range(MOST_KEPT - 1):
        bench.hear(state_of(f"S{number}", stream), retained=True)
    with pytest.raises(MessageError, match="more symbols or positions"):
        bench.hear(state_of("one more", stream), retained=True)
    for number in range(50):
        bench.hear(state_of("A", f"{number:032x}-{'0' * 16}"), retained=True)
    bench.now += 1
    bench.hear(*provider.trade(A="0.2"))
    assert bench.copied[-1] == {"A": "0.2"}


def test_flat_symbols_make_room_for_others(bench):
    provider = followed(bench, A="0.1")
    stream = followed_stream(provider)
    for number in range(3 * MOST_KEPT):
        bench.hear(SymbolState(stream, 1, 1, f"S{number}"), retained=True)
    bench.now += 1
    bench.hear(*provider.trade(A="0.2"))
    assert bench.copied[-1] == {"A": "0.2"}


def test_an_answer_names_the_stream_that_the_copier_follows(bench):
    provider = followed(bench, A="0.1")
    assert isinstance(bench.states.answer, Answer)
    assert bench.states.answer.stream.startswith(provider.made.run)


def test_symbols_that_the_newest_summary_does_not_name_are_forgotten(bench):
    provider = followed(bench, A="0.1")
    for number in range(2 * MOST_KEPT):
        bench.now += 1
        bench.hear(*provider.trade(**{f"S{number}": "0.1"}))
    assert bench.copied[-1] == {f"S{2 * MOST_KEPT - 1}": "0.1"}
    assert len(bench.copied) == 2 * MOST_KEPT + 1
