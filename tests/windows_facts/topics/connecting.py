"""Connecting: success, refusal, progress, listening, accepting, and the names of both ends."""

from __future__ import annotations

from ctypes import c_int

from tests.conformance.kit import (
    ANY,
    IN,
    LIMIT,
    bound,
    bound_udp,
    closed_port,
    done,
    inet,
    listener,
    look,
    name_of,
    nonblocking,
    port_of,
    tcp,
    tcp_pair,
    udp,
    wait_except,
    wait_readable,
    wait_writable,
)
from tests.conformance.recorder import Json
from winsock import (
    INVALID_SOCKET,
    SD_BOTH,
    SO_ERROR,
    SOL_SOCKET,
    SOMAXCONN,
    accept,
    bind,
    closesocket,
    connect,
    getpeername,
    getsockname,
    inet_ntoa,
    listen,
    recv,
    send,
    sendto,
    shutdown,
    sockaddr_in,
)

from ..facts import DOCUMENTED, TESTED, Topic, answer
from ..situations import connecting_socket, option_value, received, received_in_time
from ..sources import dotnet, libuv, page, reactos, wine

topic = Topic("connecting")

CONNECT = wine("test_connect")
CONNECTING = wine("test_connecting_socket")
ACCEPT = wine("test_accept")
SELECT = wine("test_select")
LISTEN = wine("test_listen")
GETPEERNAME = wine("test_getpeername")
GETSOCKNAME = wine("test_getsockname")


def _connect(s: int, target: int) -> Json:
    return answer("connect", connect(s, name_of(target), IN))


def _error(s: int) -> Json:
    return option_value(s, SOL_SOCKET, SO_ERROR)


def _refused(s: int) -> int:
    """A socket whose connect was refused."""
    assert connect(s, inet(closed_port()), IN) != 0
    return wait_except(s)


def _port(name: sockaddr_in) -> tuple[int, int]:
    return name.sin_addr.s_addr, name.sin_port


@topic.fact("connect", "on a listening socket", windows=["WSAEINVAL"], source=CONNECT, certainty=TESTED)
def a_listening_socket_cannot_connect() -> Json:
    return _connect(listener(), listener())


@topic.fact(
    "connect",
    "again, on the client and on the accepted socket",
    windows=[["WSAEISCONN", "WSAEISCONN"]],
    source=CONNECT,
    certainty=TESTED,
)
def a_connection_cannot_connect_again() -> Json:
    client, server = tcp_pair()
    return [_connect(client, listener()), _connect(server, listener())]


@topic.fact(
    "connect",
    "after shutdown of both directions",
    windows=["WSAEISCONN"],
    source=wine("test_shutdown"),
    certainty=TESTED,
)
def a_connection_that_was_shut_down_cannot_connect_again() -> Json:
    client, _ = tcp_pair()
    done(shutdown(client, SD_BOTH))
    return _connect(client, listener())


@topic.fact(
    "connect",
    "nonblocking, to a listener on this machine",
    windows=["WSAEWOULDBLOCK"],
    source=reactos("nonblocking.c", "nonblocking"),
    certainty=TESTED,
)
def a_nonblocking_connect_never_succeeds_at_once() -> Json:
    return _connect(nonblocking(tcp()), listener())


@topic.fact(
    "connect",
    "nonblocking, then select, SO_ERROR and connect again",
    windows=[["w", 0, "WSAEISCONN"]],
    source=page("connect", "success is reported in writefds; a further call fails with WSAEISCONN"),
    certainty=DOCUMENTED,
)
def a_nonblocking_connect_ends_in_writefds() -> Json:
    s, queue = nonblocking(tcp()), listener()
    _connect(s, queue)
    return [look(wait_writable(s)), _error(s), _connect(s, queue)]


@topic.fact(
    "connect",
    "again, to the same address, while connecting",
    windows=["WSAEALREADY"],
    source=CONNECTING,
    certainty=TESTED,
)
def a_second_connect_while_connecting_fails() -> Json:
    s, queue = connecting_socket()
    return _connect(s, queue)


@topic.fact("getsockname", "while connecting", windows=[True], source=CONNECTING, certainty=TESTED)
def a_connecting_socket_has_a_port() -> Json:
    s, _ = connecting_socket()
    return port_of(s) > 0


@topic.fact(
    "getpeername",
    "while connecting",
    windows=[[0, True]],
    source=CONNECTING,
    certainty=TESTED,
)
def a_connecting_socket_has_a_peer() -> Json:
    s, queue = connecting_socket()
    name = sockaddr_in()
    result = answer("getpeername", getpeername(s, name, c_int(IN)))
    return [result, _port(name) == _port(name_of(queue))]


@topic.fact(
    "recv",
    "and send, while connecting",
    windows=[["WSAENOTCONN", "WSAENOTCONN"]],
    source=CONNECTING,
    certainty=TESTED,
    wine="both fail with WSAEWOULDBLOCK",
)
def a_connecting_socket_transfers_no_data() -> Json:
    s, _ = connecting_socket()
    return [answer("recv", recv(s, bytearray(4), 4, 0)), answer("send", send(s, b"data", 4, 0))]


@topic.fact(
    "connect",
    "to a port without a listener",
    windows=["WSAECONNREFUSED"],
    source=wine("test_errors"),
    certainty=TESTED,
)
def a_port_without_a_listener_refuses() -> Json:
    return answer("connect", connect(tcp(), inet(closed_port()), IN))


@topic.fact(
    "connect",
    "from a bound socket to a port without a listener",
    windows=["WSAECONNREFUSED"],
    source=libuv("test-connection-fail.c", "connection_fail"),
    certainty=TESTED,
)
def a_bound_socket_is_refused_too() -> Json:
    return answer("connect", connect(bound(tcp(), 0, ANY), inet(closed_port()), IN))


@topic.fact(
    "select",
    "after a blocking connect that was refused",
    windows=["e"],
    source=SELECT,
    certainty=TESTED,
)
def a_refused_socket_is_in_exceptfds_only() -> Json:
    return look(_refused(tcp()))


@topic.fact(
    "getsockopt",
    "SO_ERROR, twice, after a blocking connect that was refused",
    windows=[[0, 0]],
    source=SELECT,
    certainty=TESTED,
    wine="it is WSAECONNREFUSED",
)
def a_blocking_connect_leaves_no_error() -> Json:
    s = _refused(tcp())
    return [_error(s), _error(s)]


@topic.fact(
    "getsockopt",
    "SO_ERROR, twice, after a nonblocking connect that was refused",
    windows=[[10061, 10061]],
    source=dotnet("SocketOptionNameTest.cs", "FailedConnect_GetSocketOption_SocketOptionNameError"),
    certainty=TESTED,
)
def reading_the_error_does_not_clear_it() -> Json:
    s = _refused(nonblocking(tcp()))
    return [_error(s), _error(s)]


@topic.fact(
    "select",
    "twice, with SO_ERROR read in between, after a nonblocking connect that was refused",
    windows=[["e", 10061, "e"]],
    source=SELECT,
    certainty=TESTED,
)
def reading_the_error_leaves_the_socket_in_exceptfds() -> Json:
    s = _refused(nonblocking(tcp()))
    return [look(s), _error(s), look(s)]


@topic.fact(
    "connect",
    "nonblocking, to a listener, after a blocking connect that was refused",
    windows=[["WSAEWOULDBLOCK", "data"]],
    source=CONNECT,
    certainty=TESTED,
)
def a_refused_socket_can_connect_again() -> Json:
    s, queue = _refused(tcp()), listener()
    result = _connect(nonblocking(s), queue)
    server = accept(queue, None, None)
    send(server, b"data", 4, 0)
    return [result, received_in_time(wait_writable(s))]


@topic.fact(
    "getsockopt",
    "SO_ERROR after a refused connect, a second refused connect, and one that succeeds",
    windows=[["WSAEWOULDBLOCK", 10061, "WSAEWOULDBLOCK", 0]],
    source=SELECT,
    certainty=TESTED,
)
def success_clears_the_error_of_an_earlier_connect() -> Json:
    s = _refused(nonblocking(tcp()))
    first = answer("connect", connect(s, inet(closed_port()), IN))
    error = _error(wait_except(s))
    second = _connect(s, listener())
    return [first, error, second, _error(wait_writable(s))]


@topic.fact(
    "listen",
    "on a bound socket, after a nonblocking connect that was refused",
    windows=[[0, 0, "a socket", 10061]],
    source=SELECT,
    certainty=TESTED,
    wine="listen fails",
)
def a_refused_socket_can_listen() -> Json:
    s = _refused(nonblocking(bound(tcp())))
    results = [answer("listen", listen(s, 1)), _connect(tcp(), s)]
    return [*results, answer("accept", accept(wait_readable(s), None, None)), _error(s)]


@topic.fact(
    "listen",
    "on a socket that is not bound, with a backlog of -2, 1 and SOMAXCONN",
    windows=[["WSAEINVAL"] * 3],
    source=LISTEN,
    certainty=TESTED,
)
def listening_needs_a_name() -> Json:
    s = tcp()
    return [answer("listen", listen(s, backlog)) for backlog in (-2, 1, SOMAXCONN)]


@topic.fact("listen", "after a bind that failed", windows=["WSAEINVAL"], source=LISTEN, certainty=TESTED)
def a_failed_bind_gives_no_name() -> Json:
    first, s = listener(), tcp()
    assert bind(s, name_of(first), IN) != 0
    return answer("listen", listen(s, SOMAXCONN))


@topic.fact("listen", "on a datagram socket", windows=["WSAEOPNOTSUPP"], source=LISTEN, certainty=TESTED)
def datagram_sockets_do_not_listen() -> Json:
    return answer("listen", listen(bound_udp(), 1))


@topic.fact("listen", "with handle 0", windows=["WSAENOTSOCK"], source=LISTEN, certainty=TESTED)
def listen_with_handle_0_names_the_handle() -> Json:
    return answer("listen", listen(0, 0))


@topic.fact(
    "listen",
    "on a connected socket",
    windows=["WSAEISCONN"],
    source=page("listen", "errors: the socket is already connected"),
    certainty=DOCUMENTED,
    wine="it fails with WSAEINVAL",
)
def a_connection_does_not_listen() -> Json:
    client, _ = tcp_pair()
    return answer("listen", listen(client, 1))


@topic.fact(
    "bind",
    "twice",
    windows=["WSAEINVAL"],
    source=libuv("test-tcp-bind-error.c", "tcp_bind_error_inval"),
    certainty=TESTED,
)
def a_socket_is_bound_once() -> Json:
    return answer("bind", bind(bound(tcp()), inet(), IN))


@topic.fact(
    "bind",
    "to the address of a bound socket",
    windows=["WSAEADDRINUSE"],
    source=wine("test_bind"),
    certainty=TESTED,
)
def an_address_has_one_socket() -> Json:
    return answer("bind", bind(tcp(), name_of(bound(tcp())), IN))


@topic.fact(
    "bind",
    "without a name, and with lengths of 0 and 15",
    windows=[["WSAEFAULT"] * 4],
    source=wine("test_bind"),
    certainty=TESTED,
)
def bind_needs_a_whole_name() -> Json:
    s = tcp()
    return [
        answer("bind", bind(s, name, length)) for name, length in ((None, 0), (None, IN), (inet(), 0), (inet(), 15))
    ]


@topic.fact(
    "getsockname",
    "before bind",
    windows=[["WSAEINVAL", True]],
    source=GETSOCKNAME,
    certainty=TESTED,
)
def an_unbound_socket_has_no_name() -> Json:
    name = sockaddr_in(0xFEFE)
    return [answer("getsockname", getsockname(tcp(), name, c_int(IN))), name.sin_family == 0xFEFE]


@topic.fact(
    "getsockname",
    "after bind to the wildcard address and port 0",
    windows=[["0.0.0.0", True, True]],
    source=GETSOCKNAME,
    certainty=TESTED,
)
def a_socket_bound_to_the_wildcard_keeps_it() -> Json:
    s, name = bound(tcp(), 0, ANY), sockaddr_in()
    name.sin_zero[:] = [1] * 8
    done(getsockname(s, name, c_int(IN)))
    return [inet_ntoa(name.sin_addr), name.sin_port != 0, not any(name.sin_zero)]


@topic.fact(
    "getsockname",
    "with a length of 15",
    windows=[["WSAEFAULT", 15]],
    source=GETSOCKNAME,
    certainty=TESTED,
)
def getsockname_needs_room() -> Json:
    length = c_int(15)
    return answer("getsockname", getsockname(bound(tcp()), sockaddr_in(), length), length)


@topic.fact(
    "getpeername",
    "of a listening socket",
    windows=["WSAENOTCONN"],
    source=libuv("test-getsockname.c", "getsockname_tcp"),
    certainty=TESTED,
)
def a_listening_socket_has_no_peer() -> Json:
    return answer("getpeername", getpeername(listener(), sockaddr_in(), c_int(IN)))


@topic.fact(
    "getpeername",
    "without arguments: INVALID_SOCKET, an unconnected socket, after sendto, after connect",
    windows=[["WSAENOTSOCK", "WSAENOTCONN", "WSAENOTCONN", "WSAEFAULT"]],
    source=GETPEERNAME,
    certainty=TESTED,
)
def getpeername_checks_the_connection_before_its_arguments() -> Json:
    s, other = udp(), bound_udp()
    seen = [answer("getpeername", getpeername(handle, None, None)) for handle in (INVALID_SOCKET, s)]
    assert sendto(s, b"x", 1, 0, name_of(other), IN) == 1
    seen.append(answer("getpeername", getpeername(s, None, None)))
    done(connect(s, name_of(other), IN))
    return [*seen, answer("getpeername", getpeername(s, None, None))]


@topic.fact(
    "getpeername",
    "with a length of 0, without and with a buffer",
    windows=[[["WSAEFAULT", 0], ["WSAEFAULT", 0]]],
    source=GETPEERNAME,
    certainty=TESTED,
)
def getpeername_needs_room() -> Json:
    s = udp()
    done(connect(s, name_of(bound_udp()), IN))
    lengths = c_int(0), c_int(0)
    return [
        answer("getpeername", getpeername(s, None, lengths[0]), lengths[0]),
        answer("getpeername", getpeername(s, sockaddr_in(), lengths[1]), lengths[1]),
    ]


@topic.fact(
    "getpeername",
    "with a length of 128",
    windows=[[0, 16, True]],
    source=GETPEERNAME,
    certainty=TESTED,
)
def getpeername_corrects_a_long_length() -> Json:
    s, other = udp(), bound_udp()
    done(connect(s, name_of(other), IN))
    name, length = bytearray(128), c_int(128)
    result = answer("getpeername", getpeername(s, name, length))
    return [result, length.value, bytes(name[:IN]) == bytes(name_of(other))]


@topic.fact(
    "accept",
    "with an address length of 0",
    windows=[["WSAEFAULT", 0]],
    source=ACCEPT,
    certainty=TESTED,
)
def accept_needs_room_for_the_address() -> Json:
    queue, length = listener(), c_int(0)
    done(connect(tcp(), name_of(queue), IN))
    return answer("accept", accept(wait_readable(queue), sockaddr_in(), length), length)


@topic.fact(
    "accept",
    "with an address but without its length",
    windows=[["a socket", True]],
    source=ACCEPT,
    certainty=TESTED,
)
def accept_without_a_length_leaves_the_address() -> Json:
    queue, name = listener(), sockaddr_in(0xFEFE)
    done(connect(tcp(), name_of(queue), IN))
    return [answer("accept", accept(queue, name, None)), name.sin_family == 0xFEFE]


@topic.fact(
    "accept",
    "with an address length of 128",
    windows=[["a socket", 16, True]],
    source=ACCEPT,
    certainty=TESTED,
)
def accept_corrects_a_long_length() -> Json:
    queue, client, name, length = listener(), tcp(), bytearray(128), c_int(128)
    done(connect(client, name_of(queue), IN))
    result = answer("accept", accept(queue, name, length))
    return [result, length.value, bytes(name[:IN]) == bytes(name_of(client))]


@topic.fact(
    "getpeername",
    "at both ends of a connection, compared with the names of the other end",
    windows=[[True, True]],
    source=dotnet("Accept.cs", "Accept_Success"),
    certainty=TESTED,
)
def both_ends_of_a_connection_agree() -> Json:
    client, server = tcp_pair()
    peer_of_client, peer_of_server = sockaddr_in(), sockaddr_in()
    done(getpeername(client, peer_of_client, c_int(IN)))
    done(getpeername(server, peer_of_server, c_int(IN)))
    return [_port(peer_of_client) == _port(name_of(server)), _port(peer_of_server) == _port(name_of(client))]


@topic.fact(
    "accept",
    "nonblocking, while nobody connects",
    windows=["WSAEWOULDBLOCK"],
    source=dotnet("SelectTest.cs", "Select_AcceptNonBlocking_Success"),
    certainty=TESTED,
)
def a_nonblocking_accept_finds_nobody() -> Json:
    return answer("accept", accept(nonblocking(listener()), None, None))


@topic.fact(
    "accept",
    "on a bound socket that does not listen",
    windows=["WSAEINVAL"],
    source=page("accept", "errors: listen was not invoked"),
    certainty=DOCUMENTED,
)
def accept_needs_a_listening_socket() -> Json:
    return answer("accept", accept(bound(tcp()), None, None))


@topic.fact(
    "accept",
    "on an accepted socket",
    windows=["WSAEINVAL"],
    source=page("accept", "the accepted socket cannot be used to accept more connections"),
    certainty=DOCUMENTED,
)
def an_accepted_socket_does_not_accept() -> Json:
    _, server = tcp_pair()
    return answer("accept", accept(server, None, None))


@topic.fact(
    "accept",
    "on a datagram socket",
    windows=["WSAEOPNOTSUPP"],
    source=page("accept", "errors: not a connection-oriented type"),
    certainty=DOCUMENTED,
)
def datagram_sockets_do_not_accept() -> Json:
    return answer("accept", accept(bound_udp(), None, None))


@topic.fact(
    "accept",
    "on a nonblocking listener, then recv on the accepted socket",
    windows=["WSAEWOULDBLOCK"],
    source=page("accept", "the new socket has the same properties as the listening one"),
    certainty=DOCUMENTED,
)
def an_accepted_socket_inherits_nonblocking_mode() -> Json:
    queue = nonblocking(listener())
    done(connect(tcp(), name_of(queue), IN))
    return received(accept(wait_readable(queue), None, None))


@topic.fact(
    "accept",
    "twice, of two clients",
    windows=[["first", "second"]],
    source=page("accept", "extracts the first connection on the queue"),
    certainty=DOCUMENTED,
)
def clients_are_accepted_in_order() -> Json:
    queue, seen = listener(), []
    for word in (b"first", b"second"):
        client = tcp()
        done(connect(client, name_of(queue), IN))
        send(client, word, len(word), 0)
    for _ in range(2):
        seen.append(received_in_time(accept(queue, None, None)))
    return seen


@topic.fact(
    "accept",
    "after the client has sent data and closed",
    windows=[["early", ""]],
    source=dotnet("Accept.cs", "AcceptReceive_Success"),
    certainty=TESTED,
)
def data_may_arrive_before_accept() -> Json:
    queue, client = listener(), tcp()
    done(connect(client, name_of(queue), IN))
    send(client, b"early", 5, 0)
    done(closesocket(client))
    server = accept(queue, None, None)
    return [received_in_time(server), received_in_time(server)]


@topic.fact(
    "connect",
    "blocking, before accept is called",
    windows=[[0, "w"]],
    source=wine("tcp_socketpair"),
    certainty=TESTED,
)
def connect_does_not_wait_for_accept() -> Json:
    s = tcp()
    return [_connect(s, listener()), look(s, LIMIT)]


@topic.fact(
    "connect",
    "without a name, and with a length of 15",
    windows=[["WSAEFAULT", "WSAEFAULT"]],
    source=page("connect", "errors: namelen is too small, or name is not valid memory"),
    certainty=DOCUMENTED,
    wine="a length that is too short is WSAEADDRNOTAVAIL",
)
def connect_needs_a_whole_name() -> Json:
    s = tcp()
    return [answer("connect", connect(s, None, IN)), answer("connect", connect(s, inet(9), 15))]


@topic.fact(
    "connect",
    "on an unbound socket, then getsockname",
    windows=[["127.0.0.1", True]],
    source=page("connect", "an unbound socket is bound to unique values"),
    certainty=DOCUMENTED,
)
def connect_binds_the_socket() -> Json:
    s = tcp()
    done(connect(s, name_of(listener()), IN))
    return [inet_ntoa(name_of(s).sin_addr), port_of(s) > 0]


@topic.fact(
    "bind",
    "after connect",
    windows=["WSAEINVAL"],
    source=page("bind", "errors: the socket is already bound to an address"),
    certainty=DOCUMENTED,
)
def a_connected_socket_cannot_be_bound() -> Json:
    client, _ = tcp_pair()
    return answer("bind", bind(client, inet(), IN))


@topic.fact("closesocket", "while connecting", windows=[[0, "WSAENOTSOCK"]], source=CONNECTING, certainty=TESTED)
def a_connecting_socket_can_be_closed() -> Json:
    s, _ = connecting_socket()
    return [answer("closesocket", closesocket(s)), answer("closesocket", closesocket(s))]
