"""Limits of connections: which connection makes room for a new one."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.wire.crowds import CROWD, ConnectionLimits, client_key
from winsock import AF_INET6, in6_addr, in_addr, inet_addr, inet_pton, sockaddr_in, sockaddr_in6


def ipv6(text: bytes) -> sockaddr_in6:
    address = sockaddr_in6()
    number = in6_addr()
    assert inet_pton(AF_INET6, text, number) == 1
    address.sin6_addr = number
    return address


def test_an_address_that_exceeds_its_limit_loses_its_own_oldest_connection():
    limits = ConnectionLimits[int](10, 2)
    assert [limits.add(number, b"a") for number in (1, 2)] == [None, None]
    assert limits.add(3, b"b") is None
    assert [limits.add(number, b"a") for number in (4, 5)] == [1, 2]
    assert len(limits) == 3


def test_the_connection_that_made_progress_longest_ago_makes_room():
    limits = ConnectionLimits[int](10, 3)
    for number in (1, 2, 3):
        limits.add(number, b"a")
    limits.touch(1)
    assert limits.add(4, b"a") == 2
    limits.touch(3)
    assert limits.add(5, b"a") == 1


def test_above_the_total_the_address_with_the_most_connections_loses_one():
    limits = ConnectionLimits[int](4, 3)
    limits.add(1, b"a")
    for number in (2, 3, 4):
        limits.add(number, b"crowd")
    assert limits.add(5, b"b") == 2
    assert limits.add(6, b"c") == 3
    # Now each address has one connection: the oldest makes room.
    assert limits.add(7, b"d") == 1


def test_a_crowd_never_replaces_a_client_of_another_address():
    limits = ConnectionLimits[int](8, 6)
    limits.add(0, b"client")
    replaced = [limits.add(number, b"crowd") for number in range(1, 1000)]
    assert 0 not in replaced
    assert limits.add(1000, b"client") is None
    assert len(limits) == 8


def test_a_closed_connection_is_no_longer_counted():
    limits = ConnectionLimits[int](2, 2)
    limits.add(1, b"a")
    limits.add(2, b"a")
    limits.remove(1)
    limits.remove(1)
    assert limits.add(3, b"a") is None
    for number in (2, 3):
        limits.remove(number)
    assert limits.crowd_member() is None
    assert limits._groups == {}


def test_without_a_descriptor_only_a_crowd_makes_room():
    limits = ConnectionLimits[int](100, 90)
    for number in range(CROWD - 1):
        limits.add(number, b"a")
        limits.add(1000 + number, b"b%d" % number)
    assert limits.crowd_member() is None
    limits.add(999, b"a")
    assert limits.crowd_member() == 0


def test_a_limit_of_one_replaces_the_connection_each_time():
    limits = ConnectionLimits[int](1, 1)
    assert [limits.add(number, b"a") for number in range(3)] == [None, 0, 1]
    assert limits.add(3, b"b") == 2


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["add", "touch", "remove"])), max_size=200))
def test_neither_limit_is_ever_exceeded_and_the_new_connection_stays(steps):
    limits = ConnectionLimits[int](5, 3)
    held: dict[int, str] = {}
    for number, (address, step) in enumerate(steps):
        if step == "add":
            held[number] = address
            replaced = limits.add(number, address.encode())
            assert replaced != number
            if replaced is not None:
                del held[replaced]
        elif held:
            chosen = sorted(held)[number % len(held)]
            if step == "touch":
                limits.touch(chosen)
            else:
                limits.remove(chosen)
                del held[chosen]
        assert len(limits) == len(held) <= 5
        assert max(Counter(held.values()).values(), default=0) <= 3


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"2001:db8::1", b"2001:db8::ffff:1", True),
        (b"2001:db8:0:1::1", b"2001:db8:0:2::1", False),
        (b"::1", b"fe80::1", False),
    ],
)
def test_addresses_of_one_ipv6_network_of_64_bits_count_as_one(one, other, same):
    assert (client_key(ipv6(one)) == client_key(ipv6(other))) == same


def test_an_ipv4_address_counts_whatever_its_port():
    one, other = (sockaddr_in(2, port, in_addr(inet_addr(b"10.0.0.1"))) for port in (1, 2))
    assert client_key(one) == client_key(other)
    other.sin_addr = in_addr(inet_addr(b"10.0.0.2"))
    assert client_key(one) != client_key(other)
