"""Converts the Python arguments of a call to C values: integers, buffers, pointers and strings.

Both backends convert every argument with these functions before they do anything else, so both accept and reject the
same values:

- An integer is taken modulo the width of its C type, but only if it fits the signed or the unsigned range of that type.
  0x8004667E and -2147195266 are therefore the same `long`, as in C. Anything else is an OverflowError.
- A pointer to bytes is an object with the buffer protocol. as_input_buffer, for a `const` pointer, and as_output_buffer
  return a memoryview of its bytes. They copy nothing, so C writes into the caller's object. The views keep the memory
  in place: a bytearray cannot be resized while a call uses it. A memoryview that was released, or a mmap that was
  closed, has no memory and is an argument of the wrong kind.
- A pointer to an integer is a ctypes integer, and a C string is an ASCII str or bytes.

An argument of the wrong kind is a TypeError. Lengths are not checked here: a length that exceeds its buffer is a
Winsock error (WSAEFAULT), which the call itself reports.

Each message starts with the call and the parameter: `recv() argument 'buf': …`. The conversions do not get these names,
because every call would pass them at every conversion. `argument_error` finds them after an error, in the frames of the
functions that are being executed: the call has a parameter whose value is the rejected object and whose annotation in
the Protocol is the kind of parameter that the conversion is for, or that contains the rejected object as an item of a
sequence. If a call uses another one, as send uses sendto, the outer one is named.
"""

from __future__ import annotations

import ctypes
import sys
from operator import index
from types import FrameType
from typing import Any

__all__ = [
    "argument_error",
    "as_input_buffer",
    "as_int",
    "as_integer",
    "as_output_buffer",
    "as_sequence",
    "as_uint",
    "as_word",
    "integer_ref",
    "refuse_pointer",
    "socket_handle",
    "text",
]

_POINTER_BITS = 8 * ctypes.sizeof(ctypes.c_void_p)
_LEAST_SOCKET, _MOST_SOCKET = -(1 << _POINTER_BITS - 1), (1 << _POINTER_BITS) - 1
_SimpleCData: Any = ctypes.c_int.__mro__[1]
_Pointer: Any = ctypes._Pointer
# The modules of the calls, and of the functions between a call and a conversion; in simulations winsock_compat has
# another name in each process.
_CALL_MODULES = (
    "winsock.structures",
    "winsock.ws2_32",
    "winsock.arguments",
    "winsock.batch",
    "winsock_compat.",
    "winsock_simulated_",
    "winsock.simulation.dispatch",
)


def argument_error(error: type[Exception], value: object, kind: str, problem: str, accepted_by: str = "") -> Exception:
    """The exception for an argument that a call rejects, with the names of the call and the parameter.

    `kind` is the annotation of such parameters, without None, for example "int" or "Buffer". `problem` says what is
    wrong with `value`. `accepted_by` names a parameter of the same kind that accepts it.
    """
    found = ""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(_CALL_MODULES):
        found = _parameter_in(frame, value, kind, accepted_by) or found
        frame = frame.f_back
    return error(found + problem)


def _parameter_in(frame: FrameType, value: object, kind: str, accepted_by: str) -> str:
    """The start of the message if a parameter of this kind has this value in the frame of a function, otherwise ""."""
    name = frame.f_code.co_name
    function = frame.f_globals.get(name)
    if getattr(function, "__code__", None) is not frame.f_code:
        return ""
    for parameter, annotation in function.__annotations__.items():
        kinds = str(annotation).replace("ctypes.", "").split(" | ")
        given = frame.f_locals.get(parameter)
        items: Any = given if f"Sequence[{kind}]" in kinds and isinstance(given, (list, tuple)) else ()
        rejected = (kind in kinds and given is value) or any(item is value for item in items)
        if rejected and parameter != accepted_by:
            return f"{name}() argument {parameter!r}: "
    return ""


def _required(value: object, kind: str, expected: str) -> Exception:
    return argument_error(TypeError, value, kind, f"{expected} is required, not '{type(value).__name__}'")


def as_integer(value: int) -> int:
    """Any int, or the int of an object that has __index__.

    Errors: TypeError for anything else.
    """
    try:
        return index(value)
    except TypeError:
        if hasattr(type(value), "__index__"):
            raise  # by the program's own __index__
        raise _required(value, "int", "an integer") from None


def _overflow(value: object, number: int, bits: int) -> Exception:
    shown = str(number) if number.bit_length() <= 128 else f"a number of {number.bit_length()} bits"
    problem = f"{shown} does not fit a C integer of {bits} bits"
    # The same object may have been passed for a SOCKET, which is wider.
    return argument_error(OverflowError, value, "int", problem, "" if bits == _POINTER_BITS else "s")


def as_word(value: int) -> int:
    """A WORD or u_short (2 bytes), as an unsigned number."""
    number = as_integer(value)
    if not -0x8000 <= number <= 0xFFFF:
        raise _overflow(value, number, 16)
    return number & 0xFFFF


def as_uint(value: int) -> int:
    """A DWORD, ULONG or u_long (4 bytes on Windows), as an unsigned number."""
    number = as_integer(value)
    if not -0x80000000 <= number <= 0xFFFFFFFF:
        raise _overflow(value, number, 32)
    return number & 0xFFFFFFFF


def as_int(value: int) -> int:
    """A C int (4 bytes), as a signed number: 0xFFFFFFFF is -1."""
    number = as_integer(value)
    if not -0x80000000 <= number <= 0xFFFFFFFF:
        raise _overflow(value, number, 32)
    return (number + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def socket_handle(value: int) -> int:
    """A SOCKET, an unsigned number as wide as a pointer: -1 is INVALID_SOCKET."""
    number = as_integer(value)
    if not _LEAST_SOCKET <= number <= _MOST_SOCKET:
        raise _overflow(value, number, _POINTER_BITS)
    return number & _MOST_SOCKET


def as_sequence(values: Any) -> list[Any] | tuple[Any, ...]:
    """A list or tuple as it is, and a tuple of the items of any other iterable object.

    Errors: TypeError for an object that is not iterable.
    """
    if isinstance(values, (list, tuple)):
        return values
    if not hasattr(type(values), "__iter__") and not hasattr(type(values), "__getitem__"):
        raise _required(values, "Sequence[int]", "a sequence of sockets")
    return tuple(values)


def refuse_pointer(buffer: Any, kind: str = "Buffer") -> None:
    """Rejects a ctypes pointer, whose buffer is the pointer itself and not the memory it points to.

    `kind` is the annotation of the parameter, see argument_error.

    Errors: TypeError for a ctypes pointer.
    """
    if isinstance(buffer, _Pointer):
        problem = "a bytes-like object is required, not a ctypes pointer; pass its .contents"
        raise argument_error(TypeError, buffer, kind, problem)


def _view(buffer: Any, kind: str, expected: str) -> memoryview:
    """The bytes of an object's buffer, as a contiguous view."""
    refuse_pointer(buffer, kind)
    try:
        view = memoryview(buffer)
    except TypeError:
        if sys.version_info >= (3, 12) and hasattr(type(buffer), "__buffer__"):
            raise  # by the program's own __buffer__
        raise _required(buffer, kind, expected) from None
    except ValueError as error:
        problem = f"{expected} is required, not a released '{type(buffer).__name__}'"
        raise argument_error(TypeError, buffer, kind, problem) from error
    if not view.c_contiguous:
        raise argument_error(TypeError, buffer, kind, "a contiguous buffer is required")
    if not view.nbytes:
        return memoryview(b"" if view.readonly else bytearray())  # cast refuses several dimensions without elements
    return view.cast("B")


def as_input_buffer(buffer: Any) -> memoryview:
    """The bytes of a buffer that C only reads; a length argument must not exceed the view's length.

    Errors: TypeError if the object has no buffer, or one that is not contiguous or was released.
    """
    return _view(buffer, "ConstBuffer", "a bytes-like object")


def as_output_buffer(buffer: Any) -> memoryview:
    """The bytes of a buffer that C writes to; a length argument must not exceed the view's length.

    Errors: TypeError if the object has no buffer, or one that is read-only, not contiguous or was released.
    """
    view = _view(buffer, "Buffer", "a bytes-like object")
    if view.readonly:
        problem = f"a writable buffer is required, not a read-only '{type(buffer).__name__}'"
        raise argument_error(TypeError, buffer, "Buffer", problem)
    return view


def integer_ref(ref: Any) -> Any:
    """A pointer to an integer: a ctypes integer of 4 bytes or more (wintypes.DWORD has 8 on Linux).

    Errors: TypeError for anything else.
    """
    if not isinstance(ref, _SimpleCData) or ref._type_ not in "iIlLqQ" or ctypes.sizeof(ref) < 4:
        raise _required(ref, "IntRef", "a ctypes integer of at least 4 bytes")
    return ref


def text(value: Any) -> bytes:
    """A C string: an ASCII str, or bytes up to the first NUL.

    Errors: TypeError for a str with other characters, and for anything else.
    """
    if isinstance(value, str):
        if not value.isascii():
            shown = repr(value if len(value) <= 80 else f"{value[:80]}…")
            raise argument_error(TypeError, value, "str", f"ASCII text is required, not {shown}")
        raw = value.encode("ascii")
    else:
        raw = bytes(_view(value, "str", "a str or a bytes-like object"))
    return raw.partition(b"\0")[0]
