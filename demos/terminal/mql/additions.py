"""Additions of this project, not part of MQL5: Input, Event, Fail, EventSetSocket and others.

MQL declares an input with the keyword ``input``; a Python module annotates a variable with Input instead. Event and
Fail report to other processes: a line in the events file, and the exit code. DayResult is for a limit of losses,
UseVirtualAccount for dry runs. With EventSetSocket the terminal calls a program when a socket is ready, in addition to
its timer.
"""

from __future__ import annotations

from decimal import Decimal

from demos.terminal.interfaces import Clock
from demos.terminal.mql.common_functions import write_log
from demos.terminal.runtime.programs import Input
from demos.terminal.terminal import current_program, current_terminal

__all__ = [
    "DayResult",
    "Event",
    "EventKillSocket",
    "EventSetSocket",
    "Fail",
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


def TerminalClock() -> Clock:
    """The terminal's clock, for a program's own threads: they cannot call the functions of MQL5. Not part of MQL5."""
    return current_terminal().clock


def UseVirtualAccount() -> None:
    """From now on trade on a virtual account, for a dry run. Not part of MQL5.

    It begins with the account's positions. Its deals are logged and recorded as ``virtual_deal``; the account itself is
    not changed.
    """
    current_terminal().use_virtual_account()
