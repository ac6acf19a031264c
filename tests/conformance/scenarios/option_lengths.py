"""The lengths of option values."""

from __future__ import annotations

from ctypes import c_int, c_int64

from winsock import (
    IPPROTO_TCP,
    SO_BROADCAST,
    SO_DONTROUTE,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_RCVBUF,
    SO_RCVTIMEO,
    SO_TYPE,
    SOL_SOCKET,
    TCP_NODELAY,
    getsockopt,
    linger,
    setsockopt,
)

from ..kit import SWITCHES, done, of_its_kind, option, switch, tcp, udp
from ..recorder import Recorder


def switches_take_short_and_long_values(see: Recorder) -> None:
    for size in (1, 2, 3, 4, 8):
        s = udp()
        value = b"\0" * (size - 1) + b"\1"
        see(f"setsockopt {size}", setsockopt(s, SOL_SOCKET, SO_BROADCAST, value, size))
        see(f"getsockopt {size}", option(s, SOL_SOCKET, SO_BROADCAST))


def switches_into_short_and_long_buffers(see: Recorder) -> None:
    for word, name in SWITCHES.items():
        s = switch(of_its_kind(name), SOL_SOCKET, name)
        for size in (8, 4, 2, 1, 0, -1):
            see.option(f"{word} {size}", getsockopt, s, SOL_SOCKET, name, size)


def switches_of_one_byte(see: Recorder) -> None:
    for word, level, name in (
        ("SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE),
        ("SO_DONTROUTE", SOL_SOCKET, SO_DONTROUTE),
        ("TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY),
    ):
        s = tcp()
        see(f"setsockopt {word}", setsockopt(s, level, name, c_int(1), 4))
        for size in (8, 4, 2, 1, 0, -1):
            see.option(f"{word} {size}", getsockopt, s, level, name, size)


def only_the_first_byte_of_some_switches_counts(see: Recorder) -> None:
    for word, level, name in (("SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE), ("TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY)):
        s = tcp()
        see(f"setsockopt {word} 0x100", setsockopt(s, level, name, c_int(0x100), 4))
        see(f"getsockopt {word} 0x100", option(s, level, name))
        see(f"setsockopt {word} 0x101", setsockopt(s, level, name, c_int(0x101), 4))
        see(f"getsockopt {word} 0x101", option(s, level, name))
        see(f"setsockopt {word} one byte", setsockopt(s, level, name, b"\0", 1))
        see(f"getsockopt {word} one byte", option(s, level, name))
        see(f"setsockopt {word} nothing", setsockopt(s, level, name, b"", 0))


def lengths_of_buffer_sizes(see: Recorder) -> None:
    s = switch(udp(), SOL_SOCKET, SO_RCVBUF, 0x12345)
    for size in (1, 2, 3):
        see(f"setsockopt {size}", setsockopt(s, SOL_SOCKET, SO_RCVBUF, c_int(7), size))
    see("setsockopt 0", setsockopt(s, SOL_SOCKET, SO_RCVBUF, b"", 0))
    for size in (8, 4, 2, 1, 0, -1):
        see.option(str(size), getsockopt, s, SOL_SOCKET, SO_RCVBUF, size)


def lengths_of_timeouts(see: Recorder) -> None:
    s = switch(udp(), SOL_SOCKET, SO_RCVTIMEO, 123)
    for size in (1, 2, 3):
        see(f"setsockopt {size}", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, c_int(7), size))
    see("setsockopt 0", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, b"", 0))
    see("setsockopt 8", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, c_int64(321), 8))
    for size in (8, 4, 2, 1, 0):
        see.option(str(size), getsockopt, s, SOL_SOCKET, SO_RCVTIMEO, size)


def lengths_of_linger(see: Recorder) -> None:
    s = tcp()
    done(setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 30), 4))
    for size in (1, 2, 3):
        see(f"setsockopt {size}", setsockopt(s, SOL_SOCKET, SO_LINGER, linger(0, 0), size))
    for size in (8, 4, 2, 1, 0):
        see.option(str(size), getsockopt, s, SOL_SOCKET, SO_LINGER, size)


def a_length_beyond_the_buffer(see: Recorder) -> None:
    s, value, length = tcp(), bytearray(b"...."), c_int(5)
    see("getsockopt", getsockopt(s, SOL_SOCKET, SO_TYPE, value, length), value, length)
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, c_int(1), 8))
    see("setsockopt negative", setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, c_int(1), -1))
    see("getsockopt SO_KEEPALIVE", option(s, SOL_SOCKET, SO_KEEPALIVE))


def a_wide_integer_as_optlen(see: Recorder) -> None:
    value, length = bytearray(4), c_int64(4)
    see("getsockopt", getsockopt(udp(), SOL_SOCKET, SO_TYPE, value, length), value, length)
