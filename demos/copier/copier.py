"""Copies the positions that a provider or an original signal server publishes over TCP.

A message states the server's position in one symbol. The rules (rules.py) turn it into a target for the local symbol,
targets.py keeps the targets until they are reached, limits.py says what must not be traded, and trading.py sends the
orders. connection.py connects, and connects again; a server that is connected and sends no valid message is reported
after `silence` seconds. With --fast a message is copied as soon as it arrives: OnSocket does the same as OnTimer.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from demos.copier.connection import ServerConnection
from demos.copier.floods import EventLimit
from demos.copier.limits import Limits, folder_problem, killfile_path, limit_problem
from demos.copier.moments import Moment
from demos.copier.positions import AllPositions, GetSymbolLot
from demos.copier.rules import (
    Rules,
    factor_problem,
    list_from_text,
    list_problem,
    lots_text,
    names_from_text,
    names_problem,
    suffix_problem,
)
from demos.copier.targets import LEAVE, Targets, reconcile_problem
from demos.copier.trading import Result, TradeTo
from demos.signal.protocol import Signal, Unreadable
from demos.terminal import (
    ACCOUNT_MARGIN_MODE,
    ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
    INIT_FAILED,
    INIT_SUCCEEDED,
    AccountInfoInteger,
    Alert,
    DayResult,
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
    UseVirtualAccount,
    printf,
)
from demos.wire.codepages import codepage_problem
from demos.wire.ports import port_problem

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
fast: Annotated[bool, Input("copy a message as soon as it arrives, instead of at the next timer event")] = False
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
    int,
    Input(
        "most orders in one minute; above it nothing is copied any more; orders that fail count too, and then make "
        "the next orders wait; 0: any number",
        check=limit_problem,
    ),
] = 60
maxloss: Annotated[
    float,
    Input(
        "largest loss of the account in one day of the market (the date of the last tick, in the server's time), in "
        "points times lots (1000: one lot loses 1000 points): what the day's deals have lost, also before a restart, "
        "and what the open positions would lose if they were closed now; from it on nothing is copied any more; 0: any",
        check=limit_problem,
    ),
] = 0.0
killfile: Annotated[
    str, Input("file that stops all copying as soon as it exists; deleting it does not start copying again")
] = ""

# The positions logged in one event.
MOST_LINES = 20

connection = ServerConnection(codepage, lambda: None, fast)
received = EventLimit()
targets = Targets(Rules())
limits = Limits()
event = Moment(0)
# The time of the last timer event.
timer_at = 0
# The messages of the present connection, and the time of the last one of all connections.
messages = 0
heard_at = 0
silent = False


def OnInit() -> int:
    global connection, targets, limits, event, timer_at
    if AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING and not hedging:
        Alert("the account is a hedging account: add --hedging to close and open positions by ticket")
        return INIT_FAILED
    rules = Rules(names_from_text(map), suffix, list_from_text(only), Decimal(repr(factor)), reverse)
    connection = ServerConnection(codepage, OnConnected, fast)
    targets = Targets(rules, reconcile)
    file = killfile_path(killfile)
    limits = Limits(Decimal(repr(maxlots)), Decimal(repr(maxtotal)), maxorders, Decimal(repr(maxloss)), file)
    for line in (*rules.described(), limits.described()):
        Print(line)
    if problem := folder_problem(file):
        Alert(problem)
    if dry:
        UseVirtualAccount()
        Print("dry run: orders are executed in a virtual account, which begins with the present positions")
    for smb in rules.known():
        if not SymbolSelect(smb, True):
            Print(f"-the terminal has no symbol {smb}; --Symbol {smb} chooses the embedded market's symbol")
    Event("started", symbol=Symbol(), position=DoubleToString(GetSymbolLot(Symbol()), 2))
    timer_at = GetTickCount64()
    event = Moment(timer_at)
    EventSetTimer(1)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    connection.CloseClean()
    if connection.NeverConnected():
        Fail(3, f"no connection to {Host}:{Port} has succeeded")


def OnTimer() -> None:
    global event, timer_at
    now = GetTickCount64()
    event = Moment(now, now - timer_at)
    timer_at = now
    CopySignals()


def OnSocket(s: int, ready: int) -> None:
    """With --fast: the connect has ended, something has arrived, or the connection is closed."""
    global event
    # A time in the future is not due: unlike a timer event, this one is not the nearest to it.
    event = Moment(GetTickCount64(), 0)
    CopySignals()


def CopySignals() -> None:
    """Continue the connection, read what has arrived, and trade the targets that are due."""
    if connection.Step(Host, Port, event):
        # Messages that arrived before an error or the end of the stream are valid: process them first.
        problem = connection.Receive()
        CheckMessage()
        CheckSilence()
        problem = problem or connection.msg.problem
        if problem:
            Print("-Receive. " + problem)
            connection.CloseClean()
    if stop := limits.killfile_problem() or LossProblem():
        targets.stop_all(stop)
    targets.check(AllPositions(), event)
    targets.run_due(event, SyncSymbolLot, AllPositions)


def OnConnected() -> None:
    """Trade what waits. The silence continues when the connection before this one has brought no message."""
    global messages, heard_at
    if messages or not heard_at:
        heard_at = GetTickCount64()
    messages = 0
    targets.retry_now(event)


def Heard() -> None:
    """Note that the server has sent a valid message. Other bytes are no sign of a working server."""
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


def CheckMessage() -> None:
    """Set the target of each symbol from its latest message."""
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
        targets.take(smb, pos.lots, event)
    if latest:
        Heard()
        connection.MessageTaken()
    if len(latest) > MOST_LINES:
        printf("server position: %d further symbols", len(latest) - MOST_LINES)


def FindNextPos() -> Signal | Unreadable | None:
    """The next received message, readable or not; None when there is none."""
    global messages
    pos = connection.msg.next()
    if isinstance(pos, Signal):
        messages += 1
        if received.allows(event.ms):
            Event("received", port=connection.local_port, number=messages, symbol=pos.symbol, lots=str(pos.lots))
    return pos


def SyncSymbolLot(smb: str, nlot: Decimal) -> Result:
    """Trade the difference between the target and the present position; record when the account has the target."""
    result = TradeTo(smb, nlot, dry, limits)
    # A target that was rounded is as near as it can be, which is not the same as equal. A virtual account is another.
    if result.reached == nlot and not dry:
        Event("synced", symbol=smb, lots=lots_text(nlot))
    return result


def LossProblem() -> str:
    """Why nothing must be copied any more after the losses of this day, or ""."""
    return limits.loss_problem(DayResult()) if maxloss else ""
