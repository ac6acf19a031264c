"""send, recv, sendto, recvfrom in the compiled mode: the short way is one call into C (quick.h)."""

from __future__ import annotations

from ctypes import c_int
from typing import Any

from winsock.constants import SOCKET_ERROR
from winsock.errors import WSAECONNABORTED, WSAEINTR, WSAEMSGSIZE, WSAEWOULDBLOCK
from winsock.structures import Buffer, ConstBuffer, IntRef

from .errnos import fail, last_error
from .handles import table
from .libc import BYTES, ffi, from_buffer, lib, view_to_fill, view_to_read
from .transfer import receive, receive_checked, transmit, transmit_checked

_WOULD_BLOCK, _LONG_WAY, _ERROR, _CUT, _PART = -1, -2, -3, -4, -16
_quick_recv, _quick_recvfrom = lib.quick_recv, lib.quick_recvfrom
_quick_send, _quick_sendto = lib.quick_send, lib.quick_sendto
_size = len  # the calls have a parameter of that name


def recv(s: int, buf: Buffer | None, len: int, flags: int) -> int:
    if buf is not None:
        view = from_buffer(BYTES, buf, True) if type(buf) is bytearray else view_to_fill(buf)
        try:
            count: int = _quick_recv(s, view, _size(view), len, flags)
        except OverflowError:
            count = _LONG_WAY
        if count >= 0:
            return count
        if count == _WOULD_BLOCK:
            last_error.code = WSAEWOULDBLOCK
            return SOCKET_ERROR
        if count != _LONG_WAY:
            return _received(s, view, len, None, WSAECONNABORTED, count)
    return receive_checked(s, buf, len, flags, None, None, WSAECONNABORTED)


def recvfrom(s: int, buf: Buffer | None, len: int, flags: int, from_: Buffer | None, fromlen: IntRef | None) -> int:
    if buf is not None and from_ is not None and type(fromlen) is c_int:
        view = from_buffer(BYTES, buf, True) if type(buf) is bytearray else view_to_fill(buf)
        name = from_buffer(BYTES, from_, True) if type(from_) is bytearray else view_to_fill(from_)
        try:
            count: int = _quick_recvfrom(s, view, _size(view), len, flags, name, _size(name), fromlen.value)
        except OverflowError:
            count = _LONG_WAY
        if count == _WOULD_BLOCK:
            last_error.code = WSAEWOULDBLOCK
            return SOCKET_ERROR
        if count != _LONG_WAY:
            if count < 0:
                count = _received(s, view, len, name, WSAEINTR, count)
            if count >= 0 or last_error.code == WSAEMSGSIZE:
                fromlen.value = 16
            return count
    return receive_checked(s, buf, len, flags, from_, fromlen, WSAEINTR)


def _received(s: int, view: Any, length: int, name: Any, closed: int, count: int) -> int:
    """Goes on after a system call that did not simply succeed."""
    if count == _CUT:
        return fail(WSAEMSGSIZE)
    sock = table.get(s)
    return fail(closed) if sock is None else receive(sock, view, length, 0, name, closed, -1)


def send(s: int, buf: ConstBuffer | None, len: int, flags: int) -> int:
    if buf is not None:
        view = buf if type(buf) is bytes else view_to_read(buf)
        try:
            count: int = _quick_send(s, view, _size(view), len, flags)
        except OverflowError:
            count = _LONG_WAY
        if count >= 0:
            return count
        if count != _LONG_WAY:
            return _sent(s, view, len, None, count)
    return transmit_checked(s, buf, len, flags, None, 0)


def sendto(s: int, buf: ConstBuffer | None, len: int, flags: int, to: ConstBuffer | None, tolen: int) -> int:
    if buf is not None and to is not None:
        view = buf if type(buf) is bytes else view_to_read(buf)
        name = from_buffer(BYTES, to, False) if type(to) is bytearray else view_to_read(to)
        try:
            count: int = _quick_sendto(s, view, _size(view), len, flags, name, _size(name), tolen)
        except OverflowError:
            count = _LONG_WAY
        if count >= 0:
            return count
        if count != _LONG_WAY:
            return _sent(s, view, len, ffi.buffer(name)[:], count)
    return transmit_checked(s, buf, len, flags, to, tolen)


def _sent(s: int, view: Any, length: int, name: bytes | None, count: int) -> int:
    """Goes on after a system call that did not simply succeed."""
    if count == _WOULD_BLOCK:
        return fail(WSAEWOULDBLOCK)
    sock = table.get(s)
    if sock is None:
        return fail(WSAEINTR)
    return transmit(sock, view, length, 0, name, _PART - count if count <= _PART else -1)
