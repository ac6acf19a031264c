"""Exact conversions between decimal text, integer points and integer steps; the profit of positions and trades."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from demos.terminal.interfaces import Position, SymbolSpec, Tick

# Enough digits for the whole range of a double, so that quantize never exceeds the precision.
_WIDE = Context(prec=700)

# A volume that was a double may differ from its step by the rounding error of a double, not by more.
_VOLUME_TOLERANCE = Decimal("1e-8")

# The same in points for a price.
_PRICE_TOLERANCE = Fraction(1, 1000)


def price_text(points: int, digits: int) -> str:
    """Points as a price with all its digits: 107160, 5 → ``1.07160``."""
    return f"{Decimal(points).scaleb(-digits, _WIDE):f}"


def price_float(points: int, digits: int) -> float:
    """Points as a price, the nearest double."""
    return float(points / 10**digits)


def price_points(price: float, digits: int) -> int | None:
    """A price as points; None when it is negative, not a number, or has more decimal places than the symbol.

    It may have the rounding error of a double.
    """
    if not 0 <= price < math.inf:
        return None
    exact = Fraction(price) * 10**digits
    points = round(exact)
    return points if abs(exact - points) <= _PRICE_TOLERANCE else None


def volume_digits(spec: SymbolSpec) -> int:
    """The number of decimal places of a volume in lots: at least two, as MetaTrader shows it."""
    exponent = spec.volume_step.as_tuple().exponent
    assert isinstance(exponent, int)
    return max(2, -exponent)


def volume_text(steps: int, spec: SymbolSpec) -> str:
    """Steps as lots, signed when negative: ``0.25``, ``-0.10``."""
    return f"{steps * spec.volume_step:.{volume_digits(spec)}f}"


def volume_float(steps: int, spec: SymbolSpec) -> float:
    """Steps as lots in a double."""
    return float(steps * spec.volume_step)


def volume_steps(lots: Decimal, spec: SymbolSpec) -> int | None:
    """Lots as steps; None when they are not a multiple of the step."""
    if not lots.is_finite():
        return None
    steps = int((lots / spec.volume_step).to_integral_value(ROUND_HALF_UP))
    return steps if abs(steps * spec.volume_step - lots) <= _VOLUME_TOLERANCE else None


def volume_problem(lots: Decimal, spec: SymbolSpec) -> str | None:
    """Why an order cannot have this many lots, or None when it can."""
    steps = volume_steps(lots, spec)
    if steps is None:
        return f"volume {lots} is not a multiple of the step {spec.volume_step}"
    if steps < spec.volume_min:
        return f"volume {lots} is below the minimum {volume_text(spec.volume_min, spec)}"
    if steps > spec.volume_max:
        return f"volume {lots} is above the maximum {volume_text(spec.volume_max, spec)}"
    return None


def rounded(value: float, digits: int) -> Decimal:
    """The shortest decimal form of a double, rounded half away from zero: 1.005, 2 → 1.01."""
    return Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _WIDE)


def open_price(position: Position) -> Fraction:
    """The position's average price in points."""
    return Fraction(position.cost, position.volume)


def closing_price(position: Position, quote: Tick) -> int:
    """The price in points at which this quote closes the position."""
    return quote.bid if position.volume > 0 else quote.ask


def open_profit(position: Position, quote: Tick) -> int:
    """The profit of closing the position at this quote, in point-steps."""
    return closing_price(position, quote) * position.volume - position.cost


def money(point_steps: int, spec: SymbolSpec) -> Decimal:
    """Point-steps in the currency that the symbol is quoted in."""
    return _WIDE.multiply(point_steps * spec.contract_size, spec.volume_step).scaleb(-spec.digits, _WIDE)


def rounded_money(amount: Decimal, digits: int) -> Decimal:
    """An amount of money with this many decimal places, rounded half away from zero."""
    return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _WIDE)


def netted(volume: int, cost: int, traded: int, price: int) -> tuple[int, int, int]:
    """Volume, cost and realised profit of a netted position after a trade; all signed, in steps and point-steps.

    The closed volume takes its share of the cost, rounded to a whole point-step. The remainder stays with the position,
    so that profits and costs always add up to the sum that was paid.
    """
    if volume * traded >= 0:
        return volume + traded, cost + price * traded, 0
    closed = max(-traded, volume) if volume < 0 else min(-traded, volume)
    share = round_half_even(cost * closed, volume)
    profit = price * closed - share
    left = volume + traded
    if volume * left >= 0:
        return left, cost - share, profit
    return left, price * left, profit


def round_half_even(numerator: int, denominator: int) -> int:
    """The integer nearest to a quotient; of two equally near integers, the even one."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))
