"""Copies the positions that a provider or an original signal server publishes.

Without --url it speaks the plain protocol over TCP: a message states the server's position in one symbol. The rules
(rules.py) turn it into a target for the local symbol. connection.py connects, and connects again; a server that is
connected and sends no valid message is reported after `silence` seconds. With --fast a message is copied as soon as it
arrives: OnSocket does the same as OnTimer.

With --url it follows a provider's whole account over TLS (account_copier.py), always as soon as a state arrives. With
--broker it does the same through an MQTT broker (broker_connection.py).

In all cases targets.py keeps the targets until they are reached, limits.py says what must not be traded, and
trading.py sends the orders.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from demos.copier.account_inputs import (
    AccountInputs,
    FollowsAccount,
    StartError,
    Trading,
    amount_problem,
    one_of,
    seconds_problem,
)
from demos.copier.account_targets import AccountTargets
from demos.copier.account_values import ENDS, HOLD, JOINS, SCALES, STALES, WAIT, AccountOptions
from demos.copier.connection import ServerConnection
from demos.copier.limits import Limits, folder_problem, killfile_name_problem, killfile_path, limit_problem
from demos.copier.moments import Moment
from demos.copier.plain_messages import PlainMessages
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
from demos.copier.server_url import pin_problem, url_problem
from demos.copier.targets import LEAVE, RESTORE, Targets, reconcile_problem
from demos.copier.trading import Result, TradeTo
from demos.provider.sqlite_file import StateError
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
)
from demos.wire.codepages import codepage_problem
from demos.wire.mqtt_url import mqtt_url_problem
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
    str,
    Input(
        "file that stops all copying as soon as it exists, with --url also reductions; deleting it does not start "
        "copying again",
        check=killfile_name_problem,
        file="read",
        paths=lambda text: [killfile_path(text)],
    ),
] = ""

# The inputs from here on are those of a provider's subscriber.
url: Annotated[
    str,
    Input(
        "follow the whole account of this provider, as in wss://provider.example:8443, or ws://127.0.0.1:8443 on this "
        "computer; empty: the plain protocol with --Host and --Port",
        check=url_problem,
    ),
] = ""
broker: Annotated[
    str,
    Input(
        "follow the whole account that a provider publishes at this MQTT broker, as in "
        "mqtts://broker.example:8883/signals/anna, or mqtt://127.0.0.1/signals on this computer; empty: none",
        check=mqtt_url_problem,
    ),
] = ""
login: Annotated[str, Input("the login at the provider, or at the broker")] = ""
password_file: Annotated[
    str, Input("file whose first line is the password; empty: the environment variable WINSOCK_PASSWORD", file="read")
] = ""
token_file: Annotated[
    str,
    Input(
        "file whose first line is a token to log in with; empty: the environment variable WINSOCK_TOKEN", file="read"
    ),
] = ""
ca: Annotated[
    str, Input("PEM file of the CAs that verify the provider, or the broker; empty: those of the system", file="read")
] = ""
pin: Annotated[
    str,
    Input(
        "SHA-256 fingerprint that the certificate of the provider, or of the broker, must have, instead of a CA",
        check=pin_problem,
    ),
] = ""
memory: Annotated[str, Input("file of what the copier must not forget, with its journal", file="database")] = (
    "copier.sqlite"
)
scale: Annotated[
    str, Input("multiply lots by the factor alone, or also by the ratio of balance or equity", check=one_of(SCALES))
] = SCALES[0]
join: Annotated[
    str,
    Input(
        "at first contact with a symbol: wait until the provider is flat or reverses, join at no worse price, or now; "
        "when the provider is flat, the account becomes flat in the symbol too, also with lots that it had before",
        check=one_of(JOINS),
    ),
] = WAIT
stale: Annotated[
    str,
    Input("hold or flatten the positions when the provider's state is not confirmed any more", check=one_of(STALES)),
] = HOLD
on_end: Annotated[
    str, Input("hold, only close or flatten the positions when the login has ended", check=one_of(ENDS))
] = HOLD
maxdeviation: Annotated[
    float, Input("largest distance of an opening price to the provider's, in points; 0: any", check=limit_problem)
] = 30.0
maxage: Annotated[
    int, Input("largest age of a change that opens or increases a position, in seconds", check=seconds_problem)
] = 30
equity_floor: Annotated[
    float,
    Input(
        "below this equity close the positions in all symbols that the copier follows, also those of the account's "
        "owner, and copy nothing; positions in other symbols stay, and are reported; 0: none",
        check=amount_problem,
    ),
] = 0.0
stops: Annotated[bool, Input("place the provider's stop loss at the broker")] = False

connection = ServerConnection(codepage, lambda: None, fast)
signals = PlainMessages(silence)
account: FollowsAccount | None = None
targets: Targets = Targets(Rules())
limits = Limits()
event = Moment(0)
# The time of the last timer event.
timer_at = 0


def OnInit() -> int:
    global connection, signals, targets, limits, event, timer_at
    if AccountInfoInteger(ACCOUNT_MARGIN_MODE) == ACCOUNT_MARGIN_MODE_RETAIL_HEDGING and not hedging:
        Alert("the account is a hedging account: add --hedging to close and open positions by ticket")
        return INIT_FAILED
    if problem := SourceProblem():
        Alert(problem)
        return INIT_FAILED
    rules = Rules(names_from_text(map), suffix, list_from_text(only), Decimal(repr(factor)), reverse)
    connection = ServerConnection(codepage, OnConnected, fast)
    signals = PlainMessages(silence)
    targets = AccountTargets(rules, reconcile) if url or broker else Targets(rules, reconcile)
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
    if isinstance(targets, AccountTargets) and not StartAccount(rules, targets):
        return INIT_FAILED
    EventSetTimer(1)
    if account is not None:
        # The first connect does not wait for the timer.
        CopyNow(timer=False)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    connection.CloseClean()
    if account is not None:
        account.CloseClean()
    if connection.NeverConnected():
        Fail(3, f"no connection to {Host}:{Port} has succeeded")


def OnTimer() -> None:
    global event, timer_at
    now = GetTickCount64()
    event = Moment(now, now - timer_at)
    timer_at = now
    CopyNow(timer=True)


def OnSocket(s: int, ready: int) -> None:
    """With --fast or --url: the connect has ended, something has arrived, or the connection is closed."""
    global event
    # A time in the future is not due: unlike a timer event, this one is not the nearest to it.
    event = Moment(GetTickCount64(), 0)
    CopyNow(timer=False)


def CopyNow(*, timer: bool) -> None:
    """Copy by the protocol that was chosen. What cannot be stored must not be traded: then the program ends."""
    if account is None:
        CopySignals()
        return
    try:
        account.Continue(event, timer=timer)
    except StateError as error:
        Fail(error.code, str(error))


def CopySignals() -> None:
    """Continue the connection, read what has arrived, and trade the targets that are due."""
    if connection.Step(Host, Port, event):
        # Messages that arrived before an error or the end of the stream are valid: process them first.
        problem = connection.Receive()
        signals.CheckMessage(connection, targets, event)
        signals.CheckSilence()
        problem = problem or connection.msg.problem
        if problem:
            Print("-Receive. " + problem)
            connection.CloseClean()
    if stop := StopProblem():
        targets.stop_all(stop)
    targets.check(AllPositions(), event)
    targets.run_due(event, SyncSymbolLot, AllPositions)


def OnConnected() -> None:
    """Trade what waits."""
    signals.Connected()
    targets.retry_now(event)


def SyncSymbolLot(smb: str, nlot: Decimal) -> Result:
    """Trade the difference between the target and the present position; record when the account has the target."""
    result = TradeTo(smb, nlot, dry, limits)
    # A target that was rounded is as near as it can be, which is not the same as equal. A virtual account is another.
    if result.reached == nlot and not dry:
        Event("synced", symbol=smb, lots=lots_text(nlot))
    return result


def SourceProblem() -> str:
    """Why the inputs do not name one source: both --url and --broker, or inputs that have no effect without them."""
    given = {"--login": login, "--password-file": password_file, "--token-file": token_file, "--ca": ca, "--pin": pin}
    unused = [name for name, value in given.items() if value]
    if url and broker:
        return "--url and --broker are both given: follow one provider, at one place"
    if unused and not (url or broker):
        return (
            f"--url or --broker is missing: without them the plain protocol is used, which has no {', '.join(unused)}"
        )
    return ""


def StopProblem() -> str:
    """Why nothing must be copied any more, or ""."""
    return limits.killfile_problem() or LossProblem()


def LossProblem() -> str:
    """Why the loss of the day is too large, or ""."""
    return limits.loss_problem(DayResult()) if maxloss else ""


def StartAccount(rules: Rules, targets: AccountTargets) -> bool:
    """Begin to follow the provider's account; False after an error, which is logged."""
    global account
    options = AccountOptions(
        scale,
        rules.factor,
        reverse,
        join,
        stale,
        on_end=on_end,
        maxdeviation=Decimal(repr(maxdeviation)),
        maxage_ms=maxage * 1000,
        equity_floor=Decimal(repr(equity_floor)),
        stops=stops,
        restore=reconcile == RESTORE,
    )
    inputs = AccountInputs(url, login, password_file, token_file, ca, pin, memory, broker)
    try:
        # It needs packages that the plain protocol does not.
        from demos.copier.account_start import start_account

        account = start_account(inputs, options, targets, Trading(limits, dry, LossProblem), event)
    except (ImportError, StartError, StateError) as error:
        Alert(str(error))
    return account is not None
