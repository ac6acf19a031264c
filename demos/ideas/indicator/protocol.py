"""The messages of the indicator feed: JSON objects in WebSocket text frames. notes/indicator.md describes them.

A client sends hello, and the server answers with its own: the stream, the chart and the lines. A stream is one
calculation from its first bar on; a server that starts again begins another one. The rows of a stream have the numbers
1, 2, 3 …, one for each closed bar. The server sends the newest row with its number. A client that lacks rows asks for
them with history, and gets a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from demos.ideas.indicator.series import LARGEST_VALUE, LONGEST_NAME, MOST_LINES, MOST_WINDOWS, Line, Row
from demos.ideas.messages import ERROR, Codec, Error
from demos.provider.fields import Check, integer, listing, optional, pattern, record, refuse, shown, symbol, text
from demos.terminal.mql.constants import TIMEFRAMES

VERSION = 1

# The most rows of a page. Every page but the last one is full.
PAGE_ROWS = 200

# The largest messages in characters: a full page of MOST_LINES values of 25 characters fits.
MOST_FROM_SERVER = 128 * 1024
MOST_FROM_CLIENT = 4 * 1024

_MOST_LEVELS = 8
# The end of the year 9999, the last one that Python's datetime has.
_LAST_TIME = 253_402_300_799_999


@dataclass(frozen=True)
class ClientHello:
    """The first message of a client; ``client`` is its name, for the server's log."""

    type: ClassVar[str] = "hello"
    version: int
    client: str


@dataclass(frozen=True)
class History:
    """A request for the rows of the stream, from the seq ``first`` on."""

    type: ClassVar[str] = "history"
    stream: str
    first: int


@dataclass(frozen=True)
class ServerHello:
    """The stream, the chart, and the lines. Rows from ``first`` to ``last`` can be requested; 1 and 0: none."""

    type: ClassVar[str] = "hello"
    version: int
    server: str
    stream: str
    symbol: str
    period: str
    first: int
    last: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Values:
    """The newest row: a bar has closed."""

    type: ClassVar[str] = "values"
    stream: str
    seq: int
    row: Row


@dataclass(frozen=True)
class Page:
    """Rows that were requested, from the seq ``first`` on; ``last`` is the newest seq that the server has."""

    type: ClassVar[str] = "page"
    stream: str
    first: int
    last: int
    rows: tuple[Row, ...]


FromClient: TypeAlias = "ClientHello | History | Error"
FromServer: TypeAlias = "ServerHello | Values | Page | Error"


def _number(value: Any, path: str) -> float:
    """A number that a chart can draw. The text 1e999 is infinity, and so it is refused too."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST_VALUE:
        refuse(path, f"not a number from -{LARGEST_VALUE:g} to {LARGEST_VALUE:g}: {shown(value)}")
    return float(value)


_TIME = integer(0, _LAST_TIME)
_VALUES: Check = listing(optional(_number), MOST_LINES)


def _row(value: Any, path: str) -> Row:
    """A list of the bar's time and the list of its values."""
    if not isinstance(value, list) or len(value) != 2:
        refuse(path, f"not a list of a time and values: {shown(value)}")
    return Row(_TIME(value[0], f"{path}[0]"), _VALUES(value[1], f"{path}[1]"))


_NAME = text(64)
_STREAM = pattern("[0-9a-f]{32}", "a stream of 32 hexadecimal digits")
_SEQ = integer(1)
_PERIOD = pattern("|".join(TIMEFRAMES), "a period such as H1")
_LINE = record(
    Line,
    {
        "name": text(LONGEST_NAME),
        "window": integer(0, MOST_WINDOWS),
        "color": integer(0, 0xFFFFFF),
        "levels": listing(_number, _MOST_LEVELS),
    },
)
_SERVER_HELLO = record(
    ServerHello,
    {
        "version": integer(),
        "server": _NAME,
        "stream": _STREAM,
        "symbol": symbol,
        "period": _PERIOD,
        "first": _SEQ,
        "last": integer(),
        "lines": listing(_LINE, MOST_LINES),
    },
)

FROM_CLIENT: Codec[FromClient] = Codec(
    {
        "hello": record(ClientHello, {"version": integer(), "client": _NAME}),
        "history": record(History, {"stream": _STREAM, "first": _SEQ}),
        "error": ERROR,
    },
    most=MOST_FROM_CLIENT,
    version=VERSION,
)
FROM_SERVER: Codec[FromServer] = Codec(
    {
        "hello": _SERVER_HELLO,
        "values": record(Values, {"stream": _STREAM, "seq": _SEQ, "row": _row}),
        "page": record(Page, {"stream": _STREAM, "first": _SEQ, "last": _SEQ, "rows": listing(_row, PAGE_ROWS)}),
        "error": ERROR,
    },
    most=MOST_FROM_SERVER,
    version=VERSION,
)
