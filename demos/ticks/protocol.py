"""The tick pair's datagrams to bytes and back: no sockets, no clock.

A datagram is one tick: ``SYMBOL BID`` and a NUL, as in ``EURUSD 1.10000\\0``; BID has the symbol's number of digits,
the text is in an 8-bit code page. It has no number and no time. Where our clients are told to (``--sequence``), a mark
of our own follows the NUL, ``#RUN NUMBER\\0``: RUN is the client's, 16 hexadecimal digits, and NUMBER counts its ticks
from 1, so that a server can tell what was lost. The original server reads up to the first NUL and sees the tick alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from demos.terminal.mql.conversion import DoubleToString
from demos.wire.codepages import codec_of

# What the original server's buffer holds; a longer datagram is no tick.
LONGEST = 1024

LONGEST_SYMBOL = 64

_FORM = re.compile(rb"([^\0]*)(?:\0#([0-9a-f]{16}) ([1-9]\d{0,14})\0|\0*)")
_BID = re.compile(r"(\d{1,9})(?:\.(\d{1,8}))?", re.ASCII)


class Quote(NamedTuple):
    """A tick: ``bid`` counts points of 10**-digits. ``number`` is 0 where the datagram has none."""

    symbol: str
    bid: int
    digits: int
    run: str = ""
    number: int = 0


class Refused(NamedTuple):
    """A datagram that is no tick."""

    text: str
    reason: str


def symbol_problem(symbol: str, codepage: int) -> str | None:
    """Why no datagram can carry this symbol, or None when it can."""
    if not 0 < len(symbol) <= LONGEST_SYMBOL:
        return f"a symbol has 1 to {LONGEST_SYMBOL} letters, {symbol!r} has {len(symbol)}"
    if not symbol.isprintable() or symbol != symbol.strip():
        return f"a datagram cannot carry the symbol {symbol!r}: it begins or ends with a blank, or is not printable"
    try:
        symbol.encode(codec_of(codepage))
    except UnicodeEncodeError:
        return f"a datagram cannot carry the symbol {symbol}: code page {codepage} lacks some of its letters"
    return None


def encode(symbol: str, bid: float, digits: int, codepage: int, run: str = "", number: int = 0) -> bytes:
    """The tick's datagram, with the mark of our own where ``run`` is not empty.

    Errors: UnicodeEncodeError when the code page lacks a letter.
    """
    tick = f"{symbol} {DoubleToString(bid, digits)}".encode(codec_of(codepage)) + b"\0"
    return tick + f"#{run} {number}\0".encode() if run else tick


def decode(datagram: bytes, codepage: int) -> Quote | Refused:
    """What a datagram says. It may end without a NUL, or with several; anything else behind the first is our mark."""
    codec = codec_of(codepage)
    if not datagram.strip(b"\0"):
        return Refused(datagram.decode("latin-1"), "an empty datagram")
    form = _FORM.fullmatch(datagram)
    if not form:
        return Refused(datagram.decode(codec, "backslashreplace"), "more behind the text")
    try:
        text = form[1].decode(codec)
    except UnicodeDecodeError:
        return Refused(form[1].decode(codec, "backslashreplace"), "bytes that the code page lacks")
    symbol, _, bid = text.rpartition(" ")
    if symbol_problem(symbol, codepage):
        return Refused(text, "not of the form SYMBOL BID")
    price = _BID.fullmatch(bid)
    fraction = (price[2] or "") if price else ""
    points = int(price[1] + fraction) if price else 0
    if points == 0:
        return Refused(text, "no price above 0 of at most 8 digits")
    run, number = (form[2].decode(), int(form[3])) if form[2] else ("", 0)
    return Quote(symbol, points, len(fraction), run, number)
