"""The state of one run of a script: where it runs, its sockets, and the step that it executes."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import c_int

from winsock.constants import (
    INVALID_SOCKET,
    SO_RCVBUF,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
)
from winsock.errors import WSAErrorDescript

from . import steps
from .addresses import family_of, local_address, resolve, shown
from .conversation import Conversation
from .endpoints import Connection, DatagramSocket, set_nonblocking
from .steps import Step
from .surroundings import Failure, Surroundings, call

__all__ = ["Options", "Run"]

_BACKLOG = 128
# For a report: the other side may send without end.
_MOST_RECEIVES = 100


class Options:
    """The parameters of Peer that concern its sockets. `addresses` are the ones that it may use, the first first."""

    def __init__(
        self, addresses: Sequence[str], port: int, limit: float, receive_buffer: int | None, send_buffer: int | None
    ) -> None:
        self.addresses, self.port, self.limit = addresses, port, limit
        self.receive_buffer, self.send_buffer = receive_buffer, send_buffer


class Run:
    """One run of a script: its sockets, and the step that it executes."""

    def __init__(self, surroundings: Surroundings, conversation: Conversation, options: Options) -> None:
        self.surroundings, self.conversation, self.options = surroundings, conversation, options
        self.calls = surroundings.calls
        self.listener: int | None = None
        self.endpoint: Connection | DatagramSocket | None = None
        # The step that runs, and of a repetition also the step in it.
        self.position: list[str] = []
        # The number of the step that runs, from 1; 0 before the first step and after the last one.
        self.number = 0

    def open(self, script: Sequence[Step]) -> bytes | None:
        """Listen, or bind the datagram socket, before the script starts; returns its sockaddr.

        Errors: Failure.
        """
        first = _opening_step(script)
        if isinstance(first, steps.Accept):
            s = self.listener = self._bound_socket(SOCK_STREAM, self._own_names(self.options.addresses[0])[0])
            call(self.calls, "listen", self.calls.listen(s, _BACKLOG))
            set_nonblocking(self.surroundings, s)
        elif isinstance(first, steps.Datagrams):
            # Before there is a socket: an unknown host is a failure.
            name, to = self._datagram_names(first)
            s = self._bound_socket(SOCK_DGRAM, name)
            self.endpoint = DatagramSocket(self.surroundings, self.conversation, s, to)
        else:
            return None
        return local_address(self.calls, s)

    def _own_names(self, address: str, datagrams: bool = False) -> list[bytes]:
        return resolve(self.calls, address, self.options.port, datagrams)

    def _datagram_names(self, step: steps.Datagrams) -> tuple[bytes, bytes | None]:
        """The peer's own sockaddr, and the destination's, if it has one: an address of the same family."""
        addresses = self.options.addresses
        if step.host is None:
            return self._own_names(addresses[0], True)[0], None
        destinations = resolve(self.calls, step.host, step.port, True)
        for name in (name for address in addresses for name in self._own_names(address, True)):
            for to in destinations:
                if family_of(to) == family_of(name):
                    return name, to
        own = " and ".join(addresses)
        raise Failure(
            f"{shown(destinations[0])} is not of the family of the peer's address {own}: give Peer(address=…)"
        )

    def _bound_socket(self, kind: int, name: bytes) -> int:
        s = self.new_socket(family_of(name), kind)
        if self.calls.bind(s, name, len(name)) == SOCKET_ERROR:
            error = WSAErrorDescript(self.calls.WSAGetLastError())
            self.calls.closesocket(s)
            raise Failure(f"the peer cannot use the address {shown(name)}: {error}")
        return s

    def new_socket(self, family: int, kind: int) -> int:
        s = self.calls.socket(family, kind, 0)
        if s == INVALID_SOCKET:
            raise Failure(f"socket failed: {WSAErrorDescript(self.calls.WSAGetLastError())}")
        try:
            for option, size in ((SO_RCVBUF, self.options.receive_buffer), (SO_SNDBUF, self.options.send_buffer)):
                if size is not None:
                    call(self.calls, "setsockopt", self.calls.setsockopt(s, SOL_SOCKET, option, c_int(size), 4))
        except BaseException:
            self.calls.closesocket(s)
            raise
        return s

    def shut(self) -> None:
        """Close what is open, without waiting: the run is over."""
        if self.endpoint is not None:
            self.calls.closesocket(self.endpoint.s)
            self.endpoint = None
        if self.listener is not None:
            self.calls.closesocket(self.listener)
            self.listener = None

    def take_what_has_arrived(self) -> None:
        """For the report of a failure."""
        for _ in range(_MOST_RECEIVES):
            if self.endpoint is None or not self.endpoint.receive():
                return

    @property
    def deadline(self) -> float:
        return self.surroundings.now() + self.options.limit

    @property
    def connection(self) -> Connection:
        assert isinstance(self.endpoint, Connection)
        return self.endpoint


def _opening_step(script: Sequence[Step]) -> Step | None:
    """The first step that opens a socket."""
    for step in script:
        found = _opening_step(step.steps) if isinstance(step, steps.Repeat) else step
        if isinstance(found, (steps.Accept, steps.Connect, steps.Datagrams)):
            return found
    return None
