"""The signal server's messages to bytes and back: no sockets, no clock.

A message says which position a symbol has: ``<<SYMBOL|LOTS>>`` and a NUL, as in ``<<EURUSD|-0.25>>\\0``. LOTS are
signed and have two digits; the text is in an 8-bit code page. There is no number, no time and no sender.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from demos.wire.codepages import codec_of

BEGIN = b"<<"
END = b">>"
SEPARATOR = "|"

# What ends a connection: an unfinished message of more bytes, or so many bytes without any message.
LONGEST = 256
MOST_DROPPED = 64 * 1024

_HUNDREDTH = Decimal("0.01")
_MOST_LOTS = 10**9
_ROUNDING = 1e-6
_LOTS = re.compile(r" *([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?) *", re.ASCII)


class Signal(NamedTuple):
    """A message: the symbol's position is now ``lots``, negative when it was sold."""

    symbol: str
    lots: Decimal


class Unreadable(NamedTuple):
    """What stood between a begin mark and its end mark without being a message."""

    text: str
    reason: str


def symbol_problem(symbol: str, codepage: int) -> str | None:
    """Why no message can carry this symbol, or None when it can."""
    for mark, name in ((SEPARATOR, "|"), ("<<", "<<"), (">>", ">>"), ("\0", "NUL")):
        if mark in symbol:
            return f"a message cannot carry the symbol {symbol}: it holds {name}"
    if not symbol or symbol.startswith("<"):
        return f"a message cannot carry the symbol {symbol!r}: it is empty, or joins the begin mark"
    try:
        longest = encode(symbol, -_MOST_LOTS + 1, codepage)
    except UnicodeEncodeError:
        return f"a message cannot carry the symbol {symbol}: code page {codepage} lacks some of its letters"
    return None if len(longest) <= LONGEST else "a message cannot carry a symbol as long as this"


def step_problem(step: float) -> str | None:
    """Why no message can carry volumes of this step, or None when it can."""
    if step > 0 and Decimal(repr(step)) % _HUNDREDTH == 0:
        return None
    return f"a message cannot carry volumes in steps of {step:g} lots: it has two digits"


def encode(symbol: str, lots: float, codepage: int) -> bytes:
    """The message that the symbol's position is ``lots``, with its NUL.

    Errors: ValueError when two digits cannot say the volume; UnicodeEncodeError when the code page lacks a letter.
    """
    text = f"{lots:.2f}"
    if not abs(float(text) - lots) <= _ROUNDING:
        raise ValueError(f"{lots} lots are finer than a message can say")
    # A hedged sum may miss zero by the double's own error, from below as well.
    text = "0.00" if text == "-0.00" else text
    return f"<<{symbol}{SEPARATOR}{text}>>".encode(codec_of(codepage)) + b"\0"


class Reader:
    """Takes the bytes of one connection, however they are cut, and gives the messages that are in them.

    Whatever stands outside the marks is dropped: NULs, and the ends of older messages that the original server sends
    behind a shorter one. A begin mark inside an unfinished message begins anew.
    """

    def __init__(self, codepage: int) -> None:
        self.problem = ""
        self._codec = codec_of(codepage)
        self._buffer = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        """Take what was received; next() tells what it held."""
        self._buffer += data

    def next(self) -> Signal | Unreadable | None:
        """The next message, something unreadable, or None until more bytes come.

        When ``problem`` says why, the peer is no signal server and nothing more will come.
        """
        while not self.problem:
            begin = self._buffer.find(BEGIN)
            if begin < 0:
                # A last "<" may be the first half of a mark.
                self._drop(len(self._buffer) - self._buffer.endswith(BEGIN[:1]))
                return None
            if begin > 0:
                self._drop(begin)
                continue
            again = self._buffer.find(BEGIN, 1, LONGEST + 1)
            end = self._buffer.find(END, len(BEGIN), LONGEST + 1)
            if again > 0 and not 0 < end < again:
                self._drop(again)
            elif end > 0:
                body = bytes(self._buffer[len(BEGIN) : end])
                del self._buffer[: end + len(END)]
                self._dropped = 0
                if body:
                    return self._message(body)
            elif len(self._buffer) > LONGEST:
                self.problem = f"a message longer than {LONGEST} bytes"
            else:
                break
        return None

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._dropped += count
        if self._dropped > MOST_DROPPED:
            self.problem = f"{MOST_DROPPED // 1024} KiB without a message"

    def _message(self, body: bytes) -> Signal | Unreadable:
        try:
            text = body.decode(self._codec)
        except UnicodeDecodeError:
            return Unreadable(body.decode(self._codec, "backslashreplace"), "bytes that the code page lacks")
        symbol, *rest = text.split(SEPARATOR)
        if len(rest) != 1 or not symbol or "\0" in text:
            return Unreadable(text, "not of the form SYMBOL|LOTS")
        lots = _lots(rest[0])
        return Unreadable(text, "no volume of two digits") if lots is None else Signal(symbol, lots)


def _lots(text: str) -> Decimal | None:
    match = _LOTS.fullmatch(text)
    if not match:
        return None
    value = Decimal(match[1])
    if abs(value) >= _MOST_LOTS:
        return None
    rounded = value.quantize(_HUNDREDTH)
    # The sum with 0 takes the sign from -0.00.
    return rounded + 0 if rounded == value else None
