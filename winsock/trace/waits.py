"""Which calls may wait: a trace also has a line at their beginning, so that a program that waits can be seen.

A call on a nonblocking socket does not wait, and neither does select or WSAPoll with the timeout 0. Programs make such
calls very often, so they get no line at their beginning. A socket is nonblocking after ioctlsocket(FIONBIO); accept
gives a new socket the mode of the listening one.
"""

from __future__ import annotations

from .calls import Call
from .memory import number

__all__ = ["MAY_BLOCK", "Waits"]

# The calls that may block.
MAY_BLOCK = (
    "connect", "accept", "send", "recv", "sendto", "recvfrom", "select", "WSAPoll", "closesocket",
    "getaddrinfo", "getnameinfo", "gethostbyname",
)  # fmt: skip


class Waits:
    """Follows the mode of each socket of a program."""

    def __init__(self) -> None:
        self._nonblocking: set[int] = set()

    def may_wait(self, call: Call) -> bool:
        """Whether a call that begins may wait."""
        if call.name not in MAY_BLOCK:
            return False
        if call.name == "WSAPoll":
            return number(call.args.get("timeout")) != 0
        if call.name == "select":
            return call.shown.get("timeout") != {"tv_sec": 0, "tv_usec": 0}
        return call.name == "closesocket" or number(call.args.get("s")) not in self._nonblocking

    def ended(self, call: Call) -> None:
        """Process a call that has ended."""
        if not call.ok:
            return
        handle = number(call.args.get("s"))
        if call.name == "ioctlsocket" and call.shown.get("cmd") == "FIONBIO":
            self._set(handle, bool(number(call.args.get("argp"))))
        elif call.name == "accept":
            self._set(call.result, handle in self._nonblocking)
        elif call.name in ("socket", "closesocket"):
            self._set(call.result if call.name == "socket" else handle, False)

    def _set(self, handle: int | None, nonblocking: bool) -> None:
        if handle is None:
            return
        if nonblocking:
            self._nonblocking.add(handle)
        else:
            self._nonblocking.discard(handle)
