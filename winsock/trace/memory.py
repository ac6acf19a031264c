"""Reads the bytes and numbers of arguments without raising exceptions and without changing anything.

A program may pass objects of any type. For an object of the wrong type these functions return None; the call itself
then raises the exception.
"""

from __future__ import annotations

import ctypes
from typing import Any

from winsock.arguments import integer_ref, refuse_pointer, text
from winsock.structures import fd_set_over

__all__ = ["handles", "number", "peek", "room", "string"]


def room(buffer: Any) -> int | None:
    """The size of a buffer in bytes."""
    try:
        refuse_pointer(buffer)
        return memoryview(buffer).nbytes
    except (TypeError, ValueError):  # not a buffer, or a released memoryview
        return None


def peek(buffer: Any, count: int) -> bytes | None:
    """The first `count` bytes of a buffer, or fewer if it is shorter."""
    count = max(count, 0)
    try:
        refuse_pointer(buffer)
        if isinstance(buffer, bytes | bytearray):
            return bytes(buffer[:count])
        view = memoryview(buffer)
        if view.readonly or not view.c_contiguous:
            return view.tobytes()[:count]
        array = (ctypes.c_char * view.nbytes).from_buffer(buffer)
        return ctypes.string_at(array, min(count, view.nbytes))
    except (TypeError, ValueError):
        return None


def number(value: Any) -> int | None:
    """An int, or the value of a pointer to an integer."""
    if isinstance(value, int):
        return int(value)
    try:
        return int(integer_ref(value).value)
    except TypeError:
        return None


def string(value: Any) -> bytes | None:
    """The bytes of a C string, without the NUL."""
    try:
        return text(value)
    except (TypeError, ValueError):
        return None


def handles(set: Any) -> list[int] | None:
    """The handles in an fd_set."""
    try:
        fds = fd_set_over(set)
    except (TypeError, ValueError):
        return None
    return None if fds is None else [int(handle) for handle in fds.fd_array[: min(fds.fd_count, len(fds.fd_array))]]
