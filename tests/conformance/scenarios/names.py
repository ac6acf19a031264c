"""getsockname and getpeername in every state, and their lengths."""

from __future__ import annotations

from ctypes import c_char, c_int, c_int64

from winsock import (
    AF_INET6,
    INADDR_ANY,
    SD_BOTH,
    closesocket,
    connect,
    gethostname,
    getpeername,
    getsockname,
    listen,
    ntohs,
    recv,
    shutdown,
    sockaddr_in,
    sockaddr_in6,
)

from ..kit import (
    IN,
    IN6,
    bound,
    bound6,
    bound_udp,
    closed_port,
    done,
    inet,
    name6_of,
    name_of,
    port_of,
    reset,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
)
from ..recorder import Recorder


def no_peer(see: Recorder) -> None:
    name, length = bytearray(b"." * IN), c_int(IN)
    see("getpeername fresh", getpeername(tcp(), name, length), name, length)
    see("getpeername bound", getpeername(bound(tcp()), name, length))
    see("getpeername datagrams", getpeername(udp(), name, length))
    see("getpeername bound datagrams", getpeername(bound_udp(), name, length), name)


def no_peer_comes_before_bad_arguments(see: Recorder) -> None:
    see("getpeername NULL", getpeername(tcp(), None, None))
    see("getpeername short", getpeername(tcp(), bytearray(4), c_int(4)))
    see("getpeername NULL datagrams", getpeername(bound_udp(), None, None))


def names_of_a_connection(see: Recorder) -> None:
    client, server = tcp_pair()
    see.know_port(client=port_of(client), server=port_of(server))
    name = sockaddr_in()
    see("getsockname client", getsockname(client, name, c_int(IN)), name)
    see("getpeername client", getpeername(client, name, c_int(IN)), name)
    see("getsockname server", getsockname(server, name, c_int(IN)), name)
    see("getpeername server", getpeername(server, name, c_int(IN)), name)


def names_of_an_ipv6_connection(see: Recorder) -> None:
    queue, client = bound6(tcp(AF_INET6)), tcp(AF_INET6)
    see.know_port(queue=ntohs(name6_of(queue).sin6_port))
    done(listen(queue, 1))
    done(connect(client, name6_of(queue), IN6))
    name, length = sockaddr_in6(), c_int(128)
    see("getpeername short buffer", getpeername(client, name, length), length)
    length.value = IN6
    see("getpeername", getpeername(client, name, length), name, length)
    see("getsockname", getsockname(client, name, length), name, length)


def a_short_length(see: Recorder) -> None:
    client, _ = tcp_pair()
    for size in (0, 2, IN - 1):
        name, length = bytearray(b"." * IN), c_int(size)
        see(f"getsockname {size}", getsockname(client, name, length), name, length)
        see(f"getpeername {size}", getpeername(client, name, length), name, length)


def a_long_length(see: Recorder) -> None:
    client, _ = tcp_pair()
    name, length = bytearray(b"." * 40), c_int(40)
    see("getsockname", getsockname(client, name, length), name[8:], length)
    name, length = bytearray(b"." * 40), c_int(40)
    see("getpeername", getpeername(client, name, length), name[8:], length)


def the_length_of_an_ipv4_address_for_ipv6(see: Recorder) -> None:
    name, length = bytearray(b"." * IN6), c_int(IN)
    see("getsockname", getsockname(bound6(udp(AF_INET6)), name, length), name, length)


def null_names(see: Recorder) -> None:
    client, _ = tcp_pair()
    length = c_int(IN)
    see("getsockname NULL", getsockname(client, None, length), length)
    see("getsockname without length", getsockname(client, bytearray(IN), None))
    see("getpeername NULL", getpeername(client, None, length), length)
    see("getpeername without length", getpeername(client, bytearray(IN), None))


def null_names_of_an_unbound_socket(see: Recorder) -> None:
    see("getsockname NULL", getsockname(tcp(), None, c_int(IN)))
    see("getsockname short", getsockname(tcp(), bytearray(IN), c_int(4)))


def a_wide_integer_as_length(see: Recorder) -> None:
    name, length = sockaddr_in(), c_int64(IN)
    see("getsockname", getsockname(bound_udp(), name, length), length)


def a_peer_that_closed_is_still_known(see: Recorder) -> None:
    client, server = tcp_pair()
    see.know_port(server=port_of(server))
    closesocket(server)
    name = sockaddr_in()
    see("getpeername", getpeername(wait_readable(client), name, c_int(IN)), name)
    see("recv", recv(client, bytearray(1), 1, 0))
    see("getpeername after the end", getpeername(client, name, c_int(IN)), name)
    shutdown(client, SD_BOTH)
    see("getpeername after shutdown", getpeername(client, name, c_int(IN)), name)


def names_after_a_reset(see: Recorder) -> None:
    client, server = tcp_pair()
    see.know_port(client=port_of(client))
    reset(server)
    see("recv", recv(wait_readable(client), bytearray(1), 1, 0))
    name = sockaddr_in()
    see("getsockname", getsockname(client, name, c_int(IN)), name)


def the_name_of_a_refused_socket(see: Recorder) -> None:
    s, name, length = tcp(), bytearray(b"." * IN), c_int(IN)
    see("connect", connect(s, inet(closed_port()), IN))
    see("getpeername", getpeername(s, name, length), name, length)


def a_datagram_sockets_name_follows_its_peer(see: Recorder) -> None:
    s = bound(udp(), 0, INADDR_ANY)
    see.know_port(own=port_of(s))
    see("getsockname", 0, name_of(s))
    see("connect", connect(s, name_of(bound_udp()), IN))
    see("getsockname connected", 0, name_of(s))


def a_byte_array_as_name(see: Recorder) -> None:
    s = bound_udp()
    see.know_port(own=port_of(s))
    name = bytearray(IN)
    see("getsockname", getsockname(s, name, c_int(IN)), sockaddr_in.from_buffer_copy(name))
    array = (c_char * IN)()
    see("getsockname array", getsockname(s, array, c_int(IN)), sockaddr_in.from_buffer_copy(array))


def the_name_of_this_host(see: Recorder) -> None:
    see.know_host_name()
    name = bytearray(b"." * 256)
    see("gethostname", gethostname(name, 256), bytes(name).partition(b"\0")[0])
    see("gethostname alone", name.count(0) >= 1, b"." in name)


def the_hosts_name_needs_room_for_its_nul(see: Recorder) -> None:
    name = bytearray(256)
    done(gethostname(name, 256))
    size = name.index(0)
    short = bytearray(b"." * (size + 1))
    see("gethostname", gethostname(short, size), set(short) == {ord(".")})
    see("gethostname just enough", gethostname(short, size + 1), short[size])


def no_room_for_the_hosts_name(see: Recorder) -> None:
    name = bytearray(b"....")
    see("gethostname 0", gethostname(name, 0), name)
    see("gethostname 1", gethostname(name, 1), name)
    see("gethostname NULL", gethostname(None, 256))
    see("gethostname NULL and 0", gethostname(None, 0))
