"""The pause of a symbol whose orders the broker keeps rejecting."""

from __future__ import annotations

import json

import pytest

from demos.copier.account_memory import AccountMemory, read_account_memory
from demos.copier.rejections import order_executed, order_rejected, pause_left, reduction_left

SECOND = 1000


def rejected(*times: int, reduces: bool = False) -> AccountMemory:
    memory = AccountMemory()
    for time in times:
        memory = order_rejected(memory, "EURUSD", time, reduces=reduces)
    return memory


@pytest.mark.parametrize(("count", "pause"), [(0, 0), (2, 0), (3, 60), (4, 120), (5, 240), (9, 3600), (10_000, 3600)])
def test_the_pause_begins_with_the_third_rejection_and_doubles_up_to_an_hour(count, pause):
    assert pause_left(rejected(*[1] * count), "EURUSD", 1) == pause * SECOND


def test_a_pause_ends():
    memory = rejected(1, 1, 1)
    assert pause_left(memory, "EURUSD", 60_000) == 1
    assert pause_left(memory, "EURUSD", 60_001) == 0


def test_another_symbol_is_not_paused():
    assert pause_left(rejected(1, 1, 1), "GBPUSD", 1) == 0


def test_an_executed_order_ends_the_count():
    memory = order_executed(rejected(1, 1, 1), "EURUSD")
    assert memory == AccountMemory()
    assert order_executed(memory, "EURUSD") is memory


def test_a_reduction_is_tried_at_once_and_then_every_ten_seconds():
    memory = rejected(1, 1, 1)
    assert reduction_left(memory, "EURUSD", 1) == 0
    memory = order_rejected(memory, "EURUSD", 5, reduces=True)
    assert [reduction_left(memory, "EURUSD", now) for now in (5, 10_004, 10_005)] == [10_000, 1, 0]
    memory = order_rejected(memory, "EURUSD", 10_005, reduces=True)
    assert reduction_left(memory, "EURUSD", 10_006) == 9_999


def test_a_reduction_does_not_wait_before_the_pause():
    assert reduction_left(rejected(1, 1, reduces=True), "EURUSD", 1) == 0


def test_a_clock_that_was_set_back_ends_the_pause():
    assert pause_left(rejected(100, 100, 100), "EURUSD", 99) == 0


def test_a_pause_survives_a_restart():
    memory = rejected(1, 1, 1)
    assert read_account_memory(json.loads(json.dumps(memory.to_dict()))) == memory
