"""Sends one buffer to many sockets with one call; Winsock has no such function.

A server that sends the same message to each of its clients spends most of its time on the overhead of the calls. The
accelerator of compat makes all the system calls from one C function. Without it, and under a tracer, `send_many` is a
loop over `send`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import winsock

from .arguments import as_sequence
from .constants import SOCKET_ERROR
from .structures import ConstBuffer

__all__ = ["send_many"]


def send_many(sockets: Sequence[int], buf: ConstBuffer | None, len: int, flags: int) -> list[int]:
    """Sends the first `len` bytes of `buf` to each of `sockets`, in this order, like one `send` per socket.

    Returns a list with one entry per socket: the number of bytes sent, or the error code as a negative number, such as
    -WSAEWOULDBLOCK if the send buffer of a non-blocking socket is full, or -WSAENOTSOCK for a closed handle. An error
    does not keep the message from the other sockets. A blocking socket whose send buffer is full delays the sockets
    after it.

    Errors: those of send, each in its socket's entry. TypeError and OverflowError are raised as by send; sockets
    earlier in the list may have been served by then.
    Source: an addition of this package, based on
    https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-send
    """
    calls: Any = winsock.calls
    # A tracer is not a module: it must see each send.
    backend_send_many = getattr(calls, "send_many", None) if isinstance(calls, ModuleType) else None
    if backend_send_many is not None:
        counts: list[int] = backend_send_many(sockets, buf, len, flags)
        return counts
    send, last_error = calls.send, calls.WSAGetLastError
    results = []
    # A copy: the __index__ method of an item may change the list.
    sockets = tuple(as_sequence(sockets))
    for s in sockets:
        count = send(s, buf, len, flags)
        results.append(-last_error() if count == SOCKET_ERROR else count)
    return results
