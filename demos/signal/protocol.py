"""The messages of the signal protocol, to bytes and back: no sockets, no clock.

A message states the position in one symbol: ``<<SYMBOL|LOTS>>`` and a NUL, as in ``<<EURUSD|-0.25>>\\0``. LOTS is
signed and has two digits; the text is in an 8-bit code page. A message has no number, no time and no sender.

The study programs server.py and client.py build and cut the text themselves, as the article does, and take the checks
from here. The products `provider` and `copier` use encode() and Reader.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from demos.terminal import symbols
from demos.wire.codepages import codec_of
from demos.wire.ports import listening_port_problem, port_problem

__all__ = [
    "CODEC",
    "CODEPAGE",
    "LONGEST",
    "MOST_DROPPED",
    "Reader",
    "Signal",
    "Unreadable",
    "encode",
    "listening_port_problem",
    "parse_lots",
    "port_problem",
    "step_problem",
    "symbol_problem",
]

# The code page of the study programs: the article's CP_ACP on a Western European Windows.
CODEPAGE = 1252
CODEC = codec_of(CODEPAGE)

BEGIN = b"<<"
END = b">>"
SEPARATOR = "|"

# Limits of what a reader accepts, in bytes: an unfinished message, and data without any message.
LONGEST = 256
MOST_DROPPED = 64 * 1024

_HUNDREDTH = Decimal("0.01")
_MOST_LOTS = 10**9
_ROUNDING = 1e-6
_LOTS = re.compile(r" *([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,2})?) *", re.ASCII)


class Signal(NamedTuple):
    """A message: the symbol's position is ``lots``, negative for a sell."""

    symbol: str
    lots: Decimal


class Unreadable(NamedTuple):
    """The text between a begin mark and an end mark that is not a message, and the reason."""

    text: str
    reason: str


def symbol_problem(symbol: str, codepage: int) -> str | None:
    """Why no message in this code page can carry the symbol, or None when one can."""
    problem = symbols.symbol_problem(symbol)
    if problem:
        return problem
    try:
        longest = encode(symbol, -_MOST_LOTS + 1, codepage)
    except UnicodeEncodeError:
        return f"code page {codepage} cannot encode the symbol {symbol!r}"
    if len(longest) > LONGEST:
        return f"the symbol {symbol!r} is too long for a message of {LONGEST} bytes in code page {codepage}"
    return None


def step_problem(step: float) -> str | None:
    """Why no message can carry volumes of this step, or None when one can."""
    if step > 0 and Decimal(repr(step)) % _HUNDREDTH == 0:
        return None
    return f"a message cannot carry volumes in steps of {step:g} lots: it has two digits"


def encode(symbol: str, lots: float, codepage: int) -> bytes:
    """The message, with its NUL, that states the symbol's position.

    Errors: ValueError when the volume has more than two digits; UnicodeEncodeError when the code page lacks a letter.
    """
    text = f"{lots:.2f}"
    if not abs(float(text) - lots) <= _ROUNDING:
        raise ValueError(f"a message cannot carry {lots} lots: it has two digits")
    # The rounding error of a hedged sum may turn zero into -0.00.
    text = "0.00" if text == "-0.00" else text
    return f"<<{symbol}{SEPARATOR}{text}>>".encode(codec_of(codepage)) + b"\0"


def parse_lots(text: str) -> Decimal | None:
    """The volume in a message, as the original client reads it; None for no number, or one of more than two digits."""
    match = _LOTS.fullmatch(text)
    if not match:
        return None
    value = Decimal(match[1])
    if abs(value) >= _MOST_LOTS:
        return None
    rounded = value.quantize(_HUNDREDTH)
    # Adding 0 removes the sign of -0.00.
    return rounded + 0 if rounded == value else None


class Reader:
    """Finds the messages in the bytes of one connection, which may arrive in pieces of any size.

    It drops everything outside the marks: NULs, and the remains of older messages that the original server sends after
    a shorter one. A begin mark inside an unfinished message starts a new message.
    """

    def __init__(self, codepage: int) -> None:
        self.problem = ""
        self._codec = codec_of(codepage)
        self._buffer = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        """Add received bytes; next() returns the messages in them."""
        self._buffer += data

    def next(self) -> Signal | Unreadable | None:
        """The next message, readable or not, or None when more bytes are needed.

        When ``problem`` is not empty the peer is not a signal server, and the reader returns no more messages.
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
        lots = parse_lots(rest[0])
        return Unreadable(text, "no volume of two digits") if lots is None else Signal(symbol, lots)
