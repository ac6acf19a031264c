"""What a job reads from its children's log lines.

A log line is ``TIME PROGRAM[SYMBOL,PERIOD] LEVEL EVENT TEXT``; see demos.terminal.runtime.log. A symbol may contain
blanks. The texts that are looked for here are the article's own, so that a job also works with programs that write no
events.
"""

from __future__ import annotations

import re

from demos.launcher.progress import READING

# What the terminal logs when a replay that was held begins, and when a replay has reached the end of its file.
FIRST_TICK = "the replay begins"
LAST_TICK = "the last tick has been replayed"
CONNECTED = "connect OK"

_LOG_LINE = re.compile(r"(\d{4}-\S+) (?:[^\s\[]+\[.*?\]|\S+) (info|error|alert) (\S+) (.*)")
_COMMAND_LINE_ERROR = re.compile(r": error: (.*)")
_TRACEBACK_END = re.compile(r"[\w.]*Error: .*")
_LISTENING = re.compile(r"start server ok, \S+:(\d+)$")


def error_of(text: str) -> str | None:
    """The error that a line reports, or None: of a log line, of the command line, or of a traceback."""
    log_line = _LOG_LINE.fullmatch(text)
    if log_line:
        return log_line[4].removeprefix("-") if log_line[2] == "error" else None
    found = _COMMAND_LINE_ERROR.search(text)
    if found:
        return found[1]
    return text if _TRACEBACK_END.match(text) else None


def is_reading(text: str) -> bool:
    """Whether a line says that a process still reads its file."""
    log_line = _LOG_LINE.fullmatch(text)
    return bool(log_line and log_line[3] == "market" and log_line[4].startswith(READING))


def shortened(text: str) -> str:
    """A log line without its date, program and level; any other line as it is."""
    log_line = _LOG_LINE.fullmatch(text)
    return f"{log_line[1][11:23]} {log_line[4]}" if log_line else text


def listening_port(text: str) -> int | None:
    """The port of a server that reports its start; None for any other line."""
    found = _LISTENING.search(text)
    return int(found[1]) if found else None
