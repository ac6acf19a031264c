"""The matrix of addresses: what bind, connect and sendto do with each class of address, one scenario for each cell."""

from __future__ import annotations

from collections.abc import Callable

from winsock import (
    SO_BROADCAST,
    SO_ERROR,
    SOL_SOCKET,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    bind,
    connect,
    send,
    sendto,
)

from ..address_cells import ADDRESSES, PROGRAMS, Cell, cells, new_socket, on_loopback, peer, target_port
from ..kit import LIMIT, done, look, nonblocking, option, switch
from ..recorder import Recorder

_Procedure = Callable[[Recorder], None]


def _bind(cell: Cell) -> _Procedure:
    def scenario(see: Recorder) -> None:
        see("bind", bind(new_socket(cell), *ADDRESSES[cell.address].name(0)))

    return scenario


def _connect_stream(cell: Cell) -> _Procedure:
    def scenario(see: Recorder) -> None:
        name, length = ADDRESSES[cell.address].name(target_port(cell))
        see("connect", connect(new_socket(cell), name, length))
        s = nonblocking(new_socket(cell))
        see("connect nonblocking", connect(s, name, length))
        if "port_0" not in cell.address and "zeros" not in cell.address:
            see("select", look(s, LIMIT if WSAGetLastError() == WSAEWOULDBLOCK else 0))
            see("getsockopt", option(s, SOL_SOCKET, SO_ERROR))

    return scenario


def _connect_stream_briefly(cell: Cell) -> _Procedure:
    def scenario(see: Recorder) -> None:
        # Without the end of the connect, which on Windows may wait for a machine that does not exist.
        s = nonblocking(new_socket(cell))
        see("connect nonblocking", connect(s, *ADDRESSES[cell.address].name(target_port(cell))))

    return scenario


def _connect_datagram(cell: Cell) -> _Procedure:
    def scenario(see: Recorder) -> None:
        s, port = on_loopback(cell, new_socket(cell)), target_port(cell)
        name, length = ADDRESSES[cell.address].name(port)
        if ADDRESSES[cell.address].disconnects:
            done(connect(s, *peer(cell, port)))
        see("connect", connect(s, name, length))
        if ADDRESSES[cell.address].is_broadcast:
            see("connect with SO_BROADCAST", connect(switch(s, SOL_SOCKET, SO_BROADCAST), name, length))
        if ADDRESSES[cell.address].disconnects:
            see("send", send(s, b"x", 1, 0))

    return scenario


def _sendto(cell: Cell) -> _Procedure:
    def scenario(see: Recorder) -> None:
        s = on_loopback(cell, new_socket(cell))
        name, length = ADDRESSES[cell.address].name(target_port(cell))
        see("sendto", sendto(s, b"x", 1, 0, name, length))
        if ADDRESSES[cell.address].is_broadcast:
            see("sendto with SO_BROADCAST", sendto(switch(s, SOL_SOCKET, SO_BROADCAST), b"x", 1, 0, name, length))

    return scenario


def _sendto_stream(cell: Cell) -> _Procedure:
    def scenario(see: Recorder) -> None:
        s = new_socket(cell)
        done(connect(s, *peer(cell, target_port(cell))))
        see("sendto", sendto(s, b"x", 1, 0, *ADDRESSES[cell.address].name(9)))

    return scenario


_MAKERS = {
    "bind": _bind,
    "connect_stream": _connect_stream,
    "connect_datagram": _connect_datagram,
    "sendto": _sendto,
    "sendto_stream": _sendto_stream,
}

for _program in PROGRAMS:
    for _cell in cells(_program):
        _make = _MAKERS[_program]
        if _program == "connect_stream" and _cell.address == "link_local":
            _make = _connect_stream_briefly
        globals()[_cell.scenario] = _make(_cell)
