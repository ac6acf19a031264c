"""Helpers that put sockets into a state; if one of their calls fails, the scenario fails."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_int, sizeof

from winsock import (
    AF_INET,
    AF_INET6,
    FD_ISSET,
    FD_SET,
    FIONBIO,
    INVALID_SOCKET,
    SD_SEND,
    SO_BROADCAST,
    SO_EXCLUSIVEADDRUSE,
    SO_LINGER,
    SO_OOBINLINE,
    SO_RCVBUF,
    SO_REUSEADDR,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    WSAPOLLFD,
    WSAGetLastError,
    WSAPoll,
    accept,
    bind,
    closesocket,
    connect,
    fd_set,
    getsockname,
    getsockopt,
    htonl,
    htons,
    in6_addr,
    in_addr,
    ioctlsocket,
    linger,
    listen,
    ntohs,
    select,
    send,
    setsockopt,
    shutdown,
    sockaddr_in,
    sockaddr_in6,
    socket,
    timeval,
    u_long,
)

from .recorder import poll_bits

# In seconds. Windows reports a closed port on loopback after two seconds; a wait ends as soon as there is an event.
LIMIT = 8
ANY, LOOPBACK, OTHER_LOOPBACK = 0, 0x7F000001, 0x7F000002
# An address for documentation (RFC 5737): no interface has it, and nothing is ever sent to it.
FOREIGN = 0xCB007101
LOOPBACK6 = bytes(15) + b"\1"
IN, IN6 = sizeof(sockaddr_in), sizeof(sockaddr_in6)

# Boolean options at SOL_SOCKET whose value is an int.
SWITCHES = {
    "SO_BROADCAST": SO_BROADCAST,
    "SO_OOBINLINE": SO_OOBINLINE,
    "SO_REUSEADDR": SO_REUSEADDR,
    "SO_EXCLUSIVEADDRUSE": SO_EXCLUSIVEADDRUSE,
}


def inet(port: int = 0, address: int = LOOPBACK) -> sockaddr_in:
    """An IPv4 address; both numbers are in host byte order."""
    return sockaddr_in(AF_INET, htons(port), in_addr(htonl(address)))


def inet6(port: int = 0, address: bytes = LOOPBACK6) -> sockaddr_in6:
    name = sockaddr_in6(AF_INET6, htons(port), 0, in6_addr())
    name.sin6_addr.s6_addr = address
    return name


def mapped(address: int = LOOPBACK) -> bytes:
    """The IPv4-mapped IPv6 address."""
    return bytes(10) + b"\xff\xff" + address.to_bytes(4, "big")


def done(result: int) -> None:
    assert result == 0, f"failed with {WSAGetLastError()}"


def tcp(family: int = AF_INET) -> int:
    s = socket(family, SOCK_STREAM, 0)
    assert s != INVALID_SOCKET, f"failed with {WSAGetLastError()}"
    return s


def udp(family: int = AF_INET) -> int:
    s = socket(family, SOCK_DGRAM, 0)
    assert s != INVALID_SOCKET, f"failed with {WSAGetLastError()}"
    return s


def bound(s: int, port: int = 0, address: int = LOOPBACK) -> int:
    done(bind(s, inet(port, address), IN))
    return s


def bound_udp() -> int:
    return bound(udp())


def bound6(s: int, port: int = 0, address: bytes = LOOPBACK6) -> int:
    done(bind(s, inet6(port, address), IN6))
    return s


def first_success(attempt: Callable[[], int]) -> int:
    """The first of ten results that is 0, or the last result. Each attempt uses a new port.

    A port that is free for one kind of socket may be in use by another process for the other kind.
    """
    result = attempt()
    for _ in range(9):
        if result == 0:
            break
        result = attempt()
    return result


def listener(port: int = 0, address: int = LOOPBACK) -> int:
    s = bound(tcp(), port, address)
    done(listen(s, 8))
    return s


def name_of(s: int) -> sockaddr_in:
    name = sockaddr_in()
    done(getsockname(s, name, c_int(IN)))
    return name


def name6_of(s: int) -> sockaddr_in6:
    name = sockaddr_in6()
    done(getsockname(s, name, c_int(IN6)))
    return name


def port_of(s: int) -> int:
    return ntohs(name_of(s).sin_port)


def nonblocking(s: int) -> int:
    done(ioctlsocket(s, FIONBIO, u_long(1)))
    return s


def blocking(s: int) -> int:
    done(ioctlsocket(s, FIONBIO, u_long(0)))
    return s


def tcp_pair() -> tuple[int, int]:
    """A connected client and its accepted socket, both in blocking mode."""
    queue = listener()
    client = tcp()
    done(connect(client, name_of(queue), IN))
    server = accept(queue, None, None)
    assert server != INVALID_SOCKET
    done(closesocket(queue))
    return client, server


def full_pair() -> tuple[int, int]:
    """A connected pair whose first socket is nonblocking and has a full send buffer."""
    queue = switch(tcp(), SOL_SOCKET, SO_RCVBUF, 1 << 16)
    done(listen(bound(queue), 1))
    client = switch(tcp(), SOL_SOCKET, SO_SNDBUF, 1 << 16)
    done(connect(client, name_of(queue), IN))
    server = accept(queue, None, None)
    assert server != INVALID_SOCKET
    block, refused = bytes(1 << 16), 0
    # The operating system may accept more data for a while, also after a send that failed.
    nonblocking(client)
    while refused < 4:
        if send(client, block, len(block), 0) < 0:
            refused += 1
            pause(20)
        else:
            refused = 0
    return client, server


def udp_pair() -> tuple[int, int]:
    """Two datagram sockets, each connected to the other."""
    first, second = bound_udp(), bound_udp()
    done(connect(first, name_of(second), IN))
    done(connect(second, name_of(first), IN))
    return first, second


def closed_port() -> int:
    """A port on which no socket listens."""
    s = bound(tcp())
    port = port_of(s)
    done(closesocket(s))
    return port


def closed_udp_port() -> int:
    s = bound_udp()
    port = port_of(s)
    done(closesocket(s))
    return port


def reset(s: int) -> None:
    """Closes a connection with a reset."""
    done(setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 0), sizeof(linger)))
    done(closesocket(s))


def ended(s: int) -> None:
    """Ends the stream that the other side receives."""
    done(shutdown(s, SD_SEND))


def set_of(*sockets: int) -> fd_set:
    fds = fd_set()
    for s in sockets:
        FD_SET(s, fds)
    return fds


NOW = timeval(0, 0)


def look(s: int, limit: int = 0) -> str:
    """The sets in which select returns a socket, as r, w, e; "-" for none. Waits up to `limit` seconds for any."""
    reading, writing, exceptional = set_of(s), set_of(s), set_of(s)
    count = select(0, reading, writing, exceptional, timeval(limit, 0))
    assert count >= 0, f"select failed with {WSAGetLastError()}"
    shown = "r" * FD_ISSET(s, reading) + "w" * FD_ISSET(s, writing) + "e" * FD_ISSET(s, exceptional)
    return shown or "-"


def wait_readable(s: int) -> int:
    """Waits until there is data to receive, a connection to accept, or the end of the stream."""
    assert select(0, set_of(s), None, None, timeval(LIMIT, 0)) == 1, "not readable in time"
    return s


def wait_writable(s: int) -> int:
    assert select(0, None, set_of(s), None, timeval(LIMIT, 0)) == 1, "not writable in time"
    return s


def wait_except(s: int) -> int:
    """Waits for a failed connect or out-of-band data."""
    assert select(0, None, None, set_of(s), timeval(LIMIT, 0)) == 1, "no exception in time"
    return s


def pause(milliseconds: int = 100) -> None:
    """Waits for a fixed time, where no call can wait for the event."""
    quiet = bound_udp()
    assert select(0, set_of(quiet), None, None, timeval(0, milliseconds * 1000)) == 0
    done(closesocket(quiet))


def polled(s: int, events: int, limit: int = 0) -> str:
    """The revents that WSAPoll shows for one socket."""
    entry = (WSAPOLLFD * 1)(WSAPOLLFD(s, events))
    count = WSAPoll(entry, 1, limit)
    assert count >= 0, f"WSAPoll failed with {WSAGetLastError()}"
    assert count == (entry[0].revents != 0)
    return poll_bits(entry[0].revents)


def option(s: int, level: int, name: int) -> int:
    """The value of an option, of any length."""
    value = bytearray(4)
    done(getsockopt(s, level, name, value, c_int(4)))
    return int.from_bytes(value, "little")


def of_its_kind(name: int) -> int:
    """A socket that has the option."""
    return udp() if name == SO_BROADCAST else tcp()


def switch(s: int, level: int, name: int, value: int = 1) -> int:
    done(setsockopt(s, level, name, c_int(value), 4))
    return s
