"""getaddrinfo, freeaddrinfo, getnameinfo and gethostbyname: numeric addresses, this machine, and errors."""

from __future__ import annotations

import threading
from ctypes import POINTER, pointer, string_at
from typing import Any

from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    AI_CANONNAME,
    AI_FQDN,
    AI_NUMERICHOST,
    AI_NUMERICSERV,
    AI_PASSIVE,
    IPPROTO_TCP,
    IPPROTO_UDP,
    NI_NUMERICHOST,
    NI_NUMERICSERV,
    SOCK_DGRAM,
    SOCK_STREAM,
    WSAGetLastError,
    addrinfo,
    connect,
    freeaddrinfo,
    getaddrinfo,
    gethostbyname,
    getnameinfo,
    ntohs,
    sockaddr,
    sockaddr_in,
    sockaddr_in6,
    socket,
)

from ..kit import IN, IN6, inet, inet6, listener, port_of
from ..recorder import Recorder, error_name


def _hints(flags: int = 0, family: int = AF_UNSPEC, kind: int = 0, protocol: int = 0) -> addrinfo:
    return addrinfo(flags, family, kind, protocol)


def _asked(
    see: Recorder, label: str, node: str | bytes | None, service: str | bytes | None, hints: addrinfo | None
) -> list[Any]:
    """Resolves a name and records each entry: family, type, protocol and address."""
    found = POINTER(addrinfo)()
    code = getaddrinfo(node, service, hints, found)
    entries, entry = [], found
    while entry:
        one = entry.contents
        shape = sockaddr_in if one.ai_family == AF_INET else sockaddr_in6
        address = shape.from_buffer_copy(string_at(one.ai_addr, one.ai_addrlen))
        port = ntohs(address.sin_port if one.ai_family == AF_INET else address.sin6_port)
        entries.append([one.ai_family, one.ai_socktype, one.ai_protocol, one.ai_addrlen, see.as_json(address), port])
        entry = one.ai_next
    freeaddrinfo(found)
    see(f"getaddrinfo {label}".strip(), code, entries)
    return entries


def a_numeric_host_and_port(see: Recorder) -> None:
    _asked(see, "stream", "127.0.0.1", "80", _hints(AI_NUMERICHOST, AF_INET, SOCK_STREAM, IPPROTO_TCP))
    _asked(see, "datagram", "127.0.0.1", "65535", _hints(AI_NUMERICHOST, AF_INET, SOCK_DGRAM, IPPROTO_UDP))


def a_numeric_ipv6_host(see: Recorder) -> None:
    _asked(see, "", "::1", "8080", _hints(AI_NUMERICHOST, AF_INET6, SOCK_STREAM))
    _asked(see, "any family", "fe80::1", "1", _hints(AI_NUMERICHOST, AF_UNSPEC, SOCK_STREAM))


def type_and_protocol_are_those_of_the_hints(see: Recorder) -> None:
    for kind, protocol in (
        (0, 0),
        (SOCK_STREAM, 0),
        (0, IPPROTO_UDP),
        (SOCK_STREAM, IPPROTO_UDP),
        (SOCK_DGRAM, 0xDEAD),
    ):
        _asked(see, f"{kind} {protocol}", "127.0.0.1", "80", _hints(0, AF_INET, kind, protocol))


def no_hints(see: Recorder) -> None:
    _asked(see, "", "127.0.0.1", "80", None)


def a_host_without_a_service(see: Recorder) -> None:
    _asked(see, "", "127.0.0.1", None, _hints(0, AF_INET, SOCK_STREAM))
    _asked(see, "empty", "127.0.0.1", "", _hints(0, AF_INET, SOCK_STREAM))


def a_service_without_a_host(see: Recorder) -> None:
    _asked(see, "", None, "80", _hints(0, AF_INET, SOCK_STREAM))
    _asked(see, "IPv6", None, "80", _hints(0, AF_INET6, SOCK_STREAM))


def a_service_to_listen_on(see: Recorder) -> None:
    _asked(see, "", None, "80", _hints(AI_PASSIVE, AF_INET, SOCK_STREAM))
    _asked(see, "IPv6", None, "80", _hints(AI_PASSIVE, AF_INET6, SOCK_STREAM))
    _asked(see, "with a host", "127.0.0.1", "80", _hints(AI_PASSIVE, AF_INET, SOCK_STREAM))


def neither_host_nor_service(see: Recorder) -> None:
    found = POINTER(addrinfo)(addrinfo())
    see("getaddrinfo", getaddrinfo(None, None, None, found), bool(found))
    see("WSAGetLastError", error_name(WSAGetLastError()))


def a_name_where_a_number_is_needed(see: Recorder) -> None:
    found = POINTER(addrinfo)(addrinfo())
    see("getaddrinfo", getaddrinfo("localhost", "80", _hints(AI_NUMERICHOST), found), bool(found))
    see("WSAGetLastError", error_name(WSAGetLastError()))
    _asked(see, "with a port", "127.0.0.1:80", None, _hints(AI_NUMERICHOST))


def a_number_of_the_other_family(see: Recorder) -> None:
    _asked(see, "IPv6 for IPv4", "::1", None, _hints(AI_NUMERICHOST, AF_INET))
    _asked(see, "IPv4 for IPv6", "127.0.0.1", None, _hints(AI_NUMERICHOST, AF_INET6))


def unknown_hints(see: Recorder) -> None:
    _asked(see, "type", "127.0.0.1", "80", _hints(0, AF_INET, 0xDEAD))
    _asked(see, "family", "127.0.0.1", "80", _hints(0, 0xDEAD, SOCK_STREAM))


def hints_with_an_address(see: Recorder) -> None:
    hints, found = _hints(0, AF_INET), POINTER(addrinfo)(addrinfo())
    hints.ai_addr = pointer(sockaddr())
    see("getaddrinfo", getaddrinfo("127.0.0.1", "80", hints, found), bool(found))


def both_kinds_of_names_at_once(see: Recorder) -> None:
    found = POINTER(addrinfo)(addrinfo())
    see("getaddrinfo", getaddrinfo("127.0.0.1", "80", _hints(AI_CANONNAME | AI_FQDN), found), bool(found))


def services_that_are_numbers(see: Recorder) -> None:
    for service in ("010", "+5", " 80", "65540", "4294967295", "-4", "0x50", "80 ", ""):
        _asked(see, repr(service), "127.0.0.1", service, _hints(0, AF_INET, SOCK_STREAM))


def services_of_a_type(see: Recorder) -> None:
    _asked(see, "stream", "127.0.0.1", "smtp", _hints(0, AF_INET))
    _asked(see, "datagram", "127.0.0.1", "router", _hints(0, AF_INET))
    _asked(see, "both", "127.0.0.1", "domain", _hints(0, AF_INET))
    _asked(see, "the other type", "127.0.0.1", "smtp", _hints(0, AF_INET, SOCK_DGRAM))


def addresses_of_other_forms(see: Recorder) -> None:
    for node in ("1.2.3", "1.2.3.0x4", "1.2.3.010", "1.2.3.4 ", "1.2.3.256", "1.2.3.4.5", "1.2.3.4:80"):
        _asked(see, repr(node), node, "80", _hints(0, AF_INET, SOCK_STREAM))


def scopes(see: Recorder) -> None:
    _asked(see, "number", "fe80::1%1", "80", _hints(0, AF_INET6, SOCK_STREAM))
    _asked(see, "name", "fe80::1%lo", "80", _hints(0, AF_INET6, SOCK_STREAM))
    name, node = inet6(80, bytes.fromhex("fe80000000000000000000000000aaaa")), bytearray(64)
    name.sin6_scope_id = 1
    see("getnameinfo", getnameinfo(name, IN6, node, 64, None, 0, NI_NUMERICHOST), node.partition(b"\0")[0])


def unknown_services(see: Recorder) -> None:
    _asked(see, "", "127.0.0.1", "no-such-service", _hints(0, AF_INET, SOCK_STREAM))
    _asked(see, "numeric", "127.0.0.1", "no-such-service", _hints(AI_NUMERICSERV, AF_INET, SOCK_STREAM))


def a_canonical_name_needs_a_host(see: Recorder) -> None:
    found = POINTER(addrinfo)()
    see("getaddrinfo", getaddrinfo(None, "80", _hints(AI_CANONNAME), found), bool(found))


def the_canonical_name_of_a_number(see: Recorder) -> None:
    found = POINTER(addrinfo)()
    see("getaddrinfo", getaddrinfo("127.0.0.1", "80", _hints(AI_CANONNAME, AF_INET, SOCK_STREAM), found), bool(found))
    see("getaddrinfo name", 0, found.contents.ai_canonname)
    freeaddrinfo(found)


def bracketed_ipv6(see: Recorder) -> None:
    _asked(see, "", "[::1]", "80", _hints(AI_NUMERICHOST, AF_INET6, SOCK_STREAM))
    _asked(see, "with a port", "[::1]:8080", "80", _hints(AI_NUMERICHOST, AF_INET6, SOCK_STREAM))


def localhost(see: Recorder) -> None:
    entries = _asked(see, "", "localhost", "80", _hints(0, AF_INET, SOCK_STREAM))
    see("getaddrinfo first", 0, entries[0][4])


def an_empty_host_is_this_one(see: Recorder) -> None:
    found = POINTER(addrinfo)()
    see("getaddrinfo", getaddrinfo("", "80", _hints(0, AF_INET, SOCK_STREAM), found), bool(found))
    freeaddrinfo(found)


def a_result_that_is_null(see: Recorder) -> None:
    see.trial("getaddrinfo", getaddrinfo, "127.0.0.1", "80", None, None)


def lists_are_given_back(see: Recorder) -> None:
    for number in (1, 2):
        found = POINTER(addrinfo)()
        see(f"getaddrinfo {number}", getaddrinfo("127.0.0.1", str(number), None, found))
        freeaddrinfo(found)
    found = POINTER(addrinfo)()
    see("getaddrinfo by contents", getaddrinfo("127.0.0.1", "3", None, found))
    freeaddrinfo(found.contents)
    see("freeaddrinfo NULL", freeaddrinfo(None))
    see("freeaddrinfo NULL pointer", freeaddrinfo(POINTER(addrinfo)()))


def a_list_lives_until_it_is_given_back(see: Recorder) -> None:
    first, second = POINTER(addrinfo)(), POINTER(addrinfo)()
    see("getaddrinfo first", getaddrinfo("127.0.0.1", "1", _hints(0, AF_INET), first))
    see("getaddrinfo second", getaddrinfo("127.0.0.2", "2", _hints(0, AF_INET), second))
    freeaddrinfo(first)
    entry = second.contents
    see("getaddrinfo kept", 0, sockaddr_in.from_buffer_copy(string_at(entry.ai_addr, entry.ai_addrlen)))
    freeaddrinfo(second)


def what_getaddrinfo_finds_can_be_connected_to(see: Recorder) -> None:
    queue, found = listener(), POINTER(addrinfo)()
    see("getaddrinfo", getaddrinfo("127.0.0.1", str(port_of(queue)), _hints(0, AF_INET, SOCK_STREAM), found))
    entry = found.contents
    name = string_at(entry.ai_addr, entry.ai_addrlen)
    s = see("socket", socket(entry.ai_family, entry.ai_socktype, entry.ai_protocol))
    see("connect", connect(s, name, entry.ai_addrlen))
    freeaddrinfo(found)


def numeric_names(see: Recorder) -> None:
    node, service = bytearray(b"." * 16), bytearray(b"." * 8)
    flags = NI_NUMERICHOST | NI_NUMERICSERV
    see("getnameinfo", getnameinfo(inet(80), IN, node, 16, service, 8, flags), node, service)
    node = bytearray(b"." * 48)
    see(
        "getnameinfo IPv6",
        getnameinfo(inet6(8080), IN6, node, 48, service, 8, flags),
        node.partition(b"\0")[0],
        service,
    )


def one_name_without_the_other(see: Recorder) -> None:
    node, service, flags = bytearray(16), bytearray(8), NI_NUMERICHOST | NI_NUMERICSERV
    see("getnameinfo host", getnameinfo(inet(80), IN, node, 16, None, 0, flags), node)
    see("getnameinfo service", getnameinfo(inet(80), IN, None, 0, service, 8, flags), service)
    see("getnameinfo neither", getnameinfo(inet(80), IN, None, 0, None, 0, flags))


def names_that_do_not_fit(see: Recorder) -> None:
    node, service, flags = bytearray(16), bytearray(8), NI_NUMERICHOST | NI_NUMERICSERV
    see("getnameinfo host", getnameinfo(inet(80), IN, node, 9, None, 0, flags))
    see("getnameinfo service", getnameinfo(inet(8080), IN, None, 0, service, 4, flags))
    see("getnameinfo just", getnameinfo(inet(80), IN, node, 10, service, 3, flags), node, service)


def bad_addresses_for_names(see: Recorder) -> None:
    node, flags = bytearray(64), NI_NUMERICHOST
    see("getnameinfo NULL", getnameinfo(None, IN, node, 64, None, 0, flags))
    see("getnameinfo short", getnameinfo(inet(80), IN - 1, node, 64, None, 0, flags))
    see("getnameinfo IPv6 short", getnameinfo(inet6(80), IN, node, 64, None, 0, flags))
    name = inet(80)
    name.sin_family = 0xBAD
    see("getnameinfo unknown family", getnameinfo(name, IN, node, 64, None, 0, flags))
    see("getnameinfo beyond the buffer", getnameinfo(inet(80), IN + 1, node, 64, None, 0, flags))


def getnameinfo_sets_the_last_error_too(see: Recorder) -> None:
    see("getnameinfo", getnameinfo(None, 0, bytearray(64), 64, None, 0, NI_NUMERICHOST))
    see("WSAGetLastError", error_name(WSAGetLastError()))


def a_dotted_host(see: Recorder) -> None:
    see("gethostbyname", gethostbyname("10.1.2.3"))
    see("gethostbyname bytes", gethostbyname(b"127.0.0.1\0.5"))


def this_host(see: Recorder) -> None:
    see.know_host_name()
    for word, name in (("NULL", None), ("empty", "")):
        entry = gethostbyname(name)
        see(f"gethostbyname {word}", entry is not None, entry and [entry.h_addrtype, entry.h_length, entry.h_name])


def localhost_by_gethostbyname(see: Recorder) -> None:
    entry = gethostbyname("localhost")
    assert entry is not None
    see("gethostbyname", entry.h_length, ".".join(map(str, entry.h_addr_list[0][:4])))


def gethostbyname_sees_no_ipv6(see: Recorder) -> None:
    see("gethostbyname", gethostbyname("::1"))


def a_host_that_has_an_impossible_name(see: Recorder) -> None:
    see("gethostbyname", gethostbyname("no host has blanks"))


def an_illegal_address_for_gethostbyname(see: Recorder) -> None:
    see("gethostbyname", gethostbyname("256.1.1.1"))


def a_threads_hostent_is_its_own(see: Recorder) -> None:
    entry = gethostbyname("10.0.0.1")
    thread = threading.Thread(target=gethostbyname, args=("10.0.0.2",))
    thread.start()
    thread.join()
    see("gethostbyname", entry)


def a_wrong_name_after_a_good_one(see: Recorder) -> None:
    see("gethostbyname", gethostbyname("127.0.0.1"))
    see("gethostbyname bad", gethostbyname("::1"))
    see("gethostbyname again", gethostbyname("127.0.0.3"))


def a_buffer_of_size_0_for_a_name(see: Recorder) -> None:
    node, service, flags = bytearray(16), bytearray(8), NI_NUMERICHOST | NI_NUMERICSERV
    see("getnameinfo host", getnameinfo(inet(80), IN, node, 0, service, 8, flags))
    see("getnameinfo service", getnameinfo(inet(80), IN, node, 16, service, 0, flags))
    see("getnameinfo both", getnameinfo(inet(80), IN, node, 0, service, 0, flags))
