"""What a blocked call does while another thread changes its socket: the state at its beginning counts."""

from __future__ import annotations

import signal
import sys

import pytest
from winsock_kit import (
    Running,
    accept_from,
    bound,
    connecting,
    error_of,
    events_of,
    fd_set_of,
    give_time,
    in_child,
    name_of,
    new,
    readable,
    receive_all,
    set_nonblocking,
    set_option,
)

from winsock import (
    MSG_WAITALL,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SO_SNDBUF,
    SO_SNDTIMEO,
    SOCK_DGRAM,
    SOCKET_ERROR,
    WSAEALREADY,
    WSAECONNABORTED,
    WSAECONNRESET,
    WSAENOTCONN,
    WSAESHUTDOWN,
    WSAETIMEDOUT,
    WSAPOLLFD,
    WSAGetLastError,
    WSAPoll,
    closesocket,
    connect,
    getpeername,
    listen,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    shutdown,
    timeval,
)

pytestmark = pytest.mark.usefixtures("started")

# In milliseconds; for a thread to begin to wait, or to show that it still waits.
MOMENT = 100


def receiving(s: int, length: int = 8, flags: int = 0) -> Running[tuple[int, int]]:
    running = Running(lambda: (recv(s, bytearray(length), length, flags), WSAGetLastError()))
    give_time(MOMENT)
    return running


def full() -> tuple[int, int, int]:
    """A connected pair whose first socket takes no more data, and the number of bytes on their way."""
    queue = bound()
    set_option(queue, SO_RCVBUF, 1 << 16)  # a fixed size: the kernel enlarges others while data arrives
    assert listen(queue, 1) == 0
    client = new()
    set_option(client, SO_SNDBUF, 1 << 16)
    assert connect(client, name_of(queue), 16) == 0
    server = accept_from(queue)
    set_nonblocking(client)
    total = 0
    while events_of(client, POLLOUT, MOMENT):
        total += max(0, send(client, bytes(1 << 16), 1 << 16, 0))
    set_nonblocking(client, 0)
    return client, server, total


def sending(s: int, size: int) -> Running[tuple[int, int]]:
    running = Running(lambda: (send(s, bytes(size), size, 0), WSAGetLastError()))
    give_time(MOMENT)
    return running


SIZE = 1 << 20
RESETS = pytest.mark.wine_differs("unread data after SD_RECEIVE does not reset the connection")

# recv


@pytest.mark.parametrize("how", [SD_RECEIVE, SD_BOTH])
def test_shutdown_does_not_end_a_blocked_recv(how: int, pair: tuple[int, int]) -> None:
    receives = receiving(pair[0])
    assert shutdown(pair[0], how) == 0
    assert error_of(recv(pair[0], bytearray(1), 1, 0)) == WSAESHUTDOWN
    give_time(MOMENT)
    assert not receives.done()
    assert send(pair[1], b"abc", 3, 0) == 3
    assert receives.result()[0] == 3


@pytest.mark.wine_differs("recv ignores MSG_WAITALL")
def test_shutdown_does_not_end_a_recv_that_waits_for_the_whole_buffer(pair: tuple[int, int]) -> None:
    assert send(pair[1], b"abc", 3, 0) == 3
    receives = receiving(pair[0], 6, MSG_WAITALL)
    assert shutdown(pair[0], SD_RECEIVE) == 0
    assert send(pair[1], b"def", 3, 0) == 3
    assert receives.result()[0] == 6


def test_shutdown_does_not_end_a_blocked_recvfrom_of_datagrams(udp: tuple[int, int]) -> None:
    here, there = udp
    running = Running(lambda: recvfrom(there, bytearray(8), 8, 0, None, None))
    give_time(MOMENT)
    assert shutdown(there, SD_RECEIVE) == 0
    assert sendto(here, b"x", 1, 0, name_of(there), 16) == 1
    assert running.result() == 1


def test_a_shorter_so_rcvtimeo_does_not_concern_a_blocked_recv(pair: tuple[int, int]) -> None:
    receives = receiving(pair[0])
    set_option(pair[0], SO_RCVTIMEO, 1)
    give_time(MOMENT)
    assert not receives.done()
    assert send(pair[1], b"x", 1, 0) == 1
    assert receives.result()[0] == 1


def test_a_recv_that_began_on_a_blocking_socket_stays_blocking(pair: tuple[int, int]) -> None:
    receives = receiving(pair[0])
    set_nonblocking(pair[0])
    assert shutdown(pair[0], SD_SEND) == 0  # the call looks at its socket again
    give_time(MOMENT)
    assert not receives.done()
    assert send(pair[1], b"x", 1, 0) == 1
    assert receives.result()[0] == 1


# send and the end of the stream


@pytest.mark.parametrize("how", [SD_SEND, SD_BOTH])
def test_a_blocked_send_sends_everything_before_the_end_of_the_stream(how: int) -> None:
    client, server, before = full()
    sends = sending(client, SIZE)
    assert shutdown(client, how) == 0
    assert error_of(send(client, b"x", 1, 0)) == WSAESHUTDOWN
    assert len(receive_all(server, before + SIZE)) == before + SIZE
    assert recv(server, bytearray(1), 1, 0) == 0
    assert sends.result()[0] == SIZE


def test_the_end_of_the_stream_waits_for_every_blocked_send() -> None:
    client, server, before = full()
    sends = [sending(client, SIZE), sending(client, SIZE)]
    assert shutdown(client, SD_SEND) == 0
    assert len(receive_all(server, before + 2 * SIZE)) == before + 2 * SIZE
    assert recv(server, bytearray(1), 1, 0) == 0
    assert [each.result()[0] for each in sends] == [SIZE, SIZE]


def test_the_end_of_the_stream_follows_a_send_that_times_out() -> None:
    client, server, before = full()
    set_option(client, SO_SNDTIMEO, 2 * MOMENT)
    sends = sending(client, SIZE)
    assert shutdown(client, SD_SEND) == 0
    assert sends.result() == (SOCKET_ERROR, WSAETIMEDOUT)
    assert len(receive_all(server, before + 2 * SIZE)) >= before
    assert recv(server, bytearray(1), 1, 0) == 0


def test_a_blocked_send_before_the_end_of_the_stream_reports_a_reset() -> None:
    client, server, _ = full()
    assert shutdown(server, SD_SEND) == 0
    sends = sending(client, SIZE)
    assert shutdown(client, SD_SEND) == 0
    assert closesocket(server) == 0  # with unread data
    assert sends.result()[1] in (WSAECONNABORTED, WSAECONNRESET)
    assert error_of(recv(client, bytearray(1), 1, 0)) in (WSAECONNABORTED, WSAECONNRESET)


def test_a_second_shutdown_does_not_end_a_blocked_send() -> None:
    client, server, before = full()
    sends = sending(client, SIZE)
    for how in (SD_SEND, SD_BOTH, SD_SEND):
        assert shutdown(client, how) == 0
    assert len(receive_all(server, before + SIZE)) == before + SIZE
    assert sends.result()[0] == SIZE


@pytest.mark.posix_only("an interval timer")
def test_the_end_of_the_stream_follows_a_send_whose_signal_handler_raised() -> None:
    class Stop(Exception):
        pass

    client, server, before = full()

    def end_and_raise(number: int, frame: object) -> None:
        assert shutdown(client, SD_SEND) == 0
        raise Stop

    def send_with_timer() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        send(client, bytes(SIZE), SIZE, 0)

    if sys.platform != "win32":
        previous = signal.signal(signal.SIGALRM, end_and_raise)
        try:
            with pytest.raises(Stop):
                send_with_timer()
        finally:
            signal.signal(signal.SIGALRM, previous)
    assert len(receive_all(server, before + SIZE)) >= before
    assert recv(server, bytearray(1), 1, 0) == 0


@pytest.mark.posix_only("fork")
def test_a_forked_child_does_not_send_the_end_that_waits_in_its_parent() -> None:
    client, server, before = full()
    sends = sending(client, SIZE)
    assert shutdown(client, SD_SEND) == 0
    in_child(lambda: closesocket(new()))  # which completes what was interrupted
    assert len(receive_all(server, before + SIZE)) == before + SIZE
    assert sends.result()[0] == SIZE


# select, WSAPoll, connect


@pytest.mark.parametrize("how", [SD_RECEIVE, SD_SEND, SD_BOTH])
def test_shutdown_ends_neither_select_nor_wsapoll(how: int, pair: tuple[int, int]) -> None:
    selects = Running(lambda: select(0, fd_set_of(pair[0]), None, None, timeval(0, 4 * MOMENT * 1000)))
    polls = Running(lambda: WSAPoll(WSAPOLLFD(pair[0], POLLIN), 1, 4 * MOMENT))
    give_time(MOMENT)
    assert shutdown(pair[0], how) == 0
    assert (selects.result(), polls.result()) == (0, 0)


@RESETS
@pytest.mark.parametrize("how", [SD_RECEIVE, SD_BOTH])
def test_data_that_arrives_after_sd_receive_ends_select_and_wsapoll(how: int, pair: tuple[int, int]) -> None:
    selects = Running(lambda: select(0, fd_set_of(pair[0]), None, None, timeval(5, 0)))
    polls = Running(lambda: (WSAPoll(polled := WSAPOLLFD(pair[0], POLLIN), 1, 5000), polled.revents))
    give_time(MOMENT)
    assert shutdown(pair[0], how) == 0
    assert send(pair[1], b"x", 1, 0) == 1
    assert (selects.result(), polls.result()) == (1, (1, POLLERR | POLLHUP))


@RESETS
def test_data_that_arrives_after_sd_receive_ends_a_wsapoll_that_began_later(pair: tuple[int, int]) -> None:
    assert shutdown(pair[0], SD_RECEIVE) == 0
    polls = Running(lambda: WSAPoll(WSAPOLLFD(pair[0], POLLIN), 1, 5000))
    give_time(MOMENT)
    assert send(pair[1], b"x", 1, 0) == 1
    assert polls.result() == 1
    assert error_of(send(pair[0], b"x", 1, 0)) == WSAECONNABORTED


@RESETS
@pytest.mark.parametrize("how", [SD_RECEIVE, SD_BOTH])
def test_sd_receive_with_unread_data_ends_a_blocked_send(how: int) -> None:
    client, server, _ = full()
    assert send(server, b"x", 1, 0) == 1
    assert readable(client)
    sends = sending(client, SIZE)
    assert shutdown(client, how) == 0
    assert sends.result() == (SOCKET_ERROR, WSAECONNABORTED)


@RESETS
def test_sd_receive_with_unread_data_resets_a_stream_whose_exceptions_select_waits_for(pair: tuple[int, int]) -> None:
    assert send(pair[1], b"x", 1, 0) == 1
    assert readable(pair[0])
    selects = Running(lambda: select(0, None, None, fd_set_of(pair[0]), timeval(0, 2 * MOMENT * 1000)))
    give_time(MOMENT)
    assert shutdown(pair[0], SD_RECEIVE) == 0
    assert error_of(send(pair[0], b"x", 1, 0)) == WSAECONNABORTED
    assert selects.result() == 0


def test_select_reports_a_stream_writable_after_sd_receive_and_the_end_of_its_peer() -> None:
    client, server, total = full()
    assert shutdown(client, SD_RECEIVE) == 0
    assert shutdown(server, SD_SEND) == 0
    selects = Running(lambda: select(0, None, fd_set_of(client), None, timeval(5, 0)))
    give_time(MOMENT)
    assert not selects.done()
    assert len(receive_all(server, total)) == total
    assert selects.result() == 1


def test_select_in_another_thread_reports_a_socket_that_is_connected_meanwhile() -> None:
    s = bound(SOCK_DGRAM)
    selects = Running(lambda: select(0, fd_set_of(s), None, None, None))
    give_time(MOMENT)
    there = bound(SOCK_DGRAM)
    assert connect(s, name_of(there), 16) == 0
    assert sendto(there, b"x", 1, 0, name_of(s), 16) == 1
    assert selects.result() == 1


@pytest.mark.wine_differs("a second connect fails with WSAEINVAL while a blocking one waits")
def test_other_threads_find_a_socket_connecting_while_connect_is_blocked() -> None:
    full_listener, s = name_of(connecting(), getpeername), new()
    connects = Running(lambda: connect(s, full_listener, 16))
    give_time(MOMENT)
    assert error_of(connect(s, full_listener, 16)) == WSAEALREADY
    assert error_of(recv(s, bytearray(1), 1, 0)) == WSAENOTCONN
    assert error_of(shutdown(s, SD_BOTH)) == WSAENOTCONN
    give_time(MOMENT)
    assert not connects.done()
    assert closesocket(s) == 0
    assert connects.result() == SOCKET_ERROR


def test_two_threads_can_wait_for_one_socket_in_different_calls(pair: tuple[int, int]) -> None:
    receives = receiving(pair[0])
    polls = Running(lambda: WSAPoll(WSAPOLLFD(pair[0], POLLOUT), 1, 1000))
    assert polls.result() == 1
    assert send(pair[1], b"x", 1, 0) == 1
    assert receives.result()[0] == 1
    assert not readable(pair[0], 0)
