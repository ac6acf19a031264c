"""The accelerator: the common case of the most frequent calls in C, bound to the reference (accelerator.c).

Each function here has the name, parameters, docstring and text signature of its reference, so help() and inspect show
the same. It handles the common case; otherwise it calls `decline`, the reference with the same arguments, or, after a
system call that must not be repeated, `resume`. This module passes both, and a third function where the C code asks the
reference about one socket: `examine`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from winsock import structures
from winsock.api import Winsock
from winsock.structures import FD_SETS

from .._accelerator import knows_layout, make
from ..calls import connections, polling, receiving, sending, sockets, startup
from ..state import waiters

_Function = Callable[..., Any]


def _knows_layout() -> bool:
    """Whether the C code understands the objects of this Python's ctypes; else it leaves them to the reference."""

    class Small(ctypes.Structure):
        _fields_ = [("one", ctypes.c_uint32)]

    memory = bytearray(64)
    large, outside, number = (ctypes.c_char * 64)(), (ctypes.c_char * 64).from_buffer(memory), ctypes.c_int(1)
    samples: list[tuple[Any, bool]] = [(Small(), True), (large, True), (number, True), (outside, False)]
    samples.append((Small.from_address(ctypes.addressof(large)), False))
    return all(
        knows_layout(sample, ctypes.addressof(sample), ctypes.sizeof(sample), owned) for sample, owned in samples
    )


LAYOUT_KNOWN = _knows_layout()
_TYPES = (ctypes.Structure, ctypes.Array, ctypes.c_int, ctypes.c_uint, *FD_SETS) if LAYOUT_KNOWN else (None,) * 6


def _bind(decline: _Function, resume: _Function | None = None, examine: _Function | None = None) -> Any:
    name = decline.__name__
    parameters = ", ".join(decline.__code__.co_varnames[: decline.__code__.co_argcount])
    text = f"{name}({parameters})\n--\n\n{getattr(Winsock, name, decline).__doc__}"
    return make(name, text, waiters.table, decline, resume, examine, _TYPES)


send = _bind(sending.send, sending.resume_send)
recv = _bind(receiving.recv, receiving.resume_recv)
sendto = _bind(sending.sendto, sending.resume_sendto)
recvfrom = _bind(receiving.recvfrom, receiving.resume_recvfrom)
send_many = _bind(sending.send_many, sending.resume_send)
accept = _bind(connections.accept)
closesocket = _bind(sockets.closesocket)
ioctlsocket = _bind(sockets.ioctlsocket)
select = _bind(polling.select, None, polling.examine_select)
WSAPoll = _bind(polling.WSAPoll, None, polling.examine_poll)
WSAGetLastError = _bind(startup.WSAGetLastError)
FD_SET = _bind(structures.FD_SET)
FD_CLR = _bind(structures.FD_CLR)
FD_ISSET = _bind(structures.FD_ISSET)
FD_ZERO = _bind(structures.FD_ZERO)
