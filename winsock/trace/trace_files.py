"""Reads traces in JSON lines. A file may be incomplete, damaged, of another kind, or made to do harm.

Every value that a picture uses is checked here, so the other modules need no checks. A last line without a line end is
ignored: the program was killed while it wrote it. Everything else that is not part of a trace is a TraceError with the
file, the line and what to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

from .events import Lane

__all__ = [
    "MAX_BYTES", "MAX_CALLS", "MAX_LINE", "Added", "InvalidLine", "TraceError", "TraceLines", "program_name",
    "read_lanes",
]  # fmt: skip

# A browser cannot show more calls, and each takes about two kilobytes of memory.
MAX_CALLS = 500_000
# The most calls of a program that have begun and not returned; a program that ends in a call leaves one.
MAX_WAITING = 1000
# The longest line of a call that has begun, in bytes.
MAX_BEGUN = 10_000
# The longest line in bytes. A call with a whole buffer of one megabyte (option --bytes) takes six.
MAX_LINE = 1 << 24
# The largest file in bytes: with many long lines the limit of calls alone would allow far more memory.
MAX_BYTES = 1 << 29
_OF_MULTIPROCESSING = re.compile(r"from multiprocessing[.\w]* import ")
_RECORD_AGAIN = "record it again: python -m winsock.trace -o FILE.jsonl PROGRAM.py"


class TraceError(Exception):
    """A file cannot be read or is not a trace."""


class InvalidLine(Exception):
    """A line is not part of a trace; the text says why."""


def read_lanes(path: Path, name: str | None = None) -> list[Lane]:
    """The programs in a file of JSON lines, with the name `name` or one from their command lines.

    Errors: TraceError for a file that cannot be read or is not a trace.
    """
    lines = TraceLines(name)
    number = size = calls = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(_lines(file.readline), 1):
                try:
                    calls += lines.add(line).call is not None
                except InvalidLine as problem:
                    if lines.lanes and not line.endswith(b"\n") and len(line) <= MAX_LINE:
                        break  # the program was killed while it wrote its last line
                    text = f"{path}, line {number} is not part of a trace: {problem}; {_RECORD_AGAIN}"
                    raise TraceError(text) from problem
                size += len(line)
                if calls > MAX_CALLS or number > 2 * MAX_CALLS + 1:
                    raise TraceError(f"{path} has more than {MAX_CALLS} calls; trace fewer with --calls")
                if size > MAX_BYTES:
                    raise TraceError(f"{path} has more than {MAX_BYTES >> 20} MB; trace less with --calls or --bytes")
    except (OSError, ValueError) as error:  # ValueError: a file name with a NUL
        raise TraceError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not number:
        raise TraceError(f"{path} is empty; {_RECORD_AGAIN}")
    return lines.lanes


def _lines(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    while line := readline(MAX_LINE + 1):
        yield line


def _record(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise InvalidLine(f"longer than {MAX_LINE >> 20} MB (--bytes N records fewer bytes)")
    try:
        record = json.loads(line.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidLine("not UTF-8") from error
    except (ValueError, RecursionError) as error:  # ValueError: also an int of more than 4300 digits
        raise InvalidLine("not JSON (a file name that ends in .jsonl selects it)") from error
    if not isinstance(record, dict):
        raise InvalidLine("not a JSON object")
    return record


class Added(NamedTuple):
    """What a line has added: the lane, and the record of the call if the line describes a call that has returned."""

    lane: Lane
    call: dict[str, Any] | None


class TraceLines:
    """The lanes that the lines of one trace describe; `name` replaces the names from their command lines."""

    def __init__(self, name: str | None = None) -> None:
        self.lanes: list[Lane] = []
        self._name = name
        self._by_pid: dict[int, Lane] = {}

    def add(self, line: bytes) -> Added:
        """Check a line and add it to its lane.

        Errors: InvalidLine if the line is not part of a trace.
        """
        record = _record(line)
        pid = _number(record, "pid")
        if "trace" in record:
            return Added(self._new_lane(record, pid), None)
        if "begun" in record:
            if len(line) > MAX_BEGUN:
                raise InvalidLine(f"the beginning of a call is longer than {MAX_BEGUN} bytes")
            _check_begun(record)
            waiting = self._lane(pid).waiting
            if len(waiting) >= MAX_WAITING:
                del waiting[next(iter(waiting))]
            waiting[record["begun"]] = record
            return Added(self._lane(pid), None)
        _check_call(record)
        lane = self._lane(pid)
        lane.waiting.pop(record["n"], None)
        lane.records.append(record)
        return Added(lane, record)

    def forget(self, lane: Lane) -> None:
        """Remove a lane, for a reader that keeps only some."""
        self.lanes.remove(lane)
        if self._by_pid.get(lane.pid) is lane:
            del self._by_pid[lane.pid]

    def _new_lane(self, record: dict[str, Any], pid: int) -> Lane:
        argv = record.get("argv")
        if not isinstance(argv, list) or not all(isinstance(word, str) for word in argv):
            raise InvalidLine("'argv' is not a list of strings")
        offset = _number(record, "wall") - _number(record, "t")
        lane = Lane(self._name or program_name(argv), pid, argv, _text(record, "backend"), offset)
        self._by_pid[pid] = lane
        self.lanes.append(lane)
        return lane

    def _lane(self, pid: int) -> Lane:
        if not self.lanes:
            raise InvalidLine("the first line of a trace describes the program; this one describes a call")
        if pid not in self._by_pid:
            # A child process created by fork writes no line about itself.
            parent = self.lanes[0]
            name = f"{parent.name} (pid {pid})"
            self._by_pid[pid] = Lane(name, pid, parent.argv, parent.backend, parent.offset, parent=parent.pid)
            self.lanes.append(self._by_pid[pid])
        return self._by_pid[pid]


def _check_begun(record: dict[str, Any]) -> None:
    for key in ("begun", "t"):
        _number(record, key)
    _check_common(record)
    if "args" in record:
        _check_args(record["args"])


def _check_call(record: dict[str, Any]) -> None:
    """Errors: InvalidLine if the record of a call lacks a value or has one of another type."""
    for key in ("n", "t", "d"):
        _number(record, key)
    _check_common(record)
    if "raised" not in record and "result" not in record:
        raise InvalidLine("'result' is missing")
    _check_args(record.get("args"))


def _check_args(args: Any) -> None:
    if not isinstance(args, dict):
        raise InvalidLine("'args' is not an object")
    buffer = args.get("buf")
    if isinstance(buffer, dict) and ("bytes" in buffer or "hex" in buffer):
        _check_buffer(buffer)


def _check_common(record: dict[str, Any]) -> None:
    if not re.fullmatch(r"\w{1,40}", _text(record, "call")):
        raise InvalidLine("'call' is not a name")
    _text(record, "text")
    for key in ("thread", "local", "peer", "raised"):
        if key in record:
            _text(record, key)
    error = record.get("error", {"name": "0"})
    if not isinstance(error, dict) or not re.fullmatch(r"[\w-]{1,60}", _text(error, "name")):
        raise InvalidLine("'error' is not the name of an error")
    if "source" in record:
        _check_source(record["source"])


def _check_source(source: Any) -> None:
    if not isinstance(source, dict) or _number(source, "line") < 0:
        raise InvalidLine("'source' is not a line of a program")
    for key in ("file", "function", "code"):
        _text(source, key)


def _check_buffer(buffer: dict[str, Any]) -> None:
    if _number(buffer, "bytes") < 0 or not re.fullmatch(r"(?:[0-9a-fA-F]{2})*", _text(buffer, "hex")):
        raise InvalidLine("'buf' is not a number of bytes with hexadecimal digits")


def _number(record: dict[str, Any], key: str) -> int:
    value = record.get(key)
    if type(value) is not int or not -(1 << 63) <= value < 1 << 63:
        raise InvalidLine(f"{key!r} is missing" if value is None else f"{key!r} is not an integer of 64 bits")
    return value


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise InvalidLine(f"{key!r} is missing" if value is None else f"{key!r} is not a string")
    return value


def program_name(argv: list[str]) -> str:
    """A short name for a command line: the script, or the last word of the module and its commands.

    A program in the command line itself has the name of the option, -c; a process that multiprocessing started has the
    name of that module.
    """
    words = list(argv)
    if words and PureWindowsPath(words[0]).stem.lower().startswith("python"):
        words = words[1:]
    while words and words[0].startswith("-") and words[0] not in ("-c", "-m"):
        words = words[2 if words[0] in ("-X", "-W") else 1 :]
    if words[:1] == ["-c"]:
        return "multiprocessing" if _OF_MULTIPROCESSING.match(" ".join(words[1:2])) else "python -c"
    if words[:1] == ["-m"]:
        names = list(takewhile(lambda word: not word.startswith("-"), words[1:]))
        return names[-1] if names else "python"
    path = PureWindowsPath(words[0] if words else "python")
    return path.parent.name if path.stem == "__main__" and path.parent.name else path.stem
