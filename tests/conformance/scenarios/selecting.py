"""select and the macros on sets."""

from __future__ import annotations

import threading
from ctypes import sizeof

from winsock import (
    FD_CLR,
    FD_ISSET,
    FD_SET,
    FD_SETSIZE,
    FD_ZERO,
    INVALID_SOCKET,
    closesocket,
    connect,
    fd_set,
    fd_set_sized,
    recv,
    select,
    send,
    sendto,
    timeval,
)

from ..kit import (
    IN,
    NOW,
    bound,
    bound_udp,
    closed_port,
    full_pair,
    inet,
    listener,
    look,
    name_of,
    nonblocking,
    reset,
    set_of,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
)
from ..recorder import Recorder


def nothing_ready_within_the_time(see: Recorder) -> None:
    _, server = tcp_pair()
    see.know(server=server)
    fds, limit = set_of(server), timeval(0, 20000)
    see("select", select(0, fds, None, None, limit), fds, limit.tv_sec, limit.tv_usec)


def data_makes_readable(see: Recorder) -> None:
    client, server = tcp_pair()
    see.know(client=client, server=server)
    send(client, b"x", 1, 0)
    wait_readable(server)
    fds = set_of(client, server)
    see("select", select(0, fds, None, None, NOW), fds)


def a_client_makes_a_listener_readable(see: Recorder) -> None:
    queue = listener()
    see("select before", look(queue))
    connect(tcp(), name_of(queue), IN)
    see("select", look(wait_readable(queue)))


def no_sets(see: Recorder) -> None:
    see("select", select(0, None, None, None, NOW))
    see("select with time", select(0, None, None, None, timeval(5, 0)))
    see("select without end", select(0, None, None, None, None))


def empty_sets(see: Recorder) -> None:
    see("select one", select(0, fd_set(), None, None, NOW))
    see("select all", select(0, fd_set(), fd_set(), fd_set(), timeval(5, 0)))
    see("select without end", select(0, fd_set(), None, None, None))


def a_closed_socket_in_a_set(see: Recorder) -> None:
    good, gone = bound_udp(), tcp()
    see.know(good=good, gone=gone)
    closesocket(gone)
    for place in range(3):
        reading, writing, exceptional = (set_of(good, gone) if place == at else set_of(good) for at in range(3))
        result = select(0, reading, writing, exceptional, NOW)
        see(f"select {place}", result, reading, writing, exceptional)


def invalid_socket_in_a_set(see: Recorder) -> None:
    see("select", select(0, set_of(INVALID_SOCKET), None, None, NOW))
    see("select 0", select(0, None, set_of(0), None, timeval(5, 0)))


def nfds_does_not_matter(see: Recorder) -> None:
    s = bound_udp()
    for nfds in (0, 1, -1, 1000000):
        fds = set_of(s)
        see(f"select {nfds}", select(nfds, None, fds, None, NOW), FD_ISSET(s, fds))


def the_count_is_over_all_sets(see: Recorder) -> None:
    client, server = tcp_pair()
    see.know(client=client, server=server)
    send(client, b"x", 1, 0)
    wait_readable(server)
    reading, writing, exceptional = set_of(client, server), set_of(client, server), set_of(client, server)
    see("select", select(0, reading, writing, exceptional, NOW), reading, writing, exceptional)


def a_socket_twice_in_one_set(see: Recorder) -> None:
    s = bound_udp()
    see.know(s=s)
    fds = fd_set()
    fds.fd_count = 2
    fds.fd_array[0] = fds.fd_array[1] = s
    see("select", select(0, None, fds, None, NOW), fds)


def one_set_for_two(see: Recorder) -> None:
    client, server = tcp_pair()
    see.know(client=client, server=server)
    send(client, b"x", 1, 0)
    wait_readable(server)
    fds = set_of(client, server)
    see("select", select(0, fds, fds, None, NOW), fds)


def a_fresh_stream_is_in_no_set(see: Recorder) -> None:
    see("select fresh", look(tcp()))
    see("select bound", look(bound(tcp())))


def a_fresh_datagram_socket_is_writable(see: Recorder) -> None:
    see("select fresh", look(udp()))
    see("select bound", look(bound_udp()))


def the_end_makes_readable(see: Recorder) -> None:
    client, server = tcp_pair()
    closesocket(client)
    see("select", look(wait_readable(server)))
    see("recv", recv(server, bytearray(1), 1, 0))
    see("select again", look(server))


def a_reset_makes_readable_and_writable(see: Recorder) -> None:
    client, server = tcp_pair()
    reset(client)
    see("select", look(wait_readable(server)))
    see("recv", recv(server, bytearray(1), 1, 0))
    see("select again", look(server))


def no_room_makes_unwritable(see: Recorder) -> None:
    client, server = full_pair()
    see("select", look(client))
    see("select reader", look(server))


def a_datagram_makes_readable(see: Recorder) -> None:
    s = bound_udp()
    see("select before", look(s))
    sendto(udp(), b"x", 1, 0, name_of(s), IN)
    see("select", look(wait_readable(s)))
    recv(s, bytearray(1), 1, 0)
    see("select afterwards", look(s))


def a_connect_in_progress_and_its_success(see: Recorder) -> None:
    queue, s = listener(), nonblocking(tcp())
    see("connect", connect(s, name_of(queue), IN))
    writing, exceptional = set_of(s), set_of(s)
    see("select", select(0, None, writing, exceptional, timeval(5, 0)), FD_ISSET(s, writing), FD_ISSET(s, exceptional))


def a_connect_that_fails(see: Recorder) -> None:
    s = nonblocking(tcp())
    see("connect", connect(s, inet(closed_port()), IN))
    writing, exceptional = set_of(s), set_of(s)
    see("select", select(0, None, writing, exceptional, timeval(5, 0)), FD_ISSET(s, writing), FD_ISSET(s, exceptional))


def another_thread_ends_the_wait(see: Recorder) -> None:
    client, server = tcp_pair()
    late = threading.Timer(0.05, lambda: send(client, b"x", 1, 0))
    late.start()
    fds = set_of(server)
    see("select", select(0, fds, None, None, timeval(5, 0)), FD_ISSET(server, fds))
    late.join()


def no_limit_of_time(see: Recorder) -> None:
    s = bound_udp()
    fds = set_of(s)
    see("select", select(0, None, fds, None, None), FD_ISSET(s, fds))


def a_negative_time(see: Recorder) -> None:
    fds = set_of(bound_udp())
    see("select seconds", select(0, fds, None, None, timeval(-1, 0)))
    see("select microseconds", select(0, fds, None, None, timeval(0, -1)))


def a_time_of_more_than_a_second_in_microseconds(see: Recorder) -> None:
    s = bound_udp()
    fds = set_of(s)
    see("select", select(0, None, fds, None, timeval(0, 1500000)), FD_ISSET(s, fds))


def the_order_in_a_set_stays(see: Recorder) -> None:
    first, second, third = bound_udp(), tcp(), bound_udp()
    see.know(first=first, second=second, third=third)
    fds = set_of(third, second, first)
    see("select", select(0, None, fds, None, NOW), fds)


def sixty_four_sockets(see: Recorder) -> None:
    sockets = [bound_udp() for _ in range(FD_SETSIZE)]
    fds = set_of(*sockets)
    see("select", select(0, None, fds, None, NOW), fds.fd_count)


def a_sixty_fifth_is_ignored(see: Recorder) -> None:
    fds = set_of(*range(4, 4 + 4 * FD_SETSIZE, 4))
    FD_SET(4096, fds)
    see("FD_SET", fds.fd_count)
    see("FD_ISSET", FD_ISSET(4096, fds))


def a_larger_set(see: Recorder) -> None:
    sockets = [udp() for _ in range(100)]
    fds = fd_set_sized(128)()
    for s in sockets:
        FD_SET(s, fds)
    see("FD_SET", fds.fd_count)
    see("select", select(0, None, fds, None, NOW), fds.fd_count, FD_ISSET(sockets[99], fds))


def a_set_in_a_byte_array(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"x", 1, 0)
    wait_readable(server)
    raw = bytearray(sizeof(fd_set))
    FD_ZERO(raw)
    FD_SET(client, raw)
    FD_SET(server, raw)
    see("select", select(0, raw, None, None, NOW), FD_ISSET(client, raw), FD_ISSET(server, raw))


def sets_by_their_macros(see: Recorder) -> None:
    fds = fd_set()
    see.know(a=4, b=8, c=12)
    for s in (4, 8, 12, 8):
        FD_SET(s, fds)
    see("FD_SET", fds)
    FD_CLR(4, fds)
    see("FD_CLR", fds)
    FD_CLR(99, fds)
    see("FD_CLR of another", fds)
    see("FD_ISSET", [FD_ISSET(8, fds), FD_ISSET(4, fds)])
    FD_ZERO(fds)
    see("FD_ZERO", fds)


def a_short_buffer_as_set(see: Recorder) -> None:
    see("select", select(0, bytearray(8), None, None, NOW))
    see("select short time", select(0, set_of(bound_udp()), None, None, bytearray(4)))


def a_count_beyond_the_set(see: Recorder) -> None:
    fds = set_of(bound_udp())
    fds.fd_count = 65
    see("select", select(0, fds, None, None, NOW))


def both_ends_have_data(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"x", 1, 0)
    send(server, b"y", 1, 0)
    see("select client", look(wait_readable(client)))
    see("select server", look(wait_readable(server)))
