"""Streams: from socket to closesocket, with what each call answers in each state."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int, sizeof
from typing import Any

import pytest
from winsock_kit import (
    Running,
    accept_from,
    await_events,
    bound,
    closed_port,
    connect_to,
    connecting,
    error_of,
    excepted,
    listener,
    loopback,
    loopback6,
    name_of,
    new,
    option,
    port_of,
    readable,
    receive_all,
    set_nonblocking,
    set_option,
    writable,
)

from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    FIONBIO,
    FIONREAD,
    INADDR_ANY,
    INADDR_LOOPBACK,
    INVALID_SOCKET,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV6_V6ONLY,
    MSG_OOB,
    MSG_PEEK,
    MSG_WAITALL,
    POLLERR,
    SD_BOTH,
    SD_RECEIVE,
    SD_SEND,
    SIOCATMARK,
    SO_ERROR,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_OOBINLINE,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_RDM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    SOMAXCONN,
    TCP_NODELAY,
    WSAEACCES,
    WSAEADDRNOTAVAIL,
    WSAEAFNOSUPPORT,
    WSAEALREADY,
    WSAECONNABORTED,
    WSAECONNREFUSED,
    WSAECONNRESET,
    WSAEHOSTUNREACH,
    WSAEINVAL,
    WSAEISCONN,
    WSAEMFILE,
    WSAENETUNREACH,
    WSAENOTCONN,
    WSAENOTSOCK,
    WSAEOPNOTSUPP,
    WSAEPROTONOSUPPORT,
    WSAESHUTDOWN,
    WSAESOCKTNOSUPPORT,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    accept,
    bind,
    closesocket,
    connect,
    getpeername,
    getsockname,
    htonl,
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
    sockaddr_in6,
    socket,
    u_long,
)

# socket

WINE_PROTOCOL = pytest.mark.wine_differs("for datagrams the protocol is looked at before the family")


@pytest.mark.parametrize(
    ("given", "type"),
    [
        ((AF_INET, SOCK_STREAM, 0), SOCK_STREAM),
        ((AF_INET, SOCK_STREAM, IPPROTO_TCP), SOCK_STREAM),
        ((AF_INET, SOCK_DGRAM, 0), SOCK_DGRAM),
        ((AF_INET, SOCK_DGRAM, IPPROTO_UDP), SOCK_DGRAM),
        ((AF_INET, 0, 0), SOCK_STREAM),
        ((AF_INET, 0, IPPROTO_TCP), SOCK_STREAM),
        ((AF_INET, 0, IPPROTO_UDP), SOCK_DGRAM),
        ((AF_INET6, SOCK_STREAM, 0), SOCK_STREAM),
        ((AF_UNSPEC, SOCK_STREAM, IPPROTO_TCP), SOCK_STREAM),
    ],
)
def test_a_type_or_protocol_of_0_follows_from_the_other(started: None, given: tuple[int, int, int], type: int) -> None:
    s = socket(*given)
    assert s != INVALID_SOCKET
    assert option(s, SO_TYPE) == type


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ((0xDEAD, SOCK_STREAM, 0), WSAEAFNOSUPPORT),
        pytest.param((-1, SOCK_DGRAM, 0xDEAD), WSAEAFNOSUPPORT, marks=WINE_PROTOCOL),
        ((10, SOCK_STREAM, 0), WSAEAFNOSUPPORT),
        ((AF_INET, 0xDEAD, 0), WSAESOCKTNOSUPPORT),
        ((AF_INET, -1, 0), WSAESOCKTNOSUPPORT),
        ((0xDEAD, 0xDEAD, 0xDEAD), WSAESOCKTNOSUPPORT),
        ((AF_INET, SOCK_SEQPACKET, 0), WSAESOCKTNOSUPPORT),
        ((AF_INET, SOCK_RDM, 0), WSAESOCKTNOSUPPORT),
        ((AF_INET, SOCK_STREAM, IPPROTO_UDP), WSAEPROTONOSUPPORT),
        ((AF_INET, SOCK_DGRAM, IPPROTO_TCP), WSAEPROTONOSUPPORT),
        ((AF_INET, SOCK_STREAM, 0xDEAD), WSAEPROTONOSUPPORT),
        ((AF_INET, SOCK_STREAM, -1), WSAEPROTONOSUPPORT),
        ((AF_INET, 0, 0xDEAD), WSAEPROTONOSUPPORT),
        ((AF_UNSPEC, SOCK_STREAM, 0), WSAEINVAL),
        ((AF_UNSPEC, 0xDEAD, 0), WSAEINVAL),
        ((AF_UNSPEC, 0xDEAD, IPPROTO_UDP), WSAESOCKTNOSUPPORT),
    ],
)
def test_socket_looks_at_the_type_then_at_the_family_then_at_the_protocol(
    started: None, given: tuple[int, int, int], error: int
) -> None:
    assert error_of(socket(*given)) == error


def test_a_closed_handle_is_not_given_to_the_next_socket_while_it_is_remembered(started: None) -> None:
    s = new()
    assert closesocket(s) == 0
    assert error_of(closesocket(s)) == WSAENOTSOCK


@pytest.mark.parametrize("s", [0, 1, 2, 3, 4711, 0xDEADBEEF, INVALID_SOCKET])
def test_any_other_number_is_no_socket_whatever_file_bears_it(started: None, s: int) -> None:
    assert error_of(closesocket(s)) == WSAENOTSOCK
    assert error_of(send(s, b"x", 1, 0)) == WSAENOTSOCK


# bind, listen


def test_bind_to_port_0_lets_the_system_choose_one(started: None) -> None:
    s = bound()
    assert port_of(s) != 0
    assert name_of(s).sin_addr.s_addr == htonl(INADDR_LOOPBACK)


def test_a_second_bind_is_wsaeinval(started: None) -> None:
    s = bound()
    before = bytes(name_of(s))
    assert error_of(bind(s, loopback(), 16)) == WSAEINVAL
    assert bytes(name_of(s)) == before


def test_a_failed_bind_leaves_the_socket_unbound(started: None) -> None:
    s = new()
    assert error_of(bind(s, loopback(host=0x08080808), 16)) == WSAEADDRNOTAVAIL
    assert error_of(getsockname(s, sockaddr_in(), c_int(16))) == WSAEINVAL
    assert bind(s, loopback(), 16) == 0


def test_bind_refuses_an_unknown_family(started: None) -> None:
    assert error_of(bind(new(), b"\xad\xde" + bytes(14), 16)) == WSAEAFNOSUPPORT


def test_the_name_of_an_unbound_socket_is_wsaeinval_and_not_written(started: None) -> None:
    name, length = bytearray(b"." * 16), c_int(16)
    assert error_of(getsockname(new(), name, length)) == WSAEINVAL
    assert (name, length.value) == (b"." * 16, 16)


def test_listen_needs_a_bound_stream(started: None) -> None:
    assert error_of(listen(new(), 1)) == WSAEINVAL
    assert error_of(listen(bound(SOCK_DGRAM), 1)) == WSAEOPNOTSUPP


@pytest.mark.parametrize("backlog", [0, 1, -1, SOMAXCONN])
def test_listen_takes_any_backlog_and_may_be_repeated(started: None, backlog: int) -> None:
    server = listener()
    assert listen(server, backlog) == 0
    connect_to(server)
    accept_from(server)


@pytest.mark.wine_differs("listen on a connected socket is WSAEINVAL")
def test_listen_on_a_connected_socket_is_wsaeisconn(pair: tuple[int, int]) -> None:
    assert error_of(listen(pair[0], 1)) == WSAEISCONN


# connect


def test_connect_and_accept_know_each_others_names(started: None) -> None:
    server = listener()
    client = connect_to(server)
    assert readable(server)
    address, length = sockaddr_in(), c_int(sizeof(sockaddr_in))
    s = accept(server, address, length)
    assert length.value == 16
    assert bytes(address) == bytes(name_of(client)) == bytes(name_of(s, getpeername))
    assert bytes(name_of(server)) == bytes(name_of(s)) == bytes(name_of(client, getpeername))


@pytest.mark.wine_differs("SO_ERROR repeats what a blocking connect has said")
def test_a_refused_blocking_connect_says_so_once(started: None) -> None:
    s = new()
    assert error_of(connect(s, closed_port(), 16)) == WSAECONNREFUSED
    assert option(s, SO_ERROR) == 0


def test_a_refused_blocking_connect_can_be_tried_again(started: None) -> None:
    s = new()
    assert error_of(connect(s, closed_port(), 16)) == WSAECONNREFUSED
    assert error_of(getpeername(s, sockaddr_in(), c_int(16))) == WSAENOTCONN
    assert connect(s, name_of(listener()), 16) == 0


def test_a_nonblocking_connect_is_wsaewouldblock_and_then_writable(started: None) -> None:
    server, s = listener(), new()
    set_nonblocking(s)
    assert error_of(connect(s, name_of(server), 16)) == WSAEWOULDBLOCK
    assert writable(s)
    assert option(s, SO_ERROR) == 0
    assert error_of(connect(s, name_of(server), 16)) == WSAEISCONN
    assert send(s, b"1", 1, 0) == 1


def test_a_refused_nonblocking_connect_shows_in_exceptfds_and_keeps_its_reason(started: None) -> None:
    s = new()
    set_nonblocking(s)
    assert error_of(connect(s, closed_port(), 16)) == WSAEWOULDBLOCK
    assert excepted(s)
    assert not writable(s, 0)
    assert option(s, SO_ERROR) == option(s, SO_ERROR) == WSAECONNREFUSED


def test_after_a_refused_nonblocking_connect_the_next_can_succeed_and_clears_the_reason(started: None) -> None:
    s = new()
    set_nonblocking(s)
    assert error_of(connect(s, closed_port(), 16)) == WSAEWOULDBLOCK
    assert excepted(s)
    assert error_of(connect(s, name_of(listener()), 16)) == WSAEWOULDBLOCK
    assert writable(s)
    assert option(s, SO_ERROR) == 0


@pytest.mark.wine_differs("listen fails after a failed connect")
def test_a_bound_socket_can_listen_after_its_connect_failed(started: None) -> None:
    s = bound()
    set_nonblocking(s)
    assert error_of(connect(s, closed_port(), 16)) == WSAEWOULDBLOCK
    assert excepted(s)
    assert listen(s, 1) == 0
    connect_to(s)


def test_connect_again_is_wsaeisconn_whichever_side_ended(pair: tuple[int, int]) -> None:
    client, server = pair
    name = name_of(client, getpeername)
    for s in pair:
        assert error_of(connect(s, name, 16)) == WSAEISCONN
    assert shutdown(client, SD_SEND) == 0
    assert error_of(connect(client, name, 16)) == WSAEISCONN
    assert readable(server)
    assert error_of(connect(server, name, 16)) == WSAEISCONN


def test_connect_on_a_listener_is_wsaeinval(started: None) -> None:
    server = listener()
    assert error_of(connect(server, name_of(server), 16)) == WSAEINVAL


@pytest.mark.wine_differs("it tries to connect there")
@pytest.mark.parametrize("name", [loopback(0), loopback(80, INADDR_ANY)])
def test_nobody_can_connect_to_port_0_or_to_no_address(started: None, name: sockaddr_in) -> None:
    s = new()
    assert error_of(connect(s, name, 16)) == WSAEADDRNOTAVAIL
    assert connect(s, name_of(listener()), 16) == 0


@pytest.mark.wine_differs("connect says WSAEADDRNOTAVAIL of an unknown family")
def test_connect_refuses_an_unknown_family(started: None) -> None:
    assert error_of(connect(new(), b"\xad\xde" + bytes(14), 16)) == WSAEAFNOSUPPORT


def test_connect_binds(pair: tuple[int, int]) -> None:
    for s in pair:
        assert error_of(bind(s, loopback(), 16)) == WSAEINVAL


def test_an_ipv6_stream_works_as_an_ipv4_one(started: None) -> None:
    server = bound(SOCK_STREAM, loopback6())
    name, length = sockaddr_in6(), c_int(28)
    assert getsockname(server, name, length) == 0
    assert (length.value, name.sin6_family) == (28, AF_INET6)
    assert listen(server, 1) == 0
    client = new(SOCK_STREAM, AF_INET6)
    assert connect(client, name, 28) == 0
    s = accept_from(server)
    assert send(client, b"six", 3, 0) == 3
    assert receive_all(s, 3) == b"six"


def test_while_connecting_the_socket_has_its_names_and_no_connection_yet(started: None) -> None:
    s = connecting()
    peer = name_of(s, getpeername)
    assert error_of(connect(s, peer, 16)) == WSAEALREADY
    assert error_of(connect(s, loopback(1), 16)) == WSAEALREADY
    assert error_of(bind(s, loopback(), 16)) == WSAEINVAL
    assert port_of(s) != 0
    assert error_of(shutdown(s, SD_SEND)) == WSAENOTCONN


@pytest.mark.wine_differs("send says WSAECONNRESET while connecting")
def test_while_connecting_nothing_can_be_sent_or_received(started: None) -> None:
    assert transfers(connecting()) == [WSAENOTCONN] * 4


def test_an_ipv6_socket_reaches_no_ipv4_address_unless_it_is_dual_stack(started: None) -> None:
    server = listener()
    name = loopback6(port_of(server))
    name.sin6_addr.s6_addr = bytes(10) + b"\xff\xff\x7f\0\0\1"
    s = new(SOCK_STREAM, AF_INET6)
    assert error_of(connect(s, name, 28)) in (WSAENETUNREACH, WSAEADDRNOTAVAIL, WSAEHOSTUNREACH, WSAEAFNOSUPPORT)
    dual = new(SOCK_STREAM, AF_INET6)
    set_option(dual, IPV6_V6ONLY, 0, IPPROTO_IPV6)
    assert connect(dual, name, 28) == 0


def test_a_raw_socket_is_made_or_needs_a_privilege(started: None) -> None:
    s = socket(AF_INET, SOCK_RAW, 1)
    assert s != INVALID_SOCKET or WSAGetLastError() == WSAEACCES


@pytest.mark.posix_only("Windows has no limit that a test could lower")
def test_too_many_open_sockets_are_wsaemfile_and_a_connection_then_waits(started: None) -> None:
    import resource

    server = listener()
    set_nonblocking(server)
    connect_to(server)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        sockets = [socket(AF_INET, SOCK_DGRAM, 0) for _ in range(256)]
        error = WSAGetLastError()
        accepted = error_of(accept(server, None, None))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sockets[-1] == INVALID_SOCKET
    assert error == accepted == WSAEMFILE
    accept_from(server)


# accept


def test_accept_needs_a_listening_stream(started: None) -> None:
    assert error_of(accept(new(), None, None)) == WSAEINVAL
    assert error_of(accept(bound(), None, None)) == WSAEINVAL
    assert error_of(accept(bound(SOCK_DGRAM), None, None)) == WSAEOPNOTSUPP


def test_a_nonblocking_accept_without_a_connection_is_wsaewouldblock(started: None) -> None:
    server = listener()
    set_nonblocking(server)
    assert error_of(accept(server, None, None)) == WSAEWOULDBLOCK


@pytest.mark.parametrize("given", [(True, False), (False, True)])
def test_accept_tells_no_address_where_either_argument_is_null(started: None, given: tuple[bool, bool]) -> None:
    server = listener()
    connect_to(server)
    assert readable(server)
    address, length = bytearray(b"." * 16), c_int(16)
    assert accept(server, address if given[0] else None, length if given[1] else None) != INVALID_SOCKET
    assert address == b"." * 16


def test_an_accepted_socket_inherits_the_listeners_mode(started: None) -> None:
    server = listener()
    set_nonblocking(server)
    connect_to(server)
    assert error_of(recv(accept_from(server), bytearray(1), 1, 0)) == WSAEWOULDBLOCK


def test_an_accepted_socket_inherits_the_listeners_options_as_they_were_given(started: None) -> None:
    server = listener()
    for number, value in ((SO_KEEPALIVE, 1), (SO_RCVBUF, 4711), (SO_RCVTIMEO, 123), (SO_OOBINLINE, 1)):
        set_option(server, number, value)
    set_option(server, TCP_NODELAY, 1, IPPROTO_TCP)
    connect_to(server)
    s = accept_from(server)
    assert [option(s, number) for number in (SO_KEEPALIVE, SO_RCVBUF, SO_RCVTIMEO, SO_OOBINLINE)] == [1, 4711, 123, 1]
    assert option(s, TCP_NODELAY, IPPROTO_TCP) == 1


def test_an_accepted_socket_of_a_listener_without_options_has_the_defaults(started: None) -> None:
    server = socket(AF_INET, SOCK_STREAM, 0)
    assert bind(server, loopback(), 16) == 0
    assert listen(server, 1) == 0
    connect_to(server)
    s = accept_from(server)
    assert [option(s, number) for number in (SO_KEEPALIVE, SO_RCVTIMEO, SO_OOBINLINE)] == [0, 0, 0]


def test_a_closed_listener_resets_who_was_not_accepted(started: None) -> None:
    server = listener()
    client = connect_to(server)
    assert closesocket(server) == 0
    assert readable(client)
    assert error_of(recv(client, bytearray(1), 1, 0)) == WSAECONNRESET


# send, recv


def test_bytes_arrive_in_order_and_in_any_pieces(pair: tuple[int, int]) -> None:
    client, server = pair
    assert [send(client, data, len(data), 0) for data in (b"one", b"two", b"three")] == [3, 3, 5]
    assert receive_all(server, 11) == b"onetwothree"


def test_recv_gives_what_is_there_up_to_its_length(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"12345", 5, 0) == 5
    data = bytearray(8)
    assert recv(server, data, 2, 0) == 2
    assert recv(server, memoryview(data)[2:], 6, 0) == 3
    assert data == b"12345\0\0\0"


def test_a_nonblocking_recv_without_data_is_wsaewouldblock(pair: tuple[int, int]) -> None:
    set_nonblocking(pair[0])
    assert error_of(recv(pair[0], bytearray(1), 1, 0)) == WSAEWOULDBLOCK


def test_peeking_leaves_the_data(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"data", 4, 0) == 4
    for flags in (MSG_PEEK, MSG_PEEK, 0):
        data = bytearray(4)
        assert recv(server, data, 4, flags) == 4
        assert data == b"data"


def test_fionread_counts_what_waits(pair: tuple[int, int]) -> None:
    client, server = pair
    waiting = u_long(4711)
    assert ioctlsocket(server, FIONREAD, waiting) == 0
    assert waiting.value == 0
    assert send(client, b"12345", 5, 0) == 5
    assert readable(server)
    assert ioctlsocket(server, FIONREAD, waiting) == 0
    assert waiting.value == 5


def test_recv_of_nothing_is_0_where_data_waits_and_leaves_it(pair: tuple[int, int]) -> None:
    client, server = pair
    set_nonblocking(server)
    assert send(client, b"1", 1, 0) == 1
    assert readable(server)
    assert recv(server, bytearray(1), 0, 0) == 0
    assert recv(server, bytearray(1), 1, 0) == 1


@pytest.mark.wine_differs("MSG_WAITALL is ignored")
def test_waiting_for_all_fills_the_buffer_from_several_sends(pair: tuple[int, int]) -> None:
    client, server = pair
    data = bytearray(4)
    receiving = Running(lambda: recv(server, data, 4, MSG_WAITALL))
    assert send(client, b"12", 2, 0) == 2
    assert send(client, b"34", 2, 0) == 2
    assert receiving.result() == 4
    assert data == b"1234"


def test_waiting_for_all_ends_at_the_streams_end(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"123", 3, 0) == 3
    assert shutdown(client, SD_SEND) == 0
    data = bytearray(8)
    assert recv(server, data, 8, MSG_WAITALL) == 3
    assert data == b"123\0\0\0\0\0"


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(MSG_WAITALL | MSG_PEEK, marks=pytest.mark.wine_differs("MSG_WAITALL is ignored")),
        pytest.param(MSG_WAITALL | MSG_OOB, marks=pytest.mark.wine_differs("MSG_WAITALL makes it wait", run=False)),
    ],
)
def test_waiting_for_all_goes_with_no_other_flag(pair: tuple[int, int], flags: int) -> None:
    assert send(pair[0], b"12", 2, 0) == 2
    assert readable(pair[1])
    assert error_of(recv(pair[1], bytearray(2), 2, flags)) == WSAEOPNOTSUPP


@pytest.mark.wine_differs("unknown flags are ignored")
def test_unknown_flags_are_refused(pair: tuple[int, int]) -> None:
    assert error_of(send(pair[0], b"1", 1, 0x4000)) in (WSAEOPNOTSUPP, WSAEINVAL)
    assert error_of(recv(pair[0], bytearray(1), 1, 0x4000)) in (WSAEOPNOTSUPP, WSAEINVAL)


def test_recvfrom_on_a_stream_leaves_the_address_alone(pair: tuple[int, int]) -> None:
    assert send(pair[0], b"1", 1, 0) == 1
    address, length = bytearray(b"." * 16), c_int(16)
    assert recvfrom(pair[1], bytearray(1), 1, 0, address, length) == 1
    assert (address, length.value) == (b"." * 16, 16)


def test_sendto_on_a_stream_ignores_the_address(pair: tuple[int, int]) -> None:
    for address in (loopback(1), b"\xff" * 16, None):
        assert sendto(pair[0], b"1", 1, 0, address, 16) == 1
    assert receive_all(pair[1], 3) == b"111"


def transfers(s: int) -> list[int]:
    """What each call that moves bytes answers, at once."""
    set_nonblocking(s)
    return [
        error_of(send(s, b"1", 1, 0)),
        error_of(recv(s, bytearray(1), 1, 0)),
        error_of(sendto(s, b"1", 1, 0, loopback(1), 16)),
        error_of(recvfrom(s, bytearray(1), 1, 0, None, None)),
    ]


@pytest.mark.wine_differs("send on a stream that was never connected is WSAECONNRESET")
@pytest.mark.parametrize("make", [new, bound, listener])
def test_a_stream_that_was_never_connected_is_wsaenotconn(started: None, make: Callable[[], int]) -> None:
    s = make()
    assert transfers(s) == [WSAENOTCONN] * 4


@pytest.mark.parametrize("make", [new, bound, listener])
def test_a_stream_that_was_never_connected_has_no_peer_and_no_end(started: None, make: Callable[[], int]) -> None:
    s = make()
    assert error_of(getpeername(s, sockaddr_in(), c_int(16))) == WSAENOTCONN
    for how in (SD_RECEIVE, SD_SEND, SD_BOTH):
        assert error_of(shutdown(s, how)) == WSAENOTCONN


@pytest.mark.wine_differs("recv says 0 after a failed connect")
def test_a_stream_whose_connect_failed_is_wsaenotconn(started: None) -> None:
    s = new()
    assert error_of(connect(s, closed_port(), 16)) == WSAECONNREFUSED
    assert transfers(s) == [WSAENOTCONN] * 4


def test_a_listener_goes_on_listening_after_a_refused_shutdown(started: None) -> None:
    server = listener()
    assert error_of(shutdown(server, SD_BOTH)) == WSAENOTCONN
    connect_to(server)
    accept_from(server)


def test_a_nonblocking_send_that_finds_no_room_is_wsaewouldblock_and_goes_on_once_there_is(
    pair: tuple[int, int],
) -> None:
    client, server = pair
    set_nonblocking(client)
    block, sent = bytes(1 << 18), 0
    while (count := send(client, block, len(block), 0)) >= 0:
        assert count > 0
        sent += count
        assert sent < 1 << 30
    assert WSAGetLastError() == WSAEWOULDBLOCK
    room = bytearray(1 << 18)
    while sent:
        count = recv(server, room, len(room), 0)
        assert count > 0, error_of(count)
        sent -= count
    assert writable(client)


def test_a_blocking_send_sends_all_of_it(pair: tuple[int, int]) -> None:
    client, server = pair
    data = bytes(range(256)) * (1 << 14)
    sending = Running(lambda: send(client, data, len(data), 0))
    assert receive_all(server, len(data)) == data
    assert sending.result() == len(data)


# shutdown, the end, a reset


@pytest.mark.parametrize("how", [SD_SEND, SD_BOTH])
def test_after_shutting_down_sending_send_is_wsaeshutdown_and_the_peer_reads_the_end(
    pair: tuple[int, int], how: int
) -> None:
    client, server = pair
    assert send(client, b"last", 4, 0) == 4
    assert shutdown(client, how) == 0
    assert error_of(send(client, b"1", 1, 0)) == WSAESHUTDOWN
    assert error_of(sendto(client, b"1", 1, 0, None, 0)) == WSAESHUTDOWN
    assert receive_all(server, 8) == b"last"
    assert [recv(server, bytearray(8), 8, 0) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("how", [SD_RECEIVE, SD_BOTH])
def test_after_shutting_down_receiving_recv_is_wsaeshutdown_whatever_waits_or_comes(
    pair: tuple[int, int], how: int
) -> None:
    client, server = pair
    assert send(server, b"before", 6, 0) == 6
    assert readable(client)
    assert shutdown(client, how) == 0
    assert error_of(recv(client, bytearray(6), 6, 0)) == WSAESHUTDOWN
    assert send(server, b"after", 5, 0) == 5
    assert error_of(recv(client, bytearray(6), 6, 0)) == WSAESHUTDOWN


def test_one_direction_goes_on_when_the_other_is_shut_down(pair: tuple[int, int]) -> None:
    client, server = pair
    assert shutdown(client, SD_SEND) == 0
    assert send(server, b"1", 1, 0) == 1
    assert recv(client, bytearray(1), 1, 0) == 1


def test_shutdown_may_be_repeated_also_after_the_peers_end(pair: tuple[int, int]) -> None:
    client, server = pair
    for how in (SD_SEND, SD_SEND, SD_RECEIVE, SD_BOTH, SD_BOTH):
        assert shutdown(client, how) == 0
    assert readable(server)
    assert shutdown(server, SD_BOTH) == 0


@pytest.mark.parametrize("how", [-1, 3, 0x7FFFFFFF])
def test_shutdown_knows_three_directions(pair: tuple[int, int], how: int) -> None:
    assert error_of(shutdown(pair[0], how)) == WSAEINVAL


def test_both_names_are_known_after_both_sides_have_ended(pair: tuple[int, int]) -> None:
    client, server = pair
    names = bytes(name_of(client)), bytes(name_of(client, getpeername))
    assert shutdown(client, SD_BOTH) == 0
    assert closesocket(server) == 0
    assert writable(client)
    assert (bytes(name_of(client)), bytes(name_of(client, getpeername))) == names


def reset(s: int) -> None:
    """Closes a stream so that its peer is reset."""
    assert setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 0), sizeof(linger)) == 0
    assert closesocket(s) == 0


def test_after_a_reset_every_call_says_so_each_time(pair: tuple[int, int]) -> None:
    client, server = pair
    reset(server)
    assert readable(client)
    for _ in range(2):
        assert transfers(client) == [WSAECONNRESET] * 4
    assert option(client, SO_ERROR) == 0


@pytest.mark.parametrize("mode", [0, 1])
def test_recv_itself_finds_a_reset_before_anyone_has_asked(pair: tuple[int, int], mode: int) -> None:
    client, server = pair
    reset(server)
    if mode:
        assert readable(client)
        set_nonblocking(client)
    assert error_of(recv(client, bytearray(1), 1, 0)) == WSAECONNRESET


def test_send_itself_finds_a_reset_before_anyone_has_asked(pair: tuple[int, int]) -> None:
    client, server = pair
    reset(server)
    results = [send(client, b"1", 1, 0) for _ in range(100)]
    assert results[-1] == SOCKET_ERROR
    assert WSAGetLastError() == WSAECONNRESET


def test_after_a_reset_shutdown_succeeds_or_says_so_and_the_socket_can_be_closed(pair: tuple[int, int]) -> None:
    client, server = pair
    reset(server)
    assert readable(client)
    assert shutdown(client, SD_SEND) == 0 or WSAGetLastError() in (WSAECONNRESET, WSAECONNABORTED)
    assert closesocket(client) == 0


def test_closing_with_unread_data_resets_the_peer(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"unread", 6, 0) == 6
    assert readable(server)
    assert closesocket(server) == 0
    assert readable(client)
    assert error_of(recv(client, bytearray(1), 1, 0)) == WSAECONNRESET


def test_data_sent_to_a_peer_that_has_closed_breaks_the_connection_off(pair: tuple[int, int]) -> None:
    client, server = pair
    assert closesocket(server) == 0
    assert readable(client)
    assert send(client, b"too late", 8, 0) == 8
    await_events(client, POLLERR)
    assert error_of(recv(client, bytearray(1), 1, 0)) in (WSAECONNABORTED, WSAECONNRESET)
    assert error_of(send(client, b"1", 1, 0)) in (WSAECONNABORTED, WSAECONNRESET)


# Out-of-band data


def test_an_urgent_byte_is_read_apart_from_the_others(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"12!", 3, MSG_OOB) == 3
    assert excepted(server)
    urgent = bytearray(4)
    assert recv(server, urgent, 4, MSG_OOB) == 1
    assert urgent == b"!\0\0\0"
    assert receive_all(server, 2) == b"12"


@pytest.mark.wine_differs("SIOCATMARK is BSD's")
def test_siocatmark_is_0_while_an_urgent_byte_waits(pair: tuple[int, int]) -> None:
    client, server = pair
    mark = u_long(4711)
    assert ioctlsocket(server, SIOCATMARK, mark) == 0
    assert mark.value == 1
    assert send(client, b"12!", 3, MSG_OOB) == 3
    assert excepted(server)
    assert ioctlsocket(server, SIOCATMARK, mark) == 0
    assert mark.value == 0
    assert recv(server, bytearray(1), 1, MSG_OOB) == 1
    assert ioctlsocket(server, SIOCATMARK, mark) == 0
    assert mark.value == 1


def test_siocatmark_is_1_where_urgent_bytes_are_inline(pair: tuple[int, int]) -> None:
    client, server = pair
    set_option(server, SO_OOBINLINE, 1)
    mark = u_long(4711)
    assert send(client, b"!", 1, MSG_OOB) == 1
    assert readable(server)
    assert ioctlsocket(server, SIOCATMARK, mark) == 0
    assert mark.value == 1


@pytest.mark.parametrize(
    "mode", [1, pytest.param(0, marks=pytest.mark.wine_differs("a blocking recv waits for it", run=False))]
)
def test_no_urgent_byte_is_wsaewouldblock_whether_the_socket_blocks_or_not(pair: tuple[int, int], mode: int) -> None:
    set_nonblocking(pair[0], mode)
    assert error_of(recv(pair[0], bytearray(1), 1, MSG_OOB)) == WSAEWOULDBLOCK
    assert send(pair[1], b"!", 1, MSG_OOB) == 1
    assert excepted(pair[0])
    assert recv(pair[0], bytearray(1), 1, MSG_OOB) == 1
    assert error_of(recv(pair[0], bytearray(1), 1, MSG_OOB)) == WSAEWOULDBLOCK


def test_an_urgent_byte_kept_inline_comes_with_the_others(pair: tuple[int, int]) -> None:
    client, server = pair
    set_option(server, SO_OOBINLINE, 1)
    assert send(client, b"12!", 3, MSG_OOB) == 3
    assert receive_all(server, 3) == b"12!"
    assert error_of(recv(server, bytearray(1), 1, MSG_OOB)) == WSAEINVAL


# ioctlsocket


def test_any_nonzero_number_makes_a_socket_nonblocking_and_0_blocking_again(pair: tuple[int, int]) -> None:
    set_option(pair[0], SO_RCVTIMEO, 1)
    for value, error in ((1, WSAEWOULDBLOCK), (0, WSAETIMEDOUT), (0x80000000, WSAEWOULDBLOCK), (0, WSAETIMEDOUT)):
        mode = u_long(value)
        assert ioctlsocket(pair[0], FIONBIO, mode) == 0
        assert mode.value == value
        if error == WSAEWOULDBLOCK:
            assert error_of(recv(pair[0], bytearray(1), 1, 0)) == error


@pytest.mark.parametrize("command", [0, 1, -1, 0x4004667E, 0x12345678])
def test_other_commands_are_refused(started: None, command: int) -> None:
    assert error_of(ioctlsocket(new(), command, u_long(0))) == WSAEOPNOTSUPP


def test_nothing_waits_on_a_listener(started: None) -> None:
    server = listener()
    connect_to(server)
    assert readable(server)
    waiting = u_long(4711)
    assert ioctlsocket(server, FIONREAD, waiting) == 0
    assert waiting.value == 0


@pytest.mark.parametrize("make", [new, listener])
def test_a_stream_without_a_connection_is_at_the_mark(started: None, make: Callable[[], Any]) -> None:
    mark = u_long(0)
    assert ioctlsocket(make(), SIOCATMARK, mark) == 0
    assert mark.value == 1
