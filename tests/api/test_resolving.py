"""getaddrinfo, getnameinfo, gethostbyname: results in Winsock's layout, and codes that are also the last error."""

from __future__ import annotations

import ctypes
import gc
import threading
from ctypes import POINTER, sizeof
from typing import Any

import pytest
from winsock_kit import listener, loopback, loopback6, port_of

from winsock import (
    AF_INET,
    AF_INET6,
    AI_CANONNAME,
    AI_NUMERICHOST,
    AI_PASSIVE,
    INADDR_ANY,
    IPPROTO_TCP,
    IPPROTO_UDP,
    NI_MAXHOST,
    NI_MAXSERV,
    NI_NAMEREQD,
    NI_NUMERICHOST,
    NI_NUMERICSERV,
    SOCK_DGRAM,
    SOCK_STREAM,
    WSAEAFNOSUPPORT,
    WSAEINVAL,
    WSAESOCKTNOSUPPORT,
    WSAHOST_NOT_FOUND,
    WSANO_DATA,
    WSANO_RECOVERY,
    WSATRY_AGAIN,
    WSATYPE_NOT_FOUND,
    WSAGetLastError,
    addrinfo,
    connect,
    freeaddrinfo,
    getaddrinfo,
    gethostbyname,
    getnameinfo,
    hostent,
    socket,
)

pytestmark = pytest.mark.usefixtures("started")


class Answer:
    """A copy of one entry of a list."""

    def __init__(self, entry: addrinfo) -> None:
        self.kind = entry.ai_family, entry.ai_socktype, entry.ai_protocol
        self.name = ctypes.string_at(entry.ai_addr, entry.ai_addrlen)
        self.canonical = entry.ai_canonname


def answers(node: Any, service: Any, **hints: int) -> list[Answer]:
    """The results of getaddrinfo; the list is freed."""
    result = POINTER(addrinfo)()
    code = getaddrinfo(node, service, addrinfo(**hints) if hints else None, result)
    assert code == 0, code
    found, entry = [], result
    while entry:
        found.append(Answer(entry.contents))
        entry = entry.contents.ai_next
    freeaddrinfo(result)
    return found


def refusal(node: Any, service: Any, **hints: int) -> int:
    """The error code of getaddrinfo; it must also be the last error, and the list must be NULL."""
    result = POINTER(addrinfo)(addrinfo())
    code = getaddrinfo(node, service, addrinfo(**hints) if hints else None, result)
    assert code == WSAGetLastError() != 0
    assert not result
    return code


def test_a_numeric_address_is_returned_in_the_layout_of_winsock() -> None:
    (answer,) = answers("127.0.0.1", "4711", ai_socktype=SOCK_STREAM)
    assert answer.kind[0] == AF_INET
    assert answer.name == bytes(loopback(4711))


def test_an_ipv6_address_has_the_family_number_of_winsock() -> None:
    (answer,) = answers("::1", "4711", ai_socktype=SOCK_STREAM)
    assert answer.kind[0] == AF_INET6
    assert answer.name == bytes(loopback6(4711))


def test_localhost_is_loopback() -> None:
    names = [answer.name[4:8] for answer in answers("localhost", None, ai_family=AF_INET)]
    assert names == [b"\x7f\0\0\1"]


@pytest.mark.parametrize(
    ("type", "protocol"),
    [
        (0, 0),
        (SOCK_STREAM, 0),
        (SOCK_STREAM, IPPROTO_TCP),
        (SOCK_DGRAM, 0),
        (SOCK_DGRAM, IPPROTO_TCP),
        (0, IPPROTO_UDP),
    ],
)
def test_each_address_is_returned_once_with_the_type_and_protocol_of_the_hints(type: int, protocol: int) -> None:
    (answer,) = answers("127.0.0.1", "80", ai_socktype=type, ai_protocol=protocol)
    assert answer.kind == (AF_INET, type, protocol)


def test_without_a_node_the_address_is_loopback_or_with_ai_passive_the_wildcard() -> None:
    (active,) = answers(None, "80", ai_family=AF_INET)
    (passive,) = answers(None, "80", ai_family=AF_INET, ai_flags=AI_PASSIVE)
    assert (active.name, passive.name) == (bytes(loopback(80)), bytes(loopback(80, INADDR_ANY)))


def test_without_a_family_both_families_are_in_one_list() -> None:
    found = answers(None, "4711", ai_socktype=SOCK_STREAM)
    assert {answer.name for answer in found} == {bytes(loopback(4711)), bytes(loopback6(4711))}


def test_without_a_service_the_port_is_0() -> None:
    assert answers("127.0.0.1", None)[0].name == answers("127.0.0.1", "")[0].name == bytes(loopback(0))


def test_a_service_is_known_by_its_name() -> None:
    assert answers("127.0.0.1", "http")[0].name == bytes(loopback(80))


def test_an_empty_node_name_is_this_machine() -> None:
    assert answers("", None, ai_family=AF_INET)


@pytest.mark.parametrize("node", ["[::1]", "[::1]:4711"])
def test_an_ipv6_address_may_stand_in_brackets_with_a_port_that_is_ignored(node: str) -> None:
    assert answers(node, "80")[0].name == bytes(loopback6(80))


def test_the_canonical_name_is_returned_on_request() -> None:
    assert answers("127.0.0.1", None, ai_flags=AI_CANONNAME)[0].canonical == b"127.0.0.1"
    assert answers("127.0.0.1", None)[0].canonical is None


def test_a_resolved_address_can_be_connected_to() -> None:
    result = POINTER(addrinfo)()
    server = listener()
    assert getaddrinfo("127.0.0.1", str(port_of(server)), addrinfo(ai_socktype=SOCK_STREAM), result) == 0
    entry = result.contents
    client = socket(entry.ai_family, entry.ai_socktype, entry.ai_protocol)
    assert connect(client, entry.ai_addr.contents, entry.ai_addrlen) == 0
    freeaddrinfo(result)


@pytest.mark.parametrize(
    ("node", "service", "hints", "code"),
    [
        (None, None, {}, WSAHOST_NOT_FOUND),
        ("localhost", None, {"ai_flags": AI_NUMERICHOST}, WSAHOST_NOT_FOUND),
        pytest.param(
            "::1",
            None,
            {"ai_family": AF_INET, "ai_flags": AI_NUMERICHOST},
            WSAHOST_NOT_FOUND,
            marks=pytest.mark.wine_differs("getaddrinfo returns an error code of Linux"),
        ),
        ("127.0.0.1:80", None, {"ai_flags": AI_NUMERICHOST}, WSAHOST_NOT_FOUND),
        ("127.0.0.1", "no-such-service", {}, WSATYPE_NOT_FOUND),
        ("127.0.0.1", None, {"ai_socktype": 0xDEAD}, WSAESOCKTNOSUPPORT),
        ("127.0.0.1", None, {"ai_family": 0xDEAD}, WSAEAFNOSUPPORT),
        (None, "80", {"ai_flags": AI_CANONNAME}, WSAEINVAL),
    ],
)
def test_a_lookup_that_cannot_succeed_returns_the_reason(
    node: Any, service: Any, hints: dict[str, int], code: int
) -> None:
    assert refusal(node, service, **hints) == code


def test_the_hints_may_be_bytes() -> None:
    result = POINTER(addrinfo)()
    assert getaddrinfo("127.0.0.1", None, bytes(sizeof(addrinfo)), result) == 0
    freeaddrinfo(result)


def test_freeaddrinfo_accepts_the_pointer_the_first_entry_or_none() -> None:
    result = POINTER(addrinfo)()
    assert getaddrinfo("127.0.0.1", None, None, result) == 0
    freeaddrinfo(result)
    assert getaddrinfo("127.0.0.1", None, None, result) == 0
    freeaddrinfo(result.contents)
    freeaddrinfo(None)
    freeaddrinfo(POINTER(addrinfo)())


def test_a_list_is_valid_until_freeaddrinfo() -> None:
    result = POINTER(addrinfo)()
    assert getaddrinfo("127.0.0.1", "4711", None, result) == 0
    address = ctypes.addressof(result.contents)
    del result
    for port in range(200):
        answers("127.0.0.1", str(port))
    gc.collect()
    entry = ctypes.cast(address, POINTER(addrinfo))
    assert ctypes.string_at(entry.contents.ai_addr, entry.contents.ai_addrlen) == bytes(loopback(4711))
    freeaddrinfo(entry)


# getnameinfo


def named(name: Any, length: int, flags: int, node: int = NI_MAXHOST, service: int = NI_MAXSERV) -> tuple[bytes, bytes]:
    nodes, services = bytearray(node), bytearray(service)
    code = getnameinfo(name, length, nodes, node, services, service, flags)
    assert code == 0, code
    return bytes(nodes).partition(b"\0")[0], bytes(services).partition(b"\0")[0]


def test_getnameinfo_returns_numbers_on_request() -> None:
    flags = NI_NUMERICHOST | NI_NUMERICSERV
    assert named(loopback(4711), 16, flags) == (b"127.0.0.1", b"4711")
    assert named(loopback6(4711), 28, flags) == (b"::1", b"4711")


def test_getnameinfo_returns_the_name_of_a_service() -> None:
    assert named(loopback(80), 16, NI_NUMERICHOST)[1] == b"http"


def test_getnameinfo_can_skip_the_host_or_the_service() -> None:
    node, service = bytearray(64), bytearray(64)
    assert getnameinfo(loopback(4711), 16, node, 64, None, 0, NI_NUMERICHOST) == 0
    assert getnameinfo(loopback(4711), 16, None, 0, service, 64, NI_NUMERICSERV) == 0
    assert (node.rstrip(b"\0"), service.rstrip(b"\0")) == (b"127.0.0.1", b"4711")


@pytest.mark.wine_differs("getnameinfo succeeds without any buffer")
def test_getnameinfo_without_host_and_service_is_wsahost_not_found() -> None:
    assert getnameinfo(loopback(4711), 16, None, 0, None, 0, 0) == WSAHOST_NOT_FOUND


def test_an_unknown_family_has_no_name() -> None:
    assert getnameinfo(b"\xad\xde" + bytes(26), 28, bytearray(64), 64, None, 0, NI_NUMERICHOST) == WSAEAFNOSUPPORT


@pytest.mark.wine_differs("getnameinfo does not set the last error")
def test_what_getnameinfo_returns_is_the_last_error_too() -> None:
    assert getnameinfo(b"\xad\xde" + bytes(26), 28, bytearray(64), 64, None, 0, NI_NUMERICHOST) == WSAEAFNOSUPPORT
    assert WSAGetLastError() == WSAEAFNOSUPPORT


def test_ni_namereqd_makes_a_missing_name_an_error() -> None:
    code = getnameinfo(loopback(1, 0x7F4D4E4F), 16, bytearray(64), 64, None, 0, NI_NAMEREQD)
    assert code in (WSAHOST_NOT_FOUND, WSATRY_AGAIN)


def test_a_name_that_does_not_fit_is_an_error() -> None:
    assert getnameinfo(loopback(1), 16, bytearray(9), 9, None, 0, NI_NUMERICHOST) != 0
    assert named(loopback(1), 16, NI_NUMERICHOST, node=10)[0] == b"127.0.0.1"


# gethostbyname


def addresses(host: hostent | None) -> list[bytes]:
    assert host is not None, WSAGetLastError()
    found: list[bytes] = []
    while address := host.h_addr_list[len(found)]:
        found.append(address[: host.h_length])
    return found


def test_a_host_has_its_ipv4_addresses_in_network_order() -> None:
    host = gethostbyname("localhost")
    assert host is not None
    assert (host.h_addrtype, host.h_length) == (AF_INET, 4)
    assert b"\x7f\0\0\1" in addresses(host)


def test_a_dotted_address_is_its_own_name_without_aliases() -> None:
    host = gethostbyname("127.0.0.1")
    assert host is not None
    assert host.h_name == b"127.0.0.1"
    assert host.h_aliases[0] is None
    assert addresses(host) == [b"\x7f\0\0\1"]


@pytest.mark.parametrize("name", [None, ""])
def test_gethostbyname_without_a_name_is_this_machine(name: str | None) -> None:
    assert addresses(gethostbyname(name))


def test_an_unknown_host_is_none_and_the_last_error_has_the_reason() -> None:
    assert gethostbyname("no such host, as its blanks show") is None
    assert WSAGetLastError() in (WSAHOST_NOT_FOUND, WSATRY_AGAIN, WSANO_RECOVERY, WSANO_DATA)


def test_gethostbyname_does_not_accept_an_ipv6_address() -> None:
    assert gethostbyname("::1") is None
    assert WSAGetLastError() in (WSAHOST_NOT_FOUND, WSANO_DATA)


def test_a_hostent_is_not_overwritten_by_another_thread() -> None:
    host = gethostbyname("127.0.0.1")
    threads = [threading.Thread(target=gethostbyname, args=(f"127.0.0.{n}",)) for n in range(2, 12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert addresses(host) == [b"\x7f\0\0\1"]
