"""Two sockets on one port: which second bind succeeds, by the options and addresses of both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_int

import pytest
from winsock_kit import (
    accept_from,
    bound,
    connect_to,
    error_of,
    listener,
    loopback,
    loopback6,
    name_of,
    new,
    port_of,
    readable,
)

from winsock import (
    AF_INET6,
    INADDR_ANY,
    INADDR_LOOPBACK,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_EXCLUSIVEADDRUSE,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    WSAEACCES,
    WSAEADDRINUSE,
    WSAGetLastError,
    bind,
    closesocket,
    getsockname,
    htons,
    listen,
    ntohs,
    setsockopt,
    sockaddr_in6,
)

USES = {"default": None, "reuse": SO_REUSEADDR, "exclusive": SO_EXCLUSIVEADDRUSE}
HOSTS = {"any": INADDR_ANY, "one": INADDR_LOOPBACK}

# The result of the second bind: 0, U for WSAEADDRINUSE, A for WSAEACCES. Rows are the first socket, columns the second:
# default any, default one, reuse any, reuse one, exclusive any, exclusive one.
RESULTS = {
    "default any": "U0A0U0",
    "default one": "0U0AUU",
    "reuse any": "U000U0",
    "reuse one": "0U00UU",
    "exclusive any": "UAAAUA",
    "exclusive one": "0U0AUU",
}
ERRORS = {"U": WSAEADDRINUSE, "A": WSAEACCES}
CASES = [
    pytest.param(
        first,
        f"{use} {host}",
        result,
        marks=pytest.mark.wine_differs("bind fails with WSAEACCES if an exclusive wildcard socket has the port")
        if first == "exclusive any" and result == "U"
        else (),
    )
    for first, results in RESULTS.items()
    for (use, host), result in zip([(use, host) for use in USES for host in HOSTS], results, strict=True)
]


def made(kind: str, type: int = SOCK_STREAM) -> tuple[int, int]:
    """A socket with the options of its kind, and the address to bind it to."""
    use, host = kind.split()
    s = new(type)
    option = USES[use]
    if option is not None:
        assert setsockopt(s, SOL_SOCKET, option, c_int(1), 4) == 0
    return s, HOSTS[host]


def succeeds(attempt: Callable[[], int]) -> bool:
    """Whether one of ten attempts to bind to a given port returns 0; each attempt makes sockets with a new port.

    The system chooses a port that is free for one protocol, address family and address. Another process may use it with
    others, so a single attempt may fail.
    """
    return any(attempt() == 0 for _ in range(10))


@pytest.mark.parametrize(("first", "second", "result"), CASES)
def test_which_second_bind_succeeds_depends_on_the_options_of_both_sockets(
    started: None, first: str, second: str, result: str
) -> None:
    def second_bind() -> int:
        (holder, host), (other, other_host) = made(first), made(second)
        assert bind(holder, loopback(0, host), 16) == 0
        return bind(other, loopback(port_of(holder), other_host), 16)

    if result == "0":
        assert succeeds(second_bind), WSAGetLastError()
    else:
        assert error_of(second_bind()) == ERRORS[result]


def test_a_socket_whose_bind_failed_can_be_bound_to_another_address(started: None) -> None:
    holder, s = bound(), new()
    assert error_of(bind(s, name_of(holder), 16)) == WSAEADDRINUSE
    assert bind(s, loopback(), 16) == 0


def test_a_port_is_free_again_once_its_socket_is_closed(started: None) -> None:
    def bind_again() -> int:
        holder = bound()
        name = name_of(holder)
        assert closesocket(holder) == 0
        return bind(new(), name, 16)

    assert succeeds(bind_again)  # another process may take the free port


def test_streams_and_datagrams_have_their_own_ports(started: None) -> None:
    assert succeeds(lambda: bind(new(SOCK_DGRAM), name_of(bound()), 16))


@pytest.mark.parametrize(
    ("first", "second", "errors"),
    [
        ("default", "default", {WSAEADDRINUSE}),
        ("default", "reuse", {WSAEACCES}),
        ("reuse", "default", {WSAEADDRINUSE}),
        ("reuse", "reuse", {0}),
        ("exclusive", "reuse", {WSAEACCES}),
    ],
)
def test_datagram_sockets_share_a_port_if_both_allow_it(
    started: None, first: str, second: str, errors: set[int]
) -> None:
    holder, s = made(f"{first} one", SOCK_DGRAM)[0], made(f"{second} one", SOCK_DGRAM)[0]
    assert bind(holder, loopback(), 16) == 0
    result = bind(s, name_of(holder), 16)
    assert (error_of(result) if result else 0) in errors


def reusing_listeners(count: int) -> list[int]:
    """Listeners with SO_REUSEADDR on one address."""
    sockets = [made("reuse one")[0] for _ in range(count)]
    assert bind(sockets[0], loopback(), 16) == 0
    for s in sockets:
        assert s == sockets[0] or bind(s, name_of(sockets[0]), 16) == 0
        assert listen(s, 8) == 0
    return sockets


BESIDE_A_LISTENER = pytest.mark.wine_differs("no other socket can be bound to the port of a listener")


@BESIDE_A_LISTENER
def test_of_two_listeners_with_so_reuseaddr_on_one_address_the_first_gets_all_connections(started: None) -> None:
    first, second = reusing_listeners(2)
    for _ in range(8):
        connect_to(first)
        accept_from(first)
    assert not readable(second, 0)


@BESIDE_A_LISTENER
def test_the_second_of_two_listeners_gets_the_connections_once_the_first_is_closed(started: None) -> None:
    first, second = reusing_listeners(2)
    assert closesocket(first) == 0
    connect_to(second)
    accept_from(second)


@BESIDE_A_LISTENER
@pytest.mark.parametrize(("listening", "added"), [(INADDR_ANY, INADDR_LOOPBACK), (INADDR_LOOPBACK, INADDR_ANY)])
def test_the_wildcard_and_a_specific_address_can_be_bound_beside_a_listener_on_the_other(
    started: None, listening: int, added: int
) -> None:
    def both_listen() -> int:
        first, second = new(), new()
        assert bind(first, loopback(0, listening), 16) == 0
        assert listen(first, 1) == 0
        result = bind(second, loopback(port_of(first), added), 16)
        if result == 0:
            assert listen(second, 1) == 0
            specific = first if listening == INADDR_LOOPBACK else second
            connect_to(specific)
            accept_from(specific)
        return result

    assert succeeds(both_listen), WSAGetLastError()


@BESIDE_A_LISTENER
def test_the_wildcard_and_a_specific_address_that_are_bound_can_both_listen(started: None) -> None:
    def both_listen() -> int:
        first, second = bound(), new()
        assert bind(second, loopback(port_of(first), INADDR_ANY), 16) == 0
        assert listen(first, 1) == 0
        return listen(second, 1)

    assert succeeds(both_listen), WSAGetLastError()


OTHER_PROCESS = """
from ctypes import c_int
from winsock import *
assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
s, name = socket(AF_INET, SOCK_STREAM, 0), sockaddr_in(AF_INET, 0, in_addr(htonl({host:#x})))
assert setsockopt(s, SOL_SOCKET, SO_REUSEADDR, c_int({reuse}), 4) == 0
assert bind(s, name, 16) == 0 and listen(s, 1) == 0 and getsockname(s, name, c_int(16)) == 0
print(ntohs(name.sin_port), flush=True)
input()
"""


@contextmanager
def listening_process(host: int, reuse: int) -> Iterator[int]:
    """The port on which another process listens."""
    program = [sys.executable, "-c", OTHER_PROCESS.format(host=host, reuse=reuse)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.communicate("\n")


SECOND_PROCESS = """
from ctypes import c_int
from winsock import *
assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
s = socket(AF_INET, SOCK_STREAM, 0)
assert setsockopt(s, SOL_SOCKET, SO_REUSEADDR, c_int(1), 4) == 0
name = sockaddr_in(AF_INET, htons({port}), in_addr(htonl({host:#x})))
print(WSAGetLastError() if bind(s, name, 16) or listen(s, 1) else 0)
"""


def error_in_another_process(port: int, host: int) -> int:
    """The error of another process that binds a socket with SO_REUSEADDR and listens, or 0."""
    program = SECOND_PROCESS.format(port=port, host=host)
    return int(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)


@BESIDE_A_LISTENER
@pytest.mark.parametrize("use", ["default", "exclusive"])
def test_a_listener_that_shares_its_port_in_its_process_is_closed_to_other_processes(started: None, use: str) -> None:
    first, second = made(f"{use} one")[0], new()
    assert bind(first, loopback(), 16) == 0
    assert listen(first, 1) == 0
    assert bind(second, loopback(port_of(first), INADDR_ANY), 16) == 0
    assert error_in_another_process(port_of(first), INADDR_LOOPBACK) == WSAEACCES
    assert listen(second, 1) == 0
    assert error_in_another_process(port_of(first), INADDR_LOOPBACK) == WSAEACCES
    assert error_in_another_process(port_of(first), INADDR_ANY) == WSAEACCES


def test_a_bind_that_failed_leaves_a_listener_closed_to_other_processes(started: None) -> None:
    second_loopback = INADDR_LOOPBACK + 1
    with listening_process(INADDR_LOOPBACK, 0) as port:
        first = new()
        assert bind(first, loopback(port, second_loopback), 16) == 0
        assert listen(first, 1) == 0
        assert error_of(bind(new(), loopback(port, INADDR_ANY), 16)) == WSAEADDRINUSE
        assert error_in_another_process(port, second_loopback) == WSAEACCES


@pytest.mark.parametrize("host", [INADDR_ANY, INADDR_LOOPBACK])
@pytest.mark.parametrize("use", [None, SO_REUSEADDR])
def test_a_port_on_which_another_process_listens_cannot_be_used(started: None, host: int, use: int | None) -> None:
    with listening_process(host, 0) as port:
        s = new()
        if use is not None:
            assert setsockopt(s, SOL_SOCKET, use, c_int(1), 4) == 0
        assert error_of(bind(s, loopback(port, host), 16) or listen(s, 1)) == (WSAEACCES if use else WSAEADDRINUSE)


@BESIDE_A_LISTENER
def test_sockets_of_two_processes_listen_on_one_address_if_both_have_so_reuseaddr(started: None) -> None:
    with listening_process(INADDR_LOOPBACK, 1) as port:
        s = made("reuse one")[0]
        assert bind(s, loopback(port), 16) == 0
        assert listen(s, 1) == 0


def test_a_server_that_restarts_gets_its_port_while_old_connections_are_open(started: None) -> None:
    server = listener()
    name = name_of(server)
    connect_to(server)
    accepted = accept_from(server)
    assert closesocket(server) == 0
    again = new()
    assert bind(again, name, 16) == 0
    assert listen(again, 1) == 0
    connect_to(again)
    accept_from(again)
    assert bytes(name_of(accepted)) == bytes(name)


def test_a_server_that_restarts_gets_its_port_after_it_closed_its_connections(started: None) -> None:
    server = listener()
    name = name_of(server)
    client = connect_to(server)
    assert closesocket(accept_from(server)) == 0
    assert closesocket(server) == 0
    assert readable(client)
    assert closesocket(client) == 0
    again = new()
    assert bind(again, name, 16) == 0
    assert listen(again, 1) == 0


def dual_stack(use: int | None) -> tuple[int, int]:
    """A socket bound to the wildcard addresses of both families, and its port."""
    s = new(SOCK_STREAM, AF_INET6)
    assert setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, c_int(0), 4) == 0
    if use is not None:
        assert setsockopt(s, SOL_SOCKET, use, c_int(1), 4) == 0
    name = sockaddr_in6(sin6_family=AF_INET6)
    assert bind(s, name, 28) == 0
    assert getsockname(s, name, c_int(28)) == 0
    return s, ntohs(name.sin6_port)


@pytest.mark.parametrize("host", [INADDR_ANY, INADDR_LOOPBACK])
def test_an_exclusive_dual_stack_socket_occupies_the_ipv4_port_too(started: None, host: int) -> None:
    _, port = dual_stack(SO_EXCLUSIVEADDRUSE)
    assert error_of(bind(new(), loopback(port, host), 16)) == WSAEACCES


def test_a_dual_stack_socket_shares_the_ipv4_wildcard(started: None) -> None:
    assert succeeds(lambda: bind(new(), loopback(dual_stack(None)[1], INADDR_ANY), 16))


@pytest.mark.parametrize("use", [SO_REUSEADDR, SO_EXCLUSIVEADDRUSE])
def test_a_dual_stack_socket_shares_the_ipv4_wildcard_with_any_second_socket(started: None, use: int) -> None:
    def second_bind() -> int:
        second = new()
        assert setsockopt(second, SOL_SOCKET, use, c_int(1), 4) == 0
        return bind(second, loopback(dual_stack(None)[1], INADDR_ANY), 16)

    assert succeeds(second_bind), WSAGetLastError()


def test_a_socket_on_an_ipv4_address_refuses_an_exclusive_dual_stack_socket(started: None) -> None:
    port = port_of(bound())
    s, name = new(SOCK_STREAM, AF_INET6), sockaddr_in6(sin6_family=AF_INET6, sin6_port=htons(port))
    assert setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, c_int(0), 4) == 0
    assert setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, c_int(1), 4) == 0
    assert error_of(bind(s, name, 28)) == WSAEADDRINUSE


def test_an_ipv4_address_conflicts_with_its_ipv4_mapped_address(started: None) -> None:
    mapped = sockaddr_in6(sin6_family=AF_INET6)
    mapped.sin6_addr.s6_addr = bytes(10) + b"\xff\xff\x7f\0\0\1"
    first, second = new(SOCK_STREAM, AF_INET6), new(SOCK_STREAM, AF_INET6)
    for s in (first, second):
        assert setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, c_int(0), 4) == 0
    assert bind(first, mapped, 28) == 0
    assert getsockname(first, mapped, c_int(28)) == 0
    assert error_of(bind(new(), loopback(ntohs(mapped.sin6_port)), 16)) == WSAEADDRINUSE
    mapped.sin6_port = htons(port_of(bound()))
    assert error_of(bind(second, mapped, 28)) == WSAEADDRINUSE


def test_the_mapped_ipv4_wildcard_conflicts_with_the_ipv4_wildcard(started: None) -> None:
    mapped = sockaddr_in6(sin6_family=AF_INET6)
    mapped.sin6_addr.s6_addr = bytes(10) + b"\xff\xff" + bytes(4)
    s = new(SOCK_STREAM, AF_INET6)
    assert setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, c_int(0), 4) == 0
    assert bind(s, mapped, 28) == 0
    assert getsockname(s, mapped, c_int(28)) == 0
    assert error_of(bind(new(), loopback(ntohs(mapped.sin6_port), INADDR_ANY), 16)) == WSAEADDRINUSE


def ipv6_port(name: sockaddr_in6) -> int:
    """The port of a new socket that is bound to an IPv6 address."""
    s = new(SOCK_STREAM, AF_INET6)
    assert bind(s, name, 28) == 0
    assert getsockname(s, name, c_int(28)) == 0
    return ntohs(name.sin6_port)


def test_the_ipv6_wildcard_without_dual_stack_does_not_occupy_the_ipv4_port(started: None) -> None:
    def second_bind() -> int:
        return bind(new(), loopback(ipv6_port(sockaddr_in6(sin6_family=AF_INET6)), INADDR_ANY), 16)

    assert succeeds(second_bind)


def test_an_ipv6_socket_does_not_occupy_the_ipv4_port(started: None) -> None:
    assert succeeds(lambda: bind(new(), loopback(ipv6_port(loopback6())), 16))
