"""Measures the handles or file descriptors and the memory of this process, and limits its descriptors."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import byref, c_size_t, c_ulong, c_ushort, c_void_p, sizeof
from pathlib import Path


class _Handle(ctypes.Structure):
    """SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX."""

    _fields_ = [
        ("Object", c_void_p),
        ("UniqueProcessId", c_size_t),
        ("HandleValue", c_size_t),
        ("GrantedAccess", c_ulong),
        ("CreatorBackTraceIndex", c_ushort),
        ("ObjectTypeIndex", c_ushort),
        ("HandleAttributes", c_ulong),
        ("Reserved", c_ulong),
    ]


class _Memory(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS."""

    _fields_ = [
        ("cb", c_ulong),
        ("PageFaultCount", c_ulong),
        ("PeakWorkingSetSize", c_size_t),
        ("WorkingSetSize", c_size_t),
        ("QuotaPeakPagedPoolUsage", c_size_t),
        ("QuotaPagedPoolUsage", c_size_t),
        ("QuotaPeakNonPagedPoolUsage", c_size_t),
        ("QuotaNonPagedPoolUsage", c_size_t),
        ("PagefileUsage", c_size_t),
        ("PeakPagefileUsage", c_size_t),
    ]


if sys.platform == "win32":
    _EXTENDED_HANDLES = 64
    _INFO_LENGTH_MISMATCH = -0x3FFFFFFC

    _query = ctypes.WinDLL("ntdll").NtQuerySystemInformation
    _query.argtypes = (ctypes.c_int, c_void_p, c_ulong, c_void_p)
    _query.restype = ctypes.c_int32
    _current = ctypes.WinDLL("kernel32").GetCurrentProcess
    _current.argtypes = ()
    _current.restype = c_void_p
    _memory = ctypes.WinDLL("kernel32").K32GetProcessMemoryInfo
    _memory.argtypes = (c_void_p, c_void_p, c_ulong)
    _memory.restype = ctypes.c_int

    def open_handles() -> int:
        """The number of open handles of this process. GetProcessHandleCount returns 0 on Wine."""
        size, needed = 1 << 16, c_ulong()
        while True:
            table = ctypes.create_string_buffer(size)
            status = _query(_EXTENDED_HANDLES, table, size, byref(needed))
            if status != _INFO_LENGTH_MISMATCH:
                break
            size *= 2
        assert status == 0, hex(status)
        entries = (_Handle * c_size_t.from_buffer(table).value).from_buffer(table, 2 * sizeof(c_size_t))
        return sum(entry.UniqueProcessId == os.getpid() for entry in entries)

    def memory() -> int:
        """The private memory of this process in bytes."""
        counters = _Memory(cb=sizeof(_Memory))
        assert _memory(_current(), byref(counters), sizeof(counters))
        used: int = counters.PagefileUsage
        return used

else:

    def open_handles() -> int:
        """The number of open file descriptors of this process."""
        return len(os.listdir("/dev/fd"))

    def memory() -> int:
        """The resident memory of this process in bytes."""
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """The process can open no descriptor meanwhile."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
