"""A program for test_ws2_32.py: runs winsock with the DLL of abi_stand_in.c instead of Ws2_32.dll.

Arguments: the path of the DLL and the handles that it returns. Prints each handle that every call passed unchanged.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from ctypes import c_int, sizeof
from typing import Any

assert sys.platform == "win32"

STAND_IN = os.path.abspath(sys.argv[1])
_WinDLL: Any = ctypes.WinDLL


def load(name: str, **options: bool) -> ctypes.WinDLL:
    dll: ctypes.WinDLL = _WinDLL(STAND_IN if name == "Ws2_32.dll" else name, **options)
    return dll


# The source of winsock.ws2_32 is not changed: it loads the other DLL under the name Ws2_32.dll.
ctypes.WinDLL = load  # type: ignore[assignment, misc]

import winsock  # noqa: E402
from winsock import (  # noqa: E402
    AF_INET,
    FD_CLR,
    FD_ISSET,
    FD_SET,
    INVALID_SOCKET,
    POLLIN,
    SD_BOTH,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAENOTSOCK,
    WSAPOLLFD,
    WSAGetLastError,
    WSASetLastError,
    fd_set,
    sockaddr_in,
    timeval,
    u_long,
)

hand_out: Any = _WinDLL(STAND_IN).stand_in
hand_out.argtypes = (ctypes.c_uint64,)
hand_out.restype = None


def calls(s: int) -> dict[str, Callable[[], int]]:
    address, length, buffer = sockaddr_in(), c_int(sizeof(sockaddr_in)), bytearray(16)
    return {
        "ioctlsocket": lambda: winsock.ioctlsocket(s, 0, u_long()),
        "bind": lambda: winsock.bind(s, address, 16),
        "connect": lambda: winsock.connect(s, address, 16),
        "listen": lambda: winsock.listen(s, 1),
        "accept": lambda: 0 if winsock.accept(s, address, length) != INVALID_SOCKET else SOCKET_ERROR,
        "send": lambda: winsock.send(s, buffer, 16, 0),
        "recv": lambda: winsock.recv(s, buffer, 16, 0),
        "sendto": lambda: winsock.sendto(s, buffer, 16, 0, address, 16),
        "recvfrom": lambda: winsock.recvfrom(s, buffer, 16, 0, address, length),
        "shutdown": lambda: winsock.shutdown(s, SD_BOTH),
        "getsockname": lambda: winsock.getsockname(s, address, length),
        "getpeername": lambda: winsock.getpeername(s, address, length),
        "setsockopt": lambda: winsock.setsockopt(s, SOL_SOCKET, 1, buffer, 4),
        "getsockopt": lambda: winsock.getsockopt(s, SOL_SOCKET, 1, buffer, c_int(4)),
        "select": lambda: select(s),
        "WSAPoll": lambda: poll(s),
        "closesocket": lambda: winsock.closesocket(s),
    }


def select(s: int) -> int:
    sets = readfds, writefds, exceptfds = fd_set(), fd_set(), fd_set()
    for fds in sets:
        FD_SET(s, fds)
        FD_SET(s, fds)
    ready = winsock.select(0, readfds, writefds, exceptfds, timeval())
    if ready == SOCKET_ERROR:
        return ready
    assert ready == 2
    assert [FD_ISSET(s, fds) for fds in sets] == [True, True, False]
    FD_CLR(s, readfds)
    assert not FD_ISSET(s, readfds)
    return 0


def poll(s: int) -> int:
    polled = (WSAPOLLFD * 2)(WSAPOLLFD(s, POLLIN), WSAPOLLFD(s))
    ready = winsock.WSAPoll(polled, 2, 0)
    if ready == SOCKET_ERROR:
        return ready
    assert (ready, polled[0].fd, polled[0].revents) == (2, s, POLLIN)
    return 0


for handle in map(int, sys.argv[2:]):
    hand_out(handle)
    assert winsock.socket(AF_INET, SOCK_STREAM, 0) == handle
    for name, call in calls(handle).items():
        assert call() == 0, (name, hex(handle))
    if handle != INVALID_SOCKET:
        assert winsock.accept(handle, None, None) == handle - 4
    # The handle as it would be after a conversion to a C int, and handles that differ in the upper half only.
    for other in {handle & 0xFFFFFFFF, handle ^ 1 << 32, handle ^ 1 << 63} - {handle}:
        for name, call in calls(other).items():
            WSASetLastError(0)
            assert (call(), WSAGetLastError()) == (SOCKET_ERROR, WSAENOTSOCK), (name, hex(handle), hex(other))
    print(handle)
