"""The file of collected ticks, and the recorder that writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tick_kit import commit

from demos.collector import recorder as recorder_module
from demos.collector import store as store_module
from demos.collector.recorder import TickRecorder
from demos.collector.rows import SenderRow, SymbolRow, TickRow
from demos.collector.schema import StoreError
from demos.collector.store import Batch, Counts, TickStore
from demos.terminal.paper.account import PaperAccount
from demos.ticks.protocol import InvalidDatagram, Quote, encode

RUN = "0123456789abcdef"
ONE, OTHER = "127.0.0.1:5001", "[::1]:5002"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "what is 50% of #1.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[TickStore]:
    with closing(TickStore(path)) as opened:
        yield opened


def numbered(number: int, symbol: str = "EURUSD", run: str = RUN) -> bytes:
    return encode(symbol, 1.1, 5, 1252, run, number)


def test_a_tick_is_stored_with_symbol_bid_digits_sender_and_time_of_receipt(store):
    recorder = TickRecorder(store, 1252)
    assert recorder.add(b"EURUSD 1.10000\0", ONE) == Quote("EURUSD", 110_000, 5)
    assert recorder.add(b"USDJPY 110.500\0", OTHER) == Quote("USDJPY", 110_500, 3)
    assert recorder.add(b"EURUSD 1.1001\0", OTHER) == Quote("EURUSD", 11_001, 4)
    commit(recorder, 1_700_000_000_123)
    assert list(store.ticks("EURUSD")) == [
        TickRow("EURUSD", 110_000, 5, ONE, 1_700_000_000_123),
        TickRow("EURUSD", 11_001, 4, OTHER, 1_700_000_000_123),
    ]
    assert store.symbols() == [
        SymbolRow("EURUSD", 2, 11_001, 4, 1_700_000_000_123),
        SymbolRow("USDJPY", 1, 110_500, 3, 1_700_000_000_123),
    ]
    assert store.senders() == [SenderRow(ONE, 1, 0, 0, 0, 0), SenderRow(OTHER, 2, 0, 0, 0, 0)]


def test_the_columns_are_integers(store, path):
    TickRecorder(store, 1252)
    store.add(Batch(5, 0, [(Quote("EURUSD", 110_000, 5), ONE)], {ONE: Counts(ticks=1)}))
    with closing(sqlite3.connect(path)) as db:
        [row] = db.execute(
            "SELECT typeof(bid), typeof(digits), typeof(time), typeof(symbol), typeof(sender) FROM ticks"
        )
        assert set(row) == {"integer"}
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_counts_add_up_over_events_and_restarts(path):
    for event in range(3):
        with closing(TickStore(path)) as store:
            recorder = TickRecorder(store, 1252)
            recorder.add(b"EURUSD 1.1\0", ONE)
            assert isinstance(recorder.add(b"nonsense\0", ONE), InvalidDatagram)
            recorder.add_oversized(ONE)
            commit(recorder, event)
    with closing(TickStore(path)) as store:
        assert store.senders() == [SenderRow(ONE, 3, 3, 3, 0, 0)]
        assert [tick.time for tick in store.ticks("EURUSD")] == [0, 1, 2]


def test_an_event_without_datagrams_writes_nothing(store):
    batch = commit(TickRecorder(store, 1252), 1)
    assert batch == Batch(1)
    assert store.senders() == []


def test_lost_and_repeated_ticks_are_counted_by_their_numbers(store):
    recorder = TickRecorder(store, 1252)
    for number in (1, 2, 5, 4, 5):
        tick = recorder.add(numbered(number), ONE)
    assert tick == InvalidDatagram("EURUSD, number 5", "repeated tick")
    assert commit(recorder, 1).lost == 1
    assert store.senders() == [SenderRow(ONE, 4, 0, 0, 1, 1)]
    assert store.symbols()[0].ticks == 4


def test_a_restarted_collector_counts_the_ticks_lost_in_between(path):
    for numbers in ((1, 2), (5, 6)):
        with closing(TickStore(path)) as store:
            recorder = TickRecorder(store, 1252)
            for number in numbers:
                recorder.add(numbered(number), ONE)
            commit(recorder, 1)
            assert store.senders()[0].lost == numbers[0] // 2
    with closing(TickStore(path)) as store:
        assert store.sequence("unknown") is None


def test_each_run_has_its_own_numbers(store):
    recorder = TickRecorder(store, 1252)
    recorder.add(numbered(7), ONE)
    recorder.add(numbered(1, run="f" * 16), ONE)
    recorder.add(numbered(4, run="f" * 16), OTHER)
    commit(recorder, 1)
    # Lost ticks count for the last address of the run.
    assert [sender.lost for sender in store.senders()] == [0, 2]


def test_many_runs_need_no_more_memory_and_none_is_forgotten(store, monkeypatch):
    monkeypatch.setattr(recorder_module, "MAX_RUNS", 2)
    recorder = TickRecorder(store, 1252)
    for number in (1, 3):
        for run in "abcd":
            recorder.add(numbered(number, run=run * 16), ONE)
            assert len(recorder._runs) <= 2
    commit(recorder, 1)
    for run in "abcd":
        recorder.add(numbered(4, run=run * 16), ONE)
    commit(recorder, 2)
    assert store.senders() == [SenderRow(ONE, 12, 0, 0, 0, 4)]


def test_many_symbols_need_no_more_memory(store, monkeypatch):
    monkeypatch.setattr("demos.collector.store._MAX_CACHED_IDS", 3)
    for number in range(20):
        store.add(Batch(number, 0, [(Quote(f"S{number}", 1, 0), ONE)], {ONE: Counts(ticks=1)}))
        assert len(store._ids) <= 5
    assert [row.ticks for row in store.symbols()] == [1] * 20


def test_without_a_file_only_counts_are_stored():
    with closing(TickStore()) as store:
        recorder = TickRecorder(store, 1252)
        recorder.add(numbered(1), ONE)
        recorder.add(numbered(3), ONE)
        commit(recorder, 1)
        assert store.senders() == [SenderRow(ONE, 2, 0, 0, 0, 1)]
        assert store.symbols()[0].ticks == 2
        assert list(store.ticks("EURUSD")) == []


def test_other_processes_can_read_while_the_file_is_written(store, path):
    with closing(TickStore(path, reading=True)) as reader:
        for event in range(1, 4):
            store.add(Batch(event, 0, [(Quote("EURUSD", event, 0), ONE)], {ONE: Counts(ticks=1)}))
            assert reader.symbols() == [SymbolRow("EURUSD", event, event, 0, event)]
        with pytest.raises(StoreError, match="readonly"):
            reader.add(Batch(4, 0, [(Quote("EURUSD", 1, 0), ONE)], {ONE: Counts(ticks=1)}))


def test_an_event_that_cannot_be_written_is_not_stored_in_part(store, path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON ticks WHEN new.bid = 2 BEGIN SELECT RAISE(ABORT, 'full'); END")
    quotes = [(Quote("EURUSD", bid, 0), ONE) for bid in (1, 2, 3)]
    with pytest.raises(StoreError, match=r"full$"):
        store.add(Batch(1, 0, quotes, {ONE: Counts(ticks=3)}))
    assert store.senders() == []
    store.add(Batch(1, 0, quotes[:1], {ONE: Counts(ticks=1)}))
    assert len(list(store.ticks("EURUSD"))) == 1


def test_a_file_that_is_only_read_must_exist(tmp_path):
    with pytest.raises(StoreError, match="unable to open"):
        TickStore(tmp_path / "nowhere.sqlite", reading=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("reading", [False, True])
def test_another_kind_of_file_is_refused_and_not_changed(path, reading):
    path.write_text("no database, whatever its name says; " * 100, encoding="utf-8")
    with pytest.raises(StoreError, match="not a file of collected ticks: "):
        TickStore(path, reading=reading)
    path.unlink()
    PaperAccount(path).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a file of collected ticks: "):
        TickStore(path, reading=reading)
    assert path.read_bytes() == before


def test_an_empty_file_can_be_written_but_not_read(path):
    path.touch()
    with pytest.raises(StoreError, match="not a file of collected ticks: "):
        TickStore(path, reading=True)
    TickStore(path).close()
    TickStore(path, reading=True).close()


@pytest.mark.parametrize("version", [-1, 0, 5, 99])
def test_another_version_is_refused_and_the_file_is_not_changed(path, version):
    TickStore(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(StoreError, match=f"has version {version}; this program reads versions 1 to 4"):
        TickStore(path)


def read_everything(store: TickStore) -> None:
    store.symbols()
    store.senders()
    list(store.ticks("EURUSD"))
    store.rates(10)


DAMAGES = [
    "UPDATE ticks SET bid = 'x'",
    "UPDATE ticks SET bid = -1",
    "UPDATE ticks SET bid = 0",
    "UPDATE symbols SET bid = 0",
    "UPDATE ticks SET digits = 99999999",
    "UPDATE ticks SET digits = -3",
    "UPDATE ticks SET time = 'abc'",
    "UPDATE ticks SET time = 1e300",
    "UPDATE ticks SET time = 9223372036854775807",
    "UPDATE ticks SET time = -9223372036854775807",
    "UPDATE symbols SET name = x'ff00'",
    "UPDATE symbols SET ticks = -5",
    "UPDATE symbols SET digits = 99999999",
    "UPDATE senders SET ticks = 1.5",
    "UPDATE senders SET address = x'ff'",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_value_that_no_collector_has_written_is_one_StoreError(path, damage):
    with closing(TickStore(path)) as store:
        recorder = TickRecorder(store, 1252)
        recorder.add(b"EURUSD 1.1\0", ONE)
        commit(recorder, 1)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(damage)
    # The collector can still open the file.
    TickStore(path).close()
    with closing(TickStore(path, reading=True)) as store, pytest.raises(StoreError, match="is damaged: "):
        read_everything(store)


@pytest.mark.parametrize("column", ["symbols.ticks", "senders.ticks", "senders.refused", "senders.repeated"])
def test_a_count_stays_at_its_largest_value(path, column):
    table, name = column.split(".")
    for _ in range(2):
        with closing(TickStore(path)) as store:
            recorder = TickRecorder(store, 1252)
            for number in (1, 1, 2):
                recorder.add(numbered(number), ONE)
                recorder.add(b"nonsense", ONE)
            recorder.add_oversized(ONE)
            commit(recorder, 1)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(f"UPDATE {table} SET {name} = {2**63 - 1}")
    with closing(TickStore(path)) as store:
        recorder = TickRecorder(store, 1252)
        for number in (2, 3):
            recorder.add(numbered(number), ONE)
        recorder.add(b"nonsense", ONE)
        commit(recorder, 1)
        rows = store.symbols() if table == "symbols" else store.senders()
        assert getattr(rows[0], name) == 2**63 - 1


@pytest.mark.parametrize("damage", ["first = 9223372036854775807", "lost = 9223372036854775807", "last = 1"])
def test_a_run_with_impossible_numbers_is_a_StoreError(path, damage):
    with closing(TickStore(path)) as store:
        recorder = TickRecorder(store, 1252)
        recorder.add(numbered(4), ONE)
        recorder.add(numbered(8), ONE)
        commit(recorder, 1)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE runs SET {damage}")
    with closing(TickStore(path)) as store, pytest.raises(StoreError, match="is damaged: "):
        TickRecorder(store, 1252).add(numbered(9), ONE)


def test_a_count_of_lost_ticks_is_never_negative(path):
    with closing(TickStore(path)) as store:
        recorder = TickRecorder(store, 1252)
        recorder.add(numbered(4), ONE)
        recorder.add(numbered(8), ONE)
        commit(recorder, 1)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE runs SET lost = 0")
    with closing(TickStore(path)) as store:
        recorder = TickRecorder(store, 1252)
        recorder.add(numbered(6), ONE)
        commit(recorder, 1)
        assert store.senders()[0].lost == 0


@pytest.mark.parametrize("time", ["1500.5", "'abc'", "x'ff'"])
def test_an_invalid_time_between_valid_ones_is_one_StoreError(path, time):
    with closing(TickStore(path)) as store:
        recorder = TickRecorder(store, 1252)
        for event in range(3):
            recorder.add(b"EURUSD 1.1\0" if event != 1 else b"USDJPY 1\0", ONE)
            commit(recorder, event * 1000)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE ticks SET time = {time} WHERE id = 2")
    with closing(TickStore(path, reading=True)) as store:
        assert len(list(store.ticks("EURUSD"))) == 2
        with pytest.raises(StoreError, match="is damaged: "):
            store.rates(10)


@pytest.mark.parametrize("column", ["first", "last", "lost", "received"])
def test_a_damaged_run_is_a_StoreError_and_not_a_wrong_count(path, column):
    with closing(TickStore(path)) as store:
        recorder = TickRecorder(store, 1252)
        recorder.add(numbered(1), ONE)
        commit(recorder, 1)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE runs SET {column} = 'x'")
    with closing(TickStore(path)) as store, pytest.raises(StoreError, match="is damaged: "):
        TickRecorder(store, 1252).add(numbered(2), ONE)


@pytest.mark.parametrize("sender", ["[zz]:1", "]:", "::", "[:1", "x"])
def test_an_invalid_sender_of_a_symbol_does_not_keep_a_file_from_being_opened(path, sender):
    TickStore(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO symbols VALUES (1, 'EURUSD', 1, 11, 1, 7, ?)", (sender,))
    with closing(TickStore(path)) as store:
        assert store.symbols() == [SymbolRow("EURUSD", 1, 11, 1, 7)]


def test_a_file_in_a_folder_that_is_read_only_can_be_read(path, monkeypatch):
    with closing(TickStore(path)) as store:
        recorder = TickRecorder(store, 1252)
        recorder.add(b"EURUSD 1.1\0", ONE)
        commit(recorder, 1)
        # While the collector runs, other files belong to the database.
        monkeypatch.setattr(store_module.os, "access", lambda folder, mode: False)
        with closing(TickStore(path, reading=True)) as reader:
            assert len(list(reader.ticks("EURUSD"))) == 1
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    with closing(TickStore(path, reading=True)) as reader:
        assert len(list(reader.ticks("EURUSD"))) == 1
        assert [found.name for found in path.parent.iterdir()] == [path.name]
