"""The picture of collected ticks."""

from __future__ import annotations

import sqlite3
import struct
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tick_kit import commit

from demos.__main__ import main
from demos.collector.picture import MAX_SYMBOLS, draw_ticks, figure_of
from demos.collector.recorder import TickRecorder
from demos.collector.store import TickStore
from demos.terminal.interfaces import OutputError, ProgramError

TIME = 1_769_903_999_900


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TickStore]:
    with closing(TickStore(tmp_path / "ticks.sqlite")) as opened:
        yield opened


def collect(store: TickStore, *quotes: tuple[str, str]) -> None:
    """Store these quotes, a tenth of a second apart."""
    recorder = TickRecorder(store, 65001)
    for number, (symbol, bid) in enumerate(quotes):
        recorder.add(f"{symbol} {bid}\0".encode(), "127.0.0.1:5001")
        commit(recorder, TIME + 100 * number)


def test_the_picture_is_a_png_file_with_a_plausible_size(store, tmp_path):
    pytest.importorskip("matplotlib")
    collect(store, ("EURUSD", "1.1"), ("EURUSD", "1.2"), ("USDJPY", "110.5"))
    picture = tmp_path / "picture.png"
    assert main(["collected", str(tmp_path / "ticks.sqlite"), "--picture", str(picture)]) == 0
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    assert width > height > 500


def test_one_symbol_is_drawn_with_its_prices(store):
    pytest.importorskip("matplotlib")
    collect(store, ("EURUSD", "1.10000"), ("EURUSD", "1.2000"), ("EURUSD", "1"))
    bids, rate = figure_of(store, store.symbols()).axes
    [line] = bids.lines
    assert list(line.get_ydata()) == [1.1, 1.2, 1.0]
    assert bids.get_title() == "bid of EURUSD"
    assert "3 ticks from 1 senders, 0 known to be lost" in rate.get_xlabel()


def test_several_symbols_are_drawn_as_change_since_the_first_tick(store):
    pytest.importorskip("matplotlib")
    collect(store, ("EURUSD", "1.00"), ("USDJPY", "100"), ("EURUSD", "1.01"), ("USDJPY", "98"), ("EURUSD", "1.00"))
    bids, _ = figure_of(store, store.symbols()).axes
    assert [list(line.get_ydata()) for line in bids.lines] == [
        pytest.approx([0.0, 1.0, 0.0]),
        pytest.approx([0.0, -2.0]),
    ]
    assert [text.get_text() for text in bids.get_legend().get_texts()] == ["EURUSD: 3 ticks", "USDJPY: 2 ticks"]


def test_only_the_symbols_with_the_most_ticks_are_drawn(store):
    pytest.importorskip("matplotlib")
    names = [f"S{number}" for number in range(MAX_SYMBOLS + 5)]
    collect(store, *((name, "1") for number, name in enumerate(names) for _ in range(number + 1)))
    bids, _ = figure_of(store, store.symbols()).axes
    assert len(bids.lines) == MAX_SYMBOLS
    assert bids.lines[0].get_label() == f"{names[-1]}: {len(names)} ticks"
    assert bids.get_title().startswith("10 of 15 symbols")


def test_a_sample_of_very_many_ticks_is_drawn(store, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("demos.collector.picture.MAX_POINTS", 10)
    collect(store, *(("EURUSD", "1.1") for _ in range(101)))
    bids, _ = figure_of(store, store.symbols()).axes
    assert len(bids.lines[0].get_ydata()) == 10


def test_the_rate_is_ticks_per_second_and_zero_in_an_empty_interval(store):
    pytest.importorskip("matplotlib")
    recorder = TickRecorder(store, 1252)
    for milliseconds, count in ((0, 1), (500, 2), (999, 1), (3000, 5)):
        for _ in range(count):
            recorder.add(b"EURUSD 1.1\0", "127.0.0.1:5001")
        commit(recorder, TIME + milliseconds)
    _, rate = figure_of(store, store.symbols()).axes
    assert [bar.get_height() for bar in rate.patches] == [4, 0, 0, 5]


def test_a_long_time_has_longer_intervals(store):
    recorder = TickRecorder(store, 1252)
    for milliseconds in (0, 1000, 100_000):
        recorder.add(b"EURUSD 1.1\0", "127.0.0.1:5001")
        commit(recorder, TIME + milliseconds)
    assert store.rates(10) == (TIME, 10_001, [2, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    assert store.rates(1000)[1] == 1000


def test_any_symbol_is_shown_literally(store, tmp_path):
    pytest.importorskip("matplotlib")
    collect(store, ("_$x^", "1"), ("$\\frac$", "2"), ("円", "3"))
    draw_ticks(store, tmp_path / "picture.png", store.symbols())
    assert (tmp_path / "picture.png").is_file()


def test_the_legend_names_every_symbol(store):
    pytest.importorskip("matplotlib")
    collect(store, ("_hidden", "1"), ("_", "2"), ("EURUSD", "3"))
    bids, _ = figure_of(store, store.symbols()).axes
    shown = [text.get_text().strip() for text in bids.get_legend().get_texts()]
    assert sorted(shown) == ["EURUSD: 1 ticks", "_: 1 ticks", "_hidden: 1 ticks"]


def test_no_ticks_and_a_missing_folder_are_errors(store, tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(OutputError, match="no ticks to draw"):
        draw_ticks(store, tmp_path / "picture.png", [])
    collect(store, ("EURUSD", "1.1"))
    with pytest.raises(OutputError, match="picture"):
        draw_ticks(store, tmp_path / "nowhere" / "picture.png", store.symbols())


def test_without_matplotlib_the_error_names_it(store, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ProgramError, match="need matplotlib"):
        draw_ticks(store, tmp_path / "picture.png", [])


def test_a_bid_of_0_in_a_damaged_file_is_one_error_line(store, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    collect(store, ("EURUSD", "1.1"), ("USDJPY", "110.5"))
    path, picture = tmp_path / "ticks.sqlite", tmp_path / "picture.png"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE ticks SET bid = 0")
    assert main(["collected", str(path), "--picture", str(picture)]) == 4
    assert capsys.readouterr().err == f"python -m demos collected: error: {path} is damaged: bid is 0\n"
    assert not picture.exists()
