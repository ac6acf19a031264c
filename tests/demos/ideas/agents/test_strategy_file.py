"""Loading a strategy from a file, and the data that it gets."""

from __future__ import annotations

import os
from array import array
from pathlib import Path

import pytest
from agents_kit import strategy_file
from terminal_kit import BARS

from demos.ideas.agents.crossing import crossing
from demos.ideas.agents.evaluation import calculate
from demos.ideas.agents.history import Bars, Ticks, file_digest, read_history
from demos.ideas.agents.random_bars import write_random_bars
from demos.ideas.agents.strategy_file import (
    Source,
    StrategyError,
    digest,
    parameters_problem,
    read_source,
    source_of,
    strategy_of,
)
from demos.terminal.interfaces import MarketError


def test_the_function_follows_the_last_colon_and_a_drive_is_no_path():
    assert source_of("a/b.py") == Source(Path("a/b.py"))
    assert source_of("a/b.py:run") == Source(Path("a/b.py"), "run")
    assert source_of(r"C:\a\b.py") == Source(Path(r"C:\a\b.py"))
    assert source_of(r"C:\a\b.py:run") == Source(Path(r"C:\a\b.py"), "run")


def test_the_only_public_function_is_the_strategy():
    text = b"from math import sqrt\ndef _help(): pass\ndef run(bars, a): return sqrt(a)\n"
    strategy = strategy_of(text, "x.py", "")
    assert strategy(None, 4) == 2
    assert strategy_of(text, "x.py", "run").__name__ == "run"


@pytest.mark.parametrize(
    ("text", "function", "problem"),
    [
        ("def a(x): pass\ndef b(x): pass", "", r"name the strategy, as in x.py:FUNCTION; its functions: a, b"),
        ("", "", "its functions: none"),
        ("def a(x): pass", "b", "x.py has no function 'b'; its functions: a"),
        ("def a(", "", "x.py: line 1: "),
    ],
)
def test_a_file_without_the_strategy_is_refused(text, function, problem):
    with pytest.raises(StrategyError, match=problem):
        strategy_of(text.encode(), "x.py", function)


@pytest.mark.parametrize("name", ["größe", "x" * 65])
def test_a_name_that_no_message_can_contain_is_refused(name):
    problem = f"x.py: invalid name of a function: '{name}'; use 1 to 64 ASCII letters, digits and _"
    for function in ("", name):
        with pytest.raises(StrategyError, match=problem):
            strategy_of(f"def {name}(bars, a): return a\n".encode(), "x.py", function)


def test_a_strategy_has_the_name_that_it_is_chosen_by():
    text = b"def twice(f):\n    def inner(bars, a): return 2 * f(bars, a)\n    return inner\n"
    text += b"@twice\ndef run(bars, a): return a\nshort = lambda bars, a: a\n"
    assert strategy_of(text, "x.py", "run").__name__ == "run"
    assert strategy_of(text, "x.py", "run")(None, 3) == 6
    assert strategy_of(text, "x.py", "short").__name__ == "short"


def test_a_file_with_a_dataclass_can_be_loaded():
    text = b"from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n"
    assert strategy_of(text + b"def run(bars, a): return A(a).x\n", "x.py", "")(None, 3) == 3


def test_parameters_that_the_function_does_not_take_are_named():
    strategy = strategy_of(b"def run(bars, a, b=1): pass", "x.py", "")
    assert parameters_problem(strategy, ["a"]) is None
    assert parameters_problem(strategy, ["a", "b"]) is None
    expected = "run() cannot be called with the data and the parameters a, c: got an unexpected keyword argument 'c'"
    assert parameters_problem(strategy, ["a", "c"]) == expected
    assert "missing a required argument: 'a'" in (parameters_problem(strategy, []) or "")


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(StrategyError, match=r"no.py cannot be read: "):
        read_source(Source(tmp_path / "no.py"))
    with pytest.raises(MarketError, match=r"no.tsv: "):
        file_digest(tmp_path / "no.tsv")


def test_the_digest_is_that_of_the_content(tmp_path):
    path = strategy_file(tmp_path, "def run(bars): return 1\n")
    assert digest(read_source(Source(path))) == file_digest(path)


def test_bars_have_a_column_for_each_price_that_cannot_be_changed():
    bars = read_history(BARS)
    assert isinstance(bars, Bars)
    assert len(bars) == len(bars.close) == 200
    assert all(low <= first <= high for low, first, high in zip(bars.low, bars.open, bars.high, strict=True))
    assert bars.point == 1e-5
    assert bars.spread[0] == pytest.approx(round(bars.spread[0] / bars.point) * bars.point)
    with pytest.raises(TypeError, match="read-only"):
        bars.close[0] = 1.0


def test_ticks_are_recognised_by_their_header(tmp_path):
    path = tmp_path / "EURUSD.csv"
    rows = ["2024.01.01\t00:00:00.000\t1.10000\t1.10002", "2024.01.01\t00:00:01.500\t1.1\t"]
    path.write_text("\n".join(["<DATE>\t<TIME>\t<BID>\t<ASK>", *rows, ""]), encoding="utf-8")
    ticks = read_history(path)
    assert isinstance(ticks, Ticks)
    assert (list(ticks.bid), list(ticks.ask)) == ([1.1, 1.1], [1.10002, 1.10002])
    assert ticks.time[1] - ticks.time[0] == 1500


def test_a_random_walk_is_the_same_for_the_same_number(tmp_path):
    (tmp_path / "again").mkdir()
    first, again = write_random_bars(tmp_path, 1), write_random_bars(tmp_path / "again", 1)
    assert file_digest(first) == file_digest(again)
    assert len(read_history(first)) == 5000
    assert file_digest(write_random_bars(tmp_path, 2)) != file_digest(again)


def test_the_example_trades_at_the_open_after_a_crossing_and_pays_the_spread():
    def column(*values: float) -> memoryview:
        return memoryview(array("d", values)).toreadonly()

    close = column(5, 4, 3, 4, 6, 8, 8)
    bars = Bars(column(*range(7)), column(5, 5, 4, 3, 4, 6, 8), close, close, close, column(*[0.5] * 7), 0.5)
    # Averages of 1 and 2 closes. Bar 2: 4 < 4.5, sell at 4. Bar 4: 4 > 3.5, buy at 4, up to the last close of 8.
    assert crossing(bars, 1, 2) == {"result": (0 + 4 - 2 * 0.5) / 0.5, "trades": 2, "drawdown": 1.0 / 0.5}


def test_an_exception_of_the_strategy_is_the_value_of_the_point():
    value = calculate(crossing, read_history(BARS), ("fast", "slow"), (20, 10))
    assert value == "ValueError: fast must be at least 1 and below slow"


@pytest.mark.parametrize(("fast", "slow"), [(-1, 30), (-3, 30), (0, 30), (30, 30)])
def test_the_example_refuses_averages_that_would_use_later_closes(fast, slow):
    value = calculate(crossing, read_history(BARS), ("fast", "slow"), (fast, slow))
    assert value == "ValueError: fast must be at least 1 and below slow"


class _Unprintable(Exception):
    def __str__(self) -> str:
        raise self


@pytest.mark.parametrize(
    ("error", "value"),
    [(KeyboardInterrupt(), "KeyboardInterrupt"), (SystemExit(3), "SystemExit: 3"), (_Unprintable(), "_Unprintable")],
)
def test_whatever_a_strategy_raises_is_the_value_of_the_point(error, value):
    def raising(bars: Bars) -> float:
        raise error

    assert calculate(raising, read_history(BARS), (), ()) == value


@pytest.mark.skipif(not os.environ.get("WINSOCK_SHARED"), reason="WINSOCK_SHARED names no folder with the full file")
def test_the_example_runs_on_real_bars():
    bars = read_history(Path(os.environ["WINSOCK_SHARED"]) / "data" / "EURUSD_H1.tsv")
    value = calculate(crossing, bars, ("fast", "slow"), (50, 280))
    assert isinstance(value, dict)
    assert value["result"] == pytest.approx(10219)
    assert value["trades"] == 24
