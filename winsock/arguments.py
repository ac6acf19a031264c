"""How the calls read their Python arguments: C's integer types, buffers and pointers, the same for both backends.

A value of the wrong kind raises TypeError, a number that fits neither the signed nor the unsigned range of its C type
raises OverflowError; all else is left to the call, which answers with a Winsock error.
"""

import ctypes
from operator import index
from typing import Any

__all__ = [
    "as_int",
    "as_uint",
    "as_word",
    "integer_ref",
    "readable",
    "refuse_pointer",
    "socket_handle",
    "text",
    "writable",
]

_POINTER_BITS = 8 * ctypes.sizeof(ctypes.c_void_p)
_SimpleCData: Any = ctypes.c_int.__mro__[1]
_Pointer: Any = ctypes._Pointer


def _number(value: int, bits: int) -> int:
    """`value` modulo 2**bits, once it is known to fit the signed or the unsigned type of that many bits."""
    number: int = index(value)
    if not -(1 << bits - 1) <= number < 1 << bits:
        raise OverflowError(f"{number} does not fit a C integer of {bits} bits")
    return number & (1 << bits) - 1


def as_word(value: int) -> int:
    """A WORD or u_short."""
    return _number(value, 16)


def as_uint(value: int) -> int:
    """A DWORD, ULONG or u_long: 4 bytes on Windows."""
    return _number(value, 32)


def as_int(value: int) -> int:
    """A C int; 0xFFFFFFFF is -1."""
    number = _number(value, 32)
    return number - (1 << 32) if number >> 31 else number


def socket_handle(value: int) -> int:
    """A SOCKET, which is as wide as a pointer; -1 is INVALID_SOCKET."""
    return _number(value, _POINTER_BITS)


def refuse_pointer(buffer: Any) -> None:
    """A ctypes pointer is a buffer too, but of the pointer itself: nobody means that."""
    if isinstance(buffer, _Pointer):
        raise TypeError("a buffer is needed, not a ctypes pointer: pass its contents")


def readable(buffer: Any) -> memoryview:
    """A view of a const buffer; its nbytes is the room that a length may not exceed."""
    refuse_pointer(buffer)
    view = memoryview(buffer)
    if not view.c_contiguous:
        raise TypeError("the buffer is not contiguous")
    return view


def writable(buffer: Any) -> "ctypes.Array[ctypes.c_char]":
    """The bytes of a buffer that C writes to, as a ctypes array over the same memory."""
    refuse_pointer(buffer)
    return (ctypes.c_char * memoryview(buffer).nbytes).from_buffer(buffer)


def integer_ref(ref: Any) -> Any:
    """A pointer to an integer: a ctypes integer of 4 bytes or more (a DWORD of ctypes.wintypes has 8 on Linux)."""
    if not isinstance(ref, _SimpleCData) or ref._type_ not in "iIlLqQ" or ctypes.sizeof(ref) < 4:
        raise TypeError(f"a ctypes integer of at least 4 bytes is needed, not {type(ref).__name__}")
    return ref


def text(value: Any) -> bytes:
    """A C string: str must be ASCII, bytes count up to their first NUL."""
    if isinstance(value, str):
        if not value.isascii():
            raise TypeError("the text is not ASCII")
        raw = value.encode("ascii")
    else:
        raw = bytes(readable(value))
    return raw.partition(b"\0")[0]
