"""The last error of a thread, and the descriptions of errors."""

from __future__ import annotations

import threading

from winsock import (
    HIBYTE,
    INVALID_SOCKET,
    LOBYTE,
    MAKEWORD,
    WSAEACCES,
    WSAECONNRESET,
    WSAEINTR,
    WSAEWOULDBLOCK,
    WSAHOST_NOT_FOUND,
    WSANOTINITIALISED,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    WSASetLastError,
    closesocket,
    listen,
    send,
)

from ..kit import tcp
from ..recorder import Recorder, error_name


def the_last_error_needs_no_start(see: Recorder) -> None:
    WSACleanup()
    WSASetLastError(WSAEINTR)
    see("WSAGetLastError", WSAGetLastError())
    see("WSACleanup", WSACleanup())
    see("WSAGetLastError after it", error_name(WSAGetLastError()))


def any_number_can_be_the_last_error(see: Recorder) -> None:
    for code in (1, 10035, 0x7FFFFFFF, -1, -0x80000000, 0):
        WSASetLastError(code)
        see(f"WSAGetLastError {code}", WSAGetLastError())
    WSASetLastError(0xFFFFFFFF)
    see("WSAGetLastError unsigned", WSAGetLastError())


def a_new_thread_has_no_last_error(see: Recorder) -> None:
    see("WSAGetLastError at first", WSAGetLastError())
    WSASetLastError(WSAEINTR)
    codes = []

    def elsewhere() -> None:
        codes.append(WSAGetLastError())
        WSASetLastError(WSAEACCES)
        codes.append(WSAGetLastError())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    see("WSAGetLastError elsewhere", codes)
    see("WSAGetLastError here", WSAGetLastError())


def each_failure_replaces_the_last_error(see: Recorder) -> None:
    s = tcp()
    see("send", send(s, b"x", 1, 0))
    see("listen", listen(s, 1))
    see("closesocket", closesocket(INVALID_SOCKET))
    see("WSAGetLastError asked again", error_name(WSAGetLastError()))
    see("WSAGetLastError and again", error_name(WSAGetLastError()))


def an_error_has_a_description(see: Recorder) -> None:
    for code in (WSAEWOULDBLOCK, WSAECONNRESET, WSAHOST_NOT_FOUND, WSANOTINITIALISED):
        see(f"WSAErrorDescript {error_name(code)}", WSAErrorDescript(code))
    see("WSAErrorDescript of an unknown code", WSAErrorDescript(12345))


def words_are_made_of_bytes(see: Recorder) -> None:
    see("MAKEWORD", [MAKEWORD(2, 2), MAKEWORD(1, 2), MAKEWORD(0xFF, 0), MAKEWORD(0x102, 0x304)])
    see("LOBYTE", [LOBYTE(0x0102), LOBYTE(0xFFFF)])
    see("HIBYTE", [HIBYTE(0x0102), HIBYTE(0xFFFF)])
