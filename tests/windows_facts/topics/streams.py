"""Streams: what send and recv return, peeking, out-of-band data, and how much data waits."""

from __future__ import annotations

from ctypes import c_int

from tests.conformance.kit import (
    IN,
    blocking,
    bound,
    done,
    full_pair,
    nonblocking,
    pause,
    polled,
    switch,
    tcp,
    tcp_pair,
    wait_except,
    wait_readable,
)
from tests.conformance.recorder import Json
from winsock import (
    AF_INET,
    FIONREAD,
    INVALID_SOCKET,
    MSG_OOB,
    MSG_PEEK,
    MSG_WAITALL,
    POLLRDBAND,
    SD_SEND,
    SIOCATMARK,
    SO_OOBINLINE,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SO_SNDBUF,
    SOL_SOCKET,
    WSAGetLastError,
    closesocket,
    htonl,
    htons,
    in_addr,
    ioctlsocket,
    recv,
    recvfrom,
    send,
    sendto,
    shutdown,
    sockaddr_in,
    u_long,
)

from ..facts import DOCUMENTED, TESTED, Topic, answer
from ..situations import begun, received, received_in_time
from ..sources import dotnet, mio, page, reactos, rust, socket2, topic_page, wine

topic = Topic("streams")

FIONREAD_TEST = wine("test_fionread_siocatmark")


def _ioctl(s: int, command: int) -> Json:
    value = u_long(99)
    return answer("ioctlsocket", ioctlsocket(s, command, value), value)


@topic.fact(
    "recv",
    "on a stream that was never connected",
    windows=[["WSAENOTCONN", "...."]],
    source=page("recv", "errors"),
    certainty=DOCUMENTED,
)
def recv_on_a_fresh_stream_fails_and_leaves_the_buffer() -> Json:
    buffer = bytearray(b"....")
    return answer("recv", recv(tcp(), buffer, 4, 0), buffer)


@topic.fact(
    "send",
    "on a stream that was never connected",
    windows=["WSAENOTCONN"],
    source=reactos("send.c", "test_send"),
    certainty=TESTED,
    wine="it fails with WSAECONNRESET",
)
def send_on_a_fresh_stream_fails() -> Json:
    return answer("send", send(tcp(), b"data", 4, 0))


@topic.fact(
    "send",
    "no bytes, on a stream that was never connected",
    windows=["WSAENOTCONN"],
    source=reactos("send.c", "test_send"),
    certainty=TESTED,
    wine="it fails with WSAECONNRESET",
)
def send_of_no_bytes_on_a_fresh_stream_fails_too() -> Json:
    return answer("send", send(tcp(), None, 0, 0))


@topic.fact(
    "send",
    "no bytes, without a buffer, on a connection",
    windows=[0],
    source=reactos("send.c", "test_send"),
    certainty=TESTED,
)
def send_of_no_bytes_on_a_connection_returns_0() -> Json:
    client, _ = tcp_pair()
    return answer("send", send(client, None, 0, 0))


@topic.fact(
    "send",
    "with a handle that is not a socket",
    windows=["WSAENOTSOCK"],
    source=reactos("send.c", "test_send"),
    certainty=TESTED,
)
def send_with_handle_0_names_the_handle() -> Json:
    return answer("send", send(0, b"data", 4, 0))


@topic.fact(
    "recv",
    "with a handle that is not a socket",
    windows=[["WSAENOTSOCK", "...."]],
    source=reactos("recv.c", "Test_recv"),
    certainty=TESTED,
)
def recv_with_handle_0_leaves_the_buffer() -> Json:
    buffer = bytearray(b"....")
    return answer("recv", recv(0, buffer, 4, 0), buffer)


@topic.fact(
    "recv",
    "no bytes, while data waits",
    windows=[[0, "data"]],
    source=wine("test_empty_recv"),
    certainty=TESTED,
)
def recv_of_no_bytes_leaves_the_data() -> Json:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    return [answer("recv", recv(wait_readable(server), None, 0, 0)), received(server)]


@topic.fact(
    "recv",
    "no bytes, blocking, while nothing waits; data arrives after a while",
    windows=[[0, True]],
    source=dotnet("SendReceive/SendReceive.cs", "SendRecv_0ByteReceive_Success"),
    certainty=TESTED,
)
def recv_of_no_bytes_waits_for_data() -> Json:
    client, server = tcp_pair()
    sent: list[bool] = []
    end = begun(lambda: [answer("recv", recv(server, bytearray(1), 0, 0)), sent == [True]])
    pause()
    sent.append(True)
    send(client, b"x", 1, 0)
    return end()


@topic.fact(
    "recv",
    "no bytes, after the peer has closed",
    windows=[0],
    source=dotnet("SendReceive/SendReceive.cs", "Receive0ByteReturns_WhenPeerDisconnects"),
    certainty=TESTED,
)
def recv_of_no_bytes_returns_at_the_end() -> Json:
    client, server = tcp_pair()
    done(closesocket(client))
    return answer("recv", recv(wait_readable(server), bytearray(1), 0, 0))


@topic.fact(
    "recv",
    "with MSG_PEEK, twice, then without",
    windows=[["data", "data", "data"]],
    source=rust("tcp/tests.rs", "peek"),
    certainty=TESTED,
)
def peeking_leaves_the_data() -> Json:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    return [received_in_time(server, flags=MSG_PEEK), received(server, flags=MSG_PEEK), received(server)]


@topic.fact(
    "recv",
    "with MSG_PEEK, nonblocking, after everything was read",
    windows=["WSAEWOULDBLOCK"],
    source=mio("tcp_stream.rs", "peek_would_block"),
    certainty=TESTED,
)
def peeking_at_nothing_does_not_wait() -> Json:
    client, server = tcp_pair()
    send(client, b"x", 1, 0)
    received_in_time(server)
    return received(nonblocking(server), flags=MSG_PEEK)


@topic.fact(
    "recv",
    "nonblocking, while nothing waits",
    windows=["WSAEWOULDBLOCK"],
    source=wine("test_nonblocking_async_recv"),
    certainty=TESTED,
)
def a_nonblocking_recv_of_nothing_fails() -> Json:
    _, server = tcp_pair()
    return received(nonblocking(server))


@topic.fact(
    "recv",
    "after nonblocking mode was turned off again",
    windows=["data"],
    source=rust("tcp/tests.rs", "set_nonblocking"),
    certainty=TESTED,
)
def a_socket_can_be_made_blocking_again() -> Json:
    client, server = tcp_pair()
    end = begun(lambda: received(blocking(nonblocking(server))))
    send(client, b"data", 4, 0)
    return end()


@topic.fact(
    "recv",
    "with a buffer larger than the data that has arrived",
    windows=["abc"],
    source=page("recv", "returns as much data as is available, up to the size of the buffer"),
    certainty=DOCUMENTED,
)
def a_blocking_recv_does_not_wait_for_a_full_buffer() -> Json:
    client, server = tcp_pair()
    send(client, b"abc", 3, 0)
    return received(server, 100)


@topic.fact(
    "recv",
    "one byte at a time, of two that were sent together",
    windows=[["a", "b"]],
    source=wine("test_WSARecv"),
    certainty=TESTED,
)
def the_rest_of_a_message_waits_for_the_next_recv() -> Json:
    client, server = tcp_pair()
    send(client, b"ab", 2, 0)
    return [received_in_time(server, 1), received(server, 1)]


@topic.fact(
    "recv",
    "with a length of -1",
    windows=["WSAEFAULT"],
    source=wine("test_read_events"),
    certainty=TESTED,
)
def recv_with_a_negative_length_fails() -> Json:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    return answer("recv", recv(wait_readable(server), bytearray(4), -1, 0))


@topic.fact(
    "send",
    "a million bytes, blocking, while the peer reads",
    windows=[[1 << 20, 1 << 20]],
    source=wine("test_send"),
    certainty=TESTED,
)
def a_blocking_send_takes_everything() -> Json:
    client, server = tcp_pair()
    end = begun(lambda: answer("send", send(client, bytes(1 << 20), 1 << 20, 0)))
    arrived, buffer = 0, bytearray(1 << 16)
    while arrived < 1 << 20:
        count = recv(wait_readable(server), buffer, len(buffer), 0)
        assert count > 0, f"failed with {WSAGetLastError()}"
        arrived += count
    return [end(), arrived]


@topic.fact(
    "send",
    "123,456 bytes in pieces of 512, which the peer reads in pieces of 256",
    windows=[True],
    source=dotnet("SendReceive/SendReceive.cs", "SendRecv_Stream_TCP"),
    certainty=TESTED,
)
def the_bytes_of_many_sends_arrive_in_order() -> Json:
    client, server = tcp_pair()
    sent = bytes(number * 7 % 251 for number in range(123456))

    def sends_all() -> Json:
        for start in range(0, len(sent), 512):
            piece = sent[start : start + 512]
            if send(client, piece, len(piece), 0) != len(piece):
                break
        return answer("shutdown", shutdown(client, SD_SEND))

    end, arrived, buffer = begun(sends_all), bytearray(), bytearray(256)
    while (count := recv(wait_readable(server), buffer, 256, 0)) > 0:
        arrived += buffer[:count]
    return end() == 0 and count == 0 and arrived == sent


@topic.fact(
    "send",
    "8 MiB, nonblocking, which the peer does not read",
    windows=[8 << 20],
    source=dotnet("SendReceive/SendReceiveMisc.cs", "SocketSendWouldBlock_ReturnsBytesSent: all data is sent"),
    certainty=TESTED,
    compat="the kernel takes what its buffer has room for; Microsoft's reference allows that",
)
def a_nonblocking_send_takes_everything() -> Json:
    client, _ = tcp_pair()
    return answer("send", send(nonblocking(client), bytes(8 << 20), 8 << 20, 0))


@topic.fact(
    "send",
    "nonblocking, after a send that failed for lack of room",
    windows=["WSAEWOULDBLOCK"],
    source=wine("test_send_buffering"),
    certainty=TESTED,
)
def a_nonblocking_send_without_room_fails() -> Json:
    client, _ = full_pair()
    return answer("send", send(client, bytes(1 << 16), 1 << 16, 0))


@topic.fact(
    "send",
    "10,000 bytes with SO_SNDBUF 0 here and SO_RCVBUF 0 at the peer",
    windows=[[10000, 10000]],
    source=dotnet("SendReceive/SendReceive.cs", "SendRecv_NoBuffering_Success"),
    certainty=TESTED,
)
def streams_work_without_buffers() -> Json:
    client, server = tcp_pair()
    switch(client, SOL_SOCKET, SO_SNDBUF, 0)
    switch(server, SOL_SOCKET, SO_RCVBUF, 0)
    end = begun(lambda: answer("send", send(client, bytes(10000), 10000, 0)))
    arrived, buffer = 0, bytearray(4096)
    while arrived < 10000:
        count = recv(wait_readable(server), buffer, len(buffer), 0)
        assert count > 0, f"failed with {WSAGetLastError()}"
        arrived += count
    return [end(), arrived]


@topic.fact(
    "send",
    "4,096 bytes three times, nonblocking, SO_SNDBUF 0 here and SO_RCVBUF 1,024 at the peer",
    windows=[[4096, 4096, 4096]],
    source=wine("test_set_getsockopt: nonblocking receive with too short SO_RCVBUF"),
    certainty=TESTED,
)
def small_buffers_do_not_limit_a_send() -> Json:
    client, server = tcp_pair()
    switch(nonblocking(client), SOL_SOCKET, SO_SNDBUF, 0)
    switch(server, SOL_SOCKET, SO_RCVBUF, 1024)
    return [answer("send", send(client, bytes(4096), 4096, 0)) for _ in range(3)]


@topic.fact(
    "sendto",
    "on a connection, with garbage as the address",
    windows=[[4, "data", True]],
    source=wine("test_tcp_sendto_recvfrom"),
    certainty=TESTED,
)
def sendto_ignores_the_address_on_a_stream() -> Json:
    client, server = tcp_pair()
    garbage = bytearray(b"\xfe" * IN)
    sent = answer("sendto", sendto(client, b"data", 4, 0, garbage, IN))
    return [sent, received_in_time(server), garbage == b"\xfe" * IN]


@topic.fact(
    "recvfrom",
    "on a connection, with a length that is too short for an address",
    windows=[[4, True, 5]],
    source=wine("test_tcp_sendto_recvfrom"),
    certainty=TESTED,
)
def recvfrom_leaves_the_address_on_a_stream() -> Json:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    address, length = sockaddr_in(0xFEFE, 0xFEFE, in_addr(0xFEFEFEFE)), c_int(5)
    count = answer("recvfrom", recvfrom(wait_readable(server), bytearray(4), 4, 0, address, length))
    unchanged = (address.sin_family, address.sin_port, address.sin_addr.s_addr) == (0xFEFE, 0xFEFE, 0xFEFEFEFE)
    return [count, unchanged, length.value]


@topic.fact(
    "sendto",
    "with an address, on a stream that was never connected",
    windows=["WSAENOTCONN"],
    source=page("sendto", "errors: not connected (connection-oriented sockets only)"),
    certainty=DOCUMENTED,
    wine="it fails with WSAECONNRESET",
)
def sendto_does_not_connect_a_stream() -> Json:
    address = sockaddr_in(AF_INET, htons(9), in_addr(htonl(0x7F000001)))
    return answer("sendto", sendto(tcp(), b"data", 4, 0, address, IN))


@topic.fact(
    "recv",
    "with MSG_OOB, after normal data and an urgent byte were sent",
    windows=[["!", "data"]],
    source=socket2("tests/socket.rs", "out_of_band"),
    certainty=TESTED,
)
def an_urgent_byte_passes_the_normal_data() -> Json:
    client, server = tcp_pair()
    send(client, b"data", 4, 0)
    send(client, b"!", 1, MSG_OOB)
    return [received(wait_except(server), flags=MSG_OOB), received(server)]


@topic.fact(
    "recv",
    "with SO_OOBINLINE, first with MSG_OOB, then without",
    windows=[["WSAEINVAL", "A"]],
    source=wine("test_select"),
    certainty=TESTED,
)
def an_inline_urgent_byte_is_normal_data() -> Json:
    client, server = tcp_pair()
    switch(server, SOL_SOCKET, SO_OOBINLINE)
    send(client, b"A", 1, MSG_OOB)
    return [received(wait_readable(server), flags=MSG_OOB), received(server)]


@topic.fact(
    "recv",
    "with MSG_OOB, of two urgent bytes that were sent one after the other",
    windows=[["a", "b"]],
    source=FIONREAD_TEST,
    certainty=TESTED,
    wine="Linux's TCP has one urgent byte; the earlier one becomes normal data",
    compat="Linux's TCP has one urgent byte; the earlier one becomes normal data",
)
def urgent_bytes_queue() -> Json:
    client, server = tcp_pair()
    send(client, b"a", 1, MSG_OOB)
    wait_except(server)
    send(client, b"b", 1, MSG_OOB)
    polled(server, POLLRDBAND, 100)
    return [received(nonblocking(server), flags=MSG_OOB), received(server, flags=MSG_OOB)]


@topic.fact(
    "ioctlsocket",
    "FIONREAD and SIOCATMARK, with 5 bytes and then an urgent byte waiting",
    windows=[[[0, 5], [0, 1], [0, 5], [0, 0]]],
    source=FIONREAD_TEST,
    certainty=TESTED,
    wine="SIOCATMARK is 1 although an urgent byte waits",
)
def an_urgent_byte_clears_the_mark_and_is_not_counted() -> Json:
    client, server = tcp_pair()
    send(client, b"12345", 5, 0)
    wait_readable(server)
    before = [_ioctl(server, FIONREAD), _ioctl(server, SIOCATMARK)]
    send(client, b"!", 1, MSG_OOB)
    wait_except(server)
    return [*before, _ioctl(server, FIONREAD), _ioctl(server, SIOCATMARK)]


@topic.fact(
    "ioctlsocket",
    "SIOCATMARK with an inline urgent byte waiting, which was sent after SO_OOBINLINE was set",
    windows=[[[0, 1], [0, 1]]],
    source=FIONREAD_TEST,
    certainty=TESTED,
)
def an_inline_urgent_byte_is_counted_and_leaves_the_mark() -> Json:
    client, server = tcp_pair()
    switch(server, SOL_SOCKET, SO_OOBINLINE)
    send(client, b"a", 1, MSG_OOB)
    wait_readable(server)
    return [_ioctl(server, FIONREAD), _ioctl(server, SIOCATMARK)]


@topic.fact(
    "ioctlsocket",
    "FIONREAD and SIOCATMARK, on a fresh and on a bound stream",
    windows=[[[0, 0], [0, 1], [0, 0], [0, 1]]],
    source=FIONREAD_TEST,
    certainty=TESTED,
)
def an_unconnected_stream_has_no_data_and_is_at_the_mark() -> Json:
    fresh, local = tcp(), bound(tcp())
    return [_ioctl(s, command) for s in (fresh, local) for command in (FIONREAD, SIOCATMARK)]


@topic.fact(
    "ioctlsocket",
    "FIONREAD after a part of the data was read",
    windows=[[0, 2]],
    source=topic_page("winsock-ioctls", "FIONREAD: the total amount of data that a receive can read"),
    certainty=DOCUMENTED,
)
def fionread_counts_what_is_left() -> Json:
    client, server = tcp_pair()
    send(client, b"12345", 5, 0)
    received_in_time(server, 3)
    return _ioctl(server, FIONREAD)


@topic.fact(
    "recv",
    "with MSG_WAITALL, of data that arrives in two parts",
    windows=["abcdefgh"],
    source=page("recv", "MSG_WAITALL: completes when the buffer is full"),
    certainty=DOCUMENTED,
    wine="MSG_WAITALL is ignored",
)
def waitall_waits_for_a_full_buffer() -> Json:
    client, server = tcp_pair()
    send(client, b"abc", 3, 0)
    wait_readable(server)
    end = begun(lambda: received(server, 8, MSG_WAITALL))
    pause()
    send(client, b"defgh", 5, 0)
    return end()


@topic.fact(
    "recv",
    "with MSG_WAITALL, of data that ends before the buffer is full",
    windows=["abc"],
    source=page("recv", "MSG_WAITALL: completes when the connection has been closed"),
    certainty=DOCUMENTED,
)
def waitall_ends_with_the_stream() -> Json:
    client, server = tcp_pair()
    send(client, b"abc", 3, 0)
    done(shutdown(client, SD_SEND))
    return received(server, 8, MSG_WAITALL)


@topic.fact(
    "recv",
    "with MSG_WAITALL, on a nonblocking socket and together with MSG_PEEK",
    windows=[["WSAEOPNOTSUPP", "WSAEOPNOTSUPP"]],
    source=page("recv", "MSG_WAITALL fails in nonblocking mode, and with MSG_PEEK"),
    certainty=DOCUMENTED,
    wine="MSG_WAITALL is ignored",
)
def waitall_is_refused_where_it_cannot_wait() -> Json:
    client, server = tcp_pair()
    send(client, b"abcdefgh", 8, 0)
    peeked = received_in_time(server, 8, MSG_WAITALL | MSG_PEEK)
    return [peeked, received(nonblocking(server), 8, MSG_WAITALL)]


@topic.fact(
    "recv",
    "with SO_RCVTIMEO 100, while nothing arrives, and again when data has arrived",
    windows=[["WSAETIMEDOUT", "late"]],
    source=wine("test_timeout"),
    certainty=TESTED,
)
def a_receive_times_out_and_can_be_repeated() -> Json:
    client, server = tcp_pair()
    switch(server, SOL_SOCKET, SO_RCVTIMEO, 100)
    first = received(server)
    send(client, b"late", 4, 0)
    return [first, received_in_time(server)]


@topic.fact(
    "send",
    "on a handle that was closed",
    windows=[["WSAENOTSOCK", "WSAENOTSOCK"]],
    source=wine("test_select: peek at closed socket"),
    certainty=TESTED,
)
def a_closed_stream_is_no_socket() -> Json:
    client, _ = tcp_pair()
    done(closesocket(client))
    return [answer("send", send(client, b"x", 1, 0)), answer("recv", recv(client, bytearray(1), 1, MSG_PEEK))]


@topic.fact(
    "send",
    "with MSG_OOB, on a stream that was never connected",
    windows=["WSAENOTCONN"],
    source=page("send", "errors"),
    certainty=DOCUMENTED,
    wine="it fails with WSAECONNRESET",
)
def an_urgent_send_needs_a_connection() -> Json:
    return answer("send", send(tcp(), b"!", 1, MSG_OOB))


@topic.fact(
    "recv",
    "with INVALID_SOCKET",
    windows=["WSAENOTSOCK"],
    source=page("recv", "errors"),
    certainty=DOCUMENTED,
)
def recv_with_invalid_socket_names_the_handle() -> Json:
    return answer("recv", recv(INVALID_SOCKET, bytearray(1), 1, 0))


@topic.fact(
    "send",
    "to a peer that has not read yet and to one whose buffer is read",
    windows=[["onetwo"]],
    source=page("recv", "connection-oriented sockets return as much data as is available"),
    certainty=DOCUMENTED,
)
def a_stream_has_no_message_boundaries() -> Json:
    client, server = tcp_pair()
    send(client, b"one", 3, 0)
    send(client, b"two", 3, 0)
    # Until both have arrived: the second send may still be on its way.
    while received_in_time(server, 16, MSG_PEEK) == "one":
        pass
    return [received(server)]
