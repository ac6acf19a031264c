"""Datagrams: binding by sending, default peers, sizes, closed ports, and shutdown."""

from __future__ import annotations

from ctypes import c_int
from functools import partial

from tests.conformance.kit import (
    ANY,
    IN,
    IN6,
    bound,
    bound6,
    bound_udp,
    closed_udp_port,
    done,
    inet,
    inet6,
    look,
    name6_of,
    name_of,
    nonblocking,
    port_of,
    switch,
    udp,
    udp_pair,
    wait_readable,
)
from tests.conformance.recorder import Json
from winsock import (
    AF_INET6,
    AF_UNSPEC,
    FIONREAD,
    INADDR_ANY,
    MSG_OOB,
    MSG_PEEK,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SIO_UDP_CONNRESET,
    SO_EXCLUSIVEADDRUSE,
    SO_MAX_MSG_SIZE,
    SO_RCVTIMEO,
    SO_REUSEADDR,
    SOL_SOCKET,
    bind,
    connect,
    getpeername,
    getsockname,
    inet_ntoa,
    ioctlsocket,
    recv,
    recvfrom,
    send,
    sendto,
    setsockopt,
    shutdown,
    sockaddr_in,
    u_long,
)

from ..facts import DOCUMENTED, SOURCE, TESTED, Topic, answer
from ..situations import datagram, option_value, received, received_in_time
from ..sources import dotnet, libuv, mio, page, rust, socket2, topic_page, wine

topic = Topic("datagrams")

CONNECT_UDP = wine("test_connect_udp")
UDP = wine("test_UDP")
SHUTDOWN = wine("test_shutdown")


def _sent(s: int, target: int, data: bytes = b"data") -> Json:
    return answer("sendto", sendto(s, data, len(data), 0, name_of(target), IN))


def _unreachable(s: int) -> int:
    """Sends to a closed port, and waits until the socket knows that."""
    assert sendto(s, b"x", 1, 0, inet(closed_udp_port()), IN) == 1
    return s


@topic.fact("recv", "before bind", windows=["WSAEINVAL"], source=CONNECT_UDP, certainty=TESTED, wine="it waits")
def recv_on_an_unbound_datagram_socket_fails() -> Json:
    return received(nonblocking(udp()))


@topic.fact(
    "recvfrom",
    "before bind, on a blocking socket",
    windows=["WSAEINVAL"],
    source=page("recvfrom", "errors: the socket has not been bound"),
    certainty=DOCUMENTED,
    wine="it waits",
)
def recvfrom_on_an_unbound_datagram_socket_does_not_wait() -> Json:
    return datagram(udp())[0]


@topic.fact("recv", "nonblocking, after bind", windows=["WSAEWOULDBLOCK"], source=CONNECT_UDP, certainty=TESTED)
def recv_on_a_bound_datagram_socket_finds_nothing() -> Json:
    return received(nonblocking(bound_udp()))


@topic.fact("send", "without a default peer", windows=["WSAENOTCONN"], source=CONNECT_UDP, certainty=TESTED)
def send_needs_a_default_peer() -> Json:
    return answer("send", send(udp(), b"data", 4, 0))


@topic.fact(
    "send",
    "without a default peer, bound, after a datagram was received",
    windows=["WSAENOTCONN"],
    source=CONNECT_UDP,
    certainty=TESTED,
)
def receiving_gives_no_default_peer() -> Json:
    s, other = bound_udp(), bound_udp()
    _sent(other, s)
    received_in_time(s)
    return answer("send", send(s, b"data", 4, 0))


@topic.fact(
    "getpeername",
    "after connect, of both sockets",
    windows=[[True, "WSAENOTCONN"]],
    source=CONNECT_UDP,
    certainty=TESTED,
)
def connecting_names_the_peer_on_one_side() -> Json:
    s, other, name = udp(), bound_udp(), sockaddr_in()
    done(connect(s, name_of(other), IN))
    done(getpeername(s, name, c_int(IN)))
    return [bytes(name) == bytes(name_of(other)), answer("getpeername", getpeername(other, name, c_int(IN)))]


@topic.fact(
    "connect",
    "again, to the same and to another peer",
    windows=[[0, 0, True]],
    source=CONNECT_UDP,
    certainty=TESTED,
)
def a_datagram_socket_can_connect_again() -> Json:
    s, first, second, name = udp(), bound_udp(), bound_udp(), sockaddr_in()
    done(connect(s, name_of(first), IN))
    results = [answer("connect", connect(s, name_of(target), IN)) for target in (first, second)]
    done(getpeername(s, name, c_int(IN)))
    return [*results, bytes(name) == bytes(name_of(second))]


@topic.fact(
    "connect",
    "to an address of family AF_UNSPEC",
    windows=[[0, "WSAENOTCONN", "WSAENOTCONN"]],
    source=CONNECT_UDP,
    certainty=TESTED,
)
def af_unspec_removes_the_default_peer() -> Json:
    s = udp()
    done(connect(s, name_of(bound_udp()), IN))
    result = answer("connect", connect(s, sockaddr_in(AF_UNSPEC), IN))
    lost = answer("getpeername", getpeername(s, sockaddr_in(), c_int(IN)))
    return [result, lost, answer("send", send(s, b"data", 4, 0))]


@topic.fact(
    "connect",
    "to an address of zeros",
    windows=[[0, "WSAENOTCONN", 4]],
    source=page("connect", "an address filled with zeros disconnects; sendto can still be used"),
    certainty=DOCUMENTED,
    wine="it connects to 0.0.0.0, which is this machine",
)
def an_address_of_zeros_removes_the_default_peer() -> Json:
    s, other = udp(), bound_udp()
    done(connect(s, name_of(other), IN))
    result = answer("connect", connect(s, inet(0, INADDR_ANY), IN))
    return [result, answer("send", send(s, b"data", 4, 0)), _sent(s, other)]


@topic.fact(
    "connect",
    "to 0.0.0.0 with a port",
    windows=["WSAEADDRNOTAVAIL"],
    source=libuv("test-udp-connect.c", "udp_connect"),
    certainty=TESTED,
    wine="it connects to this machine",
)
def the_wildcard_is_no_default_peer() -> Json:
    return answer("connect", connect(udp(), inet(port_of(bound_udp()), ANY), IN))


@topic.fact(
    "sendto",
    "to a third socket, on a connected socket",
    windows=[[4, "data"]],
    source=mio("udp_socket.rs", "connected_udp_socket_unconnected_methods: Windows allows it"),
    certainty=SOURCE,
)
def a_connected_socket_can_send_elsewhere() -> Json:
    s, _ = udp_pair()
    third = bound_udp()
    return [_sent(s, third), received_in_time(third)]


@topic.fact(
    "recv",
    "on a connected socket, after datagrams from another socket and from the peer",
    windows=["peer"],
    source=mio("udp_socket.rs", "reconnect_udp_socket_receiving"),
    certainty=TESTED,
)
def a_connected_socket_receives_only_from_its_peer() -> Json:
    s, peer = udp_pair()
    _sent(bound_udp(), s, b"other")
    send(peer, b"peer", 4, 0)
    return received_in_time(s)


@topic.fact(
    "send",
    "after connect to another socket",
    windows=[["first", "second"]],
    source=mio("udp_socket.rs", "reconnect_udp_socket_sending"),
    certainty=TESTED,
)
def send_goes_to_the_latest_peer() -> Json:
    s, first, second = bound_udp(), bound_udp(), bound_udp()
    done(connect(s, name_of(first), IN))
    send(s, b"first", 5, 0)
    done(connect(s, name_of(second), IN))
    send(s, b"second", 6, 0)
    return [received_in_time(first), received_in_time(second)]


@topic.fact(
    "send",
    "on a socket that is connected to itself",
    windows=["hello world"],
    source=rust("udp/tests.rs", "connect_send_recv"),
    certainty=TESTED,
)
def a_datagram_socket_can_be_its_own_peer() -> Json:
    s = bound_udp()
    done(connect(s, name_of(s), IN))
    send(s, b"hello world", 11, 0)
    return received_in_time(s)


@topic.fact(
    "recvfrom",
    "with MSG_PEEK, three times, then without",
    windows=[["hello", "hello", "hello", "hello", "WSAEWOULDBLOCK"]],
    source=rust("udp/tests.rs", "peek_from"),
    certainty=TESTED,
)
def peeking_leaves_the_datagram() -> Json:
    s = nonblocking(bound_udp())
    _sent(s, s, b"hello")
    wait_readable(s)
    return [datagram(s, flags=flags)[0] for flags in (MSG_PEEK, MSG_PEEK, MSG_PEEK, 0, 0)]


@topic.fact(
    "recvfrom",
    "of a datagram without data",
    windows=[["r", "", True]],
    source=mio("udp_socket.rs", "empty_datagram"),
    certainty=TESTED,
)
def an_empty_datagram_arrives_with_its_sender() -> Json:
    s, other = bound_udp(), bound_udp()
    _sent(other, s, b"")
    shown = look(wait_readable(s)).replace("w", "")
    text, sender = datagram(s)
    return [shown, text, sender.sin_port == name_of(other).sin_port]


@topic.fact(
    "recv",
    "of a datagram longer than the buffer, then again",
    windows=[[["WSAEMSGSIZE", "0123"], "WSAEWOULDBLOCK"]],
    source=page("recv", "the buffer is filled, the call fails, and the excess data is lost"),
    certainty=DOCUMENTED,
)
def the_end_of_a_long_datagram_is_lost() -> Json:
    s, buffer = nonblocking(bound_udp()), bytearray(4)
    _sent(s, s, b"0123456789")
    return [answer("recv", recv(wait_readable(s), buffer, 4, 0), buffer), received(s)]


@topic.fact(
    "recvfrom",
    "of a datagram longer than the buffer, over IPv6",
    windows=[["WSAEMSGSIZE", "do not feed", True]],
    source=socket2("tests/socket.rs", "recv_from_vectored_truncated; src/sys/windows.rs names the error"),
    certainty=TESTED,
)
def a_long_datagram_still_names_its_sender() -> Json:
    s, other = bound6(udp(AF_INET6)), bound6(udp(AF_INET6))
    assert sendto(other, b"do not feed the gremlins", 24, 0, name6_of(s), IN6) == 24
    buffer, sender = bytearray(11), inet6()
    result = recvfrom(wait_readable(s), buffer, 11, 0, sender, c_int(IN6))
    error = answer("recvfrom", result)
    return [error, buffer.decode("ascii"), sender.sin6_port == name6_of(other).sin6_port]


@topic.fact(
    "recvfrom",
    "with MSG_PEEK and a length of 0, then with room",
    windows=[["WSAEMSGSIZE", True, "hello"]],
    source=socket2("src/sys/windows.rs", "peek_sender; tests/socket.rs tests it with udp_peek_sender"),
    certainty=TESTED,
)
def peeking_without_a_buffer_shows_the_sender() -> Json:
    s, other = bound_udp(), bound_udp()
    _sent(other, s, b"hello")
    error, sender = datagram(wait_readable(s), 0, MSG_PEEK)
    return [error, sender.sin_port == name_of(other).sin_port, received(s)]


@topic.fact(
    "recvfrom",
    "with an address length of 1, then of 16",
    windows=[["WSAEFAULT", True, "data"]],
    source=UDP,
    certainty=TESTED,
    wine="it succeeds and writes nothing",
)
def a_short_address_length_leaves_the_datagram() -> Json:
    s, sender = bound_udp(), sockaddr_in(0xFEFE)
    _sent(s, s)
    error = answer("recvfrom", recvfrom(wait_readable(s), bytearray(4), 4, 0, sender, c_int(1)))
    return [error, sender.sin_family == 0xFEFE, received_in_time(s)]


@topic.fact("recvfrom", "with an address length of 1,024", windows=[[4, 16, True]], source=UDP, certainty=TESTED)
def a_long_address_length_is_corrected() -> Json:
    s, address, length = bound_udp(), bytearray(b"B" * 1024), c_int(1024)
    _sent(s, s)
    result = answer("recvfrom", recvfrom(wait_readable(s), bytearray(4), 4, 0, address, length))
    return [result, length.value, address[16:] == b"B" * 1008]


@topic.fact(
    "sendto",
    "before bind: the name of the socket, before and after",
    windows=[["WSAEINVAL", "0.0.0.0", True]],
    source=page("sendto", "an unbound socket is bound to the wildcard address and a port"),
    certainty=DOCUMENTED,
)
def sendto_binds_the_socket() -> Json:
    s = udp()
    before = answer("getsockname", getsockname(s, sockaddr_in(), c_int(IN)))
    _sent(s, bound_udp())
    return [before, inet_ntoa(name_of(s).sin_addr), port_of(s) > 0]


@topic.fact(
    "sendto",
    "to 255.255.255.255 without SO_BROADCAST: the error, and the name of the socket",
    windows=[["WSAEACCES", "WSAEINVAL"]],
    source=dotnet("SendTo.cs", "Datagram_UDP_AccessDenied_Throws_DoesNotBind"),
    certainty=TESTED,
    wine="the socket is bound",
)
def a_refused_broadcast_does_not_bind() -> Json:
    s = udp()
    error = answer("sendto", sendto(s, b"data", 4, 0, inet(1234, 0xFFFFFFFF), IN))
    return [error, answer("getsockname", getsockname(s, sockaddr_in(), c_int(IN)))]


@topic.fact("sendto", "to port 0 of 127.0.0.1", windows=[4], source=UDP, certainty=TESTED)
def port_0_can_be_sent_to() -> Json:
    return answer("sendto", sendto(udp(), b"data", 4, 0, inet(0), IN))


@topic.fact("sendto", "to port 0 of ::1", windows=[4], source=UDP, certainty=TESTED)
def port_0_can_be_sent_to_over_ipv6() -> Json:
    return answer("sendto", sendto(udp(AF_INET6), b"data", 4, 0, inet6(0), IN6))


@topic.fact("send", "ten times to a closed port", windows=[[4] * 10], source=UDP, certainty=TESTED)
def send_to_a_closed_port_succeeds_each_time() -> Json:
    s = udp()
    done(connect(s, inet(closed_udp_port()), IN))
    return [answer("send", send(s, b"data", 4, 0)) for _ in range(10)]


@topic.fact(
    "recvfrom",
    "after a datagram was sent to a closed port, and again",
    windows=[["WSAECONNRESET", "WSAEWOULDBLOCK"]],
    source=page("recvfrom", "errors: a previous send resulted in an ICMP Port Unreachable message"),
    certainty=DOCUMENTED,
    wine="it reports nothing",
)
def a_closed_port_is_reported_once() -> Json:
    s = _unreachable(nonblocking(bound_udp()))
    return [datagram(wait_readable(s))[0], datagram(s)[0]]


@topic.fact(
    "recv",
    "after a datagram to a closed port and one from elsewhere",
    windows=[["WSAECONNRESET", "data"]],
    source=page("recv", "errors: a previous send resulted in an ICMP Port Unreachable message"),
    certainty=DOCUMENTED,
    wine="it reports nothing",
)
def a_closed_port_does_not_cost_a_datagram() -> Json:
    s = _unreachable(bound_udp())
    wait_readable(s)
    _sent(s, s)
    return [received(s), received_in_time(s)]


@topic.fact(
    "ioctlsocket",
    "SIO_UDP_CONNRESET with 0, then a datagram to a closed port and one to the socket itself",
    windows=[[0, "data"]],
    source=topic_page("winsock-ioctls", "SIO_UDP_CONNRESET: FALSE disables the report of unreachable ports"),
    certainty=DOCUMENTED,
)
def reports_of_closed_ports_can_be_turned_off() -> Json:
    s = bound_udp()
    result = answer("ioctlsocket", ioctlsocket(s, SIO_UDP_CONNRESET, u_long(0)))
    _sent(_unreachable(s), s)
    return [result, received_in_time(s)]


@topic.fact(
    "ioctlsocket",
    "FIONREAD with datagrams of 3 and 5 bytes waiting",
    windows=[8],
    source=topic_page("winsock-ioctls", "FIONREAD: the total number of bytes, not the size of the first datagram"),
    certainty=DOCUMENTED,
    wine="the kernel counts the first datagram",
    compat="the kernel counts the first datagram",
)
def fionread_counts_all_datagrams() -> Json:
    s, value = bound_udp(), u_long(99)
    _sent(s, s, b"one")
    _sent(s, s, b"three")
    done(ioctlsocket(wait_readable(s), FIONREAD, value))
    return int(value.value)


@topic.fact(
    "sendto",
    "65,536 bytes",
    windows=["WSAEMSGSIZE"],
    source=libuv("test-udp-dgram-too-big.c", "udp_dgram_too_big"),
    certainty=TESTED,
)
def a_datagram_larger_than_udp_allows_is_refused() -> Json:
    return answer("sendto", sendto(udp(), bytes(65536), 65536, 0, name_of(bound_udp()), IN))


@topic.fact(
    "sendto",
    "as many bytes as SO_MAX_MSG_SIZE says, if not more than IPv4 allows",
    windows=[True],
    source=page("sendto", "SO_MAX_MSG_SIZE is the maximum size of a message"),
    certainty=DOCUMENTED,
)
def a_datagram_of_the_largest_size_is_sent() -> Json:
    s = bound_udp()
    size = min(int(str(option_value(s, SOL_SOCKET, SO_MAX_MSG_SIZE))), 65507)
    return sendto(s, bytes(size), size, 0, name_of(s), IN) == size == recv(wait_readable(s), bytearray(size), size, 0)


@topic.fact(
    "recv",
    "twice, of two datagrams",
    windows=[["one", "two"]],
    source=page("recv", "data is extracted from the first datagram"),
    certainty=DOCUMENTED,
)
def each_recv_returns_one_datagram() -> Json:
    s = bound_udp()
    _sent(s, s, b"one")
    _sent(s, s, b"two")
    return [received_in_time(s), received_in_time(s)]


@topic.fact(
    "recvfrom",
    "with SO_RCVTIMEO 100, while nothing arrives, three times",
    windows=[["WSAETIMEDOUT"] * 3],
    source=dotnet("SendReceive/SendReceiveMisc.cs", "ReceiveFrom_MultipleRounds_Success"),
    certainty=TESTED,
)
def a_datagram_receive_times_out_each_time() -> Json:
    s = switch(bound_udp(), SOL_SOCKET, SO_RCVTIMEO, 100)
    return [datagram(s)[0] for _ in range(3)]


@topic.fact(
    "send",
    "with MSG_OOB",
    windows=["WSAEOPNOTSUPP"],
    source=page("send", "errors: the socket is not stream-style"),
    certainty=DOCUMENTED,
)
def datagrams_cannot_be_urgent() -> Json:
    s, _ = udp_pair()
    return answer("send", send(s, b"!", 1, MSG_OOB))


@topic.fact(
    "recv",
    "with MSG_OOB, while a datagram waits",
    windows=["WSAEOPNOTSUPP"],
    source=page("recv", "errors: the socket is not stream-style"),
    certainty=DOCUMENTED,
    wine="the flag is ignored",
)
def datagrams_have_no_urgent_data() -> Json:
    s, peer = udp_pair()
    send(peer, b"data", 4, 0)
    return received_in_time(s, flags=MSG_OOB)


@topic.fact(
    "shutdown",
    "SD_RECEIVE on a bound socket, then recvfrom; another socket sends to it",
    windows=[[0, "WSAESHUTDOWN", 4]],
    source=SHUTDOWN,
    certainty=TESTED,
)
def receiving_datagrams_can_be_shut_down() -> Json:
    s = nonblocking(bound_udp())
    result = answer("shutdown", shutdown(s, SD_RECEIVE))
    return [result, datagram(s)[0], _sent(udp(), s)]


@topic.fact(
    "recvfrom",
    "after shutdown with SD_BOTH, on a blocking socket",
    windows=["WSAESHUTDOWN"],
    source=dotnet("ReceiveFrom.cs", "ShutdownReceiveBeforeOperation_ThrowsSocketException"),
    certainty=TESTED,
)
def a_datagram_receive_does_not_wait_after_sd_both() -> Json:
    s = bound(udp(), 0, ANY)
    done(shutdown(s, SD_BOTH))
    return datagram(s)[0]


@topic.fact(
    "shutdown", "SD_SEND twice, then sendto", windows=[[0, 0, "WSAESHUTDOWN"]], source=SHUTDOWN, certainty=TESTED
)
def sending_datagrams_can_be_shut_down() -> Json:
    s, other = udp(), bound_udp()
    _sent(s, other)
    return [answer("shutdown", shutdown(s, SD_SEND)), answer("shutdown", shutdown(s, SD_SEND)), _sent(s, other)]


@topic.fact(
    "recvfrom",
    "after shutdown with SD_SEND",
    windows=["data"],
    source=dotnet("ReceiveFrom.cs", "ShutdownSend_ReceiveFromShouldSucceed"),
    certainty=TESTED,
)
def a_datagram_socket_receives_after_sd_send() -> Json:
    s = bound_udp()
    done(shutdown(s, SD_SEND))
    _sent(bound_udp(), s)
    return datagram(wait_readable(s))[0]


@topic.fact(
    "bind",
    "to a port of another socket",
    windows=["WSAEADDRINUSE"],
    source=libuv("test-udp-bind.c", "udp_bind"),
    certainty=TESTED,
)
def a_udp_port_has_one_socket() -> Json:
    first = bound(udp(), 0, ANY)
    return answer("bind", bind(udp(), name_of(first), IN))


# Whether a second socket can bind the address of the first, by SO_EXCLUSIVEADDRUSE and SO_REUSEADDR of the first and
# SO_REUSEADDR of the second; None: the option is not set.
_SHARING = {
    (None, None, None): False,
    (None, None, 0): False,
    (None, 0, 0): False,
    (None, 1, 0): False,
    (None, 1, 1): True,
    (1, None, None): False,
    (1, None, 0): False,
    (1, None, 1): False,
    (1, 0, None): False,
    (1, 0, 0): False,
    (1, 0, 1): False,
    (0, None, None): False,
    (0, None, 0): False,
    (0, 0, None): False,
    (0, 0, 0): False,
    (0, 1, None): False,
    (0, 1, 0): False,
    (0, 1, 1): True,
}


def _shared(exclusive: int | None, first: int | None, second: int | None) -> Json:
    one, other = udp(), udp()
    for s, name, value in (
        (one, SO_EXCLUSIVEADDRUSE, exclusive),
        (one, SO_REUSEADDR, first),
        (other, SO_REUSEADDR, second),
    ):
        if value is not None:
            done(setsockopt(s, SOL_SOCKET, name, c_int(value), 4))
    return answer("bind", bind(other, name_of(bound(one)), IN))


def _add_sharing() -> None:
    words = {None: "unset", 0: "off", 1: "on"}
    for (exclusive, first, second), shared in _SHARING.items():
        kinds = words[exclusive], words[first], words[second]
        topic.add(
            f"udp_sharing_exclusive_{kinds[0]}_reuse_{kinds[1]}_and_{kinds[2]}",
            "bind",
            f"to the address of another socket: SO_EXCLUSIVEADDRUSE {kinds[0]} and SO_REUSEADDR {kinds[1]} there,"
            f" SO_REUSEADDR {kinds[2]} here",
            [0] if shared else ["WSAEADDRINUSE", "WSAEACCES"],
            dotnet("SocketOptionNameTest.cs", "ReuseAddress and ReuseAddress_Windows; any error counts"),
            TESTED,
            partial(_shared, exclusive, first, second),
        )


_add_sharing()
