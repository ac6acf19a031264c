"""python -m winsock.trace diff: shows where two runs of the same programs differ."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from winsock.command_line import printable, run_command, write_output

from . import comparison
from .comparison import Comparison, compared, sequences
from .events import Event
from .rendering import byte_count, counted, quoted
from .timeline import Timeline, timeline
from .trace_arguments import failed, read_traces
from .trace_files import TraceError

_PROG = "python -m winsock.trace diff"
_EPILOG = """\
examples:
  python -m winsock.trace -o a.jsonl client.py  # the first run
  python -m winsock.trace -o b.jsonl client.py  # the second one
  python -m winsock.trace diff a.jsonl b.jsonl
  python -m winsock.trace diff monday/ tuesday/

A folder is a run of several programs: all of its files that end in .jsonl. The
programs of both runs are matched by their names, and each thread is compared
with the thread of the same name.

Calls are compared by name, arguments, bytes, result and error. Not compared are
the times, the ports, the values of handles, and how often a program found
nothing to do, such as a recv with WSAEWOULDBLOCK (--all compares these calls).
Bytes that were not recorded (option --bytes) cannot be compared; a note says
how many calls have such bytes.

Exit code 0: the runs are equal; 1: they differ; 2: invalid options, or a file
that cannot be read or is not a trace.
"""

_SHOWN_TEXT = 200
_SHOWN_BYTES = 24


def main(arguments: Sequence[str]) -> int:
    """Writes the differences; returns the exit code.

    Errors: SystemExit with code 2 for invalid options.
    """
    return run_command(_PROG, lambda: _compare(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description="Show where two runs of the same programs differ, from their traces in JSON\nlines.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("a", metavar="A", help="the trace, or the folder with the traces, of the first run")
    parser.add_argument("b", metavar="B", help="that of the second run")
    parser.add_argument("--all", action="store_true", help="compare the calls that found nothing to do, too")
    parser.add_argument(
        "--context", type=_number, default=3, metavar="N", help="show N calls before and after; default: 3"
    )
    return parser


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text):
        raise argparse.ArgumentTypeError(f"invalid number of calls: {text!r}; use a number below 1000000")
    return int(text)


def _compare(options: argparse.Namespace) -> int:
    try:
        run_a, run_b = (timeline(read_traces([name]), fold=False, unfinished=True) for name in (options.a, options.b))
    except TraceError as error:
        return failed(_PROG, str(error))
    equal: list[str] = []
    # The reports, each with the time of its difference in its run: the first one may be the cause of the others.
    found: list[tuple[int, list[str]]] = []
    unrecorded = 0
    for title, one, other in _pairs(run_a, run_b, options.all):
        if one is None or other is None:
            name, run, only = ("A", run_a, one) if one else ("B", run_b, other)
            events = only.events if only else []
            if not events:
                # The thread may have ended earlier in the other run.
                equal.append(f"{title}: only in {name}, no call that found something to do")
                continue
            found.append((_since_start(events[0], run), [f"{title}: only in {name}, {counted(len(events), 'call')}"]))
            continue
        result = compared(one, other)
        unrecorded += result.unrecorded
        if result.parts is None:
            idle = "" if result.equal else " that found something to do"
            equal.append(f"{title}: equal, {counted(result.equal, 'call')}{idle}")
        else:
            run, longer = (run_a, one) if result.equal < len(one.events) else (run_b, other)
            time = _since_start(longer.events[result.equal], run)
            found.append((time, list(_report(title, one.events, other.events, result, options.context))))
    reports = ["\n".join(lines) for _, lines in sorted(found, key=lambda report: report[0])]
    if reports:
        reports.insert(0, printable(f"A: {options.a}") + "\n" + printable(f"B: {options.b}"))
    notes = [f"note: {counted(unrecorded, 'call')} with bytes that were not recorded; these bytes were not compared"]
    write_output("\n\n".join([*reports, *(["\n".join(equal)] if equal else []), *(notes if unrecorded else [])]))
    return 1 if found else 0


def _pairs(
    a: Timeline, b: Timeline, everything: bool
) -> Iterator[tuple[str, comparison.Sequence | None, comparison.Sequence | None]]:
    """The calls of each thread in both runs, with its name; None if the run does not have it."""
    left, right = sequences(a, everything), sequences(b, everything)
    alone = len(a.lanes) == len(b.lanes) == 1  # a program may have another name in the other run
    ours, theirs = (_by_name(run, alone) for run in (left, right))
    for program, thread in {**ours, **theirs}:
        name = program or left[0].program
        title = name if thread in ("", "MainThread") else f"{name}, thread {thread}"
        yield printable(title), ours.get((program, thread)), theirs.get((program, thread))


def _by_name(run: list[comparison.Sequence], alone: bool) -> dict[tuple[str, str], comparison.Sequence]:
    return {("" if alone else each.program, each.thread): each for each in run}


def _since_start(event: Event, run: Timeline) -> int:
    return event.start - run.events[0].start


def _report(title: str, one: list[Event], other: list[Event], result: Comparison, context: int) -> Iterator[str]:
    equal = result.equal
    yield f"{title}: the runs differ after {counted(equal, 'call')}"
    yield ""
    for number in range(max(0, equal - context), equal):
        yield _line(" ", number, one[number])
    for name, events in (("A", one), ("B", other)):
        for number in range(equal, min(len(events), equal + context + 1)):
            yield _line(name, number, events[number])
        if equal >= len(events):
            yield f"{name}        makes no more calls"
    for part, a, b in result.parts or ():
        shown = _values(part, a, b)
        yield f"  {part}: {shown[0]} in A, {shown[1]} in B"


def _line(run: str, number: int, event: Event) -> str:
    text = (
        event.text if len(event.text) <= _SHOWN_TEXT else f"{event.text[: _SHOWN_TEXT - 40]} \u2026 {event.text[-37:]}"
    )
    place = f"  ({event.source.file}:{event.source.line})" if event.source else ""
    return printable(f"{run} {number + 1:6} {text}{place}").rstrip()


def _values(part: str, a: Any, b: Any) -> tuple[str, str]:
    """The values of both calls; of data, its size and its bytes from the first that differs."""
    if part == "buf" and all(isinstance(buffer, dict) and "hex" in buffer for buffer in (a, b)):
        one, other = bytes.fromhex(a["hex"]), bytes.fromhex(b["hex"])
        at = next((at for at, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other)))
        return _data(a, one, at), _data(b, other, at)
    return _value(a), _value(b)


def _data(buffer: dict[str, Any], data: bytes, at: int) -> str:
    shown = quoted(data[at : at + _SHOWN_BYTES], len(data) > at + _SHOWN_BYTES)
    size = buffer["bytes"]
    return f"{byte_count(size)}, from byte {at} {shown}"


def _value(value: Any) -> str:
    text = printable(value if isinstance(value, str) else json.dumps(value))
    return (text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]} \u2026") or comparison.MISSING
