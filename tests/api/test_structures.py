"""Structures have the layout of Windows on every platform, and the macros of winsock2.h work on them."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, alignment, c_int, c_size_t, sizeof
from typing import Any

import pytest
from winsock_kit import fd_set_of, loopback, loopback6

import winsock
from winsock import (
    AF_INET,
    FD_CLR,
    FD_ISSET,
    FD_SET,
    FD_SETSIZE,
    FD_ZERO,
    HIBYTE,
    INADDR_LOOPBACK,
    INVALID_SOCKET,
    LOBYTE,
    MAKEWORD,
    SOCKET,
    WSADATA,
    fd_set,
    fd_set_sized,
    hostent,
    htonl,
    htons,
    in6_addr,
    in_addr,
    inet_addr,
    ntohs,
    sockaddr_in,
    u_long,
    u_short,
)

WIDE = sizeof(c_size_t) == 8

# Name: size, alignment, and the offset of each field, for pointers of 8 bytes and, if different, of 4 bytes.
LAYOUTS: dict[str, tuple[int, int, dict[str, int]]] = {
    "in_addr": (4, 4, {"S_un": 0}),
    "sockaddr": (16, 2, {"sa_family": 0, "sa_data": 2}),
    "sockaddr_in": (16, 4, {"sin_family": 0, "sin_port": 2, "sin_addr": 4, "sin_zero": 8}),
    "in6_addr": (16, 2, {"u": 0}),
    "sockaddr_in6": (
        28,
        4,
        {"sin6_family": 0, "sin6_port": 2, "sin6_flowinfo": 4, "sin6_addr": 8, "sin6_scope_id": 24},
    ),
    "sockaddr_storage": (128, 8, {"ss_family": 0, "__ss_pad1": 2, "__ss_align": 8, "__ss_pad2": 16}),
    "timeval": (8, 4, {"tv_sec": 0, "tv_usec": 4}),
    "linger": (4, 2, {"l_onoff": 0, "l_linger": 2}),
    "ip_mreq": (8, 4, {"imr_multiaddr": 0, "imr_interface": 4}),
    "ipv6_mreq": (20, 4, {"ipv6mr_multiaddr": 0, "ipv6mr_interface": 16}),
}
WITH_POINTERS: dict[str, tuple[int, int, dict[str, int]]] = (
    {
        "WSADATA": (
            408,
            8,
            {
                "wVersion": 0,
                "wHighVersion": 2,
                "iMaxSockets": 4,
                "iMaxUdpDg": 6,
                "lpVendorInfo": 8,
                "szDescription": 16,
                "szSystemStatus": 273,
            },
        ),
        "fd_set": (520, 8, {"fd_count": 0, "fd_array": 8}),
        "WSAPOLLFD": (16, 8, {"fd": 0, "events": 8, "revents": 10}),
        "addrinfo": (
            48,
            8,
            {
                "ai_flags": 0,
                "ai_family": 4,
                "ai_socktype": 8,
                "ai_protocol": 12,
                "ai_addrlen": 16,
                "ai_canonname": 24,
                "ai_addr": 32,
                "ai_next": 40,
            },
        ),
        "hostent": (32, 8, {"h_name": 0, "h_aliases": 8, "h_addrtype": 16, "h_length": 18, "h_addr_list": 24}),
    }
    if WIDE
    else {
        "WSADATA": (
            400,
            4,
            {
                "wVersion": 0,
                "wHighVersion": 2,
                "szDescription": 4,
                "szSystemStatus": 261,
                "iMaxSockets": 390,
                "iMaxUdpDg": 392,
                "lpVendorInfo": 396,
            },
        ),
        "fd_set": (260, 4, {"fd_count": 0, "fd_array": 4}),
        "WSAPOLLFD": (8, 4, {"fd": 0, "events": 4, "revents": 6}),
        "addrinfo": (
            32,
            4,
            {
                "ai_flags": 0,
                "ai_family": 4,
                "ai_socktype": 8,
                "ai_protocol": 12,
                "ai_addrlen": 16,
                "ai_canonname": 20,
                "ai_addr": 24,
                "ai_next": 28,
            },
        ),
        "hostent": (16, 4, {"h_name": 0, "h_aliases": 4, "h_addrtype": 8, "h_length": 10, "h_addr_list": 12}),
    }
)


@pytest.mark.parametrize("name", [*LAYOUTS, *WITH_POINTERS])
def test_a_structure_has_windowss_layout(name: str) -> None:
    size, align, offsets = {**LAYOUTS, **WITH_POINTERS}[name]
    structure = getattr(winsock, name)
    assert issubclass(structure, ctypes.Structure)
    assert (sizeof(structure), alignment(structure)) == (size, align)
    assert {field[0]: getattr(structure, field[0]).offset for field in structure._fields_} == offsets


def test_wsadata_has_its_header_s_other_name() -> None:
    assert winsock.WSAData is WSADATA


def test_a_long_has_4_bytes_and_a_socket_a_pointers_width() -> None:
    assert sizeof(u_long) == 4
    assert sizeof(u_short) == 2
    assert sizeof(SOCKET) == sizeof(ctypes.c_void_p)
    assert SOCKET(-1).value == INVALID_SOCKET


def test_an_address_goes_through_a_byte_array_and_back() -> None:
    address = loopback(4711)
    array = bytearray(address)
    assert array == bytes.fromhex("0200 1267 7f000001 0000000000000000")
    back = sockaddr_in.from_buffer_copy(array)
    assert (back.sin_family, ntohs(back.sin_port), back.sin_addr.s_addr) == (AF_INET, 4711, htonl(INADDR_LOOPBACK))
    assert bytes(back) == bytes(address)


def test_an_ipv6_address_has_windowss_family_number_in_its_bytes() -> None:
    assert bytes(loopback6(4711)) == bytes.fromhex("1700 1267 00000000" + "00" * 15 + "01" + "00000000")


def test_an_in_addr_is_one_number_or_four_bytes_or_two_words() -> None:
    address = in_addr(inet_addr("127.0.0.1"))
    assert address.s_addr == address.S_addr == address.S_un.S_addr
    parts = address.S_un.S_un_b
    assert (parts.s_b1, parts.s_b2, parts.s_b3, parts.s_b4) == (127, 0, 0, 1)
    assert (address.S_un.S_un_w.s_w1, address.S_un.S_un_w.s_w2) == (htons(0x7F00), htons(1))
    address.s_addr = 0
    assert bytes(address) == bytes(4)


def test_an_in6_addr_is_16_bytes_or_8_words() -> None:
    address = in6_addr()
    address.s6_addr = bytes(range(16))
    assert address.s6_addr == bytes(range(16))
    assert list(address.Byte) == list(range(16))
    assert [ntohs(word) for word in address.Word] == [0x0001 + 0x0202 * n for n in range(8)]


def test_h_addr_is_the_first_address_of_a_hostent() -> None:
    address = (ctypes.c_char * 4)(*b"\x7f\0\0\1")
    pointers = (POINTER(ctypes.c_char) * 2)(ctypes.cast(address, POINTER(ctypes.c_char)))
    host = hostent(h_addr_list=ctypes.cast(pointers, POINTER(POINTER(ctypes.c_char))))
    assert host.h_addr[:4] == b"\x7f\0\0\1"


# fd_set and its macros


def handles_in(fds: fd_set) -> list[int]:
    return list(fds.fd_array[: fds.fd_count])


def test_fd_set_adds_a_socket_once_in_the_order_of_adding() -> None:
    fds = fd_set()
    for s in (12, 8, 12, 4, 8):
        FD_SET(s, fds)
    assert handles_in(fds) == [12, 8, 4]


def test_fd_clr_removes_a_socket_and_moves_the_entries_after_it() -> None:
    fds = fd_set_of(4, 8, 12)
    FD_CLR(8, fds)
    assert handles_in(fds) == [4, 12]
    FD_CLR(8, fds)
    assert handles_in(fds) == [4, 12]


def test_fd_isset_is_true_for_a_socket_in_the_set() -> None:
    fds = fd_set_of(4, INVALID_SOCKET)
    assert FD_ISSET(4, fds) is True
    assert FD_ISSET(INVALID_SOCKET, fds) is True
    assert FD_ISSET(8, fds) is False
    FD_CLR(4, fds)
    assert FD_ISSET(4, fds) is False


def test_a_handle_whose_bytes_span_two_entries_is_not_in_the_set() -> None:
    # 0x400 in the high half of one entry and 0x1 in the low half of the next one.
    half = 4 * sizeof(SOCKET)
    across = 0x400 | 1 << half
    fds = fd_set_of(0x400 << half, 1, 0x400 << half, 1)
    assert fds.fd_count == 2
    assert not FD_ISSET(across, fds)
    FD_CLR(across, fds)
    FD_SET(across, fds)
    assert handles_in(fds) == [0x400 << half, 1, across]


def test_fd_clr_removes_the_first_of_equal_entries() -> None:
    fds = fd_set_of(4, 8, 12)
    fds.fd_array[2] = 4
    FD_CLR(4, fds)
    assert handles_in(fds) == [8, 4]


def test_fd_zero_removes_all_sockets() -> None:
    fds = fd_set_of(4, 8)
    FD_ZERO(fds)
    assert fds.fd_count == 0
    assert not FD_ISSET(4, fds)


def test_fd_set_ignores_a_socket_if_the_set_is_full() -> None:
    fds = fd_set_of(*range(1, FD_SETSIZE + 1))
    FD_SET(1000, fds)
    assert FD_SETSIZE == fds.fd_count == 64
    assert not FD_ISSET(1000, fds)


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 1000])
def test_a_set_of_another_capacity_has_the_same_layout(size: int) -> None:
    sized = fd_set_sized(size)
    assert sized.fd_count.offset == fd_set.fd_count.offset
    assert sized.fd_array.offset == fd_set.fd_array.offset
    assert sizeof(sized) == sizeof(SOCKET) * (size + 1)
    fds = sized()
    for s in range(1, size + 2):
        FD_SET(s, fds)
    assert fds.fd_count == size
    assert FD_ISSET(size, fds)
    assert not FD_ISSET(size + 1, fds)


def test_fd_set_sized_returns_the_same_type_for_the_same_capacity() -> None:
    assert fd_set_sized(100) is fd_set_sized(100)
    assert fd_set_sized(FD_SETSIZE) is fd_set


@pytest.mark.parametrize("size", [0, -1])
def test_the_capacity_of_a_set_is_at_least_1(size: int) -> None:
    with pytest.raises(ValueError, match="must be at least 1, not"):
        fd_set_sized(size)


def test_the_capacity_of_a_set_fits_its_count() -> None:
    for size in (1 << 32, -(1 << 31) - 1, 10**5000, -(10**5000)):
        with pytest.raises(OverflowError, match=r"^fd_set_sized\(\) argument 'n': "):
            fd_set_sized(size)


def test_the_macros_accept_a_byte_array_that_contains_a_set() -> None:
    array = bytearray(sizeof(fd_set))
    FD_SET(4, array)
    FD_SET(8, array)
    FD_CLR(4, array)
    assert handles_in(fd_set.from_buffer_copy(array)) == [8]
    assert FD_ISSET(8, array)
    FD_ZERO(array)
    assert not FD_ISSET(8, array)


@pytest.mark.parametrize("wrong", [None, 4, bytes(sizeof(fd_set)), bytearray(sizeof(fd_set) - 1), c_int(), "set"])
def test_an_object_that_is_not_a_set_is_a_type_error(wrong: Any) -> None:
    for macro in (FD_SET, FD_CLR, FD_ISSET):
        with pytest.raises(TypeError):
            macro(4, wrong)
    with pytest.raises(TypeError):
        FD_ZERO(wrong)


@pytest.mark.parametrize("wrong", [None, "4", 4.0])
def test_an_object_that_is_not_a_handle_is_a_type_error_in_the_macros(wrong: Any) -> None:
    for macro in (FD_SET, FD_CLR, FD_ISSET):
        with pytest.raises(TypeError):
            macro(wrong, fd_set())


def test_a_handle_wider_than_a_pointer_is_an_overflow_error_in_the_macros() -> None:
    for macro in (FD_SET, FD_CLR, FD_ISSET):
        with pytest.raises(OverflowError):
            macro(1 << 8 * sizeof(SOCKET), fd_set())


# MAKEWORD and its inverses


def test_makeword_has_its_first_argument_in_the_low_byte() -> None:
    assert MAKEWORD(2, 2) == 0x0202
    assert MAKEWORD(1, 2) == 0x0201


def test_makeword_takes_the_low_byte_of_each() -> None:
    assert MAKEWORD(0x1FF, -1) == 0xFFFF


def test_lobyte_and_hibyte_are_the_two_bytes_of_a_word() -> None:
    assert (LOBYTE(0x1234), HIBYTE(0x1234)) == (0x34, 0x12)
    assert (LOBYTE(-1), HIBYTE(-1)) == (0xFF, 0xFF)


@pytest.mark.parametrize("word", [0x10000, -0x8001])
def test_a_word_has_16_bits(word: int) -> None:
    for macro in (LOBYTE, HIBYTE):
        with pytest.raises(OverflowError):
            macro(word)


@pytest.mark.parametrize("word", [None, "2", 2.0])
def test_a_word_is_an_int(word: Any) -> None:
    for macro in (LOBYTE, HIBYTE, lambda w: MAKEWORD(w, 0), lambda w: MAKEWORD(0, w)):
        with pytest.raises(TypeError):
            macro(word)
