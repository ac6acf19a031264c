"""Structures show what they hold, are equal if their bytes are, and name the field that a constructor rejects."""

from __future__ import annotations

import copy
import ctypes
import pickle
from ctypes import POINTER, c_char_p, c_ubyte
from typing import Any

import pytest
from winsock_kit import fd_set_of, loopback

import winsock
from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    AI_CANONNAME,
    AI_PASSIVE,
    FD_CLR,
    FD_SET,
    IPPROTO_TCP,
    MAKEWORD,
    POLLERR,
    POLLHUP,
    POLLIN,
    SOCK_STREAM,
    WSADATA,
    WSAPOLLFD,
    addrinfo,
    fd_set,
    fd_set_sized,
    freeaddrinfo,
    getaddrinfo,
    gethostbyname,
    hostent,
    htons,
    in6_addr,
    in_addr,
    inet_addr,
    ip_mreq,
    ipv6_mreq,
    linger,
    sockaddr,
    sockaddr_in,
    sockaddr_in6,
    sockaddr_storage,
    timeval,
)

STRUCTURES = [
    value
    for name, value in vars(winsock).items()
    if isinstance(value, type) and issubclass(value, ctypes.Structure) and name != "WSAData"
] + [fd_set_sized(3)]


def ipv6(text: bytes) -> in6_addr:
    address = in6_addr()
    address.s6_addr = text
    return address


LINK_LOCAL = b"\xfe\x80" + bytes(13) + b"\1"
IPV4 = sockaddr_in(AF_INET, htons(8081), in_addr(inet_addr("127.0.0.1")))
IPV6 = sockaddr_in6(AF_INET6, htons(8081), 0, ipv6(bytes(15) + b"\1"))


def storage(name: Any) -> sockaddr_storage:
    return sockaddr_storage.from_buffer_copy(bytes(name).ljust(128, b"\0"))


SHOWN: list[tuple[ctypes.Structure, str]] = [
    (IPV4, "sockaddr_in(AF_INET, 127.0.0.1:8081)"),
    (IPV6, "sockaddr_in6(AF_INET6, [::1]:8081)"),
    (
        sockaddr_in6(AF_INET6, htons(80), 7, ipv6(LINK_LOCAL), 3),
        "sockaddr_in6(AF_INET6, [fe80::1%3]:80, flowinfo=7)",
    ),
    (sockaddr.from_buffer_copy(IPV4), "sockaddr(AF_INET, 127.0.0.1:8081)"),
    (storage(IPV4), "sockaddr_storage(AF_INET, 127.0.0.1:8081)"),
    (storage(IPV6), "sockaddr_storage(AF_INET6, [::1]:8081)"),
    (sockaddr(AF_UNIX, (c_ubyte * 14)(*b"/a")), "sockaddr(AF_UNIX, b'/a')"),
    (sockaddr(999), "sockaddr(999)"),
    (sockaddr_in(), "sockaddr_in(AF_UNSPEC)"),
    (in_addr(inet_addr("1.2.3.4")), "in_addr(1.2.3.4)"),
    (ipv6(LINK_LOCAL), "in6_addr(fe80::1)"),
    (timeval(1, 500000), "timeval(tv_sec=1, tv_usec=500000)"),
    (linger(1, 5), "linger(l_onoff=1, l_linger=5)"),
    (
        ip_mreq(in_addr(inet_addr("224.0.0.9")), in_addr()),
        "ip_mreq(imr_multiaddr=224.0.0.9, imr_interface=0.0.0.0)",
    ),
    (ipv6_mreq(ipv6(LINK_LOCAL), 2), "ipv6_mreq(ipv6mr_multiaddr=fe80::1, ipv6mr_interface=2)"),
    (fd_set_of(4, 8), "fd_set({4, 8})"),
    (fd_set(), "fd_set({})"),
    (fd_set(1000), "fd_set({" + ", ".join(["0"] * 64) + "})"),
    (fd_set_sized(3)(), "fd_set_3({})"),
    (WSAPOLLFD(12, POLLIN, POLLERR | POLLHUP), "WSAPOLLFD(fd=12, events=POLLIN, revents=POLLERR|POLLHUP)"),
    (WSAPOLLFD(), "WSAPOLLFD(fd=0, events=0, revents=0)"),
    (WSAPOLLFD(1, POLLIN - 32768, -32768), "WSAPOLLFD(fd=1, events=POLLIN|0x8000, revents=-32768)"),
    (
        addrinfo(AI_PASSIVE | AI_CANONNAME, AF_INET, SOCK_STREAM, IPPROTO_TCP),
        "addrinfo(ai_flags=AI_PASSIVE|AI_CANONNAME, ai_family=AF_INET, ai_socktype=SOCK_STREAM, "
        "ai_protocol=IPPROTO_TCP, ai_addrlen=0, ai_canonname=NULL, ai_addr=NULL, ai_next=NULL)",
    ),
    (
        hostent(),
        "hostent(h_name=NULL, h_aliases=NULL, h_addrtype=AF_UNSPEC, h_length=0, h_addr_list=NULL)",
    ),
]


@pytest.mark.parametrize(("structure", "text"), SHOWN, ids=[text for _, text in SHOWN])
def test_repr_shows_what_a_structure_holds(structure: ctypes.Structure, text: str) -> None:
    assert repr(structure) == str(structure) == f"{structure!r}" == text


def test_repr_of_wsadata_shows_versions_and_texts() -> None:
    data = WSADATA(wVersion=MAKEWORD(1, 1), wHighVersion=MAKEWORD(2, 2), szDescription=b"WinSock 2.0")
    assert repr(data).startswith("WSADATA(wVersion=MAKEWORD(1, 1), wHighVersion=MAKEWORD(2, 2), ")
    assert "szDescription=b'WinSock 2.0'" in repr(data)
    assert "lpVendorInfo=NULL" in repr(data)


def test_every_structure_is_shown_with_its_name_and_not_with_its_address_in_memory() -> None:
    for structure in STRUCTURES:
        assert repr(structure()).startswith(f"{structure.__name__}(")
        assert " object at 0x" not in repr(structure())


def test_the_parts_of_an_address_are_shown_and_compared_like_structures() -> None:
    one, other = in_addr(inet_addr("1.2.3.4")), in_addr(inet_addr("1.2.3.4"))
    assert repr(one.S_un) == "_in_addr_union(1.2.3.4)"
    assert repr(one.S_un_b) == "_in_addr_bytes(s_b1=1, s_b2=2, s_b3=3, s_b4=4)"
    assert repr(one.S_un_w) == "_in_addr_words(s_w1=513, s_w2=1027)"
    assert repr(ipv6(LINK_LOCAL).u) == "_in6_addr_union(fe80::1)"
    assert one.S_un == other.S_un
    assert one.S_un_b == other.S_un_b
    other.S_un_b.s_b4 = 5
    assert one.S_un != other.S_un
    assert one != other
    with pytest.raises(TypeError, match="unhashable"):
        hash(one.S_un)


def test_a_structure_of_a_subclass_is_equal_if_it_has_the_same_bytes() -> None:
    class Named(sockaddr_in):
        pass

    class Longer(sockaddr_in):
        _fields_ = (("extra", ctypes.c_int),)

    assert Named(AF_INET) == sockaddr_in(AF_INET) == Named(AF_INET)
    assert (sockaddr_in(AF_INET) != Named(AF_INET)) is False
    assert repr(Named(AF_INET)) == "Named(AF_INET, 0.0.0.0:0)"
    assert Longer(AF_INET) != sockaddr_in(AF_INET)
    assert sockaddr_in(AF_INET) != Longer(AF_INET)


def test_elements_of_arrays_and_copies_are_shown_and_compared_like_structures() -> None:
    array = (sockaddr_in * 2)(IPV4, IPV4)
    assert array[0] == array[1] == IPV4
    assert repr(list(array)) == f"[{IPV4!r}, {IPV4!r}]"
    for made in (copy.copy(IPV4), copy.deepcopy(IPV4), pickle.loads(pickle.dumps(IPV4))):
        assert made == IPV4
        assert made is not IPV4
    with pytest.raises(TypeError, match="'<' not supported"):
        assert array[0] < IPV4


def test_repr_does_not_follow_pointers() -> None:
    shown = addrinfo(ai_family=AF_INET)
    for field in ("ai_canonname", "ai_addr", "ai_next"):
        ctypes.c_void_p.from_buffer(shown, getattr(addrinfo, field).offset).value = 8  # no memory is there
    assert repr(shown).endswith("ai_canonname=0x8, ai_addr=0x8, ai_next=0x8)")
    assert repr(WSADATA(lpVendorInfo=8)).count("lpVendorInfo=0x8") == 1


def test_repr_of_results_shows_the_address_of_each_pointer(started: None) -> None:
    found = POINTER(addrinfo)()
    assert getaddrinfo("127.0.0.1", "80", None, found) == 0
    address = ctypes.cast(found.contents.ai_addr, ctypes.c_void_p).value
    assert address is not None
    assert f"ai_addr=0x{address:x}" in repr(found.contents)
    assert "ai_family=AF_INET," in repr(found.contents)
    freeaddrinfo(found)
    host = gethostbyname("127.0.0.1")
    assert host is not None
    assert "h_addrtype=AF_INET, h_length=4" in repr(host)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_structures_of_one_type_are_equal_if_their_bytes_are_equal(structure: Any) -> None:
    one, other = structure(), structure()
    assert one == other
    assert (one != other) is False
    for position in range(ctypes.sizeof(structure)):
        raw = bytearray(bytes(other))
        raw[position] = 1
        assert one != structure.from_buffer_copy(raw)
        assert (one == structure.from_buffer_copy(raw)) is False


def test_structures_of_different_types_are_not_equal() -> None:
    assert sockaddr_in() != sockaddr()
    assert fd_set() != fd_set_sized(3)()
    assert sockaddr_in() != bytes(16)
    assert (sockaddr_in() == 0) is False


def test_an_address_that_was_copied_as_bytes_is_equal() -> None:
    address = loopback(4711)
    assert sockaddr_in.from_buffer_copy(bytearray(address)) == address
    address.sin_port = htons(4712)
    assert sockaddr_in.from_buffer_copy(bytearray(loopback(4711))) != address


def test_sets_with_the_same_members_in_the_same_order_are_equal() -> None:
    assert fd_set_of(4, 8) == fd_set_of(4, 8)
    assert fd_set_of(4, 8) != fd_set_of(8, 4)
    fds = fd_set_of(4)
    FD_SET(8, fds)
    assert fds == fd_set_of(4, 8)
    FD_CLR(4, fds)
    assert fds != fd_set_of(4, 8)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_structure_has_no_hash_value_because_it_can_be_modified(structure: Any) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(structure())


@pytest.mark.parametrize(
    ("structure", "given", "named", "field"),
    [
        (sockaddr_in, ("AF_INET",), {}, "sin_family"),
        (sockaddr_in, (AF_INET, "80"), {}, "sin_port"),
        (sockaddr_in, (AF_INET, 80, "127.0.0.1"), {}, "sin_addr"),
        (sockaddr_in, (AF_INET, 80, 0x100007F), {}, "sin_addr"),
        (sockaddr_in, (AF_INET,), {"sin_port": None}, "sin_port"),
        (sockaddr_in6, (AF_INET6, 80, 0, b"::1"), {}, "sin6_addr"),
        (in_addr, ("127.0.0.1",), {}, "s_addr"),
        (in_addr, (), {"s_addr": 1.0}, "s_addr"),
        (timeval, (0.5,), {}, "tv_sec"),
        (timeval, (0, 1.5), {}, "tv_usec"),
        (linger, (1,), {"l_linger": "5"}, "l_linger"),
        (fd_set, ([4, 8],), {}, "fd_count"),
        (WSAPOLLFD, (None,), {}, "fd"),
        (WSADATA, (), {"szDescription": "text"}, "szDescription"),
        (addrinfo, (), {"ai_addr": IPV4}, "ai_addr"),
        (ip_mreq, ("224.0.0.9",), {}, "imr_multiaddr"),
    ],
)
def test_a_constructor_names_the_structure_and_the_field_that_it_rejects(
    structure: Any, given: tuple[Any, ...], named: dict[str, Any], field: str
) -> None:
    with pytest.raises(TypeError, match=rf"^{structure.__name__}\(\) argument '{field}': \S"):
        structure(*given, **named)


def test_a_constructor_rejects_too_many_values() -> None:
    with pytest.raises(TypeError, match=r"^timeval\(\): too many initializers$"):
        timeval(1, 2, 3)
    with pytest.raises(TypeError, match=r"^timeval\(\): duplicate values for field 'tv_sec'$"):
        timeval(1, tv_sec=2)


def test_a_structure_that_shows_pointers_can_hold_text() -> None:
    assert hostent(h_name=c_char_p(b"name").value).h_name == b"name"


@pytest.mark.parametrize("structure", [winsock.timeval, winsock.sockaddr_in, winsock.addrinfo, winsock.in6_addr])
def test_a_constructor_rejects_a_name_that_is_not_a_field(structure: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{structure.__name__}\(\) has no field 'tv_foo'$"):
        structure(tv_foo=2)


@pytest.mark.parametrize("size", [0, 3, 15, 17])
def test_an_ipv6_address_has_exactly_16_bytes(size: int) -> None:
    address = winsock.in6_addr()
    with pytest.raises(ValueError, match=f"^an IPv6 address has 16 bytes, not {size}$"):
        address.s6_addr = bytes(size)
