"""Names of addresses and of this machine: getnameinfo, gethostbyname and gethostname, without a name server."""

from __future__ import annotations

from functools import partial

from tests.conformance.kit import IN, IN6, inet, inet6
from tests.conformance.recorder import Json, error_name
from winsock import NI_DGRAM, NI_NUMERICHOST, NI_NUMERICSERV, WSAGetLastError, gethostname, getnameinfo

from .. import sources
from ..facts import DOCUMENTED, TESTED, Topic
from ..lookups import entries, host, names, own_name

topic = Topic("hosts")

_API = f"{sources.REFERENCE}/api"
GETNAMEINFO = f"{_API}/ws2tcpip/nf-ws2tcpip-getnameinfo"
SCOPES = f"{sources.REFERENCE}/winsock/link-local-and-site-local-addresses-2"
GETHOSTBYNAME = f"{_API}/winsock2/nf-winsock2-gethostbyname"
REACTOS = f"{sources.REACTOS}/getnameinfo.c"
WINE = "https://github.com/wine-mirror/wine/blob/master/dlls/ws2_32/tests/protocol.c"
CPYTHON = "https://github.com/python/cpython/blob/main/Lib/test/test_socket.py"
_DOTNET = "https://github.com/dotnet/runtime/blob/main/src/libraries/System.Net.NameResolution/tests"
DOTNET = f"{_DOTNET}/FunctionalTests/GetHostByNameTest.cs"
_NUMBERS = NI_NUMERICHOST | NI_NUMERICSERV


# getnameinfo.
for _name, _situation, _results, _source, _certainty, _observe, _wine in (
    (
        "a_short_address",
        "an address one byte shorter than a sockaddr_in",
        ["WSAEFAULT"],
        REACTOS,
        TESTED,
        lambda: names(inet(80), IN - 1, NI_NUMERICHOST),
        "WSAEAFNOSUPPORT",
    ),
    ("no_address", "NULL and length 0", ["WSAEFAULT"], REACTOS, TESTED, lambda: names(None, 0, NI_NUMERICHOST), ""),
    (
        "an_ipv6_address_of_the_length_of_ipv4",
        "an IPv6 address with the length of an IPv4 address",
        ["WSAEFAULT"],
        f"{GETNAMEINFO}: WSAEFAULT",
        DOCUMENTED,
        lambda: names(inet6(80), IN, NI_NUMERICHOST),
        "WSAEAFNOSUPPORT",
    ),
    (
        "a_buffer_of_no_bytes",
        "a buffer for the host with the size 0",
        ["WSAEINVAL"],
        f"{GETNAMEINFO}: EAI_BADFLAGS",
        DOCUMENTED,
        lambda: names(inet(80), IN, _NUMBERS, 0),
        "success",
    ),
    (
        "no_buffer",
        "no buffer for the host and none for the service",
        ["WSAHOST_NOT_FOUND"],
        f"{GETNAMEINFO}: EAI_NONAME",
        DOCUMENTED,
        lambda: error_name(getnameinfo(inet(80), IN, None, 0, None, 0, NI_NUMERICHOST)),
        "success",
    ),
    (
        "the_port_of_no_service",
        "the port of no service, without NI_NUMERICSERV: the number",
        [["127.0.0.1", "4"]],
        f"{GETNAMEINFO}: Windows Vista and later",
        DOCUMENTED,
        lambda: names(inet(4), IN, NI_NUMERICHOST),
        "",
    ),
    (
        "the_service_of_datagrams",
        "NI_DGRAM with the port of a service of datagrams only; its first name differs between the files of services",
        [["127.0.0.1", "router"], ["127.0.0.1", "route"]],
        f"{GETNAMEINFO}: NI_DGRAM",
        DOCUMENTED,
        lambda: names(inet(520), IN, NI_NUMERICHOST | NI_DGRAM),
        "",
    ),
    (
        "the_service_of_streams",
        "without NI_DGRAM the port of that service has no name",
        [["127.0.0.1", "520"]],
        f"{GETNAMEINFO}: NI_DGRAM",
        DOCUMENTED,
        lambda: names(inet(520), IN, NI_NUMERICHOST),
        "",
    ),
):
    topic.add(_name, "getnameinfo", _situation, _results, _source, _certainty, _observe, wine=_wine)


@topic.fact(
    "getnameinfo",
    "an unknown family",
    windows=["WSAEAFNOSUPPORT"],
    source=f"{GETNAMEINFO}: EAI_FAMILY",
    certainty=DOCUMENTED,
)
def the_name_of_an_unknown_family() -> Json:
    name = inet(80)
    name.sin_family = 4321
    return names(name, IN, NI_NUMERICHOST)


@topic.fact(
    "getnameinfo",
    "an address with the number of an interface that does not exist",
    windows=[["ff02::7:a%37", "90"]],
    source=f"{CPYTHON}: test_getnameinfo_ipv6_scopeid_numeric",
    certainty=TESTED,
)
def a_scope_is_shown_as_a_number() -> Json:
    name = inet6(90, b"\xff\2" + bytes(11) + b"\7\0\n")
    name.sin6_scope_id = 37
    return names(name, IN6, _NUMBERS)


@topic.fact(
    "getnameinfo",
    "a link-local address with the number of an interface that exists",
    windows=[["fe80::1%1", "80"]],
    source=f"{SCOPES}: a link-local address is written with the number of its interface",
    certainty=DOCUMENTED,
    wine="the C library of Linux writes the name of the interface",
)
def the_scope_of_an_interface_that_exists() -> Json:
    name = inet6(80, b"\xfe\x80" + bytes(13) + b"\1")
    name.sin6_scope_id = 1
    return names(name, IN6, _NUMBERS)


@topic.fact(
    "getnameinfo",
    "127.0.0.1 has a name, and getaddrinfo finds it",
    windows=[True],
    source=f"{_DOTNET}/PalTests/NameResolutionPalTests.cs: TryGetNameInfo_LocalHost_IPv4_TryGetAddrInfo",
    certainty=TESTED,
)
def the_name_of_loopback_is_found() -> Json:
    shown = names(inet(80), IN, 0)
    return isinstance(shown, list) and isinstance(entries(str(shown[0])), list)


# gethostbyname.
for _name, _node, _situation, _host, _source, _certainty, _wine in (
    ("a_dotted_host", "127.0.0.1", "a dotted address", ["127.0.0.1", "127.0.0.1"], DOTNET, TESTED, ""),
    ("an_ipv6_host", "::1", "an IPv6 address", "WSANO_DATA", GETHOSTBYNAME, DOCUMENTED, "WSAHOST_NOT_FOUND"),
    ("an_illegal_host", "256.1.1.1", "an illegal address", "WSANO_DATA", GETHOSTBYNAME, DOCUMENTED, "another error"),
):
    topic.add(_name, "gethostbyname", _situation, [_host], _source, _certainty, partial(host, _node), wine=_wine)


@topic.fact("gethostbyname", '"localhost"', windows=[True], source=DOTNET, certainty=TESTED)
def the_host_of_localhost() -> Json:
    return "127.0.0.1" in host("localhost")[1:]


@topic.fact("gethostbyname", "the empty name: this machine's name", windows=[True], source=DOTNET, certainty=TESTED)
def the_host_of_the_empty_name() -> Json:
    # The name may have a domain.
    return str(host("")[0]).lower().startswith(own_name().lower())


@topic.fact("gethostbyname", "NULL: this machine", windows=[True], source=GETHOSTBYNAME, certainty=DOCUMENTED)
def the_host_of_no_name() -> Json:
    found = host(None)
    return isinstance(found, list) and found == host(own_name())


@topic.fact(
    "gethostbyname",
    "this machine's name: 127.0.0.1 only if there is no other address",
    windows=[True],
    source=f"{WINE}: test_gethostbyname",
    certainty=TESTED,
)
def this_machine_has_its_own_addresses() -> Json:
    found = host(own_name())
    return isinstance(found, list) and ("127.0.0.1" not in found or len(found) == 2)


# gethostname.
@topic.fact("gethostname", "NULL", windows=["WSAEFAULT"], source=f"{WINE}: test_gethostname", certainty=TESTED)
def no_buffer_for_the_name() -> Json:
    return error_name(WSAGetLastError()) if gethostname(None, 256) else 0


@topic.fact(
    "gethostname",
    "a buffer without room for the terminating NUL: nothing is written",
    windows=[["WSAEFAULT", True]],
    source=f"{WINE}: test_gethostname",
    certainty=TESTED,
)
def no_room_for_the_name() -> Json:
    buffer = bytearray(b"." * 256)
    result = gethostname(buffer, len(own_name()))
    return [error_name(WSAGetLastError()) if result else 0, buffer == b"." * 256]


@topic.fact(
    "gethostname", "a buffer of just the size", windows=[0], source=f"{WINE}: test_gethostname", certainty=TESTED
)
def just_enough_room_for_the_name() -> Json:
    size = len(own_name()) + 1
    return gethostname(bytearray(size), size)
