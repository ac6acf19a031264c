"""Arguments that no careful program passes: memory that does not exist, overlaps or changes, and odd numbers.

Each test runs in a process of its own or would end this one: there is no crash, but an error code or an exception.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from ctypes import c_int, sizeof
from decimal import Decimal
from pathlib import Path

import pytest
from process_measures import open_handles
from winsock_kit import (
    Running,
    accept_from,
    bound,
    connect_to,
    connected_pair,
    error_of,
    listener,
    loopback,
    name_of,
    set_nonblocking,
    udp_pair,
)

from winsock import (
    AF_INET,
    FD_SET,
    FIONBIO,
    INADDR_NONE,
    POLLIN,
    SO_ERROR,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_OPENTYPE,
    SO_RCVBUF,
    SO_TYPE,
    SOCK_DGRAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSADATA,
    WSAEFAULT,
    WSAENOTSOCK,
    WSAPOLLFD,
    WSAGetLastError,
    WSAPoll,
    accept,
    addrinfo,
    bind,
    closesocket,
    connect,
    fd_set,
    fd_set_sized,
    freeaddrinfo,
    getaddrinfo,
    gethostbyname,
    getpeername,
    getsockname,
    getsockopt,
    inet_addr,
    inet_pton,
    ioctlsocket,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    setsockopt,
    sockaddr_in,
    socket,
    timeval,
)

ROOT = Path(__file__).parents[2]
NOWHERE = 8

posix_only = pytest.mark.posix_only("on Windows Ws2_32.dll itself checks the addresses")
pytestmark = pytest.mark.usefixtures("started")


def nowhere(type: type[ctypes.Structure] = sockaddr_in) -> ctypes.Structure:
    """A structure at an address that belongs to no memory."""
    return type.from_address(NOWHERE)


def no_integer() -> c_int:
    return c_int.from_address(NOWHERE)


@posix_only
@pytest.mark.parametrize("data", [b"x", bytearray(1)])
def test_an_address_structure_in_no_memory_is_wsaefault(data: bytes) -> None:
    one, other = udp_pair()
    assert sendto(other, b"y", 1, 0, name_of(one), 16) == 1
    here, length, buf = sockaddr_in(), c_int(16), bytearray(4)
    stranger = bound(SOCK_DGRAM)
    results = [
        sendto(one, data, 1, 0, nowhere(), 16),
        bind(socket(2, 2, 0), nowhere(), 16),
        connect(one, nowhere(), 16),
        getsockname(one, nowhere(), length),
        getsockname(one, here, no_integer()),
        getpeername(one, nowhere(), length),
        recvfrom(one, buf, 4, 0, nowhere(), length),
        recvfrom(one, buf, 4, 0, here, no_integer()),
        setsockopt(stranger, 0xFFFF, 0x1006, nowhere(), 4),
        getsockopt(stranger, 0xFFFF, 0x1006, nowhere(), length),
        getsockopt(stranger, 0xFFFF, 0x1006, here, no_integer()),
        ioctlsocket(stranger, FIONBIO, no_integer()),
    ]
    assert results == [SOCKET_ERROR] * len(results)
    assert error_of(results[-1]) == WSAEFAULT
    for call in (
        lambda: sendto(one, data, 1, 0, nowhere(), 16),
        lambda: recvfrom(one, buf, 4, 0, here, no_integer()),
        lambda: accept(stranger, nowhere(), length),
    ):
        assert error_of(call()) == WSAEFAULT


@posix_only
def test_data_sets_and_arrays_in_no_memory_are_wsaefault() -> None:
    one, other = connected_pair()
    assert send(other, b"y", 1, 0) == 1
    ready = fd_set()
    FD_SET(one, ready)
    for call in (
        lambda: recv(one, nowhere(), 16, 0),
        lambda: recv(one, (ctypes.c_char * 100_000).from_address(NOWHERE), 100_000, 0),
        lambda: send(one, nowhere(), 16, 0),
        lambda: select(0, nowhere(fd_set), None, None, timeval()),
        lambda: select(0, ready, None, None, nowhere(timeval)),
        lambda: WSAPoll((WSAPOLLFD * 2).from_address(NOWHERE), 2, 0),
    ):
        assert error_of(call()) == WSAEFAULT


@posix_only
def test_names_and_results_in_no_memory_are_wsaefault() -> None:
    text = (ctypes.c_char * 8).from_address(NOWHERE)
    result = ctypes.POINTER(addrinfo)()
    no_result = ctypes.POINTER(addrinfo).from_address(NOWHERE)
    assert (inet_addr(text), WSAGetLastError()) == (INADDR_NONE, WSAEFAULT)
    assert (gethostbyname(memoryview(text)), WSAGetLastError()) == (None, WSAEFAULT)
    assert error_of(inet_pton(AF_INET, text, bytearray(4))) == WSAEFAULT
    for arguments in ((text, None, None, result), (None, text, None, result), ("127.0.0.1", None, None, no_result)):
        assert getaddrinfo(*arguments) == WSAEFAULT
    freeaddrinfo(no_result)


@posix_only
def test_a_trace_does_not_read_memory_that_does_not_exist(tmp_path: Path) -> None:
    program = """
import ctypes
from winsock import *
WSAStartup(MAKEWORD(2, 2), WSADATA())
s = socket(AF_INET, SOCK_DGRAM, 0)
no = lambda type: type.from_address(8)
text, number, name = no(ctypes.c_char * 8), no(ctypes.c_int), no(sockaddr_in)
result = ctypes.POINTER(addrinfo)()
bind(s, name, 16), connect(s, name, 16), sendto(s, text, 8, 0, name, 16), recvfrom(s, text, 8, 0, name, number)
getsockname(s, name, number), accept(s, name, number), ioctlsocket(s, FIONBIO, number)
setsockopt(s, SOL_SOCKET, SO_RCVBUF, number, 4), getsockopt(s, SOL_SOCKET, SO_RCVBUF, number, number)
select(0, no(fd_set), None, None, no(timeval)), WSAPoll(no(WSAPOLLFD * 3), 3, 0), WSAStartup(514, no(WSADATA))
inet_addr(text), gethostbyname(text), inet_pton(AF_INET, text, bytearray(4))
inet_ntop(AF_INET, no(in_addr), bytearray(16), 16), getnameinfo(name, 16, bytearray(40), 40, None, 0, 0)
getaddrinfo(text, text, no(addrinfo), result), freeaddrinfo(no(ctypes.POINTER(addrinfo)))
"""
    file = tmp_path / "program.py"
    file.write_text(program)
    command = [sys.executable, "-m", "winsock.trace", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WSAEFAULT" in done.stderr


def test_wsadata_over_garbage_has_a_number_as_its_vendor_information() -> None:
    data = WSADATA.from_buffer_copy(b"\xcc" * sizeof(WSADATA))
    assert data.lpVendorInfo in (0xCCCCCCCCCCCCCCCC, 0xCCCCCCCC)


@posix_only
def test_sets_that_overlap_in_memory_do_not_break_select() -> None:
    low, high = bound(SOCK_DGRAM), bound(SOCK_DGRAM)
    assert sendto(low, b"x", 1, 0, name_of(high), 16) == 1
    large = fd_set_sized(2000)
    memory = bytearray(sizeof(large) + 64)
    first, second = large.from_buffer(memory, 0), large.from_buffer(memory, 8)
    first.fd_count = 2
    first.fd_array[:400] = [low] * 400
    first.fd_array[1] = high
    assert select(0, first, second, None, timeval()) >= SOCKET_ERROR


@posix_only
@pytest.mark.parametrize("wait", [0, 1])
def test_sets_and_arrays_that_another_thread_changes_do_not_break_the_calls(wait: int) -> None:
    sockets = [bound(SOCK_DGRAM) for _ in range(8)]
    fds = fd_set_sized(64)()
    array = (WSAPOLLFD * 8)()
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            for count in (0, 1, 8, 64, 65, 0xFFFFFFFF):
                fds.fd_count = count
                fds.fd_array[count % 64] = sockets[count % 8]
                array[count % 8].fd = sockets[0] if count else 1
                array[count % 8].events = POLLIN if count else -1

    changing = Running(change)
    try:
        for _ in range(300):
            assert select(0, fds, None, None, timeval(0, 100 * wait)) >= SOCKET_ERROR
            assert WSAPoll(array, 8, wait) >= SOCKET_ERROR
    finally:
        done.set()
        changing.result()


@pytest.mark.parametrize("value", [Decimal(1), 1.0, "1", None])
def test_a_number_that_is_no_int_is_a_type_error(value: object) -> None:
    one, other = connected_pair()
    assert send(other, b"y", 1, 0) == 1
    number: int = value  # type: ignore[assignment]
    for call in (
        lambda: recv(one, bytearray(4), number, 0),
        lambda: recv(one, bytearray(4), 1, number),
        lambda: recv(number, bytearray(4), 1, 0),
        lambda: send(one, b"1", number, 0),
        lambda: sendto(one, b"1", 1, 0, loopback(1), number),
        lambda: select(number, fd_set(), None, None, timeval()),
        lambda: WSAPoll((WSAPOLLFD * 1)(), number, 0),
        lambda: closesocket(number),
    ):
        with pytest.raises(TypeError):
            call()


class Index:
    """An int whose conversion does something first."""

    def __init__(self, value: int, act: object) -> None:
        self.value, self.act = value, act

    def __index__(self) -> int:
        self.act()  # type: ignore[operator]
        return self.value


def test_a_length_with_an_index_method_is_read_once_and_may_close_the_socket() -> None:
    one, other = connected_pair()
    calls: list[int] = []
    length: int = Index(1, lambda: calls.append(closesocket(one)))  # type: ignore[assignment]
    assert send(other, b"y", 1, 0) == 1
    assert error_of(recv(one, bytearray(4), length, 0)) == WSAENOTSOCK
    assert calls == [0]


@pytest.mark.posix_only("ctypes exports the buffer before it reads the length")
def test_a_length_with_an_index_method_may_resize_the_buffer() -> None:
    one, other = connected_pair()
    set_nonblocking(one)
    buf = bytearray(8)
    length: int = Index(8, buf.clear)  # type: ignore[assignment]
    assert send(other, b"y" * 8, 8, 0) == 8
    assert error_of(recv(one, buf, length, 0)) == WSAEFAULT


class Growing(c_int):
    """A length that another thread seems to change: only its first value fits the buffer."""

    reads = 0

    @property
    def value(self) -> int:
        self.reads += 1
        return 2 if self.reads == 1 else 1000

    @value.setter
    def value(self, value: int) -> None:
        pass


@pytest.mark.parametrize("option", [SO_RCVBUF, SO_KEEPALIVE, SO_LINGER, SO_TYPE, SO_ERROR, SO_OPENTYPE])
def test_an_option_is_not_written_beyond_the_length_that_was_checked(option: int) -> None:
    s = bound(SOCK_DGRAM)
    memory = bytearray(b"." * 8)
    getsockopt(s, SOL_SOCKET, option, memoryview(memory)[:2], Growing())
    assert memory[2:] == b"......"


def test_a_released_memoryview_is_a_type_error() -> None:
    one, _other = udp_pair()
    view = memoryview(bytearray(16))
    view.release()
    for call in (
        lambda: recv(one, view, 1, 0),
        lambda: send(one, view, 1, 0),
        lambda: sendto(one, b"x", 1, 0, view, 16),
        lambda: recvfrom(one, view, 1, 0, None, None),
        lambda: WSAPoll(view, 1, 0),
    ):
        with pytest.raises(TypeError, match=r"required, not a released 'memoryview'$"):
            call()


@posix_only
def test_handles_are_multiples_of_4_below_2_to_the_31_and_do_not_come_back() -> None:
    seen = []
    for _ in range(1500):
        s = socket(2, 2, 0)
        seen.append(s)
        assert closesocket(s) == 0
    assert len(set(seen)) == len(seen)
    assert all(s % 4 == 0 and 0 < s < 2**31 for s in seen)


def test_closesocket_returns_while_other_threads_poll_without_a_pause() -> None:
    polled = [bound(SOCK_DGRAM) for _ in range(20)]
    done = threading.Event()

    def poll() -> None:
        array = (WSAPOLLFD * 20)(*(WSAPOLLFD(s, POLLIN) for s in polled))
        while not done.is_set():
            WSAPoll(array, 20, 0)
            WSAPoll(array, 20, 1)

    threads = [Running(poll) for _ in range(2)]
    try:
        for _ in range(200):
            assert closesocket(socket(2, 2, 0)) == 0
        assert [closesocket(s) for s in polled[10:]] == [0] * 10
    finally:
        done.set()
        for thread in threads:
            thread.result()


def test_a_socket_may_be_closed_while_another_thread_moves_much_data_without_the_gil() -> None:
    data, buf = bytes(1 << 20), bytearray(1 << 20)
    server, left = listener(), []
    for _ in range(30):
        one = connect_to(server)
        other = accept_from(server)
        for s in (one, other):
            set_nonblocking(s)

        def move(one: int = one, other: int = other) -> None:
            while send(one, data, len(data), 0) != SOCKET_ERROR or recv(other, buf, len(buf), 0) != SOCKET_ERROR:
                pass
            assert recv(one, buf, len(buf), 0) == SOCKET_ERROR

        moving = Running(move)
        assert [closesocket(s) for s in (other, one)] == [0, 0]
        moving.result()
        assert error_of(send(one, data, len(data), 0)) == WSAENOTSOCK
        left.append(open_handles())
    # The first wait opens a descriptor that later waits use again.
    assert left[-1] <= left[0] + 1


SEPARATE = """\
import ctypes
def made(w):
    assert w.WSAStartup(0x202, w.WSADATA()) == 0
    name = w.sockaddr_in(2, 0, w.in_addr(w.inet_addr("127.0.0.1")))
    s = w.socket(2, 2, 0)
    assert w.bind(s, name, 16) == w.getsockname(s, name, ctypes.c_int(16)) == 0
    assert w.ioctlsocket(s, w.FIONBIO, w.u_long(1)) == 0
    return s, name
"""
TWICE = (
    SEPARATE
    + """\
import sys
import winsock as first
a, _ = made(first)
for module in [module for module in sys.modules if module.startswith("winsock") and not module.endswith("_libc")]:
    del sys.modules[module]
try:
    import winsock as second
except ImportError:
    print("separate")
    sys.exit()
b, name = made(second)
assert second.sendto(b, b"for b", 5, 0, name, 16) == 5
assert first.recv(a, bytearray(9), 9, 0) == -1, "a received what was sent to b"
assert first.closesocket(a) == 0
assert second.recv(b, bytearray(9), 9, 0) == 5
print("separate")
"""
)
SUBINTERPRETER = (
    SEPARATE
    + """\
import sys
try:
    import _interpreters as interpreters  # since Python 3.13
    other = interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    other = interpreters.create(isolated=False)
def run(code):
    failure = interpreters.run_string(other, code)
    assert failure is None, failure
import winsock
a, _ = made(winsock)
run(SEPARATE + '''
import winsock
b, name = made(winsock)
assert winsock.sendto(b, b"for b", 5, 0, name, 16) == 5
''')
assert winsock.recv(a, bytearray(9), 9, 0) == -1, "a received what was sent to b"
assert winsock.closesocket(a) == 0
run('assert winsock.recv(b, bytearray(9), 9, 0) == 5')
print("separate")
""".replace("SEPARATE", repr(SEPARATE))
)
FORKS = """\
import ctypes, os, signal, threading
from winsock import *
assert WSAStartup(0x202, WSADATA()) == 0
name = sockaddr_in(AF_INET, 0, in_addr(inet_addr("127.0.0.1")))
sockets = []
for _ in range(20):
    s = socket(AF_INET, SOCK_DGRAM, 0)
    assert bind(s, name, 16) == 0
    sockets.append(s)
stop = False
def work():
    array = (WSAPOLLFD * 20)(*(WSAPOLLFD(s, POLLRDNORM) for s in sockets))
    while not stop:
        WSAPoll(array, 20, 0)
        WSAPoll(array, 20, 1)
        closesocket(socket(AF_INET, SOCK_DGRAM, 0))
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
def child():
    signal.alarm(20)
    here, s = sockaddr_in(), socket(AF_INET, SOCK_DGRAM, 0)
    assert bind(s, name, 16) == getsockname(s, here, ctypes.c_int(16)) == 0
    assert sendto(s, b"a", 1, 0, here, 16) == 1
    assert WSAPoll((WSAPOLLFD * 1)(WSAPOLLFD(s, POLLRDNORM)), 1, 5000) == 1
    assert recv(s, bytearray(4), 4, 0) == 1
    assert [closesocket(one) for one in sockets] == [0] * 20
    assert WSACleanup() == 0
    files = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    left = [os.readlink(file) for file in files if os.path.exists(file)]
    assert not [one for one in left if "socket" in one], left
for _ in range(40):
    pid = os.fork()
    if not pid:
        try:
            child()
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
stop = True
for thread in threads:
    thread.join()
print("separate")
"""


@posix_only
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(TWICE, id="a package that is imported twice"),
        pytest.param(SUBINTERPRETER, id="a subinterpreter"),
        pytest.param(FORKS, id="children of a process whose other threads open and close sockets"),
    ],
)
def test_instances_have_sockets_of_their_own(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        # Coverage cannot start in a subinterpreter, and would report that.
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "separate\n", "")
