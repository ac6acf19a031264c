"""Converts the Python arguments of a call to C values: integers, buffers, pointers and strings.

Both backends convert every argument with these functions before they do anything else, so both accept and reject the
same values:

- An integer is taken modulo the width of its C type, but only if it fits the signed or the unsigned range of that type.
  0x8004667E and -2147195266 are therefore the same `long`, as in C. Anything else is an OverflowError.
- A pointer to bytes is an object with the buffer protocol. For a `const` pointer as_input_buffer returns a memoryview:
  it also accepts read-only memory and copies nothing. For any other pointer as_output_buffer returns a ctypes array
  over the same memory, so that C writes into the caller's object.
- Both results keep the memory in place until they are released: a bytearray cannot be resized while a call uses it.
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
_SimpleCData: Any = ctypes.c_int.__mro__[1]
_Pointer: Any = ctypes._Pointer


def _number(value: int, bits: int) -> int:
    """`value` modulo 2**bits, if it fits the signed or the unsigned integer type of that width."""
    number: int = index(value)
    if not -(1 << bits - 1) <= number < 1 << bits:
        raise OverflowError(f"{number} does not fit a C integer of {bits} bits")
    return number & (1 << bits) - 1


def as_word(value: int) -> int:
    """A WORD or u_short (2 bytes), as an unsigned number."""
    return _number(value, 16)


def as_uint(value: int) -> int:
    """A DWORD, ULONG or u_long (4 bytes on Windows), as an unsigned number."""
    return _number(value, 32)


def as_int(value: int) -> int:
    """A C int (4 bytes), as a signed number: 0xFFFFFFFF is -1."""
    number = _number(value, 32)
    return number - (1 << 32) if number >> 31 else number


def socket_handle(value: int) -> int:
    """A SOCKET, an unsigned number as wide as a pointer: -1 is INVALID_SOCKET."""
    return _number(value, _POINTER_BITS)


def refuse_pointer(buffer: Any) -> None:
    """Rejects a ctypes pointer, whose buffer is the pointer itself and not the memory it points to.

    Errors: TypeError for a ctypes pointer.
    """
    if isinstance(buffer, _Pointer):
        raise TypeError("a bytes-like object is required, not a ctypes pointer; pass its .contents")


def _not_a_buffer(value: Any) -> TypeError:
    return TypeError(f"a bytes-like object is required, not '{type(value).__name__}'")


def as_input_buffer(buffer: Any) -> memoryview:
    """A view of a buffer that C only reads; a length argument must not exceed its nbytes.

    Errors: TypeError if the object has no buffer, or one that is not contiguous.
    """
    refuse_pointer(buffer)
    try:
        view = memoryview(buffer)
    except TypeError:
        raise _not_a_buffer(buffer) from None
    if not view.c_contiguous:
        raise TypeError("a contiguous buffer is required")
    return view


def as_output_buffer(buffer: Any) -> "ctypes.Array[ctypes.c_char]":
    """A ctypes array over the memory of a buffer that C writes to; a length argument must not exceed its len().

    Errors: TypeError if the object has no buffer, or one that is read-only or not contiguous.
    """
    refuse_pointer(buffer)
    try:
        size = memoryview(buffer).nbytes
    except TypeError:
        raise _not_a_buffer(buffer) from None
    return (ctypes.c_char * size).from_buffer(buffer)


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
