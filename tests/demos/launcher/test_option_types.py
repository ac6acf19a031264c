"""The values of options: each kind is checked in one place."""

from __future__ import annotations

import argparse
from decimal import Decimal

import pytest

from demos.launcher.option_types import (
    chart,
    count,
    digits,
    listening_port,
    lots,
    port,
    seconds,
    seed,
    speed,
    symbol,
    whole,
)
from demos.terminal.mql.constants import PERIOD_M15


def test_option_types_return_the_value():
    assert (whole("3"), count("0"), seed("-7"), digits("8"), seconds("0.5")) == (3, 0, -7, 8, 0.5)
    assert (listening_port("0"), listening_port("8081"), port("1"), port("65535")) == (0, 8081, 1, 65535)
    assert (speed("60x"), speed("max"), symbol("Volatility 75 Index")) == ("60x", "max", "Volatility 75 Index")
    assert chart("A,B,M15") == ("A,B", PERIOD_M15)
    assert lots("0.1:2:0.1") == (1, 20, Decimal("0.1"))


@pytest.mark.parametrize(
    ("convert", "text", "words"),
    [
        (whole, "0", "'0' is not a whole number of at least 1"),
        (whole, "x", "'x' is not a whole number of at least 1"),
        (whole, "1_000", "'1_000' is not a whole number of at least 1"),
        (count, "-1", "'-1' is not a whole number of at least 0"),
        (seed, "1.5", "'1.5' is not a whole number"),
        (listening_port, "65536", "invalid port: 65536; use a number from 0 to 65535"),
        (listening_port, "-1", "invalid port: -1; use a number from 0 to 65535"),
        (port, "0", "invalid port: 0; use a number from 1 to 65535"),
        (port, "80\x1b", "invalid port: '80\\x1b'; use a number from 1 to 65535"),
        (digits, "9", "'9' is not a whole number from 0 to 8"),
        (seconds, "inf", "'inf' is not a number of seconds above 0"),
        (seconds, "x", "'x' is not a number of seconds above 0"),
        (speed, "fast", "invalid speed: 'fast'; use ticks per second (10), a factor (60x) or max"),
        (symbol, "a|b", "a symbol's name cannot contain"),
        (symbol, "x" * 65, "a symbol's name has at most 64 characters, not 65"),
        (chart, "EURUSD,M7", "'EURUSD,M7' is not SYMBOL,PERIOD; periods: M1,"),
        (chart, ",M1", "a symbol's name is empty"),
        (lots, "1", "'1' is not MIN:MAX:STEP in lots"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(convert, text, words):
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        convert(text)
    assert str(caught.value).startswith(words)
