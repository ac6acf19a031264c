"""WSAPoll."""

from __future__ import annotations

import threading
from ctypes import Array

from winsock import (
    INVALID_SOCKET,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLPRI,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
    SD_RECEIVE,
    WSAPOLLFD,
    WSAPoll,
    closesocket,
    connect,
    recv,
    send,
    sendto,
    shutdown,
)

from ..kit import (
    IN,
    bound,
    bound_udp,
    closed_port,
    ended,
    inet,
    listener,
    name_of,
    nonblocking,
    pause,
    polled,
    reset,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
)
from ..recorder import Recorder

_ALL = POLLRDNORM | POLLRDBAND | POLLWRNORM


def _array(*entries: tuple[int, int]) -> Array[WSAPOLLFD]:
    return (WSAPOLLFD * len(entries))(*[WSAPOLLFD(s, events, 0x7777) for s, events in entries])


def no_event_is_reported(see: Recorder) -> None:
    _, server = tcp_pair()
    fds = _array((server, POLLRDNORM))
    see("WSAPoll", WSAPoll(fds, 1, 20), fds)


def poll_shows_data(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"x", 1, 0)
    wait_readable(server)
    fds = _array((server, POLLIN))
    see("WSAPoll", WSAPoll(fds, 1, 0), fds)


def poll_shows_a_client(see: Recorder) -> None:
    queue = listener()
    see("WSAPoll before", polled(queue, _ALL))
    connect(tcp(), name_of(queue), IN)
    wait_readable(queue)
    see("WSAPoll", polled(queue, _ALL))
    see("WSAPoll for writing", polled(queue, POLLWRNORM))


def poll_of_a_fresh_stream(see: Recorder) -> None:
    see("WSAPoll fresh", polled(tcp(), _ALL))
    see("WSAPoll bound", polled(bound(tcp()), _ALL))


def poll_of_datagram_sockets(see: Recorder) -> None:
    s = bound_udp()
    see("WSAPoll fresh", polled(udp(), _ALL))
    see("WSAPoll bound", polled(s, _ALL))
    sendto(udp(), b"x", 1, 0, name_of(s), IN)
    wait_readable(s)
    see("WSAPoll with a datagram", polled(s, _ALL))
    see("WSAPoll for reading", polled(s, POLLRDNORM))


def several_sockets(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"x", 1, 0)
    wait_readable(server)
    fds = _array((client, POLLRDNORM), (server, POLLRDNORM | POLLWRNORM), (tcp(), POLLWRNORM))
    see("WSAPoll", WSAPoll(fds, 3, 0), fds)


def only_the_first_entries(see: Recorder) -> None:
    fds = _array((udp(), POLLWRNORM), (udp(), POLLWRNORM))
    see("WSAPoll", WSAPoll(fds, 1, 0), fds[0], fds[1].revents == 0x7777)


def one_socket_twice(see: Recorder) -> None:
    s = udp()
    fds = _array((s, POLLWRNORM), (s, POLLRDNORM), (s, POLLWRNORM))
    see("WSAPoll", WSAPoll(fds, 3, 0), fds)


def no_entries(see: Recorder) -> None:
    see("WSAPoll", WSAPoll(_array((udp(), POLLIN)), 0, 0))
    see("WSAPoll NULL", WSAPoll(None, 0, 0))


def a_null_array(see: Recorder) -> None:
    see("WSAPoll", WSAPoll(None, 1, 0))
    see("WSAPoll with time", WSAPoll(None, 1, 5000))


def more_entries_than_there_are(see: Recorder) -> None:
    see("WSAPoll", WSAPoll(_array((udp(), POLLIN)), 2, 0))
    see("WSAPoll by far", WSAPoll(_array((udp(), POLLIN)), 0xFFFFFFFF, 0))


def events_that_cannot_be_requested(see: Recorder) -> None:
    for name, events in (("POLLPRI", POLLPRI), ("POLLWRBAND", POLLWRBAND), ("POLLERR", POLLERR), ("POLLHUP", POLLHUP)):
        see(f"WSAPoll {name}", WSAPoll(_array((udp(), events)), 1, 0))
    see("WSAPoll POLLNVAL with other events", WSAPoll(_array((udp(), POLLNVAL | POLLRDNORM)), 1, 0))


def a_bad_handle_next_to_a_good_one(see: Recorder) -> None:
    fds = _array((INVALID_SOCKET, POLLRDNORM), (udp(), POLLWRNORM))
    see("WSAPoll", WSAPoll(fds, 2, 0), fds)


def a_closed_socket_next_to_a_quiet_one(see: Recorder) -> None:
    quiet, gone = bound_udp(), tcp()
    closesocket(gone)
    fds = _array((quiet, POLLRDNORM), (gone, POLLRDNORM))
    see("WSAPoll", WSAPoll(fds, 2, 20), fds)


def only_bad_handles(see: Recorder) -> None:
    gone = tcp()
    closesocket(gone)
    fds = _array((INVALID_SOCKET, POLLRDNORM), (gone, POLLRDNORM), (0, POLLWRNORM))
    see("WSAPoll", WSAPoll(fds, 3, 5000), fds)


def events_of_bad_handles_do_not_matter(see: Recorder) -> None:
    fds = _array((INVALID_SOCKET, POLLPRI))
    see("WSAPoll", WSAPoll(fds, 1, 0), fds)


def poll_without_requested_events(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"x", 1, 0)
    wait_readable(server)
    see("WSAPoll with data", polled(server, 0))
    ended(client)
    pause(30)
    see("WSAPoll with the end", polled(server, 0))


def poll_shows_the_end(see: Recorder) -> None:
    client, server = tcp_pair()
    ended(client)
    wait_readable(server)
    see("WSAPoll", polled(server, _ALL))
    see("WSAPoll for reading", polled(server, POLLRDNORM))
    see("WSAPoll of the other side", polled(client, _ALL))


def poll_reports_the_end_after_data(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"x", 1, 0)
    ended(client)
    wait_readable(server)
    pause(30)
    see("WSAPoll", polled(server, _ALL))
    see("recv", recv(server, bytearray(1), 1, 0))
    see("WSAPoll afterwards", polled(server, _ALL))


def poll_after_a_close(see: Recorder) -> None:
    client, server = tcp_pair()
    closesocket(client)
    wait_readable(server)
    see("WSAPoll", polled(server, _ALL))
    see("recv", recv(server, bytearray(1), 1, 0))
    see("WSAPoll afterwards", polled(server, _ALL))


def poll_shows_a_reset(see: Recorder) -> None:
    client, server = tcp_pair()
    reset(client)
    wait_readable(server)
    see("WSAPoll", polled(server, _ALL))
    see("WSAPoll with nothing asked", polled(server, 0))
    see("recv", recv(server, bytearray(1), 1, 0))
    see("WSAPoll afterwards", polled(server, _ALL))


def poll_shows_a_refusal(see: Recorder) -> None:
    s = nonblocking(tcp())
    see("connect", connect(s, inet(closed_port()), IN))
    fds = _array((s, POLLWRNORM))
    see("WSAPoll", WSAPoll(fds, 1, 5000), fds)
    see("WSAPoll again", polled(s, _ALL))
    see("WSAPoll with nothing asked", polled(s, 0))


def poll_after_a_blocking_refusal(see: Recorder) -> None:
    s = tcp()
    see("connect", connect(s, inet(closed_port()), IN))
    see("WSAPoll", polled(s, _ALL))


def poll_shows_a_success(see: Recorder) -> None:
    queue, s = listener(), nonblocking(tcp())
    see("connect", connect(s, name_of(queue), IN))
    fds = _array((s, _ALL))
    see("WSAPoll", WSAPoll(fds, 1, 5000), fds)


def poll_after_receiving_was_ended(see: Recorder) -> None:
    client, server = tcp_pair()
    shutdown(server, SD_RECEIVE)
    see("WSAPoll", polled(server, _ALL))
    send(client, b"x", 1, 0)
    pause(30)
    see("WSAPoll with data", polled(server, _ALL))


def poll_waits_for_another_thread(see: Recorder) -> None:
    client, server = tcp_pair()
    late = threading.Timer(0.05, lambda: send(client, b"x", 1, 0))
    late.start()
    fds = _array((server, POLLRDNORM))
    see("WSAPoll", WSAPoll(fds, 1, 5000), fds)
    late.join()


def a_negative_time_is_no_limit(see: Recorder) -> None:
    client, server = tcp_pair()
    late = threading.Timer(0.05, lambda: send(client, b"x", 1, 0))
    late.start()
    fds = _array((server, POLLRDNORM))
    see("WSAPoll", WSAPoll(fds, 1, -1), fds)
    late.join()


def poll_of_more_than_sixty_four(see: Recorder) -> None:
    fds = _array(*[(udp(), POLLWRNORM) for _ in range(100)])
    see("WSAPoll", WSAPoll(fds, 100, 0), fds[99])


def a_byte_array_of_entries(see: Recorder) -> None:
    raw = bytearray(WSAPOLLFD(udp(), POLLWRNORM))
    see("WSAPoll", WSAPoll(raw, 1, 0), WSAPOLLFD.from_buffer_copy(raw))
