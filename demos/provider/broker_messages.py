"""The messages of a provider at an MQTT broker: topics and payloads to values and back. No sockets, no clock, no state.

notes/broker.md describes them for everyone who implements them; this module is their definition in code. A payload is
one JSON object. Its topic says which types it may have. decode() checks every field, and raises one MessageError for
anything wrong; fields that this version does not know are ignored.

- ``status`` (retained): hello while the provider runs; the last will replaces it by gone.
- ``state/SYMBOL`` (retained): the positions of a symbol, with the seq of the state in which they changed last. It is
  deleted by an empty payload when the symbol becomes flat.
- ``summary`` (retained): the seq of the newest state, and of each symbol that has positions. A state is complete when
  the message of each symbol in the summary has the seq that the summary gives.
- ``heartbeat``: the provider lives, and the seq is still the newest.
- ``ask/CLIENT`` and ``answer/CLIENT``: a subscriber asks whether the provider lives; the answer repeats its nonce.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias
from urllib.parse import quote, unquote

from demos.provider.fields import boolean, integer, listing, mapping, pattern, record, refuse, symbol
from demos.provider.messages import VERSION, Account, AccountKind, Heartbeat, Hello, Position
from demos.provider.protocol import (
    ACCOUNT,
    CURRENCY,
    HEARTBEAT,
    HELLO,
    MOST_FROM_SERVER,
    MOST_POSITIONS,
    NAME,
    POSITION,
    RUN,
    SEQ,
    STREAM,
    MessageError,
    check_positions,
    decode_as,
    text_of,
)

STATUS, SUMMARY, HEARTBEATS = "status", "summary", "heartbeat"
STATE, ASK, ANSWER = "state/", "ask/", "answer/"

# The largest payloads in bytes: with positions or symbols, and all others.
MOST_STATE = MOST_FROM_SERVER
MOST_OTHER = 4096

_CLIENT = re.compile("[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Gone:
    """The provider with this run publishes no more: its connection was lost, or it has ended."""

    type: ClassVar[str] = "gone"
    version: int
    stream: str


@dataclass(frozen=True)
class SymbolState:
    """The positions of a symbol since the state with this seq; none: it is flat."""

    type: ClassVar[str] = "symbol"
    stream: str
    seq: int
    time: int
    symbol: str
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True)
class Summary:
    """A state without the positions: ``symbols`` are those with positions, each with the seq of its message."""

    type: ClassVar[str] = "summary"
    stream: str
    seq: int
    time: int
    account: Account
    symbols: dict[str, int]


@dataclass(frozen=True)
class AskProvider:
    """A question of a subscriber: is there a provider now? ``nonce`` are random digits."""

    type: ClassVar[str] = "ask"
    version: int
    nonce: str


@dataclass(frozen=True)
class Answer:
    """The provider's answer, written after the question with this nonce was sent."""

    type: ClassVar[str] = "answer"
    version: int
    nonce: str
    server: str
    heartbeat_ms: int
    account: AccountKind
    stream: str
    seq: int
    time: int


BrokerMessage: TypeAlias = Hello | Gone | SymbolState | Summary | Heartbeat | AskProvider | Answer


class Delivered(NamedTuple):
    """A decoded message; ``client``: of whom or for whom an ask or an answer is, otherwise ""."""

    message: BrokerMessage
    client: str = ""


def _symbol_state(**fields: Any) -> SymbolState:
    message = SymbolState(**fields)
    for number, position in enumerate(message.positions):
        if position.symbol != message.symbol:
            refuse(f"positions[{number}].symbol", f"not {message.symbol!r}: {position.symbol!r}")
    check_positions(message.positions, zero=False)
    return message


_VERSION = integer(VERSION, VERSION)
_NONCE = pattern("[0-9a-f]{32}", "a nonce of 32 hexadecimal digits")
_GONE = record(Gone, {"version": _VERSION, "stream": RUN})
_SYMBOL = record(
    _symbol_state,
    {
        "stream": STREAM,
        "seq": SEQ,
        "time": integer(),
        "symbol": symbol,
        "positions": listing(POSITION, MOST_POSITIONS),
    },
)
_SUMMARY = record(
    Summary,
    {
        "stream": STREAM,
        "seq": SEQ,
        "time": integer(),
        "account": ACCOUNT,
        "symbols": mapping(symbol, SEQ, MOST_POSITIONS),
    },
)
_ASK = record(AskProvider, {"version": _VERSION, "nonce": _NONCE})
_ANSWER = record(
    Answer,
    {
        "version": _VERSION,
        "nonce": _NONCE,
        "server": NAME,
        "heartbeat_ms": integer(100, 600_000),
        "account": record(AccountKind, {"currency": CURRENCY, "hedging": boolean}),
        "stream": STREAM,
        "seq": SEQ,
        "time": integer(),
    },
)

_Table: TypeAlias = dict[str, Callable[[Any, str], BrokerMessage]]
# The messages of a topic, and the largest payload.
_TABLES: dict[str, tuple[_Table, int]] = {
    STATUS: ({"hello": HELLO, "gone": _GONE}, MOST_OTHER),
    SUMMARY: ({"summary": _SUMMARY}, MOST_STATE),
    HEARTBEATS: ({"heartbeat": HEARTBEAT}, MOST_OTHER),
    STATE: ({"symbol": _SYMBOL}, MOST_STATE),
    ASK: ({"ask": _ASK}, MOST_OTHER),
    ANSWER: ({"answer": _ANSWER}, MOST_OTHER),
}


def decode(prefix: str, topic: str, payload: bytes) -> Delivered:
    """The message in a payload.

    Errors: MessageError when the topic is not one of this prefix, or when the payload does not belong to it.
    """
    kind, name = _topic_parts(prefix, topic)
    table, most = _TABLES[kind]
    if len(payload) > most:
        raise MessageError("too-large", f"{topic}: more than {most} bytes: {len(payload)}")
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        raise MessageError("malformed", f"{topic}: not UTF-8") from None
    try:
        message = decode_as(text, table)
    except MessageError as problem:
        raise MessageError(problem.code, f"{topic}: {problem}") from None
    if isinstance(message, SymbolState) and message.symbol != name:
        raise MessageError("malformed", f"{topic}: the state of another symbol: {message.symbol!r}")
    return Delivered(message, "" if isinstance(message, SymbolState) else name)


def encode(message: BrokerMessage) -> bytes:
    """The payload of a message whose values were checked before."""
    return text_of(message).encode()


def state_topic(symbol: str) -> str:
    """The topic of a symbol below the prefix: what topics cannot contain, and more, is percent-encoded."""
    return STATE + quote(symbol, safe="")


def _topic_parts(prefix: str, topic: str) -> tuple[str, str]:
    """The key of _TABLES, and the symbol or client in the topic. Errors: MessageError."""
    rest = topic.removeprefix(f"{prefix}/")
    if rest != topic and rest in (STATUS, SUMMARY, HEARTBEATS):
        return rest, ""
    kind, _, last = rest.partition("/")
    kind += "/"
    if rest == topic or kind not in (STATE, ASK, ANSWER):
        raise MessageError("topic", f"unknown topic: {topic[:200]!r}")
    if kind == STATE:
        symbol = unquote(last, errors="replace")
        if state_topic(symbol) != rest:
            raise MessageError("topic", f"not the topic of a symbol: {topic[:200]!r}")
        return kind, symbol
    if not _CLIENT.fullmatch(last):
        raise MessageError("topic", f"not the topic of a client: {topic[:200]!r}")
    return kind, last
