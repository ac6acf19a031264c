"""Sends the volumes of this account's positions to a sentiment server, and draws the totals of all clients.

A window below the candles shows the lots of all long positions in the chart's symbol as a green line and those of all
short positions as a red one: the last totals of each bar. The volumes are sent when they change, and again in time so
that the server knows that they are still valid.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from demos.copier.positions import GetSymbolLot, SideVolumes
from demos.copier.strategy import Strategy
from demos.ideas.link import Link, LinkError, link_settings
from demos.ideas.link_options import CaInput, PinInput, UrlInput
from demos.ideas.messages import Error, MessageError
from demos.ideas.sentiment.protocol import (
    CLIENT,
    SERVER,
    VERSION,
    ClientHello,
    ServerHello,
    SideTotal,
    Total,
    Totals,
    Volumes,
    side_fields,
)
from demos.ideas.sentiment.server_inputs import server_name_problem
from demos.ideas.sentiment.volumes import bounded_volumes
from demos.provider.input_checks import count_problem, listed, symbols_problem
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    REASON_CLOSE,
    Event,
    EventKillTimer,
    EventSetMillisecondTimer,
    Fail,
    GetTickCount64,
    IndicatorLine,
    Input,
    Period,
    Print,
    Symbol,
    iTime,
)
from demos.terminal.runtime.randomness import token_hex

url: UrlInput = "ws://127.0.0.1:8451"
ca: CaInput = ""
pin: PinInput = ""
name: Annotated[
    str,
    Input("this client's name; empty: a new one at each start", check=lambda name: name and server_name_problem(name)),
] = ""
only: Annotated[
    str, Input("send the volumes of these symbols, separated by commas; empty: all", check=symbols_problem)
] = ""
strategy: Annotated[int, Input("trade a small strategy at every N-th tick; 0: never", check=count_problem)] = 0
pause: Annotated[str, Input("the strategy does not trade while this file exists", file="read")] = ""

# Colors of MQL5: clrLimeGreen and clrRed.
GREEN, RED = 0x32CD32, 0x0000FF
WINDOW = 1

# The shortest time between two messages, in milliseconds: fast trading must not look like a flood.
LEAST_MS = 200
# The volumes are sent so often within the server's --silence.
REPEATS = 4
# The timer's period; a shorter one if the server's --silence needs it.
TIMER_MS = 1_000
# A total is shown until so many intervals have passed without another message, and for at least this time.
LOST_INTERVALS = 3
LEAST_LOST_MS = 5_000

link: Link | None = None
trader = Strategy(0, "")
client = ""
# The last connection that has begun, the server's rules, and what was sent in it.
greeted = 0
rules: ServerHello | None = None
sent: Volumes | None = None
sent_at = 0
shown: Total | None = None
totals_at = 0
long_totals: dict[datetime, float] = {}
short_totals: dict[datetime, float] = {}


def OnInit() -> int:
    global link, trader, client
    trader = Strategy(strategy, pause)
    client = name or f"client {token_hex(4)}"
    try:
        link = Link(link_settings(url, ca, pin))
    except LinkError as error:
        Fail(2, str(error))
        return INIT_FAILED
    IndicatorLine("long, all clients", WINDOW, long_totals, GREEN)
    IndicatorLine("short, all clients", WINDOW, short_totals, RED)
    Event("started", symbol=Symbol())
    EventSetMillisecondTimer(TIMER_MS)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if link is None:
        return
    link.close()
    if reason == REASON_CLOSE and not link.generation:
        Fail(3, f"no connection to {url} has succeeded")


def OnTimer() -> None:
    trader.report_pause()
    Step()


def OnSocket(s: int, ready: int) -> None:
    Step()


def OnTrade() -> None:
    Step()


def OnTick() -> None:
    trader.tick(GetSymbolLot(Symbol()))
    DrawTotal()


def Step() -> None:
    """Take the messages that have arrived, and send the volumes when it is time."""
    assert link is not None
    messages = link.step()
    if link.generation > greeted:
        SayHello(link)
    for text in messages:
        TakeMessage(link, text)
    CheckAge(link)
    if link.is_open:
        SendVolumes(link)


def TakeMessage(link: Link, text: str) -> None:
    global rules
    try:
        message = SERVER.decode(text)
    except MessageError as problem:
        link.end(f"the server breaks the protocol: {problem}")
        return
    if isinstance(message, Error):
        link.end(f"the server ends the connection: {message.text} ({message.code})")
    elif isinstance(message, ServerHello):
        rules = message
        EventSetMillisecondTimer(TimerPeriod(message))
        Print(
            f"{message.server}: a total has at least {message.least_clients} participants; at most "
            f"{message.most_lots} lots of each count"
        )
    else:
        TakeTotals(message)


def TimerPeriod(hello: ServerHello) -> int:
    """The milliseconds between two timer events: the volumes must be repeated in time."""
    return max(LEAST_MS, min(TIMER_MS, hello.silence_ms // REPEATS))


def TakeTotals(message: Totals) -> None:
    global totals_at
    totals_at = GetTickCount64()
    ShowTotal(message.totals.get(Symbol()))


def CheckAge(link: Link) -> None:
    """Show no total any more when the server has sent none for too long, or has gone."""
    longest = LOST_INTERVALS * rules.interval_ms if rules is not None else 0
    if not link.is_open or GetTickCount64() - totals_at > max(longest, LEAST_LOST_MS):
        ShowTotal(None)


def ShowTotal(total: Total | None) -> None:
    """Log a total of the chart's symbol that differs from the last one, and draw it."""
    global shown
    if total != shown:
        if total is None:
            Print(f"{Symbol()}: no total is published at present")
        else:
            Print(f"{Symbol()}: long {SideText(total.long)}, short {SideText(total.short)}")
        sides = total or Total()
        Event("totals", long=side_fields(sides.long), short=side_fields(sides.short))
    shown = total
    DrawTotal()


def SideText(total: SideTotal | None) -> str:
    return "not published" if total is None else f"{total.lots} lots of {total.clients} participants"


def DrawTotal() -> None:
    """Draw the totals at the present bar. While none is shown, the line has a gap."""
    if shown is None:
        return
    bar = iTime(Symbol(), Period(), 0)
    for line, total in ((long_totals, shown.long), (short_totals, shown.short)):
        if total is not None:
            line[bar] = float(total.lots)


def SayHello(link: Link) -> None:
    """Begin a new connection: nothing has been received or sent in it."""
    global greeted, rules, sent
    greeted, rules, sent = link.generation, None, None
    link.send(CLIENT.encode(ClientHello(VERSION, client)))


def SendVolumes(link: Link) -> None:
    """Send the volumes when they have changed, and again in time."""
    global sent, sent_at
    if rules is None:
        return
    now = GetTickCount64()
    present = bounded_volumes(SideVolumes(), listed(only), rules.most_symbols)
    # A timer event that comes a little early is the last one in time.
    repeat = rules.silence_ms // REPEATS - TimerPeriod(rules) // 4
    due = max(LEAST_MS, repeat) if present == sent else LEAST_MS
    if sent is not None and now - sent_at < due:
        return
    link.send(CLIENT.encode(present))
    Event("sent", volumes={smb: [str(volume.long), str(volume.short)] for smb, volume in present.volumes.items()})
    sent, sent_at = present, now
