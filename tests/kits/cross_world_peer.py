"""A program for test_cross_world.py: one end of a conversation. It prints what it sees, line by line.

tcp_server | tcp_client PORT | tcp_nobody PORT | udp_server | udp_client PORT
"""

from __future__ import annotations

import hashlib
import random
import sys
from ctypes import c_int, sizeof

from winsock import (
    AF_INET,
    BACKEND,
    FD_ISSET,
    FD_SET,
    FIONBIO,
    INVALID_SOCKET,
    MAKEWORD,
    SD_SEND,
    SO_LINGER,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSADATA,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAError,
    WSAGetLastError,
    WSAStartup,
    accept,
    bind,
    closesocket,
    connect,
    fd_set,
    getpeername,
    getsockname,
    htons,
    inet_addr,
    inet_ntoa,
    ioctlsocket,
    linger,
    listen,
    ntohs,
    recv,
    recvfrom,
    select,
    send,
    sendto,
    setsockopt,
    shutdown,
    sockaddr_in,
    socket,
    timeval,
    u_long,
)

LIMIT = timeval(20, 0)
PIECE = 16 * 1024
MESSAGE = random.Random(7).randbytes(1 << 20)
SIZES = (0, 1, 512, 1472, 9000, 65507)
TURNED = bytes(reversed(range(256)))


def say(*words: object) -> None:
    print(*words, flush=True)


def checked(result: int) -> int:
    if result in (SOCKET_ERROR, INVALID_SOCKET):
        raise SystemExit(f"failed: {WSAError(WSAGetLastError()).name}")
    return result


def address(port: int) -> sockaddr_in:
    name = sockaddr_in(sin_family=AF_INET, sin_port=htons(port))
    name.sin_addr.s_addr = inet_addr("127.0.0.1")
    return name


def bound(type: int) -> int:
    s = checked(socket(AF_INET, type, 0))
    name = address(0)
    checked(bind(s, name, sizeof(name)))
    checked(getsockname(s, name, c_int(sizeof(name))))
    say(BACKEND, ntohs(name.sin_port))
    return s


def wait(s: int, *, to_write: bool = False) -> tuple[bool, bool]:
    """Whether there is something to read, and room to write if that was asked, once one of them is so."""
    readfds, writefds = fd_set(), fd_set()
    FD_SET(s, readfds)
    if to_write:
        FD_SET(s, writefds)
    if checked(select(0, readfds, writefds if to_write else None, None, LIMIT)) == 0:
        raise SystemExit("nothing happens")
    return FD_ISSET(s, readfds), FD_ISSET(s, writefds)


def turn_back(s: int) -> int:
    """Send back every byte, turned, until the other end has said all; how many they were. -1 for a reset."""
    buffer, waiting, count, more = bytearray(PIECE), bytearray(), 0, True
    while more or waiting:
        read, write = wait(s, to_write=bool(waiting))
        if read and more:
            size = recv(s, buffer, len(buffer), 0)
            if size == SOCKET_ERROR:
                say(WSAError(WSAGetLastError()).name)
                return -1
            more = size > 0
            count += size
            waiting += buffer[:size].translate(TURNED)
        if write:
            sent = send(s, waiting, len(waiting), 0)
            if sent == SOCKET_ERROR:
                assert WSAGetLastError() == WSAEWOULDBLOCK, WSAGetLastError()
            else:
                del waiting[:sent]
    return count


def tcp_server() -> None:
    server = bound(SOCK_STREAM)
    checked(listen(server, 5))
    for _ in range(2):
        wait(server)
        peer = sockaddr_in()
        s = checked(accept(server, peer, c_int(sizeof(peer))))
        checked(ioctlsocket(s, FIONBIO, u_long(1)))
        say("from", inet_ntoa(peer.sin_addr))
        count = turn_back(s)
        if count >= 0:
            say("turned", count)
            checked(shutdown(s, SD_SEND))
        checked(closesocket(s))
    checked(closesocket(server))


def tcp_client(port: int) -> None:
    say(BACKEND)
    s = checked(socket(AF_INET, SOCK_STREAM, 0))
    checked(connect(s, address(port), sizeof(sockaddr_in)))
    peer = sockaddr_in()
    checked(getpeername(s, peer, c_int(sizeof(peer))))
    assert ntohs(peer.sin_port) == port
    checked(ioctlsocket(s, FIONBIO, u_long(1)))
    buffer, got, sent = bytearray(PIECE), bytearray(), 0
    while True:
        read, write = wait(s, to_write=sent < len(MESSAGE))
        if write:
            sent += checked(send(s, MESSAGE[sent : sent + PIECE], len(MESSAGE[sent : sent + PIECE]), 0))
            if sent == len(MESSAGE):
                checked(shutdown(s, SD_SEND))
        if read:
            size = checked(recv(s, buffer, len(buffer), 0))
            if size == 0:
                break
            got += buffer[:size]
    checked(closesocket(s))
    say("got", len(got), hashlib.sha256(got).hexdigest() == hashlib.sha256(MESSAGE.translate(TURNED)).hexdigest())
    s = checked(socket(AF_INET, SOCK_STREAM, 0))
    checked(connect(s, address(port), sizeof(sockaddr_in)))
    checked(send(s, b"\0", 1, 0))
    wait(s)
    checked(recv(s, buffer, 1, 0))
    say("got", buffer[0])
    checked(setsockopt(s, SOL_SOCKET, SO_LINGER, linger(1, 0), sizeof(linger)))
    checked(closesocket(s))


def tcp_nobody(port: int) -> None:
    s = checked(socket(AF_INET, SOCK_STREAM, 0))
    say(BACKEND, connect(s, address(port), sizeof(sockaddr_in)), WSAError(WSAGetLastError()).name)


def udp_server() -> None:
    s = bound(SOCK_DGRAM)
    buffer, peer = bytearray(65536), sockaddr_in()
    for _ in range(len(SIZES) + 1):
        wait(s)
        size = checked(recvfrom(s, buffer, len(buffer), 0, peer, c_int(sizeof(peer))))
        say(size)
        checked(sendto(s, buffer[:size].translate(TURNED), size, 0, peer, sizeof(peer)))


def udp_client(port: int) -> None:
    say(BACKEND)
    s = checked(socket(AF_INET, SOCK_DGRAM, 0))
    buffer, peer = bytearray(65536), sockaddr_in()
    for size in SIZES:
        checked(sendto(s, MESSAGE[:size], size, 0, address(port), sizeof(sockaddr_in)))
        wait(s)
        length = c_int(sizeof(peer))
        got = checked(recvfrom(s, buffer, len(buffer), 0, peer, length))
        assert (length.value, ntohs(peer.sin_port), inet_ntoa(peer.sin_addr)) == (16, port, "127.0.0.1")
        say(got, buffer[:got] == MESSAGE[:size].translate(TURNED))
    checked(sendto(s, MESSAGE[:10], 10, 0, address(port), sizeof(sockaddr_in)))
    wait(s)
    say(recvfrom(s, buffer, 4, 0, None, None), WSAError(WSAGetLastError()).name)
    say(buffer[:4] == MESSAGE[:4].translate(TURNED))


if __name__ == "__main__":
    roles = {role.__name__: role for role in (tcp_server, tcp_client, tcp_nobody, udp_server, udp_client)}
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    roles[sys.argv[1]](*map(int, sys.argv[2:]))
    checked(WSACleanup())
