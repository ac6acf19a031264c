"""Follows a signal server over TCP: brings each symbol's position to the volume that the server tells."""

from __future__ import annotations

from ctypes import c_int, sizeof
from decimal import Decimal
from typing import Annotated

from demos.copier.positions import GetSymbolLot
from demos.copier.rules import Rules, factor_problem, list_from_text, names_from_text, names_problem
from demos.copier.targets import Goals, Patience
from demos.copier.trading import BringSymbolLot
from demos.signal.protocol import Reader, Signal, Unreadable
from demos.terminal import (
    ACCOUNT_MARGIN_MODE,
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    INIT_FAILED,
    INIT_SUCCEEDED,
    AccountInfoInteger,
    Alert,
    DoubleToString,
    Event,
    EventKillTimer,
    EventSetTimer,
    Fail,
    GetTickCount64,
    Input,
    Print,
    Symbol,
    SymbolSelect,
    printf,
)
from demos.wire.addresses import AddressError, address_text, empty_address, family_of, find_address, port_of
from demos.wire.codepages import codepage_problem
from winsock import (
    FD_ISSET,
    FD_SET,
    FIONBIO,
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
    ioctlsocket,
    recv,
    select,
    shutdown,
    socket,
    timeval,
    u_long,
)


def _port_problem(value: int) -> str | None:
    return None if 0 < value <= 65535 else f"{value} is not a port"


Host: Annotated[str, Input("name or address of the signal server")] = "127.0.0.1"
Port: Annotated[int, Input("port of the signal server", check=_port_problem)] = 8081

# The inputs from here on are not the article's.
codepage: Annotated[int, Input("code page of the messages' text", check=codepage_problem)] = 1252
map: Annotated[str, Input("symbols' names here, as in EURUSD=EURUSD.m,GOLD=XAUUSD", check=names_problem)] = ""
suffix: Annotated[str, Input("what the other symbols' names end with here, as in .m")] = ""
only: Annotated[str, Input("the server's symbols to follow, as in EURUSD,GBPUSD; empty: all")] = ""
factor: Annotated[float, Input("what the server's lots are multiplied by", check=factor_problem)] = 1.0
reverse: Annotated[bool, Input("sell what the server buys, and buy what it sells")] = False
hedging: Annotated[bool, Input("work on a hedging account too, closing and opening positions by ticket")] = False
dry: Annotated[bool, Input("trade nothing, and tell what would be traded")] = False

# How long a connect may take.
CONNECT_MS = 10_000
LONGEST_WAIT = 4

# A bound of one event, so that no peer can keep the program busy.
MOST_RECEIVED = 64 * 1024

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
goals = Goals(Rules())
peer = ""
found = False
reached = False


def OnInit() -> int:
    global goals
    if AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING and not hedging:
        Alert("the client works only with netting accounts; --hedging lets it close and open by ticket")
        return INIT_FAILED
    rules = Rules(names_from_text(map), suffix, list_from_text(only), Decimal(repr(factor)), reverse)
    goals = Goals(rules)
    for line in rules.described():
        Print(line)
    if dry:
        Print("dry run: nothing is traded")
    for smb in rules.known():
        if not SymbolSelect(smb, True):
            Print(f"-the terminal has no symbol {smb}")
    Event("started", symbol=Symbol(), position=DoubleToString(GetSymbolLot(Symbol()), 2))
    EventSetTimer(1)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    CloseClean()
    if found and connect_failures and not reached:
        Fail(3, f"no server has answered at {Host}:{Port}")


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
    # An order that fails is tried again later and later, until a newer message replaces it.
    goals.carry_out(events, SyncSymbolLot)


def StartClient(addr: str, port: int) -> None:
    """Begin to connect. An attempt that fails is repeated later and later; a message received ends that."""
    global started, client, connecting, connect_until, connect_due, connect_failures
    global local_port, messages, msg, peer, found
    # A server that restarts is to be found again soon, whatever happened before.
    wait = min(Patience(connect_failures), LONGEST_WAIT)
    connect_due = events + wait
    connect_failures += 1
    res = WSAStartup(MAKEWORD(2, 2), WSADATA())
    if res != 0:
        Print("-WSAStartup failed error: " + WSAErrorDescript(res))
        return
    started = True
    try:
        addrin = find_address(addr, port, SOCK_STREAM)
    except AddressError as error:
        LookupFailed(str(error))
        return
    found = True
    peer = address_text(addrin)
    if not peer.startswith((f"{addr}:", f"[{addr}]:")):
        peer = f"{addr} ({peer})"
    client = socket(family_of(addrin), SOCK_STREAM, IPPROTO_TCP)
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
    local = empty_address(family_of(addrin))
    if getsockname(client, local, c_int(sizeof(local))) == SOCKET_ERROR:
        ConnectFailed(WSAGetLastError())
        return
    local_port = port_of(local)
    Event("connecting", port=local_port)
    Connected()


def Connected() -> bool:
    """Whether the connect has succeeded by now; closes the socket when it has failed."""
    global connecting, reached
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
        connecting, reached = False, True
        goals.hurry(events)
        Print(f"connect OK, {peer}")
    elif GetTickCount64() >= connect_until:
        ConnectFailed(WSAETIMEDOUT)
    return client != INVALID_SOCKET and not connecting


def ConnectFailed(error: int) -> None:
    Print(f"-Connect to {peer} failed error: {WSAErrorDescript(error)} {NextAttempt()}")
    CloseClean()


def LookupFailed(problem: str) -> None:
    """A host that was never found is a mistake; one that was will be found again."""
    if not found:
        Fail(3, problem)
        return
    Print(f"-{problem} {NextAttempt()}")
    CloseClean()


def NextAttempt() -> str:
    return f"Timer events until the next attempt: {max(connect_due - events, 1)}."


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
            Print("close socket")
        closesocket(client)
        client = INVALID_SOCKET
        connecting = False
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
        printf("-wrong pos info: %s (%s; such messages: %d)", text, reason, len(unreadable))
    for smb, pos in latest.items():
        printf("server position: %s|%s", smb, pos.lots)
        connect_failures = 0
        goals.take(smb, pos.lots, events)
    goals.limit()


def FindNextPos() -> Signal | Unreadable | None:
    """The next message of what was received, or something unreadable instead of one."""
    global messages
    pos = msg.next()
    if isinstance(pos, Signal):
        messages += 1
        Event("received", port=local_port, number=messages, symbol=pos.symbol, lots=str(pos.lots))
    return pos


def SyncSymbolLot(smb: str, nlot: Decimal) -> bool:
    """Trade the difference between the volume that is wanted and ours; False when an order failed."""
    return BringSymbolLot(smb, nlot, dry)
