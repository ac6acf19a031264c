"""The descriptors of a process: opening, duplicating and closing them."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Protocol

from winsock import constants as c

from ..kernel.addresses import is_link_local
from ..kernel.datagrams import DatagramSocket
from ..kernel.files import Files
from ..kernel.packets import Address
from ..kernel.sockets import InetSocket
from ..kernel.stack import Stack
from ..kernel.streams import StreamSocket
from ..kernel.transmission import State
from ..units import SECOND
from .address_names import name_of
from .waiting import Wait


class Owner(Protocol):
    """What owns a descriptor, in its attribute `fd`."""

    fd: int


class Descriptors:
    """The part of the module posix.system that opens and closes descriptors."""

    def __init__(self, stack: Stack, files: Files, wait: Wait) -> None:
        self._stack, self._files, self._wait = stack, files, wait

    def _socket(self, fd: int) -> InetSocket | None:
        file = self._files.get(fd)
        return file if isinstance(file, InetSocket) else None

    def _stream(self, fd: int) -> StreamSocket | None:
        file = self._files.get(fd)
        return file if isinstance(file, StreamSocket) else None

    def _datagram(self, fd: int) -> DatagramSocket | None:
        file = self._files.get(fd)
        return file if isinstance(file, DatagramSocket) else None

    def _name(self, sock: InetSocket, address: Address | None) -> bytes:
        """The sockaddr that a call on the socket gives for an address."""
        if address is None:
            return b""
        scope = 0
        if is_link_local(address.ip):
            own = self._stack.interfaces.with_address(address.ip) or self._stack.interfaces.towards(address.ip)
            scope = own.index if own else 0
        return name_of(address, sock.ipv6, scope)

    def socket(self, owner: Owner, family: int, type: int, protocol: int) -> int:
        """Opens owner.fd. Raw sockets need a privilege that no process has."""
        if type == c.SOCK_RAW:
            return -errno.EPERM
        owner.fd = self._files.open(self._stack.open_socket(type == c.SOCK_STREAM, family == c.AF_INET6))
        return owner.fd

    def accept(self, owner: Owner, fd: int) -> tuple[int, bytes]:
        """Opens owner.fd for the next connection of a listener's queue; also gives its peer's address."""
        listener = self._stream(fd)
        if listener is None:
            return -errno.EOPNOTSUPP if self._socket(fd) else -errno.EBADF, b""
        if not self._files.has_room():
            return -errno.EMFILE, b""
        accepted = listener.accept()
        if isinstance(accepted, int):
            return accepted, b""
        owner.fd = self._files.open(accepted)
        return owner.fd, self._name(accepted, accepted.peer)

    def close_owned(self, attributes: dict[str, Any]) -> None:
        """Closes the descriptor of an owner, whose attributes these are, and removes its attribute."""
        fd = attributes.pop("fd", -1)
        stream = self._stream(fd)
        self._files.close(fd)
        if stream is not None and stream.connection is not None and stream.options.linger > 0:
            self._linger(stream)

    def _linger(self, stream: StreamSocket) -> None:
        """Waits until the peer has acknowledged everything, at most for the time of SO_LINGER."""
        connection = stream.connection
        deadline = self._stack.environment.now + stream.options.linger * SECOND
        if connection is None:
            return
        connection.wake_closer = self._files.wake
        while connection.state in (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK):
            if not self._wait(deadline, lambda: f"unsent data to leave {stream.describe()}"):
                break
        connection.wake_closer = None

    def descriptor_type(self) -> type:
        """The class Descriptor of the seam: a descriptor that is closed with the last reference to its object."""

        class Descriptor:
            def __init__(self) -> None:
                self.fd = -1

            def __del__(self) -> None:
                close(self.__dict__)

        close: Callable[[dict[str, Any]], None] = self.close_owned
        return Descriptor

    def replace_descriptor(self, fd: int, other: int) -> None:
        """Closes the file of `fd`, and makes `fd` refer to the file of `other`. Does nothing where one is negative."""
        if fd >= 0 <= other:
            self._files.replace(fd, other)

    def has_free_descriptor(self) -> bool:
        return self._files.has_room()

    def call_at_fork(
        self, before: Callable[[], None], in_parent: Callable[[], None], in_child: Callable[[], None]
    ) -> None:
        """Does nothing: a simulated process cannot fork."""
