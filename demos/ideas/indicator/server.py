"""Indicator server: calculates indicators on its chart and sends their values at each closed bar to its clients."""

from __future__ import annotations

from typing import Annotated

from demos.ideas.hub import Hub, HubError, HubSettings
from demos.ideas.hub_options import (
    CertInput,
    ClientsInput,
    HostInput,
    HostsInput,
    KeyInput,
    PerAddressInput,
    PortInput,
)
from demos.ideas.indicator.calculations import Bar
from demos.ideas.indicator.feed import Feed
from demos.ideas.indicator.feed_options import PERIOD_MS, KeepInput, ValuesInput, write_values
from demos.ideas.indicator.indicators import indicator_files, indicators_problem, make_indicators
from demos.ideas.indicator.plot import Plot
from demos.ideas.indicator.protocol import MOST_FROM_CLIENT
from demos.ideas.indicator.user_functions import IndicatorError
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    SYMBOL_TIME_MSC,
    Comment,
    CopyRates,
    Event,
    EventKillTimer,
    EventSetMillisecondTimer,
    Fail,
    Input,
    MqlRates,
    Period,
    Print,
    Symbol,
    SymbolInfoInteger,
)
from demos.terminal.charts.history import begin_of_bar
from demos.terminal.charts.operations import period_name
from demos.terminal.mql.conversion import milliseconds_of
from demos.terminal.runtime.randomness import token_hex
from demos.wire.http_hosts import option_hosts
from demos.wire.websocket import SERVER_LIMITS

Host: HostInput = "127.0.0.1"
Port: PortInput = 8452
cert: CertInput = ""
key: KeyInput = ""
hosts: HostsInput = ""
clients: ClientsInput = 256
per_address: PerAddressInput = 32
indicators: Annotated[
    str,
    Input(
        "what to calculate, separated by commas: sma:20, ema:20, smma:20, lwma:20, rsi:14, atr:14; a price, as in "
        "sma:20:median; a function of your own, FILE.py:FUNCTION; one of TA-Lib, as in talib:CCI:14",
        check=indicators_problem,
        file="read",
        paths=indicator_files,
    ),
] = "sma:20,ema:50,rsi:14,atr:14"
keep: KeepInput = 5000
values: ValuesInput = ""

# The bars before those that are kept: averages need some to begin.
WARM_UP = 1000

# Several bars may have closed since the last event; MetaTrader may join ticks. If these are not enough, twice as many
# are read, and so on.
CLOSED_AT_FIRST = 100

NAME = "indicator server"

feed: Feed | None = None
hub: Hub | None = None
plot: Plot | None = None
present = 0
last_time = -1


def OnInit() -> int:
    global feed, hub, plot, present, last_time
    try:
        made = make_indicators(indicators, Print)
        feed = Feed(token_hex(16), Symbol(), period_name(Period()), made, keep=keep, name=NAME, report=Print)
        settings = HubSettings(
            Host,
            Port,
            cert,
            key,
            option_hosts(hosts),
            clients,
            per_address,
            limits=SERVER_LIMITS._replace(message=MOST_FROM_CLIENT),
        )
        hub = Hub(settings, feed)
    except (IndicatorError, HubError) as error:
        Fail(error.code if isinstance(error, HubError) else 2, str(error))
        return INIT_FAILED
    plot = Plot(made.lines, keep)
    present, last_time = 0, -1
    TakeClosedBars(CopyRates(Symbol(), Period(), 1, keep + WARM_UP))
    Event("stream", stream=feed.stream, seq=feed.series.last)
    Print(f"stream {feed.stream}: {', '.join(line.name for line in made.lines)}; {feed.series.last} bars so far")
    EventSetMillisecondTimer(PERIOD_MS)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if hub:
        hub.close()
    if feed:
        write_values(values, feed.indicators.lines, feed.series)


def OnTimer() -> None:
    if hub and feed:
        hub.timer()
        Comment(f"{hub.count} clients, {feed.series.last} bars")


def OnSocket(s: int, ready: int) -> None:
    if hub:
        hub.ready(s, ready)


def OnTick() -> None:
    global present
    begin = begin_of_bar(SymbolInfoInteger(Symbol(), SYMBOL_TIME_MSC), Period())
    if begin == present or not (hub and feed):
        return
    present = begin
    before = feed.series.last
    TakeClosedBars(NewRates())
    if feed.series.last > before:
        Event("bar", stream=feed.stream, seq=feed.series.last)
        hub.pump()


def NewRates() -> list[MqlRates]:
    """Closed bars, with all that have closed since the last call of TakeClosedBars()."""
    count = CLOSED_AT_FIRST
    while True:
        found = CopyRates(Symbol(), Period(), 1, count)
        if len(found) < count or milliseconds_of(found[0].time) <= last_time:
            return found
        count *= 2


def TakeClosedBars(closed: list[MqlRates]) -> None:
    """Calculate the bars that are newer than those of the last call."""
    global last_time
    for rates in closed:
        bar = BarOf(rates)
        if feed and plot and bar.time > last_time:
            last_time = bar.time
            plot.add(feed.take(bar))


def BarOf(rates: MqlRates) -> Bar:
    """A bar of the terminal as the calculations take it."""
    return Bar(milliseconds_of(rates.time), rates.open, rates.high, rates.low, rates.close, rates.tick_volume)
