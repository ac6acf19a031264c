"""Byte order, and addresses as text: inet_addr, inet_ntoa, inet_ntop, inet_pton."""

from __future__ import annotations

from winsock import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    INADDR_LOOPBACK,
    INADDR_NONE,
    WSAEISCONN,
    WSAGetLastError,
    WSASetLastError,
    htonl,
    htons,
    in_addr,
    inet_addr,
    inet_ntoa,
    inet_ntop,
    inet_pton,
    ntohl,
    ntohs,
    u_long,
)

from ..kit import inet
from ..recorder import Recorder, error_name


def ports_in_network_order(see: Recorder) -> None:
    for value in (0, 1, 80, 0x1234, 0xFFFF, -1):
        see(f"htons {value}", htons(value))
        see(f"ntohs {value}", ntohs(value))


def addresses_in_network_order(see: Recorder) -> None:
    for value in (0, 1, INADDR_LOOPBACK, 0x12345678, 0xFFFFFFFF, -1, -0x80000000):
        see(f"htonl {value}", htonl(value))
        see(f"ntohl {value}", ntohl(value))


def there_and_back(see: Recorder) -> None:
    see("ntohs", ntohs(htons(0xABCD)))
    see("htons", htons(ntohs(0xABCD)))
    see("ntohl", ntohl(htonl(0xABCDEF01)))
    see("htonl", htonl(ntohl(0xABCDEF01)))


def order_of_a_sockaddrs_port(see: Recorder) -> None:
    see("htons", bytes(inet(0x1234))[2:4], htons(0x1234) == 0x3412)
    see("htonl", bytes(inet(0, INADDR_LOOPBACK))[4:8], htonl(INADDR_LOOPBACK))
    see("ntohl", ntohl(inet_addr("1.2.3.4")))
    see("ntohs", ntohs(inet(80).sin_port))


def dotted_addresses(see: Recorder) -> None:
    for text in ("127.0.0.1", "0.0.0.0", "1.2.3.4", "255.255.255.254", "192.168.0.10"):
        see(f"inet_addr {text}", inet_addr(text))


def addresses_of_fewer_parts(see: Recorder) -> None:
    for text in ("1", "1.2", "1.2.3", "127.1", "10.65536", "4294967294"):
        see(f"inet_addr {text}", inet_addr(text))


def octal_and_hexadecimal_parts(see: Recorder) -> None:
    for text in ("0x7f.0.0.1", "0177.0.0.1", "0x7f000001", "017700000001", "0X10.010.10.1"):
        see(f"inet_addr {text}", inet_addr(text))


def white_space_ends_an_address(see: Recorder) -> None:
    for text in ("127.0.0.1 ", "127.0.0.1 and more", "127.0.0.1\tx", "127.0.0.1\n"):
        see(f"inet_addr {text!r}", inet_addr(text))


def texts_that_are_no_addresses(see: Recorder) -> None:
    for text in ("", "  ", "\t", "localhost", "1.2.3.4.5", "256.1.1.1", "1..2", "1.2.3.", ".1.2.3", "0x", "-1", "::1"):
        WSASetLastError(WSAEISCONN)
        see(f"inet_addr {text!r}", inet_addr(text), error_name(WSAGetLastError()))


def a_blank_alone_is_zero(see: Recorder) -> None:
    see("inet_addr", inet_addr(" "))


def the_broadcast_address_reads_as_none(see: Recorder) -> None:
    see("inet_addr", inet_addr("255.255.255.255") == INADDR_NONE)


def inet_addr_of_null(see: Recorder) -> None:
    see("inet_addr", inet_addr(None) == INADDR_NONE, error_name(WSAGetLastError()))


def bytes_up_to_a_nul(see: Recorder) -> None:
    see("inet_addr", inet_addr(b"1.2.3.4\0 5.6.7.8"))
    address = bytearray(4)
    see("inet_pton", inet_pton(AF_INET, b"9.8.7.6\0...", address), address)


def numbers_as_dotted_text(see: Recorder) -> None:
    for value in (0, 0x0100007F, 0xFFFFFFFF, 0x04030201):
        see(f"inet_ntoa {value:#x}", inet_ntoa(value))
    see("inet_ntoa in_addr", inet_ntoa(in_addr(0x0100007F)))
    see("inet_ntoa of an address", inet_ntoa(inet(0, 0x01020304).sin_addr))


def negative_numbers_as_dotted_text(see: Recorder) -> None:
    see("inet_ntoa", inet_ntoa(-1))
    see("inet_ntoa of inet_addr", inet_ntoa(inet_addr("10.20.30.40")))


def results_of_inet_ntoa_are_ones_own(see: Recorder) -> None:
    first = inet_ntoa(0x01010101)
    second = inet_ntoa(0x02020202)
    see("inet_ntoa", [first, second])


def ipv4_to_bytes(see: Recorder) -> None:
    for text in ("127.0.0.1", "0.0.0.0", "255.255.255.255", "1.2.3.4"):
        address = bytearray(b"....")
        see(f"inet_pton {text}", inet_pton(AF_INET, text, address), address.hex())


def bad_ipv4_to_bytes(see: Recorder) -> None:
    for text in (
        "",
        " ",
        "1.2.3",
        "1",
        "1.2.3.4 ",
        " 1.2.3.4",
        "01.2.3.4",
        "1.2.3.256",
        "0x7f.0.0.1",
        "1.2.3.4.5",
        "a",
    ):
        WSASetLastError(WSAEISCONN)
        address = bytearray(b"....")
        see(f"inet_pton {text!r}", inet_pton(AF_INET, text, address), error_name(WSAGetLastError()))


def ipv6_to_bytes(see: Recorder) -> None:
    for text in ("::", "::1", "fe80::1:2", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "2001:DB8::A", "1::8"):
        address = bytearray(16)
        see(f"inet_pton {text}", inet_pton(AF_INET6, text, address), address.hex(":", 2))


def bad_ipv6_to_bytes(see: Recorder) -> None:
    for text in ("", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "::g", "1.2.3.4", "::1 "):
        WSASetLastError(WSAEISCONN)
        see(f"inet_pton {text!r}", inet_pton(AF_INET6, text, bytearray(16)), error_name(WSAGetLastError()))


def inet_pton_of_unknown_families(see: Recorder) -> None:
    address = bytearray(b"." * 16)
    see("inet_pton AF_UNSPEC", inet_pton(AF_UNSPEC, "1.2.3.4", address), address)
    see("inet_pton 0xBAD", inet_pton(0xBAD, "1.2.3.4", address), address)
    see("inet_pton -1", inet_pton(-1, None, None))


def inet_pton_of_null(see: Recorder) -> None:
    see("inet_pton text", inet_pton(AF_INET, None, bytearray(4)))
    see("inet_pton buffer", inet_pton(AF_INET, "1.2.3.4", None))
    see("inet_pton both", inet_pton(AF_INET6, None, None))


def ipv4_as_text(see: Recorder) -> None:
    shown = bytearray(b"." * 20)
    see("inet_ntop", inet_ntop(AF_INET, b"\x7f\0\0\1", shown, 20), shown)
    see("inet_ntop structure", inet_ntop(AF_INET, in_addr(0x0100007F), shown, 16))
    see("inet_ntop integer", inet_ntop(AF_INET, u_long(0x04030201), shown, 16))
    see("inet_ntop ones", inet_ntop(AF_INET, b"\xff" * 4, shown, 16))


def ipv6_as_text(see: Recorder) -> None:
    for text in (
        "::",
        "::1",
        "fe80::1:2",
        "1:0:0:4:0:0:0:8",
        "1:2:3:4:5:6:7:8",
        "2001:db8::a",
        "0:0:1::",
        "1:0:3:4:5:6:7:8",
    ):
        address, shown = bytearray(16), bytearray(46)
        inet_pton(AF_INET6, text, address)
        see(f"inet_ntop {text}", inet_ntop(AF_INET6, address, shown, 46))


def ipv6_that_ends_in_ipv4(see: Recorder) -> None:
    for text in ("::ffff:1.2.3.4", "::1.2.3.4", "::ffff:0:1.2.3.4", "fe80::5efe:1.2.3.4", "fe80::200:5efe:1.2.3.4"):
        address, shown = bytearray(16), bytearray(46)
        inet_pton(AF_INET6, text, address)
        see(f"inet_ntop {text}", inet_ntop(AF_INET6, address, shown, 46))


def text_that_just_fits(see: Recorder) -> None:
    shown = bytearray(b"." * 10)
    see("inet_ntop", inet_ntop(AF_INET, b"\x7f\0\0\1", shown, 10), shown)
    shown = bytearray(b"...")
    see("inet_ntop IPv6", inet_ntop(AF_INET6, bytes(16), shown, 3), shown)


def text_that_does_not_fit(see: Recorder) -> None:
    shown = bytearray(b"." * 9)
    see("inet_ntop", inet_ntop(AF_INET, b"\x7f\0\0\1", shown, 9))
    see("inet_ntop 0", inet_ntop(AF_INET, b"\x7f\0\0\1", shown, 0))
    see("inet_ntop IPv6", inet_ntop(AF_INET6, bytes(15) + b"\1", shown, 3))
    see("inet_ntop NULL", inet_ntop(AF_INET, b"\x7f\0\0\1", None, 16))


def inet_ntop_of_unknown_families(see: Recorder) -> None:
    shown = bytearray(b"." * 16)
    see("inet_ntop AF_UNSPEC", inet_ntop(AF_UNSPEC, bytes(16), shown, 16), shown)
    see("inet_ntop 0xBAD", inet_ntop(0xBAD, bytes(16), shown, 16), shown)


def from_text_to_text(see: Recorder) -> None:
    shown = bytearray(22)
    see("inet_ntop", inet_ntop(AF_INET, inet(0, ntohl(inet_addr("10.1.2.3"))).sin_addr, shown, 22))
    see("inet_ntoa", inet_ntoa(inet_addr("10.1.2.3")))
