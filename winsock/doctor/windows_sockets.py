"""The table of sockets on Windows: GetExtendedTcpTable and GetExtendedUdpTable of iphlpapi.dll.

Source: https://learn.microsoft.com/en-us/windows/win32/api/iphlpapi/nf-iphlpapi-getextendedtcptable
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import Structure, c_ubyte, c_uint32, sizeof
from ipaddress import IPv4Address, IPv6Address
from pathlib import PureWindowsPath
from typing import Any

from winsock import AF_INET, AF_INET6

from .socket_entry import SocketEntry

__all__ = ["all_sockets", "rows_of"]

_STATES = {
    1: "CLOSED", 2: "LISTEN", 3: "SYN_SENT", 4: "SYN_RECV", 5: "ESTABLISHED", 6: "FIN_WAIT1", 7: "FIN_WAIT2",
    8: "CLOSE_WAIT", 9: "CLOSING", 10: "LAST_ACK", 11: "TIME_WAIT", 12: "DELETE_TCB",
}  # fmt: skip
_TCP_TABLE_OWNER_PID_ALL, _UDP_TABLE_OWNER_PID = 5, 1
_NO_ERROR, _ERROR_INSUFFICIENT_BUFFER = 0, 122
_PROCESS_QUERY_LIMITED_INFORMATION = 0x1000


def _row(*fields: str) -> type[Structure]:
    """A MIB_..._OWNER_PID row: each field is a DWORD, or 16 bytes if its name ends in 6."""
    kinds = [(name.removesuffix("6"), c_ubyte * 16 if name.endswith("6") else c_uint32) for name in fields]
    return type("_Row", (Structure,), {"_fields_": kinds})


_ROWS = {
    ("TCP", AF_INET): _row("state", "local", "local_port", "peer", "peer_port", "pid"),
    ("TCP", AF_INET6): _row("local6", "local_scope", "local_port", "peer6", "peer_scope", "peer_port", "state", "pid"),
    ("UDP", AF_INET): _row("local", "local_port", "pid"),
    ("UDP", AF_INET6): _row("local6", "local_scope", "local_port", "pid"),
}


def rows_of(table: bytes, protocol: str, family: int) -> list[SocketEntry]:
    """The sockets in a table as the system returns it: the number of rows, then the rows."""
    kind = _ROWS[protocol, family]
    rows = []
    for position in range(c_uint32.from_buffer_copy(table).value):
        row: Any = kind.from_buffer_copy(table, sizeof(c_uint32) + position * sizeof(kind))
        listens = protocol == "TCP" and row.state == 2
        peer = "" if protocol == "UDP" or listens else _address(row.peer, row.peer_port)
        state = _STATES.get(row.state, str(row.state)) if protocol == "TCP" else "BOUND"
        rows.append(SocketEntry(protocol, _address(row.local, row.local_port), peer, state, row.pid or None, ""))
    return rows


def _address(host: Any, port: int) -> str:
    # The port is in network byte order in the low 16 bits of its DWORD.
    number = int.from_bytes((port & 0xFFFF).to_bytes(2, "little"), "big")
    if isinstance(host, int):
        return f"{IPv4Address(host.to_bytes(4, 'little'))}:{number}"
    return f"[{IPv6Address(bytes(host))}]:{number}"


if sys.platform == "win32":

    def all_sockets(protocol: str) -> list[SocketEntry] | None:
        """All TCP or UDP sockets with their processes; None if the system returns no table."""
        iphlpapi = ctypes.WinDLL("iphlpapi")
        function = iphlpapi.GetExtendedTcpTable if protocol == "TCP" else iphlpapi.GetExtendedUdpTable
        function.argtypes = [ctypes.c_void_p, ctypes.POINTER(c_uint32), ctypes.c_int, c_uint32, ctypes.c_int, c_uint32]
        function.restype = c_uint32
        kind = _TCP_TABLE_OWNER_PID_ALL if protocol == "TCP" else _UDP_TABLE_OWNER_PID
        rows = []
        for family in (AF_INET, AF_INET6):
            size, table = c_uint32(0), ctypes.create_string_buffer(0)
            # The table may grow between two calls.
            while (code := function(table, ctypes.byref(size), 0, family, kind, 0)) == _ERROR_INSUFFICIENT_BUFFER:
                table = ctypes.create_string_buffer(size.value)
            if code == _NO_ERROR:
                rows += rows_of(table.raw, protocol, family)
            elif family == AF_INET:
                return None
        return [row._replace(program=_program(row.pid)) if row.pid else row for row in rows]

    def _program(pid: int) -> str:
        kernel = ctypes.WinDLL("kernel32")
        kernel.OpenProcess.argtypes = [c_uint32, ctypes.c_int, c_uint32]
        kernel.OpenProcess.restype = ctypes.c_void_p
        kernel.QueryFullProcessImageNameW.argtypes = [
            ctypes.c_void_p, c_uint32, ctypes.c_wchar_p, ctypes.POINTER(c_uint32),
        ]  # fmt: skip
        kernel.CloseHandle.argtypes = [ctypes.c_void_p]
        process = kernel.OpenProcess(_PROCESS_QUERY_LIMITED_INFORMATION, 0, pid)
        if not process:
            return ""
        name, size = ctypes.create_unicode_buffer(1024), c_uint32(1024)
        found = kernel.QueryFullProcessImageNameW(process, 0, name, ctypes.byref(size))
        kernel.CloseHandle(process)
        return PureWindowsPath(name.value).name if found else ""
