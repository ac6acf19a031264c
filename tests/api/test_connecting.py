"""connect and accept: success, refusal, connect in progress, and what the accepted socket inherits."""

from __future__ import annotations

import threading
from ctypes import c_int, sizeof

import pytest
from winsock_kit import (
    LIMIT_SECONDS,
    Running,
    accept_from,
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
    transfers,
    writable,
)

from winsock import (
    AF_INET,
    AF_INET6,
    INADDR_ANY,
    INVALID_SOCKET,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_V6ONLY,
    MSG_OOB,
    SD_SEND,
    SO_ERROR,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_OOBINLINE,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_NODELAY,
    WSAEACCES,
    WSAEADDRNOTAVAIL,
    WSAEAFNOSUPPORT,
    WSAEALREADY,
    WSAECONNREFUSED,
    WSAECONNRESET,
    WSAEHOSTUNREACH,
    WSAEINVAL,
    WSAEISCONN,
    WSAEMFILE,
    WSAENETUNREACH,
    WSAENOTCONN,
    WSAEOPNOTSUPP,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    accept,
    bind,
    closesocket,
    connect,
    getpeername,
    getsockname,
    linger,
    listen,
    recv,
    send,
    setsockopt,
    shutdown,
    sockaddr_in,
    sockaddr_in6,
    socket,
)

# connect


def test_connect_and_accept_have_each_others_address(started: None) -> None:
    server = listener()
    client = connect_to(server)
    assert readable(server)
    address, length = sockaddr_in(), c_int(sizeof(sockaddr_in))
    s = accept(server, address, length)
    assert length.value == 16
    assert bytes(address) == bytes(name_of(client)) == bytes(name_of(s, getpeername))
    assert bytes(name_of(server)) == bytes(name_of(s)) == bytes(name_of(client, getpeername))


@pytest.mark.wine_differs("SO_ERROR returns the error of a blocking connect again")
def test_a_refused_blocking_connect_is_reported_once(started: None) -> None:
    s = new()
    assert error_of(connect(s, closed_port(), 16)) == WSAECONNREFUSED
    assert option(s, SO_ERROR) == 0


def test_a_refused_blocking_connect_can_be_tried_again(started: None) -> None:
    s = new()
    assert error_of(connect(s, closed_port(), 16)) == WSAECONNREFUSED
    assert error_of(getpeername(s, sockaddr_in(), c_int(16))) == WSAENOTCONN
    assert connect(s, name_of(listener()), 16) == 0


def test_a_nonblocking_connect_is_wsaewouldblock_until_the_socket_is_writable(started: None) -> None:
    server, s = listener(), new()
    set_nonblocking(s)
    assert error_of(connect(s, name_of(server), 16)) == WSAEWOULDBLOCK
    assert writable(s)
    assert option(s, SO_ERROR) == 0
    assert error_of(connect(s, name_of(server), 16)) == WSAEISCONN
    assert send(s, b"1", 1, 0) == 1


def test_a_refused_nonblocking_connect_is_in_exceptfds_and_so_error_has_the_reason(started: None) -> None:
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


def test_a_second_connect_is_wsaeisconn_even_after_either_side_has_ended(pair: tuple[int, int]) -> None:
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


@pytest.mark.wine_differs("connect tries to connect to port 0 and to 0.0.0.0")
@pytest.mark.parametrize("name", [loopback(0), loopback(80, INADDR_ANY)])
def test_connect_to_port_0_or_to_an_address_of_zeros_is_wsaeaddrnotavail(started: None, name: sockaddr_in) -> None:
    s = new()
    assert error_of(connect(s, name, 16)) == WSAEADDRNOTAVAIL
    assert connect(s, name_of(listener()), 16) == 0


@pytest.mark.wine_differs("connect to an unknown address family fails with WSAEADDRNOTAVAIL")
def test_connect_rejects_an_unknown_family(started: None) -> None:
    assert error_of(connect(new(), b"\xad\xde" + bytes(14), 16)) == WSAEAFNOSUPPORT


def test_connect_binds_an_unbound_socket(pair: tuple[int, int]) -> None:
    for s in pair:
        assert error_of(bind(s, loopback(), 16)) == WSAEINVAL


def test_an_ipv6_stream_works_like_an_ipv4_stream(started: None) -> None:
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


def test_while_connecting_the_socket_has_its_addresses_but_no_connection(started: None) -> None:
    s = connecting()
    peer = name_of(s, getpeername)
    assert error_of(connect(s, peer, 16)) == WSAEALREADY
    assert error_of(connect(s, loopback(1), 16)) == WSAEALREADY
    assert error_of(bind(s, loopback(), 16)) == WSAEINVAL
    assert port_of(s) != 0
    assert error_of(shutdown(s, SD_SEND)) == WSAENOTCONN


@pytest.mark.wine_differs("send fails with WSAECONNRESET while the socket is connecting")
def test_while_connecting_nothing_can_be_sent_or_received(started: None) -> None:
    assert transfers(connecting()) == [WSAENOTCONN] * 4


def test_an_ipv6_socket_connects_to_ipv4_addresses_only_if_it_is_dual_stack(started: None) -> None:
    server = listener()
    name = loopback6(port_of(server))
    name.sin6_addr.s6_addr = bytes(10) + b"\xff\xff\x7f\0\0\1"
    s = new(SOCK_STREAM, AF_INET6)
    assert error_of(connect(s, name, 28)) in (WSAENETUNREACH, WSAEADDRNOTAVAIL, WSAEHOSTUNREACH, WSAEAFNOSUPPORT)
    dual = new(SOCK_STREAM, AF_INET6)
    set_option(dual, IPV6_V6ONLY, 0, IPPROTO_IPV6)
    assert connect(dual, name, 28) == 0


def test_a_raw_socket_is_created_or_is_wsaeacces(started: None) -> None:
    s = socket(AF_INET, SOCK_RAW, 1)
    assert s != INVALID_SOCKET or WSAGetLastError() == WSAEACCES


@pytest.mark.posix_only("Windows has no limit that a test could lower")
def test_too_many_open_sockets_are_wsaemfile_and_the_connection_keeps_waiting(started: None) -> None:
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


def test_accept_requires_a_listening_stream_socket(started: None) -> None:
    assert error_of(accept(new(), None, None)) == WSAEINVAL
    assert error_of(accept(bound(), None, None)) == WSAEINVAL
    assert error_of(accept(bound(SOCK_DGRAM), None, None)) == WSAEOPNOTSUPP


def test_a_nonblocking_accept_without_a_connection_is_wsaewouldblock(started: None) -> None:
    server = listener()
    set_nonblocking(server)
    assert error_of(accept(server, None, None)) == WSAEWOULDBLOCK


@pytest.mark.parametrize("given", [(True, False), (False, True)])
def test_accept_returns_no_address_if_either_argument_is_null(started: None, given: tuple[bool, bool]) -> None:
    server = listener()
    connect_to(server)
    assert readable(server)
    address, length = bytearray(b"." * 16), c_int(16)
    assert accept(server, address if given[0] else None, length if given[1] else None) != INVALID_SOCKET
    assert address == b"." * 16


def test_an_accepted_socket_inherits_the_mode_of_the_listener(started: None) -> None:
    server = listener()
    set_nonblocking(server)
    connect_to(server)
    assert error_of(recv(accept_from(server), bytearray(1), 1, 0)) == WSAEWOULDBLOCK


def test_an_accepted_socket_inherits_the_options_of_the_listener_as_they_were_set(started: None) -> None:
    server = listener()
    for number, value in ((SO_KEEPALIVE, 1), (SO_RCVBUF, 4711), (SO_RCVTIMEO, 123), (SO_OOBINLINE, 1)):
        set_option(server, number, value)
    set_option(server, TCP_NODELAY, 1, IPPROTO_TCP)
    connect_to(server)
    s = accept_from(server)
    assert [option(s, number) for number in (SO_KEEPALIVE, SO_RCVBUF, SO_RCVTIMEO, SO_OOBINLINE)] == [1, 4711, 123, 1]
    assert option(s, TCP_NODELAY, IPPROTO_TCP) == 1


@pytest.mark.wine_differs("a client that is in the queue keeps the options that the listener had before")
@pytest.mark.parametrize("linger_before", [False, True])
def test_so_linger_of_the_listener_holds_for_a_client_that_came_before(started: None, linger_before: bool) -> None:
    server = listener()
    assert setsockopt(server, SOL_SOCKET, SO_LINGER, linger(linger_before, 0), sizeof(linger)) == 0
    client = connect_to(server)
    assert readable(server)
    assert setsockopt(server, SOL_SOCKET, SO_LINGER, linger(not linger_before, 0), sizeof(linger)) == 0
    assert closesocket(accept_from(server)) == 0
    result = recv(client, bytearray(1), 1, 0)
    assert result == 0 if linger_before else error_of(result) == WSAECONNRESET


@pytest.mark.wine_differs("a client that is in the queue keeps the options that the listener had before")
def test_so_oobinline_of_the_listener_holds_for_a_client_that_came_before(started: None) -> None:
    server = listener()
    client = connect_to(server)
    assert readable(server)
    set_option(server, SO_OOBINLINE, 1)
    s, received = accept_from(server), bytearray(2)
    assert send(client, b"!", 1, MSG_OOB) == 1
    assert readable(s)
    assert (recv(s, received, 2, 0), received) == (1, b"!\0")


def test_an_accepted_socket_of_a_listener_without_options_has_the_defaults(started: None) -> None:
    server = socket(AF_INET, SOCK_STREAM, 0)
    assert bind(server, loopback(), 16) == 0
    assert listen(server, 1) == 0
    connect_to(server)
    s = accept_from(server)
    assert [option(s, number) for number in (SO_KEEPALIVE, SO_RCVTIMEO, SO_OOBINLINE)] == [0, 0, 0]


def test_closing_a_listener_resets_connections_that_were_not_accepted(started: None) -> None:
    server = listener()
    client = connect_to(server)
    assert closesocket(server) == 0
    assert readable(client)
    assert error_of(recv(client, bytearray(1), 1, 0)) == WSAECONNRESET


def errors_of_simultaneous_connects(s: int, name: sockaddr_in) -> list[int]:
    """The errors of two threads that connect the same socket; 0 where connect succeeds."""
    ready = threading.Barrier(2)

    def error() -> int:
        ready.wait(LIMIT_SECONDS)
        return WSAGetLastError() if connect(s, name, 16) else 0

    return [running.result() for running in [Running(error), Running(error)]]


@pytest.mark.wine_differs("the second connect may fail with WSAEINVAL")
def test_of_two_threads_that_connect_a_socket_one_succeeds_and_the_other_is_refused(started: None) -> None:
    server = listener()
    for _ in range(40):
        s = new()
        succeeded, refused = sorted(errors_of_simultaneous_connects(s, name_of(server)))
        assert succeeded == 0
        assert refused in (WSAEALREADY, WSAEISCONN)
        assert send(s, b"1", 1, 0) == 1
        closesocket(s)
        closesocket(accept_from(server))


@pytest.mark.wine_differs("the second connect may fail with WSAEINVAL")
def test_of_two_threads_that_connect_to_a_closed_port_none_succeeds(started: None) -> None:
    name = closed_port()
    for _ in range(40):
        s = new()
        assert set(errors_of_simultaneous_connects(s, name)) <= {WSAECONNREFUSED, WSAEALREADY}
        closesocket(s)
