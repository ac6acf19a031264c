"""Collected ticks as MetaTrader's export, and `python -m demos collected`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tick_kit import commit

from demos.__main__ import main
from demos.collector.export import HEADER, export_ticks
from demos.collector.recorder import TickRecorder
from demos.collector.rows import SymbolRow
from demos.collector.store import TickStore
from demos.terminal.interfaces import OutputError, Tick
from demos.terminal.paper.export_file import check_export, ticks_of
from demos.terminal.paper.export_names import symbol_and_period

# 2026-01-31 23:59:59.900
TIME = 1_769_903_999_900


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "ticks.sqlite"


@pytest.fixture
def store(database: Path) -> Iterator[TickStore]:
    with closing(TickStore(database)) as opened:
        yield opened


def collect(store: TickStore, *events: tuple[int, bytes]) -> None:
    recorder = TickRecorder(store, 1252)
    for time, datagram in events:
        recorder.add(datagram, "127.0.0.1:5001")
        commit(recorder, time)


def test_an_export_is_metatraders_tick_format_to_the_byte(store, tmp_path):
    collect(store, (TIME, b"EURUSD 1.10000\0"), (TIME + 250, b"EURUSD 1.10001\0"))
    [path] = export_ticks(store, tmp_path / "new" / "folder", store.symbols())
    assert path.name == "EURUSD_202601312359_202602010000.csv"
    assert path.read_bytes() == (
        b"<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n"
        b"2026.01.31\t23:59:59.900\t1.10000\t1.10000\t\t\t6\r\n"
        b"2026.02.01\t00:00:00.150\t1.10001\t1.10001\t\t\t6\r\n"
    )
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_terminal_replays_what_was_collected(store, tmp_path):
    quotes = [b"EURUSD 1.10000\0", b"EURUSD 1.0999\0", b"USDJPY 110.500\0", b"EURUSD 12\0"]
    collect(store, *((TIME + 100 * number, quote) for number, quote in enumerate(quotes)))
    eurusd, usdjpy = export_ticks(store, tmp_path, store.symbols())
    export = check_export(eurusd, "tick")
    assert (export.rows, export.digits) == (3, 5)
    assert symbol_and_period(eurusd)[0] == "EURUSD"
    assert list(ticks_of(export, "EURUSD")) == [
        Tick("EURUSD", TIME, 110_000, 110_000),
        Tick("EURUSD", TIME + 100, 109_990, 109_990),
        Tick("EURUSD", TIME + 300, 1_200_000, 1_200_000),
    ]
    assert check_export(usdjpy, "tick").digits == 3


def test_times_never_decrease_when_the_clock_was_set_back(store, tmp_path):
    collect(store, *((TIME + later, b"EURUSD 1.1\0") for later in (0, -5000, 50)))
    [path] = export_ticks(store, tmp_path, store.symbols())
    assert [tick.time - TIME for tick in ticks_of(check_export(path, "tick"), "EURUSD")] == [0, 0, 50]


@pytest.mark.parametrize(
    ("symbol", "stem"),
    [
        ("EURUSD.m", "EURUSD.m"),
        ("Volatility 75 Index", "Volatility 75 Index"),
        ("#AAPL", "#AAPL"),
        ("../../x", "..%2F..%2Fx"),
        ("C:\\x", "C%3A%5Cx"),
        ("é*?", "%C3%A9%2A%3F"),
        # Windows reserves these names, also with an extension and with blanks before it, in either case.
        ("CON.x", "%43ON.x"),
        ("nul.tar.gz", "%6Eul.tar.gz"),
        ("Com1 .x", "%43om1 .x"),
        ("LPT9.", "%4CPT9."),
        ("CON", "CON"),
        ("CONSOLE.x", "CONSOLE.x"),
        ("COM10.x", "COM10.x"),
        ("COM¹.x", "COM%C2%B9.x"),
        ("CONIN$.x", "CONIN%24.x"),
        ("...", "..."),
        ("EURUSD.", "EURUSD."),
        ("x:stream", "x%3Astream"),
        ("%2e%2e", "%252e%252e"),
    ],
)
def test_the_file_of_every_symbol_is_in_the_export_folder(store, tmp_path, symbol, stem):
    collect(store, (TIME, f"{symbol} 1.1\0".encode("cp1252")))
    [path] = export_ticks(store, tmp_path / "folder", store.symbols())
    assert path == tmp_path / "folder" / f"{stem}_202601312359_202601312359.csv"
    assert path.is_file()


@pytest.mark.parametrize("symbol", ["é" * 64, "€" * 64, "x" + "é" * 63, "xy" + "€" * 62, "%" * 64, "CON." + "é" * 60])
def test_a_long_name_is_cut_and_stays_distinct(store, tmp_path, symbol):
    other = symbol[:-1] + "z"
    collect(store, *((TIME, f"{name} 1.1\0".encode("cp1252")) for name in (symbol, other)))
    paths = export_ticks(store, tmp_path / "folder", store.symbols())
    assert len({path.name for path in paths}) == 2
    for path in paths:
        assert len(path.name.encode()) <= 150
        assert re.fullmatch(r"(%[0-9A-F]{2}|[A-Za-z0-9.])+~[0-9a-f]{8}_\d{12}_\d{12}\.csv", path.name)
        assert path.is_file()


def test_a_symbol_with_the_name_of_another_symbol_s_file_gets_its_own_file(store, tmp_path):
    dates = "202601312359_202601312359"
    symbols = ["A", "a", f"A_{dates}_1", f"a_{dates}_1", "CON.x", "con.X"]
    collect(store, *((TIME, f"{name} 1.1\0".encode()) for name in symbols))
    paths = export_ticks(store, tmp_path / "folder", store.symbols())
    assert len({path.name.casefold() for path in paths}) == len(symbols)
    assert sorted((tmp_path / "folder").iterdir()) == sorted(paths)


def test_symbols_that_differ_only_in_case_get_separate_files(store, tmp_path):
    collect(store, (TIME, b"EURUSD 1.1\0"), (TIME, b"eurusd 1.2\0"), (TIME, b"EurUsd 1.3\0"))
    paths = export_ticks(store, tmp_path / "folder", store.symbols())
    assert len({path.name.casefold() for path in paths}) == 3
    assert len(list((tmp_path / "folder").iterdir())) == 3


def test_an_earlier_export_is_replaced_and_no_unfinished_file_remains(store, tmp_path):
    collect(store, (TIME, b"EURUSD 1.1\0"))
    folder = tmp_path / "folder"
    [path] = export_ticks(store, folder, store.symbols())
    before = path.read_bytes()
    assert export_ticks(store, folder, store.symbols()) == [path]
    with pytest.raises(OutputError, match="there are no ticks of GBPUSD to export"):
        export_ticks(store, folder, [SymbolRow("GBPUSD", 0, 0, 0, 0)])
    assert [entry.name for entry in folder.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_collected_shows_symbols_and_senders(store, database, capsys):
    collect(store, (TIME, b"EURUSD 1.10000\0"), (TIME, b"EURUSD 1.10001\0"), (TIME, b"nonsense"))
    collect(store, (TIME, b"A\0#0123456789abcdef 1\0"), *((TIME, b"X 1\0#%016x %d\0" % (1, n)) for n in (1, 3)))
    assert main(["collected", str(database)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "symbol EURUSD: 2 ticks, the last 1.10001",
        "symbol X: 2 ticks, the last 1",
        "sender 127.0.0.1:5001: 4 ticks, 1 lost, 0 repeated; 2 invalid datagrams, 0 oversized",
    ]


def test_collected_exports_one_symbol_or_all(store, database, tmp_path, capsys):
    collect(store, (TIME, b"EURUSD 1.1\0"), (TIME, b"USDJPY 110.5\0"))
    assert main(["collected", str(database), "--export", str(tmp_path / "one"), "--Symbol", "USDJPY"]) == 0
    [path] = (tmp_path / "one").iterdir()
    assert f"wrote {path}" in capsys.readouterr().out
    assert path.read_text(encoding="utf-8").splitlines()[0] == HEADER
    assert main(["collected", str(database), "--export", str(tmp_path / "all")]) == 0
    assert len(list((tmp_path / "all").iterdir())) == 2


def test_collected_ends_silently_when_its_reader_has_read_enough(store, database, tmp_path):
    collect(store, *((TIME, b"S%03d 1\0" % number) for number in range(100)))
    for arguments, expected in (((), (0, "")), (("--export", str(tmp_path / "all")), (4, None))):
        reading, writing = os.pipe()
        os.close(reading)
        try:
            command = [sys.executable, "-m", "demos", "collected", str(database), *arguments]
            done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        finally:
            os.close(writing)
        code, errors = expected
        assert done.returncode == code
        assert errors is None or done.stderr == errors
        assert "Traceback" not in done.stderr


def test_an_error_is_one_line_and_exit_code_4(store, database, tmp_path, capsys):
    def error(*arguments: object) -> str:
        assert main(["collected", *map(str, arguments)]) == 4
        [line] = capsys.readouterr().err.splitlines()
        return line

    assert error(database) == f"python -m demos collected: error: {database} has no ticks"
    assert "unable to open" in error(tmp_path / "nowhere.sqlite")
    collect(store, (TIME, b"EURUSD 1.1\0"))
    assert error(database, "--Symbol", "GBPUSD").endswith("has no ticks of GBPUSD")
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in error(database, "--export", tmp_path / "file")
