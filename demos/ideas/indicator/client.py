"""Indicator client: draws the values that an indicator server calculates on its own chart."""

from __future__ import annotations

from demos.ideas.indicator.feed_options import PERIOD_MS, KeepInput, ValuesInput, write_values
from demos.ideas.indicator.follower import Follower, error_of
from demos.ideas.indicator.plot import Plot
from demos.ideas.indicator.protocol import FROM_CLIENT, FROM_SERVER, MOST_FROM_SERVER
from demos.ideas.indicator.series import Row
from demos.ideas.link import Link, LinkError, link_settings
from demos.ideas.link_options import CaInput, PinInput, UrlInput
from demos.ideas.messages import Error, MessageError
from demos.terminal import (
    INIT_FAILED,
    INIT_SUCCEEDED,
    REASON_CLOSE,
    Comment,
    Event,
    EventKillTimer,
    EventSetMillisecondTimer,
    Fail,
    Period,
    Print,
    Symbol,
)
from demos.terminal.charts.operations import period_name
from demos.wire.websocket import CLIENT_LIMITS

url: UrlInput = "ws://127.0.0.1:8452"
ca: CaInput = ""
pin: PinInput = ""
keep: KeepInput = 5000
values: ValuesInput = ""

NAME = "indicator client"

follower: Follower | None = None
link: Link | None = None
plot: Plot | None = None
generation = 0
reported = ("", 0)


def OnInit() -> int:
    global follower, link, plot, generation, reported
    try:
        link = Link(link_settings(url, ca, pin), CLIENT_LIMITS._replace(message=MOST_FROM_SERVER))
    except LinkError as error:
        Fail(2, str(error))
        return INIT_FAILED
    follower = Follower(Symbol(), period_name(Period()), keep, ResetPlot, AddRow)
    plot, generation, reported = None, 0, ("", 0)
    EventSetMillisecondTimer(PERIOD_MS)
    return INIT_SUCCEEDED


def OnDeinit(reason: int) -> None:
    EventKillTimer()
    if link is None or follower is None:
        return
    link.close()
    if follower.stream:
        write_values(values, follower.lines, follower.series)
    elif values:
        # The file may have the values of an earlier run.
        Print(f"-{values} is not written: no values were received")
    if reason == REASON_CLOSE and not link.generation:
        Fail(3, f"no connection to {url} has succeeded")


def OnTimer() -> None:
    if link and follower:
        Receive(link, follower)
        Comment(f"{'connected' if link.is_open else 'not connected'}, {follower.series.last} bars")


def OnSocket(s: int, ready: int) -> None:
    if link and follower:
        Receive(link, follower)


def Receive(link: Link, follower: Follower) -> None:
    """Take what has arrived, and ask for the rows that are missing."""
    global generation
    messages = link.step()
    if link.generation != generation:
        generation = link.generation
        link.send(FROM_CLIENT.encode(follower.connected(NAME)))
    for text in messages:
        try:
            TakeMessage(link, follower, text)
        except MessageError as error:
            link.send(FROM_CLIENT.encode(error_of(error)))
            link.end(str(error))
    Report(follower)


def TakeMessage(link: Link, follower: Follower, text: str) -> None:
    """Take one message. Errors: MessageError when the server breaks the protocol."""
    message = FROM_SERVER.decode(text)
    if isinstance(message, Error):
        link.end(f"the server has ended the connection: {message.code}: {message.text}")
    elif request := follower.take(message):
        link.send(FROM_CLIENT.encode(request))


def Report(follower: Follower) -> None:
    """Record which row is the newest one, once all rows before it are there."""
    global reported
    newest = (follower.stream, follower.series.last)
    if not follower.is_complete or newest == reported:
        return
    if follower.stream != reported[0]:
        Print(f"stream {follower.stream}: {', '.join(line.name for line in follower.lines)}")
    reported = newest
    Event("applied", stream=follower.stream, seq=follower.series.last)


def ResetPlot() -> None:
    """The stream or its first row has changed: draw from the beginning."""
    global plot
    if plot:
        plot.remove()
    plot = Plot(follower.lines, keep) if follower else None


def AddRow(row: Row) -> None:
    """Draw a further row."""
    if plot:
        plot.add(row)
