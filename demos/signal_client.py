"""Follows a signal server over TCP: brings each symbol's position to the volume that the server tells."""

from __future__ import annotations

from ctypes import c_int, sizeof
from dataclasses import dataclass
from typing import Annotated

from demos.signal_positions import GetSymbolLot
from demos.signal_protocol import Reader, Signal, Unreadable, codepage_problem
from demos.terminal import (
    ACCOUNT_MARGIN_MODE,
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    INIT_FAILED,
    INIT_SUCCEEDED,
    AccountInfoInteger,
    Alert,
    CTrade,
    DoubleToString,
    Event,
    EventKillTimer,
    EventSetTimer,
    Fail,
    GetTickCount64,
    Input,
    NormalizeDouble,
    Print,
    Symbol,
    printf,
)
from winsock import (
    AF_INET,
    FD_ISSET,
    FD_SET,
    FIONBIO,
    INADDR_NONE,
    INVALID_SOCKET,
    IPPROTO_TCP,
    MAKEWORD,
    NO_ERROR,
    SD_BOTH,
    SO_ERROR,
    SOCK_STREAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSADATA,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    WSAStartup,
    closesocket,
    connect,
    fd_set,
    getsockname,
    getsockopt,
    htons,
    inet_addr,
    ioctlsocket,
    ntohs,
    recv,
    select,
    shutdown,
    sockaddr_in,
    socket,
    timeval,
    u_long,
)


def _port_problem(value: int) -> str | None:
    return None if 0 < value <= 65535 else f"{value} is not a port"


Host: Annotated[str, Input("address of the signal server")] = "127.0.0.1"
Port: Annotated[int, Input("port of the signal server", check=_port_problem)] = 8081

# Not one of the article's inputs.
codepage: Annotated[int, Input("code page of the messages' text", check=codepage_problem)] = 1252

# How long a connect may take.
CONNECT_MS = 10_000

# What failed is tried again after 1, 2, 4 … timer events, and then after so many.
MOST_EVENTS = 32

# Bounds of one event and of what is remembered, so that no peer can keep the program busy or make it grow.
MOST_RECEIVED = 64 * 1024
MOST_SYMBOLS = 256


@dataclass
class Goal:
    """The volume that a symbol's position is to have; when the next attempt is due, and how many have failed."""

    lots: float
    due: int = 0
    failures: int = 0


started = False
client = INVALID_SOCKET
connecting = False
connect_until = 0
connect_due = 0
connect_failures = 0
local_port = 0
events = 0
messages = 0
msg = Reader(codepage)
goals: dict[str, Goal] = {}


def OnInit() -> int:
    if AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING:
        Alert("the client works only with netting accounts")
        return INIT_FAILED
    Event("started", symbol=Symbol(), position=DoubleToString(GetSymbolLot(Symbol()), 2))
    EventSetTimer(1)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    CloseClean()


def OnTimer() -> None:
    global events
    events += 1
    if client == INVALID_SOCKET:
        if events >= connect_due:
            StartClient(Host, Port)
    elif not connecting or Connected():
        # What came before an error or the end is a message all the same: look at it first.
        problem = Receive()
        CheckMessage()
        problem = problem or msg.problem
        if problem:
            Print("-Receive. " + problem)
            CloseClean()
    SyncGoals()


def StartClient(addr: str, port: int) -> None:
    """Begin to connect. An attempt that fails is repeated later and later; a message received ends that."""
    global started, client, connecting, connect_until, connect_due, connect_failures, local_port, messages, msg
    wait = Patience(connect_failures)
    connect_due = events + wait
    connect_failures += 1
    res = WSAStartup(MAKEWORD(2, 2), WSADATA())
    if res != 0:
        Print("-WSAStartup failed error: " + WSAErrorDescript(res))
        return
    started = True
    addrin = sockaddr_in(sin_family=AF_INET, sin_port=htons(port))
    addrin.sin_addr.s_addr = inet_addr(addr.encode("ascii", "replace"))
    if addrin.sin_addr.s_addr == INADDR_NONE:
        Fail(3, f"{addr} is not an address of the form 127.0.0.1")
        return
    client = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
    if client == INVALID_SOCKET:
        Print("-Create failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return
    # Before the connect, which would keep the terminal waiting otherwise.
    if ioctlsocket(client, FIONBIO, u_long(1)) != NO_ERROR:
        Print("-ioctlsocket failed error: " + WSAErrorDescript(WSAGetLastError()))
        CloseClean()
        return
    connecting = True
    connect_until = GetTickCount64() + CONNECT_MS
    messages = 0
    msg = Reader(codepage)
    if connect(client, addrin, sizeof(addrin)) == SOCKET_ERROR and WSAGetLastError() != WSAEWOULDBLOCK:
        ConnectFailed(WSAGetLastError())
        return
    local = sockaddr_in()
    if getsockname(client, local, c_int(sizeof(local))) == SOCKET_ERROR:
        ConnectFailed(WSAGetLastError())
        return
    local_port = ntohs(local.sin_port)
    Event("connecting", port=local_port)
    Connected()


def Connected() -> bool:
    """Whether the connect has succeeded by now; closes the socket when it has failed."""
    global connecting
    writefds, exceptfds = fd_set(), fd_set()
    FD_SET(client, writefds)
    FD_SET(client, exceptfds)
    if select(0, None, writefds, exceptfds, timeval()) == SOCKET_ERROR:
        ConnectFailed(WSAGetLastError())
    elif FD_ISSET(client, exceptfds):
        error = c_int()
        res = getsockopt(client, SOL_SOCKET, SO_ERROR, error, c_int(sizeof(error)))
        ConnectFailed(WSAGetLastError() if res == SOCKET_ERROR else error.value)
    elif FD_ISSET(client, writefds):
        connecting = False
        for goal in goals.values():
            goal.due = events
        Print(f"connect OK, {Host}:{Port}")
    elif GetTickCount64() >= connect_until:
        ConnectFailed(WSAETIMEDOUT)
    return client != INVALID_SOCKET and not connecting


def ConnectFailed(error: int) -> None:
    wait = max(connect_due - events, 1)
    Print(f"-Connect to {Host}:{Port} failed error: {WSAErrorDescript(error)} Next attempt in {wait} timer events.")
    CloseClean()


def Receive() -> str:
    """Take what has arrived, up to a bound; returns why there will be no more, or ""."""
    rbuf = bytearray(4096)
    left = MOST_RECEIVED
    while left > 0:
        res = recv(client, rbuf, len(rbuf), 0)
        if res == 0:
            return "connection closed"
        if res == SOCKET_ERROR:
            err = WSAGetLastError()
            return "" if err == WSAEWOULDBLOCK else "error: " + WSAErrorDescript(err)
        msg.feed(bytes(rbuf[:res]))
        left -= res
    return ""


def CloseClean() -> None:
    """Close the socket, forget half a message, and take back the start-up if there was one."""
    global started, client, connecting
    if client != INVALID_SOCKET:
        # It can fail only where the peer is gone, which has been told already.
        if not connecting:
            shutdown(client, SD_BOTH)
        closesocket(client)
        client = INVALID_SOCKET
        connecting = False
        Print("close socket")
    if started:
        WSACleanup()
        started = False


def CheckMessage() -> None:
    """Take the last message of each symbol as what its position is to be."""
    global connect_failures
    latest: dict[str, Signal] = {}
    unreadable: list[Unreadable] = []
    while pos := FindNextPos():
        if isinstance(pos, Unreadable):
            unreadable.append(pos)
        else:
            latest.pop(pos.symbol, None)
            latest[pos.symbol] = pos
    if unreadable:
        text, reason = unreadable[0]
        printf("-wrong pos info: %s (%s; %d such messages)", text, reason, len(unreadable))
    for smb, pos in latest.items():
        printf("server position: %s|%s", smb, pos.lots)
        connect_failures = 0
        old = goals.pop(smb, None)
        # A repetition does not hurry the attempts.
        goals[smb] = old if old and old.lots == float(pos.lots) else Goal(float(pos.lots), events)
    while len(goals) > MOST_SYMBOLS:
        smb = next(iter(goals))
        Print(f"-Too many symbols fail, {smb} is given up")
        del goals[smb]


def FindNextPos() -> Signal | Unreadable | None:
    """The next message of what was received, or something unreadable instead of one."""
    global messages
    pos = msg.next()
    if isinstance(pos, Signal):
        messages += 1
        Event("received", port=local_port, number=messages, symbol=pos.symbol, lots=str(pos.lots))
    return pos


def SyncGoals() -> None:
    """Carry out what is due. An order that fails is tried again later and later, until a newer message replaces it."""
    for smb, goal in list(goals.items()):
        if events < goal.due:
            continue
        if SyncSymbolLot(smb, goal.lots):
            del goals[smb]
            Event("synced", symbol=smb, lots=DoubleToString(goal.lots, 2))
        else:
            goal.due = events + Patience(goal.failures)
            goal.failures += 1


def SyncSymbolLot(smb: str, nlot: float) -> bool:
    """Trade the difference between the server's volume and ours; False when the order failed."""
    trade = CTrade()
    clot = GetSymbolLot(smb)
    dif = NormalizeDouble(nlot - clot, 2)
    if dif == 0:
        Print("nothing change")
        return True
    if nlot == 0:
        Print("full close position")
        done = trade.PositionClose(smb)
    elif dif > 0:
        Print("add Buy position")
        done = trade.Buy(dif, smb)
    else:
        Print("add Sell position")
        done = trade.Sell(-dif, smb)
    if not done:
        printf("-%s cannot be brought from %.2f to %.2f: %s", smb, clot, nlot, trade.ResultRetcodeDescription())
    return done


def Patience(failures: int) -> int:
    """How many timer events to wait after so many failures: 1, 2, 4 … up to a limit."""
    return min(1 << min(failures, MOST_EVENTS), MOST_EVENTS)
