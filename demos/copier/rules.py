"""How a client follows a server's positions: which symbols and under which names, how much, in which orders.

No terminal, no sockets, no clock. Volumes are decimals and exact, and signed where they are positions or differences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

# A difference that takes more orders is not traded: no server is worth so many.
MOST_ORDERS = 100


class Limits(NamedTuple):
    """The volumes that a symbol's orders can have: multiples of ``step`` from ``minimum`` to ``maximum``, in lots."""

    minimum: Decimal
    maximum: Decimal
    step: Decimal


class Order(NamedTuple):
    """An order: the lots to buy, or to sell when negative, and the ticket of the position that it closes, or 0."""

    lots: Decimal
    ticket: int = 0


@dataclass(frozen=True)
class Rules:
    """What becomes of the server's positions: ``names`` are ours by the server's, all others get ``suffix``.

    ``only`` names the server's symbols that are followed; none: all.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""
    only: Sequence[str] = ()
    factor: Decimal = Decimal(1)
    reverse: bool = False

    def follows(self, symbol: str) -> bool:
        """Whether a symbol of the server's is followed."""
        return not self.only or symbol in self.only

    def name(self, symbol: str) -> str:
        """The subscriber's name of a symbol of the server's."""
        return self.names.get(symbol, symbol + self.suffix)

    def lots(self, lots: Decimal) -> Decimal:
        """The volume that a position is to have, not rounded yet."""
        return lots * self.factor * (-1 if self.reverse else 1)

    def known(self) -> list[str]:
        """The subscriber's names of the symbols that the rules themselves speak of."""
        server = self.only or list(self.names)
        return [self.name(symbol) for symbol in server if self.follows(symbol)]

    def described(self) -> list[str]:
        """The rules in words, one line each."""
        names = [f"{server} is {own} here" for server, own in self.names.items()]
        names.append(f"{'other' if names else 'all'} names get the suffix {self.suffix}" if self.suffix else "")
        return [
            "names: " + (", ".join(filter(None, names)) or "those of the server"),
            "symbols: " + (f"only {', '.join(self.only)}" if self.only else "all that the server tells of"),
            f"lots: the server's times {lots_text(self.factor)}, rounded toward zero to the symbol's step",
            "direction: " + ("reversed" if self.reverse else "the server's"),
        ]


def names_from_text(text: str) -> dict[str, str]:
    """``EURUSD=EURUSD.m,GBPUSD=GBP``: the subscriber's names by the server's.

    Errors: ValueError with what was expected.
    """
    names: dict[str, str] = {}
    for pair in filter(None, text.split(",")):
        server, equals, own = (part.strip() for part in pair.partition("="))
        if not server or not equals or not own or "=" in own:
            raise ValueError(f"{pair!r} is not SERVER=HERE, as in EURUSD=EURUSD.m")
        if server in names or own in names.values():
            raise ValueError(f"{pair!r} names a symbol twice")
        names[server] = own
    return names


def list_from_text(text: str) -> list[str]:
    """``EURUSD,GBPUSD``: the names between the commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def names_problem(text: str) -> str | None:
    """Why this is no map of symbols, or None when it is one."""
    try:
        names_from_text(text)
    except ValueError as error:
        return str(error)
    return None


def factor_problem(factor: float) -> str | None:
    """Why volumes cannot be multiplied by this, or None when they can."""
    return None if 0 < factor < math.inf else f"{factor} is not above 0; --reverse turns the direction"


def lots_text(lots: Decimal) -> str:
    """Lots with two digits, or as many more as they have: ``0.50``, ``0.125``."""
    exponent = lots.normalize().as_tuple().exponent
    return f"{lots:.{max(2, -exponent if isinstance(exponent, int) else 2)}f}"


def held(lots: Decimal, limits: Limits) -> Decimal:
    """The position that a symbol can have, nearest to ``lots`` toward zero: less than the minimum is none."""
    volume = abs(lots) // limits.step * limits.step
    if volume < limits.minimum:
        return Decimal(0)
    return volume if lots > 0 else -volume


def orders(dif: Decimal, positions: Sequence[tuple[int, Decimal]], hedging: bool, limits: Limits) -> list[Order]:
    """The orders that change the sum of a symbol's positions, given as tickets and signed volumes, by ``dif``.

    A volume above the maximum becomes several orders; what is left below the minimum becomes none, unless it closes a
    position whole. On a hedging account opposite positions are closed first, the oldest first, and the rest is opened.

    Errors: ValueError when that takes too many orders.
    """
    sign = 1 if dif > 0 else -1
    if abs(dif) > MOST_ORDERS * limits.maximum:
        raise ValueError(f"would take more than {MOST_ORDERS} orders of at most {lots_text(limits.maximum)}")
    if not hedging:
        whole = dif == -sum(volume for _, volume in positions)
        parts = _parts(abs(dif), limits, whole)
        ticket = positions[0][0] if whole and len(parts) == 1 else 0
        return [Order(sign * part, ticket) for part in parts]
    found: list[Order] = []
    left = abs(dif)
    for ticket, volume in sorted(positions):
        closed = min(left, abs(volume)) if volume * dif < 0 else Decimal(0)
        left -= closed
        found += [Order(sign * part, ticket) for part in _parts(closed, limits, closed == abs(volume))]
    return found + [Order(sign * part) for part in _parts(left, limits, False)]


def _parts(volume: Decimal, limits: Limits, whole: bool) -> list[Decimal]:
    """A volume in orders none of which is above the maximum, and none below the minimum where that is possible."""
    most = limits.maximum // limits.step * limits.step
    parts = []
    while volume > most:
        # A last one that would be too small gets what it lacks from the one before.
        part = volume - limits.minimum if volume - most < limits.minimum <= volume - limits.minimum else most
        parts.append(part)
        volume -= part
    if volume and (whole or volume >= limits.minimum):
        parts.append(volume)
    return parts
