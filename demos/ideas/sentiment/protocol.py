"""The messages between a sentiment server and its clients: no sockets, no clock, no state.

notes/sentiment.md describes them. Volumes are lots, as exact decimal numbers in strings. A client sends the volumes of
all its positions in each message, so a lost or old message is corrected by the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, TypeAlias

from demos.ideas.messages import ERROR, Codec, Error
from demos.provider.fields import decimal, integer, mapping, optional, record, refuse, symbol, text
from demos.provider.protocol import LONGEST_NAME

VERSION = 1

# The symbols of one client, and those whose totals a message has.
MOST_SYMBOLS = 50
MOST_TOTALS = 500

# The decimal places of a volume: a broker's step has two or three.
MOST_PLACES = 8

_MOST_FROM_CLIENT = 16 * 1024
_MOST_FROM_SERVER = 256 * 1024


@dataclass(frozen=True)
class ServerHello:
    """The server's first message: its rules. Times are milliseconds; ``most_lots`` is for one symbol and one side."""

    type: ClassVar[str] = "hello"
    version: int
    server: str
    interval_ms: int
    silence_ms: int
    most_lots: Decimal
    most_symbols: int
    least_clients: int


@dataclass(frozen=True)
class ClientHello:
    """The client's first message."""

    type: ClassVar[str] = "hello"
    version: int
    client: str


@dataclass(frozen=True)
class Volume:
    """The lots of long and of short positions."""

    long: Decimal = Decimal(0)
    short: Decimal = Decimal(0)

    def __bool__(self) -> bool:
        return bool(self.long or self.short)


@dataclass(frozen=True)
class Volumes:
    """The volumes of all positions of a client, by symbol."""

    type: ClassVar[str] = "volumes"
    volumes: Mapping[str, Volume] = field(default_factory=dict)


@dataclass(frozen=True)
class SideTotal:
    """The lots of all ``clients`` that have long, or short, positions in a symbol."""

    lots: Decimal
    clients: int


@dataclass(frozen=True)
class Total:
    """The totals of a symbol; None: this side is not published."""

    long: SideTotal | None = None
    short: SideTotal | None = None


def side_fields(total: SideTotal | None) -> list[object] | None:
    """The lots, as text, and the number of participants of a side, for the record of events."""
    return None if total is None else [str(total.lots), total.clients]


@dataclass(frozen=True)
class Totals:
    """The totals at a time, in milliseconds since 1970 UTC of the server's clock; ``seq`` rises by 1 each time."""

    type: ClassVar[str] = "totals"
    seq: int
    time: int
    totals: Mapping[str, Total] = field(default_factory=dict)


FromClient: TypeAlias = ClientHello | Volumes | Error
FromServer: TypeAlias = ServerHello | Totals | Error

_LOTS = decimal(Decimal(0))
_NAME = text(LONGEST_NAME)
_MS = integer(1, 86_400_000)


def _volume(value: Any, path: str) -> Decimal:
    lots: Decimal = _LOTS(value, path)
    if len(str(value).partition(".")[2]) > MOST_PLACES:
        refuse(path, f"a volume with more than {MOST_PLACES} decimal places: {value}")
    return lots


_SIDE = optional(record(SideTotal, {"lots": _volume, "clients": integer(1)}))

CLIENT: Codec[FromClient] = Codec(
    {
        "hello": record(ClientHello, {"version": integer(), "client": _NAME}),
        "volumes": record(
            Volumes,
            {"volumes": mapping(symbol, record(Volume, {"long": _volume, "short": _volume}), MOST_SYMBOLS)},
        ),
        "error": ERROR,
    },
    most=_MOST_FROM_CLIENT,
    version=VERSION,
)
SERVER: Codec[FromServer] = Codec(
    {
        "hello": record(
            ServerHello,
            {
                "version": integer(),
                "server": _NAME,
                "interval_ms": _MS,
                "silence_ms": _MS,
                "most_lots": _volume,
                "most_symbols": integer(1, MOST_SYMBOLS),
                "least_clients": integer(1),
            },
        ),
        "totals": record(
            Totals,
            {
                "seq": integer(1),
                "time": integer(),
                "totals": mapping(symbol, record(Total, {"long": _SIDE, "short": _SIDE}), MOST_TOTALS),
            },
        ),
        "error": ERROR,
    },
    most=_MOST_FROM_SERVER,
    version=VERSION,
)
