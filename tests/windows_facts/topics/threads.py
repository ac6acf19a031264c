"""Other threads: what ends a blocked call, and what does not. The state that counts is that at the call's beginning."""

from __future__ import annotations

import threading
from collections.abc import Callable
from ctypes import c_int
from functools import partial

from tests.conformance.kit import (
    IN,
    IN6,
    LOOPBACK6,
    blocking,
    bound,
    bound6,
    bound_udp,
    done,
    ended,
    full_pair,
    inet6,
    listener,
    mapped,
    name6_of,
    name_of,
    nonblocking,
    set_of,
    switch,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
)
from tests.conformance.recorder import Json, error_name, poll_bits
from winsock import (
    AF_INET6,
    FD_ISSET,
    INVALID_SOCKET,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    POLLRDNORM,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    WSAPOLLFD,
    WSACleanup,
    WSAGetLastError,
    WSAPoll,
    WSASetLastError,
    accept,
    bind,
    closesocket,
    connect,
    listen,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    shutdown,
    sockaddr_in,
)

from .. import sources
from ..blocked import STILL_WAITS, Blocked
from ..facts import DOCUMENTED, SOURCE, TESTED, Topic, answer

topic = Topic("threads")

_PAGES = f"{sources.REFERENCE}/api"
CLOSESOCKET = f"{_PAGES}/winsock2/nf-winsock2-closesocket: pending calls of any thread are canceled"
CLEANUP = f"{_PAGES}/winsock2/nf-winsock2-wsacleanup: pending calls of any thread are canceled"
SHUTDOWN = f"{_PAGES}/winsock/nf-winsock-shutdown: only subsequent calls are disallowed"
SHUTDOWN_SEND = f"{_PAGES}/winsock/nf-winsock-shutdown: the end is sent after all data"
LAST_ERROR = f"{_PAGES}/winsock/nf-winsock-wsagetlasterror: each thread has its own"
SEND_RECEIVE = f"{sources.DOTNET}/SendReceive/SendReceive.cs"
RECEIVE_FROM = f"{sources.DOTNET}/ReceiveFrom.cs"
ACCEPT = f"{sources.DOTNET}/Accept.cs"
CONNECT = f"{sources.DOTNET}/Connect.cs"
EPICS = "https://github.com/epics-base/epics-base/blob/7.0/modules/libcom/test/blockingSockTest.cpp"
RUST = "https://github.com/rust-lang/rust/blob/master/library/std/src/net/tcp/tests.rs"
WINE = "https://gitlab.winehq.org/wine/wine/-/blob/master/dlls/ws2_32/tests/sock.c"

NO_WAKE_UP = "closesocket does not end a send of another thread"
OTHER_CODE = "the call ends with another error"


def receiving(s: int, length: int = 8) -> Blocked:
    return Blocked(lambda: recv(s, bytearray(length), length, 0))


def receiving_from(s: int) -> Blocked:
    return Blocked(lambda: recvfrom(s, bytearray(8), 8, 0, sockaddr_in(), c_int(IN)))


def accepting(s: int) -> Blocked:
    return Blocked(lambda: accept(s, None, None))


def tcp6_pair(only: int = 1, address: bytes = LOOPBACK6) -> tuple[int, int]:
    """A connected client and its accepted socket on IPv6; with `only` 0 the client is a dual-stack socket."""
    queue = switch(tcp(AF_INET6), IPPROTO_IPV6, IPV6_V6ONLY, only)
    done(bind(queue, inet6(0, address), IN6))
    done(listen(queue, 1))
    client = switch(tcp(AF_INET6), IPPROTO_IPV6, IPV6_V6ONLY, only)
    done(connect(client, name6_of(queue), IN6))
    server = accept(queue, None, None)
    assert server != INVALID_SOCKET
    return client, server


# shutdown


def a_shutdown_leaves_recv_waiting(how: int) -> Json:
    client, _server = tcp_pair()
    waiting = receiving(client)
    return [answer("shutdown", shutdown(client, how)), waiting.now()]


for name, how, source, certainty in (
    ("sd_receive", SD_RECEIVE, f"{RUST}: comment of close_read_wakes_up", SOURCE),
    ("sd_both", SD_BOTH, f"{EPICS}: Windows declares that only closing ends recv", TESTED),
    ("sd_send", SD_SEND, SHUTDOWN, DOCUMENTED),
):
    topic.add(
        f"{name}_leaves_a_blocked_recv_waiting",
        "shutdown",
        f"{name.upper()} while another thread is blocked in recv on the stream",
        [[0, STILL_WAITS]],
        source,
        certainty,
        partial(a_shutdown_leaves_recv_waiting, how),
    )


@topic.fact(
    "recv",
    "blocked while another thread calls shutdown with SD_BOTH and then closesocket",
    windows=["WSAECONNABORTED"],
    source=f"{EPICS}: closing ends it; the code is that of SendReceive.cs of .NET",
    certainty=TESTED,
    wine=OTHER_CODE,
)
def closesocket_ends_a_recv_that_sd_both_left_waiting() -> Json:
    client, _server = tcp_pair()
    waiting = receiving(client)
    done(shutdown(client, SD_BOTH))
    waiting.now()
    done(closesocket(client))
    return waiting.end()


@topic.fact(
    "recv",
    "blocked while another thread calls shutdown with SD_RECEIVE; then data arrives",
    windows=[[STILL_WAITS, 3]],
    source=SHUTDOWN,
    certainty=DOCUMENTED,
)
def data_ends_a_recv_that_sd_receive_left_waiting() -> Json:
    client, server = tcp_pair()
    waiting = receiving(client)
    done(shutdown(client, SD_RECEIVE))
    before = waiting.now()
    assert send(server, b"abc", 3, 0) == 3
    return [before, waiting.end()]


@topic.fact(
    "recv",
    "blocked while another thread calls shutdown with SD_BOTH; then the peer ends the stream",
    windows=[[STILL_WAITS, 0]],
    source=SHUTDOWN,
    certainty=DOCUMENTED,
)
def the_peers_end_ends_a_recv_that_sd_both_left_waiting() -> Json:
    client, server = tcp_pair()
    waiting = receiving(client)
    done(shutdown(client, SD_BOTH))
    before = waiting.now()
    ended(server)
    return [before, waiting.end()]


@topic.fact(
    "recv",
    "of a thread, after another thread called shutdown with SD_RECEIVE while a third one is blocked in recv",
    windows=[["WSAESHUTDOWN", STILL_WAITS]],
    source=SHUTDOWN,
    certainty=DOCUMENTED,
)
def sd_receive_counts_for_calls_that_begin_later() -> Json:
    client, _server = tcp_pair()
    waiting = receiving(client)
    done(shutdown(client, SD_RECEIVE))
    return [answer("recv", recv(client, bytearray(1), 1, 0)), waiting.now()]


@topic.fact(
    "recvfrom",
    "on a datagram socket, after another thread called shutdown with SD_BOTH",
    windows=["WSAESHUTDOWN"],
    source=RECEIVE_FROM,
    certainty=TESTED,
)
def recvfrom_checks_the_shutdown_when_it_begins() -> Json:
    s = bound_udp()
    shutting = threading.Thread(target=shutdown, args=(s, SD_BOTH))
    shutting.start()
    shutting.join()
    return answer("recvfrom", recvfrom(s, bytearray(1), 1, 0, None, None))


@topic.fact(
    "recvfrom",
    "blocked on a datagram socket while another thread calls shutdown with SD_SEND; then a datagram arrives",
    windows=[1],
    source=f"{SHUTDOWN}, and SD_SEND is about send",
    certainty=DOCUMENTED,
)
def a_datagram_arrives_after_sd_send() -> Json:
    s = bound_udp()
    waiting = receiving_from(s)
    done(shutdown(s, SD_SEND))
    assert sendto(udp(), b"x", 1, 0, name_of(s), IN) == 1
    return waiting.end()


# A blocked send, and the end of the stream


SIZE = 1 << 22


def sending(s: int) -> Blocked:
    data = bytes(SIZE)
    return Blocked(lambda: send(blocking(s), data, SIZE, 0))


def received(s: int) -> tuple[int, int]:
    """The bytes that arrive until recv returns something else, and that result."""
    total, room = 0, bytearray(1 << 20)
    while (count := recv(wait_readable(s), room, len(room), 0)) > 0:
        total += count
    return total, count


@topic.fact(
    "send",
    "blocked while another thread calls shutdown with SD_SEND; then the peer receives",
    windows=[[STILL_WAITS, SIZE]],
    source=SHUTDOWN_SEND,
    certainty=DOCUMENTED,
)
def sd_send_leaves_a_blocked_send_sending() -> Json:
    client, server = full_pair()
    waiting = sending(client)
    done(shutdown(client, SD_SEND))
    before = waiting.now()
    received(server)
    return [before, waiting.end()]


@topic.fact(
    "recv",
    "of the peer, after shutdown with SD_SEND while a send was blocked",
    windows=[[True, 0]],
    source=SHUTDOWN_SEND,
    certainty=DOCUMENTED,
)
def the_end_of_the_stream_follows_the_data_of_a_blocked_send() -> Json:
    client, server = full_pair()
    waiting = sending(client)
    done(shutdown(client, SD_SEND))
    total, last = received(server)
    assert waiting.end() == SIZE
    return [total > SIZE, last]  # full_pair has sent some data before


@topic.fact(
    "send",
    "that begins after shutdown with SD_SEND, while an earlier send is still blocked",
    windows=[["WSAESHUTDOWN", STILL_WAITS]],
    source=SHUTDOWN,
    certainty=DOCUMENTED,
)
def sd_send_counts_for_sends_that_begin_later() -> Json:
    client, _server = full_pair()
    waiting = sending(client)
    done(shutdown(client, SD_SEND))
    return [answer("send", send(client, b"x", 1, 0)), waiting.now()]


@topic.fact(
    "recv",
    "of the peer, after shutdown with SD_BOTH and closesocket while a send was blocked",
    windows=[[True, 0]],
    source=f"{SEND_RECEIVE}: TcpPeerReceivesFinOnShutdownWithPendingData",
    certainty=TESTED,
)
def the_peer_receives_data_and_the_end_after_shutdown_and_closesocket() -> Json:
    client, server = full_pair()
    sending(client)
    done(shutdown(client, SD_BOTH))
    done(closesocket(client))
    total, last = received(server)
    return [total > 0, last]


# closesocket


def closing_ends(open_socket: Callable[[], int], block: Callable[[int], Blocked]) -> Json:
    s = open_socket()
    waiting = block(s)
    done(closesocket(s))
    return waiting.end()


def udp6(only: int, address: bytes) -> int:
    return bound6(switch(udp(AF_INET6), IPPROTO_IPV6, IPV6_V6ONLY, only), 0, address)


STREAMS: dict[str, Callable[[], tuple[int, int]]] = {
    "an_ipv4_stream": tcp_pair,
    "an_ipv6_stream": tcp6_pair,
    "a_dual_stack_stream": lambda: tcp6_pair(0, mapped()),
}
_KEPT: list[tuple[int, int]] = []  # the peers: a pair that nobody holds stays open all the same


def first_of(pair: Callable[[], tuple[int, int]]) -> int:
    _KEPT.append(pair())
    return _KEPT[-1][0]


for name, pair in STREAMS.items():
    topic.add(
        f"closesocket_ends_recv_on_{name}",
        "recv",
        f"blocked on {name.replace('_', ' ')} while another thread closes the socket",
        ["WSAECONNABORTED"],
        f"{SEND_RECEIVE}: TcpReceiveSendGetsCanceledByDispose",
        TESTED,
        partial(closing_ends, partial(first_of, pair), receiving),
        wine=OTHER_CODE,
    )


def send_until_it_fails(s: int) -> int:
    block = bytes(1 << 20)
    while (count := send(s, block, len(block), 0)) >= 0:
        pass
    return count


for name, pair in STREAMS.items():
    topic.add(
        f"closesocket_ends_send_on_{name}",
        "send",
        f"blocked on {name.replace('_', ' ')} while another thread closes the socket",
        ["WSAECONNABORTED"],
        f"{SEND_RECEIVE}: TcpReceiveSendGetsCanceledByDispose",
        TESTED,
        partial(closing_ends, partial(first_of, pair), lambda s: Blocked(lambda: send_until_it_fails(s))),
        wine=NO_WAKE_UP,
    )

DATAGRAM_SOCKETS: dict[str, Callable[[], int]] = {
    "an_ipv4_datagram_socket": bound_udp,
    "an_ipv6_datagram_socket": lambda: udp6(1, LOOPBACK6),
    "a_dual_stack_datagram_socket": lambda: udp6(0, mapped()),
}

for name, open_socket in DATAGRAM_SOCKETS.items():
    topic.add(
        f"closesocket_ends_recv_on_{name}",
        "recv",
        f"blocked on {name.replace('_', ' ')} while another thread closes the socket",
        ["WSAEINTR"],
        f"{SEND_RECEIVE}: UdpReceiveGetsCanceledByDispose",
        TESTED,
        partial(closing_ends, open_socket, receiving),
        wine=OTHER_CODE,
    )

topic.add(
    "closesocket_ends_recvfrom_on_a_datagram_socket",
    "recvfrom",
    "blocked on a datagram socket while another thread closes the socket",
    ["WSAEINTR"],
    f"{RECEIVE_FROM}: ClosedDuringOperation",
    TESTED,
    partial(closing_ends, bound_udp, receiving_from),
    wine=OTHER_CODE,
)
topic.add(
    "closesocket_ends_accept",
    "accept",
    "blocked while another thread closes the listener",
    ["WSAEINTR"],
    f"{ACCEPT}: AcceptGetsCanceledByDispose",
    TESTED,
    partial(closing_ends, listener, accepting),
    wine=OTHER_CODE,
)


@topic.fact(
    "accept",
    "blocked in two threads while a third one closes the listener",
    windows=[["WSAEINTR", "WSAEINTR"]],
    source=f"{ACCEPT}: AcceptAsync_MultipleAcceptsThenDispose; the code is that of AcceptGetsCanceledByDispose",
    certainty=TESTED,
    wine=OTHER_CODE,
)
def closesocket_ends_all_accepts() -> Json:
    queue = listener()
    waiting = [accepting(queue), accepting(queue)]
    done(closesocket(queue))
    return [each.end() for each in waiting]


@topic.fact(
    "connect",
    "blocked while another thread closes the socket",
    windows=["WSAENOTSOCK"],
    source=f"{CONNECT}: ConnectGetsCanceledByDispose",
    certainty=TESTED,
    wine=OTHER_CODE,
)
def closesocket_ends_connect() -> Json:
    queue = bound(tcp())
    done(listen(queue, 1))
    to = name_of(queue)
    for _ in range(4):  # more than fit
        connect(nonblocking(tcp()), to, IN)
    s = tcp()
    waiting = Blocked(lambda: connect(s, to, IN))
    done(closesocket(s))
    return waiting.end()


@topic.fact(
    "select",
    "blocked with the socket in readfds while another thread closes it",
    windows=[[1, True]],
    source=f"{WINE}: test_select",
    certainty=TESTED,
)
def closesocket_ends_select_for_reading() -> Json:
    s = bound_udp()
    fds = set_of(s)
    waiting = Blocked(lambda: select(0, fds, None, None, None))
    done(closesocket(s))
    return [waiting.end(), FD_ISSET(s, fds) != 0]


@topic.fact(
    "select",
    "blocked with the socket in exceptfds only while another thread closes it",
    windows=["WSAENOTSOCK"],
    source=f"{WINE}: test_select",
    certainty=TESTED,
)
def closesocket_ends_select_for_exceptions() -> Json:
    s = bound_udp()
    fds = set_of(s)
    waiting = Blocked(lambda: select(0, None, None, fds, None))
    done(closesocket(s))
    return waiting.end()


@topic.fact(
    "WSAPoll",
    "blocked while another thread closes the socket",
    windows=[[1, "NVAL"]],
    source=f"{WINE}: test_WSAPoll",
    certainty=TESTED,
)
def closesocket_ends_wsapoll() -> Json:
    s = bound_udp()
    entry = WSAPOLLFD(s, POLLRDNORM)
    waiting = Blocked(lambda: WSAPoll(entry, 1, -1))
    done(closesocket(s))
    return [waiting.end(), poll_bits(entry.revents)]


@topic.fact(
    "recv",
    "that begins after another thread closed the socket",
    windows=["WSAENOTSOCK"],
    source=CLOSESOCKET,
    certainty=DOCUMENTED,
)
def a_call_on_a_socket_that_another_thread_closed() -> Json:
    s = bound_udp()
    closing = threading.Thread(target=closesocket, args=(s,))
    closing.start()
    closing.join()
    return answer("recv", recv(s, bytearray(1), 1, 0))


# Several threads, one socket


@topic.fact(
    "recv",
    "blocked in three threads on one datagram socket; then three datagrams arrive",
    windows=[[1, 1, 1]],
    source=f"{SEND_RECEIVE}: CanceledOneOfMultipleReceives_Udp_Throws",
    certainty=TESTED,
)
def each_datagram_ends_one_recv() -> Json:
    s, sender = bound_udp(), udp()
    waiting = [receiving(s) for _ in range(3)]
    for _ in waiting:
        assert sendto(sender, b"x", 1, 0, name_of(s), IN) == 1
    return [each.end() for each in waiting]


@topic.fact(
    "recv",
    "of one byte, blocked in three threads on one stream; then three bytes arrive together",
    windows=[[1, 1, 1]],
    source=f"{SEND_RECEIVE}: SendRecv_Stream_TCP_MultipleConcurrentReceives",
    certainty=TESTED,
)
def three_bytes_end_three_recvs_of_one_byte() -> Json:
    client, server = tcp_pair()
    waiting = [receiving(client, 1) for _ in range(3)]
    assert send(server, b"abc", 3, 0) == 3
    return [each.end() for each in waiting]


@topic.fact(
    "send",
    "of two megabytes in each of two threads on one stream, while the peer receives",
    windows=[[SIZE // 2, SIZE // 2, SIZE]],
    source=f"{SEND_RECEIVE}: SendRecv_Stream_TCP_MultipleConcurrentSends",
    certainty=TESTED,
)
def two_blocked_sends_on_one_stream_send_everything() -> Json:
    client, server = tcp_pair()
    data = bytes(SIZE // 2)
    sends = [Blocked(lambda: send(client, data, len(data), 0)) for _ in range(2)]
    total, room = 0, bytearray(1 << 20)
    while total < SIZE:
        count = recv(wait_readable(server), room, len(room), 0)
        assert count > 0
        total += count
    return [*(each.end() for each in sends), total]


@topic.fact(
    "accept",
    "blocked in two threads on one listener; then two clients connect",
    windows=[[True, True]],
    source=f"{RUST}: clone_accept_concurrent",
    certainty=TESTED,
)
def two_clients_end_two_accepts() -> Json:
    queue = listener()
    waiting = [accepting(queue), accepting(queue)]
    for _ in waiting:
        done(connect(tcp(), name_of(queue), IN))
    return [isinstance(each.end(), int) for each in waiting]


@topic.fact(
    "send",
    "on a stream on which another thread is blocked in recv",
    windows=[[1, STILL_WAITS]],
    source=f"{RUST}: tcp_clone_smoke",
    certainty=TESTED,
)
def send_while_another_thread_is_blocked_in_recv() -> Json:
    client, server = tcp_pair()
    waiting = receiving(client)
    sent = send(client, b"x", 1, 0)
    wait_readable(server)
    return [sent, waiting.now()]


@topic.fact(
    "recv",
    "with a length of 0, blocked on a stream; then a byte arrives, which stays",
    windows=[[STILL_WAITS, 0, 1]],
    source=f"{SEND_RECEIVE}: SendRecv_0ByteReceive_Success",
    certainty=TESTED,
)
def a_recv_of_0_bytes_waits_for_data() -> Json:
    client, server = tcp_pair()
    waiting = receiving(client, 0)
    before = waiting.now()
    assert send(server, b"x", 1, 0) == 1
    return [before, waiting.end(), recv(client, bytearray(8), 8, 0)]


@topic.fact(
    "recv",
    "with a length of 0, blocked on a stream; then the peer closes",
    windows=[[STILL_WAITS, 0]],
    source=f"{SEND_RECEIVE}: Receive0ByteReturns_WhenPeerDisconnects",
    certainty=TESTED,
)
def a_recv_of_0_bytes_waits_for_the_peers_end() -> Json:
    client, server = tcp_pair()
    waiting = receiving(client, 0)
    before = waiting.now()
    done(shutdown(server, SD_BOTH))
    done(closesocket(server))
    return [before, waiting.end()]


# The last WSACleanup


def the_last_cleanup_ends(open_socket: Callable[[], int], block: Callable[[int], Blocked]) -> Json:
    waiting = block(open_socket())
    before = waiting.now()
    while WSACleanup() == 0:
        pass
    return [before, waiting.end() != STILL_WAITS]


CLEANED: dict[str, tuple[Callable[[], int], Callable[[int], Blocked]]] = {
    "recv": (partial(first_of, tcp_pair), receiving),
    "recvfrom": (bound_udp, receiving_from),
    "accept": (listener, accepting),
    "select": (bound_udp, lambda s: Blocked(lambda: select(0, set_of(s), None, None, None))),
}
for name, (open_socket, block) in CLEANED.items():
    topic.add(
        f"the_last_wsacleanup_ends_{name}",
        name,
        "blocked while another thread calls the last WSACleanup",
        [[STILL_WAITS, True]],
        CLEANUP,
        DOCUMENTED,
        partial(the_last_cleanup_ends, open_socket, block),
    )


# The last error


@topic.fact(
    "WSAGetLastError",
    "after a call that failed in another thread",
    windows=[["WSAENOTSOCK", 4711]],
    source=LAST_ERROR,
    certainty=DOCUMENTED,
)
def a_failure_in_another_thread_keeps_this_threads_last_error() -> Json:
    codes: list[int] = []

    def fail() -> None:
        closesocket(1)
        codes.append(WSAGetLastError())

    thread = threading.Thread(target=fail)
    WSASetLastError(4711)
    thread.start()
    thread.join()
    return [*map(error_name, codes), WSAGetLastError()]
