"""Programs for simulated hosts. They take each call from `winsock` when they make it: a network replaces the calls."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int, sizeof

import winsock as w
from winsock.simulation.dispatch import running_process

PORT = 8080


def start() -> None:
    assert w.WSAStartup(w.MAKEWORD(2, 2), w.WSADATA()) == 0


def address(ip: str, port: int = PORT) -> w.sockaddr_in:
    return w.sockaddr_in(w.AF_INET, w.htons(port), w.in_addr(w.inet_addr(ip)))


def check(result: int) -> int:
    if result in (w.SOCKET_ERROR, w.INVALID_SOCKET):
        raise OSError(w.WSAGetLastError(), w.WSAErrorDescript(w.WSAGetLastError()))
    return result


def new(type: int = w.SOCK_STREAM, seconds: float | None = None) -> int:
    """A blocking socket; `seconds` is its time-out for receiving."""
    s = check(w.socket(w.AF_INET, type, 0))
    if seconds is not None:
        check(w.setsockopt(s, w.SOL_SOCKET, w.SO_RCVTIMEO, c_int(round(seconds * 1000)), 4))
    return s


def listener(port: int = PORT) -> int:
    s = new()
    check(w.bind(s, address("0.0.0.0", port), sizeof(w.sockaddr_in)))
    check(w.listen(s, 5))
    return s


def connected(ip: str, port: int = PORT, seconds: float | None = None) -> int:
    s = new(seconds=seconds)
    check(w.connect(s, address(ip, port), sizeof(w.sockaddr_in)))
    return s


def receive(s: int, size: int = 65536) -> bytes:
    data = bytearray(size)
    return bytes(data[: check(w.recv(s, data, size, 0))])


def send_all(s: int, data: bytes) -> None:
    while data:
        data = data[check(w.send(s, data, len(data), 0)) :]


def echo_server(port: int = PORT) -> None:
    """Serves one client after the other, for ever."""
    start()
    server = listener(port)
    while True:
        client = check(w.accept(server, None, None))
        try:
            while data := receive(client):
                send_all(client, data)
        except OSError:
            pass  # the client has reset the connection
        w.closesocket(client)


def sink_server(seen: list[tuple[float, bytes]], port: int = PORT) -> None:
    """Accepts one client, and keeps what it receives with the time, until the end of the stream."""
    start()
    client = check(w.accept(listener(port), None, None))
    while data := receive(client):
        seen.append((now(), data))


def datagram_sink(seen: list[tuple[float, bytes]], port: int = PORT) -> None:
    """Keeps each datagram with its time."""
    start()
    s = new(w.SOCK_DGRAM)
    check(w.bind(s, address("0.0.0.0", port), sizeof(w.sockaddr_in)))
    while True:
        seen.append((now(), receive(s)))


def datagram_source(ip: str, count: int, period: float, port: int = PORT) -> None:
    start()
    s = new(w.SOCK_DGRAM)
    for number in range(count):
        check(w.sendto(s, b"%d" % number, len(b"%d" % number), 0, address(ip, port), sizeof(w.sockaddr_in)))
        sleep(period)


def error_of(call: Callable[[], object]) -> int | None:
    """The Winsock error with which a program's function fails."""
    try:
        call()
    except OSError as error:
        return error.errno
    return None


def now() -> float:
    return running_process().monotonic()


def sleep(seconds: float) -> None:
    running_process().sleep(seconds)
