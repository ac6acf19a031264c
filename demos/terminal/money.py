"""Amounts in an account's currency, at the last quotes.

A profit is in the profit currency of its symbol. In an account with the same currency it needs no conversion. Otherwise
it is converted at a pair of both currencies that the market quotes, at the price at which the amount would be exchanged
now: a profit is sold at the bid, a loss is bought at the ask. Without such a pair the amount is not converted and not
guessed: it is left out, and a report says so once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

from demos.terminal.interfaces import Currency, Position, SymbolSpec, Tick
from demos.terminal.points import money, open_profit, rounded_money

_LEFT_OUT = "balance, equity and profits leave it out"


def _no_symbols() -> Mapping[str, SymbolSpec]:
    return {}


class MarketPrices:
    """The market's symbols and their last quotes, and the conversion of profits."""

    def __init__(
        self,
        symbols: Callable[[], Mapping[str, SymbolSpec]] = _no_symbols,
        quotes: Mapping[str, Tick] | None = None,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        """``quotes`` changes while the market goes on. ``report`` gets one line for each symbol that is left out."""
        self._symbols = symbols
        self._quotes = {} if quotes is None else quotes
        self._report = report
        self._reported: set[tuple[str, str]] = set()

    def open_profit(self, position: Position, currency: Currency) -> Decimal | None:
        """See interfaces.Prices. What keeps it unknown is reported."""
        quote = self._quotes.get(position.spec.name)
        spec = self._symbols().get(position.spec.name, position.spec)
        if spec.digits != position.spec.digits:
            self._left_out(spec, f"{digits_problem(position, spec)}; equity and profit leave the open position out")
            return None
        if quote is None:
            self._left_out(position.spec, "there is no quote yet; equity and profit leave the open position out")
            return None
        return self.profit(open_profit(position, quote), position.spec, currency)

    def profit(self, point_steps: int, spec: SymbolSpec, currency: Currency) -> Decimal | None:
        """See interfaces.Prices. What prevents the conversion is reported."""
        amount = money(point_steps, spec)
        if not amount:
            return Decimal(0)
        source = spec.currency_profit
        if not source:
            self._left_out(spec, f"the currency of its profit is unknown; {_LEFT_OUT}")
            return None
        if source == currency.name:
            return rounded_money(amount, currency.digits)
        converted = self._converted(Fraction(amount), source, currency.name)
        if converted is None:
            missing = f"its profit is in {source}, and the market has no quote of {source} and {currency.name}"
            self._left_out(spec, f"{missing}; {_LEFT_OUT}")
            return None
        return rounded_amount(converted, currency.digits)

    def _converted(self, amount: Fraction, source: str, target: str) -> Fraction | None:
        """The amount at the last quote of a pair of both currencies."""
        for spec in self._symbols().values():
            quote = self._quotes.get(spec.name)
            if quote is None or quote.bid <= 0:
                continue
            scale = Fraction(10**spec.digits)
            if (spec.currency_base, spec.currency_profit) == (source, target):
                return amount * (quote.bid if amount > 0 else quote.ask) / scale
            if (spec.currency_base, spec.currency_profit) == (target, source):
                return amount * scale / (quote.ask if amount > 0 else quote.bid)
        return None

    def _left_out(self, spec: SymbolSpec, text: str) -> None:
        if (spec.name, text) not in self._reported:
            self._reported.add((spec.name, text))
            self._report(f"{spec.name}: {text}")


def digits_problem(position: Position, spec: SymbolSpec) -> str:
    """That the market's symbol has other digits than the position, so that their points are other prices."""
    return f"the position has {position.spec.digits} digits, the market's quotes have {spec.digits}"


def rounded_amount(amount: Fraction, digits: int) -> Decimal:
    """An amount of money with this many decimal places, rounded half away from zero."""
    numerator = abs(amount) * 10**digits
    units = int(numerator + Fraction(1, 2))
    return Decimal(units if amount >= 0 else -units).scaleb(-digits)
