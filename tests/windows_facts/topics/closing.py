"""Closing: shutdown, closesocket, SO_LINGER, resets, and WSACleanup."""

from __future__ import annotations

from ctypes import c_int, sizeof

from tests.conformance.kit import (
    IN,
    closed_port,
    done,
    full_pair,
    inet,
    listener,
    name_of,
    pause,
    reset,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
)
from tests.conformance.recorder import Json
from winsock import (
    FIONBIO,
    INVALID_SOCKET,
    MAKEWORD,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SO_ERROR,
    SO_LINGER,
    SO_TYPE,
    SOCK_STREAM,
    SOL_SOCKET,
    WSADATA,
    WSACleanup,
    WSAStartup,
    accept,
    bind,
    closesocket,
    connect,
    getpeername,
    getsockname,
    ioctlsocket,
    linger,
    listen,
    recv,
    recvfrom,
    send,
    sendto,
    setsockopt,
    shutdown,
    sockaddr_in,
    u_long,
)

from ..facts import DOCUMENTED, TESTED, Topic, answer
from ..situations import option_value, received, received_in_time
from ..sources import dotnet, mio, page, topic_page, wine

topic = Topic("closing")

SHUTDOWN = wine("test_shutdown")
RESET = wine("test_tcp_reset")
HOW = (SD_RECEIVE, SD_SEND, SD_BOTH)


def _shut(s: int, how: int) -> Json:
    return answer("shutdown", shutdown(s, how))


def _send(s: int, data: bytes = b"test") -> Json:
    return answer("send", send(s, data, len(data), 0))


def _close(s: int) -> Json:
    return answer("closesocket", closesocket(s))


def _all_received(s: int) -> tuple[int, Json]:
    """The number of bytes up to the end, and the last result."""
    total, buffer = 0, bytearray(1 << 16)
    while (count := recv(wait_readable(s), buffer, len(buffer), 0)) > 0:
        total += count
    return total, answer("recv", count)


def _lingering(s: int, seconds: int) -> int:
    done(setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, seconds), sizeof(linger)))
    return s


@topic.fact(
    "shutdown",
    "of a stream that was never connected, SD_SEND and SD_RECEIVE",
    windows=[["WSAENOTCONN", "WSAENOTCONN"]],
    source=SHUTDOWN,
    certainty=TESTED,
)
def a_fresh_stream_cannot_be_shut_down() -> Json:
    s = tcp()
    return [_shut(s, SD_SEND), _shut(s, SD_RECEIVE)]


@topic.fact(
    "shutdown",
    "of a listening socket, SD_SEND and SD_RECEIVE; then a client connects",
    windows=[["WSAENOTCONN", "WSAENOTCONN", 0, "a socket"]],
    source=SHUTDOWN,
    certainty=TESTED,
)
def a_listening_socket_cannot_be_shut_down() -> Json:
    queue = listener()
    results = [_shut(queue, SD_SEND), _shut(queue, SD_RECEIVE), answer("connect", connect(tcp(), name_of(queue), IN))]
    return [*results, answer("accept", accept(wait_readable(queue), None, None))]


@topic.fact(
    "shutdown",
    "with 0x5a3c as the direction",
    windows=["WSAEINVAL"],
    source=SHUTDOWN,
    certainty=TESTED,
)
def an_unknown_direction_is_refused() -> Json:
    client, _ = tcp_pair()
    return _shut(client, 0x5A3C - (1 << 32))


@topic.fact("shutdown", "SD_SEND twice, then send", windows=[[0, 0, "WSAESHUTDOWN"]], source=SHUTDOWN, certainty=TESTED)
def sending_can_be_shut_down_twice() -> Json:
    client, _ = tcp_pair()
    return [_shut(client, SD_SEND), _shut(client, SD_SEND), _send(client)]


@topic.fact("recv", "three times, after the peer's SD_SEND", windows=[["", "", ""]], source=SHUTDOWN, certainty=TESTED)
def the_end_is_received_each_time() -> Json:
    client, server = tcp_pair()
    done(shutdown(client, SD_SEND))
    return [received(server), received(server), received(server)]


@topic.fact(
    "recv",
    "after SD_RECEIVE at the end of the stream, twice",
    windows=[["WSAESHUTDOWN", "WSAESHUTDOWN"]],
    source=SHUTDOWN,
    certainty=TESTED,
)
def receiving_can_be_shut_down() -> Json:
    client, server = tcp_pair()
    done(shutdown(client, SD_SEND))
    received_in_time(server)
    done(shutdown(server, SD_RECEIVE))
    return [received(server), received(server)]


@topic.fact(
    "send",
    "after SD_RECEIVE here and SD_SEND at the peer",
    windows=[[4, "test"]],
    source=SHUTDOWN,
    certainty=TESTED,
)
def data_flows_in_the_direction_that_is_left() -> Json:
    client, server = tcp_pair()
    done(shutdown(client, SD_SEND))
    done(shutdown(server, SD_RECEIVE))
    return [_send(server), received_in_time(client)]


@topic.fact(
    "getpeername",
    "of both ends, after both directions were shut down at both",
    windows=[[True, True]],
    source=SHUTDOWN,
    certainty=TESTED,
)
def names_survive_shutdown() -> Json:
    client, server = tcp_pair()
    seen: list[Json] = []
    for s in (client, server):
        done(shutdown(s, SD_BOTH))
    for s, other in ((client, server), (server, client)):
        name = sockaddr_in()
        seen.append(getpeername(s, name, c_int(IN)) == 0 and bytes(name) == bytes(name_of(other)))
    return seen


@topic.fact(
    "shutdown",
    "SD_BOTH, then recv and send here, and recv at the peer",
    windows=[[0, "WSAESHUTDOWN", "WSAESHUTDOWN", ""]],
    source=SHUTDOWN,
    certainty=TESTED,
)
def both_directions_can_be_shut_down() -> Json:
    client, server = tcp_pair()
    return [_shut(client, SD_BOTH), received(client), _send(client), received_in_time(server)]


@topic.fact(
    "shutdown",
    "SD_BOTH after the peer's SD_BOTH, then recv and send",
    windows=[[0, "WSAESHUTDOWN", "WSAESHUTDOWN"]],
    source=SHUTDOWN,
    certainty=TESTED,
)
def a_socket_can_be_shut_down_after_its_peer() -> Json:
    client, server = tcp_pair()
    done(shutdown(client, SD_BOTH))
    received_in_time(server)
    return [_shut(server, SD_BOTH), received(server), _send(server)]


@topic.fact(
    "shutdown",
    "SD_BOTH after both directions have ended",
    windows=[0],
    source=dotnet("Shutdown.cs", "Shutdown_TCP_CLOSED_Success"),
    certainty=TESTED,
)
def a_finished_connection_can_be_shut_down() -> Json:
    client, server = tcp_pair()
    done(shutdown(client, SD_SEND))
    done(closesocket(wait_readable(server)))
    received_in_time(client)
    return _shut(client, SD_BOTH)


@topic.fact(
    "send",
    "to a peer that has sent its end and closed, then recv",
    windows=[[4, "WSAECONNABORTED"]],
    source=SHUTDOWN,
    certainty=TESTED,
    wine="recv fails with WSAECONNRESET",
)
def recv_reports_that_the_peer_took_no_data() -> Json:
    client, server = tcp_pair()
    done(shutdown(client, SD_SEND))
    done(closesocket(client))
    sent = _send(server)
    pause(50)
    return [sent, received(server)]


@topic.fact(
    "send",
    "after SD_BOTH here, when the peer has closed",
    windows=["WSAECONNABORTED", "WSAESHUTDOWN"],
    source=mio("tcp_stream.rs", "shutdown_both"),
    certainty=TESTED,
)
def a_socket_that_was_shut_down_does_not_send() -> Json:
    client, server = tcp_pair()
    done(shutdown(client, SD_BOTH))
    done(closesocket(wait_readable(server)))
    return _send(client)


@topic.fact(
    "recv",
    "twice, after the peer has reset the connection, then send",
    windows=[["WSAECONNRESET", "WSAECONNRESET", "WSAECONNRESET"]],
    source=RESET,
    certainty=TESTED,
)
def each_call_reports_a_reset() -> Json:
    client, server = tcp_pair()
    reset(client)
    return [received_in_time(server), received(server), _send(server)]


@topic.fact(
    "getsockopt",
    "SO_ERROR, after the peer has reset the connection",
    windows=[0],
    source=RESET,
    certainty=TESTED,
)
def a_reset_leaves_no_error() -> Json:
    client, server = tcp_pair()
    reset(client)
    return option_value(wait_readable(server), SOL_SOCKET, SO_ERROR)


@topic.fact(
    "closesocket",
    "with SO_LINGER on and no time, while the peer has not read",
    windows=[[0, "WSAECONNRESET"]],
    source=page("closesocket", "a hard close: recv on the remote side fails with WSAECONNRESET"),
    certainty=DOCUMENTED,
)
def a_hard_close_resets_the_connection() -> Json:
    client, server = tcp_pair()
    return [_close(_lingering(client, 0)), received_in_time(server)]


@topic.fact(
    "closesocket",
    "after more was sent than the peer has read: the bytes that arrive, and the end",
    windows=[[0, True, 0]],
    source=wine("test_send_buffering"),
    certainty=TESTED,
)
def closing_does_not_lose_what_was_sent() -> Json:
    client, server = full_pair()
    block, extra = bytes(1 << 10), 0
    while (count := send(client, block, len(block), 0)) > 0:
        extra += count
    result = _close(client)
    total, end = _all_received(server)
    return [result, total > extra, end]


@topic.fact(
    "closesocket",
    "with SO_LINGER on and a time, after data was sent",
    windows=[[0, "test", ""]],
    source=page("closesocket", "a graceful close if all data is sent within the time"),
    certainty=DOCUMENTED,
)
def a_lingering_close_is_graceful() -> Json:
    client, server = tcp_pair()
    _send(_lingering(client, 5))
    return [_close(client), received_in_time(server), received_in_time(server)]


@topic.fact(
    "closesocket",
    "nonblocking, with SO_LINGER off, after data was sent",
    windows=[[0, "test", ""]],
    source=page("closesocket", "never WSAEWOULDBLOCK without l_onoff; queued data is sent"),
    certainty=DOCUMENTED,
)
def a_nonblocking_close_is_graceful() -> Json:
    client, server = tcp_pair()
    done(ioctlsocket(client, FIONBIO, u_long(1)))
    _send(client)
    return [_close(client), received_in_time(server), received_in_time(server)]


@topic.fact(
    "closesocket",
    "twice, and with 0 and INVALID_SOCKET",
    windows=[[0, "WSAENOTSOCK", "WSAENOTSOCK", "WSAENOTSOCK"]],
    source=page("closesocket", "errors: the descriptor is not a socket"),
    certainty=DOCUMENTED,
)
def a_socket_is_closed_once() -> Json:
    s = tcp()
    return [_close(s), _close(s), _close(0), _close(INVALID_SOCKET)]


@topic.fact(
    "shutdown",
    "SD_BOTH, then getsockopt and closesocket",
    windows=[[0, SOCK_STREAM, 0]],
    source=page("shutdown", "does not close the socket"),
    certainty=DOCUMENTED,
)
def shutdown_leaves_a_socket_to_close() -> Json:
    client, _ = tcp_pair()
    return [_shut(client, SD_BOTH), option_value(client, SOL_SOCKET, SO_TYPE), _close(client)]


@topic.fact(
    "shutdown",
    "of a closed socket",
    windows=["WSAENOTSOCK"],
    source=page("shutdown", "errors: the descriptor is not a socket"),
    certainty=DOCUMENTED,
)
def a_closed_socket_cannot_be_shut_down() -> Json:
    client, _ = tcp_pair()
    done(closesocket(client))
    return _shut(client, SD_SEND)


@topic.fact(
    "recv",
    "of what the peer sent before SD_SEND",
    windows=[["test", ""]],
    source=page("shutdown", "SD_SEND: a FIN is sent after all data"),
    certainty=DOCUMENTED,
)
def data_before_the_end_arrives() -> Json:
    client, server = tcp_pair()
    _send(client)
    done(shutdown(client, SD_SEND))
    return [received_in_time(server), received_in_time(server)]


@topic.fact(
    "shutdown",
    "SD_SEND by the client, which then receives the answer and the server's end",
    windows=[["test", "", "answer", ""]],
    source=topic_page("graceful-shutdown-linger-options-and-socket-closure-2", "the sequence of a graceful shutdown"),
    certainty=DOCUMENTED,
)
def a_graceful_shutdown_loses_nothing() -> Json:
    client, server = tcp_pair()
    _send(client)
    done(shutdown(client, SD_SEND))
    seen = [received_in_time(server), received_in_time(server)]
    _send(server, b"answer")
    done(shutdown(server, SD_SEND))
    return [*seen, received_in_time(client), received_in_time(client)]


@topic.fact(
    "closesocket",
    "of a listener, then a client connects",
    windows=["WSAECONNREFUSED"],
    source=page("closesocket", "releases the socket"),
    certainty=DOCUMENTED,
)
def a_closed_listener_refuses_clients() -> Json:
    queue = listener()
    name = name_of(queue)
    done(closesocket(queue))
    return answer("connect", connect(tcp(), name, IN))


@topic.fact(
    "closesocket",
    "of a listener, while an accepted connection goes on",
    windows=[[0, "test"]],
    source=wine("tcp_socketpair"),
    certainty=TESTED,
)
def closing_a_listener_leaves_its_connections() -> Json:
    queue, client = listener(), tcp()
    done(connect(client, name_of(queue), IN))
    server = accept(queue, None, None)
    result = _close(queue)
    _send(client)
    return [result, received_in_time(server)]


@topic.fact(
    "send",
    "on both ends of a connection, after WSACleanup and a new WSAStartup",
    windows=[["WSAENOTSOCK", "WSAENOTSOCK"]],
    source=wine("test_WSAStartup"),
    certainty=TESTED,
)
def cleanup_closes_all_sockets() -> Json:
    client, server = tcp_pair()
    done(WSACleanup())
    done(WSAStartup(MAKEWORD(2, 2), WSADATA()))
    return [_send(client), _send(server)]


@topic.fact(
    "WSACleanup",
    "more often than WSAStartup",
    windows=[[0, "WSANOTINITIALISED"]],
    source=wine("test_WSAStartup"),
    certainty=TESTED,
)
def cleanup_needs_a_startup() -> Json:
    results = [answer("WSACleanup", WSACleanup()), answer("WSACleanup", WSACleanup())]
    done(WSAStartup(MAKEWORD(2, 2), WSADATA()))
    return results


@topic.fact(
    "WSACleanup",
    "once after two calls of WSAStartup, then send",
    windows=[[0, 4]],
    source=page("WSACleanup", "each successful WSAStartup needs a WSACleanup; only the last cleans up"),
    certainty=DOCUMENTED,
)
def only_the_last_cleanup_closes_sockets() -> Json:
    client, _ = tcp_pair()
    done(WSAStartup(MAKEWORD(2, 2), WSADATA()))
    return [answer("WSACleanup", WSACleanup()), _send(client)]


@topic.fact(
    "closesocket",
    "then each call that takes a socket",
    windows=[["WSAENOTSOCK"] * 9],
    source=page("closesocket", "releases the descriptor: further references fail with WSAENOTSOCK"),
    certainty=DOCUMENTED,
)
def each_call_knows_that_a_socket_was_closed() -> Json:
    s, length = udp(), c_int(IN)
    done(closesocket(s))
    return [
        answer("bind", bind(s, inet(), IN)),
        answer("connect", connect(s, inet(closed_port()), IN)),
        answer("listen", listen(s, 1)),
        answer("accept", accept(s, None, None)),
        answer("recvfrom", recvfrom(s, bytearray(1), 1, 0, None, None)),
        answer("sendto", sendto(s, b"x", 1, 0, inet(9), IN)),
        answer("getsockname", getsockname(s, sockaddr_in(), length)),
        answer("getpeername", getpeername(s, sockaddr_in(), length)),
        answer("ioctlsocket", ioctlsocket(s, FIONBIO, u_long(1))),
    ]
