"""A copier that is broken on purpose: when its connection has ended, it does not connect again."""

from __future__ import annotations

from ctypes import sizeof
from typing import Annotated

from demos.copier.positions import GetSymbolLot
from demos.signal.protocol import Reader, Signal
from demos.terminal import INIT_SUCCEEDED, CTrade, DoubleToString, Event, EventSetTimer, Input, Symbol
from demos.wire.addresses import family_of, find_address
from winsock import (
    FIONBIO,
    INVALID_SOCKET,
    MAKEWORD,
    NO_ERROR,
    SOCK_STREAM,
    SOCKET_ERROR,
    WSADATA,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    WSAStartup,
    closesocket,
    connect,
    ioctlsocket,
    recv,
    socket,
    u_long,
)

Host: Annotated[str, Input("host of the server")] = "127.0.0.1"
Port: Annotated[int, Input("port of the server")] = 8081

client = INVALID_SOCKET
reader = Reader(1252)
has_connected = False


def OnInit() -> int:
    Event("started", symbol=Symbol(), position=DoubleToString(GetSymbolLot(Symbol()), 2))
    WSAStartup(MAKEWORD(2, 2), WSADATA())
    EventSetTimer(1)
    return INIT_SUCCEEDED


def OnTimer() -> None:
    if not has_connected:
        Connect()
    Receive()
    message = None
    while found := reader.next():
        message = found
    if isinstance(message, Signal):
        Event("received", port=0, number=0, symbol=message.symbol, lots=str(message.lots))
        difference = float(message.lots) - GetSymbolLot(Symbol())
        if abs(difference) >= 0.01:
            (CTrade().Buy if difference > 0 else CTrade().Sell)(round(abs(difference), 2))


def Connect() -> None:
    global client, has_connected
    server = find_address(Host, Port, SOCK_STREAM)
    client = socket(family_of(server), SOCK_STREAM, 0)
    has_connected = connect(client, server, sizeof(server)) == NO_ERROR
    if has_connected:
        ioctlsocket(client, FIONBIO, u_long(1))
    else:
        Close()


def Receive() -> None:
    buf = bytearray(4096)
    while client != INVALID_SOCKET:
        count = recv(client, buf, len(buf), 0)
        if count > 0:
            reader.feed(bytes(buf[:count]))
        elif count == SOCKET_ERROR and WSAGetLastError() == WSAEWOULDBLOCK:
            break
        else:
            Close()


def Close() -> None:
    global client
    closesocket(client)
    client = INVALID_SOCKET
