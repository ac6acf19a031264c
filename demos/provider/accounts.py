"""The provider's account as its program reads it from the terminal, and what a user may see of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Holding:
    """An open position of the provider's account; a hedging account's has a ticket. Lots are negative for a sell."""

    symbol: str
    lots: Decimal
    price: Decimal
    contract: Decimal
    sl: Decimal | None = None
    tp: Decimal | None = None
    ticket: int | None = None


@dataclass(frozen=True)
class AccountState:
    """What the program reads from its terminal. A netting account has at most one holding for each symbol."""

    currency: str
    hedging: bool
    balance: Decimal
    equity: Decimal
    holdings: tuple[Holding, ...] = ()


@dataclass(frozen=True)
class View:
    """What a user may see: these symbols (None: all), and whether balance and equity."""

    symbols: frozenset[str] | None = None
    figures: bool = True

    def narrowed(self, wanted: Iterable[str] | None) -> View:
        """This view with only those of its symbols that a login asks for; None: all of them."""
        if wanted is None:
            return self
        symbols = frozenset(wanted)
        if self.symbols is not None:
            symbols &= self.symbols
        return View(symbols, self.figures)
