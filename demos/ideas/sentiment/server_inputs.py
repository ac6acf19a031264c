"""The checks of the sentiment server's inputs: each returns why a value cannot be used, or None when it can."""

from __future__ import annotations

from decimal import Decimal

from demos.ideas.sentiment.protocol import MOST_PLACES
from demos.ideas.sentiment.totals import FEWEST
from demos.provider import fields
from demos.provider.protocol import LONGEST_NAME

_LONGEST_S = 86_400
_MOST_LOTS = 1_000_000
_MOST_PARTICIPANTS = 10_000


def server_name_problem(text: str) -> str | None:
    """Of a name that the other side sees."""
    try:
        fields.text(LONGEST_NAME)(text, "")
    except fields.FieldError as error:
        return f"invalid name: {error}"
    return None


def interval_problem(value: float) -> str | None:
    """Of the time between two messages with the totals."""
    return None if 0.1 <= value <= 3600 else f"invalid number of seconds: {value}; use 0.1 to 3600"


def silence_problem(value: int) -> str | None:
    """Of the time after which a silent client does not count."""
    return None if 1 <= value <= _LONGEST_S else f"invalid number of seconds: {value}; use 1 to {_LONGEST_S}"


def lots_problem(value: float) -> str | None:
    """Of the largest volume that counts."""
    lots = Decimal(repr(value))
    exponent = lots.as_tuple().exponent
    if 0 < lots <= _MOST_LOTS and isinstance(exponent, int) and exponent >= -MOST_PLACES:
        return None
    return f"invalid volume: {value}; use at most {_MOST_LOTS} lots, with at most {MOST_PLACES} decimal places"


def least_problem(value: int) -> str | None:
    """Of the fewest participants of a total."""
    if FEWEST <= value <= _MOST_PARTICIPANTS:
        return None
    return f"invalid number of participants: {value}; use {FEWEST} or more: of two, each would know the other's volumes"
