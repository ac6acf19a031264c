"""send, recv, sendto, recvfrom in the in-line mode: the short way of each in Python, the long way transfer's."""

from __future__ import annotations

import errno
from ctypes import c_int

from winsock.constants import AF_INET, SOCKET_ERROR
from winsock.errors import WSAECONNABORTED, WSAEINTR, WSAEMSGSIZE, WSAEWOULDBLOCK
from winsock.structures import Buffer, ConstBuffer, IntRef

from .addresses import family_of, is_wildcard, port_of
from .errnos import last_error
from .handles import table
from .libc import BYTES, MSG_NOSIGNAL, MSG_TRUNC, ffi, from_buffer, get_errno, lib, view_to_fill, view_to_read
from .transfer import receive, receive_checked, transmit, transmit_checked

_size = len  # the calls have a parameter of that name
_c_recv, _c_recvfrom, _c_send, _c_sendto = lib.recv, lib.recvfrom, lib.send, lib.sendto
_EAGAIN = errno.EAGAIN
# Written by the host with the number that it holds already.
_SIXTEEN = ffi.new("unsigned int *", 16)


def recv(s: int, buf: Buffer | None, len: int, flags: int) -> int:
    if type(s) is int and not flags and buf is not None:
        sock = table.get(s)
        if sock is not None and sock.can_recv:
            view = from_buffer(BYTES, buf, True) if type(buf) is bytearray else view_to_fill(buf)
            if 0 < len <= _size(view):
                count: int = _c_recv(sock.fd, view, len, sock.recv_flags | flags)
                if 0 < count <= len:
                    return count
                if count < 0 and get_errno() == _EAGAIN and sock.nonblocking:
                    last_error.code = WSAEWOULDBLOCK
                    return SOCKET_ERROR
                return receive(sock, view, len, 0, None, WSAECONNABORTED, count)
    return receive_checked(s, buf, len, flags, None, None, WSAECONNABORTED)


def recvfrom(s: int, buf: Buffer | None, len: int, flags: int, from_: Buffer | None, fromlen: IntRef | None) -> int:
    if type(s) is int and not flags and buf is not None and from_ is not None and type(fromlen) is c_int:
        sock = table.get(s)
        # IPv4 on Linux: the host's sockaddr is Winsock's, byte for byte, and can go straight into the caller's.
        if sock is not None and sock.can_recv and sock.same_names:
            view = from_buffer(BYTES, buf, True) if type(buf) is bytearray else view_to_fill(buf)
            name = from_buffer(BYTES, from_, True) if type(from_) is bytearray else view_to_fill(from_)
            if 0 < len <= _size(view) and 16 <= fromlen.value <= _size(name):
                count: int = _c_recvfrom(sock.fd, view, len, MSG_TRUNC | flags, name, _SIXTEEN)
                if not 0 <= count <= len:
                    if count < 0 and get_errno() == _EAGAIN and sock.nonblocking:
                        last_error.code = WSAEWOULDBLOCK
                        return SOCKET_ERROR
                    count = receive(sock, view, len, 0, name, WSAEINTR, count)
                if count >= 0 or last_error.code == WSAEMSGSIZE:
                    fromlen.value = 16
                return count
    return receive_checked(s, buf, len, flags, from_, fromlen, WSAEINTR)


def send(s: int, buf: ConstBuffer | None, len: int, flags: int) -> int:
    if type(s) is int and not flags and buf is not None:
        sock = table.get(s)
        if sock is not None and sock.can_send:
            view = buf if type(buf) is bytes else view_to_read(buf)
            if 0 < len <= _size(view):
                count: int = _c_send(sock.fd, view, len, MSG_NOSIGNAL | flags)
                if count == len or (count > 0 and sock.nonblocking):
                    return count
                return transmit(sock, view, len, 0, None, count)
    return transmit_checked(s, buf, len, flags, None, 0)


def sendto(s: int, buf: ConstBuffer | None, len: int, flags: int, to: ConstBuffer | None, tolen: int) -> int:
    if type(s) is int and not flags and buf is not None and to is not None and tolen == 16:
        sock = table.get(s)
        if sock is not None and sock.can_sendto:
            name = _destination(to if type(to) is bytes else bytes(to))
            view = buf if type(buf) is bytes else view_to_read(buf)
            if name is not None and 0 < len <= _size(view):
                count: int = _c_sendto(sock.fd, view, len, MSG_NOSIGNAL | flags, name, tolen)
                return count if count == len else transmit(sock, view, len, 0, name, count)
    return transmit_checked(s, buf, len, flags, to, tolen)


def _destination(name: bytes) -> bytes | None:
    """`name` where it is an ordinary IPv4 address and port, which the host takes as it is."""
    good = _size(name) == 16 and family_of(name) == AF_INET and port_of(name) and not is_wildcard(name)
    return name if good else None
