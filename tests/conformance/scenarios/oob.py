"""Out-of-band data: MSG_OOB, SO_OOBINLINE, SIOCATMARK, and the results of select and WSAPoll."""

from __future__ import annotations

from winsock import (
    FIONREAD,
    MSG_OOB,
    MSG_PEEK,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRNORM,
    SD_SEND,
    SIOCATMARK,
    SO_OOBINLINE,
    SOL_SOCKET,
    ioctlsocket,
    recv,
    send,
    sendto,
    shutdown,
    u_long,
)

from ..kit import (
    IN,
    done,
    look,
    name_of,
    nonblocking,
    polled,
    switch,
    tcp,
    tcp_pair,
    udp_pair,
    wait_except,
    wait_readable,
)
from ..recorder import Recorder


def _urgent(inline: bool = False) -> tuple[int, int]:
    """A pair whose second socket is nonblocking and has out-of-band data waiting."""
    client, server = tcp_pair()
    if inline:
        switch(server, SOL_SOCKET, SO_OOBINLINE)
    assert send(client, b"!", 1, MSG_OOB) == 1
    if inline:
        wait_readable(server)
    else:
        wait_except(server)
    return client, nonblocking(server)


def _mark(s: int) -> int:
    value = u_long(99)
    done(ioctlsocket(s, SIOCATMARK, value))
    return int(value.value)


def the_urgent_byte(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(client, b"!", 1, MSG_OOB))
    buffer = bytearray(b"....")
    see("recv", recv(wait_except(server), buffer, 4, MSG_OOB), buffer)


def the_last_byte_is_the_urgent_one(see: Recorder) -> None:
    client, server = tcp_pair()
    see("send", send(client, b"abc", 3, MSG_OOB))
    buffer = bytearray(b"....")
    see("recv urgent", recv(wait_except(server), buffer, 4, MSG_OOB), buffer)
    buffer = bytearray(b"....")
    see("recv", recv(wait_readable(server), buffer, 4, 0), buffer)


def the_urgent_byte_is_read_once(see: Recorder) -> None:
    _, server = _urgent()
    see("recv", recv(server, bytearray(1), 1, MSG_OOB))
    see("recv again", recv(server, bytearray(1), 1, MSG_OOB))


def no_urgent_byte(see: Recorder) -> None:
    client, server = tcp_pair()
    see("recv", recv(nonblocking(server), bytearray(1), 1, MSG_OOB))
    send(client, b"normal", 6, 0)
    see("recv with normal data waiting", recv(wait_readable(server), bytearray(1), 1, MSG_OOB))


def the_urgent_byte_can_be_peeked(see: Recorder) -> None:
    _, server = _urgent()
    buffer = bytearray(1)
    see("recv peeking", recv(server, buffer, 1, MSG_OOB | MSG_PEEK), buffer)
    see("recv", recv(server, buffer, 1, MSG_OOB), buffer)


def normal_data_passes_the_urgent_byte(see: Recorder) -> None:
    client, server = _urgent()
    see("recv", recv(server, bytearray(4), 4, 0))
    send(client, b"then", 4, 0)
    buffer = bytearray(4)
    see("recv after it", recv(wait_readable(server), buffer, 4, 0), buffer)


def normal_data_around_the_urgent_byte_is_whole(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"ab", 2, 0)
    send(client, b"!", 1, MSG_OOB)
    wait_except(server)
    send(client, b"cd", 2, 0)
    got, buffer = bytearray(), bytearray(6)
    while len(got) < 4:
        count = recv(wait_readable(server), buffer, 6, 0)
        got += buffer[:count]
    see("recv", len(got), got)


def an_urgent_byte_inline(see: Recorder) -> None:
    _, server = _urgent(inline=True)
    buffer = bytearray(b"....")
    see("recv urgent", recv(server, buffer, 4, MSG_OOB), buffer)
    see("recv", recv(server, buffer, 4, 0), buffer)


def select_shows_an_urgent_byte(see: Recorder) -> None:
    _, server = _urgent()
    see("select", look(server))
    see("recv", recv(server, bytearray(1), 1, MSG_OOB))
    see("select after it was read", look(server))


def select_shows_an_urgent_byte_inline(see: Recorder) -> None:
    _, server = _urgent(inline=True)
    see("select", look(server))


def poll_shows_an_urgent_byte(see: Recorder) -> None:
    _, server = _urgent()
    see("WSAPoll", polled(server, POLLRDBAND | POLLRDNORM | POLLWRNORM))
    see("WSAPoll unasked", polled(server, POLLWRNORM))
    see("recv", recv(server, bytearray(1), 1, MSG_OOB))
    see("WSAPoll after it was read", polled(server, POLLRDBAND | POLLRDNORM | POLLWRNORM))


def poll_shows_an_urgent_byte_inline(see: Recorder) -> None:
    _, server = _urgent(inline=True)
    see("WSAPoll", polled(server, POLLRDBAND | POLLRDNORM | POLLWRNORM))


def the_mark_while_an_urgent_byte_waits(see: Recorder) -> None:
    client, server = tcp_pair()
    see("ioctlsocket before", _mark(server))
    send(client, b"!", 1, MSG_OOB)
    see("ioctlsocket", _mark(wait_except(server)))
    see("recv", recv(server, bytearray(1), 1, MSG_OOB))
    see("ioctlsocket after it was read", _mark(server))


def the_mark_after_normal_data(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"ab", 2, 0)
    send(client, b"!", 1, MSG_OOB)
    see("ioctlsocket", _mark(wait_except(server)))
    see("recv", recv(wait_readable(server), bytearray(2), 2, 0))
    see("ioctlsocket at it", _mark(server))


def the_mark_without_urgent_data(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"ab", 2, 0)
    see("ioctlsocket", _mark(wait_readable(server)))
    see("ioctlsocket unconnected", _mark(tcp()))
    _, inline = _urgent(inline=True)
    see("ioctlsocket inline", _mark(inline))


def fionread_does_not_count_an_urgent_byte(see: Recorder) -> None:
    client, server = tcp_pair()
    send(client, b"abc", 3, 0)
    send(client, b"!", 1, MSG_OOB)
    waiting = u_long()
    see("ioctlsocket", ioctlsocket(wait_except(server), FIONREAD, waiting), waiting)
    _, inline = _urgent(inline=True)
    see("ioctlsocket inline", ioctlsocket(inline, FIONREAD, waiting), waiting)


def urgent_data_on_an_unconnected_stream(see: Recorder) -> None:
    s = nonblocking(tcp())
    see("send", send(s, b"!", 1, MSG_OOB))
    see("recv", recv(s, bytearray(1), 1, MSG_OOB))


def urgent_data_on_datagrams(see: Recorder) -> None:
    first, second = udp_pair()
    see("send", send(first, b"!", 1, MSG_OOB))
    see("sendto", sendto(first, b"!", 1, MSG_OOB, name_of(second), IN))
    send(first, b"normal", 6, 0)
    see("recv", recv(nonblocking(wait_readable(second)), bytearray(8), 8, MSG_OOB))


def urgent_data_after_the_end_was_sent(see: Recorder) -> None:
    client, _ = tcp_pair()
    shutdown(client, SD_SEND)
    see("send", send(client, b"!", 1, MSG_OOB))
