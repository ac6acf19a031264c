"""The tick pair's datagrams to bytes and back: no sockets, no clock.

One datagram is one tick: ``SYMBOL BID`` and a NUL, as in ``EURUSD 1.10000\\0``. BID has the symbol's number of digits;
the text is in an 8-bit code page. The symbol may contain blanks, so the last blank separates it from the price.

A datagram carries no number and no time. The product sender can add a mark of its own after the NUL (``--sequence``):
``#RUN NUMBER\\0``. RUN identifies one start of the sender (16 hexadecimal digits), NUMBER counts its ticks from 1, so a
receiver can count the ticks that were lost. The article's server reads up to the first NUL and ignores the mark.

The study programs server.py and client.py build and read the text themselves, as the article does, and take the checks
from here. The products `tick_collector` and `tick_sender` use encode() and decode().
"""

from __future__ import annotations

import re
from typing import NamedTuple

from demos.terminal.mql.conversion import DoubleToString
from demos.terminal.points import price_text
from demos.terminal.symbols import symbol_problem
from demos.wire.codepages import codec_of
from demos.wire.ports import listening_port_problem as listening_port_problem
from demos.wire.ports import port_problem as port_problem

# The size of the article's receive buffer. A longer datagram is not a tick.
MAX_DATAGRAM = 1024

# The code page of the article's text (CP_ACP) on a Western European Windows.
CODEPAGE = 1252

_DATAGRAM = re.compile(rb"([^\0]*)(?:\0#([0-9a-f]{16}) ([1-9]\d{0,14})\0|\0*)")
_BID = re.compile(r"(\d{1,9})(?:\.(\d{1,8}))?", re.ASCII)


class Quote(NamedTuple):
    """A tick: ``bid`` counts points of 10**-digits. ``number`` is 0 in a datagram without a mark."""

    symbol: str
    bid: int
    digits: int
    run: str = ""
    number: int = 0

    @property
    def text(self) -> str:
        """``SYMBOL BID``, as in the datagram."""
        return f"{self.symbol} {price_text(self.bid, self.digits)}"


class InvalidDatagram(NamedTuple):
    """A datagram that is not a tick, as text, and the reason."""

    text: str
    reason: str


def tick_symbol_problem(symbol: str, codepage: int = CODEPAGE) -> str | None:
    """Why no datagram can carry this symbol, or None when one can."""
    problem = symbol_problem(symbol)
    if problem:
        return problem
    try:
        symbol.encode(codec_of(codepage))
    except UnicodeEncodeError:
        return f"invalid symbol: {symbol!r} has characters that code page {codepage} lacks"
    return None


def datagram_problem(datagram: bytes) -> str | None:
    """Why a datagram is not a tick, with its first 60 characters, or None when it is a tick."""
    tick = decode(datagram)
    return f"{tick.reason}: '{tick.text[:60]}'" if isinstance(tick, InvalidDatagram) else None


def encode(symbol: str, bid: float, digits: int, codepage: int = CODEPAGE, run: str = "", number: int = 0) -> bytes:
    """The tick's datagram, with a mark when ``run`` is not empty.

    Errors: UnicodeEncodeError when the code page lacks a character of the symbol.
    """
    tick = f"{symbol} {DoubleToString(bid, digits)}".encode(codec_of(codepage)) + b"\0"
    return tick + f"#{run} {number}\0".encode() if run else tick


def decode(datagram: bytes, codepage: int = CODEPAGE) -> Quote | InvalidDatagram:
    """The tick in a datagram. It may end without a NUL or with several; after the first only the mark may follow."""
    codec = codec_of(codepage)
    if not datagram.strip(b"\0"):
        return InvalidDatagram(datagram.decode("latin-1"), "empty datagram")
    parts = _DATAGRAM.fullmatch(datagram)
    if not parts:
        return InvalidDatagram(datagram.decode(codec, "backslashreplace"), "unexpected bytes after the NUL")
    try:
        text = parts[1].decode(codec)
    except UnicodeDecodeError:
        return InvalidDatagram(parts[1].decode(codec, "backslashreplace"), "bytes outside the code page")
    symbol, _, bid = text.rpartition(" ")
    if symbol_problem(symbol):
        return InvalidDatagram(text, "not of the form SYMBOL BID")
    price = _BID.fullmatch(bid)
    fraction = (price[2] or "") if price else ""
    points = int(price[1] + fraction) if price else 0
    if points == 0:
        return InvalidDatagram(text, "the price is not a positive number with at most 8 decimals")
    run, number = (parts[2].decode(), int(parts[3])) if parts[2] else ("", 0)
    return Quote(symbol, points, len(fraction), run, number)
