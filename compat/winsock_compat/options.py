"""setsockopt, getsockopt: Winsock's options as tables — their lengths, values, defaults, and the host's numbers."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from winsock import constants as c
from winsock.arguments import as_input_buffer as readable
from winsock.arguments import as_int, integer_ref, socket_handle
from winsock.arguments import as_output_buffer as writable
from winsock.errors import WSAEFAULT, WSAEINVAL, WSAENOPROTOOPT, WSAENOTSOCK
from winsock.structures import Buffer, ConstBuffer, IntRef

from . import libc
from .errnos import fail, fail_by_errno
from .handles import CONNECTED, LISTENING, Socket, find
from .libc import ffi, lib


class Kind(NamedTuple):
    """How an option travels: the shortest value that set takes, what it reads of it, and what get leaves."""

    shortest: int
    value: Callable[[bytes], int]
    size: int  # what get writes and reports where there is room
    short: str  # what get does with 1 to 3 bytes, see _get_short


def _any_bit(raw: bytes) -> int:
    return int(any(raw[:4]))


def _first_byte(raw: bytes) -> int:
    return int(raw[0] != 0)


def _number(raw: bytes) -> int:
    return int.from_bytes(raw[:4], "little")


BOOL = Kind(0, _any_bit, 4, "as many")
BYTE = Kind(1, _first_byte, 1, "one")
INT = Kind(4, _number, 4, "zeroed")
TIMEOUT = Kind(4, _number, 4, "untouched")
KEEPALIVE = Kind(4, _number, 4, "length 0")
SMALL = Kind(1, _number, 4, "one")
FLAG = Kind(1, _any_bit, 4, "one")
READ_ONLY = Kind(4, _number, 4, "untouched")


class Option(NamedTuple):
    kind: Kind
    default: int
    host: tuple[int, int] | None = None  # None: remembered only
    kinds: tuple[int, ...] = (c.SOCK_STREAM, c.SOCK_DGRAM, c.SOCK_RAW)
    wrong_kind: int = WSAENOPROTOOPT


_STREAM, _DATAGRAM = (c.SOCK_STREAM,), (c.SOCK_DGRAM, c.SOCK_RAW)
_SOL, _TCP, _IP, _IPV6 = c.SOL_SOCKET, c.IPPROTO_TCP, c.IPPROTO_IP, c.IPPROTO_IPV6
_UDP_ONLY: dict[str, Any] = {"kinds": _DATAGRAM, "wrong_kind": WSAEINVAL}

OPTIONS = {
    (_SOL, c.SO_DEBUG): Option(BOOL, 0),
    (_SOL, c.SO_REUSEADDR): Option(BOOL, 0),
    (_SOL, c.SO_EXCLUSIVEADDRUSE): Option(BOOL, 0),
    (_SOL, c.SO_KEEPALIVE): Option(BYTE, 0, (libc.SOL_SOCKET, libc.SO_KEEPALIVE)),
    (_SOL, c.SO_DONTROUTE): Option(BYTE, 0),
    (_SOL, c.SO_BROADCAST): Option(BOOL, 0, (libc.SOL_SOCKET, libc.SO_BROADCAST)),
    (_SOL, c.SO_OOBINLINE): Option(BOOL, 0, (libc.SOL_SOCKET, libc.SO_OOBINLINE)),
    (_SOL, c.SO_LINGER): Option(INT, 0, kinds=_STREAM),
    (_SOL, c.SO_DONTLINGER): Option(BOOL, 1, kinds=_STREAM),
    (_SOL, c.SO_SNDBUF): Option(INT, 65536, (libc.SOL_SOCKET, libc.SO_SNDBUF)),
    (_SOL, c.SO_RCVBUF): Option(INT, 65536, (libc.SOL_SOCKET, libc.SO_RCVBUF)),
    (_SOL, c.SO_SNDTIMEO): Option(TIMEOUT, 0),
    (_SOL, c.SO_RCVTIMEO): Option(TIMEOUT, 0),
    (_SOL, c.SO_ERROR): Option(READ_ONLY, 0),
    (_SOL, c.SO_TYPE): Option(READ_ONLY, 0),
    (_SOL, c.SO_ACCEPTCONN): Option(READ_ONLY, 0),
    (_SOL, c.SO_MAX_MSG_SIZE): Option(READ_ONLY, 65507),
    (_SOL, c.SO_CONNECT_TIME): Option(READ_ONLY, 0),
    (_TCP, c.TCP_NODELAY): Option(BYTE, 0, (_TCP, libc.TCP_NODELAY), _STREAM),
    (_TCP, c.TCP_KEEPALIVE): Option(KEEPALIVE, 7200, (_TCP, libc.TCP_KEEPIDLE), _STREAM),
    (_TCP, c.TCP_KEEPCNT): Option(KEEPALIVE, 10, (_TCP, libc.TCP_KEEPCNT), _STREAM),
    (_TCP, c.TCP_KEEPINTVL): Option(KEEPALIVE, 1, (_TCP, libc.TCP_KEEPINTVL), _STREAM),
    (_IP, c.IP_TOS): Option(SMALL, 0, (_IP, libc.IP_TOS)),
    (_IP, c.IP_TTL): Option(SMALL, 128, (_IP, libc.IP_TTL)),
    (_IP, c.IP_HDRINCL): Option(BOOL, 0, kinds=(c.SOCK_RAW,), wrong_kind=WSAEINVAL),
    (_IP, c.IP_DONTFRAGMENT): Option(FLAG, 0, (_IP, libc.IP_MTU_DISCOVER)),
    (_IP, c.IP_MULTICAST_IF): Option(INT, 0, (_IP, libc.IP_MULTICAST_IF), **_UDP_ONLY),
    (_IP, c.IP_MULTICAST_TTL): Option(SMALL, 1, (_IP, libc.IP_MULTICAST_TTL), **_UDP_ONLY),
    (_IP, c.IP_MULTICAST_LOOP): Option(FLAG, 1, (_IP, libc.IP_MULTICAST_LOOP), **_UDP_ONLY),
    (_IP, c.IP_PKTINFO): Option(FLAG, 0, **_UDP_ONLY),
    (_IP, c.IP_RECVTTL): Option(FLAG, 0, **_UDP_ONLY),
    (_IPV6, c.IPV6_V6ONLY): Option(BYTE, 1, (_IPV6, libc.IPV6_V6ONLY)),
    (_IPV6, c.IPV6_UNICAST_HOPS): Option(SMALL, 128, (_IPV6, libc.IPV6_UNICAST_HOPS)),
    (_IPV6, c.IPV6_DONTFRAG): Option(FLAG, 0, (_IPV6, libc.IPV6_DONTFRAG)),
    (_IPV6, c.IPV6_MULTICAST_IF): Option(INT, 0, (_IPV6, libc.IPV6_MULTICAST_IF), **_UDP_ONLY),
    (_IPV6, c.IPV6_MULTICAST_HOPS): Option(SMALL, 1, (_IPV6, libc.IPV6_MULTICAST_HOPS), **_UDP_ONLY),
    (_IPV6, c.IPV6_MULTICAST_LOOP): Option(FLAG, 1, (_IPV6, libc.IPV6_MULTICAST_LOOP), **_UDP_ONLY),
    (_IPV6, c.IPV6_PKTINFO): Option(FLAG, 0, **_UDP_ONLY),
    (_IPV6, c.IPV6_HOPLIMIT): Option(FLAG, 0, **_UDP_ONLY),
}
# Set only: the group and an interface, laid out alike on the host.
_MEMBERSHIPS = {
    (_IP, c.IP_ADD_MEMBERSHIP): (8, libc.IP_ADD_MEMBERSHIP),
    (_IP, c.IP_DROP_MEMBERSHIP): (8, libc.IP_DROP_MEMBERSHIP),
    (_IPV6, c.IPV6_ADD_MEMBERSHIP): (20, libc.IPV6_ADD_MEMBERSHIP),
    (_IPV6, c.IPV6_DROP_MEMBERSHIP): (20, libc.IPV6_DROP_MEMBERSHIP),
}
_LEVELS = {_SOL, _TCP, c.IPPROTO_UDP, _IP, _IPV6}
_ACCEPTED_INHERIT = (
    (_SOL, c.SO_REUSEADDR),
    (_SOL, c.SO_KEEPALIVE),
    (_SOL, c.SO_OOBINLINE),
    (_SOL, c.SO_SNDBUF),
    (_SOL, c.SO_RCVBUF),
    (_SOL, c.SO_SNDTIMEO),
    (_SOL, c.SO_RCVTIMEO),
    (_SOL, c.SO_LINGER),
    (_TCP, c.TCP_NODELAY),
)
# A buffer that is smaller than this on the host stalls; Winsock takes any number and lets data flow.
_SMALLEST_BUFFER = 65536
_open_type = 0


def inherited(listener: Socket) -> Mapping[tuple[int, int], Any]:
    """What an accepted socket takes over of its listener's options."""
    if not listener.options:
        return listener.options
    return {key: listener.options[key] for key in _ACCEPTED_INHERIT if key in listener.options}


def timeout_of(sock: Socket, optname: int) -> float | None:
    """The moment at which a call that starts now runs out of SO_RCVTIMEO or SO_SNDTIMEO; None is never."""
    limit = sock.options.get((_SOL, optname))
    return time.monotonic() + limit / 1000 if limit else None


def _unknown(level: int) -> int:
    return WSAENOPROTOOPT if level in _LEVELS else WSAEINVAL


def _level(level: int) -> int:
    return level & 0xFFFFFFFF


def _not_for(sock: Socket, level: int, optname: int, option: Option) -> int:
    """The error of an option that this kind of socket does not have, or 0."""
    if sock.type not in option.kinds:
        return option.wrong_kind
    if level == _IPV6 and sock.family != c.AF_INET6 and optname != c.IPV6_V6ONLY:
        return WSAEINVAL
    return 0


def setsockopt(s: int, level: int, optname: int, optval: ConstBuffer | None, optlen: int) -> int:
    handle, key = socket_handle(s), (_level(as_int(level)), as_int(optname))
    view, length = None if optval is None else readable(optval), as_int(optlen)
    sock = find(handle)
    if isinstance(sock, int) and (key != (_SOL, c.SO_OPENTYPE) or sock != WSAENOTSOCK):
        return fail(sock)
    if view is None or not 0 <= length <= view.nbytes:
        return fail(WSAEFAULT)
    raw = view.tobytes()[:length]
    if isinstance(sock, int) or key == (_SOL, c.SO_OPENTYPE):
        return _set_open_type(raw)
    if key in _MEMBERSHIPS:
        return _set_membership(sock, key, raw)
    option = OPTIONS.get(key)
    if option is None:
        return fail(_unknown(key[0]))
    error = _not_for(sock, *key, option)
    if error:
        return fail(error)
    if length < option.kind.shortest:
        return fail(WSAEFAULT)
    return _set(sock, key, option, option.kind.value(raw))


def _set_open_type(raw: bytes) -> int:
    global _open_type
    if len(raw) < 4:
        return fail(WSAEFAULT)
    _open_type = _number(raw)
    return 0


def _set_membership(sock: Socket, key: tuple[int, int], raw: bytes) -> int:
    size, host_option = _MEMBERSHIPS[key]
    if len(raw) < size:
        return fail(WSAEFAULT)
    if sock.stream:
        return fail(WSAEINVAL)
    return 0 if lib.setsockopt(sock.fd, key[0], host_option, raw[:size], size) == 0 else fail_by_errno()


def _set(sock: Socket, key: tuple[int, int], option: Option, value: int) -> int:
    if option.kind is SMALL and value > 255:
        return fail(WSAEINVAL)
    if option.kind is READ_ONLY:
        return _set_read_only(sock, key, value)
    if key in _RIVALS and value and sock.options.get(_RIVALS[key]):
        return fail(WSAEINVAL)
    if key == (_SOL, c.SO_DONTLINGER):
        # Linger with the time 0, or not at all, in SO_LINGER's terms.
        key, option = (_SOL, c.SO_LINGER), OPTIONS[_SOL, c.SO_LINGER]
        value = sock.options.get(key, 0) & 0xFFFF0000 if value else 1
    if key == (_IPV6, c.IPV6_V6ONLY) and sock.bound:
        return fail(WSAEINVAL)
    if not _set_on_host(sock, key, option, value):
        return fail_by_errno()
    sock.options = {**sock.options, key: value}
    if key == (_SOL, c.SO_OOBINLINE) and sock.slot is not None:
        lib.quick_look_again(sock.slot)
    return 0


_RIVALS = {
    (_SOL, c.SO_REUSEADDR): (_SOL, c.SO_EXCLUSIVEADDRUSE),
    (_SOL, c.SO_EXCLUSIVEADDRUSE): (_SOL, c.SO_REUSEADDR),
}


def _set_read_only(sock: Socket, key: tuple[int, int], value: int) -> int:
    if key[1] == c.SO_ERROR:
        sock.connect_error = value
        return 0
    return fail(WSAEINVAL if key[1] == c.SO_TYPE and not sock.stream else WSAENOPROTOOPT)


def _set_on_host(sock: Socket, key: tuple[int, int], option: Option, value: int) -> bool:
    """Passes on what the host has to know; False with errno set where it refuses."""
    if key == (_SOL, c.SO_LINGER):
        linger = ffi.new("struct linger *", (int(value & 0xFFFF != 0), value >> 16))
        return bool(lib.setsockopt(sock.fd, libc.SOL_SOCKET, libc.SO_LINGER, linger, 8) == 0)
    if key == (_SOL, c.SO_REUSEADDR) and not sock.stream:
        host = (libc.SOL_SOCKET, libc.SO_REUSEADDR)
    elif option.host is None or (key == (_IPV6, c.IPV6_V6ONLY) and sock.family != c.AF_INET6):
        return True
    else:
        host = option.host
    if key in ((_SOL, c.SO_SNDBUF), (_SOL, c.SO_RCVBUF)):
        value = min(value, 0x3FFFFFFF)
        if value < _SMALLEST_BUFFER:
            return True
    if key == (_IP, c.IP_DONTFRAGMENT):
        if not libc.LINUX:
            return True
        value = libc.IP_PMTUDISC_DO if value else libc.IP_PMTUDISC_DONT
    signed = ffi.new("int *", value - (1 << 32) if value >> 31 else value)
    return bool(lib.setsockopt(sock.fd, *host, signed, 4) == 0)


def linger_in_background(sock: Socket) -> None:
    """Lets close return at once. The host would wait for the time of SO_LINGER even on a non-blocking descriptor."""
    if sock.options.get((_SOL, c.SO_LINGER), 0) >> 16:
        lib.setsockopt(sock.fd, libc.SOL_SOCKET, libc.SO_LINGER, ffi.new("struct linger *"), 8)


def getsockopt(s: int, level: int, optname: int, optval: Buffer | None, optlen: IntRef | None) -> int:
    handle, key = socket_handle(s), (_level(as_int(level)), as_int(optname))
    array, ref = None if optval is None else writable(optval), None if optlen is None else integer_ref(optlen)
    sock = find(handle)
    if isinstance(sock, int) and (key != (_SOL, c.SO_OPENTYPE) or sock != WSAENOTSOCK):
        return fail(sock)
    if array is None or ref is None or ref.value > len(array):
        return fail(WSAEFAULT)
    if isinstance(sock, int) or key == (_SOL, c.SO_OPENTYPE):
        return _put(array, ref, READ_ONLY, _open_type)
    option = OPTIONS.get(key)
    if option is None:
        return fail(WSAENOPROTOOPT if key in _MEMBERSHIPS else _unknown(key[0]))
    error = _not_for(sock, *key, option)
    if error:
        return fail(error)
    return _put(array, ref, option.kind, _value(sock, key, option))


def _put(array: ctypes.Array[ctypes.c_char], ref: Any, kind: Kind, value: int) -> int:
    room = ref.value
    raw = (value & 0xFFFFFFFF).to_bytes(4, "little")
    if room >= kind.size or (room >= 1 and kind.size == 1):
        ctypes.memmove(array, raw, kind.size)
        ref.value = kind.size
        return 0
    if room < 1:
        return fail(WSAEFAULT)
    return _put_short(array, ref, kind, raw)


def _put_short(array: ctypes.Array[ctypes.c_char], ref: Any, kind: Kind, raw: bytes) -> int:
    """Fewer than 4 bytes for a value of 4: each kind of option has its own answer."""
    room = ref.value
    if kind.short in ("as many", "one"):
        ctypes.memmove(array, raw, room if kind.short == "as many" else 1)
        ref.value = 1
        return 0
    if kind.short == "zeroed":
        ctypes.memset(array, 0, room)
    elif kind.short == "length 0":
        ref.value = 0
    return fail(WSAEFAULT)


def _value(sock: Socket, key: tuple[int, int], option: Option) -> int:
    """What an option says now: what was set, or the state, or the default."""
    if key[0] == _SOL:
        if key[1] == c.SO_ERROR:
            sock.settle()
            return sock.connect_error
        if key[1] == c.SO_TYPE:
            return sock.type
        if key[1] == c.SO_ACCEPTCONN:
            return int(sock.stage == LISTENING)
        if key[1] == c.SO_CONNECT_TIME:
            sock.settle()
            connected = sock.stream and sock.stage == CONNECTED
            return int(time.monotonic() - sock.connected_at) if connected else 0xFFFFFFFF
        if key[1] == c.SO_DONTLINGER:
            return int(sock.options.get((_SOL, c.SO_LINGER), 0) & 0xFFFF == 0)
    elif key in ((_IP, c.IP_DONTFRAGMENT), (_IPV6, c.IPV6_DONTFRAG)) and sock.stream:
        return int(sock.options.get(key, 1))
    return int(sock.options.get(key, option.default))
