"""The indicators of a server: how they are named, their windows, functions of the user, and those of TA-Lib."""

from __future__ import annotations

import random
import textwrap
from pathlib import Path

import pytest
from indicator_kit import random_bars

from demos.ideas.indicator import library
from demos.ideas.indicator.indicators import absolute_files, indicators_problem, make_indicators
from demos.ideas.indicator.series import Line
from demos.ideas.indicator.user_functions import MOST_BARS, IndicatorError

BARS = random_bars(60)

# An error whose text fails itself.
NAMELESS = """class Nameless(Exception):
    def __str__(self):
        raise ValueError


def raise_nameless():
    raise Nameless


def cancelled():
    import asyncio

    raise asyncio.CancelledError


"""


def made(text, reports=None):
    return make_indicators(text, [].append if reports is None else reports.append)


def rows(text, bars=BARS, reports=None):
    indicators = made(text, reports)
    return [indicators.take(bar) for bar in bars]


def program(folder: Path, source: str) -> Path:
    path = folder / "mine.py"
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    return path


def test_averages_are_on_the_prices_and_each_other_indicator_has_a_window_of_its_own():
    lines = made("sma:20,rsi:14,ema:5:median,atr:14").lines
    assert [(line.name, line.window, line.levels) for line in lines] == [
        ("SMA(20)", 0, ()),
        ("RSI(14)", 1, (30.0, 70.0)),
        ("EMA(5,median)", 0, ()),
        ("ATR(14)", 2, ()),
    ]
    assert len({line.color for line in lines}) == 4


def test_a_row_has_the_time_of_its_bar_and_one_value_for_each_line():
    found = rows("sma:2,smma:3,lwma:60,rsi:59:open")
    assert [row.time for row in found] == [bar.time for bar in BARS]
    assert found[0].values == (None, None, None, None)
    assert found[1].values == ((BARS[0].close + BARS[1].close) / 2, None, None, None)
    assert None not in found[-1].values


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sma",
        "sma:",
        "sma:x",
        "sma:-1",
        "sma:2:bid",
        "SMA:20",
        "rsi:14,",
        "x:1",
        "mine.py",
        "mine.txt:f",
        "mine.py:1f",
        "talib:cci",
        "talib:",
        "talib:CCI:x",
        "sma:20 ,rsi:14",
        "sma:12345",
    ],
)
def test_an_unknown_indicator_is_named_in_the_error(text):
    problem = indicators_problem(text)
    assert problem is not None
    assert problem.startswith("invalid indicator: ")
    with pytest.raises(IndicatorError, match="invalid indicator"):
        made(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sma:0", "invalid period of sma: 0; use 1 to 1000"),
        ("rsi:1001", "invalid period of rsi: 1001; use 1 to 1000"),
        ("atr:14:open", "atr has no price: give atr:14, not atr:14:open"),
        ("sma:5,sma:5", "an indicator is given twice: two lines have the name 'SMA"),
        ("rsi:1,rsi:2,rsi:3,rsi:4,rsi:5", "5 lines in 5 windows below the prices; there is room for 16 lines"),
        (",".join(f"sma:{period}" for period in range(1, 18)), "17 lines in 0 windows"),
        ("absent.py:f", "there is no file absent.py"),
    ],
)
def test_indicators_that_cannot_be_made_are_explained(text, problem):
    with pytest.raises(IndicatorError, match=problem.replace("(", r"\(")):
        made(text)


def test_a_function_of_the_user_gets_the_bars_so_far_and_its_numbers_are_the_values(tmp_path):
    path = program(
        tmp_path,
        """
        def spread(bars):
            return None if len(bars) < 3 else bars[-1].high - bars[-3].low
        """,
    )
    found = rows(f"{path}:spread")
    assert [row.values[0] for row in found[:2]] == [None, None]
    assert [row.values[0] for row in found[2:]] == [
        last.high - first.low for first, last in zip(BARS, BARS[2:], strict=False)
    ]
    assert made(f"{path}:spread").lines == (Line("mine.spread", 1, 0x0000FF),)
    assert made(f"{path}:spread:prices").lines[0].window == 0


def test_a_function_of_the_user_gets_a_limited_number_of_bars(tmp_path):
    path = program(tmp_path, "def count(bars): return len(bars)")
    assert rows(f"{path}:count", random_bars(MOST_BARS + 5))[-1].values == (float(MOST_BARS),)


def test_a_function_of_the_user_cannot_change_the_bars_of_the_next_call(tmp_path):
    path = program(tmp_path, "def count(bars):\n    number = len(bars)\n    bars.clear()\n    return number")
    assert [row.values for row in rows(f"{path}:count", BARS[:3])] == [(1.0,), (2.0,), (3.0,)]


@pytest.mark.parametrize("result", ["float('nan')", "float('inf')", "-1e300", "1e13"])
def test_a_result_that_no_chart_can_draw_is_no_value(tmp_path, result):
    path = program(tmp_path, f"def f(bars): return {result}")
    reports: list[str] = []
    assert rows(f"{path}:f", BARS[:2], reports)[1].values == (None,)
    [report] = reports
    assert (
        report
        == f"-mine.f returned {eval(result)}. There is no value until it returns a number from -1e12 to 1e12, or None"
    )


@pytest.mark.parametrize(
    "body",
    [
        "1 / 0",
        "'text'",
        "[]",
        "10 ** 400",
        "bars[10**6]",
        "__import__('sys').exit('no')",
        "cancelled()",
        "raise_nameless()",
    ],
)
def test_a_function_that_fails_gives_no_value_and_is_reported_once_until_it_succeeds(tmp_path, body):
    path = program(tmp_path, f"{NAMELESS}def f(bars): return 1.0 if len(bars) == 4 else {body}")
    reports: list[str] = []
    found = rows(f"sma:1,{path}:f", BARS[:6], reports)
    assert [row.values[1] for row in found] == [None, None, None, 1.0, None, None]
    assert all(row.values[0] is not None for row in found)
    assert len(reports) == 2
    assert all(line.startswith("-mine.f failed: ") for line in reports)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("1 / 0", "cannot be loaded: ZeroDivisionError: division by zero"),
        ("raise SystemExit(1)", "cannot be loaded: SystemExit: 1"),
        ("import asyncio\nraise asyncio.CancelledError", "cannot be loaded: CancelledError"),
        ("def", "cannot be loaded: SyntaxError"),
        ("f = 5", "has no function f"),
        ("", "has no function f"),
    ],
)
def test_a_file_without_a_usable_function_is_refused_with_the_reason(tmp_path, source, problem):
    path = program(tmp_path, source)
    with pytest.raises(IndicatorError, match=problem):
        made(f"{path}:f")


def test_a_file_with_a_dataclass_can_be_loaded(tmp_path):
    path = program(
        tmp_path,
        """
        from __future__ import annotations
        from dataclasses import dataclass

        @dataclass
        class Pair:
            first: float

        def f(bars): return Pair(bars[-1].close).first
        """,
    )
    assert rows(f"{path}:f")[0].values == (BARS[0].close,)


def test_functions_of_two_files_with_one_name_are_distinguished_by_their_folders(tmp_path):
    for folder, value in (("x", 1), ("y", 2)):
        (tmp_path / folder / "same").mkdir(parents=True)
        program(tmp_path / folder / "same", f"def f(bars): return {value}\ndef g(bars): return {value}")
    texts = [f"{tmp_path / folder / 'same' / 'mine.py'}:f" for folder in ("x", "y")]
    other = f"{tmp_path / 'x' / 'same' / 'mine.py'}:g"
    found = made(",".join([*texts, other]))
    assert [line.name for line in found.lines] == ["x/same/mine.f", "y/same/mine.f", "mine.g"]
    assert found.take(BARS[0]).values == (1.0, 2.0, 1.0)


def test_one_function_that_is_given_by_two_paths_is_given_twice(tmp_path):
    path = program(tmp_path, "def f(bars): return 1")
    (tmp_path / "sub").mkdir()
    with pytest.raises(IndicatorError, match=r"an indicator is given twice: two lines have the name 'mine\.f'"):
        made(f"{path}:f,{tmp_path / 'sub' / '..' / 'mine.py'}:f:prices")


def test_the_files_of_functions_are_made_absolute_for_another_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_files("sma:3,mine.py:f:prices,talib:CCI") == f"sma:3,{Path.cwd() / 'mine.py'}:f:prices,talib:CCI"


def test_without_ta_lib_its_indicators_say_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "talib", None)
    with pytest.raises(IndicatorError, match=r"indicators of TA-Lib need it: python -m pip install"):
        made("talib:CCI:14")


def known_function(name):
    """A function of TA-Lib, which older versions may not have."""
    from talib import abstract

    try:
        return abstract.Function(name)
    except Exception:  # TA-Lib raises a plain Exception
        pytest.skip(f"this version of TA-Lib has no function {name}")


class TestLibrary:
    @pytest.fixture(autouse=True)
    def talib(self):
        return pytest.importorskip("talib", reason="TA-Lib is not installed: python -m pip install -e '.[indicators]'")

    def test_the_values_of_the_library_are_those_of_a_direct_call(self, talib):
        import numpy

        found = [row.values[0] for row in rows("talib:CCI:14")]
        columns = (numpy.array([getattr(bar, name) for bar in BARS]) for name in ("high", "low", "close"))
        expected = [None if numpy.isnan(each) else float(each) for each in talib.CCI(*columns, 14)]
        assert found == pytest.approx(expected)

    def test_each_output_of_the_library_is_a_line(self):
        lines = made("talib:BBANDS:20,talib:MACD:12:26:9,talib:OBV").lines
        assert [(line.name, line.window) for line in lines] == [
            ("BBANDS(20) upperband", 0),
            ("BBANDS(20) middleband", 0),
            ("BBANDS(20) lowerband", 0),
            ("MACD(12,26,9) macd", 1),
            ("MACD(12,26,9) macdsignal", 1),
            ("MACD(12,26,9) macdhist", 1),
            ("OBV", 2),
        ]

    def test_a_parameter_has_the_type_of_its_default_value(self):
        assert rows("talib:BBANDS:20:2:2:0") == rows("talib:BBANDS:20:2.0:2.0")

    @pytest.mark.parametrize("name", ["OBV", "AD", "CUMSUM", "PVT", "WAD"])
    def test_a_sum_over_all_bars_does_not_end_with_the_window_of_the_calculation(self, talib, name):
        import numpy

        function = known_function(name)
        bars = [bar._replace(ticks=1 + number * 7 % 50) for number, bar in enumerate(random_bars(MOST_BARS + 300))]
        names = ("open", "high", "low", "close", "volume")
        columns = dict(
            zip(names, (numpy.array(each, float) for each in zip(*[bar[1:] for bar in bars], strict=True)), strict=True)
        )
        expected = [None if numpy.isnan(each) else float(each) for each in function(columns)]
        assert [row.values[0] for row in rows(f"talib:{name}", bars)] == pytest.approx(expected, abs=1e-9)

    def test_every_function_of_the_library_depends_on_the_window_alone_or_is_a_sum_or_is_refused(self, talib):
        """The value at the last bar is the same from 3,000 bars and from the last 1,000 of them."""
        import numpy
        from talib import abstract

        chance = random.Random(3)
        bars = [bar._replace(ticks=chance.randrange(1, 200)) for bar in random_bars(3000)]
        names = ("open", "high", "low", "close", "volume")
        columns = dict(
            zip(names, (numpy.array(each, float) for each in zip(*[bar[1:] for bar in bars], strict=True)), strict=True)
        )
        window = {key: values[-MOST_BARS:] for key, values in columns.items()}
        different = set()
        for name in talib.get_functions():
            function = abstract.Function(name)
            if "periods" in function.info["input_names"]:
                continue
            both = [numpy.atleast_2d(function(each))[:, -1] for each in (columns, window)]
            if both[0] != pytest.approx(both[1], rel=1e-6, nan_ok=True):
                different.add(name)
        assert {"AD", "OBV"} <= different <= {*library._SUMS, *library._OF_ALL_BARS}

    @pytest.mark.parametrize("name", ["MAXINDEX", "MININDEX", "MINMAXINDEX", "NVI", "PVI", "VWAP"])
    def test_a_function_that_depends_on_all_bars_in_another_way_is_refused(self, talib, name):
        known_function(name)
        with pytest.raises(IndicatorError, match=f"{name} of TA-Lib depends on all bars"):
            made(f"talib:{name}")

    def test_a_function_that_needs_more_bars_than_the_calculation_has_is_refused(self):
        assert made("talib:CCI:1000").lines
        with pytest.raises(IndicatorError, match=r"CCI of TA-Lib needs 1001 bars with these parameters; .* 1000"):
            made("talib:CCI:1001")

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("talib:NOTHING", "TA-Lib has no function NOTHING"),
            ("talib:CCI:14:15", "CCI of TA-Lib has 1 parameters, not 2"),
            ("talib:CCI:1.2.3", "invalid parameter of CCI: '1.2.3'; use a whole number"),
            ("talib:CCI:14.5", "invalid parameter of CCI: '14.5'; use a whole number"),
            ("talib:BBANDS:20:2.0.1", "invalid parameter of BBANDS: '2.0.1'; use a number"),
            ("talib:CCI:-5", "CCI of TA-Lib: "),
            ("talib:MAVP", "MAVP of TA-Lib needs more than bars"),
        ],
    )
    def test_what_the_library_refuses_is_explained(self, text, problem):
        with pytest.raises(IndicatorError, match=problem.replace("(", r"\(")):
            made(text)
