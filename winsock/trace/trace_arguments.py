"""What the commands that read traces have in common: their arguments [NAME=]FILE and their error messages."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from winsock.command_line import is_same_file, printable

from .events import Lane
from .trace_files import TraceError, read_lanes

__all__ = ["TRACE", "TRACE_HELP", "failed", "file_and_name", "read_traces", "replaces_trace", "write_file"]

TRACE = "[NAME=]FILE"
TRACE_HELP = "a trace; NAME is the name of its lane"


def failed(prog: str, text: str) -> int:
    """Writes an error message to standard error; returns the exit code 2."""
    print(f"{prog}: error: {printable(text)}", file=sys.stderr)
    return 2


def file_and_name(text: str) -> tuple[Path, str | None]:
    """The path and the name in an argument [NAME=]FILE; the name is None if the argument has none."""
    match = re.fullmatch(r"([^=/\\]+)=(.+)", text)
    return (Path(match[2]), match[1]) if match and not Path(text).exists() else (Path(text), None)


def read_traces(traces: Sequence[str]) -> list[Lane]:
    """The programs of all traces.

    Errors: TraceError for a file that cannot be read or is not a trace, or if no trace has a call.
    """
    lanes = [lane for trace in traces for lane in read_lanes(*file_and_name(trace))]
    if not any(lane.records or lane.waiting for lane in lanes):
        raise TraceError("no calls in " + ", ".join(traces))
    return lanes


def replaces_trace(target: str | Path, traces: Sequence[str]) -> bool:
    """Whether output to the file `target` would replace one of the traces."""
    return any(is_same_file(target, file_and_name(trace)[0]) for trace in traces)


def write_file(path: str | Path, data: bytes) -> None:
    """Writes a file.

    Errors: OSError with the name of the file; that of a full disk has none of its own.
    """
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
