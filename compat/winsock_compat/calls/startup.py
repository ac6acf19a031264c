"""WSAStartup, WSACleanup, WSAGetLastError, WSASetLastError."""

from __future__ import annotations

import ctypes

from winsock.arguments import as_int, as_word
from winsock.errors import WSAEFAULT, WSANOTINITIALISED, WSAVERNOTSUPPORTED
from winsock.structures import HIBYTE, LOBYTE, MAKEWORD, WSADATA, Buffer

from ..state import handles
from ..state.core import get_last_error, set_last_error
from ..state.last_error import fail
from .pointers import as_output_buffer

_VERSIONS = {(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)}


def WSAStartup(wVersionRequested: int, lpWSAData: Buffer | None) -> int:
    version = as_word(wVersionRequested)
    data = None if lpWSAData is None else as_output_buffer(lpWSAData)
    major, minor = LOBYTE(version), HIBYTE(version)
    if data is not None and len(data) >= ctypes.sizeof(WSADATA):
        info = WSADATA.from_buffer(data)
        if (major, minor) in _VERSIONS:
            info.wVersion = version
        else:
            info.wVersion = MAKEWORD(1, 1) if major == 1 else MAKEWORD(2, 2)
        info.wHighVersion = MAKEWORD(2, 2)
        info.szDescription = b"WinSock 2.0"
        info.szSystemStatus = b"Running"
        info.iMaxSockets, info.iMaxUdpDg = (32767, 65467) if major == 1 else (0, 0)
        if major:
            handles.start()
            return 0
    return WSAEFAULT if major else WSAVERNOTSUPPORTED


def WSACleanup() -> int:
    return 0 if handles.stop() else fail(WSANOTINITIALISED)


def WSAGetLastError() -> int:
    return get_last_error()


def WSASetLastError(iError: int) -> None:
    set_last_error(as_int(iError))
