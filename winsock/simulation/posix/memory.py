"""Whether memory of this process exists: the operating system copies it if it does."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

_COPIED = 1 << 16


class _Part(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("size", ctypes.c_size_t))


@cache
def _windows_reader() -> Any:
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel32.GetCurrentProcess.restype = ctypes.c_void_p
    read = kernel32.ReadProcessMemory
    read.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    process = kernel32.GetCurrentProcess()
    return lambda start, copy, size: bool(read(process, start, copy, size, None))


@cache
def _linux_reader() -> Any:
    library = ctypes.CDLL(None, use_errno=True)
    read = library.process_vm_readv
    read.restype = ctypes.c_ssize_t
    read.argtypes = (ctypes.c_int, ctypes.c_void_p, *[ctypes.c_ulong] * 1, ctypes.c_void_p, *[ctypes.c_ulong] * 2)
    process = library.getpid()

    def copied(start: int, copy: Any, size: int) -> bool:
        local, remote = _Part(ctypes.addressof(copy), size), _Part(start, size)
        return bool(read(process, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) == size)

    return copied


def is_readable(address: int, size: int) -> bool:
    """Whether the memory exists. True where the system cannot be asked."""
    if sys.platform == "win32":
        reader = _windows_reader()
    elif sys.platform == "linux":
        reader = _linux_reader()
    else:
        return True
    copy = ctypes.create_string_buffer(min(size, _COPIED))
    return all(
        reader(start, copy, min(_COPIED, address + size - start)) for start in range(address, address + size, _COPIED)
    )
