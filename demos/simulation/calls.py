"""Counts what a terminal's calls of Winsock have met: partial sends, datagrams, connections that end inside a message.

Programs do not record these, because they are no events for them. A scenario needs them to know that a recovery path
was reached, and to compare what was sent with what has arrived.

Partial sends can also be caused: as if the kernel had no room for the whole message. With the buffers of a simulated
kernel that happens to small messages only after hours of silence from the peer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from types import ModuleType
from typing import Any, NamedTuple, cast

from winsock import SOCKET_ERROR, WSAEWOULDBLOCK, Winsock

# Whether the bytes of a connection end with a whole message.
IsWhole = Callable[[bytes], bool]

PARTIAL_SEND = "partial send"
END_INSIDE_MESSAGE = "end inside a message"
DATAGRAMS_SENT = "datagrams sent"
DATAGRAMS_RECEIVED = "datagrams received"

_NAME = "winsock_counted"


class PartialSends(NamedTuple):
    """Which sends take only a part: while that is allowed, a random share of them."""

    random: Random
    probability: float
    allowed: Callable[[], bool]


def counted(
    winsock: Winsock,
    counts: Counter[str],
    is_whole: IsWhole | None,
    partial: PartialSends,
    on_cut: Callable[[bytes], object] = len,
) -> Winsock:
    """The same calls; they count what the head of this module lists. ``is_whole`` is for the received streams.

    ``on_cut`` gets each unfinished message at the end of a connection.

    Calls that are counted already are returned as they are: a terminal may run several times in one process.
    """
    if getattr(winsock, "__name__", "") == _NAME:
        return winsock
    counting = ModuleType(_NAME)
    counting.__dict__.update({**vars(winsock), "__name__": _NAME})
    changed: Any = counting
    changed.send = _counted_send(winsock, counts, partial)
    changed.sendto = _counted_transfer(winsock.sendto, counts, DATAGRAMS_SENT)
    changed.recvfrom = _counted_transfer(winsock.recvfrom, counts, DATAGRAMS_RECEIVED)
    if is_whole is not None:
        changed.recv = _counted_recv(winsock, counts, is_whole, on_cut)
    return cast(Winsock, counting)


def _counted_send(winsock: Winsock, counts: Counter[str], partial: PartialSends) -> Callable[..., int]:
    send = winsock.send

    def counted_send(s: int, buf: Any, length: int, flags: int) -> int:
        part = length
        if length > 1 and partial.probability and partial.allowed() and partial.random.random() < partial.probability:
            part = partial.random.randrange(1, length)
        result = send(s, buf, part, flags)
        if 0 <= result < length:
            counts[PARTIAL_SEND] += 1
        return result

    return counted_send


def _counted_transfer(call: Callable[..., int], counts: Counter[str], name: str) -> Callable[..., int]:
    def counted_call(*args: Any) -> int:
        result = call(*args)
        if result != SOCKET_ERROR:
            counts[name] += 1
        return result

    return counted_call


def _counted_recv(
    winsock: Winsock, counts: Counter[str], is_whole: IsWhole, on_cut: Callable[[bytes], object]
) -> Callable[..., int]:
    recv, last_error = winsock.recv, winsock.WSAGetLastError
    # By socket, what has arrived since the last end of a message.
    unfinished: dict[int, bytearray] = {}

    def counted_recv(s: int, buf: Any, length: int, flags: int) -> int:
        result = recv(s, buf, length, flags)
        if result > 0:
            data = unfinished.setdefault(s, bytearray())
            data += memoryview(buf)[:result]
            if is_whole(bytes(data)):
                del unfinished[s]
        elif s in unfinished and (result == 0 or last_error() != WSAEWOULDBLOCK):
            on_cut(bytes(unfinished.pop(s)))
            counts[END_INSIDE_MESSAGE] += 1
        return result

    return counted_recv
