"""The messages to text and back: no sockets, no clock, no state.

A message is one JSON object in one WebSocket text frame. notes/provider.md describes the protocol for everyone who
implements it; this module is its definition in code. decode_from_server() and decode_from_client() check every field
and raise one MessageError for anything wrong. Fields that this version does not know are ignored. encode() applies the
same checks, so that no program sends a message that its peer refuses. The checks take most of its time. What was made
from checked values alone needs no second check: text_of() does not make any.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Protocol, TypeVar

from demos.provider.accounts import Holding
from demos.provider.fields import (
    FieldError,
    boolean,
    decimal,
    integer,
    listing,
    mapping,
    optional,
    parse_json,
    pattern,
    plain,
    record,
    refuse,
    shown,
    symbol,
    text,
)
from demos.provider.messages import (
    VERSION,
    Account,
    AccountKind,
    Ack,
    Error,
    FromClient,
    FromServer,
    Heartbeat,
    Hello,
    Known,
    Login,
    Message,
    Position,
    Publishing,
    Resync,
    Snapshot,
    Update,
    Welcome,
)

# The largest messages: from the server in bytes of UTF-8, from a client in characters. An acknowledgement of
# MOST_POSITIONS symbols fits, whatever their names and volumes.
MOST_FROM_SERVER = 1024 * 1024
MOST_FROM_CLIENT = 384 * 1024
# The most positions and symbols in a message.
MOST_POSITIONS = 1000
MOST_SYMBOLS = 500

LONGEST_NAME = 64
LONGEST_SECRET = 256
LONGEST_TEXT = 500


class MessageError(ValueError):
    """A message that cannot be accepted. ``code`` is that of the `error` message that answers it."""

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(problem)
        self.code = code


M = TypeVar("M")


class Typed(Protocol):
    """A message: a dataclass with its type."""

    type: ClassVar[str]


NAME = text(LONGEST_NAME)
STREAM = pattern("[0-9a-f]{32}-[0-9a-f]{16}", "a stream of 32 and 16 hexadecimal digits")
RUN = pattern("[0-9a-f]{32}", "a stream of 32 hexadecimal digits")
_SECRET = text(LONGEST_SECRET, printable=False, secret=True)
CURRENCY = text(16)
SEQ = integer(1)
_SYMBOLS = optional(listing(symbol, MOST_SYMBOLS))

ACCOUNT = record(Account, {"currency": CURRENCY, "balance": optional(decimal()), "equity": optional(decimal())})
POSITION = record(
    Position,
    {
        "symbol": symbol,
        "lots": decimal(),
        "price": decimal(),
        "contract": decimal(Decimal(0)),
        "time": integer(),
        "sl": optional(decimal()),
        "tp": optional(decimal()),
        "ticket": optional(integer(1)),
    },
)
_STATE = {
    "stream": STREAM,
    "seq": SEQ,
    "time": integer(),
    "account": ACCOUNT,
    "positions": listing(POSITION, MOST_POSITIONS),
}
HELLO = record(
    Hello,
    {
        "version": integer(),
        "server": NAME,
        "stream": RUN,
        "heartbeat_ms": integer(100, 600_000),
        "time": integer(),
    },
)
_LOGIN = record(
    Login,
    {
        "version": integer(),
        "login": NAME,
        "password": optional(_SECRET),
        "token": optional(_SECRET),
        "symbols": _SYMBOLS,
        "known": optional(record(Known, {"stream": STREAM, "seq": SEQ})),
        "client": optional(NAME),
        "steady": optional(boolean),
        "publish": optional(boolean),
    },
)
_WELCOME = record(
    Welcome,
    {
        "user": NAME,
        "symbols": _SYMBOLS,
        "account": record(AccountKind, {"currency": CURRENCY, "hedging": boolean}),
        "stream": STREAM,
        "seq": SEQ,
        "time": integer(),
        "confirmed": optional(integer()),
    },
)
_ERROR = record(
    Error,
    {
        "code": pattern("[a-z]+(-[a-z]+){0,4}", "a code of lower-case words joined by hyphens"),
        "text": text(LONGEST_TEXT),
        "fatal": boolean,
    },
)
HEARTBEAT = record(Heartbeat, {"stream": STREAM, "seq": SEQ, "time": integer()})
_HELD = mapping(symbol, decimal(), MOST_POSITIONS)

_FROM_SERVER: dict[str, Callable[[Any, str], FromServer]] = {
    "hello": HELLO,
    "welcome": _WELCOME,
    "publishing": record(Publishing, {"user": NAME, "topic": NAME}),
    "snapshot": record(Snapshot, _STATE),
    "update": record(Update, {**_STATE, "previous": SEQ}),
    "heartbeat": HEARTBEAT,
    "error": _ERROR,
}
_FROM_CLIENT: dict[str, Callable[[Any, str], FromClient]] = {
    "login": _LOGIN,
    "ack": record(Ack, {"stream": STREAM, "seq": SEQ, "held": _HELD, "wanted": optional(_HELD)}),
    "resync": record(Resync, {}),
    "error": _ERROR,
}
_ANY: dict[str, Callable[[Any, str], Message]] = {**_FROM_SERVER, **_FROM_CLIENT}
# Made once: json.dumps would make one for each message.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def decode_from_server(data: str) -> FromServer:
    """The message in a text frame from a server.

    Errors: MessageError with the code too-large, malformed, version or type.
    """
    # A character has one to four bytes, so only a text between these sizes must be encoded to know.
    size = len(data)
    if size > MOST_FROM_SERVER // 4:
        size = len(data.encode("utf-8", "surrogatepass"))
    if size > MOST_FROM_SERVER:
        raise MessageError("too-large", f"a message of more than {MOST_FROM_SERVER} bytes")
    return decode_as(data, _FROM_SERVER)


def decode_from_client(data: str) -> FromClient:
    """The message in a text frame from a client.

    Errors: MessageError with the code too-large, malformed, version or type.
    """
    if len(data) > MOST_FROM_CLIENT:
        raise MessageError("too-large", f"a message of more than {MOST_FROM_CLIENT} characters")
    return decode_as(data, _FROM_CLIENT)


def encode(message: Message) -> str:
    """The text frame of a message.

    Errors: ValueError when the peer would refuse the message: it has a value outside the protocol's limits.
    """
    raw = _raw(message)
    _checked(raw, _ANY)
    data = _ENCODER.encode(raw)
    if message.type in _FROM_CLIENT and len(data) > MOST_FROM_CLIENT:
        raise MessageError("too-large", f"a message of more than {MOST_FROM_CLIENT} characters: {len(data)}")
    if message.type in _FROM_SERVER and (size := len(data.encode())) > MOST_FROM_SERVER:
        raise MessageError("too-large", f"a message of more than {MOST_FROM_SERVER} bytes: {size}")
    return data


def text_of(message: Typed) -> str:
    """The text frame of a message whose values were checked before: what encode() returns, without its checks."""
    return _ENCODER.encode(_raw(message))


def _raw(message: Typed) -> dict[str, Any]:
    return {"type": message.type, **plain(message)}


def decode_as(data: str, tables: Mapping[str, Callable[[Any, str], M]]) -> M:
    """The message in a text, which has one of the types of the table.

    Errors: MessageError with the code malformed, version or type.
    """
    try:
        raw = parse_json(data)
    except FieldError as problem:
        raise MessageError("malformed", str(problem)) from None
    return _checked(raw, tables)


def _checked(raw: Any, tables: Mapping[str, Callable[[Any, str], M]]) -> M:
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        raise MessageError("malformed", "not an object with a type")
    kind = raw["type"]
    if kind not in tables:
        raise MessageError("type", f"unknown type of message: {shown(kind)}")
    # The version is checked first: the other fields of another version may differ.
    if kind in ("hello", "login") and raw.get("version") != VERSION and isinstance(raw.get("version"), int):
        raise MessageError(
            "version", f"unsupported protocol version: {shown(raw['version'])}; this program has version {VERSION}"
        )
    try:
        message = tables[kind](raw, "")
        _RULES.get(kind, lambda _: None)(message)
    except FieldError as problem:
        raise MessageError("malformed", f"{kind}: {problem}") from None
    return message


# ---- rules that concern several fields


def _check_login(message: Login) -> None:
    if (message.password is None) == (message.token is None):
        refuse("", "needs either a password or a token")


def _check_snapshot(message: Snapshot) -> None:
    check_positions(message.positions, zero=False)


def _check_update(message: Update) -> None:
    if message.previous >= message.seq:
        refuse("previous", f"not less than seq {message.seq}: {message.previous}")
    check_positions(message.positions, zero=True)


def check_positions(positions: Iterable[Position | Holding], *, zero: bool) -> None:
    """Check the rules that concern several positions of a state; with ``zero`` a position may have been closed.

    Errors: FieldError.
    """
    seen: dict[str, set[int | None]] = {}
    for number, position in enumerate(positions):
        path = f"positions[{number}]"
        if not position.lots and (not zero or position.ticket is not None):
            refuse(f"{path}.lots", "a position of 0 lots")
        tickets = seen.setdefault(position.symbol, set())
        if tickets and (position.ticket is None or not tickets.isdisjoint({None, position.ticket})):
            refuse(path, f"a second position in {shown(position.symbol)} without a ticket of its own")
        tickets.add(position.ticket)


_RULES: dict[str, Callable[[Any], None]] = {
    "login": _check_login,
    "snapshot": _check_snapshot,
    "update": _check_update,
}
