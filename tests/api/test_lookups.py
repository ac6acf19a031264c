"""Looking up hosts and services: what is a number, a name of this machine or a host name; and look-ups that fail."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from ctypes import POINTER, string_at

import pytest
from winsock_kit import loopback, loopback6

from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    AI_CANONNAME,
    AI_FQDN,
    AI_NUMERICHOST,
    AI_NUMERICSERV,
    NI_MAXHOST,
    NI_NUMERICHOST,
    SOCK_DGRAM,
    SOCK_STREAM,
    WSAEINVAL,
    WSAHOST_NOT_FOUND,
    WSANO_DATA,
    WSANO_RECOVERY,
    WSATYPE_NOT_FOUND,
    WSAGetLastError,
    addrinfo,
    freeaddrinfo,
    getaddrinfo,
    gethostbyname,
    gethostname,
    getnameinfo,
    sockaddr_in6,
)

pytestmark = pytest.mark.usefixtures("started")


def looked_up(
    node: str | bytes | None,
    service: str | bytes | None = None,
    flags: int = 0,
    family: int = AF_INET,
    kind: int = 0,
) -> int | list[tuple[bytes, int]]:
    """The error, or each address with its type of socket."""
    result = POINTER(addrinfo)()
    code = getaddrinfo(node, service, addrinfo(flags, family, kind), result)
    if code:
        assert WSAGetLastError() == code
        assert not result
        return code
    found, entry = [], result
    while entry:
        found.append((string_at(entry.contents.ai_addr, entry.contents.ai_addrlen), entry.contents.ai_socktype))
        entry = entry.contents.ai_next
    freeaddrinfo(result)
    return found


def own_name() -> str:
    name = bytearray(256)
    assert gethostname(name, 256) == 0
    return name.partition(b"\0")[0].decode()


# services


@pytest.mark.parametrize(
    ("service", "port"),
    [
        ("080", 80),
        ("\t80", 80),
        ("+80", 80),
        ("65535", 65535),
        ("65537", 1),
        ("-0", 0),
        pytest.param("-65535", 1, marks=pytest.mark.wine_differs("the C library of Linux refuses this number")),
        pytest.param("4294967296", 65535, marks=pytest.mark.wine_differs("the C library of Linux truncates it")),
        pytest.param("-4294967296", 65535, marks=pytest.mark.wine_differs("the C library of Linux truncates it")),
        pytest.param("9" * 9999, 65535, marks=pytest.mark.wine_differs("the C library of Linux refuses this number")),
        ("0" * 9999 + "80", 80),
    ],
)
def test_a_port_is_the_low_word_of_an_unsigned_decimal_number(service: str, port: int) -> None:
    assert looked_up("127.0.0.1", service) == [(bytes(loopback(port)), 0)]


@pytest.mark.parametrize("service", [" ", "+", "-", "--1", "+ 80", "80 ", "0x50", "80.0", "8 0", "1_0", ":80"])
def test_a_text_that_is_neither_a_decimal_number_nor_a_service_is_wsatype_not_found(service: str) -> None:
    assert looked_up("127.0.0.1", service) == WSATYPE_NOT_FOUND


@pytest.mark.wine_differs("a service does not decide the type of socket")
@pytest.mark.parametrize(("service", "port", "kind"), [("smtp", 25, SOCK_STREAM), ("router", 520, SOCK_DGRAM)])
def test_a_named_service_of_one_type_decides_the_type_of_socket(service: str, port: int, kind: int) -> None:
    assert looked_up("127.0.0.1", service) == [(bytes(loopback(port)), kind)]


def test_a_named_service_of_both_types_leaves_the_type_open() -> None:
    assert looked_up("127.0.0.1", "domain") == [(bytes(loopback(53)), 0)]


def test_a_named_service_must_exist_for_the_type_in_the_hints() -> None:
    assert looked_up("127.0.0.1", "router", kind=SOCK_DGRAM) == [(bytes(loopback(520)), SOCK_DGRAM)]
    assert looked_up("127.0.0.1", "router", kind=SOCK_STREAM) == WSATYPE_NOT_FOUND


def test_a_numeric_service_leaves_the_type_of_the_hints() -> None:
    assert looked_up("127.0.0.1", "25", kind=SOCK_DGRAM) == [(bytes(loopback(25)), SOCK_DGRAM)]


def test_a_named_service_is_wsahost_not_found_where_a_number_is_required() -> None:
    assert looked_up("127.0.0.1", "smtp", AI_NUMERICSERV) == WSAHOST_NOT_FOUND
    assert looked_up("127.0.0.1", " 25", AI_NUMERICSERV) == [(bytes(loopback(25)), 0)]


# numeric addresses


@pytest.mark.wine_differs("the C library of Linux accepts addresses of one to three numbers")
@pytest.mark.parametrize("node", ["127.1", "127.0.1", "2130706433", "0x7f000001"])
def test_an_ipv4_address_has_four_numbers(node: str) -> None:
    assert looked_up(node) == WSAHOST_NOT_FOUND


@pytest.mark.parametrize("node", ["1.2.3.4.5", "1.2.3.256", "1.2.3.08", "1.2.3.", "1..2.3"])
def test_an_illegal_ipv4_address_is_wsahost_not_found(node: str) -> None:
    assert looked_up(node) == WSAHOST_NOT_FOUND


def test_a_number_of_an_ipv4_address_may_be_octal_or_hexadecimal() -> None:
    assert looked_up("0x7f.00.0.01", "80", AI_NUMERICHOST) == [(bytes(loopback(80)), 0)]


@pytest.mark.wine_differs("the C library of Linux looks up a name with a blank")
def test_blanks_after_an_ipv4_address_are_ignored_where_a_name_would_be_looked_up() -> None:
    assert looked_up("127.0.0.1 ", "80") == [(bytes(loopback(80)), 0)]
    assert looked_up("127.0.0.1 ", "80", AI_NUMERICHOST) == WSAHOST_NOT_FOUND


def test_the_scope_of_an_ipv6_address_is_the_number_of_an_interface() -> None:
    name = sockaddr_in6.from_buffer_copy(bytes(loopback6(80)))
    name.sin6_addr.s6_addr = b"\xfe\x80" + bytes(13) + b"\1"
    name.sin6_scope_id = 4
    assert looked_up("fe80::1%4", "80", family=AF_UNSPEC) == [(bytes(name), 0)]
    assert looked_up("[fe80::1%4]:22", "80", AI_NUMERICHOST, AF_INET6) == [(bytes(name), 0)]


@pytest.mark.wine_differs("the C library of Linux knows the names of interfaces")
@pytest.mark.parametrize("node", ["fe80::1%lo", "[fe80::1%lo]"])
def test_the_name_of_an_interface_is_no_scope(node: str) -> None:
    assert looked_up(node, family=AF_INET6) == WSAHOST_NOT_FOUND


@pytest.mark.parametrize("scope", ["1x", "", "-1", "4294967296"])
def test_a_scope_that_is_no_number_of_32_bits_is_wsahost_not_found(scope: str) -> None:
    assert looked_up(f"fe80::1%{scope}", family=AF_INET6) == WSAHOST_NOT_FOUND
    assert looked_up(f"[fe80::1%{scope}]", family=AF_INET6) == WSAHOST_NOT_FOUND


@pytest.mark.wine_differs("the C library of Linux writes the name of an interface")
def test_getnameinfo_writes_a_scope_as_a_number() -> None:
    name = sockaddr_in6.from_buffer_copy(bytes(loopback6(80)))
    name.sin6_addr.s6_addr = b"\xfe\x80" + bytes(13) + b"\1"
    for scope in (1, 4294967295):
        name.sin6_scope_id = scope
        node = bytearray(NI_MAXHOST)
        assert getnameinfo(name, 28, node, NI_MAXHOST, None, 0, NI_NUMERICHOST) == 0
        assert node.partition(b"\0")[0] == b"fe80::1%%%d" % scope


@pytest.mark.parametrize("node", ["[::1", "::1]", "[]", "[[::1]]"])
def test_brackets_come_in_pairs_around_an_address(node: str) -> None:
    assert looked_up(node, family=AF_UNSPEC) == WSAHOST_NOT_FOUND


@pytest.mark.wine_differs("it ignores the brackets, and what follows them")
@pytest.mark.parametrize("node", ["[127.0.0.1]", "[::1]x", "[::1]:x"])
def test_brackets_are_for_ipv6_only_and_a_port_follows_them(node: str) -> None:
    assert looked_up(node, family=AF_UNSPEC) == WSAHOST_NOT_FOUND


# names


@pytest.mark.parametrize("node", ["a b", "localhost:80", "a%b", ".", "a..b", ".a", "a" * 64, "abcdefg." * 33])
def test_a_text_that_no_host_can_have_as_name_is_wsahost_not_found(node: str) -> None:
    assert looked_up(node) == WSAHOST_NOT_FOUND


@pytest.mark.parametrize("text", ["1" * 100_000, ":" * 100_000, "0x" + "0" * 100_000 + "z", "[" + ":" * 100_000])
def test_a_very_long_text_is_no_host(text: str) -> None:
    assert looked_up(text, family=AF_UNSPEC) == WSAHOST_NOT_FOUND
    assert gethostbyname(text) is None


@pytest.mark.wine_differs("the file of hosts of Linux decides")
@pytest.mark.parametrize("node", ["localhost", "LocalHost", "localhost."])
def test_localhost_has_the_loopback_addresses_of_both_families(node: str) -> None:
    assert looked_up(node, "80", family=AF_INET) == [(bytes(loopback(80)), 0)]
    assert looked_up(node, "80", family=AF_INET6) == [(bytes(loopback6(80)), 0)]
    both = looked_up(node, "80", family=AF_UNSPEC)
    assert isinstance(both, list)
    assert {name for name, _ in both} == {bytes(loopback(80)), bytes(loopback6(80))}


@pytest.mark.wine_differs("it does not know the name ..localmachine")
def test_this_machines_name_the_empty_name_and_localmachine_give_the_addresses_of_the_interfaces() -> None:
    found = looked_up("", "80", family=AF_UNSPEC)
    assert isinstance(found, list)
    assert found
    for node in ("..localmachine", "..LOCALMACHINE", own_name(), own_name().upper()):
        assert looked_up(node, "80", family=AF_UNSPEC) == found
    # Loopback addresses only if there are no others.
    loopbacks = {bytes(loopback(80)), bytes(loopback6(80))} & {name for name, _ in found}
    assert len(loopbacks) in (0, len(found))


def test_this_machines_addresses_are_no_numbers() -> None:
    assert looked_up("", flags=AI_NUMERICHOST) == WSAHOST_NOT_FOUND
    assert looked_up("..localmachine", flags=AI_NUMERICHOST) == WSAHOST_NOT_FOUND


# hints


@pytest.mark.wine_differs("it does not check these hints")
def test_hints_beyond_the_first_four_fields_are_wsano_recovery() -> None:
    result = POINTER(addrinfo)()
    for at in range(16, len(bytes(addrinfo()))):
        hints = bytearray(len(bytes(addrinfo())))
        hints[at] = 1
        assert getaddrinfo("127.0.0.1", None, hints, result) == WSANO_RECOVERY
        assert not result


@pytest.mark.wine_differs("it does not know AI_FQDN")
def test_ai_fqdn_requests_a_name_and_excludes_ai_canonname() -> None:
    result = POINTER(addrinfo)()
    assert getaddrinfo("localhost", None, addrinfo(AI_FQDN), result) == 0
    assert result.contents.ai_canonname
    freeaddrinfo(result)
    assert looked_up("localhost", flags=AI_FQDN | AI_CANONNAME) == WSAEINVAL
    assert looked_up(None, "80", flags=AI_FQDN) == WSAEINVAL


# gethostbyname


@pytest.mark.wine_differs("gethostbyname reports another error")
@pytest.mark.parametrize("name", ["::1", "fe80::1%1", "1.2.3.256", "1.2.3.4.5", "1..2"])
def test_gethostbyname_of_an_ipv6_or_illegal_address_is_wsano_data(name: str) -> None:
    assert gethostbyname(name) is None
    assert WSAGetLastError() == WSANO_DATA


@pytest.mark.parametrize("name", ["0x1111." * 30 + "%", "0x" + "1" * 200 + "%", "0x1." * 60 + "%"])
def test_gethostbyname_reads_a_name_that_begins_like_numbers_at_once(name: str) -> None:
    # In a process of its own: a look-up that does not end would hold the GIL.
    program = f"from winsock import *; WSAStartup(0x202, WSADATA()); print(gethostbyname({name!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "None"


@pytest.mark.parametrize("name", ["0x1.2.3.4.5", "0x1..2", "1.0x", "...", ".1"])
@pytest.mark.wine_differs("gethostbyname reports another error")
def test_gethostbyname_of_numbers_between_dots_is_wsano_data(name: str) -> None:
    assert gethostbyname(name) is None
    assert WSAGetLastError() == WSANO_DATA


# descriptors

_CHILD = """
import os, resource
from ctypes import POINTER
from winsock import *

def lookups():
    result = POINTER(addrinfo)()
    yield "host", getaddrinfo("localhost", None, None, result)
    yield "unknown host", getaddrinfo("no-such-host.invalid", None, None, result)
    yield "service", getaddrinfo(None, "smtp", None, result)
    yield "this machine", getaddrinfo("..localmachine", None, None, result)
    yield "numbers", getaddrinfo("127.0.0.1", "80", None, result)
    WSASetLastError(0)
    entry = gethostbyname("localhost")
    yield "gethostbyname", 0 if entry else WSAGetLastError()
    name = sockaddr_in(AF_INET, htons(80), in_addr(htonl(INADDR_LOOPBACK)))
    for flags in (0, NI_NAMEREQD):
        yield f"getnameinfo {flags}", getnameinfo(name, 16, bytearray(64), 64, None, 0, flags)
    yield "getnameinfo numbers", getnameinfo(name, 16, bytearray(64), 64, None, 0, NI_NUMERICHOST)
    yield "service of a port", getnameinfo(name, 16, bytearray(64), 64, bytearray(64), 64, NI_NUMERICHOST)
    yield "service alone", getnameinfo(name, 16, None, 0, bytearray(64), 64, 0)
    yield "port alone", getnameinfo(name, 16, None, 0, bytearray(64), 64, NI_NUMERICSERV)

assert WSAStartup(0x202, WSADATA()) == 0
if %r:
    list(lookups())
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.dup(2))
except OSError as error:
    print("errno", error.errno)
for name, code in lookups():
    print(name, code)
for fd in taken:
    os.close(fd)
print("host again", getaddrinfo("localhost", None, None, POINTER(addrinfo)()))
"""


@pytest.mark.posix_only("Windows has no limit of descriptors")
@pytest.mark.parametrize("after_others", [False, True], ids=["the first look-ups", "after other look-ups"])
def test_a_lookup_without_a_free_descriptor_is_wsatry_again_and_succeeds_later(after_others: bool) -> None:
    program = _CHILD % after_others
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.splitlines() == [
        f"errno {errno.EMFILE}",
        "host 11002",
        "unknown host 11002",
        "service 11002",
        "this machine 11002",
        "numbers 0",
        "gethostbyname 11002",
        "getnameinfo 0 11002",
        "getnameinfo 4 11002",
        "getnameinfo numbers 0",
        "service of a port 11002",
        "service alone 11002",
        "port alone 0",
        "host again 0",
    ]
