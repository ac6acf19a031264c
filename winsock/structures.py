"""Winsock's structures with the layout of Windows on every platform, and the macros of winsock2.h that work on them.

Each structure is a `ctypes.Structure` and therefore also a buffer, which is what the calls take. `bytearray(addr)`
copies a `sockaddr_in` to a byte array, and `sockaddr_in.from_buffer_copy(array)` copies it back. The calls accept both
forms.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import (
    POINTER,
    Structure,
    Union,
    c_char,
    c_char_p,
    c_int,
    c_int16,
    c_int32,
    c_int64,
    c_size_t,
    c_ubyte,
    c_void_p,
)
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from .arguments import argument_error, as_integer, as_output_buffer, as_uint, as_word, socket_handle
from .constants import FD_SETSIZE, WSADESCRIPTION_LEN, WSASYS_STATUS_LEN

if TYPE_CHECKING:
    from array import array
    from mmap import mmap

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

# The pointer types of the calls: a buffer that C writes to, a buffer that C only reads, a pointer to an integer.
_CData: TypeAlias = "ctypes.Structure | ctypes.Union | ctypes.Array[Any] | ctypes._SimpleCData[Any]"
Buffer: TypeAlias = "bytearray | memoryview | array[Any] | mmap | _CData"
ConstBuffer: TypeAlias = "bytes | Buffer"
IntRef: TypeAlias = "ctypes._SimpleCData[int]"

# A C long has 4 bytes on Windows; on 64-bit Linux ctypes.c_long has 8.
u_short = ctypes.c_uint16
u_long = ctypes.c_uint32
SOCKET = c_size_t
_SOCKET_SIZE = ctypes.sizeof(SOCKET)


class _Value:
    """What structures and unions have in common.

    repr() shows the contents. Two of the same type are equal if their bytes are equal. They can be modified, so they
    have no hash value.
    """

    _format = "fields"  # see winsock.formatting

    def __repr__(self) -> str:
        from . import formatting  # here, because only repr() needs it

        return f"{type(self).__name__}({formatting.contents(self)})"

    def __eq__(self: Any, other: object) -> bool:
        return bytes(self) == bytes(other) if isinstance(other, type(self)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


class _Structure(_Value, Structure):
    """The base class of Winsock's structures. Its constructor names the field that it rejects."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        for name in kw:
            # ctypes would store the value of an unknown name as an attribute of the Python object.
            if not hasattr(getattr(type(self), name, None), "__set__"):
                raise TypeError(f"{type(self).__name__}() has no field {name!r}")
        try:
            super().__init__(*args, **kw)
        except TypeError as error:
            raise self._rejected(error, args, kw) from None

    if TYPE_CHECKING:
        # Each structure declares its fields; a type checker reports an assignment to any other attribute. Those that
        # programs create with values also declare the parameters of their constructors.
        def __setattr__(self, name: str, value: NoReturn) -> None: ...

    def _rejected(self, error: TypeError, args: tuple[Any, ...], kw: dict[str, Any]) -> TypeError:
        """The exception for the first argument of the constructor that ctypes does not accept."""
        for name, value in [*zip((field[0] for field in self._fields_), args, strict=False), *kw.items()]:
            try:
                setattr(self, name, value)
            except TypeError as reason:
                return TypeError(f"{type(self).__name__}() argument {name!r}: {reason}")
        return TypeError(f"{type(self).__name__}(): {error}")


class WSADATA(_Structure):
    """The result of WSAStartup: the version to use and the highest version, as MAKEWORD(major, minor), and texts."""

    # The header orders the fields differently for 64-bit and for 32-bit programs. lpVendorInfo is a `char *` there, but
    # WSAStartup does not set it: as a c_void_p it can be read without following it.
    _fields_ = (
        [
            ("wVersion", u_short),
            ("wHighVersion", u_short),
            ("iMaxSockets", u_short),
            ("iMaxUdpDg", u_short),
            ("lpVendorInfo", c_void_p),
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
            ("lpVendorInfo", c_void_p),
        ]
    )
    wVersion: int
    wHighVersion: int
    iMaxSockets: int
    iMaxUdpDg: int
    lpVendorInfo: int | None
    szDescription: bytes
    szSystemStatus: bytes


WSAData = WSADATA


class _in_addr_bytes(_Structure):
    _fields_ = [("s_b1", c_ubyte), ("s_b2", c_ubyte), ("s_b3", c_ubyte), ("s_b4", c_ubyte)]
    s_b1: int
    s_b2: int
    s_b3: int
    s_b4: int


class _in_addr_words(_Structure):
    _fields_ = [("s_w1", u_short), ("s_w2", u_short)]
    s_w1: int
    s_w2: int


class _in_addr_union(_Value, Union):
    _format = "IPv4"
    _fields_ = [("S_un_b", _in_addr_bytes), ("S_un_w", _in_addr_words), ("S_addr", u_long)]
    S_un_b: _in_addr_bytes
    S_un_w: _in_addr_words
    S_addr: int


class in_addr(_Structure):
    """An IPv4 address; `s_addr` is its value as a u_long in network byte order, as inet_addr returns it."""

    _format = "IPv4"
    _anonymous_ = ("S_un",)
    _fields_ = [("S_un", _in_addr_union)]
    S_un: _in_addr_union
    S_un_b: _in_addr_bytes
    S_un_w: _in_addr_words
    S_addr: int

    def __init__(self, s_addr: int = 0) -> None:
        super().__init__(s_addr=s_addr)

    @property
    def s_addr(self) -> int:
        return self.S_addr

    @s_addr.setter
    def s_addr(self, value: int) -> None:
        self.S_addr = value


class sockaddr(_Structure):
    """The generic address: the address family, then 14 bytes whose meaning depends on the family."""

    _format = "sockaddr"
    _fields_ = [("sa_family", u_short), ("sa_data", c_ubyte * 14)]
    sa_family: int
    sa_data: ctypes.Array[c_ubyte]


class sockaddr_in(_Structure):
    """An IPv4 address and port, both in network byte order; 16 bytes."""

    _format = "sockaddr"
    _fields_ = [("sin_family", u_short), ("sin_port", u_short), ("sin_addr", in_addr), ("sin_zero", c_ubyte * 8)]
    sin_family: int
    sin_port: int
    sin_addr: in_addr
    sin_zero: ctypes.Array[c_ubyte]

    if TYPE_CHECKING:

        def __init__(
            self,
            sin_family: int = ...,
            sin_port: int = ...,
            sin_addr: in_addr = ...,
            sin_zero: Any = ...,
        ) -> None: ...


class _in6_addr_union(_Value, Union):
    _format = "IPv6"
    _fields_ = [("Byte", c_ubyte * 16), ("Word", u_short * 8)]
    Byte: ctypes.Array[c_ubyte]
    Word: ctypes.Array[ctypes.c_uint16]


class in6_addr(_Structure):
    """An IPv6 address; `s6_addr` is its 16 bytes in network byte order."""

    _format = "IPv6"
    _anonymous_ = ("u",)
    _fields_ = [("u", _in6_addr_union)]
    u: _in6_addr_union
    Byte: ctypes.Array[c_ubyte]
    Word: ctypes.Array[ctypes.c_uint16]

    @property
    def s6_addr(self) -> bytes:
        return bytes(self.Byte)

    @s6_addr.setter
    def s6_addr(self, value: bytes) -> None:
        numbers = [*value]
        if len(numbers) != 16:
            raise ValueError(f"an IPv6 address has 16 bytes, not {len(numbers)}")
        self.Byte = type(self.Byte)(*numbers)


class sockaddr_in6(_Structure):
    """An IPv6 address and port in network byte order, flow information and scope id; 28 bytes."""

    _format = "sockaddr"
    _fields_ = [
        ("sin6_family", u_short),
        ("sin6_port", u_short),
        ("sin6_flowinfo", u_long),
        ("sin6_addr", in6_addr),
        ("sin6_scope_id", u_long),
    ]
    sin6_family: int
    sin6_port: int
    sin6_flowinfo: int
    sin6_addr: in6_addr
    sin6_scope_id: int

    if TYPE_CHECKING:

        def __init__(
            self,
            sin6_family: int = ...,
            sin6_port: int = ...,
            sin6_flowinfo: int = ...,
            sin6_addr: in6_addr = ...,
            sin6_scope_id: int = ...,
        ) -> None: ...


class sockaddr_storage(_Structure):
    """Large enough for an address of any family; 128 bytes."""

    _format = "sockaddr"
    _fields_ = [
        ("ss_family", u_short),
        ("__ss_pad1", c_ubyte * 6),
        ("__ss_align", c_int64),
        ("__ss_pad2", c_ubyte * 112),
    ]
    ss_family: int


class timeval(_Structure):
    """A duration in seconds and microseconds, each a 4-byte long as on Windows."""

    _fields_ = [("tv_sec", c_int32), ("tv_usec", c_int32)]
    tv_sec: int
    tv_usec: int

    if TYPE_CHECKING:

        def __init__(self, tv_sec: int = ..., tv_usec: int = ...) -> None: ...


class WSAPOLLFD(_Structure):
    """One entry of the array for WSAPoll: a socket, the requested events and the events that occurred (POLL flags)."""

    _fields_ = [("fd", SOCKET), ("events", c_int16), ("revents", c_int16)]
    fd: int
    events: int
    revents: int

    if TYPE_CHECKING:

        def __init__(self, fd: int = ..., events: int = ..., revents: int = ...) -> None: ...


class linger(_Structure):
    """The value of SO_LINGER: whether closesocket waits until unsent data is sent, and for how many seconds."""

    _fields_ = [("l_onoff", u_short), ("l_linger", u_short)]
    l_onoff: int
    l_linger: int

    if TYPE_CHECKING:

        def __init__(self, l_onoff: int = ..., l_linger: int = ...) -> None: ...


class ip_mreq(_Structure):
    """The value of IP_ADD_MEMBERSHIP: the multicast group and the address of the interface that joins it."""

    _fields_ = [("imr_multiaddr", in_addr), ("imr_interface", in_addr)]
    imr_multiaddr: in_addr
    imr_interface: in_addr

    if TYPE_CHECKING:

        def __init__(self, imr_multiaddr: in_addr = ..., imr_interface: in_addr = ...) -> None: ...


class ipv6_mreq(_Structure):
    """The value of IPV6_ADD_MEMBERSHIP: the multicast group and the index of the interface that joins it."""

    _fields_ = [("ipv6mr_multiaddr", in6_addr), ("ipv6mr_interface", u_long)]
    ipv6mr_multiaddr: in6_addr
    ipv6mr_interface: int

    if TYPE_CHECKING:

        def __init__(self, ipv6mr_multiaddr: in6_addr = ..., ipv6mr_interface: int = ...) -> None: ...


class addrinfo(_Structure):
    """One result of getaddrinfo, linked to the next one by ai_next; also the hints that it takes."""

    ai_flags: int
    ai_family: int
    ai_socktype: int
    ai_protocol: int
    ai_addrlen: int
    ai_canonname: Any  # bytes with AI_CANONNAME, otherwise None
    ai_addr: ctypes._Pointer[sockaddr]
    ai_next: ctypes._Pointer[addrinfo]

    if TYPE_CHECKING:

        def __init__(
            self,
            ai_flags: int = ...,
            ai_family: int = ...,
            ai_socktype: int = ...,
            ai_protocol: int = ...,
            ai_addrlen: int = ...,
            ai_canonname: Any = ...,
            ai_addr: ctypes._Pointer[sockaddr] | None = ...,
            ai_next: ctypes._Pointer[addrinfo] | None = ...,
        ) -> None: ...


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
    """Returns `value` if it is an instance of POINTER(addrinfo).

    Errors: TypeError for anything else.
    """
    if not isinstance(value, _addrinfo_pointer):
        problem = f"a POINTER(addrinfo) instance is required, not '{type(value).__name__}'"
        raise argument_error(TypeError, value, "_Pointer[addrinfo]", problem)
    return value


class hostent(_Structure):
    """The result of gethostbyname: names, and a NULL-terminated array of addresses, each of h_length bytes."""

    _fields_ = [
        ("h_name", c_char_p),
        ("h_aliases", POINTER(c_char_p)),
        ("h_addrtype", c_int16),
        ("h_length", c_int16),
        # Not c_char_p: an address may contain NUL bytes.
        ("h_addr_list", POINTER(POINTER(c_char))),
    ]
    h_name: bytes
    h_aliases: Any  # a pointer whose elements are bytes; the last one is None
    h_addrtype: int
    h_length: int
    h_addr_list: ctypes._Pointer[ctypes._Pointer[c_char]]

    @property
    def h_addr(self) -> ctypes._Pointer[c_char]:
        """The first address, like the macro h_addr of winsock2.h."""
        first: ctypes._Pointer[c_char] = self.h_addr_list[0]
        return first


class fd_set(_Structure):
    """A set of up to FD_SETSIZE (64) sockets: their number and their handles; fd_set_sized has other capacities."""

    _format = "sockets"
    _fields_ = [("fd_count", ctypes.c_uint32), ("fd_array", SOCKET * FD_SETSIZE)]
    fd_count: int
    fd_array: ctypes.Array[c_size_t]


class _other_fd_set(_Structure):
    """The base class of the types that fd_set_sized returns."""

    _format = "sockets"
    fd_count: int
    fd_array: ctypes.Array[c_size_t]


# The types of all fd_sets, for isinstance.
FD_SETS = (fd_set, _other_fd_set)


def fd_set_sized(n: int) -> type[fd_set | _other_fd_set]:
    """The type of an fd_set for up to `n` sockets, as in C when FD_SETSIZE is defined before winsock2.h is included.

    Errors: ValueError if `n` is less than 1. TypeError if it is not an integer. OverflowError if it does not fit a
    u_int.
    Source: https://learn.microsoft.com/en-us/windows/win32/winsock/maximum-number-of-sockets-supported-2
    """
    capacity = as_uint(n)
    if as_integer(n) < 1:
        raise argument_error(ValueError, n, "int", f"the capacity of an fd_set must be at least 1, not {n}")
    return _fd_set_type(capacity)


@cache
def _fd_set_type(n: int) -> type[fd_set | _other_fd_set]:
    if n == FD_SETSIZE:
        return fd_set
    fields = [("fd_count", ctypes.c_uint32), ("fd_array", SOCKET * n)]
    return type(f"fd_set_{n}", (_other_fd_set,), {"__doc__": f"A set of up to {n} sockets.", "_fields_": fields})


def fd_set_over(set: Any) -> fd_set | _other_fd_set | None:
    """`set` itself if it is an fd_set, or an fd_set over the same memory; None if that is shorter than an fd_set."""
    if isinstance(set, FD_SETS):
        size = ctypes.sizeof(set)
        if size == ctypes.sizeof(type(set)):
            return set
        # ctypes.resize has enlarged it. The memory stays the caller's: `set` must outlive what is returned here.
        return fd_set_sized(size // _SOCKET_SIZE - 1).from_address(ctypes.addressof(set))
    array = as_output_buffer(set)
    if len(array) < ctypes.sizeof(fd_set):
        return None
    capacity = len(array) // _SOCKET_SIZE - 1  # fd_count and its padding are as wide as a SOCKET
    return fd_set_sized(capacity).from_buffer(array)


def _macro_set(set: Any) -> fd_set | _other_fd_set:
    fds = fd_set_over(set)
    if fds is None:
        size = memoryview(set).nbytes
        problem = f"an fd_set of at least {ctypes.sizeof(fd_set)} bytes is required, not one of {size} bytes"
        raise argument_error(TypeError, set, "Buffer", problem)
    return fds


def _last_index(fds: fd_set | _other_fd_set, handle: int, count: int) -> int:
    """The highest index among the first `count` entries that contain `handle`; -1 if none does."""
    # bytes.rfind is fastest: bytes.find takes twice as long here, and a list of the entries ten times.
    memory, wanted = bytes(fds), handle.to_bytes(_SOCKET_SIZE, sys.byteorder)
    # fd_count and its padding are as wide as a SOCKET.
    end = _SOCKET_SIZE * (count + 1)
    at = memory.rfind(wanted, _SOCKET_SIZE, end)
    while at > 0 and at % _SOCKET_SIZE:
        end = at + _SOCKET_SIZE - 1
        at = memory.rfind(wanted, _SOCKET_SIZE, end)
    return at // _SOCKET_SIZE - 1 if at > 0 else -1


def FD_ZERO(set: Buffer) -> None:
    """void FD_ZERO(fd_set *set): empties the set.

    Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-select
    """
    _macro_set(set).fd_count = 0


def FD_SET(s: int, set: Buffer) -> None:
    """void FD_SET(SOCKET s, fd_set *set): adds `s`, unless the set already contains it or is full.

    Like Winsock's macro it reports no error for a full set; fd_set_sized returns types with a larger capacity.
    Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-select
    """
    handle = socket_handle(s)
    fds = _macro_set(set)
    count = fds.fd_count
    if count < ctypes.sizeof(fds) // _SOCKET_SIZE - 1 and _last_index(fds, handle, count) < 0:
        fds.fd_array[count] = handle
        fds.fd_count = count + 1


def FD_CLR(s: int, set: Buffer) -> None:
    """void FD_CLR(SOCKET s, fd_set *set): removes `s`; the entries after it move up by one.

    Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-select
    """
    handle = socket_handle(s)
    fds = _macro_set(set)
    count = min(fds.fd_count, len(fds.fd_array))
    # Winsock's macro removes the first of several equal entries.
    first, earlier = -1, _last_index(fds, handle, count)
    while earlier >= 0:
        first, earlier = earlier, _last_index(fds, handle, earlier)
    if first >= 0:
        entry = ctypes.addressof(fds) + _SOCKET_SIZE * (first + 1)
        ctypes.memmove(entry, entry + _SOCKET_SIZE, _SOCKET_SIZE * (count - first - 1))
        fds.fd_count = count - 1


def FD_ISSET(s: int, set: Buffer) -> bool:
    """int FD_ISSET(SOCKET s, fd_set *set): whether the set contains `s`.

    Source: https://learn.microsoft.com/en-us/windows/win32/api/winsock2/nf-winsock2-select
    """
    handle = socket_handle(s)
    fds = _macro_set(set)
    return _last_index(fds, handle, fds.fd_count) >= 0


def MAKEWORD(a: int, b: int) -> int:
    """WORD MAKEWORD(BYTE a, BYTE b): a 16-bit number with `a` in the low byte, `b` in the high byte.

    MAKEWORD(2, 2) is the version number of Winsock 2.2.

    Source: https://learn.microsoft.com/en-us/previous-versions/windows/desktop/legacy/ms632663(v=vs.85)
    """
    return as_integer(a) & 0xFF | (as_integer(b) & 0xFF) << 8


def LOBYTE(w: int) -> int:
    """BYTE LOBYTE(WORD w): the low byte; the major version in a version number of WSADATA.

    Source: https://learn.microsoft.com/en-us/previous-versions/windows/desktop/legacy/ms632658(v=vs.85)
    """
    return as_word(w) & 0xFF


def HIBYTE(w: int) -> int:
    """BYTE HIBYTE(WORD w): the high byte; the minor version in a version number of WSADATA.

    Source: https://learn.microsoft.com/en-us/previous-versions/windows/desktop/legacy/ms632656(v=vs.85)
    """
    return as_word(w) >> 8
