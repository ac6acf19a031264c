"""A caller's sockaddr: checking the one that a call reads, filling the one that a call writes."""

from __future__ import annotations

from typing import Any

from winsock.constants import AF_UNSPEC

from ..posix.sockaddr_layout import SIZE, family_of
from ..state.sockets import Socket


def checked_name(sock: Socket, name: memoryview | None, namelen: int) -> bytes | None:
    """The bytes of a name that is long enough for the socket's family, cut to its size; None means WSAEFAULT."""
    if name is None or not 2 <= namelen <= name.nbytes:
        return None
    raw = name.tobytes()[:namelen]
    if family_of(raw) == AF_UNSPEC and namelen >= 16:
        return raw
    return raw[: SIZE[sock.family]] if namelen >= SIZE[sock.family] else None


def has_room(sock: Socket, address: memoryview, length: Any) -> bool:
    """Whether a caller's buffer and length can take a name of the socket's family."""
    room: int = length.value
    return SIZE[sock.family] <= room <= len(address)


def put_name(name: bytes | None, address: memoryview, length: Any) -> None:
    """Fills a caller's sockaddr, whose size was checked, and its length."""
    if name is not None:
        address[: len(name)] = name
        length.value = len(name)
