"""Exports of MetaTrader 5: the ticks that are read, and the errors that are found before a replay."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest
from terminal_kit import BARS

from demos.terminal.interfaces import MarketError, Tick
from demos.terminal.mql.conversion import milliseconds_of, time_of
from demos.terminal.paper.export_file import check_export, ticks_of

BAR_HEADER = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"
TICK_HEADER = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>"
UP = "2017.04.19\t09:00:00\t1.0716\t1.0722\t1.07083\t1.07219\t1413\t0\t2"
DOWN = "2017.04.19\t10:00:00\t1.07214\t1.07296\t1.072\t1.0721\t1241\t0\t3"
TICKS = (
    "2020.01.02\t00:00:00.123\t1.12\t\t\t\t2",
    "2020.01.02\t00:00:00.500\t\t1.12013\t\t\t4",
    "2020.01.02\t00:00:00.500\t1.11999\t\t\t\t2",
    "2020.01.02\t00:00:01.000\t\t\t1.12\t3.5\t24",
)


def write(folder: Path, *lines: str, end: str = "\r\n", encoding: str = "utf-8") -> Path:
    path = folder / "EURUSD_H1.tsv"
    path.write_bytes("".join(line + end for line in lines).encode(encoding))
    return path


def error_of(path: Path, kind: str = "bar", digits: int | None = None) -> str:
    with pytest.raises(MarketError) as caught:
        check_export(path, kind, digits)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


def test_a_rising_bar_gives_open_low_high_close_and_a_falling_one_open_high_low_close(tmp_path):
    export = check_export(write(tmp_path, BAR_HEADER, UP, DOWN), "bar")
    assert (export.rows, export.digits, export.bar_length) == (2, 5, 3_600_000)
    quotes = list(ticks_of(export, "EURUSD"))
    assert [tick.bid for tick in quotes] == [107160, 107083, 107220, 107219, 107214, 107296, 107200, 107210]
    assert [tick.ask - tick.bid for tick in quotes] == [2] * 4 + [3] * 4


def test_the_ticks_of_a_bar_are_a_quarter_of_its_length_apart_in_the_files_time(tmp_path):
    quotes = list(ticks_of(check_export(write(tmp_path, BAR_HEADER, UP, DOWN), "bar"), "EURUSD"))
    assert [time_of(tick.time) for tick in quotes[:5]] == [
        datetime(2017, 4, 19, 9, 0),
        datetime(2017, 4, 19, 9, 15),
        datetime(2017, 4, 19, 9, 30),
        datetime(2017, 4, 19, 9, 45),
        datetime(2017, 4, 19, 10, 0),
    ]


def test_a_blank_bid_or_ask_repeats_the_last_one_and_there_is_no_tick_before_both_are_known(tmp_path):
    export = check_export(write(tmp_path, TICK_HEADER, *TICKS), "tick")
    start = milliseconds_of(datetime(2020, 1, 2))
    assert list(ticks_of(export, "EURUSD")) == [
        Tick("EURUSD", start + 500, 112000, 112013),
        Tick("EURUSD", start + 500, 111999, 112013),
        Tick("EURUSD", start + 1000, 111999, 112013),
    ]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_line_ends_and_encodings_make_no_difference(tmp_path, end, encoding):
    plain = list(ticks_of(check_export(write(tmp_path, BAR_HEADER, UP, DOWN), "bar"), "X"))
    other = check_export(write(tmp_path, BAR_HEADER, UP, DOWN, end=end, encoding=encoding), "bar")
    assert list(ticks_of(other, "X")) == plain


def test_a_big_endian_byte_order_mark_is_recognised(tmp_path):
    path = write(tmp_path, "\ufeff" + BAR_HEADER, UP, encoding="utf-16-be")
    assert check_export(path, "bar").rows == 1


def test_digits_come_from_the_longest_fraction_or_from_the_caller(tmp_path):
    path = write(tmp_path, BAR_HEADER, UP)
    assert check_export(path, "bar").digits == 5
    wider = check_export(path, "bar", 6)
    assert next(ticks_of(wider, "X")) == Tick("X", milliseconds_of(datetime(2017, 4, 19, 9)), 1071600, 1071602)
    assert error_of(path, digits=4) == "line 2: expected prices with at most 4 digits, found one with 5"


def test_columns_are_found_by_name_and_a_daily_export_has_no_time(tmp_path):
    path = write(tmp_path, "<DATE>\t<CLOSE>\t<OPEN>\t<LOW>\t<HIGH>", "2020.01.02\t3\t2\t1\t4", "2020.01.03\t3\t2\t1\t4")
    export = check_export(path, "bar")
    assert export.bar_length == 86_400_000
    assert [tick.bid for tick in ticks_of(export, "X")] == [2, 1, 4, 3] * 2
    assert {tick.ask - tick.bid for tick in ticks_of(export, "X")} == {0}


def test_blank_lines_at_the_end_are_ignored(tmp_path):
    assert check_export(write(tmp_path, BAR_HEADER, UP, "", ""), "bar").rows == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "line 1: expected the column headers of a bar export, found ''"),
        ([BAR_HEADER], "line 2: expected at least one bar, found the end"),
        ([BAR_HEADER, UP, "", DOWN], "line 3: expected 9 tab-separated columns, found '1'"),
        ([BAR_HEADER.replace("\t", ","), UP], "line 1: expected the tab-separated columns <DATE> <OPEN>"),
        ([BAR_HEADER + "\t<OPEN>", UP], "line 1: expected the tab-separated columns"),
        ([TICK_HEADER, TICKS[0]], "a tick export: --ticks reads it"),
        ([BAR_HEADER, UP, DOWN + "\t"], "line 3: expected 9 tab-separated columns, found '10'"),
        ([BAR_HEADER, UP.replace("04.19", "02.30")], "line 2: expected a date as 2017.04.19 in <DATE>, found '2017.02"),
        ([BAR_HEADER, UP.replace("04.19", "4.19")], "line 2: expected a date as 2017.04.19 in <DATE>, found '2017.4.1"),
        ([BAR_HEADER, UP.replace("09:00", "25:00")], "line 2: expected a time as 09:00:00 or 09:00:00.123 in <TIME>"),
        ([BAR_HEADER, UP.replace("1.0716", "1,0716")], "line 2: expected a price of at most 8 digits"),
        ([BAR_HEADER, UP.replace("1.0716", "-1.07")], "in <OPEN>, found '-1.07'"),
        ([BAR_HEADER, UP.replace("1.0716", "0.0")], "in <OPEN>, found '0.0'"),
        ([BAR_HEADER, UP.replace("1.0716", "")], "in <OPEN>, found ''"),
        ([BAR_HEADER, UP.replace("1.0722", "1.07")], "line 2: expected <LOW> at most, and <HIGH> at least, <OPEN>"),
        (
            [BAR_HEADER, UP[:-1] + "x"],
            "expected a whole number of points, of at most 9 digits, in <SPREAD>, found 'x'",
        ),
        ([BAR_HEADER, UP.replace("1413", "many")], "line 2: expected a number in <TICKVOL>, found 'many'"),
        ([BAR_HEADER, DOWN, UP], "line 3: expected a later time than on the line before"),
        ([BAR_HEADER, UP, UP], "line 3: expected a later time than on the line before"),
        ([BAR_HEADER, UP, "\x1b[31m" + DOWN], "found '\\x1b[31m2017"),
        ([BAR_HEADER, UP + "0" * 9], "of at most 9 digits, in <SPREAD>, found '2000000000'"),
        ([BAR_HEADER, UP + "0" * 5000], "line 2: expected a whole number of points, of at most 9 digits, in <SPREAD>"),
    ],
)
def test_a_malformed_bar_file_is_rejected_with_line_number_and_expectation(tmp_path, lines, message):
    assert message in error_of(write(tmp_path, *lines))


def test_a_malformed_tick_file_is_rejected(tmp_path):
    assert "line 1: expected the tab-separated columns <DATE> <TIME> <BID> <ASK> of a tick" in error_of(BARS, "tick")
    assert error_of(write(tmp_path, TICK_HEADER, TICKS[0]), "tick") == (
        "line 2: expected at least one tick with a bid and an ask, found the end"
    )
    backwards = write(tmp_path, TICK_HEADER, TICKS[1], TICKS[0])
    assert error_of(backwards, "tick") == "line 3: expected a later time than on the line before"


def test_a_price_too_large_for_an_account_is_rejected_with_its_line(tmp_path):
    huge = "2017.04.19\t10:00:00" + "\t999999999.12345678" * 4 + "\t1\t0\t2"
    assert error_of(write(tmp_path, BAR_HEADER, UP, huge)) == (
        "line 3: expected prices below 1000000 where they have 8 digits after the point, found a higher one"
    )
    largest = huge.replace("999999999.1", "999999.1")
    assert check_export(write(tmp_path, BAR_HEADER, largest), "bar").digits == 8
    whole = "2017.04.19\t10:00:00" + "\t999999999" * 4 + "\t1\t0\t2"
    assert check_export(write(tmp_path, BAR_HEADER, whole), "bar").digits == 0
    assert error_of(write(tmp_path, BAR_HEADER, whole), digits=6).startswith("line 2: expected prices below 100000000 ")


def test_invalid_bytes_are_rejected_with_their_line(tmp_path):
    path = write(tmp_path, BAR_HEADER, UP)
    path.write_bytes(path.read_bytes() + b"\x80\x81\xff\r\n")
    assert error_of(path).startswith("line 3: expected 9 tab-separated columns")


def test_a_missing_file_and_a_file_that_is_not_regular_are_rejected(tmp_path):
    assert error_of(tmp_path / "none.tsv") == "No such file or directory"
    assert error_of(tmp_path) == f"{tmp_path} is not a regular file, and it must be read twice"


def test_a_file_that_changed_since_it_was_checked_ends_the_replay(tmp_path):
    export = check_export(write(tmp_path, BAR_HEADER, UP.replace("07083", "0708").replace("07219", "0721")), "bar")
    write(tmp_path, BAR_HEADER, UP)
    with pytest.raises(MarketError, match="line 2: the file has changed"):
        list(ticks_of(export, "X"))


def test_the_projects_own_bar_file_has_the_format_of_MetaTrader():
    raw = BARS.read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") == 201
    export = check_export(BARS, "bar")
    assert (export.rows, export.digits, export.bar_length) == (200, 5, 3_600_000)
    assert len(list(ticks_of(export, "EURUSD"))) == 800


def test_a_real_export_is_read_completely():
    folder = os.environ.get("WINSOCK_SHARED")
    if not folder:
        pytest.skip("WINSOCK_SHARED names no folder with real market data")
    export = check_export(Path(folder) / "data" / "EURUSD_H1.tsv", "bar")
    assert (export.rows, export.digits, export.bar_length) == (5000, 5, 3_600_000)
    assert sum(1 for _ in ticks_of(export, "EURUSD")) == 20_000


def test_the_progress_is_reported_at_the_first_row_and_then_every_10000_rows(tmp_path):
    rows = [UP.replace("2017.04.19", f"{1971 + number // 336}.{number // 28 % 12 + 1:02}.{number % 28 + 1:02}")
            for number in range(20_001)]  # fmt: skip
    counts: list[int] = []
    assert check_export(write(tmp_path, BAR_HEADER, *rows), "bar", progress=counts.append).rows == 20_001
    assert counts == [0, 10_000, 20_000]


def test_a_file_whose_first_row_is_malformed_reports_no_progress(tmp_path):
    counts: list[int] = []
    with pytest.raises(MarketError):
        check_export(write(tmp_path, BAR_HEADER, "x"), "bar", progress=counts.append)
    assert counts == []
