"""System calls on descriptors, as plain functions: each returns the call's result or minus the errno (see posix)."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from winsock import constants as c
from winsock.constants import AF_INET6, SOCK_DGRAM

from . import declarations as kernel
from . import packet_filter
from .declarations import LINUX, MSG_NOSIGNAL
from .kernel_options import INTEGER_OPTIONS, MEMBERSHIP_OPTIONS, kernel_value
from .loading import BYTES, ffi, from_buffer, get_errno, lib
from .sockaddr_layout import KERNEL_FAMILY, LARGEST, UNSPEC, from_kernel, to_kernel

InputBuffer: TypeAlias = "bytes | bytearray | memoryview"
OutputBuffer: TypeAlias = "bytearray | memoryview"
_SHUT_WR = 1
_TCP_CLOSE = b"\7"
_NETLINK_SOCK_DIAG = 4
_SIZE_POINTER = ffi.typeof("unsigned int *")
_COPIED = 1 << 16
_IPV4_PORT_9 = c.AF_INET.to_bytes(2, "little") + b"\0\x09"
_LARGEST_IP_OPTIONS = 40


def _checked(result: int) -> int:
    return result if result >= 0 else -get_errno()


class Owner(Protocol):
    """What owns a descriptor, in its attribute `fd`."""

    fd: int


def _store(owner: Owner, function: Any, *arguments: Any) -> None:
    """owner.fd = function(*arguments), without a moment at which a signal handler could raise and lose the descriptor.

    Python runs signal handlers between bytecodes; `any` consumes both maps within one.
    """
    any(map(setattr, (owner,), ("fd",), map(function, *((argument,) for argument in arguments))))


def socket(owner: Owner, family: int, type: int, protocol: int) -> int:
    """Opens owner.fd, non-blocking and close-on-exec.

    A datagram socket also reports that a port is closed, and receives only those multicast groups that it has joined.
    """
    _store(owner, lib.socket, KERNEL_FAMILY[family], type | kernel.SOCK_NONBLOCK | kernel.SOCK_CLOEXEC, protocol)
    fd = owner.fd
    if fd < 0:
        return -get_errno()
    if not LINUX:
        _set_up(fd)
    elif type == SOCK_DGRAM:
        # Without it the kernel reports a closed port to connected sockets only.
        _set_int(fd, c.IPPROTO_IP, kernel.IP_RECVERR, 1)
        # Otherwise a socket would receive every group that any socket of this machine has joined.
        _set_int(fd, c.IPPROTO_IP, kernel.IP_MULTICAST_ALL, 0)
        if family == AF_INET6:
            _set_int(fd, c.IPPROTO_IPV6, kernel.IPV6_RECVERR, 1)
            _set_int(fd, c.IPPROTO_IPV6, kernel.IPV6_MULTICAST_ALL, 0)
    return fd


def open_diagnostics(owner: Owner) -> int:
    """Opens owner.fd, through which Linux answers questions about sockets."""
    if not LINUX:
        return -errno.EAFNOSUPPORT
    kind = kernel.SOCK_RAW | kernel.SOCK_NONBLOCK | kernel.SOCK_CLOEXEC
    _store(owner, lib.socket, kernel.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)
    return _checked(owner.fd)


def accept(owner: Owner, fd: int) -> tuple[int, bytes]:
    """Opens owner.fd for the next connection of a listener's queue, as `socket` does; also gives its peer's address."""
    name, length = ffi.new(BYTES, LARGEST), ffi.new(_SIZE_POINTER, LARGEST)
    if LINUX:
        _store(owner, lib.accept4, fd, name, length, kernel.SOCK_NONBLOCK | kernel.SOCK_CLOEXEC)
    else:
        _store(owner, lib.accept, fd, name, length)
    accepted = owner.fd
    if accepted < 0:
        return -get_errno(), b""
    if not LINUX:
        _set_up(accepted)
    return accepted, from_kernel(ffi.buffer(name)[:])


def _set_up(fd: int) -> None:
    """Does what Linux does by flags of socket, accept4 and send."""
    lib.ioctl(fd, kernel.FIONBIO, ffi.new("int *", 1))
    lib.ioctl(fd, kernel.FIOCLEX, ffi.NULL)
    _set_int(fd, kernel.SOL_SOCKET, kernel.SO_NOSIGPIPE, 1)


def close_owned(attributes: dict[str, Any]) -> None:
    """Closes the descriptor of an owner, whose attributes these are, and removes its attribute in the same moment."""
    any(map(lib.close, map(attributes.pop, ("fd",), (-1,))))


class Descriptor:
    """A descriptor that is closed with the last reference to its object."""

    def __init__(self) -> None:
        self.fd = -1

    def __del__(self) -> None:
        close_owned(self.__dict__)


def replace_descriptor(fd: int, other: int) -> None:
    """Closes the file of `fd`, and makes `fd` refer to the file of `other`. Does nothing where one is negative."""
    if fd >= 0 <= other:
        lib.dup2(other, fd)
        lib.ioctl(fd, kernel.FIOCLEX, ffi.NULL)


def has_free_descriptor() -> bool:
    """Whether the process can open one more descriptor."""
    # Within one bytecode, as in _store. Closing what socket returned fails if it opened nothing.
    type = SOCK_DGRAM | kernel.SOCK_CLOEXEC
    closed: int = max(map(lib.close, map(lib.socket, (c.AF_INET,), (type,), (0,))))
    return closed == 0


def call_at_fork(before: Callable[[], None], in_parent: Callable[[], None], in_child: Callable[[], None]) -> None:
    """Calls these functions before each fork of this process, and after it in the parent and in the child."""
    if sys.platform != "win32":  # the type checker reads this module for every platform
        os.register_at_fork(before=before)
        for _ in range(2):  # Python ignores what a signal handler raises in the first one, and calls the second one
            os.register_at_fork(after_in_parent=in_parent, after_in_child=in_child)


def bind(fd: int, name: bytes) -> int:
    raw = to_kernel(name)
    return _checked(lib.bind(fd, raw, len(raw)))


def allow_any_address(fd: int) -> None:
    """Lets bind take an address that no interface of this machine has."""
    if LINUX:
        _set_int(fd, c.IPPROTO_IP, kernel.IP_FREEBIND, 1)


def listen(fd: int, backlog: int) -> int:
    """Listens with a queue for `backlog` connections, at least one; Linux takes one more than it is asked for."""
    return _checked(lib.listen(fd, backlog - 1 if LINUX else backlog))


def set_port_sharing(fd: int, on: bool) -> int:
    """Whether other sockets of this user may bind the stream's address while it listens, if they allow the same."""
    return _set_int(fd, kernel.SOL_SOCKET, kernel.SO_REUSEPORT, int(on)) if LINUX else 0


def prefer_first_listener(fd: int) -> None:
    """Makes the first of several listeners on one address get all connections; Linux would distribute them."""
    if LINUX:
        # Fails where the listener shares the port with other addresses only.
        _attach_program(fd, kernel.SO_ATTACH_REUSEPORT_CBPF, packet_filter.SELECT_FIRST)


def is_listening(fd: int) -> bool:
    return _get_int(fd, kernel.SOL_SOCKET, kernel.SO_ACCEPTCONN) != 0


def connect(fd: int, name: bytes) -> int:
    raw = to_kernel(name)
    return _checked(lib.connect(fd, raw, len(raw)))


def disconnect(fd: int) -> int:
    """Ends a datagram socket's association, or a stream's failed connect."""
    return _checked(lib.connect(fd, UNSPEC, len(UNSPEC)))


def abort(fd: int) -> None:
    """Resets a stream's connection, discards its data, and leaves no error on the descriptor."""
    disconnect(fd)
    take_error(fd)


def is_net_broadcast(address: bytes) -> int:
    """1 if the four bytes are the broadcast address of an interface's net, else 0; or minus the errno."""
    if address[3] & 3 != 3:
        return 0  # a net with broadcasts has two or more bits for its hosts
    # Without SO_BROADCAST the kernel connects no datagram socket to such an address.
    owner = Descriptor()
    _store(owner, lib.socket, c.AF_INET, SOCK_DGRAM | kernel.SOCK_CLOEXEC, 0)
    if owner.fd < 0:
        return -get_errno()
    return int(connect(owner.fd, _IPV4_PORT_9 + address + bytes(8)) == -errno.EACCES)


def getsockname(fd: int) -> tuple[int, bytes]:
    """0 or minus the errno, and the local address."""
    name, length = ffi.new(BYTES, LARGEST), ffi.new(_SIZE_POINTER, LARGEST)
    if lib.getsockname(fd, name, length) < 0:
        return -get_errno(), b""
    return 0, from_kernel(ffi.buffer(name)[:])


def has_peer(fd: int) -> bool:
    """Whether the socket is connected."""
    result: int = lib.getpeername(fd, ffi.new(BYTES, LARGEST), ffi.new(_SIZE_POINTER, LARGEST))
    return result == 0


def is_connection_gone(fd: int) -> bool:
    """Whether a stream's connection was reset, or both sides have closed it; False where the kernel does not tell."""
    state, length = ffi.new(BYTES, 1), ffi.new(_SIZE_POINTER, 1)
    if not LINUX or lib.getsockopt(fd, c.IPPROTO_TCP, kernel.TCP_INFO, state, length) < 0:
        return False
    return bool(state[0] == _TCP_CLOSE)


def shutdown_send(fd: int) -> int:
    """Sends the end of the stream."""
    return _checked(lib.shutdown(fd, _SHUT_WR))


def recv(fd: int, buffer: OutputBuffer, flags: int) -> int:
    """Receives into the buffer; the bytes, which with MSG_TRUNC may be more than its size."""
    count: int = lib.recv(fd, from_buffer(BYTES, buffer, True), len(buffer), flags)
    return count if count >= 0 else -get_errno()


def recvfrom(fd: int, buffer: OutputBuffer, flags: int) -> tuple[int, bytes]:
    """As recv, with the sender's address."""
    name, length = ffi.new(BYTES, LARGEST), ffi.new(_SIZE_POINTER, LARGEST)
    count: int = lib.recvfrom(fd, from_buffer(BYTES, buffer, True), len(buffer), flags, name, length)
    if count < 0:
        return -get_errno(), b""
    return count, from_kernel(ffi.buffer(name)[:])


def send(fd: int, buffer: InputBuffer, flags: int) -> int:
    """Sends what fits; a stream that is broken returns -EPIPE and raises no signal."""
    count: int = lib.send(fd, from_buffer(BYTES, buffer), len(buffer), flags | MSG_NOSIGNAL)
    return count if count >= 0 else -get_errno()


def sendto(fd: int, buffer: InputBuffer, flags: int, name: bytes) -> int:
    raw = to_kernel(name)
    count: int = lib.sendto(fd, from_buffer(BYTES, buffer), len(buffer), flags | MSG_NOSIGNAL, raw, len(raw))
    return count if count >= 0 else -get_errno()


def bytes_available(fd: int) -> int:
    """The bytes of a stream, or the size of the next datagram, that can be received now (FIONREAD)."""
    count = ffi.new("int *")
    if lib.ioctl(fd, kernel.FIONREAD, count) < 0:
        return -get_errno()
    available: int = count[0]
    return available


def take_error(fd: int) -> int:
    """The errno that the kernel keeps for the descriptor (SO_ERROR), or 0; reading it clears it."""
    return _get_int(fd, kernel.SOL_SOCKET, kernel.SO_ERROR)


def clear_error_queue(fd: int) -> None:
    """Discards the ICMP errors that Linux keeps for a datagram socket; while it has any, poll reports POLLERR."""
    if LINUX:
        while lib.recv(fd, ffi.new("char[1]"), 1, kernel.MSG_ERRQUEUE) >= 0:
            pass


def is_readable(address: int, size: int) -> bool:
    """Whether memory of this process exists: Linux copies it if it does. True where the kernel cannot be asked."""
    if not LINUX:
        return True
    copy = ffi.new("char[]", min(size, _COPIED))
    for start in range(address, address + size, _COPIED):
        part = min(_COPIED, address + size - start)
        local = ffi.new("struct iovec *", (copy, part))
        remote = ffi.new("struct iovec *", (ffi.cast("void *", start), part))
        count = lib.process_vm_readv(os.getpid(), local, 1, remote, 1, 0)
        if count < 0:
            return bool(get_errno() != errno.EFAULT)
        if count < part:
            return False
    return True


def has_option(level: int, option: int) -> bool:
    """Whether the kernel has a counterpart of one of Winsock's integer options."""
    return (level, option) in INTEGER_OPTIONS


def set_option(fd: int, level: int, option: int, value: int) -> int:
    """Sets an integer option for which has_option is true; does nothing if the kernel keeps its own value."""
    if (level, option) == (c.IPPROTO_IP, c.IP_MULTICAST_IF):
        request = _with_interface_index(bytes(4) + value.to_bytes(4, "little"))
        return _checked(lib.setsockopt(fd, level, kernel.IP_MULTICAST_IF, request, len(request)))
    converted = kernel_value(level, option, value)
    return 0 if converted is None else _set_int(fd, *INTEGER_OPTIONS[level, option], converted)


def set_membership(fd: int, level: int, option: int, group: bytes) -> int:
    """Joins or leaves a multicast group; `group` is an ip_mreq or ipv6_mreq, which have the same layout on Winsock."""
    if level == c.IPPROTO_IP:
        group = _with_interface_index(group)
    return _checked(lib.setsockopt(fd, level, MEMBERSHIP_OPTIONS[level, option], group, len(group)))


def _with_interface_index(request: bytes) -> bytes:
    """The kernel's request for an ip_mreq: for Winsock an interface address 0.x.y.z is the index of the interface."""
    index = int.from_bytes(request[4:], "big")
    if LINUX and 0 < index < 1 << 24:
        return request[:4] + bytes(4) + index.to_bytes(4, sys.byteorder)  # an ip_mreqn
    return request


def set_filter(fd: int, program: bytes) -> int:
    """Replaces the packet filter of a datagram descriptor (see packet_filter); b"" accepts everything."""
    if not LINUX:
        return 0
    if not program:
        result = _set_int(fd, kernel.SOL_SOCKET, kernel.SO_DETACH_FILTER, 0)
        return 0 if result == -errno.ENOENT else result
    return _attach_program(fd, kernel.SO_ATTACH_FILTER, program)


def _attach_program(fd: int, option: int, program: bytes) -> int:
    filters = from_buffer(ffi.typeof("struct sock_filter[]"), program)
    value = ffi.new("struct sock_fprog *", (len(filters), filters))
    return _checked(lib.setsockopt(fd, kernel.SOL_SOCKET, option, value, ffi.sizeof("struct sock_fprog")))


def set_ip_options(fd: int, options: bytes) -> int:
    """Sets the options in the header of the IPv4 packets; b"" removes them."""
    return _checked(lib.setsockopt(fd, c.IPPROTO_IP, kernel.IP_OPTIONS, options, len(options)))


def ip_options(fd: int) -> bytes:
    value, length = ffi.new(BYTES, _LARGEST_IP_OPTIONS), ffi.new(_SIZE_POINTER, _LARGEST_IP_OPTIONS)
    lib.getsockopt(fd, c.IPPROTO_IP, kernel.IP_OPTIONS, value, length)
    return bytes(ffi.buffer(value)[: length[0]])


def set_linger(fd: int, on: bool, seconds: int) -> int:
    value = ffi.new("struct linger *", (int(on), seconds))
    return _checked(lib.setsockopt(fd, kernel.SOL_SOCKET, kernel.SO_LINGER, value, ffi.sizeof("struct linger")))


def _get_int(fd: int, level: int, option: int) -> int:
    """The value of an integer option; 0 where the call fails."""
    value, length = ffi.new("int *"), ffi.new(_SIZE_POINTER, 4)
    lib.getsockopt(fd, level, option, value, length)
    number: int = value[0]
    return number


def _set_int(fd: int, level: int, option: int, value: int) -> int:
    argument: Any = ffi.new("int *", value - (1 << 32) if value >> 31 else value)
    return _checked(lib.setsockopt(fd, level, option, argument, 4))
