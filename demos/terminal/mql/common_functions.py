"""Common functions: output to the log and the chart, waiting, the tick counter. https://www.mql5.com/en/docs/common"""

from __future__ import annotations

from demos.terminal.mql.conversion import mql_format, mql_text
from demos.terminal.terminal import current_program, current_terminal

__all__ = ["Alert", "Comment", "ExpertRemove", "GetTickCount64", "Print", "Sleep", "printf"]


def Print(*args: object) -> None:
    """Write one line to the log: the arguments as MQL5 shows them, one after the other.

    A text that begins with "-" has level ``error``, any other ``info``.
    """
    text = "".join(mql_text(arg) for arg in args)
    write_log("error" if text.startswith("-") else "info", text)


def printf(format: str, *args: object) -> None:
    """Write one line to the log, formatted as by MQL5's PrintFormat.

    Errors: TypeError or ValueError when the format does not fit its arguments.
    """
    Print(mql_format(format, args))


def Comment(*args: object) -> None:
    """Replace the text in the chart's corner."""
    program = current_program()
    program.terminal.charts.comment(program.id, "".join(mql_text(arg) for arg in args))


def Alert(*args: object) -> None:
    """Write one line of level ``alert`` to the log."""
    write_log("alert", "".join(mql_text(arg) for arg in args))


def ExpertRemove() -> None:
    """Remove the program from its chart when the running event function has returned; OnDeinit runs."""
    current_program().removed = True


def Sleep(milliseconds: int) -> None:
    """Wait, or return early when the program is asked to end. Only commands are executed meanwhile."""
    current_terminal().event_loop.sleep(current_program(), milliseconds / 1000)


def GetTickCount64() -> int:
    """Milliseconds of the terminal's monotonic clock, the only clock for durations."""
    return int(current_terminal().clock.monotonic() * 1000)


def write_log(level: str, text: str, *, limited: bool = True) -> None:
    """Write one line of the running program to the log; ``limited``: it may be omitted when there are too many."""
    program = current_program()
    program.logged_error = program.logged_error or level == "error"
    log = program.terminal.log
    (log.write_limited if limited else log.write)(program.label, level, program.event, text)
