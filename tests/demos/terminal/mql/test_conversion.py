"""MQL5's conversions, and prices and volumes as integers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from demos.terminal import TIME_DATE, TIME_MINUTES, TIME_SECONDS, DoubleToString, NormalizeDouble, TimeToString
from demos.terminal.interfaces import SymbolSpec
from demos.terminal.mql.conversion import mql_format, mql_text
from demos.terminal.points import price_float, price_text, volume_problem, volume_steps, volume_text

SPEC = SymbolSpec("EURUSD")


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.25, 2, "0.25"),
        (0.125, 2, "0.13"),
        (-0.125, 2, "-0.13"),
        (1.005, 2, "1.01"),
        (-0.001, 2, "-0.00"),
        (100000.0, 2, "100000.00"),
        (1.07219, 5, "1.07219"),
        (1e300, 2, "1" + "0" * 300 + ".00"),
        (float("inf"), 2, "inf"),
    ],
)
def test_DoubleToString_rounds_halves_away_from_zero_and_keeps_all_digits(value, digits, text):
    assert DoubleToString(value, digits) == text


def test_NormalizeDouble_gives_the_nearest_double():
    assert NormalizeDouble(0.1 + 0.2, 2) == 0.3
    assert NormalizeDouble(2.675, 2) == 2.68
    assert NormalizeDouble(float("-inf"), 2) == float("-inf")


def test_TimeToString_shows_the_selected_parts():
    time = datetime(2017, 4, 19, 9, 5, 7)
    assert TimeToString(time) == "2017.04.19 09:05"
    assert TimeToString(time, TIME_DATE) == "2017.04.19"
    assert TimeToString(time, TIME_SECONDS) == "09:05:07"
    assert TimeToString(time, TIME_MINUTES) == "09:05"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (1.0, "1.0"),
        (-3.0, "-3.0"),
        (0.1 + 0.2, "0.3"),
        (1e-7, "1e-07"),
        (7, "7"),
        ("text", "text"),
        (datetime(2017, 4, 19, 9, 5, 7, 999000), "2017.04.19 09:05:07"),
    ],
)
def test_Print_shows_values_as_mql_does(value, text):
    assert mql_text(value) == text


@pytest.mark.parametrize(
    ("format", "args", "text"),
    [
        ("%s: %d of %d", ("sent", 3, 5), "sent: 3 of 5"),
        ("%u %lu %I64d %llu %hd", (1, 2, 3, 4, 5), "1 2 3 4 5"),
        ("%-5s|%05.2f|%+d|%*d", ("ab", 1.5, 3, 4, 7), "ab   |01.50|+3|   7"),
        ("%s %S", (True, datetime(2020, 1, 2)), "true 2020.01.02 00:00:00"),
        ("100%%", (), "100%"),
        ("%x %c %e", (255, "z", 1.0), "ff z 1.000000e+00"),
    ],
)
def test_printf_supports_the_formats_of_C(format, args, text):
    assert mql_format(format, args) == text


def test_printf_rejects_arguments_that_do_not_fit_the_format():
    with pytest.raises(TypeError):
        mql_format("%d", ("text",))


def test_prices_keep_every_digit():
    assert price_text(107160, 5) == "1.07160"
    assert price_text(5, 5) == "0.00005"
    assert price_text(110, 0) == "110"
    assert price_float(107219, 5) == 1.07219


def test_volumes_have_the_decimal_places_of_the_step_but_at_least_two():
    assert volume_text(25, SPEC) == "0.25"
    assert volume_text(-10, SPEC) == "-0.10"
    assert volume_text(0, SPEC) == "0.00"
    assert volume_text(3, SymbolSpec("X", volume_step=Decimal("0.001"))) == "0.003"
    assert volume_text(3, SymbolSpec("X", volume_step=Decimal(1))) == "3.00"


@pytest.mark.parametrize(
    ("lots", "steps"),
    [("0.25", 25), ("0.30000000000000004", 30), ("0.255", None), ("nan", None), ("inf", None), ("1e300", 10**302)],
)
def test_a_volume_is_a_whole_number_of_steps_within_the_error_of_a_double(lots, steps):
    assert volume_steps(Decimal(lots), SPEC) == steps


def test_a_volume_is_checked_against_step_minimum_and_maximum():
    spec = SymbolSpec("X", volume_min=10, volume_max=500)
    assert volume_problem(Decimal("0.10"), spec) is None
    assert volume_problem(Decimal("5"), spec) is None
    assert "step 0.01" in (volume_problem(Decimal("0.125"), spec) or "")
    assert "minimum 0.10" in (volume_problem(Decimal("0.09"), spec) or "")
    assert "maximum 5.00" in (volume_problem(Decimal("5.01"), spec) or "")
