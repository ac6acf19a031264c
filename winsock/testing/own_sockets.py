"""The sockets of this package itself: those of peers and of reserved ports. No test has to close them.

Their calls are the original ones, also while a test's calls are recorded (open_sockets.py). So the WSAStartup and
WSACleanup of a peer that outlives its test are not counted as the test's.
"""

from __future__ import annotations

from typing import Any, cast

from winsock.api import Winsock
from winsock.constants import INVALID_SOCKET

__all__ = ["OWN_SOCKETS", "original_calls", "own_calls"]

# The handles that are open.
OWN_SOCKETS: set[int] = set()


def own_calls(calls: Winsock) -> Winsock:
    """The original calls, which keep OWN_SOCKETS up to date."""
    return cast(Winsock, _OwnCalls(original_calls(calls)))


def original_calls(calls: Winsock) -> Winsock:
    """The calls without a recording."""
    return cast(Winsock, getattr(calls, "original_calls", calls))


class _OwnCalls:
    def __init__(self, calls: Winsock) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._calls, name)

    def socket(self, af: int, type: int, protocol: int) -> int:
        return _opened(self._calls.socket(af, type, protocol))

    def accept(self, s: int, addr: Any, addrlen: Any) -> int:
        return _opened(self._calls.accept(s, addr, addrlen))

    def closesocket(self, s: int) -> int:
        # Before the call: afterwards another thread may get a socket with the same handle.
        OWN_SOCKETS.discard(s)
        return self._calls.closesocket(s)


def _opened(s: int) -> int:
    if s != INVALID_SOCKET:
        OWN_SOCKETS.add(s)
    return s
