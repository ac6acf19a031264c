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
"""

import ctypes
from operator import index
from typing import Any

__all__ = [
    "as_input_buffer",
    "as_int",
    "as_output_buffer",
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


def _overflow(number: int, bits: int) -> OverflowError:
    return OverflowError(f"{number} does not fit a C integer of {bits} bits")


def as_word(value: int) -> int:
    """A WORD or u_short (2 bytes), as an unsigned number."""
    number: int = index(value)
    if not -0x8000 <= number <= 0xFFFF:
        raise _overflow(number, 16)
    return number & 0xFFFF


def as_uint(value: int) -> int:
    """A DWORD, ULONG or u_long (4 bytes on Windows), as an unsigned number."""
    number: int = index(value)
    if not -0x80000000 <= number <= 0xFFFFFFFF:
        raise _overflow(number, 32)
    return number & 0xFFFFFFFF


def as_int(value: int) -> int:
    """A C int (4 bytes), as a signed number: 0xFFFFFFFF is -1."""
    number: int = index(value)
    if not -0x80000000 <= number <= 0xFFFFFFFF:
        raise _overflow(number, 32)
    return (number + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def socket_handle(value: int) -> int:
    """A SOCKET, an unsigned number as wide as a pointer: -1 is INVALID_SOCKET."""
    number: int = index(value)
    if not _LEAST_SOCKET <= number <= _MOST_SOCKET:
        raise _overflow(number, _POINTER_BITS)
    return number & _MOST_SOCKET


def refuse_pointer(buffer: Any) -> None:
    """Rejects a ctypes pointer, whose buffer is the pointer itself and not the memory it points to.

    Errors: TypeError for a ctypes pointer.
    """
    if isinstance(buffer, _Pointer):
        raise TypeError("a bytes-like object is required, not a ctypes pointer; pass its .contents")


def as_input_buffer(buffer: Any) -> memoryview:
    """The bytes of a buffer that C only reads; a length argument must not exceed the view's length.

    Errors: TypeError if the object has no buffer, or one that is not contiguous or was released.
    """
    refuse_pointer(buffer)
    try:
        view = memoryview(buffer)
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not '{type(buffer).__name__}'") from None
    except ValueError as error:
        raise TypeError(f"a bytes-like object is required, not a released '{type(buffer).__name__}'") from error
    if not view.c_contiguous:
        raise TypeError("a contiguous buffer is required")
    if not view.nbytes:
        return memoryview(b"" if view.readonly else bytearray())  # cast refuses several dimensions without elements
    return view.cast("B")


def as_output_buffer(buffer: Any) -> memoryview:
    """The bytes of a buffer that C writes to; a length argument must not exceed the view's length.

    Errors: TypeError if the object has no buffer, or one that is read-only, not contiguous or was released.
    """
    view = as_input_buffer(buffer)
    if view.readonly:
        raise TypeError(f"a writable buffer is required, not a read-only '{type(buffer).__name__}'")
    return view


def integer_ref(ref: Any) -> Any:
    """A pointer to an integer: a ctypes integer of 4 bytes or more (wintypes.DWORD has 8 on Linux).

    Errors: TypeError for anything else.
    """
    if not isinstance(ref, _SimpleCData) or ref._type_ not in "iIlLqQ" or ctypes.sizeof(ref) < 4:
        raise TypeError(f"a ctypes integer of at least 4 bytes is required, not '{type(ref).__name__}'")
    return ref


def text(value: Any) -> bytes:
    """A C string: an ASCII str, or bytes up to the first NUL.

    Errors: TypeError for a str with other characters, and for anything else.
    """
    if isinstance(value, str):
        if not value.isascii():
            raise TypeError(f"a host, service or address must be ASCII, not {value!r}")
        raw = value.encode("ascii")
    else:
        raw = bytes(as_input_buffer(value))
    return raw.partition(b"\0")[0]
