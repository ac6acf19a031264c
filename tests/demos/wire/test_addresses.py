"""Host names to addresses, and addresses to text."""

from __future__ import annotations

import pytest

from demos.wire import addresses
from demos.wire.addresses import AddressError, address_text, empty_address, family_of, find_address, is_any, port_of
from winsock import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM, WSAHOST_NOT_FOUND, addrinfo, sockaddr_in, sockaddr_in6

pytestmark = pytest.mark.usefixtures("started")


@pytest.mark.parametrize(
    ("host", "text", "family"),
    [
        ("127.0.0.1", "127.0.0.1:8082", AF_INET),
        ("0.0.0.0", "0.0.0.0:8082", AF_INET),
        ("::1", "[::1]:8082", AF_INET6),
        ("::", "[::]:8082", AF_INET6),
        ("2001:db8::7", "[2001:db8::7]:8082", AF_INET6),
    ],
)
def test_an_address_of_either_family_is_accepted(host, text, family):
    address = find_address(host, 8082, SOCK_DGRAM)
    assert address_text(address) == text
    assert family_of(address) == family
    assert port_of(address) == 8082
    assert is_any(address) == (host in ("0.0.0.0", "::"))
    assert type(address) is type(empty_address(family))


def test_a_scope_is_part_of_the_text():
    address = sockaddr_in6(sin6_family=AF_INET6, sin6_scope_id=2)
    address.sin6_addr.s6_addr = b"\xfe\x80" + bytes(13) + b"\1"
    assert address_text(address) == "[fe80::1%2]:0"


def test_a_name_is_resolved():
    assert address_text(find_address("localhost", 80, SOCK_STREAM)) == "127.0.0.1:80"


def test_the_first_ipv4_address_of_a_name_is_taken(monkeypatch):
    def chain(host, service, hints, found):
        """An unknown family, IPv6 and IPv4, in the order that a resolver may return them."""
        other = addrinfo(ai_family=77)
        four = addresses.POINTER(addrinfo)()
        assert real(b"127.0.0.7", service, hints, four) == 0
        assert real(b"::1", service, hints, found) == 0
        other.ai_next = four
        found.contents.ai_next = addresses.POINTER(addrinfo)(other)
        return 0

    real = addresses.getaddrinfo
    monkeypatch.setattr(addresses, "getaddrinfo", chain)
    # The list is assembled by this test, so it must not be freed.
    monkeypatch.setattr(addresses, "freeaddrinfo", lambda found: None)
    found = find_address("both", 80, SOCK_DGRAM)
    assert isinstance(found, sockaddr_in)
    assert address_text(found) == "127.0.0.7:80"


def test_a_name_without_an_internet_address_is_an_error(monkeypatch):
    def unknown_family(host, service, hints, found):
        found.contents = addrinfo(ai_family=77)
        return 0

    monkeypatch.setattr(addresses, "getaddrinfo", unknown_family)
    monkeypatch.setattr(addresses, "freeaddrinfo", lambda found: None)
    with pytest.raises(AddressError, match="host has neither an IPv4 nor an IPv6 address"):
        find_address("host", 80, SOCK_DGRAM)


@pytest.mark.parametrize("host", ["", " ", "a\0b", "a b", "127.0.0.1 ", "a\tb", "a\x7f", "ä..b", "x" * 64 + "ä"])
def test_an_invalid_host_name_is_an_error(host):
    with pytest.raises(AddressError, match="invalid host name: "):
        find_address(host, 80, SOCK_DGRAM)


def test_a_name_outside_ascii_is_resolved_in_its_encoded_form(monkeypatch):
    asked = []

    def ask(host, service, hints, found):
        asked.append((host, service))
        return WSAHOST_NOT_FOUND

    monkeypatch.setattr(addresses, "getaddrinfo", ask)
    with pytest.raises(AddressError, match=r"the host name 'bücher\.example' cannot be resolved: \(#11001\)"):
        find_address("bücher.example", 80, SOCK_DGRAM)
    assert asked == [(b"xn--bcher-kva.example", "80")]
