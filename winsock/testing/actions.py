"""What each step does: one function for each kind of step.

Every step ends: a wait for the other side has the peer's time limit. While a step waits or sends, what arrives is taken
from the socket, so that the other side can go on sending. Only stall and read_slowly leave it there.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int
from typing import Any, TypeAlias

from winsock.constants import INVALID_SOCKET, SO_ERROR, SOCK_STREAM, SOCKET_ERROR, SOL_SOCKET
from winsock.errors import WSAETIMEDOUT, WSAEWOULDBLOCK, WSAErrorDescript

from . import steps
from .addresses import family_of, local_address, peer_address, resolve, shown
from .endpoints import Connection, ConnectionReset, DatagramSocket, set_nonblocking
from .runs import Run
from .steps import Step
from .surroundings import Failure, TimeLimitReached, wait_until_ready

__all__ = ["ACTIONS", "close"]

# Between two attempts to connect to a server that does not listen yet.
_BETWEEN_ATTEMPTS = 0.05
# read_slowly reads at most this often.
_SHORTEST_READ_PERIOD = 0.02
# Longer data is shown by some bytes before and after the first difference.
_LONGEST_SHOWN, _SHOWN_AROUND = 64, 16


def accept(run: Run, step: steps.Accept) -> None:
    assert run.listener is not None
    deadline = run.deadline
    while True:
        readable, _ = wait_until_ready(run.surroundings, run.listener, read=True, write=False, deadline=deadline)
        if not readable:
            raise TimeLimitReached(f"nobody connected to {shown(local_address(run.calls, run.listener))}")
        s = run.calls.accept(run.listener, None, None)
        if s != INVALID_SOCKET:
            break
        error = run.calls.WSAGetLastError()
        # A client may have left before accept.
        if error != WSAEWOULDBLOCK:
            raise Failure(f"accept failed: {WSAErrorDescript(error)}")
    _connected(run, s)


def _connected(run: Run, s: int) -> None:
    local, other = local_address(run.calls, s), peer_address(run.calls, s)
    run.conversation.note(f"connected: the peer is {shown(local)}, the other side is {shown(other)}")
    run.endpoint = Connection(run.surroundings, run.conversation, s)


def connect(run: Run, step: steps.Connect) -> None:
    deadline = run.deadline
    names = resolve(run.calls, step.host, step.port)
    reason = WSAETIMEDOUT
    while True:
        for name in names:
            s, error = _attempt(run, name, deadline)
            if s is not None:
                _connected(run, s)
                return
            reason = error or reason
            if run.surroundings.now() >= deadline:
                text = f"connect to {step.host}:{step.port} failed: {WSAErrorDescript(reason)}"
                raise TimeLimitReached(f"{text} There was no connection")
        run.surroundings.pause(_BETWEEN_ATTEMPTS)


def _attempt(run: Run, name: bytes, deadline: float) -> tuple[int | None, int]:
    """A connected socket; or None and the error, which is 0 for an attempt that the deadline has ended."""
    s = run.new_socket(family_of(name), SOCK_STREAM)
    set_nonblocking(run.surroundings, s)
    error = 0
    if run.calls.connect(s, name, len(name)) == SOCKET_ERROR:
        error = run.calls.WSAGetLastError()
    if error == WSAEWOULDBLOCK:
        try:
            _, ended = wait_until_ready(run.surroundings, s, read=False, write=True, deadline=deadline)
        except BaseException:
            run.calls.closesocket(s)
            raise
        value = c_int()
        run.calls.getsockopt(s, SOL_SOCKET, SO_ERROR, value, c_int(4))
        error = value.value
        # An attempt that goes on has an address of the other side, but no connection.
        if not error and (not ended or peer_address(run.calls, s) is None):
            run.calls.closesocket(s)
            return None, 0
    if error:
        run.calls.closesocket(s)
        return None, error
    return s, 0


def datagrams(run: Run, step: steps.Datagrams) -> None:
    """The socket was bound when the peer was started."""


def send(run: Run, step: steps.Send | steps.Garbage) -> None:
    assert run.endpoint is not None
    deadline = run.deadline
    for number, piece in enumerate(step.pieces):
        if number and step.pause:
            _wait(run, step.pause)
            deadline += step.pause
        run.endpoint.send(piece, deadline)


def wait(run: Run, step: steps.Wait) -> None:
    _wait(run, step.seconds)


def _wait(run: Run, seconds: float) -> None:
    end = run.surroundings.now() + seconds
    while (left := end - run.surroundings.now()) > 0:
        endpoint = run.endpoint
        if endpoint is None or (isinstance(endpoint, Connection) and not endpoint.can_receive):
            run.surroundings.pause(left)
        else:
            endpoint.wait_for_more(end)


def stall(run: Run, step: steps.Stall) -> None:
    run.surroundings.pause(step.seconds)


def expect(run: Run, step: steps.Expect) -> None:
    if isinstance(run.endpoint, DatagramSocket):
        data = _next_datagram(run)
        if data != step.data:
            raise Failure(_difference("the datagram is", step.data, data))
        return
    unread, deadline = run.connection.unread, run.deadline
    while not unread.startswith(step.data):
        if not step.data.startswith(unread):
            next_bytes = bytes(unread[: max(len(step.data), 16)])
            raise Failure(_difference("the next bytes are", step.data, next_bytes))
        _wait_for_data(run, deadline, f"{len(unread)} of {len(step.data)} bytes have arrived")
    del unread[: len(step.data)]


def _difference(text: str, expected: bytes, data: bytes) -> str:
    """What has arrived; of long data the bytes around the first difference from the expected data."""
    if max(len(data), len(expected)) <= _LONGEST_SHOWN:
        return f"{text} {data!r}"
    lengths = min(len(expected), len(data))
    offset = next((i for i in range(lengths) if expected[i] != data[i]), lengths)
    start = max(0, offset - _SHOWN_AROUND)
    wanted, found = (each[start : offset + _SHOWN_AROUND] for each in (expected, data))
    return f"at offset {offset} of {len(expected)} bytes: expected … {wanted!r} …, {text} … {found!r} …"


def receive(run: Run, step: steps.Receive) -> None:
    if isinstance(run.endpoint, DatagramSocket):
        for _ in range(step.count):
            _next_datagram(run)
        return
    unread, deadline = run.connection.unread, run.deadline
    while len(unread) < step.count:
        _wait_for_data(run, deadline, f"{len(unread)} of {step.count} bytes have arrived")
    del unread[: step.count]


def _next_datagram(run: Run) -> bytes:
    assert isinstance(run.endpoint, DatagramSocket)
    deadline = run.deadline
    while not run.endpoint.unread:
        if not run.endpoint.wait_for_more(deadline):
            raise TimeLimitReached("no datagram has arrived")
    return run.endpoint.take()


def _wait_for_data(run: Run, deadline: float, so_far: str) -> None:
    """Wait until more has arrived.

    Errors: ConnectionReset. Failure at the end of the stream. TimeLimitReached.
    """
    if run.connection.was_reset:
        raise ConnectionReset
    if run.connection.ended:
        raise Failure(f"the other side ended its stream: {so_far}")
    if not run.connection.wait_for_more(deadline):
        raise TimeLimitReached(so_far)


def read_slowly(run: Run, step: steps.ReadSlowly) -> None:
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
                raise TimeLimitReached(f"{taken} bytes have arrived, then nothing more")
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


def expect_end(run: Run, step: steps.ExpectEnd) -> None:
    connection, deadline = run.connection, run.deadline
    while not connection.unread and not connection.ended:
        _wait_for_data(run, deadline, "the other side has not ended its stream")
    if connection.unread:
        raise Failure(f"the other side sent data that no step received: {bytes(connection.unread[:64])!r}")


def expect_reset(run: Run, step: steps.ExpectReset) -> None:
    connection, deadline = run.connection, run.deadline
    while not connection.was_reset:
        if connection.ended:
            raise Failure("the other side ended its stream, without a reset")
        # The other side may send without end, so that the wait alone would not end.
        if not connection.wait_for_more(deadline) or run.surroundings.now() > deadline:
            raise TimeLimitReached("the other side has not reset the connection")


def half_close(run: Run, step: steps.HalfClose) -> None:
    run.connection.half_close()


def close(run: Run, step: steps.Close) -> None:
    assert run.endpoint is not None
    run.endpoint.close(run.deadline)
    run.endpoint = None


def reset(run: Run, step: steps.Reset) -> None:
    run.connection.reset(run.deadline)
    run.endpoint = None


_Function: TypeAlias = Callable[[Run, Any], None]
ACTIONS: dict[type[Step], _Function] = {
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
