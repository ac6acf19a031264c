"""Traces the calls of winsock, as strace traces the system calls of a program on Linux.

    python -m winsock.trace PROGRAM.py ARGUMENT …      print each call on standard error, in C notation
    python -m winsock.trace -o A.jsonl PROGRAM         write JSON lines, for programs
    python -m winsock.trace picture A.jsonl B.jsonl --html TALK.html --mermaid TALK.md
    python -m winsock.trace --help                     lists the other commands that read traces

The environment variable WINSOCK_TRACE starts a trace in any program, but not in `python -m winsock.trace` itself: "-"
is standard error, anything else is a file, to which the trace is appended. A file name that ends in .json or .jsonl
selects JSON lines; WINSOCK_TRACE_FORMAT=text or json overrides that. `%p` in the file name is replaced by the process
id, so that each child process has its own file, except one that was created by fork.

FD_SET appears in a trace of select only when the set is full and does not take the socket.

Each JSON line describes a call: n (number of the call), t (start in nanoseconds of a clock that all processes of the
machine share), d (duration in nanoseconds), pid, thread, call, args, result or raised, error (code and name), source
(the program's line that makes the call: file, line, function, code), local and peer (the addresses of the socket), and
text (the line in C notation). A call that may wait has a line at its beginning too, with begun, the number of the call,
in the place of n, and args as far as they are known then. The first line describes the program: argv, pid, backend,
and wall, the time of day in nanoseconds since 1970 at its t.

How it works: `start` replaces the one object that all calls of `winsock` come from (tracer.py) by one that passes each
call on and reports it to a sink (sinks.py), which writes text or JSON lines. parameters.py says how each argument is
read (readers.py, memory.py) and symbols.py turns numbers into the names of the headers. The commands read and check
the JSON lines of several programs (trace_files.py) and make one timeline of them (timeline.py): it matches sends with
receives (matching.py, reports.py, wire_formats.py) and puts the calls in an order in which no effect is above its cause
(order.py). `picture` draws the timeline (page.py, mermaid.py), `export` writes it in other formats (packets.py,
perfetto.py), and `diff` compares two of them (comparison.py). `live` follows files that grow (live_files.py), keeps the
last calls (live_history.py) and shows them in the terminal (live_rows.py, live_terminal.py) and on a page
(live_page.py); it can start the programs itself (live_programs.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence

import winsock
from winsock.api import CALLS, Winsock
from winsock.command_line import is_same_file

from .calls import JSON_PREVIEW, PREVIEW
from .sinks import JsonSink, Output, Sink, TextSink
from .tracer import traced

__all__ = ["JSON_PREVIEW", "PREVIEW", "start", "start_by_environment", "stop"]

# The calls before the trace, the traced ones, and where the trace goes.
_running: tuple[Winsock, Winsock, Sink] | None = None


def start(
    path: str = "-",
    *,
    json: bool = False,
    append: bool = False,
    preview: int | None = None,
    only: Collection[str] = CALLS,
    argv: Sequence[str] | None = None,
) -> None:
    """Starts a trace to the file `path`, or to standard error if it is "-".

    Traced are the calls that programs import from winsock afterwards. `preview` is the number of bytes of a buffer to
    show, by default PREVIEW in text and JSON_PREVIEW in JSON lines; `only` are the names of the calls to trace, and
    `argv` is the command line that JSON lines record. If a trace is already running, it is stopped first.

    Errors: OSError if the file cannot be opened.
    """
    global _running
    stop()
    if preview is None:
        preview = JSON_PREVIEW if json else PREVIEW
    output = Output(path, append)
    program = list(_command_line() if argv is None else argv)
    sink: Sink = JsonSink(output, winsock.BACKEND, program) if json else TextSink(output)
    _running = winsock.calls, traced(winsock.calls, sink, json, preview, only), sink
    winsock.replace_calls(_running[1])


def _command_line() -> list[str]:
    """The command line of this process; in a process that multiprocessing has started, that of its parent's program."""
    command = sys.orig_argv
    return sys.argv if "-c" in command and sys.argv and sys.argv[0] not in ("", "-c") else command


def _is_trace_command() -> bool:
    """Whether Python was started with -m winsock.trace; while it looks for that module, sys.argv begins with "-m"."""
    return sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)].removeprefix("-m") == "winsock.trace"


def stop() -> None:
    """Restores the calls of winsock and closes the trace.

    Traced functions that a program has imported keep working; they write nothing any more.
    """
    global _running
    if _running:
        before, now, sink = _running
        _running = None
        if winsock.calls is now:  # and not those of a simulation that began or ended after the start
            winsock.replace_calls(before)
        sink.close()


def start_by_environment(environment: Mapping[str, str]) -> None:
    """Starts the trace that WINSOCK_TRACE requests; if that fails, reports it on standard error and returns.

    `python -m winsock.trace` gets none: a command that reads the trace would append to it, and a program that it runs
    has the trace of its options.
    """
    if _is_trace_command():
        return
    path = environment["WINSOCK_TRACE"]
    wanted = environment.get("WINSOCK_TRACE_FORMAT", "")
    if wanted not in ("", "text", "json"):
        sys.stderr.write(f"winsock.trace: invalid WINSOCK_TRACE_FORMAT: {wanted!r}; use text or json\n")
    as_json = wanted == "json" or (wanted != "text" and path.endswith((".json", ".jsonl")))
    program = sys.argv[0] if sys.argv else ""
    if any(is_same_file(path, file) for file in (program, os.path.join(program, "__main__.py"))):
        sys.stderr.write(f"winsock.trace: cannot write the trace to {path}: it is the program itself\n")
        return
    try:
        start(path, json=as_json, append=True)
    except OSError as error:
        sys.stderr.write(
            f"winsock.trace: cannot write the trace to {path}: {error.strerror or os.strerror(error.errno or 0)}\n"
        )
