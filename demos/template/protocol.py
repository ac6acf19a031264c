"""The template server's messages to bytes and back: no sockets, no clock.

The plain message is the article's: 10 bytes of symbol, 10 bytes of period (the number of its PERIOD_*, in digits), then
the template file, UTF-16LE from its byte order mark on, ended by two zero bytes. Both fields end with a NUL; here the
rest of them is NULs, from the original server it is whatever was in its memory. The message ends with the connection:
nothing tells a whole one from a torn one but the two zero bytes and the template's own closing marks.

A connection that stays open (this project's own addition) begins with the client's HELLO. From then on the server sends
frames: four bytes of length in network order and a plain message of that length, for each change of the chart. A
length of 0 says that the server is still there.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from demos.terminal.charts.template_file import BOM, TemplateError, parse
from demos.wire.codepages import codec_of

FIELD = 10
HEADER = 2 * FIELD

# More than any template needs; what says that it is larger is none.
MOST_BYTES = 16 * 1024 * 1024

# No HTTP request begins like this, and the plain client sends nothing.
HELLO = b"<<TPL|1>>\0"

_LENGTH = struct.Struct("!I")
_END = b"\0\0"


class Layout(NamedTuple):
    """A chart's symbol, its PERIOD_*, and its template with the two zero bytes at the end."""

    symbol: str
    period: int
    template: bytes


class LayoutError(ValueError):
    """Bytes that are no whole message; the text says what is wrong with them."""


def symbol_problem(symbol: str, codepage: int) -> str | None:
    """Why no message can carry this symbol, or None when it can."""
    try:
        length = len(symbol.encode(codec_of(codepage)))
    except UnicodeEncodeError:
        return f"a message cannot carry the symbol {symbol}: code page {codepage} lacks some of its letters"
    if not 0 < length < FIELD or "\0" in symbol:
        return f"a message cannot carry the symbol {symbol}: it has room for {FIELD - 1} characters"
    return None


def prepare(file: bytes, program: str) -> bytes:
    """A template file as it is sent: one blank in place of each ``program``, and two zero bytes at the end.

    Errors: TemplateError when the file is no template.
    """
    parse(file)
    text = file.decode("utf-16-le", "surrogatepass").partition("\0")[0]
    return text.replace(program, " ").encode("utf-16-le", "surrogatepass") + _END


def encode(symbol: str, period: int, template: bytes, codepage: int) -> bytes:
    """The message; ``template`` is what prepare() gave."""
    fields = (symbol.encode(codec_of(codepage)), str(period).encode())
    assert all(len(field) < FIELD for field in fields)
    return b"".join(field.ljust(FIELD, b"\0") for field in fields) + template


def decode(data: bytes, codepage: int) -> Layout:
    """The newest layout in what one connection has brought: the original server sends the older ones before it.

    Errors: LayoutError when there is none, or the last one is not whole.
    """
    found: Layout | None = None
    place = 0
    while place < len(data):
        header, place = data[place : place + HEADER], place + HEADER
        symbol, period = _fields(header, codepage)
        # The original server sends a header alone when it could not read its own file.
        if data[place : place + len(BOM)] != BOM:
            continue
        end = _end_of(data, place)
        found = Layout(symbol, period, data[place:end])
        place = end
    if found is None:
        raise LayoutError("a header without a template" if data else "nothing: the server has no template yet")
    try:
        parse(found.template)
    except TemplateError as error:
        raise LayoutError(f"no template: {error}") from None
    return found


def _fields(header: bytes, codepage: int) -> tuple[str, int]:
    if len(header) < HEADER:
        raise LayoutError(f"a torn message: {len(header)} bytes of a header of {HEADER}")
    name, digits = header[:FIELD].partition(b"\0")[0], header[FIELD:].partition(b"\0")[0]
    try:
        symbol = name.decode(codec_of(codepage))
    except UnicodeDecodeError:
        symbol = ""
    if not symbol or not symbol.isprintable() or not digits.isdigit():
        raise LayoutError(f"no header of a template: {header!r}")
    return symbol, int(digits)


def _end_of(data: bytes, begin: int) -> int:
    """Where the template that begins there has ended."""
    end = begin
    while (end := data.find(_END, end)) >= 0:
        if (end - begin) % 2 == 0:
            return end + len(_END)
        end += 1
    raise LayoutError(f"a torn message: {len(data) - begin} bytes of a template, without its end")


def frame(message: bytes) -> bytes:
    """A message with its length; an empty one says that the server is still there."""
    return _LENGTH.pack(len(message)) + message


class FrameReader:
    """Takes the bytes of a connection that stays open, however they are cut, and gives the messages in them."""

    def __init__(self) -> None:
        self.problem = ""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        self._buffer += data

    def next(self) -> bytes | None:
        """The next message, which may be empty, or None until more bytes come.

        When ``problem`` says why, the peer is no template server and nothing more will come.
        """
        if self.problem or len(self._buffer) < _LENGTH.size:
            return None
        [length] = _LENGTH.unpack_from(self._buffer)
        if length > MOST_BYTES:
            self.problem = f"a message of {length} bytes is announced"
        if self.problem or len(self._buffer) < _LENGTH.size + length:
            return None
        message = bytes(self._buffer[_LENGTH.size : _LENGTH.size + length])
        del self._buffer[: _LENGTH.size + length]
        return message
