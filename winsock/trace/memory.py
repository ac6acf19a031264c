"""Reads the bytes and numbers of arguments without raising exceptions and without changing anything.

A program may pass objects of any type. For an object of the wrong type these functions return None; the call itself
then raises the exception. They also return None for an object of ctypes whose memory does not exist, such as
`sockaddr_in.from_address(8)`: the call fails with WSAEFAULT, but reading it here would end the process.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

from winsock.arguments import integer_ref, refuse_pointer, text
from winsock.structures import fd_set_over

__all__ = ["exists", "handles", "number", "peek", "room", "string"]


_CData: Any = ctypes.Structure.__mro__[1]


def _is_readable(address: int) -> bool:
    """Whether the process can read the byte at this address; True where no system call tells."""
    if sys.platform == "win32":
        kernel32 = ctypes.windll.kernel32
        process, pointer = ctypes.c_void_p(-1), ctypes.c_void_p(address)
        return bool(
            kernel32.ReadProcessMemory(process, pointer, ctypes.byref(ctypes.c_char()), ctypes.c_size_t(1), None)
        )
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        return bool(os.pread(memory, 1, address))
    except (OSError, OverflowError):
        return False
    finally:
        os.close(memory)


def exists(buffer: Any) -> bool:
    """Whether the memory of an object exists: objects of ctypes can be made at any address."""
    try:
        data = buffer.obj if isinstance(buffer, memoryview) else buffer
    except ValueError:  # a released memoryview
        return False
    if not isinstance(data, _CData) or not ctypes.sizeof(data):
        return True
    first = ctypes.addressof(data)
    return _is_readable(first) and _is_readable(first + ctypes.sizeof(data) - 1)


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
        if not exists(buffer):
            return None
        view = memoryview(buffer)
        if view.readonly or not view.c_contiguous:
            # Without the rest: a program may send a part of a large buffer again and again.
            first = view[: -(-count // (view.itemsize or 1))] if view.ndim == 1 else view
            return first.tobytes()[:count]
        array = (ctypes.c_char * view.nbytes).from_buffer(buffer)
        return ctypes.string_at(array, min(count, view.nbytes))
    except (TypeError, ValueError):
        return None


def number(value: Any) -> int | None:
    """An int, or the value of a pointer to an integer."""
    if isinstance(value, int):
        return int(value)
    try:
        return int(integer_ref(value).value) if exists(value) else None
    except TypeError:
        return None


def string(value: Any) -> bytes | None:
    """The bytes of a C string, without the NUL."""
    try:
        return text(value) if exists(value) else None
    except (TypeError, ValueError):
        return None


def handles(set: Any) -> list[int] | None:
    """The handles in an fd_set."""
    try:
        fds = fd_set_over(set) if exists(set) else None
    except (TypeError, ValueError):
        return None
    return None if fds is None else [int(handle) for handle in fds.fd_array[: min(fds.fd_count, len(fds.fd_array))]]
