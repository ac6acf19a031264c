"""The template pair's message, to bytes and back: no sockets, no clock.

A message is the article's: 10 bytes of symbol, 10 bytes of period (the number of its PERIOD_*, in decimal digits), then
the template file, UTF-16LE from its byte order mark on, and two zero bytes. A NUL ends each of the two fields; the
bytes after it are zero here and undefined in a message of the original server. A message has no length: it ends with
the connection. A receiver can tell a whole message from a cut one only by the two zero bytes, by the even length and
by the closing tags of the template. A server of ours sends an 8-bit template file as UTF-16LE; a client also accepts a
message with an 8-bit template, which one or more zero bytes end.

The study programs server.py and client.py build and cut the messages themselves, as the article does, and take the
checks from here. The products `chart_server` and `chart_client` use prepare(), encode() and decode().
"""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import NamedTuple

from demos.terminal import symbols
from demos.terminal.charts.template import BOM, TemplateError, parse, text_of
from demos.wire.codepages import codec_of
from demos.wire.ports import listening_port_problem as listening_port_problem
from demos.wire.ports import port_problem as port_problem

FIELD = 10
HEADER = 2 * FIELD

# The code page of a western Windows, which the original programs use there.
CP_ACP = 1252

# The largest message that a client accepts: far more than any template needs.
MAX_BYTES = 16 * 1024 * 1024

_END = b"\0\0"


class Layout(NamedTuple):
    """A chart's symbol, its PERIOD_*, and its template with the two zero bytes at the end."""

    symbol: str
    period: int
    template: bytes


class LayoutError(ValueError):
    """Bytes that are not a whole message or not a template; the text states what is wrong with them."""


class IncompleteError(LayoutError):
    """The beginning of a message, or nothing: the rest was lost, or the server has no template yet."""


def symbol_problem(symbol: str, codepage: int = CP_ACP) -> str | None:
    """Why a message cannot carry this symbol, or None when it can."""
    problem = symbols.symbol_problem(symbol)
    if problem:
        return problem
    try:
        length = len(symbol.encode(codec_of(codepage)))
    except UnicodeEncodeError:
        return f"a message cannot carry the symbol {symbol!r}: code page {codepage} lacks some of its characters"
    if length >= FIELD:
        return f"a message cannot carry the symbol {symbol!r}: it has {length} bytes, and the field has room for 9"
    return None


def check_template(file: bytes) -> None:
    """Check that the bytes are a whole template, with or without the two zero bytes at the end.

    Errors: LayoutError when they are not.
    """
    try:
        parse(file)
    except TemplateError as error:
        raise LayoutError(f"not a template: {error}") from None


def utf16_template(file: bytes, codepage: int = CP_ACP) -> bytes:
    """A template file in UTF-16LE with its byte order mark; ``codepage`` is that of an 8-bit file.

    Errors: LayoutError when the file is not a template.
    """
    check_template(file)
    return BOM + text_of(file, codec_of(codepage)).encode("utf-16-le", "surrogatepass")


def prepare(file: bytes, program: str, codepage: int = CP_ACP) -> bytes:
    """A template file as it is sent: one blank in place of each ``program``, and two zero bytes at the end.

    Errors: LayoutError when the file is not a template, or is none without the NULs and the program's name.
    """
    # A NUL would end the message too early.
    text = utf16_template(file, codepage).decode("utf-16-le", "surrogatepass").replace("\0", "")
    template = text.replace(program, " ").encode("utf-16-le", "surrogatepass") + _END
    # Without them, what was a line may be a tag.
    check_template(template)
    return template


def encode(symbol: str, period: int, template: bytes, codepage: int = CP_ACP) -> bytes:
    """The message; ``template`` is a result of prepare(), and symbol_problem() has accepted ``symbol``."""
    fields = (symbol.encode(codec_of(codepage)), str(period).encode())
    assert all(len(field) < FIELD for field in fields)
    return b"".join(field.ljust(FIELD, b"\0") for field in fields) + template


def last_message(data: bytes, codepage: int = CP_ACP) -> bytes:
    """The newest message among the bytes of one connection: the original server sends the older ones before it.

    Errors: LayoutError when there is none, or the last one is not whole.
    """
    found = b""
    position = 0
    while position < len(data):
        begin, position = position, position + HEADER
        _fields(data[begin:position], codepage)
        # The original server sends a header alone when it could not read its own file. No symbol begins with "<".
        if data.startswith(BOM, position):
            position = _end_of(data, position)
        elif data.startswith((b"<", BOM_UTF8 + b"<"), position):
            position = _end_of_8_bit(data, position)
        else:
            continue
        found = data[begin:position]
    if not found:
        if not data:
            raise IncompleteError("0 bytes: it has no template yet")
        # A connection that was cut here, or an original server that could not read its file.
        raise IncompleteError("a header without a template")
    check_template(found[HEADER:])
    return found


def decode(data: bytes, codepage: int = CP_ACP) -> Layout:
    """The layout in the newest message among the bytes of one connection.

    Errors: those of last_message().
    """
    message = last_message(data, codepage)
    return Layout(*_fields(message[:HEADER], codepage), message[HEADER:])


def _fields(header: bytes, codepage: int) -> tuple[str, int]:
    if len(header) < HEADER:
        raise IncompleteError(f"an incomplete message: {len(header)} of the {HEADER} bytes of a header")
    name, digits = header[:FIELD].partition(b"\0")[0], header[FIELD:].partition(b"\0")[0]
    try:
        symbol = name.decode(codec_of(codepage))
    except UnicodeDecodeError:
        symbol = ""
    if symbols.symbol_problem(symbol) or not digits.isdigit():
        raise LayoutError(f"an invalid header: {header!r}")
    return symbol, int(digits)


def _end_of_8_bit(data: bytes, begin: int) -> int:
    """The index after the zero bytes that end the 8-bit template that begins at ``begin``."""
    end = data.find(b"\0", begin)
    if end < 0:
        raise IncompleteError(f"an incomplete message: {len(data) - begin} bytes of a template without its end")
    while data.startswith(b"\0", end):
        end += 1
    return end


def _end_of(data: bytes, begin: int) -> int:
    """The index after the template that begins at ``begin``."""
    end = begin
    while (end := data.find(_END, end)) >= 0:
        if (end - begin) % 2 == 0:
            return end + len(_END)
        end += 1
    raise IncompleteError(f"an incomplete message: {len(data) - begin} bytes of a template without its end")
