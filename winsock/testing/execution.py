"""Executes the steps of a script, one function for each kind of step.

Every step ends: a wait for the other side has the peer's time limit. While a step waits or sends, what arrives is taken
from the socket, so that the other side can go on sending. Only stall and read_slowly leave it there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ctypes import c_int
from typing import Any, TypeAlias

from winsock.constants import (
    INVALID_SOCKET,
    SO_ERROR,
    SO_RCVBUF,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
)
from winsock.errors import WSAEWOULDBLOCK, WSAErrorDescript

from . import steps
from .addresses import family_of, local_address, peer_address, resolve, shown
from .conversation import Conversation
from .endpoints import Connection, ConnectionReset, DatagramSocket, set_nonblocking
from .steps import Step
from .surroundings import Failure, Surroundings, call, wait_until_ready

__all__ = ["Execution", "Options"]

# Between two attempts to connect to a server that does not listen yet.
_BETWEEN_ATTEMPTS = 0.05
# read_slowly reads at most this often.
_SHORTEST_READ_PERIOD = 0.02
_BACKLOG = 128


class Options:
    """The parameters of Peer that concern its sockets."""

    def __init__(self, address: str, port: int, limit: float, receive_buffer: int | None, send_buffer: int | None):
        self.address, self.port, self.limit = address, port, limit
        self.receive_buffer, self.send_buffer = receive_buffer, send_buffer


class Execution:
    """One run of a script. `open` makes the socket whose address the other side needs; `run` executes the steps."""

    def __init__(self, surroundings: Surroundings, conversation: Conversation, options: Options) -> None:
        self.surroundings, self.conversation, self.options = surroundings, conversation, options
        self.calls = surroundings.calls
        self.listener: int | None = None
        self.endpoint: Connection | DatagramSocket | None = None
        # The step that runs, and of a repetition also the step in it.
        self.position: list[str] = []

    def open(self, script: Sequence[Step]) -> bytes | None:
        """Listen, or bind the datagram socket, before the script starts; returns its sockaddr.

        Errors: Failure.
        """
        first = _opening_step(script)
        if isinstance(first, steps.Accept):
            s = self.listener = self._bound_socket(SOCK_STREAM)
            call(self.calls, "listen", self.calls.listen(s, _BACKLOG))
            set_nonblocking(self.surroundings, s)
        elif isinstance(first, steps.Datagrams):
            s = self._bound_socket(SOCK_DGRAM)
            to = None if first.host is None else resolve(self.calls, first.host, first.port, True)[0]
            self.endpoint = DatagramSocket(self.surroundings, self.conversation, s, to)
        else:
            return None
        return local_address(self.calls, s)

    def _bound_socket(self, kind: int) -> int:
        datagrams = kind == SOCK_DGRAM
        name = resolve(self.calls, self.options.address, self.options.port, datagrams)[0]
        s = self._socket(family_of(name), kind)
        if self.calls.bind(s, name, len(name)) == SOCKET_ERROR:
            error = WSAErrorDescript(self.calls.WSAGetLastError())
            self.calls.closesocket(s)
            raise Failure(f"the peer cannot use the address {shown(name)}: {error}")
        return s

    def _socket(self, family: int, kind: int) -> int:
        s = self.calls.socket(family, kind, 0)
        if s == INVALID_SOCKET:
            raise Failure(f"socket failed: {WSAErrorDescript(self.calls.WSAGetLastError())}")
        for option, size in ((SO_RCVBUF, self.options.receive_buffer), (SO_SNDBUF, self.options.send_buffer)):
            if size is not None:
                call(self.calls, "setsockopt", self.calls.setsockopt(s, SOL_SOCKET, option, c_int(size), 4))
        return s

    def run(self, script: Sequence[Step]) -> None:
        """Execute the steps; at the end of the script the connection is closed.

        Errors: Failure. Stopped.
        """
        self._run(script, 0)
        if self.endpoint is not None:
            close(self, steps.Close())

    def _run(self, script: Sequence[Step], level: int) -> None:
        for number, step in enumerate(script, start=1):
            del self.position[level:]
            self.position.append(f"step {number}, {steps.text(step)[1:]}")
            if isinstance(step, steps.Repeat):
                for turn in range(step.times):
                    del self.position[level:]
                    self.position.append(f"step {number}, turn {turn + 1} of {step.times}")
                    self._run(step.steps, level + 1)
                continue
            following = script[number] if number < len(script) else None
            try:
                _EXECUTE[type(step)](self, step)
            except ConnectionReset:
                if not isinstance(following, steps.ExpectReset):
                    raise
        del self.position[level:]

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
        while self.endpoint is not None and self.endpoint.receive():
            pass

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


def accept(run: Execution, step: steps.Accept) -> None:
    assert run.listener is not None
    deadline = run.deadline
    while True:
        readable, _ = wait_until_ready(run.surroundings, run.listener, read=True, write=False, deadline=deadline)
        if not readable:
            raise Failure(f"nobody connected to {shown(local_address(run.calls, run.listener))}")
        s = run.calls.accept(run.listener, None, None)
        if s != INVALID_SOCKET:
            break
        error = run.calls.WSAGetLastError()
        # A client may have left before accept.
        if error != WSAEWOULDBLOCK:
            raise Failure(f"accept failed: {WSAErrorDescript(error)}")
    _connected(run, s)


def _connected(run: Execution, s: int) -> None:
    local, other = local_address(run.calls, s), peer_address(run.calls, s)
    run.conversation.note(f"connected: the peer is {shown(local)}, the other side is {shown(other)}")
    run.endpoint = Connection(run.surroundings, run.conversation, s)


def connect(run: Execution, step: steps.Connect) -> None:
    deadline = run.deadline
    names = resolve(run.calls, step.host, step.port)
    while True:
        for name in names:
            s, error = _attempt(run, name, deadline)
            if s is not None:
                _connected(run, s)
                return
        if run.surroundings.now() >= deadline:
            raise Failure(f"connect to {step.host}:{step.port} failed: {WSAErrorDescript(error)}")
        run.surroundings.pause(_BETWEEN_ATTEMPTS)


def _attempt(run: Execution, name: bytes, deadline: float) -> tuple[int | None, int]:
    """A connected socket; or None and the error."""
    s = run._socket(family_of(name), SOCK_STREAM)
    set_nonblocking(run.surroundings, s)
    error = 0
    if run.calls.connect(s, name, len(name)) == SOCKET_ERROR:
        error = run.calls.WSAGetLastError()
    if error == WSAEWOULDBLOCK:
        try:
            wait_until_ready(run.surroundings, s, read=False, write=True, deadline=deadline)
        except BaseException:
            run.calls.closesocket(s)
            raise
        value = c_int()
        run.calls.getsockopt(s, SOL_SOCKET, SO_ERROR, value, c_int(4))
        error = value.value
        if not error and peer_address(run.calls, s) is None:
            error = WSAEWOULDBLOCK
    if error:
        run.calls.closesocket(s)
        return None, error
    return s, 0


def datagrams(run: Execution, step: steps.Datagrams) -> None:
    """The socket was bound when the peer was started."""


def send(run: Execution, step: steps.Send | steps.Garbage) -> None:
    assert run.endpoint is not None
    deadline = run.deadline
    for number, piece in enumerate(step.pieces):
        if number and step.pause:
            _wait(run, step.pause)
            deadline += step.pause
        run.endpoint.send(piece, deadline)


def wait(run: Execution, step: steps.Wait) -> None:
    _wait(run, step.seconds)


def _wait(run: Execution, seconds: float) -> None:
    end = run.surroundings.now() + seconds
    while (left := end - run.surroundings.now()) > 0:
        endpoint = run.endpoint
        if endpoint is None or (isinstance(endpoint, Connection) and not endpoint.can_receive):
            run.surroundings.pause(left)
        else:
            endpoint.wait_for_more(end)


def stall(run: Execution, step: steps.Stall) -> None:
    run.surroundings.pause(step.seconds)


def expect(run: Execution, step: steps.Expect) -> None:
    if isinstance(run.endpoint, DatagramSocket):
        data = _next_datagram(run)
        if data != step.data:
            raise Failure(f"the datagram is {data!r}")
        return
    unread, deadline = run.connection.unread, run.deadline
    while not unread.startswith(step.data):
        if not step.data.startswith(unread):
            raise Failure(f"the next bytes are {bytes(unread[: max(len(step.data), 16)])!r}")
        _wait_for_data(run, deadline, f"{len(unread)} of {len(step.data)} bytes have arrived")
    del unread[: len(step.data)]


def receive(run: Execution, step: steps.Receive) -> None:
    if isinstance(run.endpoint, DatagramSocket):
        for _ in range(step.count):
            _next_datagram(run)
        return
    unread, deadline = run.connection.unread, run.deadline
    while len(unread) < step.count:
        _wait_for_data(run, deadline, f"{len(unread)} of {step.count} bytes have arrived")
    del unread[: step.count]


def _next_datagram(run: Execution) -> bytes:
    assert isinstance(run.endpoint, DatagramSocket)
    deadline = run.deadline
    while not run.endpoint.unread:
        if not run.endpoint.wait_for_more(deadline):
            raise Failure("no datagram has arrived")
    return run.endpoint.take()


def _wait_for_data(run: Execution, deadline: float, so_far: str) -> None:
    """Wait until more has arrived.

    Errors: ConnectionReset. Failure at the end of the stream and once the deadline has come.
    """
    if run.connection.was_reset:
        raise ConnectionReset
    if run.connection.ended:
        raise Failure(f"the other side ended its stream: {so_far}")
    if not run.connection.wait_for_more(deadline):
        raise Failure(so_far)


def read_slowly(run: Execution, step: steps.ReadSlowly) -> None:
    connection, rate = run.connection, step.bytes_per_second
    period = max(1 / rate, _SHORTEST_READ_PERIOD)
    taken, start = 0, run.surroundings.now()
    while step.count is None or taken < step.count:
        run.surroundings.pause(period)
        allowed = int((run.surroundings.now() - start) * rate) - taken
        if step.count is not None:
            allowed = min(allowed, step.count - taken)
        if allowed <= 0:
            continue
        if not connection.unread and connection.can_receive and not connection.receive(allowed):
            readable, _ = wait_until_ready(
                run.surroundings, connection.s, read=True, write=False, deadline=run.deadline
            )
            if not readable:
                raise Failure(f"{taken} bytes have arrived, then nothing more")
            # The time without data does not count.
            start = run.surroundings.now() - taken / rate
            continue
        if not connection.unread:
            if connection.ended and step.count is None:
                return
            _wait_for_data(run, run.surroundings.now(), f"{taken} of {step.count} bytes have arrived")
        part = min(allowed, len(connection.unread))
        del connection.unread[:part]
        taken += part


def expect_end(run: Execution, step: steps.ExpectEnd) -> None:
    connection, deadline = run.connection, run.deadline
    while not connection.unread and not connection.ended:
        _wait_for_data(run, deadline, "the other side has not ended its stream")
    if connection.unread:
        raise Failure(f"the other side sent data that no step received: {bytes(connection.unread[:64])!r}")


def expect_reset(run: Execution, step: steps.ExpectReset) -> None:
    connection, deadline = run.connection, run.deadline
    while not connection.was_reset:
        if connection.ended:
            raise Failure("the other side ended its stream, without a reset")
        if not connection.wait_for_more(deadline):
            raise Failure("the other side has not reset the connection")


def half_close(run: Execution, step: steps.HalfClose) -> None:
    run.connection.half_close()


def close(run: Execution, step: steps.Close) -> None:
    assert run.endpoint is not None
    endpoint, run.endpoint = run.endpoint, None
    endpoint.close()


def reset(run: Execution, step: steps.Reset) -> None:
    connection, run.endpoint = run.connection, None
    connection.reset()


_Function: TypeAlias = Callable[[Execution, Any], None]
_EXECUTE: dict[type[Step], _Function] = {
    steps.Accept: accept,
    steps.Connect: connect,
    steps.Datagrams: datagrams,
    steps.Send: send,
    steps.Garbage: send,
    steps.Wait: wait,
    steps.Stall: stall,
    steps.Expect: expect,
    steps.Receive: receive,
    steps.ReadSlowly: read_slowly,
    steps.ExpectEnd: expect_end,
    steps.ExpectReset: expect_reset,
    steps.HalfClose: half_close,
    steps.Close: close,
    steps.Reset: reset,
}
