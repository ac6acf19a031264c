"""The fast path of cffi ABI mode: send, recv, sendto and recvfrom with one check and one call into the C library."""

from __future__ import annotations

import errno
from ctypes import c_int

from winsock.constants import AF_INET, SOCKET_ERROR
from winsock.errors import WSAEMSGSIZE, WSAEWOULDBLOCK
from winsock.structures import Buffer, ConstBuffer, IntRef

from ..calls.transfer import RECV_CLOSED, RECVFROM_CLOSED, receive, transmit
from ..calls.transfer import recv as reference_recv
from ..calls.transfer import recvfrom as reference_recvfrom
from ..calls.transfer import send as reference_send
from ..calls.transfer import sendto as reference_sendto
from ..posix.declarations import MSG_NOSIGNAL, MSG_TRUNC
from ..posix.loading import BYTES, ffi, from_buffer, get_errno, lib
from ..posix.sockaddr_layout import family_of, is_wildcard, port_of
from ..state.handles import table
from ..state.last_error import last_error
from ..state.sockets import Capability
from .buffers import memory_of, view_to_fill, view_to_read

_RECV, _SEND, _SENDTO = int(Capability.RECV), int(Capability.SEND), int(Capability.SENDTO)
_RECVFROM = _RECV | _SENDTO
_size = len  # the calls have a parameter of that name
_c_recv, _c_recvfrom, _c_send, _c_sendto = lib.recv, lib.recvfrom, lib.send, lib.sendto
_EAGAIN = errno.EAGAIN
# The kernel overwrites it with the same number.
_SIXTEEN = ffi.new("unsigned int *", 16)


def recv(s: int, buf: Buffer | None, len: int, flags: int) -> int:
    if type(s) is int and not flags and buf is not None:
        sock = table.get(s)
        if sock is not None and sock.capabilities & _RECV:
            view = from_buffer(BYTES, buf, True) if type(buf) is bytearray else view_to_fill(buf)
            if 0 < len <= _size(view):
                count: int = _c_recv(sock.fd, view, len, (0 if sock.stream else MSG_TRUNC) | flags)
                if 0 < count <= len:
                    return count
                result = count if count >= 0 else -get_errno()
                if result == -_EAGAIN and sock.nonblocking:
                    last_error.code = WSAEWOULDBLOCK
                    return SOCKET_ERROR
                return receive(sock, memory_of(view)[:len], 0, RECV_CLOSED, False, result)[0]
    return reference_recv(s, buf, len, flags)


def recvfrom(s: int, buf: Buffer | None, len: int, flags: int, from_: Buffer | None, fromlen: IntRef | None) -> int:
    if type(s) is int and not flags and buf is not None and from_ is not None and type(fromlen) is c_int:
        sock = table.get(s)
        # The kernel's sockaddr is the same as Winsock's, byte for byte, so it can be written to the caller's buffer.
        if sock is not None and sock.capabilities & _RECVFROM == _RECVFROM:
            view = from_buffer(BYTES, buf, True) if type(buf) is bytearray else view_to_fill(buf)
            name = from_buffer(BYTES, from_, True) if type(from_) is bytearray else view_to_fill(from_)
            if 0 < len <= _size(view) and 16 <= fromlen.value <= _size(name):
                count: int = _c_recvfrom(sock.fd, view, len, MSG_TRUNC | flags, name, _SIXTEEN)
                if not 0 <= count <= len:
                    result = count if count >= 0 else -get_errno()
                    if result == -_EAGAIN and sock.nonblocking:
                        last_error.code = WSAEWOULDBLOCK
                        return SOCKET_ERROR
                    count, source = receive(sock, memory_of(view)[:len], 0, RECVFROM_CLOSED, True, result)
                    if source:
                        ffi.memmove(name, source, _size(source))
                if count >= 0 or last_error.code == WSAEMSGSIZE:
                    fromlen.value = 16
                return count
    return reference_recvfrom(s, buf, len, flags, from_, fromlen)


def send(s: int, buf: ConstBuffer | None, len: int, flags: int) -> int:
    if type(s) is int and not flags and buf is not None:
        sock = table.get(s)
        if sock is not None and sock.capabilities & _SEND:
            view = buf if type(buf) is bytes else view_to_read(buf)
            if 0 < len <= _size(view):
                count: int = _c_send(sock.fd, view, len, MSG_NOSIGNAL | flags)
                if count == len or (count > 0 and sock.nonblocking):
                    return count
                result = count if count >= 0 else -get_errno()
                return transmit(sock, memory_of(view)[:len], 0, b"", result)
    return reference_send(s, buf, len, flags)


def sendto(s: int, buf: ConstBuffer | None, len: int, flags: int, to: ConstBuffer | None, tolen: int) -> int:
    if type(s) is int and not flags and buf is not None and to is not None and tolen == 16:
        sock = table.get(s)
        if sock is not None and sock.capabilities & _SENDTO:
            name = _destination(to if type(to) is bytes else bytes(to))
            view = buf if type(buf) is bytes else view_to_read(buf)
            if name is not None and 0 < len <= _size(view):
                count: int = _c_sendto(sock.fd, view, len, MSG_NOSIGNAL | flags, name, tolen)
                if count == len:
                    return count
                result = count if count >= 0 else -get_errno()
                return transmit(sock, memory_of(view)[:len], 0, name, result)
    return reference_sendto(s, buf, len, flags, to, tolen)


def _destination(name: bytes) -> bytes | None:
    """`name` if it is an ordinary IPv4 address and port, which the kernel accepts unchanged; else None."""
    good = _size(name) == 16 and family_of(name) == AF_INET and port_of(name) and not is_wildcard(name)
    return name if good else None
