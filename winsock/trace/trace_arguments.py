"""What the commands that read traces have in common: their arguments [NAME=]FILE and their error messages."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

from winsock.command_line import is_same_file, printable

from .events import Lane
from .trace_files import TraceError, read_lanes

__all__ = [
    "TRACE", "TRACE_HELP", "failed", "file_and_name", "read_traces", "replaces_source", "replaces_trace", "write_file",
]  # fmt: skip

TRACE = "[NAME=]FILE"
TRACE_HELP = "a trace, or a folder: all of its files that end in .jsonl; NAME is the name of its lane"


def failed(prog: str, text: str) -> int:
    """Writes an error message to standard error; returns the exit code 2."""
    print(f"{prog}: error: {printable(text)}", file=sys.stderr)
    return 2


def file_and_name(text: str) -> tuple[Path, str | None]:
    """The path and the name in an argument [NAME=]FILE; the name is None if the argument has none."""
    match = re.fullmatch(r"([^=/\\]+)=(.+)", text)
    return (Path(match[2]), match[1]) if match and not os.path.exists(text) else (Path(text), None)


def read_traces(traces: Sequence[str]) -> list[Lane]:
    """The programs of all traces; a folder stands for the traces in it.

    Errors: TraceError for a file that cannot be read or is not a trace, for a folder without a trace, or if no trace
    has a call.
    """
    lanes = []
    for trace in traces:
        path, name = file_and_name(trace)
        files = _files(path)
        if not files:
            raise TraceError(f"{trace}: the folder has no file that ends in .jsonl")
        lanes += [lane for file in files for lane in read_lanes(file, name)]
    if not any(lane.records or lane.waiting for lane in lanes):
        raise TraceError("no calls in " + ", ".join(traces))
    return lanes


def replaces_trace(target: str | Path, traces: Sequence[str]) -> bool:
    """Whether output to the file `target` would replace one of the traces."""
    return any(is_same_file(target, file) for trace in traces for file in _files(file_and_name(trace)[0]))


def replaces_source(target: str | Path, lanes: Sequence[Lane]) -> bool:
    """Whether output to the file `target` would replace a source file that a call or a command line names.

    A relative name is relative to the folder in which the program ran, which a trace does not have: every file whose
    path ends with that name counts.
    """
    if not os.path.isfile(target):
        return False
    records = (record for lane in lanes for record in (*lane.records, *lane.waiting.values()))
    files = {record["source"]["file"] for record in records if "source" in record}
    files |= {word for lane in lanes for word in lane.argv if word.endswith((".py", ".pyw"))}
    path = _parts(os.path.realpath(target))
    return any(is_same_file(target, file) or path[-len(_parts(file)) :] == _parts(file) for file in files)


def _parts(path: str) -> tuple[str, ...]:
    return PurePath(os.path.normcase(path)).parts


def _files(path: Path) -> list[Path]:
    """The traces in a folder; the file itself, if it is none."""
    return sorted(path.glob("*.jsonl")) if os.path.isdir(path) else [path]


def write_file(path: str | Path, data: bytes) -> None:
    """Writes a file.

    Errors: OSError with the name of the file; that of a full disk has none of its own.
    """
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
