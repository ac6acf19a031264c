"""The copier's limits: what a server can make it trade at most.

A server that exceeds a limit is not trusted any more. A limit on lots stops the copying of the symbol, any other limit
stops all copying; positions stay as they are, and only a restart of the program copies again. The texts say what else
must change, because the copier would stop again if the limit were still exceeded. Orders that make a position smaller
are always within the limits on lots and orders; they count towards the orders of the minute. Orders that fail count
too, but they are not the server's fault: when there is no room because of them, the next orders wait.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from demos.copier.rules import lots_text

_MINUTE_MS = 60_000

AGAIN = "restart the program to copy again"
_SMALLER = "to copy again, restart the program with a larger limit, or when the server's positions are smaller"


@dataclass
class Limits:
    """Lots in one symbol and in all, orders in a minute, the loss of a day, a file that stops all; 0 or "": no limit.

    The loss is in points times lots, because not every terminal has an account with money. It is what the account has
    lost since the balance at the beginning of the market's day: the deals of the day, and the open positions at the
    prices at which they would be closed, so the spread counts. Commission and swap do not count.
    """

    symbol_lots: Decimal = Decimal(0)
    total_lots: Decimal = Decimal(0)
    orders: int = 0
    loss: Decimal = Decimal(0)
    killfile: str = ""
    # The time of each order of the last minute, and whether it failed.
    _sent: deque[tuple[int, bool]] = field(default_factory=deque)

    def described(self) -> str:
        """The limits as one line of text."""
        return "limits: " + ", ".join(
            [
                f"{lots_text(self.symbol_lots)} lots in one symbol" if self.symbol_lots else "no limit of lots",
                f"{lots_text(self.total_lots)} lots in all symbols" if self.total_lots else "no limit of all lots",
                f"{self.orders} orders a minute" if self.orders else "no limit of orders a minute",
                f"a loss of {_number(self.loss)} points times lots a day" if self.loss else "no limit of losses",
                f"all copying stops for good when {self.killfile} exists" if self.killfile else "no kill-switch file",
            ]
        )

    def lots_problem(self, symbol: str, wanted: Decimal, positions: Mapping[str, Decimal]) -> str:
        """Why a symbol's position must not become this, or ""; ``positions`` are the present ones by symbol."""
        present = positions.get(symbol, Decimal(0))
        if is_smaller(wanted, present):
            return ""
        if self.symbol_lots and abs(wanted) > self.symbol_lots:
            most = lots_text(self.symbol_lots)
            return f"{lots_text(wanted)} lots are more than the limit of {most} (--maxlots); {_SMALLER}"
        total = abs(wanted) + sum(abs(lots) for name, lots in positions.items() if name != symbol)
        if self.total_lots and total > self.total_lots:
            return (
                f"{lots_text(wanted)} lots make {lots_text(total)} in all symbols, "
                f"more than the limit of {lots_text(self.total_lots)} (--maxtotal); {_SMALLER}"
            )
        return ""

    def orders_problem(self, count: int, now: int) -> str:
        """Why the server has caused too many orders with these ones, or ""; ``now`` is in milliseconds."""
        while self._sent and now - self._sent[0][0] >= _MINUTE_MS:
            self._sent.popleft()
        if self.orders and sum(not failed for _, failed in self._sent) + count > self.orders:
            return f"the server's messages take more than {self.orders} orders in one minute (--maxorders); {AGAIN}"
        return ""

    def minute_problem(self, count: int) -> str:
        """Why this number of orders must wait, or "". Call it after orders_problem()."""
        if self.orders and len(self._sent) + count > self.orders:
            return f"not traded yet: with those that failed, {self.orders} orders a minute are sent (--maxorders)"
        return ""

    def count_order(self, now: int, *, failed: bool = False) -> None:
        """Count an order that was executed, checked or rejected now."""
        if self.orders:
            self._sent.append((now, failed))

    def loss_problem(self, result: Decimal) -> str:
        """Why nothing must be traded after this result of the day, in points times lots, or ""."""
        if self.loss and -result >= self.loss:
            return (
                f"the account has lost {_number(-result)} points times lots today (--maxloss {_number(self.loss)}); "
                "to copy again, restart the program with a larger limit, or when the loss is smaller, as on the "
                "market's next day"
            )
        return ""

    def killfile_problem(self) -> str:
        """Why nothing may be traded at all, or "". A file that may exist stops too."""
        if not self.killfile:
            return ""
        try:
            os.stat(self.killfile)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except OSError as error:
            return f"the file {self.killfile} cannot be checked: {error.strerror} (--killfile); {AGAIN}"
        return f"the file {self.killfile} exists (--killfile); to copy again, delete it and restart the program"


def is_smaller(wanted: Decimal, present: Decimal) -> bool:
    """Whether a position that becomes ``wanted`` is not larger than before, and not on the other side."""
    return abs(wanted) <= abs(present) and wanted * present >= 0


def killfile_path(text: str) -> str:
    """The absolute path of --killfile; a ``~`` at its beginning is the user's folder. "" stays "": no file."""
    return os.path.abspath(os.path.expanduser(text)) if text else ""


def killfile_name_problem(text: str) -> str | None:
    """Why this cannot be the name of --killfile, or None when it can."""
    return f"invalid file name: {text!r}; leave the option out for no file" if text and not text.strip() else None


def folder_problem(path: str) -> str:
    """Why the kill-switch file cannot be created at this path, or ""."""
    folder = os.path.dirname(path)
    if not path or os.path.isdir(folder):
        return ""
    return f"there is no folder {folder}: the kill switch cannot work before it exists (--killfile)"


def limit_problem(value: float) -> str | None:
    """Why a limit cannot have this value, or None when it can."""
    return None if 0 <= value <= 1_000_000 else f"invalid limit: {value}; use a number from 0 (no limit) to 1000000"


def _number(value: Decimal) -> str:
    """A number without zeros at its end."""
    return f"{value.normalize():f}"
