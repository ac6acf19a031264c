"""The copier's memory file and its journal: mode, lock, versions, bounds, and a kill at any moment."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from demos.copier import journal as journal_module
from demos.copier.journal import Answer, Entry, Journal, OrderSent, StateMark, read_decisions, read_orders
from demos.copier.memory_file import RESUME, VERSION, MemoryFile, NamedStore
from demos.provider.sqlite_file import StateError

ROOT = Path(__file__).resolve().parents[3]
STREAM = "a stream"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "copier.sqlite"


def entry(lots: str = "0.5", text: str = "a text", symbol: str = "EURUSD") -> Entry:
    amount = Decimal(lots)
    return Entry(symbol, f"{symbol}.m", amount, amount, amount, "traded", "follow", text)


def order(lots: str = "0.5") -> OrderSent:
    mark = StateMark(STREAM, 3, 1000)
    return OrderSent("EURUSD", "EURUSD.m", mark, 1_700_000_000_000, "follow", Decimal(lots), 0, Decimal("1.1"), 1, 2, 3)


@pytest.mark.posix_only(reason="modes of files")
def test_the_memory_and_the_files_next_to_it_are_readable_by_their_owner_only(path):
    previous = os.umask(0)
    try:
        with closing(MemoryFile(path, owner=True)) as file:
            file.put_values({"a": {"b": 1}})
            assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
            assert len(list(path.parent.iterdir())) == 4
    finally:
        os.umask(previous)


def test_the_times_of_orders_in_a_file_of_version_1_become_milliseconds(path):
    with closing(MemoryFile(path, owner=True)) as file:
        Journal(file).sent(order())
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE orders SET time = 1700000000")
        db.execute("PRAGMA user_version = 1")
        db.commit()
    with closing(MemoryFile(path, owner=True)) as file:
        assert [row["time"] for row in read_orders(file, None, 9)] == [1_700_000_000_000]


def test_one_copier_owns_a_memory_and_the_commands_use_it_too(path):
    with closing(MemoryFile(path, owner=True)) as owner:
        with pytest.raises(StateError, match="is in use by another copier: give each copier a file of its own"):
            MemoryFile(path, owner=True)
        owner.put_values({"a": {"b": 1}})
        with closing(MemoryFile(path, owner=False)) as command:
            assert command.value("a") == {"b": 1}
            command.request(RESUME)
        [(number, kind)] = owner.requests()
        assert kind == RESUME
        owner.remove_requests(number)
        assert owner.requests() == []
    # The lock ends with its owner.
    MemoryFile(path, owner=True).close()


def test_values_are_replaced_together_and_a_missing_one_is_none(path):
    with closing(MemoryFile(path, owner=True)) as file:
        store = NamedStore(file, "follower")
        assert store.load() is None
        store.save({"seq": 1})
        file.put_values({"follower": {"seq": 2}, "rules": {"x": "y"}})
        assert (store.load(), file.value("rules")) == ({"seq": 2}, {"x": "y"})
        file.clear()
        assert store.load() is None


def test_a_damaged_value_and_another_database_are_refused(path, tmp_path):
    with closing(MemoryFile(path, owner=True)) as file:
        with file.writing() as db:
            db.execute("INSERT INTO named VALUES ('a', '{'), ('b', '[]')")
        for name in "ab":
            with pytest.raises(StateError, match="the file is damaged"):
                file.value(name)
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE mine (x)")
    for owner in (True, False):
        with pytest.raises(StateError, match="not a copier's memory"):
            MemoryFile(other, owner=owner)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(StateError, match=f"has version {VERSION + 1}; this program reads versions 1 to {VERSION}"):
        MemoryFile(path, owner=True)


def test_states_with_the_same_decision_share_a_record(path):
    with closing(MemoryFile(path, owner=True)) as file:
        journal = Journal(file)
        for seq in range(1, 101):
            journal.decided(StateMark(STREAM, seq, 1000 + seq), [entry(text=f"text {seq}")])
        journal.decided(StateMark(STREAM, 101, 2000), [entry("0.6")])
        journal.decided(StateMark("another", 1, 2000), [entry("0.6")])
        rows = read_decisions(file, "EURUSD", 10)
        assert [(row["first_seq"], row["last_seq"], row["states"]) for row in rows] == [
            (1, 100, 100),
            (101, 101, 1),
            (1, 1, 1),
        ]
        assert rows[0]["text"] == "text 100"
        assert read_decisions(file, "EURUSD.m", 10) == rows
        assert read_decisions(file, "EURUSD", 1) == rows[-1:]
        assert read_decisions(file, "GBPUSD", 10) == []


def test_the_journal_keeps_a_bounded_number_of_records(path, monkeypatch):
    monkeypatch.setattr(journal_module, "MOST_DECISIONS", 20)
    monkeypatch.setattr(journal_module, "MOST_ORDERS", 20)
    monkeypatch.setattr(journal_module, "_BATCH", 5)
    with closing(MemoryFile(path, owner=True)) as file:
        journal = Journal(file)
        for number in range(1, 101):
            journal.decided(StateMark(STREAM, number, number), [entry(f"0.{number:03}")])
            journal.sent(order())
        assert [row["first_seq"] for row in read_decisions(file, "EURUSD", 100)] == list(range(81, 101))
        assert [row["id"] for row in read_orders(file, None, 100)] == list(range(81, 101))


def test_an_order_is_recorded_before_and_after_it_is_sent(path):
    with closing(MemoryFile(path, owner=True)) as file:
        journal = Journal(file)
        number = journal.sent(order())
        assert read_orders(file, "EURUSD", 1)[0]["retcode"] is None
        journal.answered(number, Answer(4, 10009, Decimal("0.5"), Decimal("1.2"), Decimal("0.1"), ""))
        [row] = read_orders(file, None, 10)
        assert [row[f"{part}_ms"] for part in ("change", "network", "decision", "fill")] == [1, 2, 3, 4]
        assert (row["filled"], row["price"], row["slippage"]) == ("0.50", "1.2", "0.1")
        assert journal.unanswered() == []


def test_an_order_without_an_answer_is_reported_once(path):
    with closing(MemoryFile(path, owner=True)) as file:
        Journal(file).sent(order("-0.5"))
    with closing(MemoryFile(path, owner=True)) as file:
        assert Journal(file).unanswered() == [("EURUSD.m", "-0.50")]
        assert Journal(file).unanswered() == []
        assert read_orders(file, None, 1)[0]["text"] == "no answer: the copier was killed"


WRITER = """
import sys
from decimal import Decimal
from pathlib import Path
from demos.copier.journal import Journal
from demos.copier.memory_file import MemoryFile
from tests_of_memory import order
file = MemoryFile(Path(sys.argv[1]), owner=True)
journal = Journal(file)
for number in range(100_000):
    file.put_values({"follower": {"seq": number}, "rules": {"seq": number}})
    journal.sent(order())
    print(number, flush=True)
"""


@pytest.mark.parametrize("reports", [1, 9, 60])
def test_a_copier_that_is_killed_at_any_moment_loses_nothing_that_it_stored(path, tmp_path, reports):
    (tmp_path / "tests_of_memory.py").write_text(Path(__file__).read_text("utf-8"), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path)))}
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout
        try:
            lines = [child.stdout.readline() for _ in range(reports)]
        finally:
            child.kill()
        lines += child.stdout.readlines()
    if os.name == "posix":
        assert child.returncode == -signal.SIGKILL
    complete = [line for line in lines if line.endswith(b"\n")]
    with closing(MemoryFile(path, owner=True)) as file:
        assert file.rows("PRAGMA integrity_check") == [("ok",)]
        follower, rules = file.value("follower"), file.value("rules")
        assert follower == rules
        assert follower is not None
        assert len(complete) - 1 <= follower["seq"] <= len(complete)
        assert len(read_orders(file, None, 200_000)) in (len(complete), len(complete) + 1)
