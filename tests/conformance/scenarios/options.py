"""setsockopt and getsockopt: values, lengths and errors."""

from __future__ import annotations

from ctypes import c_int, c_uint32

from winsock import (
    INVALID_SOCKET,
    IPPROTO_IP,
    IPPROTO_TCP,
    SO_ACCEPTCONN,
    SO_CONNECT_TIME,
    SO_DEBUG,
    SO_DONTLINGER,
    SO_ERROR,
    SO_EXCLUSIVEADDRUSE,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_MAX_MSG_SIZE,
    SO_OOBINLINE,
    SO_OPENTYPE,
    SO_RCVBUF,
    SO_RCVLOWAT,
    SO_RCVTIMEO,
    SO_SNDBUF,
    SO_SNDLOWAT,
    SO_SNDTIMEO,
    SO_TYPE,
    SOL_SOCKET,
    TCP_NODELAY,
    connect,
    getsockopt,
    linger,
    setsockopt,
)

from ..kit import (
    IN,
    SWITCHES,
    closed_port,
    done,
    inet,
    listener,
    of_its_kind,
    option,
    reset,
    switch,
    tcp,
    tcp_pair,
    udp,
    wait_readable,
)
from ..recorder import Recorder


def switches_are_off_at_first(see: Recorder) -> None:
    for word, name in SWITCHES.items():
        see(f"getsockopt {word}", option(of_its_kind(name), SOL_SOCKET, name))
    see("getsockopt SO_KEEPALIVE", option(tcp(), SOL_SOCKET, SO_KEEPALIVE))
    see("getsockopt SO_DEBUG", option(tcp(), SOL_SOCKET, SO_DEBUG))
    see("getsockopt TCP_NODELAY", option(tcp(), IPPROTO_TCP, TCP_NODELAY))


def switches_take_any_nonzero_number(see: Recorder) -> None:
    for word, name in SWITCHES.items():
        s = of_its_kind(name)
        see(f"setsockopt {word}", setsockopt(s, SOL_SOCKET, name, c_int(0x10000), 4))
        see.option(word, getsockopt, s, SOL_SOCKET, name, 4)


def switches_are_turned_off_by_no_value(see: Recorder) -> None:
    for word, name in SWITCHES.items():
        s = switch(of_its_kind(name), SOL_SOCKET, name)
        see(f"setsockopt {word}", setsockopt(s, SOL_SOCKET, name, b"", 0))
        see(f"getsockopt {word}", option(s, SOL_SOCKET, name))


def buffer_sizes_are_returned_as_set(see: Recorder) -> None:
    for word, name in (("SO_RCVBUF", SO_RCVBUF), ("SO_SNDBUF", SO_SNDBUF)):
        s = tcp()
        for size in (0, 1, 4321, 70001):
            see(f"setsockopt {word} {size}", setsockopt(s, SOL_SOCKET, name, c_int(size), 4))
            see(f"getsockopt {word} {size}", option(s, SOL_SOCKET, name))


def timeouts_are_milliseconds(see: Recorder) -> None:
    for word, name in (("SO_RCVTIMEO", SO_RCVTIMEO), ("SO_SNDTIMEO", SO_SNDTIMEO)):
        s = tcp()
        see(f"getsockopt {word} at first", option(s, SOL_SOCKET, name))
        for value in (1, 123, 0x7FFFFFFF, 0):
            see(f"setsockopt {word} {value}", setsockopt(s, SOL_SOCKET, name, c_int(value), 4))
            see(f"getsockopt {word} {value}", option(s, SOL_SOCKET, name))


def an_endless_timeout(see: Recorder) -> None:
    s = udp()
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, c_uint32(0xFFFFFFFF), 4))
    see("getsockopt", option(s, SOL_SOCKET, SO_RCVTIMEO))


def lingering(see: Recorder) -> None:
    s, value = tcp(), linger()
    see("getsockopt at first", getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(4)), value)
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 30), 4))
    see("getsockopt", getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(4)), value)
    see("setsockopt 0x100", setsockopt(s, SOL_SOCKET, SO_LINGER, linger(0x100, 0xFFFF), 4))
    see("getsockopt 0x100", getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(4)), value)
    see("setsockopt off", setsockopt(s, SOL_SOCKET, SO_LINGER, linger(0, 5), 4))
    see("getsockopt off", getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(4)), value.l_onoff)


def not_lingering(see: Recorder) -> None:
    s, value = tcp(), linger()
    see("getsockopt at first", option(s, SOL_SOCKET, SO_DONTLINGER))
    done(setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 30), 4))
    see("getsockopt lingering", option(s, SOL_SOCKET, SO_DONTLINGER))
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_DONTLINGER, c_int(1), 4))
    see("getsockopt", getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(4)), value.l_onoff)
    see("setsockopt off", setsockopt(s, SOL_SOCKET, SO_DONTLINGER, c_int(0), 4))
    see("getsockopt off", getsockopt(s, SOL_SOCKET, SO_LINGER, value, c_int(4)), value)
    see("getsockopt again", option(s, SOL_SOCKET, SO_DONTLINGER))


def datagrams_do_not_linger(see: Recorder) -> None:
    s = udp()
    see("setsockopt SO_LINGER", setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 1), 4))
    see("setsockopt SO_DONTLINGER", setsockopt(s, SOL_SOCKET, SO_DONTLINGER, c_int(1), 4))
    see.option("SO_LINGER", getsockopt, s, SOL_SOCKET, SO_LINGER, 4)
    see.option("SO_DONTLINGER", getsockopt, s, SOL_SOCKET, SO_DONTLINGER, 4)


def complemented_options_by_either_number(see: Recorder) -> None:
    s = tcp()
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE & 0xFFFFFFFF, c_int(1), 4))
    see("getsockopt", option(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE))
    see("getsockopt SO_DONTLINGER", option(s, SOL_SOCKET, SO_DONTLINGER & 0xFFFFFFFF))


def so_error_can_be_set(see: Recorder) -> None:
    s = tcp()
    see("getsockopt at first", option(s, SOL_SOCKET, SO_ERROR))
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_ERROR, c_int(1234), 4))
    see("getsockopt", option(s, SOL_SOCKET, SO_ERROR))


def so_type_cannot_be_set(see: Recorder) -> None:
    see("setsockopt stream", setsockopt(tcp(), SOL_SOCKET, SO_TYPE, c_int(2), 4))
    see("setsockopt datagram", setsockopt(udp(), SOL_SOCKET, SO_TYPE, c_int(1), 4))
    s = udp()
    for size in (8, 4, 2, 1, 0):
        see.option(str(size), getsockopt, s, SOL_SOCKET, SO_TYPE, size)


def so_acceptconn_cannot_be_set(see: Recorder) -> None:
    s = listener()
    see("setsockopt", setsockopt(s, SOL_SOCKET, SO_ACCEPTCONN, c_int(0), 4))
    see("getsockopt", option(s, SOL_SOCKET, SO_ACCEPTCONN))
    see("getsockopt unbound", option(tcp(), SOL_SOCKET, SO_ACCEPTCONN))
    see.option("short", getsockopt, s, SOL_SOCKET, SO_ACCEPTCONN, 2)


def the_largest_message(see: Recorder) -> None:
    see.option("4", getsockopt, udp(), SOL_SOCKET, SO_MAX_MSG_SIZE, 4)
    see.option("8", getsockopt, udp(), SOL_SOCKET, SO_MAX_MSG_SIZE, 8)
    see.option("2", getsockopt, udp(), SOL_SOCKET, SO_MAX_MSG_SIZE, 2)


def seconds_connected(see: Recorder) -> None:
    client, server = tcp_pair()
    see("getsockopt client", option(client, SOL_SOCKET, SO_CONNECT_TIME))
    see("getsockopt server", option(server, SOL_SOCKET, SO_CONNECT_TIME))
    see("getsockopt unconnected", option(tcp(), SOL_SOCKET, SO_CONNECT_TIME))
    see("getsockopt datagram", option(udp(), SOL_SOCKET, SO_CONNECT_TIME))
    see("getsockopt listening", option(listener(), SOL_SOCKET, SO_CONNECT_TIME))


def so_opentype_needs_no_socket(see: Recorder) -> None:
    value, length = bytearray(4), c_int(4)
    see("getsockopt", getsockopt(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, value, length), length)
    see("setsockopt", setsockopt(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, value, 4))


def unknown_levels(see: Recorder) -> None:
    s = tcp()
    for level in (0xFFFFFFFF, 0x8000, 0x800, 1, 255):
        see.option(f"{level:#x}", getsockopt, s, level, SO_KEEPALIVE, 4)
        see(f"setsockopt {level:#x}", setsockopt(s, level, SO_KEEPALIVE, c_int(1), 4))


def unknown_options(see: Recorder) -> None:
    s = tcp()
    for word, level in (("SOL_SOCKET", SOL_SOCKET), ("IPPROTO_TCP", IPPROTO_TCP), ("IPPROTO_IP", IPPROTO_IP)):
        see.option(word, getsockopt, s, level, 0x5678, 4)
        see(f"setsockopt {word}", setsockopt(s, level, 0x5678, c_int(1), 4))


def low_water_marks(see: Recorder) -> None:
    s = tcp()
    for word, name in (("SO_SNDLOWAT", SO_SNDLOWAT), ("SO_RCVLOWAT", SO_RCVLOWAT)):
        see.option(word, getsockopt, s, SOL_SOCKET, name, 4)
        see(f"setsockopt {word}", setsockopt(s, SOL_SOCKET, name, c_int(1), 4))


def null_values(see: Recorder) -> None:
    s, length = tcp(), c_int(4)
    for word, name in (("SO_KEEPALIVE", SO_KEEPALIVE), ("SO_RCVBUF", SO_RCVBUF), ("SO_RCVTIMEO", SO_RCVTIMEO)):
        see(f"setsockopt {word}", setsockopt(s, SOL_SOCKET, name, None, 4))
        see(f"setsockopt {word} 0", setsockopt(s, SOL_SOCKET, name, None, 0))
        see(f"getsockopt {word}", getsockopt(s, SOL_SOCKET, name, None, length))
    see("getsockopt without length", getsockopt(s, SOL_SOCKET, SO_TYPE, bytearray(4), None))
    see("getsockopt with neither", getsockopt(s, SOL_SOCKET, SO_TYPE, None, None))


def options_in_every_state(see: Recorder) -> None:
    client, server = tcp_pair()
    reset(server)
    wait_readable(client)
    see("setsockopt after a reset", setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, c_int(5), 4))
    see("getsockopt after a reset", option(client, SOL_SOCKET, SO_RCVTIMEO))
    s = tcp()
    see("connect", connect(s, inet(closed_port()), IN))
    see("setsockopt after a refusal", setsockopt(s, SOL_SOCKET, SO_OOBINLINE, c_int(1), 4))
    see("getsockopt after a refusal", option(s, SOL_SOCKET, SO_OOBINLINE))
