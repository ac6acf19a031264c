"""System calls on descriptors: each returns the call's result or minus the errno (see winsock_compat.posix.system).

The simulated kernel has Winsock's numbers of families, types and options, so nothing is converted but addresses.
"""

from __future__ import annotations

import errno
from typing import TypeAlias

from winsock import constants as c

from ..kernel.addresses import is_link_local
from ..kernel.datagrams import DatagramSocket
from ..kernel.filters import unpack
from ..kernel.options import RANGES
from ..kernel.packets import Address
from ..kernel.streams import StreamSocket
from ..kernel.transmission import State
from . import ip_options, memory
from .address_names import address_of, needed_scope_of, scope_of
from .declarations import MSG_TRUNC
from .descriptors import Descriptors

_Buffer: TypeAlias = "bytes | bytearray | memoryview"
_JOINS = {(c.IPPROTO_IP, c.IP_ADD_MEMBERSHIP), (c.IPPROTO_IPV6, c.IPV6_ADD_MEMBERSHIP)}


class System(Descriptors):
    """The module posix.system of one process."""

    # Addresses.

    def bind(self, fd: int, name: bytes) -> int:
        sock, address = self._socket(fd), address_of(name)
        if sock is None:
            return -errno.EBADF
        if is_link_local(address.ip):
            own, scope = self._stack.interfaces.with_address(address.ip), scope_of(name)
            if not scope:
                return -errno.EINVAL
            if own is not None and own.index != scope:
                return -errno.EADDRNOTAVAIL
        return sock.bind(address)

    def allow_any_address(self, fd: int) -> None:
        """Does nothing: no function of the simulated seam needs it."""

    def connect(self, fd: int, name: bytes) -> int:
        sock, address, scope = self._socket(fd), address_of(name), needed_scope_of(name)
        if sock is None:
            return -errno.EBADF
        if is_link_local(address.ip) and not scope and not is_link_local(sock.local.ip):
            return -errno.EINVAL
        if not self._leads_to(scope, address):
            return -errno.ENETUNREACH
        if isinstance(sock, DatagramSocket):
            return sock.connect(address, scope)
        return sock.connect(address) if isinstance(sock, StreamSocket) else -errno.EBADF

    def _leads_to(self, scope: int, address: Address) -> bool:
        """Whether the interface that a scope id states leads to the address; True without a scope id."""
        return not scope or self._stack.interfaces.leads_to(scope, address.ip)

    def disconnect(self, fd: int) -> int:
        """Ends a datagram socket's association, or a stream's failed connect."""
        sock = self._socket(fd)
        return sock.disconnect() if isinstance(sock, (StreamSocket, DatagramSocket)) else -errno.EBADF

    def abort(self, fd: int) -> None:
        """Resets a stream's connection, discards its data, and leaves no error on the descriptor."""
        self.disconnect(fd)
        self.take_error(fd)

    def is_net_broadcast(self, address: bytes) -> int:
        """1 if the four bytes are the broadcast address of an interface's net, else 0."""
        return int(self._stack.interfaces.is_broadcast(bytes(address)))

    def getsockname(self, fd: int) -> tuple[int, bytes]:
        """0 or minus the errno, and the local address."""
        sock = self._socket(fd)
        return (-errno.EBADF, b"") if sock is None else (0, self._name(sock, sock.local))

    def has_peer(self, fd: int) -> bool:
        """Whether the socket is connected."""
        sock = self._socket(fd)
        if isinstance(sock, StreamSocket):
            return sock.has_peer()
        return sock is not None and sock.peer is not None

    # Streams.

    def listen(self, fd: int, backlog: int) -> int:
        """Listens with a queue for `backlog` connections, at least one."""
        stream = self._stream(fd)
        return -errno.EOPNOTSUPP if stream is None else stream.listen(max(backlog, 1) - 1)

    def set_port_sharing(self, fd: int, on: bool) -> int:
        """Whether other sockets may bind the stream's address while it listens, if they allow the same."""
        sock = self._socket(fd)
        return -errno.EBADF if sock is None else sock.set_port_sharing(on)

    def prefer_first_listener(self, fd: int) -> None:
        """Does nothing: the first of several listeners on one address gets all connections."""

    def is_listening(self, fd: int) -> bool:
        stream = self._stream(fd)
        return stream is not None and stream.listener is not None

    def is_connection_gone(self, fd: int) -> bool:
        """Whether a stream's connection was reset, or both sides have closed it."""
        stream = self._stream(fd)
        return stream is not None and stream.state is State.CLOSED

    def shutdown_send(self, fd: int) -> int:
        """Sends the end of the stream."""
        stream = self._stream(fd)
        return -errno.ENOTCONN if stream is None else stream.shutdown_send()

    # Transfers.

    def recv(self, fd: int, buffer: bytearray | memoryview, flags: int) -> int:
        """Receives into the buffer; the bytes, which with MSG_TRUNC may be more than its size."""
        stream = self._stream(fd)
        return self.recvfrom(fd, buffer, flags)[0] if stream is None else _receive(stream, buffer, flags)

    def recvfrom(self, fd: int, buffer: bytearray | memoryview, flags: int) -> tuple[int, bytes]:
        """As recv, with the sender's address."""
        sock = self._datagram(fd)
        if sock is None:
            stream = self._stream(fd)
            return -errno.EBADF if stream is None else _receive(stream, buffer, flags), b""
        missing = memory.is_missing(buffer)
        datagram = sock.receive(bool(flags & c.MSG_PEEK) or missing)
        if isinstance(datagram, int) or missing:
            return datagram if isinstance(datagram, int) else -errno.EFAULT, b""
        payload = datagram.payload
        count = min(len(payload), len(buffer))
        buffer[:count] = payload[:count]
        return len(payload) if flags & MSG_TRUNC else count, self._name(sock, datagram.source)

    def send(self, fd: int, buffer: _Buffer, flags: int) -> int:
        """Sends what fits."""
        if memory.is_missing(buffer):
            return -errno.EFAULT
        stream = self._stream(fd)
        if stream is not None:
            return stream.send(buffer, bool(flags & c.MSG_OOB))
        sock = self._datagram(fd)
        return -errno.EBADF if sock is None else sock.send(bytes(buffer), None)

    def sendto(self, fd: int, buffer: _Buffer, flags: int, name: bytes) -> int:
        sock = self._datagram(fd)
        if memory.is_missing(buffer):
            return -errno.EFAULT
        if sock is None:
            return self.send(fd, buffer, flags)
        address, scope = address_of(name), needed_scope_of(name)
        return sock.send(bytes(buffer), address, scope) if self._leads_to(scope, address) else -errno.ENETUNREACH

    def bytes_available(self, fd: int) -> int:
        """The bytes of a stream, or the size of the next datagram, that can be received now."""
        sock = self._socket(fd)
        return sock.bytes_available() if isinstance(sock, (StreamSocket, DatagramSocket)) else -errno.EBADF

    def take_error(self, fd: int) -> int:
        """The errno that the kernel keeps for the descriptor (SO_ERROR), or 0; reading it clears it."""
        sock = self._socket(fd)
        return 0 if sock is None else sock.take_error()

    def clear_error_queue(self, fd: int) -> None:
        """Discards the ICMP errors of a datagram socket; while it has any, poll reports POLLERR."""
        sock = self._datagram(fd)
        if sock is not None:
            sock.clear_error_queue()

    def is_readable(self, address: int, size: int) -> bool:
        """Whether memory of this process exists."""
        return memory.is_readable(address, size)

    # Options.

    def has_option(self, level: int, option: int) -> bool:
        """Whether the kernel has a counterpart of one of Winsock's integer options."""
        return (level, option) in RANGES

    def set_option(self, fd: int, level: int, option: int, value: int) -> int:
        """Sets an integer option for which has_option is true."""
        sock = self._socket(fd)
        return -errno.EBADF if sock is None else sock.set_option(level, option, value)

    def set_membership(self, fd: int, level: int, option: int, group: bytes) -> int:
        """Joins or leaves a multicast group; `group` is an ip_mreq or ipv6_mreq."""
        sock = self._datagram(fd)
        return -errno.EINVAL if sock is None else sock.set_membership(level, (level, option) in _JOINS, group)

    def set_filter(self, fd: int, program: bytes) -> int:
        """Replaces the packet filter of a datagram descriptor (see packet_filter); b"" accepts everything."""
        sock = self._datagram(fd)
        if sock is not None:
            sock.filter = unpack(program)
        return 0

    def set_ip_options(self, fd: int, options: bytes) -> int:
        """Sets the options in the header of the IPv4 packets; b"" removes them."""
        sock = self._socket(fd)
        if sock is None or not ip_options.is_valid(options):
            return -errno.EINVAL
        sock.ip_options = ip_options.padded(options)
        return 0

    def ip_options(self, fd: int) -> bytes:
        sock = self._socket(fd)
        return b"" if sock is None else sock.ip_options

    def set_linger(self, fd: int, on: bool, seconds: int) -> int:
        sock = self._socket(fd)
        if sock is not None:
            sock.options.linger = seconds if on else -1
        return 0


def _receive(stream: StreamSocket, buffer: bytearray | memoryview, flags: int) -> int:
    missing = memory.is_missing(buffer)
    peek = bool(flags & c.MSG_PEEK) or missing
    data = stream.receive_urgent(peek) if flags & c.MSG_OOB else stream.receive(len(buffer), peek)
    if isinstance(data, int):
        return data
    if data and missing:
        return -errno.EFAULT
    count = min(len(data), len(buffer))
    buffer[:count] = data[:count]
    return count
