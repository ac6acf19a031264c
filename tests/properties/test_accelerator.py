"""The accelerator and the reference give the same answers: to random programs of calls, and to odd arguments."""

from __future__ import annotations

import array
import ctypes
from collections.abc import Callable
from ctypes import c_int, c_long, c_short, c_uint32
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from winsock_kit import bound, connect_to, connected_pair, listener, name_of, readable, set_nonblocking, udp_pair

import winsock
from tests.properties.comparing import Program, shown
from tests.properties.generating import smallest
from tests.properties.reference import accelerated, on_the_reference, reference_of
from tests.properties.running import run
from winsock import (
    FD_SET,
    FIONBIO,
    FIONREAD,
    POLLRDNORM,
    POLLWRNORM,
    WSAPOLLFD,
    WSAGetLastError,
    WSASetLastError,
    closesocket,
    fd_set,
    fd_set_sized,
    send,
    sendto,
    sockaddr_in,
    timeval,
    u_long,
)

pytestmark = pytest.mark.skipif(not accelerated(), reason="compares the accelerator, which this checkout has not built")

BATCHES = 60


@pytest.mark.timeout(600)  # many programs, perhaps on a busy machine
def test_random_programs_have_the_same_traces_on_the_accelerator_and_the_reference(unstarted: None) -> None:
    def differing_call(program: Program) -> str | None:
        ours = run(program).trace
        with on_the_reference():
            theirs = run(program).trace
        places = (
            place for place in range(len(program["steps"])) if ours[place : place + 1] != theirs[place : place + 1]
        )
        place = next(places, None)
        return None if place is None else str(program["steps"][place][0])

    def differs(program: Program) -> str | None:
        call = None
        # In one of the runs another process may use a port that the program binds a second time, or the busy system may
        # deliver something later. A real difference is there each time.
        for _ in range(5):
            call = differing_call(program)
            if call is None:
                break
        return call

    for number in range(BATCHES):
        different = smallest(differs, number)
        if different is not None:
            program = different[1]
            ours = run(program).trace
            with on_the_reference():
                theirs = run(program).trace
            pytest.fail(f"{different[0]}\n{shown(program, ours, theirs)}")


class Situation:
    """Sockets in the common states, the same for both sides: nothing is still on its way, and each has its own port."""

    def __init__(self) -> None:
        self._open()
        while len(set(self.ports)) < len(self.ports):  # a TCP port and a UDP port may have the same number
            self.close()
            self._open()

    def _open(self) -> None:
        self.client, self.server = connected_pair()
        assert send(self.client, b"stream", 6, 0) == 6
        self.one, self.other = udp_pair()
        assert sendto(self.other, b"datagram", 8, 0, name_of(self.one), 16) == 8
        self.listener = listener()
        self.waiting = connect_to(self.listener)
        self.fresh = winsock.socket(winsock.AF_INET, winsock.SOCK_STREAM, 0)
        self.closed = bound()
        closesocket(self.closed)
        self.sockets = [
            self.client,
            self.server,
            self.one,
            self.other,
            self.listener,
            self.waiting,
            self.fresh,
        ]
        for s in self.sockets:
            set_nonblocking(s)
        assert all(readable(s) for s in (self.server, self.one, self.listener))
        self.ports = [bytes(name_of(s))[2:4] for s in self.sockets if s != self.fresh]

    def close(self) -> None:
        for s in self.sockets:
            closesocket(s)


class Int(int):
    pass


class Index:
    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class Bytes(bytes):
    pass


class ByteArray(bytearray):
    pass


class Address(sockaddr_in):
    pass


class Set(fd_set):
    pass


def released() -> memoryview:
    view = memoryview(bytearray(16))
    view.release()
    return view


def sliced() -> memoryview:
    return memoryview(bytearray(64))[::2]


def polled(s: Situation, *first: int) -> Any:
    events = POLLRDNORM | POLLWRNORM
    entries = [WSAPOLLFD(one, events) for one in (*first, *s.sockets, s.closed)]
    return (WSAPOLLFD * len(entries))(*entries)


def set_of(type: type[Any], *sockets: int) -> Any:
    made = type()
    for one in sockets:
        FD_SET(one, made)
    return made


def enlarged(type: type[Any], *sockets: int) -> Any:
    made = set_of(type, *sockets)
    before, after = ctypes.sizeof(made), ctypes.sizeof(fd_set_sized(100))
    ctypes.resize(made, after)
    ctypes.memset(ctypes.addressof(made) + before, 0, after - before)  # otherwise it may contain anything
    return made


def overfull() -> fd_set:
    made = fd_set()
    made.fd_count = 65
    return made


# Each argument is a function that makes it for a situation, so that both sides get objects of their own.
Make = Callable[[Situation], Any]

SOCKETS: list[Make] = [
    lambda s: s.client,
    lambda s: s.server,
    lambda s: s.one,
    lambda s: s.other,
    lambda s: s.listener,
    lambda s: s.fresh,
    lambda s: s.closed,
    lambda s: Int(s.server),
    lambda s: Index(s.server),
    lambda s: float(s.server),
    lambda s: None,
    lambda s: True,
    lambda s: -1,
    lambda s: s.server + (1 << 32),
    lambda s: 1 << 64,
    lambda s: 10**40,
    lambda s: str(s.server),
]
BUFFERS: list[Make] = [
    lambda s: bytearray(16),
    lambda s: b"sixteen bytes 16",
    lambda s: bytearray(4),
    lambda s: bytearray(),
    lambda s: bytearray(100_000),
    lambda s: Bytes(16),
    lambda s: ByteArray(16),
    lambda s: memoryview(bytearray(16)),
    lambda s: memoryview(bytes(16)),
    lambda s: memoryview(bytearray(16)).cast("B", (4, 4)),
    lambda s: memoryview(bytearray(32))[8:24],
    lambda s: released(),
    lambda s: sliced(),
    lambda s: array.array("i", range(8)),
    lambda s: (ctypes.c_char * 16)(),
    lambda s: (ctypes.c_char * 16).from_buffer(bytearray(16)),
    lambda s: (ctypes.c_char * 16).from_address(8),
    lambda s: sockaddr_in(),
    lambda s: name_of(s.one),
    lambda s: bytearray(name_of(s.one)),
    lambda s: bytes(name_of(s.one)),
    lambda s: Address.from_buffer_copy(name_of(s.one)),
    lambda s: sockaddr_in.from_address(8),
    lambda s: ctypes.pointer(sockaddr_in()),
    lambda s: ctypes.c_int(1),
    lambda s: ctypes.c_char_p(b"x"),
    lambda s: None,
    lambda s: 16,
    lambda s: "sixteen",
    lambda s: [1, 2],
]
NUMBERS: list[Make] = [
    *(lambda s, number=number: number for number in (0, 1, 4, 15, 16, 17, 65537, 100_000, -1, -(2**31), 2**31, 2**32)),
    lambda s: 1.0,
    lambda s: Decimal(4),
    lambda s: True,
    lambda s: Int(4),
    lambda s: Index(4),
    lambda s: None,
    lambda s: 10**30,
]
FLAGS: list[Make] = [lambda s: 0, lambda s: 0, lambda s: 0, lambda s: 2, lambda s: 1, lambda s: 1 << 20, lambda s: 0.0]
LENGTHS: list[Make] = [
    lambda s: c_int(16),
    lambda s: c_int(15),
    lambda s: c_int(-1),
    lambda s: c_int(1000),
    lambda s: c_uint32(16),
    lambda s: c_long(16),
    lambda s: c_short(16),
    lambda s: c_int.from_address(8),
    lambda s: c_int.from_buffer(bytearray(b"\x10\0\0\0")),
    lambda s: (c_int * 1)(16),
    lambda s: None,
    lambda s: 16,
]
SETS: list[Make] = [
    lambda s: set_of(fd_set, *s.sockets),
    lambda s: set_of(fd_set, s.server, s.server),
    lambda s: set_of(fd_set, s.fresh),
    lambda s: set_of(fd_set, s.closed),
    lambda s: set_of(fd_set_sized(3), s.server, s.one),
    lambda s: set_of(Set, s.server),
    lambda s: enlarged(fd_set, s.server),
    lambda s: enlarged(fd_set_sized(3), s.server),
    lambda s: bytearray(set_of(fd_set, s.server)),
    lambda s: memoryview(set_of(fd_set, s.server)),
    lambda s: bytearray(16),
    lambda s: sockaddr_in(),
    lambda s: overfull(),
    lambda s: fd_set(),
    lambda s: fd_set.from_address(8),
    lambda s: None,
    lambda s: 1,
]
ARRAYS: list[Make] = [
    lambda s: polled(s),
    lambda s: polled(s, s.closed),
    lambda s: polled(s, s.closed, 1 << 40),
    lambda s: bytearray(polled(s)),
    lambda s: memoryview(polled(s)),
    lambda s: bytearray(b"\0") + bytearray(polled(s)),
    lambda s: bytes(16),
    lambda s: bytearray(15),
    lambda s: WSAPOLLFD(s.server, POLLRDNORM),
    lambda s: WSAPOLLFD(s.server, 0x7FFF),
    lambda s: (WSAPOLLFD * 2).from_address(8),
    lambda s: None,
]
# Without None and long times: the calls would wait.
TIMES: list[Make] = [
    lambda s: timeval(),
    lambda s: timeval(-1, 0),
    lambda s: timeval(0, 1),
    lambda s: bytes(8),
    lambda s: bytearray(7),
    lambda s: timeval.from_address(8),
    lambda s: 0,
]
MILLISECONDS: list[Make] = [lambda s: 0, lambda s: 1, lambda s: 0.0, lambda s: None, lambda s: 2**40, lambda s: False]
COMMANDS: list[Make] = [
    lambda s: FIONBIO,
    lambda s: FIONBIO - (1 << 32),
    lambda s: FIONREAD,
    lambda s: 0,
    lambda s: 1.5,
]
VALUES: list[Make] = [*LENGTHS, lambda s: u_long(0), lambda s: u_long(1), lambda s: u_long(2**31)]

LISTS: list[Make] = [
    lambda s: [*s.sockets, s.closed],
    lambda s: (s.client, s.server, s.client),
    lambda s: iter([s.client]),
    lambda s: {s.client: 1},
    lambda s: [],
    lambda s: [s.client, None],
    lambda s: [1 << 70],
    lambda s: [Index(s.client), Int(s.server)],
    lambda s: None,
    lambda s: s.client,
]

CALLS: dict[str, tuple[list[Make], ...]] = {
    "send_many": (LISTS, BUFFERS, NUMBERS, FLAGS),
    "send": (SOCKETS, BUFFERS, NUMBERS, FLAGS),
    "recv": (SOCKETS, BUFFERS, NUMBERS, FLAGS),
    "sendto": (SOCKETS, BUFFERS, NUMBERS, FLAGS, BUFFERS, NUMBERS),
    "recvfrom": (SOCKETS, BUFFERS, NUMBERS, FLAGS, BUFFERS, LENGTHS),
    "accept": (SOCKETS, BUFFERS, LENGTHS),
    "closesocket": (SOCKETS,),
    "ioctlsocket": (SOCKETS, COMMANDS, VALUES),
    "WSAPoll": (ARRAYS, NUMBERS, MILLISECONDS),
    "select": (NUMBERS, SETS, SETS, SETS, TIMES),
    "FD_SET": (SOCKETS, SETS),
    "FD_CLR": (SOCKETS, SETS),
    "FD_ISSET": (SOCKETS, SETS),
    "FD_ZERO": (SETS,),
}
# Memory that does not exist must not be read here, and the macros do not check it.
UNREADABLE = 8


def content(argument: Any, s: Situation) -> Any:
    """What a call has written, with sockets by name."""
    if isinstance(argument, ctypes._SimpleCData) and type(argument) is not ctypes.c_char_p:
        return None if ctypes.addressof(argument) == UNREADABLE else argument.value
    if isinstance(argument, (ctypes.Structure, ctypes.Array)) and ctypes.addressof(argument) == UNREADABLE:
        return None
    if isinstance(argument, (ctypes._Pointer, memoryview)):
        return None
    try:
        raw = bytes(memoryview(argument))
    except (TypeError, ValueError):
        return None
    # The port of an address that was written. Elsewhere the same two bytes are a coincidence.
    if raw.startswith(b"\2\0") and raw[2:4] in s.ports:
        raw = raw[:2] + b"p%d" % s.ports.index(raw[2:4]) + raw[4:]
    return with_names(raw, s) if any(raw) else raw


def with_names(raw: bytes, s: Situation) -> bytes:
    """The bytes with names in the place of handles: whole SOCKETs, where a structure has them.

    A part of other fields, such as the events and the revents of an entry, may look like a handle.
    """
    numbers = [*s.sockets, s.closed, s.server + (1 << 32)]
    names = {number.to_bytes(8, "little"): b"sock%4d" % place for place, number in enumerate(numbers)}
    for first in (0, 1):  # 1: the array of an argument that begins with another byte
        words = [raw[at : at + 8] for at in range(first, len(raw), 8)]
        raw = raw[:first] + b"".join(names.get(word, word) for word in words)
    return raw


def answer(function: Callable[..., Any], makes: list[Make]) -> list[Any]:
    """The result or the exception, the error of a failure, and what was written."""
    s = Situation()
    try:
        arguments = [make(s) for make in makes]
        WSASetLastError(0)
        try:
            result = function(*arguments)
        except (TypeError, OverflowError, ValueError, BufferError) as raised:
            return [type(raised).__name__, str(raised)]
        error = WSAGetLastError() if result in (winsock.SOCKET_ERROR, winsock.INVALID_SOCKET) else 0
        if function.__name__ == "accept" and not error:
            closesocket(result)
            result = "accepted"
        return [result, error, *(content(argument, s) for argument in arguments)]
    finally:
        s.close()


def is_followed_by_a_macro(name: str, makes: list[Make]) -> bool:
    return name.startswith("FD_") and any(make is SETS[-3] for make in makes)


@pytest.mark.parametrize("name", CALLS)
def test_odd_arguments_have_the_same_answers_on_the_accelerator_and_the_reference(started: None, name: str) -> None:
    arguments = st.tuples(*(st.sampled_from(pool) for pool in CALLS[name]))
    while (s := bound()) <= (POLLRDNORM | POLLWRNORM):  # later handles do not look like the events of an entry
        closesocket(s)
    closesocket(s)

    @settings(database=None, deadline=None, max_examples=150, suppress_health_check=[*HealthCheck], derandomize=True)
    @given(arguments)
    def compare(makes: tuple[Make, ...]) -> None:
        if is_followed_by_a_macro(name, list(makes)):
            return
        ours = answer(getattr(winsock.calls, name), list(makes))
        theirs = answer(reference_of(name), list(makes))
        assert ours == theirs

    compare()
