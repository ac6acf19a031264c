"""Writes a trace as text or as JSON lines, to a file or to standard error."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, NamedTuple, Protocol

from winsock.command_line import printable
from winsock.symbols import error_name
from winsock.version import __version__

from .calls import PREVIEW, Call, Shown
from .parameters import PARAMETERS, When
from .rendering import arguments, json_result, quoted, result, value
from .source import source_of_call
from .waits import MAY_BLOCK, Waits

__all__ = ["CLOCK", "REAL", "JsonSink", "Origin", "Output", "Sink", "TextSink", "raised_text"]

# A monotonic clock that all processes of a machine share: CLOCK_MONOTONIC, or the performance counter of Windows.
CLOCK = time.perf_counter_ns

# The longest text of a call that has begun, and the longest JSON text of its arguments, in characters.
_BEGINNING = 200
_ARGUMENTS = 2000


class Sink(Protocol):
    """Receives each call before it starts and after it has ended.

    Times are nanoseconds of the tracer's clock; `addresses` has the local and peer address of the socket if they are
    known.
    """

    def begin(self, call: Call, number: int, start: int) -> None: ...

    def end(self, call: Call, number: int, start: int, duration: int, addresses: dict[str, str]) -> None: ...

    def close(self) -> None: ...


class Output:
    """Writes to a file or to standard error. A failed write ends the trace, but not the program.

    Each line is one write to a file that is open for appending, so lines of several threads, and of several processes
    that share the file, are not mixed. A program may close all of its descriptors, and the next file that it opens then
    has the trace's: nothing is written to that.
    """

    def __init__(self, path: str, append: bool) -> None:
        self._own = path != "-"
        self._fd = 2
        self._file = (0, 0)
        if self._own:
            mode = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | (0 if append else os.O_TRUNC)
            path = path.replace("%p", str(os.getpid()))
            self._fd = os.open(path, mode, 0o666)
            self._file = _identity(self._fd)
            if append and not _ends_with_a_line(path, self._fd):
                self.write("\n")

    def write(self, text: str) -> None:
        if self._fd < 0:
            return
        try:
            if self._own and _identity(self._fd) != self._file:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            os.write(self._fd, text.encode("ascii", "backslashreplace"))
        except OSError as error:
            own, self._fd = self._own, -1
            # If standard error itself failed, there is no place left for a message.
            if own and sys.stderr is not None:
                sys.stderr.write(f"winsock.trace: the trace ends because a write failed: {error.strerror}\n")

    def close(self) -> None:
        if self._own and self._fd >= 0:
            with suppress(OSError):
                if _identity(self._fd) == self._file:
                    os.close(self._fd)
        self._fd = -1


def _identity(fd: int) -> tuple[int, int]:
    """What tells an open file from every other one.

    Errors: OSError if the descriptor is closed.
    """
    state = os.fstat(fd)
    return state.st_dev, state.st_ino


def _ends_with_a_line(path: str, fd: int) -> bool:
    """Whether a file is empty or ends with a line end; a program that was killed may have left half a line."""
    state = os.fstat(fd)
    if not stat.S_ISREG(state.st_mode) or not state.st_size:
        return True
    try:
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
    except OSError:  # it may be written, but not read
        return True


def raised_text(error: BaseException) -> str:
    """The exception's class, and its text if it has one; KeyboardInterrupt has none."""
    text = str(error)
    return type(error).__name__ + (f": {text}" if text else "")


class TextSink:
    """Writes one line per call: time of day, thread, call, result, and duration in seconds.

    For a call that may block, the start of the line is written before the call, so the last line of a program that
    hangs shows where. If a line of another thread comes in between, the two halves are marked as by strace.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        # Reentrant: a signal handler may make a Winsock call while its thread writes a line.
        self._lock = threading.RLock()
        self._pid = os.getpid()
        # The numbers of the call whose line has no end yet, and of all calls that have begun and not returned.
        self._open = 0
        self._begun: set[int] = set()
        self._wall = time.time_ns() - CLOCK()

    def begin(self, call: Call, number: int, start: int) -> None:
        if call.name not in MAY_BLOCK:
            return
        with self._process_lock():
            self._interrupt()
            self._output.write(f"{self._head(start)}{call.name}({_beginning(call)}")
            self._open = number
            self._begun.add(number)

    def end(self, call: Call, number: int, start: int, duration: int, addresses: dict[str, str]) -> None:
        outcome = f" raised {printable(raised_text(call.raised))}" if call.raised else f" = {result(call)}"
        took = f" <{duration / 1e9:.6f}>\n"
        line = f"{arguments(call.shown)}){outcome}{took}"
        with self._process_lock():
            if number in self._begun:
                self._begun.discard(number)
                if self._open == number:
                    self._open = 0
                    self._output.write(line.removeprefix(_beginning(call)))
                    return
                head = f"{self._head(start + duration)}<... {call.name} resumed> "
            else:
                head = f"{self._head(start)}{call.name}("
            self._interrupt()
            self._output.write(head + line)

    def close(self) -> None:
        with self._process_lock():
            self._interrupt()
            self._output.close()

    def _process_lock(self) -> AbstractContextManager[object]:
        """The lock of this process; that of its parent may have been held by another thread at fork."""
        if self._pid != os.getpid():
            self._pid, self._lock = os.getpid(), threading.RLock()
        return self._lock

    def _interrupt(self) -> None:
        if self._open:
            self._open = 0
            self._output.write(" <unfinished ...>\n")

    def _head(self, clock: int) -> str:
        seconds, nanoseconds = divmod(self._wall + clock, 10**9)
        clock_time = time.strftime("%H:%M:%S", time.localtime(seconds))
        return f"{clock_time}.{nanoseconds // 1000:06} [{quoted(_thread().encode('utf-8', 'replace'))[1:-1]}] "


def _known(call: Call) -> dict[str, Shown]:
    """The arguments that are known before the call, by name."""
    parameters = PARAMETERS[call.name]
    return {
        name: shown
        for name, shown in call.shown.items()
        if name not in parameters or parameters[name].when is not When.OUT
    }


def _beginning(call: Call) -> str:
    """The arguments that are known before the call, up to the first one that the call fills in."""
    known = []
    for name in call.args:
        parameter = PARAMETERS[call.name].get(name)
        if parameter is None or parameter.when is not When.IN:
            break
        known.append(value(call.shown[name]) + ", ")
    return "".join(known) if len(known) < len(call.args) else "".join(known)[:-2]


def _thread() -> str:
    return threading.current_thread().name


class Origin(NamedTuple):
    """Where traced calls come from: functions that return times in nanoseconds, the process id, the thread's name.

    All origins of one picture share a clock; `wall` is the time of day, in nanoseconds since 1970.
    """

    clock: Callable[[], int]
    wall: Callable[[], int]
    pid: Callable[[], int]
    thread: Callable[[], str]


REAL = Origin(CLOCK, time.time_ns, os.getpid, _thread)


class JsonSink:
    """Writes one JSON object per line: first one for the program, then one for each call after it has returned.

    A call that may wait has a line at its beginning too, which `winsock.trace live` shows until the call returns.
    """

    def __init__(self, output: Output, backend: str, argv: list[str], origin: Origin = REAL) -> None:
        self._output, self._origin = output, origin
        self._waits = Waits()
        self._write(
            {
                "trace": 1,
                "winsock": __version__,
                "backend": backend,
                "pid": origin.pid(),
                "argv": argv,
                "t": origin.clock(),
                "wall": origin.wall(),
            }
        )

    def begin(self, call: Call, number: int, start: int) -> None:
        if self._waits.may_wait(call):
            record: dict[str, Any] = {
                "begun": number,
                "t": start,
                "pid": self._origin.pid(),
                "thread": self._origin.thread(),
                "call": call.name,
                "text": f"{call.name}({_beginning(call)}"[:_BEGINNING],
            }
            args = _known(call)
            if len(json.dumps(args)) <= _ARGUMENTS:
                record["args"] = args
            if source := source_of_call():
                record["source"] = source
            self._write(record)

    def end(self, call: Call, number: int, start: int, duration: int, addresses: dict[str, str]) -> None:
        self._waits.ended(call)
        record: dict[str, Any] = {
            "n": number,
            "t": start,
            "d": duration,
            "pid": self._origin.pid(),
            "thread": self._origin.thread(),
            "call": call.name,
            "args": call.shown,
        }
        if call.raised:
            record["raised"] = raised_text(call.raised)
            outcome = f"raised {printable(record['raised'])}"
        else:
            record["result"] = json_result(call)
            outcome = f"= {result(call)}"
        if call.error:
            record["error"] = {"code": call.error, "name": error_name(call.error)}
        if source := source_of_call():
            record["source"] = source
        shown = {name: _brief(value) for name, value in call.shown.items()}
        self._write(record | addresses | {"text": f"{call.name}({arguments(shown)}) {outcome}"})

    def close(self) -> None:
        self._output.close()

    def _write(self, record: dict[str, Any]) -> None:
        self._output.write(json.dumps(record, separators=(",", ":")) + "\n")


def _brief(shown: Shown) -> Shown:
    """An argument with at most PREVIEW bytes of a buffer, for the text of a call."""
    if isinstance(shown, dict) and "hex" in shown:
        return shown | {"hex": shown["hex"][: 2 * PREVIEW]}
    return shown
