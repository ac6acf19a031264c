"""Tells every client that connects over TCP which position the chart's symbol has."""

from __future__ import annotations

from ctypes import c_int, sizeof
from dataclasses import dataclass
from typing import Annotated

from demos.copier.positions import GetSymbolLot
from demos.copier.strategy import Strategy
from demos.signal.protocol import encode, step_problem, symbol_problem
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    SYMBOL_VOLUME_STEP,
    Alert,
    Comment,
    DoubleToString,
    Event,
    EventKillTimer,
    EventSetTimer,
    Fail,
    GetTickCount64,
    Input,
    Print,
    Symbol,
    SymbolInfoDouble,
    TimeCurrent,
    printf,
)
from demos.wire.addresses import AddressError, address_text, empty_address, family_of, find_address, is_any, port_of
from demos.wire.codepages import codepage_problem
from winsock import (
    AF_INET,
    FIONBIO,
    INVALID_SOCKET,
    IPPROTO_TCP,
    MAKEWORD,
    NO_ERROR,
    SD_BOTH,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOMAXCONN,
    TCP_NODELAY,
    WSADATA,
    WSAECONNRESET,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    WSAStartup,
    accept,
    bind,
    closesocket,
    getsockname,
    ioctlsocket,
    listen,
    recv,
    setsockopt,
    shutdown,
    socket,
    u_long,
)
from winsock.batch import send_many


def _port_problem(value: int) -> str | None:
    return None if 0 <= value <= 65535 else f"{value} is not a port"


def _negative(value: int) -> str | None:
    return f"{value} is negative" if value < 0 else None


Host: Annotated[str, Input("name or address to listen on; 0.0.0.0, or ::, is every network")] = "127.0.0.1"
Port: Annotated[int, Input("port to listen on; 0: any free one", check=_port_problem)] = 8081

# The inputs from here on are not the article's.
codepage: Annotated[int, Input("code page of the messages' text", check=codepage_problem)] = 1252
fast: Annotated[bool, Input("send each change at once, for clients of this project alone")] = False
strategy: Annotated[int, Input("trade by a small strategy at every so many ticks; 0: do not", check=_negative)] = 0
pause: Annotated[str, Input("the strategy does not trade while this file exists")] = ""

# An original client keeps the older of two messages that reach it within one of its periods of a second. So whatever
# our own timer, each client gets at most one a second; and where the network brought two together all the same, the
# repetition after two quiet seconds sets it right.
EVERY_MS = 1000
QUIET_MS = 2000

# Bounds of one event, so that no peer can keep the program in it.
MOST_ACCEPTED = 1024
MOST_DISCARDED = 64 * 1024


@dataclass(eq=False)
class Connection:
    """A client: its socket, its address, and what it has been told of the position."""

    socket: int
    name: str
    port: int
    told: int = 0
    telling: int = 0
    rest: bytes = b""
    told_at: int = 0
    repeated: bool = False
    messages: int = 0
    failed: int = 0


started = False
server = INVALID_SOCKET
family = AF_INET
conns: list[Connection] = []
data = b""
trades = -1
accept_error = 0
trader = Strategy(0, "")


def OnInit() -> int:
    global trader
    step = SymbolInfoDouble(Symbol(), SYMBOL_VOLUME_STEP)
    problem = symbol_problem(Symbol(), codepage) or step_problem(step)
    if problem:
        Fail(2, f"{problem}")
        return INIT_FAILED
    trader = Strategy(strategy, pause)
    OnTrade()
    Event("started", symbol=Symbol(), position=DoubleToString(GetSymbolLot(Symbol()), 2))
    EventSetTimer(1)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    CloseClean()


def OnTrade() -> None:
    """Write the message anew. OnInit's call is not counted as a trade."""
    global data, trades
    data = encode(Symbol(), GetSymbolLot(Symbol()), codepage)
    trades += 1


def OnTimer() -> None:
    if server == INVALID_SOCKET:
        StartServer(Host, Port)
        return
    AcceptClients()
    DiscardInput()
    Send()


def OnTick() -> None:
    trader.tick(GetSymbolLot(Symbol()))


def StartServer(addr: str, port: int) -> None:
    """Listen. Whatever is in the way will still be there a second later: say so once and end."""
    global started, server, family
    res = WSAStartup(MAKEWORD(2, 2), WSADATA())
    if res != 0:
        Fail(3, "WSAStartup failed error: " + WSAErrorDescript(res))
        return
    started = True
    try:
        addrin = find_address(addr, port, SOCK_STREAM)
    except AddressError as error:
        Fail(3, str(error))
        return
    family = family_of(addrin)
    server = socket(family, SOCK_STREAM, IPPROTO_TCP)
    if server == INVALID_SOCKET:
        Fail(3, "Create failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    if bind(server, addrin, sizeof(addrin)) == SOCKET_ERROR:
        Fail(3, f"Bind to {address_text(addrin)} failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    if ioctlsocket(server, FIONBIO, u_long(1)) != NO_ERROR:
        Fail(3, "ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    # A port that another process holds may show here only.
    if listen(server, SOMAXCONN) == SOCKET_ERROR:
        Fail(3, f"Listen on {address_text(addrin)} failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    if getsockname(server, addrin, c_int(sizeof(addrin))) == SOCKET_ERROR:
        Fail(3, "getsockname failed error: " + WSAErrorDescript(WSAGetLastError()))
        return
    if is_any(addrin):
        Alert(f"{addr} is open to every network: there is no password, and whoever connects can read the position")
    Event("listening", port=port_of(addrin))
    Print(f"start server ok, {address_text(addrin)}")


def AcceptClients() -> None:
    """Take all clients that wait. An error concerns one of them, or this moment: the server goes on listening."""
    global accept_error
    for _ in range(MOST_ACCEPTED):
        addrin = empty_address(family)
        client = accept(server, addrin, c_int(sizeof(addrin)))
        if client == INVALID_SOCKET:
            err = WSAGetLastError()
            if err == WSAECONNRESET:
                continue
            if err == WSAEWOULDBLOCK:
                Comment("WAITING CLIENT (", TimeCurrent(), ")")
            elif err != accept_error:
                Print("-Accept failed error: " + WSAErrorDescript(err))
            accept_error = err
            return
        # It has the listener's mode already, but only on Winsock and by inheritance: say it.
        if ioctlsocket(client, FIONBIO, u_long(1)) != NO_ERROR:
            Print("-ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
            closesocket(client)
            continue
        # Without it a small message may wait for the peer to acknowledge the one before.
        if setsockopt(client, IPPROTO_TCP, TCP_NODELAY, c_int(1), sizeof(c_int)) != NO_ERROR:
            Print("-setsockopt failed error: " + WSAErrorDescript(WSAGetLastError()))
        port = port_of(addrin)
        conns.append(Connection(client, address_text(addrin), port, told=trades - 1))
        Event("accepted", client=port)
        Print(f"Accept new client {address_text(addrin)}")


def DiscardInput() -> None:
    """Read what clients send, which nobody asked for, and so notice those that have left."""
    buf = bytearray(4096)
    for client in conns.copy():
        left = MOST_DISCARDED
        res = len(buf)
        while res > 0 and left > 0:
            res = recv(client.socket, buf, len(buf), 0)
            left -= res
        if res == 0:
            Print(f"client {client.name} has left")
            Close(client)
        elif res < 0 and WSAGetLastError() != WSAEWOULDBLOCK:
            Print(f"-Receive from {client.name} failed error: " + WSAErrorDescript(WSAGetLastError()))
            Close(client)


def Send() -> None:
    """Tell each client the latest state where it is due, and go on with a message that was sent in part."""
    now = GetTickCount64()
    due = []
    for client in conns:
        news = client.told != trades
        quiet = now - client.told_at if client.messages else QUIET_MS
        repeat = not (news or fast or client.repeated) and quiet >= QUIET_MS
        if client.rest:
            Sent(client, client.rest, send_many([client.socket], client.rest, len(client.rest), 0)[0], now)
        elif repeat or (news and (fast or quiet >= EVERY_MS)):
            client.telling = trades
            due.append(client)
    results = send_many([client.socket for client in due], data, len(data), 0)
    for client, res in zip(due, results, strict=True):
        Sent(client, data, res, now)
    for client in [client for client in conns if client.failed]:
        Print(f"-Send to {client.name} failed error: " + WSAErrorDescript(client.failed))
        Close(client)


def Sent(client: Connection, message: bytes, res: int, now: int) -> None:
    """Take note of how much of a message a client took; `res` is minus an error."""
    if res < 0:
        # A full buffer is a slow client: what is newest when there is room again is what it will get.
        client.failed = 0 if -res == WSAEWOULDBLOCK else -res
        return
    client.rest = message[res:]
    if not client.rest:
        client.repeated = client.told == client.telling
        client.told = client.telling
        client.told_at = now
        client.messages += 1
        Event("sent", client=client.port, number=client.messages, trades=client.told)


def CloseClean() -> None:
    """Close everything, the listening socket first, and take back the start-up if there was one."""
    global started, server
    printf("Shutdown server and %d connections", len(conns))
    if server != INVALID_SOCKET:
        closesocket(server)
        server = INVALID_SOCKET
    for client in conns.copy():
        Close(client)
    if started:
        WSACleanup()
        started = False


def Close(client: Connection) -> None:
    """Close one client and forget it."""
    # It can fail only where the peer is gone, which has been told already.
    shutdown(client.socket, SD_BOTH)
    closesocket(client.socket)
    conns.remove(client)
