"""Copies the positions that a provider or an original signal server publishes over TCP.

A message states the server's position in one symbol. The rules (rules.py) turn it into a target for the local symbol,
targets.py keeps the targets until they are reached, limits.py says what must not be traded, and trading.py sends the
orders. The connection is nonblocking; lost and failed connections are retried, with growing pauses until a message
arrives. A peer that has disappeared is noticed by TCP keep-alive; a server that is connected and silent is reported
after `silence` seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import c_int, sizeof
from decimal import Decimal
from typing import Annotated

from demos.copier.limits import Limits, limit_problem
from demos.copier.pauses import Backoff, Moment
from demos.copier.positions import AllPositions, GetSymbolLot
from demos.copier.rules import (
    Rules,
    factor_problem,
    list_from_text,
    list_problem,
    names_from_text,
    names_problem,
    suffix_problem,
)
from demos.copier.targets import LEAVE, Targets, reconcile_problem
from demos.copier.trading import Result, TradeTo
from demos.signal.protocol import Reader, Signal, Unreadable
from demos.terminal import (
    ACCOUNT_MARGIN_MODE,
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    INIT_FAILED,
    INIT_SUCCEEDED,
    SYMBOL_BID,
    SYMBOL_POINT,
    TIME_DATE,
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
    SymbolInfoDouble,
    SymbolSelect,
    TimeCurrent,
    TimeToString,
    UseVirtualAccount,
    printf,
)
from demos.wire.addresses import Address, AddressError, address_text, empty_address, family_of, find_address, port_of
from demos.wire.codepages import codepage_problem
from demos.wire.connecting import begin_connect, connect_result
from demos.wire.keepalive import keep_alive
from demos.wire.opening import CallFailed, start_winsock
from demos.wire.ports import port_problem
from winsock import (
    AF_INET,
    INVALID_SOCKET,
    NO_ERROR,
    SD_BOTH,
    SOCK_STREAM,
    SOCKET_ERROR,
    WSAECONNREFUSED,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    WSACleanup,
    WSAErrorDescript,
    WSAGetLastError,
    closesocket,
    getpeername,
    getsockname,
    recv,
    shutdown,
)

Host: Annotated[str, Input("name or address of the server")] = "127.0.0.1"
Port: Annotated[int, Input("port of the server", check=port_problem)] = 8081

# The inputs from here on are not the article's.
codepage: Annotated[int, Input("code page of the messages", check=codepage_problem)] = 1252
map: Annotated[
    str,
    Input(
        r"local symbol names, as in EURUSD=EURUSD.m,GOLD=XAUUSD; put a backslash before , = and \ in a name",
        check=names_problem,
    ),
] = ""
suffix: Annotated[str, Input("suffix of all other local symbol names, as in .m", check=suffix_problem)] = ""
only: Annotated[
    str,
    Input(
        r"the server's symbols to copy, as in EURUSD,GBPUSD; put a backslash before , = and \ in a name; empty: all",
        check=list_problem,
    ),
] = ""
factor: Annotated[float, Input("factor for the server's lots", check=factor_problem)] = 1.0
reverse: Annotated[bool, Input("sell when the server buys, and buy when it sells")] = False
hedging: Annotated[bool, Input("accept a hedging account; close and open positions by ticket")] = False
dry: Annotated[bool, Input("trade on a virtual account, which begins with the present positions; log the orders")] = (
    False
)
reconcile: Annotated[
    str,
    Input(
        "when a copied position has changed without a new signal: leave it until the next signal, restore it, or stop "
        "copying its symbol",
        check=reconcile_problem,
    ),
] = LEAVE
silence: Annotated[
    int,
    Input(
        "report a connected server that has sent nothing for this many seconds; use more than the provider's --repeat "
        "(20 by default); 0: never",
        check=limit_problem,
    ),
] = 60
maxlots: Annotated[
    float,
    Input(
        "largest position in one symbol, in lots; above it the symbol is copied no further; 0: any", check=limit_problem
    ),
] = 10.0
maxtotal: Annotated[
    float,
    Input(
        "largest sum of all positions, in lots; above it the symbol is copied no further; 0: any", check=limit_problem
    ),
] = 20.0
maxorders: Annotated[
    int, Input("most orders in one minute; above it nothing is copied any more; 0: any number", check=limit_problem)
] = 60
maxloss: Annotated[
    float,
    Input(
        "largest loss of all positions in one day, in points times lots (1000: one lot loses 1000 points); above it "
        "nothing is copied any more; 0: any",
        check=limit_problem,
    ),
] = 0.0
killfile: Annotated[
    str, Input("file that stops all copying as soon as it exists; deleting it does not start copying again")
] = ""

# The time limit of a connect, and the longest pause between two.
CONNECT_MS = 10_000
LONGEST_WAIT_SECONDS = 4

# The bytes received in one event, so that no server can keep the program in it; and the positions logged in one event.
MOST_RECEIVED = 64 * 1024
MOST_LINES = 20

started = False
client = INVALID_SOCKET
connecting = False
connect_until = 0
connect_due = 0
connect_failures = 0
family = AF_INET
local_port = 0
event = Moment(0)
messages = 0
msg = Reader(codepage)
targets = Targets(Rules())
limits = Limits()
heard_at = 0
silent = False
peer = ""
found = False
lookup_failed = False
reached = False


def OnInit() -> int:
    global targets, limits, event
    if AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING and not hedging:
        Alert("the account is a hedging account: add --hedging to close and open positions by ticket")
        return INIT_FAILED
    rules = Rules(names_from_text(map), suffix, list_from_text(only), Decimal(repr(factor)), reverse)
    targets = Targets(rules, reconcile)
    limits = Limits(Decimal(repr(maxlots)), Decimal(repr(maxtotal)), maxorders, Decimal(repr(maxloss)), killfile)
    for line in (*rules.described(), limits.described()):
        Print(line)
    if dry:
        UseVirtualAccount()
        Print("dry run: orders are executed in a virtual account, which begins with the present positions")
    for smb in rules.known():
        if not SymbolSelect(smb, True):
            Print(f"-the terminal has no symbol {smb}; --Symbol {smb} chooses the embedded market's symbol")
    Event("started", symbol=Symbol(), position=DoubleToString(GetSymbolLot(Symbol()), 2))
    event = Moment(GetTickCount64())
    EventSetTimer(1)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    CloseClean()
    if (found or lookup_failed) and connect_failures and not reached:
        Fail(3, f"no connection to {Host}:{Port} has succeeded")


def OnTimer() -> None:
    global event
    now = GetTickCount64()
    event = Moment(now, now - event.ms)
    if client == INVALID_SOCKET:
        if event.is_due(connect_due):
            StartClient(Host, Port)
    elif not connecting or Connected():
        # Messages that arrived before an error or the end of the stream are valid: process them first.
        problem = Receive()
        CheckMessage()
        problem = problem or msg.problem
        if problem:
            Print("-Receive. " + problem)
            CloseClean()
        else:
            CheckSilence()
    positions = AllPositions()
    if stop := limits.killfile_problem() or LossProblem(positions):
        targets.stop_all(stop)
    targets.check(positions, event)
    targets.run_due(event, SyncSymbolLot)


def StartClient(addr: str, port: int) -> None:
    """Begin to connect. The pause before the next attempt grows until a message arrives."""
    global started, client, connecting, family, connect_until, connect_due, connect_failures, messages, msg
    # At most LONGEST_WAIT_SECONDS: a server that restarts is found again soon, however long it was away.
    connect_due = event.after(min(Backoff(connect_failures), LONGEST_WAIT_SECONDS))
    connect_failures += 1
    try:
        start_winsock()
        started = True
        addrin = FindServer(addr, port)
        client, error = begin_connect(addrin)
    except AddressError as unknown:
        LookupFailed(unknown)
        return
    except CallFailed as failure:
        Print(f"-{failure}")
        CloseClean()
        return
    connecting, family = True, family_of(addrin)
    connect_until = GetTickCount64() + CONNECT_MS
    messages = 0
    msg = Reader(codepage)
    if error != NO_ERROR:
        ConnectFailed(error)
    else:
        Connected()


def FindServer(addr: str, port: int) -> Address:
    """Resolve the host name.

    Errors: AddressError.
    """
    global peer, found, lookup_failed
    addrin = find_address(addr, port, SOCK_STREAM)
    found, lookup_failed = True, False
    peer = address_text(addrin)
    if not peer.startswith((f"{addr}:", f"[{addr}]:")):
        peer = f"{addr} ({peer})"
    return addrin


def Connected() -> bool:
    """Whether the connect has succeeded; closes the socket when it has failed."""
    global connecting, reached, heard_at
    error = connect_result(client)
    if error is None and GetTickCount64() >= connect_until:
        error = WSAETIMEDOUT
    if error == NO_ERROR:
        error = ReadLocalPort()
    if error == NO_ERROR:
        connecting, reached = False, True
        heard_at = GetTickCount64()
        targets.retry_now(event)
        if problem := keep_alive(client):
            Print(f"-{problem}")
        Event("connected", port=local_port)
        Print(f"connect OK, {peer}")
    elif error is not None:
        ConnectFailed(error)
    return client != INVALID_SOCKET and not connecting


def ReadLocalPort() -> int:
    """Read the connection's local port, by which the job finds its messages; returns NO_ERROR or the error.

    While nobody listens on a local port, the system may choose that port as the local one: then the socket has
    connected to itself, and would keep the server from listening.
    """
    global local_port
    local, remote = empty_address(family), empty_address(family)
    if getsockname(client, local, c_int(sizeof(local))) == SOCKET_ERROR:
        return WSAGetLastError()
    if getpeername(client, remote, c_int(sizeof(remote))) == SOCKET_ERROR:
        return WSAGetLastError()
    local_port = port_of(local)
    return WSAECONNREFUSED if bytes(local) == bytes(remote) else NO_ERROR


def ConnectFailed(error: int) -> None:
    Print(f"-Connect to {peer} failed error: {WSAErrorDescript(error)} {NextAttempt()}")
    CloseClean()


def LookupFailed(unknown: AddressError) -> None:
    """Retry a name that was resolved before, or that may be resolved later; any other is an error of the user."""
    global lookup_failed
    if not (found or unknown.temporary):
        Fail(3, str(unknown))
        return
    if not lookup_failed:
        Print(f"-{unknown} {NextAttempt()}")
    lookup_failed = True
    CloseClean()


def NextAttempt() -> str:
    """When the next attempt to connect takes place, for the log."""
    seconds = max(connect_due - event.ms, event.period) / 1000
    # Timer events are never exactly a period apart; without fractions the lines of several attempts are the same.
    return f"Next attempt in {seconds:.{1 if seconds < 0.95 else 0}f} s."


def Receive() -> str:
    """Receive at most MOST_RECEIVED bytes; returns why the connection has ended, or ""."""
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
        Heard()
    return ""


def Heard() -> None:
    """Note that the server has sent something."""
    global heard_at, silent
    now = GetTickCount64()
    if silent:
        silent = False
        Event("heard")
        Print(f"the server is heard again after {(now - heard_at) // 1000} s")
    heard_at = now


def CheckSilence() -> None:
    """Report once that a connected server has been silent for too long."""
    global silent
    if silence and not silent and GetTickCount64() - heard_at >= silence * 1000:
        silent = True
        Event("silent", seconds=silence)
        Alert(f"nothing heard for {silence} s; an original server is silent while nothing changes")


def CloseClean() -> None:
    """Close the socket, and call WSACleanup if WSAStartup has succeeded."""
    global started, client, connecting
    if client != INVALID_SOCKET:
        # shutdown fails only if the connection has ended, and the log already says that.
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
    """Set the target of each symbol from its latest message."""
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
        printf("-wrong pos info: %s (%s; number of such messages: %d)", text, reason, len(unreadable))
    for number, (smb, pos) in enumerate(latest.items()):
        if number < MOST_LINES:
            printf("server position: %s|%s", smb, pos.lots)
        connect_failures = 0
        targets.take(smb, pos.lots, event)
    if len(latest) > MOST_LINES:
        printf("server position: %d further symbols", len(latest) - MOST_LINES)


def FindNextPos() -> Signal | Unreadable | None:
    """The next received message, readable or not; None when there is none."""
    global messages
    pos = msg.next()
    if isinstance(pos, Signal):
        messages += 1
        Event("received", port=local_port, number=messages, symbol=pos.symbol, lots=str(pos.lots))
    return pos


def SyncSymbolLot(smb: str, nlot: Decimal) -> Result:
    """Trade the difference between the target and the present position."""
    return TradeTo(smb, nlot, dry, limits)


def LossProblem(positions: Mapping[str, Decimal]) -> str:
    """Why nothing must be copied any more after the losses of this day, or ""."""
    if not maxloss:
        return ""
    prices = {}
    for smb in {*positions, *limits.held()}:
        bid, point = SymbolInfoDouble(smb, SYMBOL_BID), SymbolInfoDouble(smb, SYMBOL_POINT)
        if bid and point:
            prices[smb] = Decimal(round(bid / point))
    return limits.loss_problem(TimeToString(TimeCurrent(), TIME_DATE), positions, prices)
