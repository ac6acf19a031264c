"""The copier's journal and its memory file: what is stored when, and how numbers are shown."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from cleanup_kit import closed_after_test

from demos.copier.journal import Answer, Journal, OrderSent, StateMark, read_orders
from demos.copier.memory_file import MemoryFile

MARK = StateMark("ab" * 16 + "-" + "cd" * 8, 7, 1_700_000_000_000)
ORDER = OrderSent(
    "EURUSD", "EURUSD.m", MARK, 1_700_000_000, "follow", Decimal("0.10"), 0, Decimal("1.099980000000000"), 0, 0, 0
)
ANSWER = Answer(1, 10009, Decimal("0.10"), Decimal("1.10010"), Decimal("0.000120000000000"), "")


@pytest.fixture
def memory(tmp_path: Path) -> MemoryFile:
    return closed_after_test(MemoryFile(tmp_path / "copier.sqlite", owner=True))


@pytest.fixture
def reader(memory: MemoryFile, tmp_path: Path) -> MemoryFile:
    """The file as another process sees it: what a kill now would leave."""
    return closed_after_test(MemoryFile(tmp_path / "copier.sqlite", owner=False))


def test_prices_are_stored_and_shown_in_their_shortest_form(memory: MemoryFile) -> None:
    journal = Journal(memory)
    journal.answered(journal.sent(ORDER), ANSWER)
    stored = memory.rows("SELECT lots, provider_price, price, slippage FROM orders")
    assert stored == [("0.10", "1.09998", "1.1001", "0.00012")]


def test_prices_that_an_older_version_has_stored_are_shown_in_their_shortest_form(memory: MemoryFile) -> None:
    Journal(memory).sent(ORDER)
    with memory.writing() as db:
        db.execute("UPDATE orders SET provider_price = '1.099980000000000', price = '1E+1', slippage = '0E-15'")
    [order] = read_orders(memory, None, 10)
    assert (order["provider_price"], order["price"], order["slippage"]) == ("1.09998", "10", "0")


def test_an_order_without_an_answer_has_no_price(memory: MemoryFile) -> None:
    Journal(memory).sent(ORDER._replace(provider_price=None))
    [order] = read_orders(memory, "EURUSD", 10)
    assert (order["provider_price"], order["price"], order["slippage"]) == (None, None, None)


def test_what_is_written_together_is_stored_by_one_commit(memory: MemoryFile, reader: MemoryFile) -> None:
    with memory.joined():
        memory.put_values({"state": {"seq": 7}})
        memory.put_values({"rules": {"symbols": 1}})
        assert (reader.value("state"), reader.value("rules")) == (None, None)
        memory.commit()
        assert (reader.value("state"), reader.value("rules")) == ({"seq": 7}, {"symbols": 1})
        memory.put_values({"state": {"seq": 8}})
        assert reader.value("state") == {"seq": 7}
    assert reader.value("state") == {"seq": 8}


def test_an_error_undoes_what_was_not_committed_yet(memory: MemoryFile, reader: MemoryFile) -> None:
    def fail() -> None:
        with memory.joined():
            memory.put_values({"state": {"seq": 7}})
            memory.commit()
            memory.put_values({"state": {"seq": 8}})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert memory.value("state") == reader.value("state") == {"seq": 7}
    memory.put_values({"state": {"seq": 9}})
    assert reader.value("state") == {"seq": 9}


def test_nothing_is_locked_between_two_joined_writes(memory: MemoryFile, reader: MemoryFile) -> None:
    with memory.joined():
        memory.put_values({"state": {"seq": 7}})
        memory.commit()
        reader.request("resume")
        assert [kind for _, kind in memory.requests()] == ["resume"]


def test_a_killed_process_leaves_the_last_commit(tmp_path: Path, memory: MemoryFile) -> None:
    with memory.joined():
        memory.put_values({"state": {"seq": 7}})
        memory.commit()
        memory.put_values({"state": {"seq": 8}})
        # A copy of the files is what a process that is killed now leaves.
        copy = tmp_path / "copy.sqlite"
        for ending in ("", "-wal"):
            copy.with_name(copy.name + ending).write_bytes((tmp_path / f"copier.sqlite{ending}").read_bytes())
    with closing(MemoryFile(copy, owner=True)) as killed:
        assert killed.value("state") == {"seq": 7}
