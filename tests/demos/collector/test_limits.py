"""The collector limits what peers can send, in memory, tables and sums, and waits for a locked database."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from signal_kit import Script, Stage, one_event
from tick_kit import address_of, commit, nothing_to_receive, peer, send_to

from demos.collector import admission, run_admission
from demos.collector import recorder as recorder_module
from demos.collector import store as store_module
from demos.collector.admission import MAX_OF_ADDRESS, MAX_OF_SENDER, MAX_SYMBOLS
from demos.collector.recorder import TickRecorder
from demos.collector.rows import SenderRow, SymbolRow
from demos.collector.run_admission import KEEP_MS
from demos.collector.schema import StoreBusy
from demos.collector.store import OTHER_SENDERS, TickStore
from demos.ticks.protocol import InvalidDatagram, Quote

pytestmark = pytest.mark.usefixtures("started")

ONE, OTHER = "127.0.0.1:5001", "[::1]:5002"

# The tables of version 1, with one sender and one run.
VERSION_1 = """
CREATE TABLE symbols (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, ticks INTEGER NOT NULL,
    bid INTEGER NOT NULL, digits INTEGER NOT NULL, time INTEGER NOT NULL
);
CREATE TABLE senders (
    id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE, ticks INTEGER NOT NULL, refused INTEGER NOT NULL,
    oversized INTEGER NOT NULL, repeated INTEGER NOT NULL, time INTEGER NOT NULL
);
CREATE TABLE runs (
    run TEXT PRIMARY KEY, sender INTEGER NOT NULL REFERENCES senders,
    first INTEGER NOT NULL, last INTEGER NOT NULL, lost INTEGER NOT NULL
);
CREATE TABLE ticks (
    id INTEGER PRIMARY KEY, symbol INTEGER NOT NULL REFERENCES symbols, bid INTEGER NOT NULL, digits INTEGER NOT NULL,
    sender INTEGER NOT NULL REFERENCES senders, time INTEGER NOT NULL
);
CREATE INDEX ticks_by_symbol ON ticks (symbol);
INSERT INTO symbols VALUES (1, 'EURUSD', 1, 11, 1, 7);
INSERT INTO senders VALUES (1, '127.0.0.1:5001', 1, 0, 0, 0, 7);
INSERT INTO ticks VALUES (1, 1, 11, 1, 1, 7);
INSERT INTO runs VALUES ('0000000000000001', 1, 1, 100, 3);
PRAGMA application_id = 0x5753544B;
PRAGMA user_version = 1;
"""


UPGRADE_TO_2 = """
ALTER TABLE senders ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN received BLOB;
PRAGMA user_version = 2;
"""


UPGRADE_TO_3 = """
ALTER TABLE symbols ADD COLUMN introduced_by TEXT NOT NULL DEFAULT '';
PRAGMA user_version = 3;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ticks.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[TickStore]:
    with closing(TickStore(path)) as opened:
        yield opened


def tick(number: int, run: int = 1, symbol: str = "EURUSD") -> bytes:
    return f"{symbol} 1.1\0#{run:016x} {number}\0".encode()


def rows(store: TickStore, symbol: str = "EURUSD") -> int:
    return len(list(store.ticks(symbol)))


def test_runs_with_gaps_need_little_memory():
    with closing(TickStore()) as store:
        recorder = TickRecorder(store, 1252)
        tracemalloc.start()
        try:
            for event, number in enumerate((1, 5000, 10_000)):
                for run in range(2000):
                    recorder.add(tick(number, run), ONE)
                commit(recorder, event)
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert size < 2000 * 2500


@pytest.mark.parametrize("restart", [False, True])
def test_a_repeated_tick_is_never_stored_again(path, restart, monkeypatch):
    monkeypatch.setattr(recorder_module, "MAX_RUNS", 4)
    numbers = [1, 2, 3, 50, 49, 51, 4000, 60]
    store = TickStore(path)
    recorder = TickRecorder(store, 1252)
    for number in numbers:
        recorder.add(tick(number), ONE)
    commit(recorder, 1)
    for run in range(2, 20):
        recorder.add(tick(1, run), ONE)
    commit(recorder, 2)
    if restart:
        store.close()
        store = TickStore(path)
        recorder = TickRecorder(store, 1252)
    with closing(store):
        before = rows(store)
        for number in numbers:
            assert recorder.add(tick(number), OTHER).reason == "repeated tick"
        assert isinstance(recorder.add(tick(48), ONE), Quote)
        commit(recorder, 3)
        assert rows(store) == before + 1
        assert [sender.repeated for sender in store.senders()] == [0, len(numbers)]


def test_the_sum_of_lost_ticks_never_leaves_64_bits(store, path):
    recorder = TickRecorder(store, 1252)
    for run in range(50):
        recorder.add(tick(1, run), ONE)
        recorder.add(tick(999_999_999_999_999, run), ONE)
    commit(recorder, 1)
    assert store.senders()[0].lost == 2**53 - 1
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE runs SET lost = 9223372036854775807")
    assert store.senders()[0].lost == 2**53 - 1


def test_a_small_sum_of_lost_ticks_is_exact(store):
    recorder = TickRecorder(store, 1252)
    for run in range(3):
        recorder.add(tick(1, run), ONE)
        recorder.add(tick(10**15 - 1 if run == 0 else 5, run), ONE)
    commit(recorder, 1)
    assert store.senders()[0].lost == 10**15 - 3 + 6


def test_ticks_of_symbols_above_the_limit_are_refused_and_known_symbols_are_stored(store, monkeypatch):
    monkeypatch.setattr(admission, "MAX_SYMBOLS", 3)
    recorder = TickRecorder(store, 1252)
    for number in range(6):
        found = recorder.add(b"S%d 1.1\0" % number, ONE)
        assert isinstance(found, Quote) == (number < 3)
    assert found == InvalidDatagram("S5 1.1", "a new symbol, and the database has 3, which is the limit")
    recorder.add(b"S0 1.2\0", ONE)
    commit(recorder, 1)
    assert [(row.name, row.ticks) for row in store.symbols()] == [("S0", 2), ("S1", 1), ("S2", 1)]
    assert store.senders() == [SenderRow(ONE, 4, 3, 0, 0, 0)]


def test_the_limit_of_symbols_holds_after_a_restart(path, monkeypatch):
    monkeypatch.setattr(admission, "MAX_SYMBOLS", 2)
    for symbol in (b"A", b"B", b"C"):
        with closing(TickStore(path)) as store:
            recorder = TickRecorder(store, 1252)
            recorder.add(symbol + b" 1\0", ONE)
            commit(recorder, 1)
            assert [row.name for row in store.symbols()] == ["A", "B"][: len(store.symbols())]


def accepted(recorder: TickRecorder, count: int, sender: str, begin: int = 0) -> int:
    """The number of invented symbols whose ticks are accepted from a sender."""
    found = [recorder.add(b"S%d 1.1\0" % number, sender) for number in range(begin, begin + count)]
    return sum(isinstance(tick, Quote) for tick in found)


@pytest.mark.parametrize("restart", [False, True])
def test_the_invented_symbols_of_one_sender_do_not_lock_out_the_symbols_of_others(path, restart):
    with closing(TickStore(path)) as store:
        recorder = TickRecorder(store, 1252)
        assert accepted(recorder, MAX_SYMBOLS, ONE) == MAX_OF_SENDER
        commit(recorder, 1)
        if not restart:
            check_others(store, recorder)
    if restart:
        with closing(TickStore(path)) as store:
            check_others(store, TickRecorder(store, 1252))


def check_others(store: TickStore, recorder: TickRecorder) -> None:
    """A sender has used its share; another port and another address have theirs, and known symbols stay accepted."""
    refused = recorder.add(b"EURUSD 1.1\0", ONE)
    assert refused.reason == "a new symbol, and its sender has introduced 1000, which is the limit"
    assert isinstance(recorder.add(b"EURUSD 1.1\0", "127.0.0.1:5009"), Quote)
    assert isinstance(recorder.add(b"USDJPY 110.1\0", "127.0.0.5:5001"), Quote)
    assert isinstance(recorder.add(b"GBPUSD 1.1\0", OTHER), Quote)
    assert isinstance(recorder.add(b"S0 1.1\0", OTHER), Quote)
    assert isinstance(recorder.add(b"EURUSD 1.1\0", ONE), Quote)
    commit(recorder, 2)
    assert len(store.symbols()) == MAX_OF_SENDER + 3


@pytest.mark.parametrize("restart", [False, True])
def test_the_ports_of_one_address_share_its_symbols(path, restart):
    store = TickStore(path)
    recorder = TickRecorder(store, 1252)
    for port in range(5):
        count = accepted(recorder, MAX_OF_SENDER, f"127.0.0.1:{port}", port * MAX_OF_SENDER)
        assert count == (MAX_OF_SENDER if port < MAX_OF_ADDRESS // MAX_OF_SENDER else 0)
        commit(recorder, port)
        if restart:
            store.close()
            store = TickStore(path)
            recorder = TickRecorder(store, 1252)
    with closing(store):
        refused = recorder.add(b"EURUSD 1.1\0", "127.0.0.1:9")
        assert refused.reason == "a new symbol, and its address has introduced 2000, which is the limit"
        assert isinstance(recorder.add(b"EURUSD 1.1\0", "127.0.0.2:9"), Quote)


def test_many_addresses_together_have_the_limit_of_the_database(store):
    recorder = TickRecorder(store, 1252)
    counts = [accepted(recorder, 900, f"10.0.0.{number}:1", number * 900) for number in range(20)]
    assert sum(counts) == MAX_SYMBOLS


def test_the_limits_of_one_address_leave_room_for_others():
    assert MAX_OF_SENDER < MAX_OF_ADDRESS <= MAX_SYMBOLS // 4


@pytest.mark.parametrize(
    ("sender", "address"),
    [
        ("127.0.0.1:8082", "127.0.0.1"),
        ("[::1]:8082", "::/64"),
        ("[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::]:65535", "2001:db8:1:2::/64"),
        ("[fe80::1%2]:1", "fe80::/64"),
        ("[::ffff:10.0.0.1]:1", "::/64"),
        ("", ""),
    ],
)
def test_an_address_is_that_of_a_sender_without_its_port(sender, address):
    assert admission.address_of(sender) == address


def test_a_file_of_version_2_is_upgraded_and_its_symbols_count_for_nobody(path):
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(VERSION_1)
        db.executescript(UPGRADE_TO_2)
        db.executemany("INSERT INTO symbols VALUES (?, ?, 1, 11, 1, 7)", [(n + 2, f"V{n}") for n in range(3000)])
    with closing(TickStore(path, reading=True)) as store:
        assert len(store.symbols()) == 3001
    for _ in range(2):
        with closing(TickStore(path)) as store:
            recorder = TickRecorder(store, 1252)
            assert isinstance(recorder.add(b"GBPUSD 1.1\0", ONE), Quote)
            commit(recorder, 8)
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT name, introduced_by FROM symbols WHERE introduced_by != ''").fetchall()
        assert found == [("GBPUSD", ONE)]
        assert db.execute("PRAGMA user_version").fetchone() == (4,)


def test_senders_above_the_limit_are_counted_together_and_their_ticks_are_stored(store, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_SENDERS", 2)
    recorder = TickRecorder(store, 1252)
    for port in range(6):
        recorder.add(b"EURUSD 1.1\0", f"10.0.0.1:{port}")
        recorder.add(b"nonsense", f"10.0.0.1:{port}")
        recorder.add_oversized(f"10.0.0.1:{port}")
    commit(recorder, 1)
    assert store.senders() == [
        SenderRow("10.0.0.1:0", 1, 1, 1, 0, 0),
        SenderRow("10.0.0.1:1", 1, 1, 1, 0, 0),
        SenderRow(OTHER_SENDERS, 4, 4, 4, 0, 0),
    ]
    assert rows(store) == 6


def test_the_runs_unused_for_longest_are_deleted_and_their_lost_ticks_are_kept(store, path, monkeypatch):
    monkeypatch.setattr(run_admission, "MAX_RUNS", 16)
    monkeypatch.setattr(recorder_module, "MAX_RUNS", 4)
    recorder = TickRecorder(store, 1252)
    for run in range(100):
        recorder.add(tick(1, run), ONE if run % 2 else OTHER)
        recorder.add(tick(4, run), ONE if run % 2 else OTHER)
        recorder.add(tick(run + 5, 500), ONE)
        commit(recorder, run * KEEP_MS // 2)
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM runs").fetchone()[0] <= 16
    assert sum(sender.lost for sender in store.senders()) == 200
    # A run that is in use is not deleted.
    assert recorder.add(tick(7, 500), ONE).reason == "repeated tick"


def flood(recorder: TickRecorder, count: int, senders: Sequence[str], begin: int = 1000) -> set[str]:
    """Introduce this many runs from these senders in turn; returns the reasons of the refused ones."""
    found = [recorder.add(tick(1, begin + n, "X"), senders[n % len(senders)]) for n in range(count)]
    return {tick.reason for tick in found if isinstance(tick, InvalidDatagram)}


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("senders", "reason"),
    [
        ([ONE], "a new run, and its sender has introduced 5, which is the limit"),
        (
            [f"10.0.0.1:{port}" for port in range(50)],
            "a new run, and its address has introduced 20, which is the limit",
        ),
        ([f"10.0.0.{number}:1" for number in range(50)], "a new run, and the database has 50, which is the limit"),
    ],
    ids=["sender", "address", "all"],
)
def test_a_flood_of_runs_does_not_make_repeated_ticks_new_ones(path, monkeypatch, senders, reason, restart):
    monkeypatch.setattr(run_admission, "MAX_RUNS", 50)
    monkeypatch.setattr(run_admission, "MAX_RUNS_OF_ADDRESS", 20)
    monkeypatch.setattr(run_admission, "MAX_RUNS_OF_SENDER", 5)
    good = "192.0.2.1:500"
    store = TickStore(path)
    recorder = TickRecorder(store, 1252)
    recorder.add(tick(7), good)
    commit(recorder, 1)
    assert flood(recorder, 400, senders) == {reason}
    # A run whose numbers are known can be used by its sender, however many others there are.
    assert isinstance(recorder.add(tick(1001, 1000), senders[0]), Quote)
    commit(recorder, 2)
    if restart:
        store.close()
        store = TickStore(path)
        recorder = TickRecorder(store, 1252, 3)
    with closing(store):
        assert recorder.add(tick(7), good).reason == "repeated tick"
        assert recorder.add(tick(1001, 1000), senders[0]).reason == "repeated tick"
        assert isinstance(recorder.add(tick(8), good), Quote)
        # Another run of the good sender is accepted, unless the whole table is in use.
        assert isinstance(recorder.add(tick(1, 2), good), Quote) == ("database" not in reason)
        assert isinstance(recorder.add(b"EURUSD 1.1\0", ONE), Quote)
        commit(recorder, 4)
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM runs").fetchone()[0] <= 50


@pytest.mark.parametrize("restart", [False, True])
def test_a_sender_that_restarts_every_day_is_never_refused(path, monkeypatch, restart):
    monkeypatch.setattr(run_admission, "MAX_RUNS_OF_SENDER", 5)
    store = TickStore(path)
    recorder = TickRecorder(store, 1252)
    for day in range(40):
        recorder.add(tick(1, 0), OTHER)
        assert flood(recorder, 2, [ONE], 1000 + 2 * day) == set()
        commit(recorder, day * KEEP_MS)
        if restart:
            store.close()
            store = TickStore(path)
            recorder = TickRecorder(store, 1252, (day + 1) * KEEP_MS)
    with closing(store):
        assert recorder.add(tick(1, 0), OTHER).reason == "repeated tick"
        assert recorder.add(tick(1, 1079, "X"), ONE).reason == "repeated tick"
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM runs").fetchone() == (6,)


def test_a_run_that_was_not_used_for_a_day_is_kept_while_there_is_room(store):
    recorder = TickRecorder(store, 1252)
    recorder.add(tick(7), ONE)
    commit(recorder, 1)
    commit(recorder, 1000 * KEEP_MS)
    assert flood(recorder, run_admission.MAX_RUNS_OF_SENDER - 1, [ONE]) == set()
    assert recorder.add(tick(7), ONE).reason == "repeated tick"


def test_the_shares_of_runs_leave_room_for_others():
    sender, address = run_admission.MAX_RUNS_OF_SENDER, run_admission.MAX_RUNS_OF_ADDRESS
    assert 4 * sender <= address <= run_admission.MAX_RUNS // 4


@pytest.mark.parametrize("damage", ["time = 'x'", "introduced_by = ''", "introduced_by = 'x'", "sender = 99"])
def test_a_damaged_run_does_not_keep_a_file_from_being_opened_and_can_be_forgotten(path, monkeypatch, damage):
    monkeypatch.setattr(run_admission, "MAX_RUNS", 1)
    with closing(TickStore(path)) as store:
        recorder = TickRecorder(store, 1252)
        recorder.add(tick(1), ONE)
        commit(recorder, 1)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE runs SET {damage}")
    with closing(TickStore(path)) as store:
        recorder = TickRecorder(store, 1252, 2 * KEEP_MS)
        assert isinstance(recorder.add(tick(1, 2), OTHER), Quote)
        commit(recorder, 2 * KEEP_MS)


def test_a_file_of_version_3_is_upgraded_and_its_runs_are_known(path):
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(VERSION_1)
        db.executescript(UPGRADE_TO_2)
        db.executescript(UPGRADE_TO_3)
    with closing(TickStore(path)) as store:
        assert TickRecorder(store, 1252).add(tick(50), ONE).reason == "repeated tick"
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT introduced_by, time FROM runs").fetchall() == [(ONE, 7)]


@pytest.mark.parametrize("size", [60_000, 200_000])
def test_a_database_with_its_largest_size_accepts_no_more_ticks(path, size):
    with closing(TickStore(path, max_bytes=size)) as store:
        recorder = TickRecorder(store, 1252)
        for event in range(200):
            for _ in range(100):
                found = recorder.add(b"EURUSD 1.1\0", ONE)
            commit(recorder, event)
        assert found == InvalidDatagram("EURUSD 1.1", "the database is full")
        assert rows(store) == store.symbols()[0].ticks < 20_000
    with closing(TickStore(path, max_bytes=size)) as store:
        assert isinstance(TickRecorder(store, 1252).add(b"EURUSD 1.1\0", ONE), InvalidDatagram) == store.full


def test_a_file_of_version_1_can_be_read_and_is_upgraded_when_it_is_written(path):
    with closing(sqlite3.connect(path)) as db:
        db.executescript(VERSION_1)
    with closing(TickStore(path, reading=True)) as store:
        assert store.senders() == [SenderRow(ONE, 1, 0, 0, 0, 3)]
    with closing(TickStore(path)) as store, closing(TickStore(path, reading=True)) as reader:
        recorder = TickRecorder(store, 1252)
        assert recorder.add(tick(50), ONE).reason == "repeated tick"
        recorder.add(tick(101), ONE)
        recorder.add(tick(103), ONE)
        commit(recorder, 8)
        assert store.senders() == reader.senders() == [SenderRow(ONE, 3, 0, 0, 1, 4)]
        assert store.symbols() == [SymbolRow("EURUSD", 3, 11, 1, 8)]
    with closing(TickStore(path)) as store:
        assert store.senders() == [SenderRow(ONE, 3, 0, 0, 1, 4)]


def test_a_locked_database_is_a_temporary_error_and_the_batch_waits(path):
    with closing(TickStore(path, timeout=0)) as store, closing(sqlite3.connect(path)) as other:
        recorder = TickRecorder(store, 1252)
        other.execute("BEGIN IMMEDIATE")
        for event in range(3):
            recorder.add(tick(event + 1), ONE)
            recorder.end_event(event)
            with pytest.raises(StoreBusy, match=r"ticks\.sqlite is in use by another process"):
                recorder.store()
        assert recorder.waiting_ticks() == 3
        assert recorder.add(tick(2), ONE).reason == "repeated tick"
        other.rollback()
        commit(recorder, 3)
        assert recorder.waiting_ticks() == 0
        assert [found.time for found in store.ticks("EURUSD")] == [0, 1, 2]
        assert store.senders() == [SenderRow(ONE, 3, 0, 0, 1, 0)]


def collector(path: Path, **options: object) -> Stage:
    return Stage("tick_collector", Port=0, database=str(path), **options)


def test_the_collector_waits_for_another_writer_and_reports_it_once(path):
    stage = collector(path)

    def script() -> Script:
        yield
        stage.program.store.set_timeout(0)
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(30):
                send_to(stage, peer(), b"EURUSD 1.%d\0" % (number + 1))
                yield
            assert 3 <= stage.program.storing.failures <= 10
            other.rollback()
        for _ in range(10):
            yield
        assert stage.program.storing.failures == 0
        assert rows(stage.program.store) == 30

    assert stage.play(script()) == 0
    assert stage.errors() == [
        f"-{path} is in use by another process. Next attempt in 0.5 s, then after growing pauses."
    ]
    assert stage.texts.count(f"{path} can be used again") == 1


def test_the_collector_reads_no_more_than_can_wait(path, monkeypatch):
    stage = collector(path)
    monkeypatch.setattr(recorder_module, "MAX_WAITING_TICKS", 5)

    def script() -> Script:
        yield
        stage.program.store.set_timeout(0)
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(8):
                send_to(stage, peer(), b"EURUSD 1.1\0")
                yield
            assert stage.program.recorder.waiting_ticks() == 5
            assert not nothing_to_receive(stage.program.server)
            other.rollback()
        for _ in range(10):
            yield
        assert rows(stage.program.store) == 8

    assert stage.play(script()) == 0


def test_the_collector_waits_for_a_database_that_is_locked_at_its_start(path):
    TickStore(path).close()
    stage = collector(path)
    stage.program.BUSY_SECONDS = 0

    with closing(sqlite3.connect(path)) as other:

        def script() -> Script:
            for _ in range(5):
                yield
            assert stage.program.store is None
            other.rollback()
            for _ in range(10):
                yield
            send_to(stage, peer(), b"EURUSD 1.1\0")
            yield
            assert rows(stage.program.store) == 1

        other.execute("BEGIN EXCLUSIVE")
        assert stage.play(script()) == 0
    assert len(stage.errors()) == 1


def test_ticks_that_cannot_be_stored_at_the_end_are_counted_and_the_exit_code_is_4(path):
    stage = collector(path)
    stage.program.LOCK_TIMEOUT = 0

    with closing(sqlite3.connect(path)) as other:

        def script() -> Script:
            yield
            stage.program.store.set_timeout(0)
            other.execute("BEGIN IMMEDIATE")
            send_to(stage, peer(), b"EURUSD 1.1\0", b"EURUSD 1.2\0")
            yield

        assert stage.play(script()) == 4
        other.rollback()
    assert stage.errors()[-1] == f"{path} is in use by another process; ticks that are not stored: 2"


def test_a_datagram_whose_run_cannot_be_looked_up_is_recorded_later(path):
    stage = collector(path)

    def script() -> Script:
        yield
        store = stage.program.store

        def locked(run: str) -> None:
            raise StoreBusy("locked")

        store.sequence = locked
        send_to(stage, peer(), tick(1), tick(2))
        yield
        assert stage.program.postponed == (tick(1), stage.program.postponed[1])
        del store.sequence
        for _ in range(10):
            yield
        assert stage.program.postponed is None
        assert rows(store) == 2

    assert stage.play(script()) == 0


@pytest.mark.parametrize("value", [0, 1])
def test_the_largest_size_is_an_input(path, value):
    stage = collector(path, megabytes=value)
    assert stage.play(one_event()) == 0


def test_a_full_database_is_reported_at_most_once_a_second(path):
    stage = collector(path, timer_ms=100)

    def script() -> Script:
        yield
        stage.program.store.full = True
        s = peer()
        for _ in range(25):
            send_to(stage, s, *[b"EURUSD 1.1\0"] * 10)
            stage.program.store.full = True
            yield
        expected = f"-datagrams dropped (the database is full): 10, the first: 'EURUSD 1.1' from {address_of(s)}"
        assert stage.errors()[0] == expected

    assert stage.play(script()) == 0
    assert len(stage.errors()) <= 4
