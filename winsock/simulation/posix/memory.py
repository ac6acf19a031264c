"""Whether memory of this process exists: the operating system copies it if it does."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

_COPIED = 1 << 16
_CData: Any = ctypes.Structure.__mro__[1]


class _Part(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("size", ctypes.c_size_t))


@cache
def _reader() -> Callable[[int, Any, int], bool] | None:
    """A function that copies memory from an address into an object of ctypes, and says whether it could."""
    if sys.platform == "win32":
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.GetCurrentProcess.restype = ctypes.c_void_p
        read = kernel32.ReadProcessMemory
        read.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
        process = kernel32.GetCurrentProcess()
        return lambda start, copy, size: bool(read(process, start, copy, size, None))
    if sys.platform == "linux":
        library = ctypes.CDLL(None, use_errno=True)
        read = library.process_vm_readv
        read.restype = ctypes.c_ssize_t
        word = ctypes.c_ulong
        read.argtypes = (ctypes.c_int, ctypes.c_void_p, word, ctypes.c_void_p, word, word)

        def copied(start: int, copy: Any, size: int) -> bool:
            local, remote = _Part(ctypes.addressof(copy), size), _Part(start, size)
            # A forked process uses this function too: its memory is its own.
            return bool(read(os.getpid(), ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) == size)

        return copied
    return None


def is_missing(buffer: bytes | bytearray | memoryview) -> bool:
    """Whether the buffer is in memory that does not exist, as an object of ctypes can be."""
    data = buffer.obj if isinstance(buffer, memoryview) else buffer
    return isinstance(data, _CData) and not is_readable(ctypes.addressof(data), ctypes.sizeof(data))


def is_readable(address: int, size: int) -> bool:
    """Whether the memory exists. True where the system cannot be asked."""
    reader = _reader()
    if reader is None:
        return True
    copy = ctypes.create_string_buffer(min(size, _COPIED))
    return all(
        reader(start, copy, min(_COPIED, address + size - start)) for start in range(address, address + size, _COPIED)
    )
