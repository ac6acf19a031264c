"""Indicator lines of programs: their functions, their windows below the prices, and their pixels."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from terminal_kit import Bench, ticks

from demos.terminal.charts import canvas, drawing, layout
from demos.terminal.charts.history import Bar
from demos.terminal.charts.lines import MAX_LINES, IndicatorLine, IndicatorLines
from demos.terminal.interfaces import Tick
from demos.terminal.mql.constants import PERIOD_H1
from demos.terminal.mql.conversion import EPOCH

RED, AQUA = 0x0000FF, 0xFFFF00

HOUR = timedelta(hours=1)
BARS = [Bar(number * 3_600_000, 110_000, 110_050, 109_950, 110_000, 4) for number in range(60)]


def values(function, numbers=range(60)):
    return {EPOCH + HOUR * number: function(number) for number in numbers}


def pixels(folder, *lines, name="chart.png"):
    image = pytest.importorskip("matplotlib.image", reason="matplotlib is not installed")
    document = layout.new_chart()
    for key in ("grid", "bidline", "shift"):
        layout.root(document).set(key, 0)
    drawing.draw(document, BARS, 5, PERIOD_H1, "EURUSD,H1", folder / name, lines)
    return (image.imread(folder / name)[:, :, :3] * 255).round().astype(int)


def rows_of(picture, color):
    """The rows with pixels of a color, without the names, which are at the left of the picture."""
    wanted = [color & 0xFF, color >> 8 & 0xFF, color >> 16 & 0xFF]
    return (abs(picture[:, 150:] - wanted).max(axis=2) < 60).nonzero()[0]


def test_a_line_in_window_0_is_at_its_prices(tmp_path):
    picture = pixels(tmp_path, IndicatorLine("a", 0, values(lambda _: 1.1), RED))
    rows = rows_of(picture, RED)
    # The middle of the prices, which have the picture's height without the margins.
    assert rows.min() >= 330
    assert rows.max() <= 340
    assert len(rows) > 300


def test_a_line_in_another_window_is_below_the_prices_and_does_not_change_their_range(tmp_path):
    lines = [IndicatorLine("a", 0, values(lambda _: 1.1), RED), IndicatorLine("b", 1, values(lambda _: 50.0), AQUA)]
    picture = pixels(tmp_path, *lines)
    below = rows_of(picture, AQUA)
    assert rows_of(picture, RED).max() < 530 < below.min()
    assert below.max() < canvas.HEIGHT * 0.94
    assert len(below) > 300


def test_windows_are_drawn_in_the_order_of_their_numbers(tmp_path):
    lines = [IndicatorLine("a", 3, values(lambda _: 1.0), RED), IndicatorLine("b", 2, values(lambda _: 2.0), AQUA)]
    picture = pixels(tmp_path, *lines)
    assert rows_of(picture, AQUA).max() < rows_of(picture, RED).min()


def test_a_bar_without_a_value_interrupts_the_line(tmp_path):
    whole = rows_of(pixels(tmp_path, IndicatorLine("a", 1, values(lambda _: 1.0), RED)), RED)
    rest = [number for number in range(60) if not 20 <= number < 50]
    parts = rows_of(pixels(tmp_path, IndicatorLine("a", 1, values(lambda _: 1.0, rest), RED)), RED)
    assert len(parts) < len(whole) * 0.6


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, -1e300])
def test_a_value_that_cannot_be_drawn_is_left_out(tmp_path, value):
    broken = values(lambda number: value if number == 30 else 1.0)
    line = IndicatorLine("a $x^2 \ud800", 1, broken, RED, levels=[value])
    without = {time: each for time, each in broken.items() if each == 1.0}
    picture = pixels(tmp_path, line)
    assert len(rows_of(picture, RED)) > 300
    same = pixels(tmp_path, IndicatorLine("a $x^2 \ud800", 1, without, RED), name="other.png")
    assert (picture == same).all()


def test_a_line_without_values_and_a_chart_without_lines_are_drawn(tmp_path):
    assert len(rows_of(pixels(tmp_path, IndicatorLine("a", 1, {}, RED)), RED)) == 0
    assert pixels(tmp_path).shape == (canvas.HEIGHT, canvas.WIDTH, 3)


def test_the_levels_of_a_window_are_horizontal_lines_inside_its_range(tmp_path):
    plain = pixels(tmp_path, IndicatorLine("a", 1, values(lambda _: 50.0), RED))
    levels = pixels(tmp_path, IndicatorLine("a", 1, values(lambda _: 50.0), RED, levels=(30.0, 70.0)))
    assert (plain != levels).any(axis=2).sum() > 500


def test_the_same_values_give_the_same_file(tmp_path):
    for name in ("1.png", "2.png"):
        pixels(tmp_path, IndicatorLine("a", 1, values(math.sin), RED), name=name)
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def test_a_chart_has_at_most_a_fixed_number_of_lines_and_windows():
    lines = IndicatorLines()
    assert not lines.put(1, IndicatorLine("a", 5, {}, RED))
    assert not lines.put(1, IndicatorLine("a", -1, {}, RED))
    assert all(lines.put(1, IndicatorLine(str(number), 0, {}, RED)) for number in range(MAX_LINES))
    assert not lines.put(1, IndicatorLine("one more", 0, {}, RED))
    assert lines.put(1, IndicatorLine("3", 1, {}, RED))
    assert lines.of(1)[3].window == 1
    assert lines.put(2, IndicatorLine("one more", 0, {}, RED))


def test_a_program_draws_lines_and_removes_them(tmp_path):
    made = Bench(tmp_path)
    probe = made.attach(
        """
        values = {}
        def OnInit():
            Print(IndicatorLine("MA", 0, values, 255), IndicatorLine("RSI", 1, {}, 255, STYLE_DOT, 2, (30, 70)))
            Print(IndicatorLine("", 0, values, 255), IndicatorLine("a\\nb", 0, values, 255))
            Print(IndicatorLineDelete("RSI"), IndicatorLineDelete("RSI"))
        """
    )
    made.run(1)
    assert made.texts() == ["truetrue", "falsefalse", "truefalse"]
    assert [line.name for line in made.terminal.lines.of(probe.id)] == ["MA"]


def test_a_picture_shows_the_values_that_a_program_has_set(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    made = Bench(tmp_path, ticks(110_000, 110_010))
    probe = made.attach(
        """
        values = {}
        def OnInit(): IndicatorLine("count", 1, values, 255)
        def OnTick(): values[iTime(Symbol(), PERIOD_H1, 0)] = 1.0
        """
    )
    made.run(5)
    assert dict(made.terminal.lines.of(probe.id)[0].values) == {EPOCH: 1.0}
    drawing.draw_chart(made.terminal, probe.id, tmp_path / "one.png")
    probe.module.values.clear()
    drawing.draw_chart(made.terminal, probe.id, tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "two.png").read_bytes()


def test_another_period_removes_the_lines_before_the_program_starts_again(tmp_path):
    made = Bench(tmp_path)
    probe = made.attach(
        """
        def OnInit():
            IndicatorLine(f"line {Period()}", 0, {}, 255)
            EventSetTimer(1)
        def OnTimer(): ChartSetSymbolPeriod(0, "", PERIOD_M5)
        """
    )
    made.run(3)
    assert [line.name for line in made.terminal.lines.of(probe.id)] == ["line 5"]


def test_a_program_reads_the_bars_of_a_symbol(tmp_path):
    minute = 60_000
    quotes = [Tick("EURUSD", number * minute // 2, 110_000 + number, 110_010 + number) for number in range(7)]
    made = Bench(tmp_path, quotes)
    made.attach(
        """
        def OnTick():
            if TimeCurrent() == TimeCurrent().replace(minute=3):
                for rates in CopyRates("EURUSD", PERIOD_M1, 1, 2): Print(*rates)
                Print(len(CopyRates("EURUSD", PERIOD_M1, 0, 99)), len(CopyRates("EURUSD", PERIOD_M1, 3, 99)))
                Print(len(CopyRates("EURUSD", PERIOD_M1, 4, 99)), CopyRates("XAUUSD", PERIOD_M1, 0, 9) == [])
                Print(iTime("EURUSD", PERIOD_M1, 0), " ", iTime("EURUSD", PERIOD_M1, 9))
        """
    )
    made.run(10)
    assert made.texts() == [
        "1970.01.01 00:01:001.100021.100031.100021.100032",
        "1970.01.01 00:02:001.100041.100051.100041.100052",
        "41",
        "0true",
        "1970.01.01 00:03:00 1970.01.01 00:00:00",
    ]


@pytest.mark.parametrize("arguments", ["7, 0, 1", "PERIOD_H1, -1, 1", "PERIOD_H1, 0, -1", "PERIOD_CURRENT, 0, 1"])
def test_wrong_arguments_for_bars_are_a_mistake_of_the_program(tmp_path, arguments):
    made = Bench(tmp_path)
    made.attach(
        f"""
        def OnInit():
            try: CopyRates("EURUSD", {arguments})
            except ValueError as error: Print(error)
        """
    )
    made.run(1)
    assert made.texts()[0].startswith("invalid period, start_pos or count: ")
