"""Hosts: what getaddrinfo takes for an address, for this machine and for a name; flags and hints.

No fact needs a name server, or more of the file of hosts than localhost.
"""

from __future__ import annotations

from ctypes import POINTER, pointer
from functools import partial

from tests.conformance.recorder import Json, error_name
from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    AI_ALL,
    AI_CANONNAME,
    AI_FQDN,
    AI_NUMERICHOST,
    AI_PASSIVE,
    AI_V4MAPPED,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    SOCK_DGRAM,
    SOCK_STREAM,
    addrinfo,
    getaddrinfo,
    sockaddr,
)

from .. import sources
from ..facts import DOCUMENTED, TESTED, Topic
from ..lookups import addresses, canonical_name, entries, first, own_name, result_flags

topic = Topic("names")

GETADDRINFO = f"{sources.REFERENCE}/api/ws2tcpip/nf-ws2tcpip-getaddrinfo"
REACTOS = f"{sources.REACTOS}/getaddrinfo.c"
WINE = "https://github.com/wine-mirror/wine/blob/master/dlls/ws2_32/tests/protocol.c"
CPYTHON = "https://github.com/python/cpython/blob/main/Lib/test/test_socket.py"
DOTNET = (
    "https://github.com/dotnet/runtime/blob/main/src/libraries/System.Net.NameResolution/tests"
    "/PalTests/NameResolutionPalTests.cs"
)
_LIBRARY = "the C library of Linux decides"
_HOSTS = "the file of hosts of Linux decides"

# Numeric addresses.
for _name, _node, _situation, _result, _wine in (
    ("an_address_of_three_numbers", "10.9.8", "an IPv4 address of three numbers", "WSAHOST_NOT_FOUND", _LIBRARY),
    ("an_address_of_five_numbers", "10.9.8.7.6", "five numbers", "WSAHOST_NOT_FOUND", ""),
    ("a_number_above_255", "10.9.8.256", "an IPv4 address with a number above 255", "WSAHOST_NOT_FOUND", ""),
    ("a_hexadecimal_number", "10.9.8.0x1d", "an IPv4 address with a hexadecimal number", ["10.9.8.29"], ""),
    ("an_octal_number", "10.9.8.017", "an IPv4 address with an octal number", ["10.9.8.15"], ""),
    ("the_broadcast_address", "255.255.255.255", "the broadcast address", ["255.255.255.255"], ""),
    ("an_address_with_a_port", "10.9.8.7:90", "an IPv4 address with a port", "WSAHOST_NOT_FOUND", ""),
    ("an_address_before_a_blank", "10.9.8.7 ", "an IPv4 address with a blank after it", ["10.9.8.7"], _LIBRARY),
    ("a_name_with_a_port", "localhost:90", "a host name with a port", "WSAHOST_NOT_FOUND", ""),
    ("a_blank", " ", "a blank as host name", "WSAHOST_NOT_FOUND", ""),
):
    topic.add(_name, "getaddrinfo", _situation, [_result], REACTOS, TESTED, partial(addresses, _node), wine=_wine)

for _name, _node, _situation, _flags, _wine in (
    ("the_flags_of_a_number", "10.9.8.7", "ai_flags of the result for a number", AI_NUMERICHOST, "they are 0"),
    ("the_flags_of_a_name", "localhost", "ai_flags of the result for a name", 0, ""),
    ("the_flags_before_a_blank", "10.9.8.7 ", "ai_flags for a number with a blank after it", 0, _LIBRARY),
    ("the_flags_of_the_empty_name", "", "ai_flags of the result for the empty name", 0, ""),
):
    topic.add(_name, "getaddrinfo", _situation, [_flags], REACTOS, TESTED, partial(result_flags, _node), wine=_wine)

for _name, _node, _flags, _family, _situation, _result in (
    ("brackets", "[2001:db8::7]", 0, AF_UNSPEC, "an IPv6 address in brackets", ["2001:db8::7"]),
    ("a_number_in_brackets", "[2001:db8::7]", AI_NUMERICHOST, AF_INET6, "it with AI_NUMERICHOST", ["2001:db8::7"]),
    ("brackets_for_ipv4", "[2001:db8::7]", AI_NUMERICHOST, AF_INET, "it for IPv4", "WSAHOST_NOT_FOUND"),
    ("no_end_bracket", "[2001:db8::7", AI_NUMERICHOST, AF_UNSPEC, "a bracket not closed", "WSAHOST_NOT_FOUND"),
    ("no_start_bracket", "2001:db8::7]", AI_NUMERICHOST, AF_UNSPEC, "a bracket not opened", "WSAHOST_NOT_FOUND"),
):
    topic.add(_name, "getaddrinfo", _situation, [_result], WINE, TESTED, partial(addresses, _node, _flags, _family))

topic.add(
    "a_port_after_brackets",
    "getaddrinfo",
    "an IPv6 address in brackets with a port, which is ignored",
    [["2001:db8::7", 0, 80]],
    WINE,
    TESTED,
    partial(first, "[2001:db8::7]:81", "80"),
)
topic.add(
    "a_scope_is_a_number",
    "getaddrinfo",
    "an IPv6 address with the number of an interface, which need not exist",
    [["ff02::7:a", 37, 90]],
    f"{CPYTHON}: test_getaddrinfo_ipv6_scopeid_numeric",
    TESTED,
    partial(first, "ff02::7:A%37", "90", 0, AF_INET6, SOCK_DGRAM),
)


# This machine.
@topic.fact(
    "getaddrinfo",
    '"..localmachine" gives the addresses that the empty name gives',
    windows=[True],
    source=GETADDRINFO,
    certainty=DOCUMENTED,
    wine="it does not know this name",
)
def the_local_machine() -> Json:
    found = entries("..localmachine", "80")
    return isinstance(found, list) and bool(found) and found == entries("", "80")


@topic.fact(
    "getaddrinfo",
    "this machine's name gives the addresses that the empty name gives",
    windows=[True],
    source=f"{WINE}: test_getaddrinfo",
    certainty=TESTED,
)
def this_machines_name() -> Json:
    found = entries(own_name(), "80")
    return isinstance(found, list) and bool(found) and found == entries("", "80")


@topic.fact("getaddrinfo", "the empty name with AI_CANONNAME", windows=[True], source=DOTNET, certainty=TESTED)
def the_empty_name_has_a_canonical_name() -> Json:
    return canonical_name("", AI_CANONNAME) != ""


topic.add(
    "localhost_has_both_families",
    "getaddrinfo",
    '"localhost" of any family: all loopback addresses',
    [["127.0.0.1", "::1"]],
    GETADDRINFO,
    DOCUMENTED,
    partial(addresses, "localhost", 0, AF_UNSPEC),
    wine=_HOSTS,
)
topic.add(
    "localhost_for_ipv6",
    "getaddrinfo",
    '"localhost" for IPv6',
    [["::1"]],
    GETADDRINFO,
    DOCUMENTED,
    partial(addresses, "localhost", 0, AF_INET6),
    wine=_HOSTS,
)
topic.add(
    "localhost_for_ipv4",
    "getaddrinfo",
    '"localhost" for IPv4',
    [["127.0.0.1"]],
    REACTOS,
    TESTED,
    partial(addresses, "localhost"),
)
topic.add(
    "neither_node_nor_service",
    "getaddrinfo",
    "neither a node nor a service",
    ["WSAHOST_NOT_FOUND"],
    f"{WINE}: test_getaddrinfo",
    TESTED,
    partial(entries, None),
)

# No node, and AI_PASSIVE.
for _name, _node, _flags, _family, _situation, _result in (
    ("no_node_is_loopback", None, 0, AF_INET6, "a service alone, for IPv6", ["::1"]),
    ("no_node_to_listen_on", None, AI_PASSIVE, AF_UNSPEC, "a service alone, with AI_PASSIVE", ["0.0.0.0", "::"]),
    ("a_node_to_listen_on", "127.0.0.1", AI_PASSIVE, AF_INET, "AI_PASSIVE with a node", ["127.0.0.1"]),
):
    observe = partial(addresses, _node, _flags, _family)
    topic.add(_name, "getaddrinfo", _situation, [_result], f"{GETADDRINFO}: AI_PASSIVE", DOCUMENTED, observe)

# Hints.
for _name, _kind, _protocol, _situation in (
    ("a_stream_of_udp", SOCK_STREAM, IPPROTO_UDP, "SOCK_STREAM and IPPROTO_UDP in the hints"),
    ("a_stream_of_ipv6", SOCK_STREAM, IPPROTO_IPV6, "SOCK_STREAM and IPPROTO_IPV6 in the hints"),
    ("a_protocol_without_a_type", 0, IPPROTO_UDP, "IPPROTO_UDP and no type in the hints"),
    ("an_unknown_protocol", SOCK_DGRAM, 200, "an unknown protocol in the hints"),
):
    _windows: list[Json] = [[["127.0.0.1", 0, 0, 0, _kind, _protocol]]]
    observe_hints = partial(entries, "localhost", None, 0, AF_INET, _kind, _protocol)
    topic.add(_name, "getaddrinfo", f"{_situation}: one entry", _windows, f"{WINE}: hinttests", TESTED, observe_hints)

for _name, _situation, _errors, _source, _certainty, _observe, _wine in (
    (
        "an_unknown_type",
        "an unknown type in the hints",
        ["WSAESOCKTNOSUPPORT"],
        f"{WINE}: hinttests",
        TESTED,
        partial(entries, "localhost", None, 0, AF_UNSPEC, 77, IPPROTO_UDP),
        "",
    ),
    (
        "an_unknown_family",
        "an unknown family in the hints",
        ["WSAEAFNOSUPPORT"],
        f"{GETADDRINFO}: EAI_FAMILY",
        DOCUMENTED,
        partial(entries, "127.0.0.1", None, 0, 4321),
        "",
    ),
    (
        "a_name_where_a_number_is_required",
        "AI_NUMERICHOST with a host name that exists",
        ["WSAHOST_NOT_FOUND"],
        f"{WINE}: test_getaddrinfo",
        TESTED,
        partial(entries, "localhost", "80", AI_NUMERICHOST),
        "",
    ),
    (
        "a_canonical_name_without_a_node",
        "AI_CANONNAME without a node",
        ["WSANO_RECOVERY", "WSAEINVAL"],
        f"{GETADDRINFO}: the flag's description names the first error, the table of errors the second",
        DOCUMENTED,
        partial(entries, None, "80", AI_CANONNAME),
        "",
    ),
    (
        "both_flags_for_a_name",
        "AI_CANONNAME and AI_FQDN at once",
        ["WSAEINVAL"],
        f"{GETADDRINFO}: AI_FQDN",
        DOCUMENTED,
        partial(entries, "localhost", None, AI_CANONNAME | AI_FQDN),
        "it does not know AI_FQDN",
    ),
    (
        "a_mapped_address",
        "AI_V4MAPPED with an IPv4 address, for IPv6",
        [["::ffff:127.0.0.1"]],
        f"{GETADDRINFO}: AI_V4MAPPED",
        DOCUMENTED,
        partial(addresses, "127.0.0.1", AI_V4MAPPED, AF_INET6),
        "",
    ),
    (
        "all_addresses_and_the_mapped_ones",
        "AI_ALL and AI_V4MAPPED with localhost, for IPv6",
        [["::1", "::ffff:127.0.0.1"]],
        f"{GETADDRINFO}: AI_ALL",
        DOCUMENTED,
        partial(addresses, "localhost", AI_ALL | AI_V4MAPPED, AF_INET6),
        _HOSTS,
    ),
):
    topic.add(_name, "getaddrinfo", _situation, _errors, _source, _certainty, _observe, wine=_wine)


@topic.fact(
    "getaddrinfo",
    "AI_FQDN with a host name: the result has its full name",
    windows=[True],
    source=f"{GETADDRINFO}: AI_FQDN",
    certainty=DOCUMENTED,
    wine="it does not know AI_FQDN",
)
def a_fully_qualified_name() -> Json:
    return canonical_name("localhost", AI_FQDN) != ""


@topic.fact(
    "getaddrinfo",
    "an address in the hints, where NULL is required",
    windows=["WSANO_RECOVERY"],
    source=f"{GETADDRINFO}: pHints",
    certainty=DOCUMENTED,
    wine="it does not check the hints",
)
def hints_with_an_address() -> Json:
    name, hints, result = sockaddr(), addrinfo(), POINTER(addrinfo)()
    hints.ai_addr = pointer(name)
    return error_name(getaddrinfo("127.0.0.1", "80", hints, result))
