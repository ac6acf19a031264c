"""One buffer to many sockets in one call: an addition of ours, which Winsock does not have.

A server that tells the same to each of its clients spends most of its time on the way into the system and back; here
compat's compiled mode goes there once for all of them. Elsewhere, and under a tracer, it is a loop over `send`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import winsock

from .constants import SOCKET_ERROR
from .structures import ConstBuffer

__all__ = ["send_many"]


def send_many(sockets: Sequence[int], buf: ConstBuffer | None, len: int, flags: int) -> list[int]:
    """Sends the same `len` bytes of `buf` to each of `sockets`, as `send` would, one after the other.

    The result has an entry for each socket, in their order: the bytes that it took, 0 or more, or its error as a
    negative number: -WSAEWOULDBLOCK where a non-blocking socket has no room, -WSAENOTSOCK for a closed handle, and so
    on. No entry depends on another. A blocking socket without room holds up those behind it.

    Errors: those of send, each in its entry. TypeError and OverflowError as send raises them, before or after others
    were served; give `sockets` as handles that socket or accept returned.
    Source: ours; each entry is https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-send
    """
    calls: Any = winsock.calls
    # A tracer stands in front of send, and is to see each of them.
    at_once = getattr(calls, "send_many", None) if isinstance(calls, ModuleType) else None
    if at_once is not None:
        counts: list[int] = at_once(sockets, buf, len, flags)
        return counts
    send, last_error = calls.send, calls.WSAGetLastError
    results = []
    for s in sockets:
        count = send(s, buf, len, flags)
        results.append(-last_error() if count == SOCKET_ERROR else count)
    return results
