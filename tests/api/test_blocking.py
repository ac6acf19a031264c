"""Blocking calls end with data, a timeout or a closed socket, and continue after a signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from ctypes import c_int
from types import FrameType

import pytest
from winsock_kit import (
    LIMIT_SECONDS,
    Running,
    bound,
    connect_to,
    connected_pair,
    connecting,
    error_of,
    fd_set_of,
    give_time,
    listener,
    name_of,
    new,
    readable,
    reset,
    set_option,
    udp_pair,
)

from winsock import (
    INVALID_SOCKET,
    POLLIN,
    POLLNVAL,
    SD_SEND,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SOCK_DGRAM,
    SOCKET_ERROR,
    WSAECONNABORTED,
    WSAECONNRESET,
    WSAEINTR,
    WSAENOTSOCK,
    WSAETIMEDOUT,
    WSAPOLLFD,
    WSAGetLastError,
    WSAPoll,
    accept,
    closesocket,
    connect,
    getpeername,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    shutdown,
    sockaddr_in,
    timeval,
)

pytestmark = pytest.mark.usefixtures("started")


# Timeouts


@pytest.mark.parametrize("call", ["recv", "recvfrom"])
def test_so_rcvtimeo_ends_a_wait_with_wsaetimedout(call: str, pair: tuple[int, int], udp: tuple[int, int]) -> None:
    for s in (pair[0], udp[0]):
        set_option(s, SO_RCVTIMEO, 20)
        for _ in range(2):
            if call == "recv":
                assert error_of(recv(s, bytearray(1), 1, 0)) == WSAETIMEDOUT
            else:
                assert error_of(recvfrom(s, bytearray(1), 1, 0, sockaddr_in(), c_int(16))) == WSAETIMEDOUT


def test_after_a_timed_out_recv_data_still_comes(pair: tuple[int, int]) -> None:
    set_option(pair[0], SO_RCVTIMEO, 1)
    assert error_of(recv(pair[0], bytearray(1), 1, 0)) == WSAETIMEDOUT
    assert send(pair[1], b"1", 1, 0) == 1
    assert readable(pair[0])
    assert recv(pair[0], bytearray(1), 1, 0) == 1


def test_so_sndtimeo_ends_a_blocked_send_with_wsaetimedout(pair: tuple[int, int]) -> None:
    set_option(pair[0], SO_SNDTIMEO, 20)
    data, results = bytes(1 << 20), [0]
    while results[-1] >= 0 and len(results) < 200:
        results.append(send(pair[0], data, len(data), 0))
    assert error_of(results[-1]) == WSAETIMEDOUT


def test_so_rcvtimeo_has_no_effect_on_accept() -> None:
    server = listener()
    set_option(server, SO_RCVTIMEO, 1)
    accepting = Running(lambda: accept(server, None, None))
    # Twice the timeout elapses, measured by another wait.
    idle = bound(SOCK_DGRAM)
    assert WSAPoll(WSAPOLLFD(idle, POLLIN), 1, 30) == 0
    connect_to(server)
    assert accepting.result() != INVALID_SOCKET


def test_so_sndtimeo_has_no_effect_on_connect() -> None:
    s = new()
    set_option(s, SO_SNDTIMEO, 1)
    assert connect(s, name_of(listener()), 16) == 0


def test_a_timeout_of_0_means_no_limit(pair: tuple[int, int]) -> None:
    set_option(pair[0], SO_RCVTIMEO, 0)
    receiving = Running(lambda: recv(pair[0], bytearray(1), 1, 0))
    assert send(pair[1], b"1", 1, 0) == 1
    assert receiving.result() == 1


def test_select_and_wsapoll_return_0_after_their_timeout(udp: tuple[int, int]) -> None:
    fds = fd_set_of(udp[0])
    assert select(0, fds, None, None, timeval(0, 20_000)) == 0
    assert fds.fd_count == 0
    entry = WSAPOLLFD(udp[0], POLLIN, -1)
    assert WSAPoll(entry, 1, 20) == 0
    assert entry.revents == 0


# The event occurs


def test_a_blocking_recv_returns_on_data_end_of_stream_and_reset() -> None:
    endings: dict[str, Callable[[int], object]] = {
        "data": lambda s: send(s, b"1", 1, 0),
        "end": lambda s: shutdown(s, SD_SEND),
        "close": closesocket,
        "reset": reset,
    }
    results = {}
    for name, end in endings.items():
        client, server = connected_pair()
        receiving = Running(lambda s=client: (recv(s, bytearray(1), 1, 0), WSAGetLastError()))
        end(server)
        count, error = receiving.result()
        results[name] = count if count >= 0 else error
    assert results == {"data": 1, "end": 0, "close": 0, "reset": WSAECONNRESET}


def test_a_blocking_accept_ends_with_a_connection() -> None:
    server = listener()
    accepting = Running(lambda: accept(server, None, None))
    client = connect_to(server)
    accepted = accepting.result()
    assert bytes(name_of(accepted, getpeername)) == bytes(name_of(client))


def test_select_and_wsapoll_without_a_limit_end_with_an_event(udp: tuple[int, int]) -> None:
    here, there = udp
    selecting = Running(lambda: select(0, fd_set_of(there), None, None, None))
    polling = Running(lambda: WSAPoll(WSAPOLLFD(there, POLLIN), 1, -1))
    assert sendto(here, b"1", 1, 0, name_of(there), 16) == 1
    assert (selecting.result(), polling.result()) == (1, 1)


def test_a_blocked_call_does_not_block_other_threads(pair: tuple[int, int]) -> None:
    receiving = Running(lambda: recv(pair[0], bytearray(1), 1, 0))
    assert sum(range(100_000)) == 4_999_950_000
    assert send(pair[1], b"1", 1, 0) == 1
    assert receiving.result() == 1


# The socket is closed by another thread


def closed_meanwhile(make: Callable[[], int], wait: Callable[[int], tuple[int, int]]) -> tuple[int, int]:
    """The result and the last error of a blocked call after another thread has closed its socket.

    If the socket was closed before the call began to wait, the attempt is repeated with more time.
    """
    for milliseconds in (20, 100, 500, 2000, 10_000):
        s = make()
        waiting = Running(lambda s=s: wait(s))
        give_time(milliseconds)
        assert closesocket(s) == 0
        result, error = waiting.result()
        if not (result in (SOCKET_ERROR, INVALID_SOCKET) and error == WSAENOTSOCK):
            break
    return result, error


def without_limit(s: int) -> int:
    set_option(s, SO_RCVTIMEO, 0)
    return s


def send_until_it_fails(s: int) -> int:
    set_option(s, SO_SNDTIMEO, 0)
    while (count := send(s, bytes(1 << 20), 1 << 20, 0)) >= 0:
        pass
    return count


WAITS: dict[str, tuple[Callable[[], int], Callable[[int], int], int]] = {
    "accept": (listener, lambda s: accept(s, None, None), WSAEINTR),
    "recv": (lambda: without_limit(connected_pair()[0]), lambda s: recv(s, bytearray(1), 1, 0), WSAECONNABORTED),
    "recvfrom": (
        lambda: without_limit(bound(SOCK_DGRAM)),
        lambda s: recvfrom(s, bytearray(1), 1, 0, None, None),
        WSAEINTR,
    ),
    "recv on a datagram socket": (
        lambda: without_limit(bound(SOCK_DGRAM)),
        lambda s: recv(s, bytearray(1), 1, 0),
        WSAEINTR,
    ),
    "recvfrom on a stream": (
        lambda: without_limit(connected_pair()[0]),
        lambda s: recvfrom(s, bytearray(1), 1, 0, None, None),
        WSAECONNABORTED,
    ),
}


@pytest.mark.wine_differs("closesocket in another thread does not end a waiting send", run=False)
def test_closesocket_ends_a_blocked_send_with_wsaeconnaborted() -> None:
    result, error = closed_meanwhile(lambda: connected_pair()[0], lambda s: (send_until_it_fails(s), WSAGetLastError()))
    assert (result, error) == (SOCKET_ERROR, WSAECONNABORTED)


@pytest.mark.wine_differs("calls that closesocket ends fail with other error codes")
def test_closesocket_ends_a_blocked_connect_with_wsaenotsock() -> None:
    full, s = name_of(connecting(), getpeername), new()
    waiting = Running(lambda: (connect(s, full, 16), WSAGetLastError()))
    give_time(100)
    assert closesocket(s) == 0
    assert waiting.result() == (SOCKET_ERROR, WSAENOTSOCK)


def test_closesocket_ends_every_call_that_is_blocked_on_the_socket() -> None:
    s = without_limit(bound(SOCK_DGRAM))
    waiting = [Running(lambda: recv(s, bytearray(1), 1, 0)) for _ in range(3)]
    waiting.append(Running(lambda: select(0, fd_set_of(s), None, None, None)))
    give_time(50)
    assert closesocket(s) == 0
    assert [each.result() for each in waiting[:3]] == [SOCKET_ERROR] * 3
    assert waiting[3].result() in (1, SOCKET_ERROR)


@pytest.mark.parametrize("call", WAITS)
def test_closesocket_ends_a_blocked_call_of_another_thread(call: str) -> None:
    make, wait, _ = WAITS[call]
    result, error = closed_meanwhile(make, lambda s: (wait(s), WSAGetLastError()))
    assert result in (SOCKET_ERROR, INVALID_SOCKET)
    assert error not in (WSAENOTSOCK, WSAETIMEDOUT)


@pytest.mark.wine_differs("calls that closesocket ends fail with other error codes")
@pytest.mark.parametrize("call", WAITS)
def test_a_blocked_call_reports_that_its_socket_was_closed(call: str) -> None:
    make, wait, error = WAITS[call]
    assert closed_meanwhile(make, lambda s: (wait(s), WSAGetLastError()))[1] == error


def test_select_reports_a_closed_socket_as_readable() -> None:
    left: list[int] = []

    def wait(s: int) -> tuple[int, int]:
        fds = fd_set_of(s)
        result = select(0, fds, None, None, timeval(LIMIT_SECONDS, 0))
        left.append(fds.fd_count)
        return result, WSAGetLastError()

    assert closed_meanwhile(lambda: bound(SOCK_DGRAM), wait)[0] == 1
    assert left[-1] == 1


def test_closesocket_ends_select_on_exceptfds_with_wsaenotsock() -> None:
    ended: list[int] = []

    def wait(s: int) -> tuple[int, int]:
        result = select(0, None, None, fd_set_of(s), timeval(LIMIT_SECONDS, 0))
        ended.append(WSAGetLastError())
        return result, 0

    assert closed_meanwhile(lambda: bound(SOCK_DGRAM), wait)[0] == SOCKET_ERROR
    assert ended[-1] == WSAENOTSOCK


def test_wsapoll_reports_a_closed_socket_as_pollnval() -> None:
    shown: list[int] = []

    def wait(s: int) -> tuple[int, int]:
        entry = WSAPOLLFD(s, POLLIN)
        result = WSAPoll(entry, 1, 1000 * LIMIT_SECONDS)
        shown.append(entry.revents)
        return result, WSAGetLastError()

    assert closed_meanwhile(lambda: bound(SOCK_DGRAM), wait)[0] == 1
    assert shown[-1] == POLLNVAL


def test_a_handle_that_was_closed_during_a_wait_does_not_refer_to_a_newer_socket() -> None:
    s = without_limit(bound(SOCK_DGRAM))
    waiting = Running(lambda: (recv(s, bytearray(8), 8, 0), WSAGetLastError()))
    give_time(1000)  # Windows may give the closed handle to the next socket, and a later call would use that one
    assert closesocket(s) == 0
    here, there = udp_pair()
    assert sendto(here, b"for them", 8, 0, name_of(there), 16) == 8
    assert waiting.result()[0] == SOCKET_ERROR
    data = bytearray(8)
    assert recv(there, data, 8, 0) == 8
    assert data == b"for them"


# Signals

SIGNALS = pytest.mark.posix_only("a signal interrupts a waiting call on POSIX alone")


@pytest.fixture
def handled() -> Iterator[list[Callable[[], None]]]:
    """The functions that the signal handler calls; a test adds them to this list."""
    actions: list[Callable[[], None]] = []

    def handle(number: int, frame: FrameType | None) -> None:
        for action in actions:
            action()

    before = signal.signal(signal.SIGUSR1, handle)
    yield actions
    signal.signal(signal.SIGUSR1, before)


class Signals:
    """Sends SIGUSR1 to this thread every few milliseconds until the end of the block."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(threading.get_ident(),))

    def _run(self, target: int) -> None:
        while not self._done.wait(0.01):
            signal.pthread_kill(target, signal.SIGUSR1)

    def __enter__(self) -> None:
        try:
            self._thread.start()
        except BaseException:  # a handler that raises may run as soon as the thread runs
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


@SIGNALS
def test_control_c_ends_a_blocked_call(handled: list[Callable[[], None]], pair: tuple[int, int]) -> None:
    def interrupt() -> None:
        handled.clear()
        raise KeyboardInterrupt

    calls: list[Callable[[], int]] = [
        lambda: recv(pair[0], bytearray(1), 1, 0),
        lambda: recvfrom(pair[0], bytearray(1), 1, 0, None, None),
        lambda: accept(listener(), None, None),
        lambda: select(0, fd_set_of(pair[0]), None, None, None),
        lambda: WSAPoll(WSAPOLLFD(pair[0], POLLIN), 1, -1),
    ]
    for call in calls:
        handled.append(interrupt)
        # The first signal may arrive before the call begins: the handler raises inside this block in any case.
        with pytest.raises(KeyboardInterrupt), Signals():
            call()
    # The waits have left no trace: the socket still works.
    assert send(pair[1], b"1", 1, 0) == 1
    assert recv(pair[0], bytearray(1), 1, 0) == 1


@SIGNALS
def test_a_signal_handler_runs_during_a_blocked_call_which_then_continues(
    handled: list[Callable[[], None]], pair: tuple[int, int]
) -> None:
    sent: list[int] = []

    def handle() -> None:
        handled.clear()
        sent.append(send(pair[1], b"from the handler", 16, 0))

    data = bytearray(16)
    handled.append(handle)
    with Signals():
        assert recv(pair[0], data, 16, 0) == 16
    assert sent == [16]
    assert data == b"from the handler"


@SIGNALS
def test_signals_do_not_extend_a_timeout(handled: list[Callable[[], None]], udp: tuple[int, int]) -> None:
    # They are faster than the timeout: a wait that restarted after each signal would never end.
    set_option(udp[0], SO_RCVTIMEO, 100)
    with Signals():
        assert error_of(recv(udp[0], bytearray(1), 1, 0)) == WSAETIMEDOUT
        assert select(0, fd_set_of(udp[0]), None, None, timeval(0, 100_000)) == 0
        assert WSAPoll(WSAPOLLFD(udp[0], POLLIN), 1, 100) == 0


@SIGNALS
def test_a_signal_does_not_shorten_a_timeout(handled: list[Callable[[], None]], udp: tuple[int, int]) -> None:
    here, there = udp
    count: list[None] = []

    def handle() -> None:
        count.append(None)
        if len(count) == 5:
            assert sendto(here, b"1", 1, 0, name_of(there), 16) == 1

    handled.append(handle)
    with Signals():
        assert recv(there, bytearray(1), 1, 0) == 1
    assert len(count) >= 5
