"""Winsock's structures with Windows's layout on every platform, and the macros of winsock2.h that work on them.

A structure here is a `ctypes.Structure`, and so is also the byte array that the calls take: `bytearray(addr)` copies a
`sockaddr_in` out, `sockaddr_in.from_buffer_copy(array)` copies it back, and a call accepts either.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, Structure, Union, c_char, c_char_p, c_int, c_int16, c_int32, c_int64, c_size_t, c_ubyte
from functools import cache
from operator import index
from typing import Any, TypeAlias

from .arguments import as_word, socket_handle, writable
from .constants import FD_SETSIZE, WSADESCRIPTION_LEN, WSASYS_STATUS_LEN

__all__ = [
    "FD_CLR",
    "FD_ISSET",
    "FD_SET",
    "FD_ZERO",
    "HIBYTE",
    "LOBYTE",
    "MAKEWORD",
    "SOCKET",
    "WSADATA",
    "WSAPOLLFD",
    "WSAData",
    "addrinfo",
    "fd_set",
    "fd_set_sized",
    "hostent",
    "in6_addr",
    "in_addr",
    "ip_mreq",
    "ipv6_mreq",
    "linger",
    "sockaddr",
    "sockaddr_in",
    "sockaddr_in6",
    "sockaddr_storage",
    "timeval",
    "u_long",
    "u_short",
]

# What the calls take: a buffer that is written, a buffer that is only read, and a pointer to an integer.
Buffer: TypeAlias = "bytearray | memoryview | ctypes.Structure | ctypes.Array[Any] | ctypes._SimpleCData[Any]"
ConstBuffer: TypeAlias = "bytes | Buffer"
IntRef: TypeAlias = "ctypes._SimpleCData[int]"

# A C long has 4 bytes on Windows, also where the host's has 8.
u_short = ctypes.c_uint16
u_long = ctypes.c_uint32
SOCKET = c_size_t
_SOCKET_SIZE = ctypes.sizeof(SOCKET)


class WSADATA(Structure):
    """What WSAStartup tells of the library: versions as MAKEWORD(major, minor), and texts."""

    # Windows moved the numbers before the texts when pointers grew to 8 bytes.
    _fields_ = (
        [
            ("wVersion", u_short),
            ("wHighVersion", u_short),
            ("iMaxSockets", u_short),
            ("iMaxUdpDg", u_short),
            ("lpVendorInfo", c_char_p),
            ("szDescription", c_char * (WSADESCRIPTION_LEN + 1)),
            ("szSystemStatus", c_char * (WSASYS_STATUS_LEN + 1)),
        ]
        if ctypes.sizeof(ctypes.c_void_p) == 8
        else [
            ("wVersion", u_short),
            ("wHighVersion", u_short),
            ("szDescription", c_char * (WSADESCRIPTION_LEN + 1)),
            ("szSystemStatus", c_char * (WSASYS_STATUS_LEN + 1)),
            ("iMaxSockets", u_short),
            ("iMaxUdpDg", u_short),
            ("lpVendorInfo", c_char_p),
        ]
    )


WSAData = WSADATA


class _in_addr_bytes(Structure):
    _fields_ = [("s_b1", c_ubyte), ("s_b2", c_ubyte), ("s_b3", c_ubyte), ("s_b4", c_ubyte)]


class _in_addr_words(Structure):
    _fields_ = [("s_w1", u_short), ("s_w2", u_short)]


class _in_addr_union(Union):
    _fields_ = [("S_un_b", _in_addr_bytes), ("S_un_w", _in_addr_words), ("S_addr", u_long)]


class in_addr(Structure):
    """An IPv4 address; `s_addr` is its u_long in network order, as inet_addr returns it."""

    _anonymous_ = ("S_un",)
    _fields_ = [("S_un", _in_addr_union)]
    S_addr: int

    def __init__(self, s_addr: int = 0) -> None:
        super().__init__()
        self.S_addr = s_addr

    @property
    def s_addr(self) -> int:
        return self.S_addr

    @s_addr.setter
    def s_addr(self, value: int) -> None:
        self.S_addr = value


class sockaddr(Structure):
    """The head that all addresses share: the family, then 14 bytes whose meaning it decides."""

    _fields_ = [("sa_family", u_short), ("sa_data", c_ubyte * 14)]


class sockaddr_in(Structure):
    """An IPv4 address and port (both in network order), 16 bytes."""

    _fields_ = [("sin_family", u_short), ("sin_port", u_short), ("sin_addr", in_addr), ("sin_zero", c_ubyte * 8)]


class _in6_addr_union(Union):
    _fields_ = [("Byte", c_ubyte * 16), ("Word", u_short * 8)]


class in6_addr(Structure):
    """An IPv6 address; `s6_addr` is its 16 bytes."""

    _anonymous_ = ("u",)
    _fields_ = [("u", _in6_addr_union)]
    Byte: ctypes.Array[c_ubyte]

    @property
    def s6_addr(self) -> bytes:
        return bytes(self.Byte)

    @s6_addr.setter
    def s6_addr(self, value: bytes) -> None:
        self.Byte = type(self.Byte)(*value)


class sockaddr_in6(Structure):
    """An IPv6 address, port (network order), flow and scope, 28 bytes."""

    _fields_ = [
        ("sin6_family", u_short),
        ("sin6_port", u_short),
        ("sin6_flowinfo", u_long),
        ("sin6_addr", in6_addr),
        ("sin6_scope_id", u_long),
    ]


class sockaddr_storage(Structure):
    """Room for an address of any family, 128 bytes."""

    _fields_ = [
        ("ss_family", u_short),
        ("__ss_pad1", c_ubyte * 6),
        ("__ss_align", c_int64),
        ("__ss_pad2", c_ubyte * 112),
    ]


class timeval(Structure):
    """A time in seconds and microseconds; both are 4-byte longs on Windows."""

    _fields_ = [("tv_sec", c_int32), ("tv_usec", c_int32)]


class WSAPOLLFD(Structure):
    """One entry of WSAPoll's array: a socket, the POLL events asked for and those that were found."""

    _fields_ = [("fd", SOCKET), ("events", c_int16), ("revents", c_int16)]


class linger(Structure):
    """SO_LINGER: whether closesocket waits for unsent data, and for how many seconds."""

    _fields_ = [("l_onoff", u_short), ("l_linger", u_short)]


class ip_mreq(Structure):
    """IP_ADD_MEMBERSHIP: the group, and the address of the interface that joins it."""

    _fields_ = [("imr_multiaddr", in_addr), ("imr_interface", in_addr)]


class ipv6_mreq(Structure):
    """IPV6_ADD_MEMBERSHIP: the group, and the index of the interface that joins it."""

    _fields_ = [("ipv6mr_multiaddr", in6_addr), ("ipv6mr_interface", u_long)]


class addrinfo(Structure):
    """One answer of getaddrinfo, and its hints; a list linked by ai_next."""


addrinfo._fields_ = [
    ("ai_flags", c_int),
    ("ai_family", c_int),
    ("ai_socktype", c_int),
    ("ai_protocol", c_int),
    ("ai_addrlen", c_size_t),
    ("ai_canonname", c_char_p),
    ("ai_addr", POINTER(sockaddr)),
    ("ai_next", POINTER(addrinfo)),
]


_addrinfo_pointer = POINTER(addrinfo)


def addrinfo_pointer(value: Any) -> ctypes._Pointer[addrinfo]:
    """`value`, a POINTER(addrinfo) instance; TypeError for anything else."""
    if not isinstance(value, _addrinfo_pointer):
        raise TypeError(f"a POINTER(addrinfo) instance is needed, not {type(value).__name__}")
    return value


class hostent(Structure):
    """gethostbyname's answer: names, and a NULL-ended array of addresses of h_length bytes in network order."""

    _fields_ = [
        ("h_name", c_char_p),
        ("h_aliases", POINTER(c_char_p)),
        ("h_addrtype", c_int16),
        ("h_length", c_int16),
        # Not c_char_p: an address holds NUL bytes.
        ("h_addr_list", POINTER(POINTER(c_char))),
    ]

    @property
    def h_addr(self) -> ctypes._Pointer[c_char]:
        """The first address, as the macro of winsock.h."""
        first: ctypes._Pointer[c_char] = self.h_addr_list[0]
        return first


class fd_set(Structure):
    """A set of up to FD_SETSIZE (64) sockets: how many, and which; fd_set_sized makes other sizes."""

    _fields_ = [("fd_count", ctypes.c_uint32), ("fd_array", SOCKET * FD_SETSIZE)]
    fd_count: int
    fd_array: ctypes.Array[c_size_t]


class _other_fd_set(Structure):
    """What the types of fd_set_sized have in common."""

    fd_count: int
    fd_array: ctypes.Array[c_size_t]


# Every size of fd_set, for isinstance.
FD_SETS = (fd_set, _other_fd_set)


@cache
def fd_set_sized(n: int) -> type[fd_set | _other_fd_set]:
    """The type of an fd_set with room for `n` sockets, as C has it when FD_SETSIZE is defined before winsock2.h.

    Errors: ValueError when n is not positive.
    Source: https://learn.microsoft.com/en-us/windows/win32/winsock/maximum-number-of-sockets-supported-2
    """
    if n < 1:
        raise ValueError(f"an fd_set needs room for at least one socket, not {n}")
    if n == FD_SETSIZE:
        return fd_set
    fields = [("fd_count", ctypes.c_uint32), ("fd_array", SOCKET * n)]
    return type(f"fd_set_{n}", (_other_fd_set,), {"__doc__": f"A set of up to {n} sockets.", "_fields_": fields})


def fd_set_over(set: Any) -> fd_set | _other_fd_set | None:
    """`set` itself, or an fd_set over the byte array that holds one; None when that is shorter than an fd_set."""
    if isinstance(set, FD_SETS):
        return set
    array = writable(set)
    if len(array) < ctypes.sizeof(fd_set):
        return None
    room = len(array) // _SOCKET_SIZE - 1  # fd_count is as wide as a SOCKET with its padding
    return fd_set_sized(room).from_buffer(array)


def _macro_set(set: Any) -> fd_set | _other_fd_set:
    fds = fd_set_over(set)
    if fds is None:
        raise TypeError(f"an fd_set has {ctypes.sizeof(fd_set)} bytes; the buffer is shorter")
    return fds


def _place(fds: fd_set | _other_fd_set, handle: int, count: int) -> int:
    """The last of the first `count` places that holds `handle`; -1 where none does."""
    # Among bytes, and from the end: forwards costs twice as much, and a list of all the numbers ten times.
    held, sought = bytes(fds), handle.to_bytes(_SOCKET_SIZE, sys.byteorder)
    # fd_count is as wide as a SOCKET with its padding.
    end = _SOCKET_SIZE * (count + 1)
    at = held.rfind(sought, _SOCKET_SIZE, end)
    while at > 0 and at % _SOCKET_SIZE:
        end = at + _SOCKET_SIZE - 1
        at = held.rfind(sought, _SOCKET_SIZE, end)
    return at // _SOCKET_SIZE - 1 if at > 0 else -1


def FD_ZERO(set: Buffer) -> None:
    """void FD_ZERO(fd_set *set): empties the set.

    Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-select
    """
    _macro_set(set).fd_count = 0


def FD_SET(s: int, set: Buffer) -> None:
    """void FD_SET(SOCKET s, fd_set *set): adds `s`, unless it is in the set already or the set is full.

    A full set ignores the call, as Winsock's macro does; fd_set_sized gives a larger one.
    Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-select
    """
    handle = socket_handle(s)
    fds = _macro_set(set)
    count = fds.fd_count
    if count < ctypes.sizeof(fds) // _SOCKET_SIZE - 1 and _place(fds, handle, count) < 0:
        fds.fd_array[count] = handle
        fds.fd_count = count + 1


def FD_CLR(s: int, set: Buffer) -> None:
    """void FD_CLR(SOCKET s, fd_set *set): takes `s` out; those behind it move up.

    Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-select
    """
    handle = socket_handle(s)
    fds = _macro_set(set)
    count = min(fds.fd_count, len(fds.fd_array))
    place, earlier = -1, _place(fds, handle, count)
    while earlier >= 0:
        place, earlier = earlier, _place(fds, handle, earlier)
    if place >= 0:
        moved = ctypes.addressof(fds) + _SOCKET_SIZE * (place + 1)
        ctypes.memmove(moved, moved + _SOCKET_SIZE, _SOCKET_SIZE * (count - place - 1))
        fds.fd_count = count - 1


def FD_ISSET(s: int, set: Buffer) -> bool:
    """int FD_ISSET(SOCKET s, fd_set *set): whether `s` is in the set.

    Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-select
    """
    handle = socket_handle(s)
    fds = _macro_set(set)
    return _place(fds, handle, fds.fd_count) >= 0


def MAKEWORD(a: int, b: int) -> int:
    """WORD MAKEWORD(BYTE a, BYTE b): `a` in the low byte, `b` in the high one; MAKEWORD(2, 2) asks for Winsock 2.2.

    Source: https://learn.microsoft.com/en-us/previous-versions/windows/desktop/legacy/ms632663(v=vs.85)
    """
    return index(a) & 0xFF | (index(b) & 0xFF) << 8


def LOBYTE(w: int) -> int:
    """BYTE LOBYTE(WORD w): the low byte, the major version in WSADATA's words.

    Source: https://learn.microsoft.com/en-us/previous-versions/windows/desktop/legacy/ms632658(v=vs.85)
    """
    return as_word(w) & 0xFF


def HIBYTE(w: int) -> int:
    """BYTE HIBYTE(WORD w): the high byte, the minor version in WSADATA's words.

    Source: https://learn.microsoft.com/en-us/previous-versions/windows/desktop/legacy/ms632656(v=vs.85)
    """
    return as_word(w) >> 8
