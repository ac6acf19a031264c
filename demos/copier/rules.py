"""The rules of copying: which symbols, under which local names, what volume, in which orders.

Without terminal, sockets or clock. Volumes are exact decimals, signed where they are positions or differences.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from demos.terminal.symbols import symbol_problem

# In a list or a map, a comma, an equals sign or a backslash that belongs to a name follows a backslash.
_ESCAPED = re.compile(r"\\([\\,=])")
_MARK = re.compile(r"\\[\\,=]|[,=]")

# A difference that takes more orders is not traded: it is more likely an error of the server than a position.
MOST_ORDERS = 100

# A factor outside of these is more likely a typing error.
LEAST_FACTOR = 0.0001
MOST_FACTOR = 10_000


class Limits(NamedTuple):
    """The volumes that a symbol's orders can have: multiples of ``step`` from ``minimum`` to ``maximum``, in lots."""

    minimum: Decimal
    maximum: Decimal
    step: Decimal


class Order(NamedTuple):
    """An order: lots to buy, or to sell when negative, and the ticket of the position that it closes, or 0."""

    lots: Decimal
    ticket: int = 0


@dataclass(frozen=True)
class Rules:
    """How the server's positions are copied.

    ``names`` maps the server's symbols to local ones; every other symbol gets ``suffix``. ``only`` lists the server's
    symbols that are copied; empty: all.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""
    only: Sequence[str] = ()
    factor: Decimal = Decimal(1)
    reverse: bool = False

    def follows(self, symbol: str) -> bool:
        """Whether a symbol of the server is copied."""
        return not self.only or symbol in self.only

    def name(self, symbol: str) -> str:
        """The local name of a symbol of the server."""
        return self.names.get(symbol, symbol + self.suffix)

    def mapped_from(self, local: str) -> str:
        """The server's symbol that ``names`` maps to this local name; "" when there is none or it is not copied."""
        return next((server for server, own in self.names.items() if own == local and self.follows(server)), "")

    def lots(self, lots: Decimal) -> Decimal:
        """The target for a position of the server, not rounded yet."""
        return lots * self.factor * (-1 if self.reverse else 1)

    def known(self) -> list[str]:
        """The local names of the symbols in ``only`` or, when that is empty, in ``names``."""
        server = self.only or list(self.names)
        return [self.name(symbol) for symbol in server if self.follows(symbol)]

    def described(self) -> list[str]:
        """The rules as text, one line each."""
        names = [f"{server} is {own} here" for server, own in self.names.items()]
        names.append(f"{'other' if names else 'all'} names get the suffix {self.suffix}" if self.suffix else "")
        return [
            "names: " + (", ".join(filter(None, names)) or "as on the server"),
            "symbols: " + (f"only {', '.join(self.only)}" if self.only else "all that the server sends"),
            f"lots: the server's times {lots_text(self.factor)}, rounded toward zero to the symbol's step",
            "direction: " + ("reversed" if self.reverse else "as on the server"),
        ]


def names_from_text(text: str) -> dict[str, str]:
    r"""``EURUSD=EURUSD.m,GBPUSD=GBP``: the local names by the server's; blanks around names are ignored.

    ``\,``, ``\=`` and ``\\`` stand for a comma, an equals sign and a backslash in a name.

    Errors: ValueError with what was expected.
    """
    names: dict[str, str] = {}
    if text and not text.strip(" ,"):
        raise ValueError(f"invalid map: {text!r}; it has no entry; leave the option out for no map")
    for entry in filter(None, map(str.strip, _parts_between(",", text))):
        both = _parts_between("=", entry)
        if len(both) == 1:
            raise ValueError(
                f"invalid entry: '{entry}'; an entry is SERVER=LOCAL, as in EURUSD=EURUSD.m; "
                r"write a comma in a name as \,"
            )
        if len(both) > 2:
            raise ValueError(rf"invalid entry: '{entry}'; an entry has one '='; write an '=' in a name as \=")
        server, local = map(_name, both)
        for problem in filter(None, map(symbol_problem, (server, local))):
            raise ValueError(f"invalid entry: '{entry}'; {problem}")
        if server in names or local in names.values():
            raise ValueError(f"invalid entry: '{entry}'; another entry has the same symbol")
        names[server] = local
    return names


def list_from_text(text: str) -> list[str]:
    r"""``EURUSD,Volatility 75 Index``: the names between the commas, without the blanks around them.

    ``\,``, ``\=`` and ``\\`` stand for a comma, an equals sign and a backslash in a name.
    """
    return list(filter(None, map(_name, _parts_between(",", text))))


def _parts_between(mark: str, text: str) -> list[str]:
    """Split a text at each ``mark`` that does not follow a backslash."""
    parts, begin = [], 0
    for found in _MARK.finditer(text):
        if found[0] == mark:
            parts.append(text[begin : found.start()])
            begin = found.end()
    return [*parts, text[begin:]]


def _name(part: str) -> str:
    return _ESCAPED.sub(r"\1", part.strip())


def names_problem(text: str) -> str | None:
    """Why this is not a map of symbols, or None when it is."""
    try:
        names_from_text(text)
    except ValueError as error:
        return str(error)
    return None


def list_problem(text: str) -> str | None:
    """Why this is not a list of symbols, or None when it is."""
    if text and not list_from_text(text):
        return f"invalid list: {text!r}; it has no symbol; leave the option out for all symbols"
    return next(filter(None, map(symbol_problem, list_from_text(text))), None)


def suffix_problem(suffix: str) -> str | None:
    """Why symbols cannot end with this, or None when they can."""
    return symbol_problem(f"X{suffix}") if suffix else None


def factor_problem(factor: float) -> str | None:
    """Why volumes cannot be multiplied by this factor, or None when they can."""
    if not 0 < factor < math.inf:
        return f"invalid factor: {factor}; use a number above 0 (--reverse inverts the direction)"
    if not LEAST_FACTOR <= factor <= MOST_FACTOR:
        return f"invalid factor: {factor}; use a number from {LEAST_FACTOR} to {MOST_FACTOR}"
    return None


def lots_text(lots: Decimal) -> str:
    """Lots with at least two digits after the point: ``0.50``, ``0.125``."""
    exponent = lots.normalize().as_tuple().exponent
    return f"{lots:.{max(2, -exponent if isinstance(exponent, int) else 2)}f}"


def round_to_step(lots: Decimal, limits: Limits) -> Decimal:
    """A position rounded toward zero to the volume step; below the minimum it is 0."""
    volume = abs(lots) // limits.step * limits.step
    if volume < limits.minimum:
        return Decimal(0)
    return volume if lots > 0 else -volume


def orders(dif: Decimal, positions: Sequence[tuple[int, Decimal]], hedging: bool, limits: Limits) -> list[Order]:
    """The orders that change the sum of a symbol's positions by ``dif``; positions are tickets and signed volumes.

    A volume above the maximum is split into several orders. A remainder below the minimum is left out, unless it closes
    a whole position. On a hedging account opposite positions are closed first, the oldest first; then new ones opened.

    Errors: ValueError when that takes more than MOST_ORDERS orders.
    """
    sign = 1 if dif > 0 else -1
    if abs(dif) > MOST_ORDERS * limits.maximum:
        raise ValueError(f"that takes more than {MOST_ORDERS} orders of at most {lots_text(limits.maximum)} lots")
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
    """Split a volume into orders of at most the maximum and, where possible, at least the minimum."""
    most = limits.maximum // limits.step * limits.step
    parts = []
    while volume > most:
        # When the last order would be below the minimum, the one before it is made smaller.
        part = volume - limits.minimum if volume - most < limits.minimum <= volume - limits.minimum else most
        parts.append(part)
        volume -= part
    if volume and (whole or volume >= limits.minimum):
        parts.append(volume)
    return parts
