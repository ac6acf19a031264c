"""Pointers to memory that the reference itself reads or writes: addresses, sets, arrays, option values, integers.

Winsock reports WSAEFAULT for an address outside the program's memory. `ctypes` can make an object at any address
(`sockaddr_in.from_address(8)`), and reading it would end the process. So the kernel is asked first about a ctypes
object that does not own its memory. Where the memory does not exist the functions return an empty buffer: the calls
report it as too short, with WSAEFAULT, in their own order of checks.

The data of send and recv needs no such check: only the kernel follows its pointer.
"""

from __future__ import annotations

import ctypes
from typing import Any

from winsock import arguments

from ..posix import system

_CData: Any = ctypes.Structure.__mro__[1]


def is_accessible(buffer: Any) -> bool:
    """Whether the memory of a buffer exists, as far as it is an object of ctypes; others own theirs."""
    if isinstance(buffer, memoryview):
        try:
            buffer = buffer.obj
        except ValueError:  # it was released; the conversion of the argument reports that
            return True
    if not isinstance(buffer, _CData) or _owns_memory(buffer):
        return True
    return system.is_readable(ctypes.addressof(buffer), ctypes.sizeof(buffer))


def _owns_memory(data: Any) -> bool:
    """Whether a ctypes object, or the one that it is a part of, has memory of its own: inside itself or allocated."""
    while data._b_base_ is not None:
        data = data._b_base_
    return bool(data._b_needsfree_) or 0 <= ctypes.addressof(data) - id(data) < type(data).__basicsize__


def as_input_buffer(buffer: Any) -> memoryview:
    """As winsock.arguments.as_input_buffer; empty where the memory does not exist."""
    view = arguments.as_input_buffer(buffer)
    return view if is_accessible(view) else memoryview(b"")


def as_output_buffer(buffer: Any) -> memoryview:
    """As winsock.arguments.as_output_buffer; empty where the memory does not exist."""
    view = arguments.as_output_buffer(buffer)
    return view if is_accessible(view) else memoryview(bytearray())


def integer_ref(ref: Any) -> Any:
    """As winsock.arguments.integer_ref; an integer of value 0 where the memory does not exist."""
    checked = arguments.integer_ref(ref)
    return checked if is_accessible(checked) else ctypes.c_int(0)


def text(value: Any) -> bytes | None:
    """As winsock.arguments.text; None where the memory does not exist, and for NULL."""
    return arguments.text(value) if value is not None and is_accessible(value) else None
