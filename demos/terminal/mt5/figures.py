"""Reads the money of a real account: balance, equity, profit and their currency, as the terminal states them."""

from __future__ import annotations

from decimal import Decimal

from demos.terminal.interfaces import Clock, Currency, Figures
from demos.terminal.mt5.api import AccountInfo, Mt5
from demos.terminal.mt5.failures import Failures
from demos.terminal.mt5.positions import amount_of

# The interval in seconds at which they are read.
FIGURES_INTERVAL = 0.05

_ACCOUNT = "the account"
_NOTHING = Figures(Decimal(0), Decimal(0), Decimal(0))


class FigureReader:
    """The figures as they were read last. While they cannot be read, the known ones stay; a report says so."""

    def __init__(self, mt5: Mt5, failures: Failures, clock: Clock, first: AccountInfo) -> None:
        """``first`` is the terminal's first answer."""
        self._mt5 = mt5
        self._failures = failures
        self._clock = clock
        self.currency = Currency(first.currency, first.currency_digits)
        self._figures = self._of(first, None)
        self._next = clock.monotonic() + FIGURES_INTERVAL

    def read(self) -> Figures:
        """The figures, read at most FIGURES_INTERVAL seconds ago, unless the reads fail at present.

        Errors: Mt5Error when the connection to the terminal is lost.
        """
        now = self._clock.monotonic()
        if now >= self._next:
            self._next = now + FIGURES_INTERVAL
            info = self._mt5.account_info()
            if info is None:
                self._failures.failed(_ACCOUNT)
            else:
                self._failures.worked(_ACCOUNT)
                self._figures = self._of(info, self._figures)
        return self._figures

    def _of(self, info: AccountInfo, known: Figures | None) -> Figures:
        """The figures of an answer; an amount that is not a number is replaced by the known one."""
        amounts = [amount_of(value, self.currency) for value in (info.balance, info.equity, info.profit)]
        balance, equity, profit = (
            old if new is None else new for old, new in zip(known or _NOTHING, amounts, strict=True)
        )
        return Figures(balance, equity, profit)
