"""setsockopt, getsockopt, by the tables of option_table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from winsock import constants as c
from winsock.arguments import as_int, socket_handle
from winsock.errors import WSAEFAULT, WSAEINVAL, WSAENOPROTOOPT, WSAENOTSOCK
from winsock.structures import Buffer, ConstBuffer, IntRef

from ..posix import system
from ..posix.errnos import winsock_error
from ..posix.waiting import monotonic
from ..state import groups
from ..state.handles import find
from ..state.last_error import fail
from ..state.sockets import CONNECTED, LISTENING, Socket
from .option_table import IP_OPTIONS, LEVELS, MEMBERSHIPS, OPTIONS, READ_ONLY, SMALL, Kind, Option, ShortRead
from .pointers import as_input_buffer, as_output_buffer, integer_ref

_SOL, _IP, _IPV6 = c.SOL_SOCKET, c.IPPROTO_IP, c.IPPROTO_IPV6
_open_type = 0


def _unknown(level: int) -> int:
    return WSAENOPROTOOPT if level in LEVELS else WSAEINVAL


def _level(level: int) -> int:
    return level & 0xFFFFFFFF


def _unsupported(sock: Socket, level: int, optname: int, option: Option) -> int:
    """The error of an option that this type of socket does not have, or 0."""
    if sock.type not in option.types:
        return option.wrong_type
    if level == _IPV6 and sock.family != c.AF_INET6 and optname != c.IPV6_V6ONLY:
        return WSAEINVAL
    return 0


def setsockopt(s: int, level: int, optname: int, optval: ConstBuffer | None, optlen: int) -> int:
    handle, key = socket_handle(s), (_level(as_int(level)), as_int(optname))
    view, length = None if optval is None else as_input_buffer(optval), as_int(optlen)
    sock = find(handle)
    if isinstance(sock, int) and (key != (_SOL, c.SO_OPENTYPE) or sock != WSAENOTSOCK):
        return fail(sock)
    if view is None or not 0 <= length <= view.nbytes:
        return fail(WSAEFAULT)
    raw = view.tobytes()[:length]
    # SO_OPENTYPE belongs to the process, and needs no socket.
    error = _set_open_type(raw) if isinstance(sock, int) or key == (_SOL, c.SO_OPENTYPE) else _set(sock, key, raw)
    return fail(error) if error else 0


def _set_open_type(raw: bytes) -> int:
    global _open_type
    if len(raw) < 4:
        return WSAEFAULT
    _open_type = int.from_bytes(raw[:4], "little")
    return 0


def _set(sock: Socket, key: tuple[int, int], raw: bytes) -> int:
    """Sets an option to the bytes of a caller; returns the error or 0."""
    if key in MEMBERSHIPS:
        return _set_membership(sock, key, raw)
    if key == IP_OPTIONS:
        result = system.set_ip_options(sock.fd, raw)
        return winsock_error(-result) if result < 0 else 0
    option = OPTIONS.get(key)
    if option is None:
        return _unknown(key[0])
    error = _unsupported(sock, *key, option)
    if error:
        return error
    if len(raw) < option.kind.shortest:
        return WSAEFAULT
    value = option.kind.value(raw)
    error = _refused(sock, key, option, value)
    if error:
        return error
    if option.kind is READ_ONLY:
        sock.connect_error = value  # SO_ERROR; _refused refuses the others
        return 0
    return _store(sock, key, value)


def _set_membership(sock: Socket, key: tuple[int, int], raw: bytes) -> int:
    size = MEMBERSHIPS[key]
    if len(raw) < size:
        return WSAEFAULT
    if sock.stream:
        return WSAEINVAL
    level, option = key
    if level == _IPV6 and sock.family != c.AF_INET6:
        return WSAEINVAL
    membership = groups.Membership(level, raw[:size])
    return groups.join(sock, membership) if option in _JOINING else groups.leave(sock, membership)


_JOINING = {c.IP_ADD_MEMBERSHIP, c.IPV6_ADD_MEMBERSHIP}
_EXCLUDES = {
    (_SOL, c.SO_REUSEADDR): (_SOL, c.SO_EXCLUSIVEADDRUSE),
    (_SOL, c.SO_EXCLUSIVEADDRUSE): (_SOL, c.SO_REUSEADDR),
}


def _refused(sock: Socket, key: tuple[int, int], option: Option, value: int) -> int:
    """The error of a value that Winsock refuses, or 0."""
    if option.kind is READ_ONLY and key[1] != c.SO_ERROR:
        return WSAEINVAL if key[1] == c.SO_TYPE and not sock.stream else WSAENOPROTOOPT
    too_large = option.kind is SMALL and value > 255
    excluded = key in _EXCLUDES and value and sock.options.get(_EXCLUDES[key])
    too_late = key == (_IPV6, c.IPV6_V6ONLY) and sock.bound
    return WSAEINVAL if too_large or excluded or too_late else 0


def _store(sock: Socket, key: tuple[int, int], value: int) -> int:
    """Remembers a value, and passes it on to the kernel where it must know it; returns the error or 0."""
    if key == (_SOL, c.SO_DONTLINGER):
        # In terms of SO_LINGER: on with the time 0, or off.
        key = (_SOL, c.SO_LINGER)
        value = sock.options.get(key, 0) & 0xFFFF0000 if value else 1
    if sock.state == LISTENING and (key == (_SOL, c.SO_LINGER) or system.has_option(*key)):
        sock.set_while_listening = True  # before the kernel knows it, so that an accept of another thread sees it
        sock.update_capabilities()
    result = _set_in_kernel(sock, key, value)
    if result < 0:
        return winsock_error(-result)
    sock.options = {**sock.options, key: value}
    sock.update_capabilities()
    return 0


def _set_in_kernel(sock: Socket, key: tuple[int, int], value: int) -> int:
    """0 or minus the errno; 0 also for what the kernel need not know."""
    if key == (_SOL, c.SO_LINGER):
        return system.set_linger(sock.fd, value & 0xFFFF != 0, value >> 16)
    if key == (_SOL, c.SO_REUSEADDR) and sock.stream:
        return system.set_port_sharing(sock.fd, bool(value))  # see bind_rules
    if key in groups.LOOP_OPTIONS:
        return groups.set_filters(sock, {**sock.options, key: value})
    if key == (_IPV6, c.IPV6_V6ONLY) and sock.family != c.AF_INET6:
        return 0
    if key == (_SOL, c.SO_RCVBUF):
        for extra in sock.extra:
            system.set_option(extra.fd, *key, value)
    return system.set_option(sock.fd, *key, value) if system.has_option(*key) else 0


def set_in_kernel_again(sock: Socket) -> None:
    """Sets the options of an accepted socket, whose descriptor has those that the listener had when the client came."""
    for key, value in sock.options.items():
        _set_in_kernel(sock, key, value)  # fails for those that belong to the address, which cannot change


def linger_in_background(sock: Socket) -> None:
    """Makes close return at once: the kernel waits for the time of SO_LINGER even on a non-blocking descriptor."""
    if sock.options.get((_SOL, c.SO_LINGER), 0) >> 16:
        system.set_linger(sock.fd, False, 0)


def getsockopt(s: int, level: int, optname: int, optval: Buffer | None, optlen: IntRef | None) -> int:
    handle, key = socket_handle(s), (_level(as_int(level)), as_int(optname))
    buffer = None if optval is None else as_output_buffer(optval)
    ref = None if optlen is None else integer_ref(optlen)
    sock = find(handle)
    if isinstance(sock, int) and (key != (_SOL, c.SO_OPENTYPE) or sock != WSAENOTSOCK):
        return fail(sock)
    room = 0 if ref is None else ref.value  # read once: another thread may change it
    if buffer is None or ref is None or room > len(buffer):
        return fail(WSAEFAULT)
    buffer = buffer[: max(room, 0)]
    if isinstance(sock, int) or key == (_SOL, c.SO_OPENTYPE):
        return _put(buffer, ref, READ_ONLY, _open_type)
    if key == IP_OPTIONS:
        return _put_ip_options(buffer, ref, system.ip_options(sock.fd))
    option = OPTIONS.get(key)
    if option is None:
        return fail(WSAENOPROTOOPT if key in MEMBERSHIPS else _unknown(key[0]))
    error = _unsupported(sock, *key, option)
    if error:
        return fail(error)
    return _put(buffer, ref, option.kind, _value(sock, key, option))


def _put(buffer: memoryview, ref: Any, kind: Kind, value: int) -> int:
    """Stores an option's value in the buffer, which has the size that the caller gives, and its size in `ref`."""
    raw = (value & 0xFFFFFFFF).to_bytes(4, "little")
    if len(buffer) >= kind.size:
        buffer[: kind.size] = raw[: kind.size]
        ref.value = kind.size
        return 0
    if not buffer:
        return fail(WSAEFAULT)
    return _put_short(buffer, ref, kind, raw)


def _put_ip_options(buffer: memoryview, ref: Any, options: bytes) -> int:
    """IP_OPTIONS has any length, 0 where the socket sends none."""
    if len(buffer) < len(options):
        return fail(WSAEFAULT)
    buffer[: len(options)] = options
    ref.value = len(options)
    return 0


def _put_short(buffer: memoryview, ref: Any, kind: Kind, raw: bytes) -> int:
    """Fewer than 4 bytes for a value of 4, see ShortRead."""
    if kind.short in (ShortRead.FILL, ShortRead.ONE_BYTE):
        filled = len(buffer) if kind.short is ShortRead.FILL else 1
        buffer[:filled] = raw[:filled]
        ref.value = 1
        return 0
    if kind.short is ShortRead.ZERO:
        buffer[:] = bytes(len(buffer))
    elif kind.short is ShortRead.LENGTH_0:
        ref.value = 0
    return fail(WSAEFAULT)


def _value(sock: Socket, key: tuple[int, int], option: Option) -> int:
    """An option's value: the socket's state, what the caller set, or the default."""
    if key in _FROM_STATE:
        return _FROM_STATE[key](sock)
    if key in ((_IP, c.IP_DONTFRAGMENT), (_IPV6, c.IPV6_DONTFRAG)) and sock.stream:
        return int(sock.options.get(key, 1))
    return int(sock.options.get(key, option.default))


def _error(sock: Socket) -> int:
    sock.update_connect_state()
    return sock.connect_error


def _connect_time(sock: Socket) -> int:
    """The seconds since the connect; 0xFFFFFFFF for a socket that is not connected."""
    sock.update_connect_state()
    connected = sock.stream and sock.state == CONNECTED
    return int(monotonic() - sock.connected_at) if connected else 0xFFFFFFFF


_FROM_STATE: dict[tuple[int, int], Callable[[Socket], int]] = {
    (_SOL, c.SO_ERROR): _error,
    (_SOL, c.SO_TYPE): lambda sock: sock.type,
    (_SOL, c.SO_ACCEPTCONN): lambda sock: int(sock.state == LISTENING),
    (_SOL, c.SO_CONNECT_TIME): _connect_time,
    (_SOL, c.SO_DONTLINGER): lambda sock: int(sock.options.get((_SOL, c.SO_LINGER), 0) & 0xFFFF == 0),
}
