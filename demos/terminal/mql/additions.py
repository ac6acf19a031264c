"""Additions of this project, not part of MQL5: Input, Event, Fail, EventSetSocket, IndicatorLine and others.

MQL declares an input with the keyword ``input``; a Python module annotates a variable with Input instead. Event and
Fail report to other processes: a line in the events file, and the exit code. DayResult is for a limit of losses,
UseVirtualAccount for dry runs. With EventSetSocket the terminal calls a program when a socket is ready, in addition to
its timer. With IndicatorLine a program draws the values of any number of indicators; in MQL5 each would be a program of
its own, with SetIndexBuffer and PlotIndexSetInteger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from demos.terminal.charts import layout, lines
from demos.terminal.interfaces import Clock
from demos.terminal.mql import constants as c
from demos.terminal.mql.common_functions import write_log
from demos.terminal.runtime.programs import Input
from demos.terminal.terminal import current_program, current_terminal

__all__ = [
    "DayResult",
    "Event",
    "EventKillSocket",
    "EventSetSocket",
    "Fail",
    "IndicatorLine",
    "IndicatorLineDelete",
    "Input",
    "TerminalClock",
    "UseVirtualAccount",
]


def Event(kind: str, **fields: object) -> None:
    """Record an event for other programs, if the terminal has a file for them (``--events``). Not part of MQL5.

    Writes one JSON line {"t": nanoseconds of the terminal's monotonic clock, "kind": kind, ...fields}.
    """
    current_terminal().record(kind, fields)


def EventSetSocket(s: int, readable: bool = True, writable: bool = False) -> bool:
    """Call OnSocket(s, ready) when the socket is ready, from now on. Not part of MQL5.

    ``readable``: there is something to receive or a client to accept, or the connection has ended. ``writable``: there
    is room to send, or a connect has succeeded or failed. ``ready`` is what WSAPoll reports: POLLRDNORM, POLLWRNORM,
    POLLHUP (the peer has closed) and POLLERR (a reset or a failed connect); the last two come for either. OnSocket is
    called again as long as the socket is ready: so receive what has arrived, and ask for ``writable`` only while
    something is unsent. The socket must be non-blocking, because another event function may have received the data
    before. A second call changes what the socket is registered for; with neither it is registered no longer.

    Call EventKillSocket before closesocket. The end of the program unregisters all its sockets. Returns False, and the
    program must use its timer, when it has no function OnSocket, when another program of the terminal has registered
    the socket, for INVALID_SOCKET, and when the terminal cannot create the socket that ends its waits; the log gives
    the reason for the last.
    """
    return current_terminal().event_loop.set_socket(current_program(), s, readable, writable)


def EventKillSocket(s: int) -> bool:
    """Stop calling OnSocket for this socket; False when the program has not registered it. Not part of MQL5."""
    return current_terminal().event_loop.kill_socket(current_program(), s)


def Fail(code: int, text: str) -> None:
    """End the program with an error: log one line and set the process's exit code. Not part of MQL5.

    Codes: 2 options, 3 network, 4 data or account. Like ExpertRemove it returns; the program is removed after the
    running event function, and OnDeinit runs.
    """
    write_log("error", text, limited=False)
    program = current_program()
    program.removed = True
    program.exit_code = code


def DayResult() -> Decimal:
    """The account's result of the present day of the market, in points times lots. Not part of MQL5.

    It is the equity, without commission and swap, minus the balance at the beginning of the day: the profit of the
    day's deals plus that of the open positions, each valued at the price at which it would be closed now.
    """
    return current_terminal().day_result()


def IndicatorLine(
    name: str,
    sub_window: int,
    values: Mapping[datetime, float],
    color: int,
    style: int = c.STYLE_SOLID,
    width: int = 1,
    levels: Sequence[float] = (),
) -> bool:
    """Draw a line on the program's chart, or replace the one with this name. Not part of MQL5.

    ``sub_window`` 0 has the prices, 1 to 4 are windows below them. ``values`` is what MQL5 calls the buffer: the value
    of each bar by the time of its beginning. The program changes it at any time, and each picture shows its present
    values. A bar without a value interrupts the line. ``levels`` are horizontal lines of a window below the prices.
    Another symbol or period of the chart removes its lines before OnInit; they outlive the program itself.

    Returns False for a name that is empty or has several lines, for another window, and for more than 32 lines.
    """
    program = current_program()
    line = lines.IndicatorLine(name, sub_window, values, color, style, width, levels)
    return layout.one_line(name) and program.terminal.lines.put(program.id, line)


def IndicatorLineDelete(name: str) -> bool:
    """Remove a line of IndicatorLine from the program's chart; False when there is none. Not part of MQL5."""
    program = current_program()
    return program.terminal.lines.remove(program.id, name)


def TerminalClock() -> Clock:
    """The terminal's clock, for a program's own threads: they cannot call the functions of MQL5. Not part of MQL5."""
    return current_terminal().clock


def UseVirtualAccount() -> None:
    """From now on trade on a virtual account, for a dry run. Not part of MQL5.

    It begins with the account's positions. Its deals are logged and recorded as ``virtual_deal``; the account itself is
    not changed.
    """
    current_terminal().use_virtual_account()
