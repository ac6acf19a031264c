"""python -m winsock.trace summary: counts calls, errors, bytes and time per call, as strace -c does."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from winsock.command_line import printable, run_command, write_output

from .calls import MOVING
from .events import Event, Lane
from .timeline import distinct
from .trace_arguments import TRACE, TRACE_HELP, failed, read_traces
from .trace_files import TraceError

_PROG = "python -m winsock.trace summary"
_EPILOG = """\
examples:
  python -m winsock.trace --json -o server.jsonl server.py
  python -m winsock.trace summary server.jsonl
  python -m winsock.trace summary server.jsonl client.jsonl --sort errors
  python -m winsock.trace summary server.jsonl --json

Each program has a table; several programs have one more for all of them. The
time of a call includes the time that it waited: a recv that blocks for a minute
takes a minute. Bytes are those that were sent or received; data that was only
looked at with MSG_PEEK does not count. WSAEWOULDBLOCK counts as an error; the
lines below a table have the number of each error, the calls that have not
returned, and those that Ctrl-C or the exit of the program has ended.

Exit code 0: the summary is written; 2: invalid options, or a file that cannot
be read or is not a trace.
"""


@dataclass
class Count:
    """What one function, such as recv, did in all calls: times in nanoseconds, and how often each error occurred.

    `ends` are the exceptions that ended the program during a call, such as KeyboardInterrupt; they are no errors.
    """

    call: str
    calls: int = 0
    bytes: int = 0
    time: int = 0
    error_names: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)

    @property
    def errors(self) -> int:
        return self.error_names.total()

    def add(self, other: Count) -> None:
        """Adds the figures of another count."""
        self.calls += other.calls
        self.bytes += other.bytes
        self.time += other.time
        self.error_names.update(other.error_names)
        self.ends.update(other.ends)


# The orders of a table: the largest value first, or the name of the call.
_ORDERS = {
    "time": lambda count: (-count.time, -count.calls, count.call),
    "calls": lambda count: (-count.calls, count.call),
    "errors": lambda count: (-count.errors, count.call),
    "bytes": lambda count: (-count.bytes, count.call),
    "name": lambda count: count.call.lower(),
}


def main(arguments: Sequence[str]) -> int:
    """Writes the summary; returns the exit code.

    Errors: SystemExit with code 2 for invalid options.
    """
    return run_command(_PROG, lambda: _summarize(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description="Count the calls, errors, bytes and time of programs per call, from their traces\nin JSON lines.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("traces", nargs="+", metavar=TRACE, help=TRACE_HELP)
    parser.add_argument("--sort", choices=_ORDERS, default="time", help="order of the calls; default: time")
    parser.add_argument("--json", action="store_true", help="write one JSON object instead of tables")
    return parser


def _summarize(options: argparse.Namespace) -> int:
    try:
        lanes = read_traces(options.traces)
    except TraceError as error:
        return failed(_PROG, str(error))
    distinct(lanes)
    order = _ORDERS[options.sort]
    counts = [sorted(counted(lane.records), key=order) for lane in lanes]
    if options.json:
        write_output(json.dumps({"programs": list(map(_as_json, lanes, counts))}, indent=2))
        return 0
    tables = [_table(_title(lane), some, [lane]) for lane, some in zip(lanes, counts, strict=True)]
    if len(lanes) > 1:
        together = counted(record for lane in lanes for record in lane.records)
        tables.append(_table("all programs", sorted(together, key=order), lanes))
    write_output("\n\n".join(tables))
    return 0


def counted(records: Iterable[dict[str, Any]]) -> list[Count]:
    """One count for each function that the records contain."""
    counts: dict[str, Count] = {}
    for record in records:
        event = Event(0, record, 0, 0, 0)
        count = counts.setdefault(event.call, Count(event.call))
        count.calls += 1
        count.time += max(record["d"], 0)
        count.bytes += _bytes(record)
        if event.error:
            (count.ends if event.ended else count.error_names)[event.error] += 1
    return list(counts.values())


def _bytes(record: dict[str, Any]) -> int:
    """The number of bytes that a call moved; 0 if it left them in the socket's buffer."""
    buffer = record["args"].get("buf")
    if record["call"] not in MOVING or not isinstance(buffer, dict) or "MSG_PEEK" in str(record["args"].get("flags")):
        return 0
    return int(buffer.get("bytes", 0))


def _as_json(lane: Lane, counts: list[Count]) -> dict[str, Any]:
    return {
        "name": lane.name,
        "pid": lane.pid,
        "argv": lane.argv,
        "waiting": [begun["call"] for begun in lane.waiting.values()],
        "calls": [
            {
                "call": count.call,
                "calls": count.calls,
                "errors": dict(count.error_names.most_common()),
                "ends": dict(count.ends.most_common()),
                "bytes": count.bytes,
                "time_ns": count.time,
            }
            for count in counts
        ],
    }


def _title(lane: Lane) -> str:
    if not lane.records:
        return f"{lane.name} (pid {lane.pid})"
    elapsed = max(record["t"] + record["d"] for record in lane.records) - min(record["t"] for record in lane.records)
    return f"{lane.name} (pid {lane.pid}), {elapsed / 1e9:.6f} s from its first call to its last one"


def _table(title: str, counts: list[Count], lanes: list[Lane]) -> str:
    total = Count("total")
    for count in counts:
        total.add(count)
    rule = "------ ----------- ----------- --------- --------- ------------ ----------------"
    lines = [printable(title), "", "% time     seconds  usecs/call     calls    errors        bytes call", rule]
    lines += [*(_row(count, total.time) for count in counts), rule, _row(total, total.time)]
    notes = _errors(counts)
    notes += [f"{one.call}  ended by {name} \u00d7{number}" for one in counts for name, number in one.ends.items()]
    waiting = Counter(str(begun["call"]) for lane in lanes for begun in lane.waiting.values())
    notes += [f"{call}  has not returned \u00d7{number}" for call, number in waiting.most_common()]
    return "\n".join([*lines, "", *notes] if notes else lines)


def _row(count: Count, time: int) -> str:
    share = 100 * count.time / time if time else 0.0
    each = count.time / count.calls / 1000 if count.calls else 0
    return (
        f"{share:6.2f} {count.time / 1e9:11.6f} {each:11.0f} {count.calls:9} {count.errors or '':9} "
        f"{count.bytes or '':12} {count.call}"
    )


def _errors(counts: list[Count]) -> list[str]:
    """A line for each call that failed, with the number of each of its errors."""
    failing = [count for count in counts if count.errors]
    width = max((len(count.call) for count in failing), default=0)
    lines = []
    for count in failing:
        names = ", ".join(f"{name} \u00d7{number}" for name, number in count.error_names.most_common())
        lines.append(printable(f"{count.call:{width}}  {names}"))
    return lines
