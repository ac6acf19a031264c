"""Messages of the ideas' protocols: JSON objects in WebSocket text frames, decoded and encoded by one strict table.

A protocol declares each message as a frozen dataclass with a ``type``, and each field by a check of
demos/provider/fields.py. A Codec of one direction decodes with the table and encodes with the same checks, so that no
program sends what its peer refuses. Fields that the table does not know are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from demos.provider.fields import FieldError, parse_json, pattern, plain, record, shown, text
from demos.provider.protocol import LONGEST_TEXT, MessageError

__all__ = ["ERROR", "Codec", "Error", "MessageError", "TypedMessage", "error_message", "reported"]


class TypedMessage(Protocol):
    """A frozen dataclass with the type of its message."""

    @property
    def type(self) -> str: ...


M = TypeVar("M", bound=TypedMessage)

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Error:
    """Why the sender ends the connection: a code for programs, and a sentence for the log."""

    type: ClassVar[str] = "error"
    code: str
    text: str


ERROR = record(
    Error,
    {
        "code": pattern("[a-z]+(-[a-z]+){0,4}", "a code of lower-case words joined by hyphens"),
        "text": text(LONGEST_TEXT),
    },
)


def reported(error: Error) -> MessageError:
    """The end of a client that has sent an Error: the client ends the connection, and so does the server.

    Otherwise a client could send one after another, each of which is a line in the server's log.
    """
    return MessageError("reported", f"the client reports {error.code}: {error.text}")


def error_message(code: str, problem: str) -> str:
    """The text of an Error; what cannot be part of one is replaced or left out."""
    shown_text = "".join(each if each.isprintable() else "?" for each in problem)[:LONGEST_TEXT]
    return _ENCODER.encode({"type": Error.type, "code": code, "text": shown_text or code})


class Codec(Generic[M]):
    """The messages of one direction of a protocol."""

    def __init__(self, tables: Mapping[str, Callable[[Any, str], M]], most: int, version: int = 1) -> None:
        """``tables``: the check of each type of message; ``most``: characters of a message; ``version``: of hello."""
        self._tables = dict(tables)
        self._most = most
        self._version = version

    def decode(self, data: str) -> M:
        """The message in a text frame.

        Errors: MessageError with the code too-large, malformed, version or type.
        """
        self._check_size(data)
        try:
            raw = parse_json(data)
        except FieldError as problem:
            raise MessageError("malformed", str(problem)) from None
        return self._checked(raw)

    def encode(self, message: M) -> str:
        """The text frame of a message.

        Errors: MessageError, as decode() of the peer would raise it.
        """
        raw = {"type": message.type, **plain(message)}
        self._checked(raw)
        data = _ENCODER.encode(raw)
        self._check_size(data)
        return data

    def _check_size(self, data: str) -> None:
        if len(data) > self._most:
            raise MessageError("too-large", f"a message of more than {self._most} characters: {len(data)}")

    def _checked(self, raw: Any) -> M:
        if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
            raise MessageError("malformed", "not an object with a type")
        kind = raw["type"]
        if kind not in self._tables:
            raise MessageError("type", f"unknown type of message: {shown(kind)}")
        # The version is checked first: the other fields of another version may differ.
        version = raw.get("version")
        if kind == "hello" and type(version) is int and version != self._version:
            text = f"unsupported protocol version: {shown(version)}; this program has version {self._version}"
            raise MessageError("version", text)
        try:
            return self._tables[kind](raw, "")
        except FieldError as problem:
            raise MessageError("malformed", f"{kind}: {problem}") from None
