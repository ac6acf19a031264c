"""Blocked calls while another thread closes, cleans up or sends; the last error of each thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

from winsock import (
    FD_ISSET,
    INVALID_SOCKET,
    POLLRDNORM,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SO_RCVTIMEO,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAPOLLFD,
    WSACleanup,
    WSAGetLastError,
    WSAPoll,
    accept,
    closesocket,
    connect,
    listen,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    shutdown,
    timeval,
)

from ..kit import (
    IN,
    blocking,
    bound,
    bound_udp,
    full_pair,
    listener,
    name_of,
    nonblocking,
    pause,
    reset,
    set_of,
    switch,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
)
from ..recorder import Recorder, error_name, poll_bits


def _meanwhile(call: Callable[[], int], then: Callable[[], object]) -> str | int:
    """The result of a call that is blocked in another thread while `then` runs in this one."""
    answer: list[str | int] = []

    def waiting() -> None:
        result = call()
        answer.append(error_name(WSAGetLastError()) if result in (SOCKET_ERROR, INVALID_SOCKET) else result)

    thread = threading.Thread(target=waiting, daemon=True)
    thread.start()
    # There is no call that tells whether the other thread is blocked yet.
    pause(100)
    then()
    thread.join(1)
    return answer[0] if answer else "still waits"


def closing_ends_accept(see: Recorder) -> None:
    queue = listener()
    see("accept", _meanwhile(lambda: accept(queue, None, None), lambda: closesocket(queue)))


def closing_ends_recv(see: Recorder) -> None:
    client, server = tcp_pair()
    see("recv", _meanwhile(lambda: recv(server, bytearray(1), 1, 0), lambda: closesocket(server)))
    see("closesocket", closesocket(server))
    see("recv peer", recv(switch(client, SOL_SOCKET, SO_RCVTIMEO, 2000), bytearray(1), 1, 0))


def closing_ends_recvfrom(see: Recorder) -> None:
    s = bound_udp()
    see("recvfrom", _meanwhile(lambda: recvfrom(s, bytearray(1), 1, 0, None, None), lambda: closesocket(s)))


def closing_ends_select_for_reading(see: Recorder) -> None:
    _, server = tcp_pair()
    fds = set_of(server)
    see("select", _meanwhile(lambda: select(0, fds, None, None, timeval(3, 0)), lambda: closesocket(server)))
    see("FD_ISSET", FD_ISSET(server, fds))


def closing_ends_select_for_exceptions(see: Recorder) -> None:
    _, server = tcp_pair()
    fds = set_of(server)
    see("select", _meanwhile(lambda: select(0, None, None, fds, timeval(3, 0)), lambda: closesocket(server)))


def closing_ends_poll(see: Recorder) -> None:
    _, server = tcp_pair()
    fds = (WSAPOLLFD * 1)(WSAPOLLFD(server, POLLRDNORM))
    see("WSAPoll", _meanwhile(lambda: WSAPoll(fds, 1, 3000), lambda: closesocket(server)))
    see("WSAPoll event", poll_bits(fds[0].revents))


def closing_ends_a_blocking_send(see: Recorder) -> None:
    client, _ = full_pair()
    blocking(client)
    block = bytes(1 << 20)
    answer = _meanwhile(lambda: send(client, block, len(block), 0), lambda: closesocket(client))
    see("send", answer != "still waits")


def closing_one_socket_leaves_others_waiting(see: Recorder) -> None:
    client, server = tcp_pair()
    other, _ = tcp_pair()

    def close_other_then_send() -> None:
        closesocket(other)
        send(client, b"x", 1, 0)

    see("recv", _meanwhile(lambda: recv(server, bytearray(1), 1, 0), close_other_then_send))


def the_last_cleanup_ends_recv(see: Recorder) -> None:
    _, server = tcp_pair()
    answer = _meanwhile(lambda: recv(server, bytearray(1), 1, 0), WSACleanup)
    see("recv", answer != "still waits")


def the_last_cleanup_ends_accept(see: Recorder) -> None:
    queue = listener()
    answer = _meanwhile(lambda: accept(queue, None, None), WSACleanup)
    see("accept", isinstance(answer, str) and answer != "still waits")


def data_ends_recv(see: Recorder) -> None:
    client, server = tcp_pair()
    see("recv", _meanwhile(lambda: recv(server, bytearray(4), 4, 0), lambda: send(client, b"ab", 2, 0)))


def the_end_ends_recv(see: Recorder) -> None:
    client, server = tcp_pair()
    see("recv", _meanwhile(lambda: recv(server, bytearray(4), 4, 0), lambda: closesocket(client)))


def a_reset_ends_recv(see: Recorder) -> None:
    client, server = tcp_pair()
    see("recv", _meanwhile(lambda: recv(server, bytearray(4), 4, 0), lambda: reset(client)))


def a_datagram_ends_recvfrom(see: Recorder) -> None:
    s, sender = bound_udp(), udp()
    to = name_of(s)
    answer = _meanwhile(lambda: recvfrom(s, bytearray(4), 4, 0, None, None), lambda: sendto(sender, b"x", 1, 0, to, IN))
    see("recvfrom", answer)


def a_client_ends_accept(see: Recorder) -> None:
    queue, client = listener(), tcp()
    to = name_of(queue)
    answer = _meanwhile(lambda: accept(queue, None, None), lambda: connect(client, to, IN))
    see("accept", isinstance(answer, int))


def a_socket_sends_while_another_thread_receives_on_it(see: Recorder) -> None:
    client, server = tcp_pair()

    def send_both_ways() -> None:
        send(server, b"out", 3, 0)
        send(client, b"in", 2, 0)

    see("recv", _meanwhile(lambda: recv(server, bytearray(4), 4, 0), send_both_ways))
    buffer = bytearray(3)
    see("recv other", recv(wait_readable(client), buffer, 3, 0), buffer)


def receiving_ended_while_recv_waits(see: Recorder) -> None:
    client, server = tcp_pair()

    def end_then_send() -> None:
        shutdown(server, SD_RECEIVE)
        send(client, b"x", 1, 0)

    answer = _meanwhile(lambda: recv(switch(server, SOL_SOCKET, SO_RCVTIMEO, 600), bytearray(1), 1, 0), end_then_send)
    see("recv", answer != "still waits")


def receiving_ended_while_recv_waits_for_data(see: Recorder) -> None:
    client, server = tcp_pair()
    results: list[int] = []

    def end_then_send() -> None:
        results.append(shutdown(server, SD_RECEIVE))
        pause(100)
        send(client, b"ab", 2, 0)

    see("recv", _meanwhile(lambda: recv(server, bytearray(4), 4, 0), end_then_send))
    see("shutdown", results[0])
    see("recv again", recv(server, bytearray(4), 4, 0))


def both_directions_ended_while_recv_waits_for_the_end(see: Recorder) -> None:
    client, server = tcp_pair()

    def end_both() -> None:
        shutdown(server, SD_BOTH)
        pause(100)
        closesocket(client)

    see("recv", _meanwhile(lambda: recv(server, bytearray(4), 4, 0), end_both))


def sending_ended_while_send_waits(see: Recorder) -> None:
    client, server = full_pair()
    block, room, total = bytes(1 << 20), bytearray(1 << 20), 0

    def end_then_receive() -> None:
        nonlocal total
        see("shutdown", shutdown(client, SD_SEND))
        see("send later", send(client, b"x", 1, 0))
        while (count := recv(wait_readable(server), room, len(room), 0)) > 0:
            total += count

    see("send", _meanwhile(lambda: send(blocking(client), block, len(block), 0), end_then_receive))
    see("recv peer", total > len(block))


def closing_ends_recvfrom_on_a_stream(see: Recorder) -> None:
    _, server = tcp_pair()
    call = _meanwhile(lambda: recvfrom(server, bytearray(1), 1, 0, None, None), lambda: closesocket(server))
    see("recvfrom", call)


def closing_ends_recv_on_datagrams(see: Recorder) -> None:
    s = bound_udp()
    see("recv", _meanwhile(lambda: recv(s, bytearray(1), 1, 0), lambda: closesocket(s)))


def closing_ends_connect(see: Recorder) -> None:
    queue = bound(tcp())
    listen(queue, 1)
    to = name_of(queue)
    for _ in range(4):  # more than the queue takes
        connect(nonblocking(tcp()), to, IN)
    s = tcp()
    see("connect", _meanwhile(lambda: connect(s, to, IN), lambda: closesocket(s)))


def each_thread_has_its_own_last_error(see: Recorder) -> None:
    s = tcp()
    codes = {}

    def failing(name: str, call: Callable[[], int], barrier: threading.Barrier) -> None:
        call()
        barrier.wait()
        codes[name] = error_name(WSAGetLastError())

    barrier = threading.Barrier(3)
    calls = {"listen": lambda: listen(s, 1), "shutdown": lambda: shutdown(s, 99), "closesocket": lambda: closesocket(0)}
    threads = [threading.Thread(target=failing, args=(name, call, barrier)) for name, call in calls.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    see("WSAGetLastError", [codes[name] for name in calls])


def a_socket_made_in_one_thread_works_in_another(see: Recorder) -> None:
    made: list[int] = []
    thread = threading.Thread(target=lambda: made.append(listener()))
    thread.start()
    thread.join()
    see("connect", connect(tcp(), name_of(made[0]), IN))
    see("accept", accept(wait_readable(made[0]), None, None))


def many_threads_send_on_one_socket(see: Recorder) -> None:
    client, server = tcp_pair()
    sent: list[int] = []
    threads = [threading.Thread(target=lambda: sent.append(send(client, b"0123456789", 10, 0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got, buffer = bytearray(), bytearray(80)
    while len(got) < 80:
        count = recv(wait_readable(server), buffer, 80, 0)
        got += buffer[:count]
    see("send", sorted(sent))
    see("recv", bytes(got) == b"0123456789" * 8)
