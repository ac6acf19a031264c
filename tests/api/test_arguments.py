"""How the calls convert their Python arguments: TypeError and OverflowError come before all other errors."""

from __future__ import annotations

import ctypes
import inspect
import mmap
import sys
from collections.abc import Callable
from ctypes import POINTER, c_double, c_int, c_int16, c_int64, c_uint64, c_void_p, sizeof
from typing import Any

import pytest
from winsock_kit import bound, error_of, fd_set_of, loopback, new, port_of, readable, receive_all

import winsock
from winsock import (
    AF_INET,
    CALLS,
    FD_SET,
    FIONBIO,
    FIONREAD,
    INADDR_LOOPBACK,
    INVALID_SOCKET,
    SO_DONTLINGER,
    SO_KEEPALIVE,
    SOL_SOCKET,
    WSAEFAULT,
    WSAENOTCONN,
    WSAENOTSOCK,
    WSANOTINITIALISED,
    accept,
    addrinfo,
    bind,
    closesocket,
    connect,
    fd_set,
    freeaddrinfo,
    getaddrinfo,
    gethostbyname,
    getpeername,
    getsockname,
    getsockopt,
    htonl,
    htons,
    inet_addr,
    inet_pton,
    ioctlsocket,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    setsockopt,
    sockaddr,
    sockaddr_in,
    sockaddr_storage,
    timeval,
    u_long,
)

BITS = 8 * sizeof(c_void_p)


def released() -> memoryview:
    view = memoryview(bytearray(1024))
    view.release()
    return view


def closed_map() -> mmap.mmap:
    memory = mmap.mmap(-1, 1024)
    memory.close()
    return memory


WITHOUT_MEMORY = [released(), closed_map()]

# For each kind of argument: valid values, values that are a TypeError, and values that are an OverflowError.
KINDS: dict[str, tuple[Callable[[], Any], list[Any], list[int]]] = {
    "word": (lambda: 1, [None, "1", 1.0, b"1"], [1 << 16, -(1 << 15) - 1]),
    "int": (lambda: 1, [None, "1", 1.0, b"1"], [1 << 32, -(1 << 31) - 1]),
    "socket": (lambda: 1, [None, "1", 1.0, b"1"], [1 << BITS, -(1 << BITS - 1) - 1]),
    "size": (lambda: 1, [None, "1", 1.0, b"1"], [1 << BITS, -(1 << BITS - 1) - 1]),
    "input": (
        lambda: b"\0" * 64,
        ["text", 1, [1], memoryview(bytes(8))[::2], ctypes.pointer(c_int()), *WITHOUT_MEMORY],
        [],
    ),
    "output": (
        lambda: bytearray(1024),
        [
            *["text", 1, [1], bytes(64), memoryview(bytes(64)), memoryview(bytearray(64))[::2]],
            *[ctypes.pointer(c_int()), *WITHOUT_MEMORY],
        ],
        [],
    ),
    "set": (
        lambda: fd_set_of(1),
        ["text", 1, [1], bytes(sizeof(fd_set)), memoryview(bytearray(2 * sizeof(fd_set)))[::2], *WITHOUT_MEMORY],
        [],
    ),
    "macro set": (
        lambda: fd_set_of(1),
        [None, "text", 1, [1], bytes(sizeof(fd_set)), bytearray(4), memoryview(bytearray(2 * sizeof(fd_set)))[::2]],
        [],
    ),
    "byte": (lambda: 1, [None, "1", 1.0, b"1"], []),  # of any number, the low byte
    "capacity": (lambda: 1, [None, "1", 1.0, b"1", [1]], [1 << 32]),
    "integer": (lambda: c_int(), [1, "1", bytearray(4), c_int16(), c_double(), c_void_p(), ctypes.byref(c_int())], []),
    "text": (lambda: "127.0.0.1", [1, 1.0, "é", ["a"]], []),
    "in_addr": (lambda: 1, [None, "1", 1.0, b"1234"], [1 << 32, -(1 << 31) - 1]),
    "list": (lambda: POINTER(addrinfo)(), [1, "1", bytearray(8), ctypes.pointer(c_int()), c_void_p()], []),
}
PARAMETERS = {
    "WSAStartup": ["word", "output"],
    "WSASetLastError": ["int"],
    "socket": ["int", "int", "int"],
    "ioctlsocket": ["socket", "int", "integer"],
    "bind": ["socket", "input", "int"],
    "connect": ["socket", "input", "int"],
    "listen": ["socket", "int"],
    "accept": ["socket", "output", "integer"],
    "send": ["socket", "input", "int", "int"],
    "recv": ["socket", "output", "int", "int"],
    "sendto": ["socket", "input", "int", "int", "input", "int"],
    "recvfrom": ["socket", "output", "int", "int", "output", "integer"],
    "shutdown": ["socket", "int"],
    "closesocket": ["socket"],
    "getsockname": ["socket", "output", "integer"],
    "getpeername": ["socket", "output", "integer"],
    "setsockopt": ["socket", "int", "int", "input", "int"],
    "getsockopt": ["socket", "int", "int", "output", "integer"],
    "select": ["int", "set", "set", "set", "input"],
    "WSAPoll": ["output", "int", "int"],
    "htons": ["word"],
    "ntohs": ["word"],
    "htonl": ["int"],
    "ntohl": ["int"],
    "inet_addr": ["text"],
    "inet_ntoa": ["in_addr"],
    "inet_ntop": ["int", "input", "output", "size"],
    "inet_pton": ["int", "text", "output"],
    "gethostname": ["output", "int"],
    "getaddrinfo": ["text", "text", "input", "list"],
    "freeaddrinfo": ["list"],
    "getnameinfo": ["input", "int", "output", "int", "output", "int", "int"],
    "gethostbyname": ["text"],
    "FD_ZERO": ["macro set"],
    "FD_SET": ["socket", "macro set"],
    "FD_CLR": ["socket", "macro set"],
    "FD_ISSET": ["socket", "macro set"],
    "MAKEWORD": ["byte", "byte"],
    "LOBYTE": ["word"],
    "HIBYTE": ["word"],
    "fd_set_sized": ["capacity"],
    "WSAErrorDescript": ["byte"],
}
# The functions that are not calls of the Protocol, but of the API.
FUNCTIONS = (
    "FD_ZERO",
    "FD_SET",
    "FD_CLR",
    "FD_ISSET",
    "MAKEWORD",
    "LOBYTE",
    "HIBYTE",
    "fd_set_sized",
    "WSAErrorDescript",
)
EACH = [(call, place) for call, kinds in PARAMETERS.items() for place in range(len(kinds))]


def arguments(call: str, s: int = 1) -> list[Any]:
    """Arguments of the right types with any values; every SOCKET is `s`."""
    return [s if kind == "socket" else KINDS[kind][0]() for kind in PARAMETERS[call]]


def wrong(call: str, place: int) -> list[Any]:
    kind = PARAMETERS[call][place]
    if call == "freeaddrinfo" or kind != "list":
        return KINDS[kind][1]
    return [*KINDS[kind][1], addrinfo()]  # getaddrinfo writes the pointer: an entry alone will not do


def message(call: str, place: int) -> str:
    """A pattern for the message about this argument, which names the call and the parameter."""
    parameter = list(inspect.signature(getattr(winsock, call)).parameters)[place]
    return rf"^{call}\(\) argument '{parameter}': \S"


def test_every_call_with_parameters_is_tested() -> None:
    counts = {call: len(inspect.signature(getattr(winsock, call)).parameters) for call in (*CALLS, *FUNCTIONS)}
    assert {call: len(kinds) for call, kinds in PARAMETERS.items()} == {c: n for c, n in counts.items() if n}


@pytest.mark.parametrize(("call", "place"), EACH)
def test_an_argument_of_the_wrong_type_is_a_type_error_even_before_wsastartup(
    unstarted: None, call: str, place: int
) -> None:
    for value in wrong(call, place):
        given = arguments(call)
        given[place] = value
        with pytest.raises(TypeError, match=message(call, place)):
            getattr(winsock, call)(*given)


@pytest.mark.parametrize(("call", "place"), EACH)
def test_an_argument_of_the_wrong_type_is_a_type_error_with_a_valid_or_an_invalid_handle(
    pair: tuple[int, int], call: str, place: int
) -> None:
    for s in (pair[0], 1, INVALID_SOCKET):
        for value in wrong(call, place):
            given = arguments(call, s)
            given[place] = value
            with pytest.raises(TypeError, match=message(call, place)):
                getattr(winsock, call)(*given)


class Attributes:
    """Its special methods are attributes of the object, where Python does not look for them."""

    def __init__(self) -> None:
        self.__index__ = lambda: 1
        self.__buffer__ = lambda flags: memoryview(bytearray(16))


CLASSES = (int, bool, winsock.WSAError, bytes, bytearray, memoryview, sockaddr_in, fd_set, c_int, u_long)


@pytest.mark.parametrize(("call", "place"), EACH)
def test_a_class_or_an_object_with_special_attributes_is_of_the_wrong_type(call: str, place: int) -> None:
    for value in (*CLASSES, Attributes()):
        given = arguments(call)
        given[place] = value
        with pytest.raises(TypeError, match=message(call, place)):
            getattr(winsock, call)(*given)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python 3.12 calls __buffer__")
def test_a_buffer_method_that_python_does_not_call_yet_is_not_blamed(started: None) -> None:
    class Buffer:
        def __buffer__(self, flags: int) -> memoryview:
            return memoryview(bytearray(16))

    with pytest.raises(TypeError, match=r"^recv\(\) argument 'buf': a bytes-like object is required, not 'Buffer'$"):
        recv(1, Buffer(), 1, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "place"), [(call, place) for call, place in EACH if KINDS[PARAMETERS[call][place]][2]]
)
def test_a_number_outside_both_ranges_of_its_c_type_is_an_overflow_error(
    pair: tuple[int, int], call: str, place: int
) -> None:
    for s in (pair[0], 1):
        for value in KINDS[PARAMETERS[call][place]][2]:
            given = arguments(call, s)
            given[place] = value
            with pytest.raises(OverflowError, match=message(call, place)):
                getattr(winsock, call)(*given)


@pytest.mark.parametrize("empty", [bytearray(), (c_int * 0)(), (c_int * 0 * 2)(), memoryview(bytearray(8))[8:]])
def test_a_buffer_without_elements_has_length_0(pair: tuple[int, int], empty: Any) -> None:
    client, server = pair
    assert (send(client, empty, 0, 0), send(client, b"x", 1, 0)) == (0, 1)
    assert readable(server)
    assert recv(server, empty, 0, 0) == 0
    assert error_of(send(client, empty, 1, 0)) == WSAEFAULT
    assert error_of(recv(server, empty, 1, 0)) == WSAEFAULT


@pytest.mark.parametrize("empty", [b"", memoryview(b"").cast("I"), memoryview(bytearray()).toreadonly()])
def test_a_read_only_buffer_without_elements_is_read_only(pair: tuple[int, int], empty: Any) -> None:
    assert send(pair[0], empty, 0, 0) == 0
    with pytest.raises(TypeError, match="writable"):
        recv(pair[1], empty, 0, 0)


@pytest.mark.parametrize(("call", "place"), EACH)
def test_the_message_names_the_parameter_also_for_keyword_arguments(call: str, place: int) -> None:
    names = list(inspect.signature(getattr(winsock, call)).parameters)
    for value in wrong(call, place):
        given = dict(zip(names, arguments(call), strict=True)) | {names[place]: value}
        with pytest.raises(TypeError, match=message(call, place)):
            getattr(winsock, call)(**given)


def test_the_message_names_the_length_also_where_the_same_number_is_a_valid_socket(started: None) -> None:
    number = 1 << 40
    with pytest.raises(OverflowError, match=r"^send\(\) argument 'len': 1099511627776 does not fit"):
        send(number, b"x", number, 0)
    with pytest.raises(OverflowError, match=r"^shutdown\(\) argument 'how': 1099511627776 does not fit"):
        winsock.shutdown(number, number)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ is new in Python 3.12")
@pytest.mark.parametrize("error", [TypeError, ValueError, BufferError, KeyError])
def test_an_exception_of_the_programs_own_buffer_method_is_raised_or_is_the_cause(
    started: None, error: type[Exception]
) -> None:
    class Failing:
        def __buffer__(self, flags: int) -> memoryview:
            raise error("mine")

    with pytest.raises((TypeError, BufferError, KeyError)) as raised:
        send(1, Failing(), 1, 0)  # type: ignore[arg-type]
    assert "mine" in str(raised.value) or "mine" in str(raised.value.__cause__)


BUFFERS = [
    (call, place)
    for call, place in EACH
    if KINDS[PARAMETERS[call][place]][0]
    in {KINDS["input"][0], KINDS["output"][0], KINDS["set"][0], KINDS["macro set"][0], KINDS["text"][0]}
]


@pytest.mark.parametrize(("call", "place"), BUFFERS)
def test_the_message_about_a_released_memoryview_names_the_call_and_the_parameter(call: str, place: int) -> None:
    released = memoryview(bytearray(16))
    released.release()
    given = arguments(call)
    given[place] = released
    with pytest.raises(TypeError, match=message(call, place)):
        getattr(winsock, call)(*given)


def test_of_two_parameters_with_the_same_value_the_message_names_the_one_that_rejects_it(started: None) -> None:
    calls: Any = winsock
    for data in (b"data", bytearray(4)):
        with pytest.raises(TypeError, match=message("send", 2)):
            calls.send(1, data, data, 0)
        with pytest.raises(TypeError, match=message("sendto", 5)):
            calls.sendto(1, data, 4, 0, data, data)
    with pytest.raises(TypeError, match=message("getnameinfo", 2)):
        calls.getnameinfo(b"data", 4, b"data", 4, None, 0, 0)
    with pytest.raises(TypeError, match=message("recvfrom", 5)):
        calls.recvfrom(1, data, 4, 0, data, data)


def test_the_message_names_the_inner_call_of_a_program_function_with_the_name_of_a_call(started: None) -> None:
    def recv(s: int, buf: Any) -> int:
        return winsock.send(s, buf, 1, 0)

    with pytest.raises(TypeError, match=message("send", 1)):
        recv(1, "text")


def test_the_number_of_arguments_is_checked_with_a_message_that_names_the_call() -> None:
    calls: Any = winsock
    for call, kinds in PARAMETERS.items():
        for given in (arguments(call)[:-1], [*arguments(call), 1]):
            with pytest.raises(TypeError, match=rf"^{call}\(\) "):
                getattr(calls, call)(*given)
        with pytest.raises(TypeError, match=rf"^{call}\(\) .*'other'"):
            getattr(calls, call)(*arguments(call), other=len(kinds))


def test_an_exception_of_the_programs_own_index_method_is_raised_unchanged(started: None) -> None:
    class Broken:
        def __index__(self) -> int:
            raise TypeError("of the program")

    with pytest.raises(TypeError, match=r"^of the program$"):
        htons(Broken())


def test_a_number_with_too_many_digits_for_a_message_is_an_overflow_error() -> None:
    with pytest.raises(OverflowError, match=message("htons", 0)):
        htons(10**5000)


def test_a_long_text_that_is_not_ascii_is_shortened_in_the_message() -> None:
    with pytest.raises(TypeError, match=message("inet_addr", 0)) as raised:
        inet_addr("é" * 10**6)
    assert len(str(raised.value)) < 200


def test_after_a_type_error_the_data_can_still_be_received(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(client, b"data", 4, 0) == 4
    assert readable(server)
    with pytest.raises(TypeError):
        recv(server, bytes(4), 4, 0)
    with pytest.raises(OverflowError):
        recv(server, bytearray(4), 4, 1 << 32)
    data = bytearray(4)
    assert recv(server, data, 4, 0) == 4
    assert data == b"data"


# Integers


def test_the_signed_and_the_unsigned_form_of_a_number_are_equivalent(started: None) -> None:
    s = new()
    for command in (0x8004667E, 0x8004667E - (1 << 32), FIONBIO):
        assert ioctlsocket(s, command, u_long(1)) == 0
    for option in (SO_DONTLINGER, SO_DONTLINGER - (1 << 32) if SO_DONTLINGER > 0 else SO_DONTLINGER + (1 << 32)):
        assert setsockopt(s, SOL_SOCKET, option, c_int(1), 4) == 0


def test_minus_1_is_invalid_socket(started: None) -> None:
    assert error_of(closesocket(-1)) == WSAENOTSOCK
    assert error_of(closesocket(INVALID_SOCKET)) == WSAENOTSOCK


def test_invalid_socket_is_all_ones_in_the_width_of_a_pointer() -> None:
    assert (1 << BITS) - 1 == INVALID_SOCKET


def test_sockets_are_not_negative(started: None) -> None:
    assert 0 <= new() < INVALID_SOCKET


def test_calls_accept_every_object_with_an_index_method(started: None) -> None:
    class Port:
        def __index__(self) -> int:
            return 4711

    assert htons(Port()) == htons(4711)
    assert htons(True) == htons(1)


# Buffers


def buffers(size: int) -> list[Any]:
    """Writable contiguous memory of `size` bytes in every form."""
    return [
        bytearray(size),
        memoryview(bytearray(size)),
        memoryview(bytearray(3 * size))[size : 2 * size],
        memoryview(bytearray(size)).cast("H"),
        (ctypes.c_char * size)(),
        (ctypes.c_uint32 * (size // 4))(),
        sockaddr.from_buffer(bytearray(size)),
    ]


@pytest.mark.parametrize("form", range(len(buffers(16))))
def test_any_writable_contiguous_memory_is_a_buffer(pair: tuple[int, int], form: int) -> None:
    client, server = pair
    data = buffers(16)[form]
    assert send(client, b"sixteen bytes...", 16, 0) == 16
    assert readable(server)
    assert recv(server, data, 16, 0) == 16
    assert bytes(memoryview(data).cast("B")) == b"sixteen bytes..."
    assert send(server, data, 16, 0) == 16
    assert receive_all(client, 16) == b"sixteen bytes..."


@pytest.mark.parametrize("form", range(len(buffers(16))))
def test_the_size_of_a_buffer_is_its_number_of_bytes_in_every_form(pair: tuple[int, int], form: int) -> None:
    assert error_of(recv(pair[0], buffers(16)[form], 17, 0)) == WSAEFAULT
    assert error_of(send(pair[0], buffers(16)[form], 17, 0)) == WSAEFAULT


def test_a_type_error_for_a_buffer_names_the_type_that_was_passed() -> None:
    with pytest.raises(TypeError, match="a bytes-like object is required, not 'int'"):
        winsock.inet_ntop(AF_INET, 5, bytearray(22), 22)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a bytes-like object is required, not 'str'"):
        winsock.gethostname("name", 4)  # type: ignore[arg-type]


def test_a_const_buffer_may_be_read_only(pair: tuple[int, int]) -> None:
    for data in (b"12", memoryview(b"12"), memoryview(b"0120")[1:3]):
        assert send(pair[0], data, 2, 0) == 2
    assert receive_all(pair[1], 6) == b"121212"


@pytest.mark.parametrize(
    "form", [bytes, bytearray, lambda address: address, lambda address: memoryview(bytes(address))]
)
def test_an_address_is_a_structure_or_its_bytes(started: None, form: Callable[[Any], Any]) -> None:
    s = new()
    assert bind(s, form(loopback()), 16) == 0
    assert port_of(s) != 0


def test_an_address_is_written_into_a_structure_or_a_byte_array(udp: tuple[int, int]) -> None:
    structure, array, storage = sockaddr_in(), bytearray(16), sockaddr_storage()
    for room in (structure, array, storage):
        assert getsockname(udp[0], room, c_int(sizeof(room) if room is storage else 16)) == 0
    assert bytes(structure) == bytes(array) == bytes(storage)[:16]


def test_a_buffer_can_be_resized_and_freed_after_the_call(pair: tuple[int, int]) -> None:
    data = bytearray(b"1234")
    assert send(pair[0], data, 4, 0) == 4
    data.clear()
    room = bytearray(4)
    assert recv(pair[1], room, 4, 0) == 4
    room.clear()
    array = bytearray(sizeof(fd_set))
    FD_SET(pair[0], array)
    assert select(0, None, array, None, timeval()) == 1
    array.clear()


# Pointers to integers


@pytest.mark.parametrize("type", [c_int, ctypes.c_uint, u_long, ctypes.c_long, ctypes.c_ulong, c_int64, c_uint64])
def test_a_pointer_to_an_integer_is_a_ctypes_integer_of_4_bytes_or_more(pair: tuple[int, int], type: Any) -> None:
    client, server = pair
    length = type(64)
    assert getsockname(client, bytearray(64), length) == 0
    assert length.value == 16
    length.value = 4
    assert getsockopt(client, SOL_SOCKET, SO_KEEPALIVE, bytearray(4), length) == 0
    assert length.value == 1
    assert send(server, b"12", 2, 0) == 2
    assert readable(client)
    waiting = type(-1)
    assert ioctlsocket(client, FIONREAD, waiting) == 0
    assert waiting.value == 2


def test_a_length_in_a_wide_integer_uses_its_low_32_bits_or_is_wsaefault(pair: tuple[int, int]) -> None:
    # C reads an int at this address; the bytes above it are not part of the length.
    length = c_int64(-(1 << 32))
    assert error_of(getsockname(pair[0], bytearray(64), length)) == WSAEFAULT


# Text


@pytest.mark.parametrize(
    "given", ["127.0.0.1", b"127.0.0.1", b"127.0.0.1\0.9", bytearray(b"127.0.0.1\0"), "127.0.0.1\0x"]
)
def test_text_is_ascii_str_or_bytes_up_to_the_first_nul(started: None, given: Any) -> None:
    assert inet_addr(given) == htonl(INADDR_LOOPBACK)
    address = bytearray(4)
    assert inet_pton(AF_INET, given, address) == 1
    assert address == b"\x7f\0\0\1"
    result = POINTER(addrinfo)()
    assert getaddrinfo(given, None, None, result) == 0
    assert bytes(result.contents.ai_addr.contents.sa_data)[2:6] == address
    freeaddrinfo(result)
    host = gethostbyname(given)
    assert host is not None
    assert host.h_addr[:4] == address


# The order of checks


def test_wsastartup_is_checked_before_the_handle(unstarted: None) -> None:
    assert error_of(closesocket(1)) == WSANOTINITIALISED


def closed() -> int:
    s = new()
    assert closesocket(s) == 0
    return s


@pytest.mark.parametrize("number", [0, 1, 0x7FFFFFFF, INVALID_SOCKET, None])
def test_the_handle_is_checked_before_lengths_and_null(started: None, number: int | None) -> None:
    s = closed() if number is None else number
    short, length = bytearray(1), c_int(2)
    for result in (
        bind(s, short, 2),
        bind(s, None, 16),
        connect(s, short, 2),
        connect(s, None, 16),
        accept(s, short, length),
        send(s, short, 2, 0),
        send(s, short, -1, 0),
        send(s, None, 1, 0),
        recv(s, short, 2, 0),
        recv(s, short, -1, 0),
        sendto(s, short, 2, 0, None, 0),
        sendto(s, short, 1, 0, short, 2),
        recvfrom(s, short, 2, 0, None, None),
        recvfrom(s, short, 1, 0, short, length),
        getsockname(s, short, length),
        getpeername(s, short, length),
        setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, short, 2),
        getsockopt(s, SOL_SOCKET, SO_KEEPALIVE, short, length),
        ioctlsocket(s, FIONBIO, None),
    ):
        assert error_of(result) == WSAENOTSOCK


def test_lengths_beyond_the_buffer_are_checked_before_the_state_of_the_socket(started: None) -> None:
    s, short, length = new(), bytearray(1), c_int(2)
    assert error_of(send(s, short, 2, 0)) == WSAEFAULT  # not WSAENOTCONN
    assert error_of(recv(s, short, 2, 0)) == WSAEFAULT
    assert error_of(accept(s, short, length)) == WSAEFAULT
    assert error_of(bind(bound(), short, 2)) == WSAEFAULT


def test_getsockname_checks_its_length_before_the_state_of_the_socket(started: None) -> None:
    assert error_of(getsockname(new(), bytearray(1), c_int(16))) == WSAEFAULT  # not WSAEINVAL


def test_only_getpeername_checks_the_connection_before_its_arguments(started: None) -> None:
    assert error_of(getpeername(new(), None, None)) == WSAENOTCONN
    assert error_of(getpeername(new(), bytearray(1), c_int(16))) == WSAENOTCONN


# Keywords


def test_arguments_may_be_passed_by_name(pair: tuple[int, int]) -> None:
    client, server = pair
    assert send(s=client, buf=b"1", len=1, flags=0) == 1
    assert recvfrom(s=server, buf=bytearray(1), len=1, flags=0, from_=None, fromlen=None) == 1
    assert select(nfds=0, readfds=None, writefds=fd_set_of(client), exceptfds=None, timeout=timeval()) == 1
    assert getsockname(s=client, name=bytearray(16), namelen=c_int(16)) == 0
