"""Symbol and period in the names of export files."""

from __future__ import annotations

from pathlib import Path

import pytest

from demos.terminal import PERIOD_D1, PERIOD_H1, PERIOD_M1, PERIOD_M15, PERIOD_MN1, PERIOD_W1
from demos.terminal.mql.constants import TIMEFRAMES
from demos.terminal.paper.export_names import symbol_and_period
from demos.terminal.symbols import symbol_problem

SYMBOLS = [
    "EURUSD",
    "eurusd",
    "EURUSD_i",
    "EURUSD.m",
    "GBPUSD.pro_x",
    "#AAPL",
    "Volatility 75 Index",
    "BTC_USD_PERP",
    "_SP500",
    "US500.cash_",
    "H1",
    "EURUSD_h1",
]


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize(
    ("rest", "period"),
    [
        ("_H1_201704190900_201705010000.csv", PERIOD_H1),
        ("_M15_201704190900_201802081200.csv", PERIOD_M15),
        ("_M1_202001020000_202001312359.tsv", PERIOD_M1),
        ("_MN1_201704190900.csv", PERIOD_MN1),
        ("_Daily_201001010000_201912310000.csv", PERIOD_D1),
        ("_Weekly_201001010000_201912310000.csv", PERIOD_W1),
        ("_Monthly_201001010000_201912310000.CSV", PERIOD_MN1),
        ("_M15.tsv", PERIOD_M15),
        ("_202001020000_202001030000.csv", PERIOD_H1),
        ("_202001020000.csv", PERIOD_H1),
        ("_M15_20170419_20170501.csv", PERIOD_M15),
        ("_M15_201704.csv", PERIOD_M15),
        ("_2024.csv", PERIOD_H1),
        (".csv", PERIOD_H1),
        (".tsv", PERIOD_H1),
    ],
)
def test_a_name_is_split_from_the_right_so_that_any_symbol_is_kept(symbol, rest, period):
    assert symbol_problem(symbol) is None
    assert symbol_and_period(Path("some folder") / f"{symbol}{rest}") == (symbol, period)


@pytest.mark.parametrize("period", TIMEFRAMES)
def test_every_period_is_known(period):
    assert symbol_and_period(Path(f"A_{period}_201704190900_201705010000.csv")) == ("A", TIMEFRAMES[period])


@pytest.mark.parametrize(
    ("name", "symbol", "period"),
    [
        ("GBPUSD.m_202001020000_202001312359.csv", "GBPUSD.m", PERIOD_H1),
        ("EURUSD_copy.csv", "EURUSD_copy", PERIOD_H1),
        ("EURUSD_H1_copy.csv", "EURUSD_H1_copy", PERIOD_H1),
        ("EURUSD_2017_H1.csv", "EURUSD_2017", PERIOD_H1),
        ("EURUSD_M1_M15.csv", "EURUSD_M1", PERIOD_M15),
        ("EURUSD_M7.csv", "EURUSD_M7", PERIOD_H1),
        ("BRENT_20251219_M15_201704190900_201705010000.csv", "BRENT_20251219", PERIOD_M15),
        ("BRENT_20251219_201704190900_201705010000.csv", "BRENT_20251219", PERIOD_H1),
        ("US_500_H1.csv", "US_500", PERIOD_H1),
        ("EURUSD_12345.csv", "EURUSD_12345", PERIOD_H1),
        ("EURUSD.m", "EURUSD.m", PERIOD_H1),
        ("EURUSD.m_H1", "EURUSD.m", PERIOD_H1),
    ],
)
def test_text_that_is_neither_a_period_nor_a_time_belongs_to_the_symbol(name, symbol, period):
    assert symbol_and_period(Path(name)) == (symbol, period)


@pytest.mark.parametrize("name", [".csv", "_H1.csv", "_201704190900.csv"])
def test_a_name_without_a_symbol_is_taken_whole(name):
    assert symbol_and_period(Path(name)) == (Path(name).stem, PERIOD_H1)
