"""Call tracing: what strace is to Linux, for the calls of winsock.

    python -m winsock.trace PROGRAM.py ARGUMENT …      each call on standard error, as C would read
    python -m winsock.trace --json -o A.jsonl PROGRAM  JSON lines, for programs
    python -m winsock.trace picture A.jsonl B.jsonl --html TALK.html --mermaid TALK.md

Without the command the environment variable does the same: WINSOCK_TRACE=- for standard error, or a file, to which is
appended; a name that ends in .json or .jsonl takes JSON lines, and WINSOCK_TRACE_FORMAT=text or json says otherwise.
`%p` in the name is the process's number, so that processes which a program starts have files of their own.

A JSON line has n (order of calls), t (nanoseconds of a clock that all processes of a machine share), d (duration in
nanoseconds), pid, thread, call, args, result or raised, error (code, name), local and peer (the socket's addresses),
and text, the line for people. The first line tells of the program: argv, pid, backend, and wall, the time of day in
nanoseconds since 1970 at its t.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence

import winsock
from winsock.api import CALLS, Winsock

from .sinks import JsonSink, Output, Sink, TextSink
from .tracer import traced

__all__ = ["PREVIEW", "start", "start_by_environment", "stop"]

# So many bytes of a buffer are shown.
PREVIEW = 32

_running: tuple[Winsock, Sink] | None = None


def start(
    path: str = "-",
    *,
    json: bool = False,
    append: bool = False,
    preview: int = PREVIEW,
    only: Collection[str] = CALLS,
    argv: Sequence[str] | None = None,
) -> None:
    """Trace the calls that are imported from winsock from now on, to a file or, for "-", to standard error.

    `preview` is the number of bytes that are shown of a buffer, `only` the calls that are traced. A trace that runs is
    stopped first.

    Errors: OSError when the file can't be opened.
    """
    global _running
    stop()
    output = Output(path, append)
    program = list(sys.orig_argv if argv is None else argv)
    sink: Sink = JsonSink(output, winsock.BACKEND, program) if json else TextSink(output)
    _running = winsock.calls, sink
    winsock.replace_calls(traced(winsock.calls, sink, json, preview, only))


def stop() -> None:
    """Give winsock its own calls back, and close the trace. What was imported before stays traced, to nowhere."""
    global _running
    if _running:
        calls, sink = _running
        _running = None
        winsock.replace_calls(calls)
        sink.close()


def start_by_environment(environment: Mapping[str, str]) -> None:
    """Start the trace that WINSOCK_TRACE asks for; where that can't be, say so on standard error and go on."""
    path = environment["WINSOCK_TRACE"]
    wanted = environment.get("WINSOCK_TRACE_FORMAT", "")
    if wanted not in ("", "text", "json"):
        sys.stderr.write(f"winsock.trace: WINSOCK_TRACE_FORMAT is text or json, not {wanted!r}\n")
    as_json = wanted == "json" or (wanted != "text" and path.endswith((".json", ".jsonl")))
    try:
        start(path, json=as_json, append=True)
    except OSError as error:
        sys.stderr.write(f"winsock.trace: no trace: {path}: {error.strerror or os.strerror(error.errno or 0)}\n")
