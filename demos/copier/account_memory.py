"""What the account rules must not forget, as immutable values and as a dict of JSON values.

The caller stores to_dict() before it sends the orders of a decision, and reads it with read_account_memory() at its
start. Nothing in it is secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from demos.provider.fields import (
    LARGEST_INTEGER,
    FieldError,
    boolean,
    decimal_text,
    integer,
    listing,
    mapping,
    optional,
    pattern,
    record,
    text,
)

_VERSION = 1
MOST_STREAMS = 16
_MOST_SYMBOLS = 10_000

# Numbers that a division has made are kept with this many decimal places.
_PLACES = Decimal(1).scaleb(-15)
# Enough digits for any number of a message with 15 more decimal places.
WIDE = Context(prec=80)


class OlderState(ValueError):
    """A state that is older than one that was acted on: nothing may follow from it."""


@dataclass(frozen=True)
class Side:
    """The buys or the sells in one symbol: the sum of their lots, not negative, and their average price."""

    lots: Decimal = Decimal(0)
    price: Decimal = Decimal(0)


@dataclass(frozen=True)
class Followed:
    """One symbol of the provider.

    ``lots`` is the net of its positions, ``newest`` the newest time of one of them, ``changed`` the time of the last
    change that increased the net, by the server's clock; 0: unknown. ``missed`` are the provider's lots that are not
    copied yet, ``missed_price`` their average price (None: unknown), ``missed_error`` how inexact it can be, in points
    times lots.

    ``join`` is the rule of the first contact while it has not been satisfied, else "". ``ours`` is whether the own
    position in the symbol may be reduced. ``ratio`` is own lots for one lot of the provider, None until it is known.
    ``flatten`` is why the own position must be closed, until it is. ``stop`` is the provider's stop loss.
    """

    lots: Decimal = Decimal(0)
    buys: Side = Side()
    sells: Side = Side()
    newest: int = 0
    changed: int = 0
    missed: Decimal = Decimal(0)
    missed_price: Decimal | None = None
    missed_error: Decimal = Decimal(0)
    join: str = ""
    ours: bool = True
    ratio: Fraction | None = None
    contract: Decimal = Decimal(0)
    flatten: str = ""
    stop: Decimal | None = None

    @property
    def average(self) -> Decimal:
        """The average price of the positions on the side of the net."""
        return (self.buys if self.lots > 0 else self.sells).price


@dataclass(frozen=True)
class Rejections:
    """The orders of a symbol that the broker has rejected in a row; times are milliseconds since 1970.

    ``reduced_at`` is when it last rejected one that reduces the position; 0: never.
    """

    count: int = 0
    at: int = 0
    reduced_at: int = 0


@dataclass(frozen=True)
class AccountMemory:
    """``streams`` are the streams and the newest seq of each that was acted on, the present one last.

    ``stopped`` is why nothing increases until the operator resumes, ``close_only`` the same for --on-end close-only.
    ``stale`` and ``ended`` are what was already alarmed.
    """

    streams: tuple[tuple[str, int], ...] = ()
    begun: bool = False
    stopped: str = ""
    close_only: str = ""
    stale: bool = False
    ended: str = ""
    symbols: Mapping[str, Followed] = field(default_factory=dict)
    rejections: Mapping[str, Rejections] = field(default_factory=dict)

    def seen(self, stream: str) -> int:
        """The newest seq of a stream that was acted on; 0: none."""
        return dict(self.streams).get(stream, 0)

    def marked(self, stream: str, seq: int) -> AccountMemory:
        """The memory with this state as the newest one.

        Errors: OlderState.
        """
        if seq < self.seen(stream):
            raise OlderState(f"state {seq} of stream {stream} is older than {self.seen(stream)}, which was acted on")
        others = tuple(each for each in self.streams if each[0] != stream)
        return replace(self, streams=(*others, (stream, seq))[-MOST_STREAMS:], begun=True)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"version": _VERSION, **_json(self)}


def tidy(number: Decimal) -> Decimal:
    """A number with at most 15 decimal places: what the memory keeps of one that a division has made."""
    return number.quantize(_PLACES, context=WIDE)


def _json(value: Any) -> Any:
    """JSON values of a dataclass, a mapping, a tuple or a number."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, tuple):
        return [_json(each) for each in value]
    items = value if isinstance(value, Mapping) else vars(value)
    return {name: _json(each) for name, each in items.items()}


_DIGITS = pattern(r"-?\d{1,60}(\.\d{1,60})?", "a decimal number in a string")
_RATIO = pattern(r"-?\d{1,1000}(/[1-9]\d{0,999})?", "a fraction in a string")


def _decimal(value: Any, path: str) -> Decimal:
    return Decimal(_DIGITS(value, path))


def _fraction(value: Any, path: str) -> Fraction:
    return Fraction(_RATIO(value, path))


def _string(value: Any, path: str) -> str:
    """A text that may be empty."""
    return "" if value == "" else str(text(1000)(value, path))


_TIME = integer(0, LARGEST_INTEGER)
_SIDE = record(Side, {"lots": _decimal, "price": _decimal})
_FOLLOWED = record(
    Followed,
    {
        "lots": _decimal,
        "buys": _SIDE,
        "sells": _SIDE,
        "newest": _TIME,
        "changed": _TIME,
        "missed": _decimal,
        "missed_price": optional(_decimal),
        "missed_error": _decimal,
        "join": _string,
        "ours": boolean,
        "ratio": optional(_fraction),
        "contract": _decimal,
        "flatten": _string,
        "stop": optional(_decimal),
    },
)
_REJECTIONS = record(Rejections, {"count": _TIME, "at": _TIME, "reduced_at": _TIME})


def _stream(value: Any, path: str) -> tuple[str, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise FieldError(f"{path}: not a stream and a seq")
    return text(64)(value[0], path), integer(1)(value[1], path)


_MEMORY = record(
    AccountMemory,
    {
        "streams": listing(_stream, MOST_STREAMS),
        "begun": boolean,
        "stopped": _string,
        "close_only": _string,
        "stale": boolean,
        "ended": _string,
        "symbols": mapping(text(64), _FOLLOWED, _MOST_SYMBOLS),
        "rejections": mapping(text(64), _REJECTIONS, _MOST_SYMBOLS),
    },
)
_VERSIONED = record(lambda version: version, {"version": integer(_VERSION, _VERSION)})


def read_account_memory(data: dict[str, Any] | None) -> AccountMemory:
    """The memory in a dict that to_dict() returned; None: a new one.

    Errors: ValueError when it is anything else. A start without memory would be a first contact, so it is refused.
    """
    if data is None:
        return AccountMemory()
    try:
        _VERSIONED(data, "")
        memory: AccountMemory = _MEMORY(data, "")
    except FieldError as problem:
        raise ValueError(f"the copier's stored account memory is damaged: {problem}") from None
    return memory
