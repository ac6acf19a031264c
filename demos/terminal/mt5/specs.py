"""A symbol's properties as the terminal reports them, turned into a SymbolSpec that orders can use.

Brokers misreport: a step or a maximum of 0, noise in the last digit of a double, digits that disagree with the point.
The trade server has the last word on every order. So a property that cannot be right is replaced by a usual value, and
one line says so. A trade mode or an order mode that restricts orders is reported in one line; orders are sent all the
same, because the flags may be wrong, and the server's answer decides.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from demos.terminal.interfaces import SymbolSpec
from demos.terminal.mt5.api import (
    SYMBOL_ORDER_MARKET,
    SYMBOL_TRADE_MODE_CLOSEONLY,
    SYMBOL_TRADE_MODE_DISABLED,
    SYMBOL_TRADE_MODE_FULL,
    SYMBOL_TRADE_MODE_LONGONLY,
    SYMBOL_TRADE_MODE_SHORTONLY,
    SymbolInfo,
    exact,
)
from demos.terminal.points import volume_text

# Volumes have at most this many decimal places; what follows them is the rounding error of the broker's arithmetic.
_VOLUME_DIGITS = 8
_MOST_DIGITS = 15

_USUAL_STEP = Decimal("0.01")
_USUAL_MAXIMUM = Decimal(100)

# What the trade modes other than FULL allow.
_RESTRICTIONS = {
    SYMBOL_TRADE_MODE_DISABLED: "trading is disabled",
    SYMBOL_TRADE_MODE_LONGONLY: "only long positions are allowed",
    SYMBOL_TRADE_MODE_SHORTONLY: "only short positions are allowed",
    SYMBOL_TRADE_MODE_CLOSEONLY: "positions may only be closed",
}


def spec_of(info: SymbolInfo) -> tuple[SymbolSpec, list[str]]:
    """The symbol's properties, and a line for each property that was replaced or that restricts orders."""
    problems: list[str] = []
    least, most, step = (_volume(value) for value in (info.volume_min, info.volume_max, info.volume_step))
    if step <= 0:
        step = least if least > 0 else _USUAL_STEP
        problems.append(f"the volume step {info.volume_step}; {step} is used")
    minimum = max(int((least / step).to_integral_value(ROUND_CEILING)), 1)
    if least <= 0:
        problems.append(f"the minimum volume {info.volume_min}; {minimum * step} is used")
    maximum = int((most / step).to_integral_value(ROUND_FLOOR))
    if maximum < minimum:
        # A maximum of 0 states none; a maximum below the minimum leaves only the minimum.
        maximum = minimum if most > 0 else max(minimum, int(_USUAL_MAXIMUM / step))
        problems.append(f"the maximum volume {info.volume_max}; {maximum * step} is used")
    digits = _digits(info, problems)
    contract = float(info.trade_contract_size)
    # The contract size of a few symbols is not an integer; only the profit in money depends on it.
    size = int(contract) if math.isfinite(contract) else 0
    if size <= 0:
        problems.append(f"the contract size {info.trade_contract_size}; profits in money are not computed")
    problems += _restrictions(info)
    currencies = (info.currency_base, info.currency_profit)
    spec = SymbolSpec(info.name, digits, step, minimum, maximum, max(size, 0), *currencies)
    return spec, [f"{info.name}: the broker reports {problem}" for problem in problems]


def _restrictions(info: SymbolInfo) -> list[str]:
    """The properties that, if they are right, prevent orders."""
    found = []
    if info.trade_mode != SYMBOL_TRADE_MODE_FULL:
        text = _RESTRICTIONS.get(info.trade_mode, "unknown")
        found.append(f"the trade mode {info.trade_mode} ({text}); the trade server's answer to each order decides")
    if not info.order_mode & SYMBOL_ORDER_MARKET:
        found.append(
            f"the order mode {info.order_mode} (no market orders); the trade server's answer to each order decides"
        )
    return found


def limits_text(spec: SymbolSpec) -> str:
    """``orders from 0.01 to 100.00 lots in steps of 0.01``."""
    least, most, step = (volume_text(steps, spec) for steps in (spec.volume_min, spec.volume_max, 1))
    return f"orders from {least} to {most} lots in steps of {step}"


def _volume(value: float) -> Decimal:
    """A volume in lots without the rounding error of the broker's arithmetic; 0 when it is not a number."""
    return exact(round(value, _VOLUME_DIGITS)) if math.isfinite(value) else Decimal(0)


def _digits(info: SymbolInfo, problems: list[str]) -> int:
    """The decimal places of a price: those of the point when it is finer than the digits say."""
    point = exact(info.point) if math.isfinite(info.point) and info.point > 0 else Decimal(0)
    exponent = point.normalize().as_tuple().exponent if point else 0
    needed = max(-exponent, 0) if isinstance(exponent, int) else 0
    if 0 <= info.digits <= _MOST_DIGITS and needed <= info.digits:
        return info.digits
    digits = min(needed if point else max(info.digits, 0), _MOST_DIGITS)
    problems.append(f"{info.digits} digits and the point {info.point}; {digits} digits are used")
    return digits
