"""Byte order, addresses as text, and the name of this machine."""

from __future__ import annotations

import ctypes
from ctypes import c_uint32, sizeof

import pytest
from winsock_kit import error_of

from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    INADDR_BROADCAST,
    INADDR_NONE,
    INET6_ADDRSTRLEN,
    INET_ADDRSTRLEN,
    WSAEAFNOSUPPORT,
    WSAEFAULT,
    WSAEINVAL,
    WSAGetLastError,
    WSASetLastError,
    gethostbyname,
    gethostname,
    htonl,
    htons,
    in6_addr,
    in_addr,
    inet_addr,
    inet_ntoa,
    inet_ntop,
    inet_pton,
    ntohl,
    ntohs,
    u_long,
)


def test_network_byte_order_has_the_high_byte_first() -> None:
    assert htons(0x1234).to_bytes(2, "little") == b"\x12\x34"
    assert htonl(0x12345678).to_bytes(4, "little") == b"\x12\x34\x56\x78"


@pytest.mark.parametrize("number", [0, 1, 0xFF, 0x1234, 0xFFFF, 0x12345678, 0xFFFFFFFF])
def test_converting_to_network_order_and_back_gives_the_same_number(number: int) -> None:
    assert ntohl(htonl(number)) == number
    assert ntohs(htons(number & 0xFFFF)) == number & 0xFFFF


def test_a_negative_number_is_converted_like_its_unsigned_form() -> None:
    assert (htons(-1), ntohs(-1), htonl(-1), ntohl(-1)) == (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    assert htonl(-2) == 0xFEFFFFFF


# inet_addr, inet_ntoa


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", 0x7F000001),
        ("1.2.3", 0x01020003),
        ("1.2", 0x01000002),
        ("16909060", 0x01020304),
        ("0x7f.0.0.0x1", 0x7F000001),
        ("0177.0.0.01", 0x7F000001),
        ("0.0.0.0", 0),
        ("127.0.0.1 and more", 0x7F000001),
        (" ", 0),
    ],
)
def test_inet_addr_accepts_the_forms_of_bsd(text: str, address: int) -> None:
    assert inet_addr(text) == htonl(address)
    assert inet_addr(text.encode()) == htonl(address)


@pytest.mark.parametrize(
    "text", ["", "  ", "\t", "localhost", "256.1.1.1", "1.2.3.4.5", "1.2.3.4x", "0x", "::1", "1..2"]
)
def test_inet_addr_of_any_other_text_is_inaddr_none_without_a_change_to_the_last_error(text: str) -> None:
    WSASetLastError(4711)
    assert inet_addr(text) == INADDR_NONE
    assert WSAGetLastError() == 4711


def test_inet_addr_of_the_broadcast_address_is_inaddr_none_too() -> None:
    assert inet_addr("255.255.255.255") == INADDR_NONE == INADDR_BROADCAST


def test_inet_addr_of_null_is_inaddr_none_with_wsaefault() -> None:
    assert inet_addr(None) == INADDR_NONE
    assert WSAGetLastError() == WSAEFAULT


@pytest.mark.parametrize("text", ["127.0.0.1", "0.0.0.0", "255.255.255.255", "1.20.45.78"])
def test_inet_ntoa_writes_four_decimal_parts(started: None, text: str) -> None:
    number = inet_addr(text)
    assert inet_ntoa(number) == inet_ntoa(in_addr(number)) == text
    assert inet_ntoa(number - (1 << 32) if number >> 31 else number) == text


# inet_pton, inet_ntop


@pytest.mark.parametrize("text", ["127.0.0.1", "0.0.0.0", "255.255.255.255"])
def test_an_ipv4_address_is_converted_to_bytes_and_back(text: str) -> None:
    address, written = bytearray(4), bytearray(INET_ADDRSTRLEN)
    assert inet_pton(AF_INET, text, address) == 1
    assert address == bytes(map(int, text.split(".")))
    assert inet_ntop(AF_INET, address, written, INET_ADDRSTRLEN) == text
    assert written == text.encode().ljust(INET_ADDRSTRLEN, b"\0")


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("::", "::"),
        ("::1", "::1"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:DB8::A", "2001:db8::a"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        ("::1.2.3.4", "::1.2.3.4"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("::ffff:0:1.2.3.4", "::ffff:0:1.2.3.4"),
        ("fe80::5efe:1.2.3.4", "fe80::5efe:1.2.3.4"),
        ("fe80::200:5efe:1.2.3.4", "fe80::200:5efe:1.2.3.4"),
    ],
)
def test_an_ipv6_address_is_written_in_its_short_form(text: str, short: str) -> None:
    address = in6_addr()
    assert inet_pton(AF_INET6, text, address) == 1
    assert inet_ntop(AF_INET6, address, bytearray(INET6_ADDRSTRLEN), INET6_ADDRSTRLEN) == short


@pytest.mark.parametrize(
    ("family", "text"),
    [
        *(
            (AF_INET, text)
            for text in ("", " ", "1.2.3", "1.2.3.4 ", " 1.2.3.4", "01.2.3.4", "1.2.3.256", "0x1.2.3.4", "::1")
        ),
        *(
            (AF_INET6, text)
            for text in ("", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "12345::", "::g", "1.2.3.4", "::1 ")
        ),
    ],
)
def test_inet_pton_of_any_other_text_is_0_without_a_change_to_the_last_error(family: int, text: str) -> None:
    WSASetLastError(4711)
    assert inet_pton(family, text, bytearray(16)) == 0
    assert WSAGetLastError() == 4711


@pytest.mark.parametrize("family", [AF_UNSPEC, 10, 30, -1, 0xDEAD])
def test_inet_pton_and_inet_ntop_reject_other_families(family: int) -> None:
    assert error_of(inet_pton(family, "1.2.3.4", bytearray(16))) == WSAEAFNOSUPPORT
    assert inet_ntop(family, bytes(16), bytearray(64), 64) is None
    assert WSAGetLastError() == WSAEAFNOSUPPORT


def test_inet_ntop_accepts_an_address_in_any_form() -> None:
    number = inet_addr("1.2.3.4")
    raw = number.to_bytes(4, "little")
    for address in (in_addr(number), c_uint32(number), u_long(number), raw, bytearray(raw), memoryview(raw)):
        assert inet_ntop(AF_INET, address, bytearray(16), 16) == "1.2.3.4"
    assert inet_ntop(AF_INET, bytes(range(1, 9)), bytearray(16), 16) == "1.2.3.4"


def test_inet_ntop_terminates_its_text_with_a_nul_and_changes_nothing_after_it() -> None:
    room = bytearray(b"." * 16)
    assert inet_ntop(AF_INET, bytes(4), room, 16) == "0.0.0.0"
    assert room == b"0.0.0.0\0........"


@pytest.mark.parametrize(
    ("room", "size"), [(None, 64), (None, 0), (bytearray(64), 0), (bytearray(64), 7), (bytearray(0), 0)]
)
def test_inet_ntop_returns_none_if_the_text_and_its_nul_do_not_fit(room: bytearray | None, size: int) -> None:
    assert inet_ntop(AF_INET, bytes(4), room, size) is None
    # The function of Windows sets STATUS_INVALID_PARAMETER.
    assert WSAGetLastError() in (WSAEINVAL, -1073741811)


def test_inet_ntop_succeeds_if_the_text_and_its_nul_just_fit() -> None:
    assert inet_ntop(AF_INET, bytes(4), bytearray(8), 8) == "0.0.0.0"


# gethostname


def test_gethostname_writes_the_name_and_a_nul(started: None) -> None:
    room = bytearray(b"." * 256)
    assert gethostname(room, 256) == 0
    name, nul, _ = room.partition(b"\0")
    assert name
    assert nul
    assert name.isascii()


def test_the_machine_knows_its_own_name(started: None) -> None:
    name = (ctypes.c_char * 256)()
    assert gethostname(name, sizeof(name)) == 0
    host = gethostbyname(name.value)
    assert host is not None, WSAGetLastError()
