"""Refused connections, and calls on the socket afterwards."""

from __future__ import annotations

from ctypes import c_int

from winsock import (
    AF_INET6,
    SD_BOTH,
    SO_ERROR,
    SOL_SOCKET,
    bind,
    closesocket,
    connect,
    getpeername,
    recv,
    send,
    shutdown,
    sockaddr_in,
)

from ..kit import (
    IN,
    IN6,
    bound,
    bound6,
    closed_port,
    inet,
    listener,
    look,
    name6_of,
    name_of,
    nonblocking,
    option,
    port_of,
    tcp,
    wait_except,
    wait_writable,
)
from ..recorder import Recorder, error_name


def a_blocking_connect_is_refused(see: Recorder) -> None:
    s = tcp()
    see("connect", connect(s, inet(closed_port()), IN))
    see("getsockopt", option(s, SOL_SOCKET, SO_ERROR))
    see("select", look(s))
    see("getpeername", getpeername(s, sockaddr_in(), c_int(IN)))


def a_nonblocking_connect_is_refused(see: Recorder) -> None:
    s = nonblocking(tcp())
    see("connect", connect(s, inet(closed_port()), IN))
    see("select", look(wait_except(s)))
    see("getsockopt", error_name(option(s, SOL_SOCKET, SO_ERROR)))
    see("getsockopt again", error_name(option(s, SOL_SOCKET, SO_ERROR)))
    see("select again", look(s))
    see("getpeername", getpeername(s, sockaddr_in(), c_int(IN)))


def a_connect_over_ipv6_is_refused(see: Recorder) -> None:
    s = bound6(tcp(AF_INET6))
    name = name6_of(s)
    closesocket(s)
    see("connect", connect(tcp(AF_INET6), name, IN6))


def connect_again_after_a_refusal(see: Recorder) -> None:
    queue, s = listener(), tcp()
    see("connect refused", connect(s, inet(closed_port()), IN))
    see("connect refused again", connect(s, inet(closed_port()), IN))
    see("connect", connect(s, name_of(queue), IN))
    see("send", send(s, b"x", 1, 0))


def connect_again_after_a_nonblocking_refusal(see: Recorder) -> None:
    queue, s = listener(), nonblocking(tcp())
    see("connect refused", connect(s, inet(closed_port()), IN))
    wait_except(s)
    see("connect", connect(s, name_of(queue), IN))
    see("select", look(wait_writable(s)))
    see("getsockopt", option(s, SOL_SOCKET, SO_ERROR))
    see("send", send(s, b"x", 1, 0))


def a_refused_socket_transfers_nothing(see: Recorder) -> None:
    s = tcp()
    see("connect", connect(s, inet(closed_port()), IN))
    see("send", send(s, b"x", 1, 0))
    see("recv", recv(s, bytearray(1), 1, 0))
    see("shutdown", shutdown(s, SD_BOTH))


def a_refused_socket_keeps_its_name(see: Recorder) -> None:
    s = bound(tcp())
    see.know_port(own=port_of(s))
    see("connect", connect(s, inet(closed_port()), IN))
    see("getsockname", 0, name_of(s))
    see("bind", bind(s, inet(), IN))
