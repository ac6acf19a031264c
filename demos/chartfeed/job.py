"""``python -m demos tpl``: a template server and its client as processes of their own, and two pictures to compare."""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from demos.chartfeed.compare import same_templates, unequal_pixels
from demos.chartfeed.job_options import add_parser
from demos.chartfeed.provider_commands import changes_raised, first_commands, random_bars, step
from demos.copier.tally import Timeline
from demos.launcher.children import FATAL, Child, Line
from demos.launcher.run_command import stopped_by_signals
from demos.terminal.charts import drawing
from demos.terminal.charts.history import History
from demos.terminal.interfaces import TerminalError
from demos.terminal.mql.constants import TIMEFRAMES
from demos.terminal.paper.export_file import check_export, ticks_of
from demos.terminal.paper.export_names import symbol_and_period
from demos.terminal.points import price_text
from demos.terminal.runtime.clock import RealClock
from demos.terminal.runtime.log import escaped

__all__ = ["add_parser", "main"]

PROVIDER, SUBSCRIBER = "provider", "subscriber"

# All of the file is the past of both terminals: then both draw the same bars.
_ALL = 10**9

_STARTING = 30.0
_CATCHING_UP = 15.0
_DRAWING = 60.0
_TURN = 0.05
_EVERY = 1.0
_INTERRUPTED = 130


class JobError(TerminalError):
    """A reason to end the job, with its exit code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Told(Child):
    """A child that takes commands."""

    def tell(self, command: str) -> None:
        """Write a command to its standard input. What a child that has ended no longer reads is no error here."""
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(OSError):
            # Past the stream's buffer, which would fail once more when it is closed.
            os.write(self._process.stdin.fileno(), f"{command}\n".encode())


@dataclass
class Job:
    """One run: its processes, what they have told, and where their files are."""

    options: argparse.Namespace
    bars: Path
    files: Path
    out: Path
    clock: RealClock = field(default_factory=RealClock)
    lines: queue.SimpleQueue[Line] = field(default_factory=queue.SimpleQueue)
    children: dict[str, Told] = field(default_factory=dict)
    port: int = 0
    # When each message was made and applied, by its checksum; what the last one made has in it.
    made: dict[int, int] = field(default_factory=dict)
    applied: list[tuple[int, int]] = field(default_factory=list)
    newest: dict[str, Any] = field(default_factory=dict)
    expected: int = 1
    stopping: bool = False

    def __post_init__(self) -> None:
        self.timeline = Timeline({name: self.files / f"{name}.jsonl" for name in (PROVIDER, SUBSCRIBER)})
        self.symbol, period = symbol_and_period(self.bars)
        self.period = next(name for name, value in TIMEFRAMES.items() if value == period)

    def stop(self) -> None:
        """Have the job come to its end; may be called from a signal handler."""
        self.stopping = True

    def file(self, name: str, suffix: str) -> Path:
        """What a terminal leaves."""
        return self.out / f"{name}.{suffix}"


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. What cannot be done is one line on standard error."""
    trouble = None if args.no_pictures else drawing.problem()
    if trouble:
        return _failed(2, f"{trouble}; or --no-pictures")
    try:
        # On Windows a file may still be held for a moment by a process that has ended; that is no failure.
        with tempfile.TemporaryDirectory(prefix="tpl-", ignore_cleanup_errors=True) as folder:
            args.out.mkdir(parents=True, exist_ok=True)
            seed = random.SystemRandom().randrange(1_000_000) if args.seed is None else args.seed
            bars = args.bars or random_bars(Path(folder), seed)
            job = Job(args, bars.absolute(), Path(folder), args.out.absolute())
            summary = _run(job)
    except TerminalError as error:
        return _failed(error.code, str(error))
    except OSError as error:
        return _failed(4, str(error))
    except KeyboardInterrupt:
        return _INTERRUPTED
    print(json.dumps(summary) if args.json else _text(summary), flush=True)
    return _failed(1, summary["problem"]) if summary["problem"] else 0


def _failed(code: int, text: str) -> int:
    print(f"python -m demos tpl: error: {escaped(text)}", file=sys.stderr)
    return code


def _run(job: Job) -> dict[str, Any]:
    for name in (PROVIDER, SUBSCRIBER):
        for suffix in ("tpl", "png"):
            # What an earlier run has left must not stand for what this one does.
            job.file(name, suffix).unlink(missing_ok=True)
    try:
        with stopped_by_signals(job.stop):
            _show(job)
    finally:
        for child in job.children.values():
            child.release()
        for child in job.children.values():
            # It draws its picture now.
            child.end(_DRAWING)
        _drain(job)
        _take_events(job)
        job.timeline.close()
    for child in job.children.values():
        _check(child)
    return _summary(job)


def _show(job: Job) -> None:
    """The provider prepares its chart, the subscriber gets it, and in a longer run each change."""
    export = check_export(job.bars, "bar")
    history = History()
    for tick in ticks_of(export, job.symbol):
        history.take(tick)
    bars = history.bars(job.symbol, TIMEFRAMES[job.period], 120)
    _start(job, PROVIDER, "chart_server", [f"--Port={job.options.Port}"])
    for command in first_commands(bars, export.digits):
        _tell(job, command)
    _until(job, lambda: job.port != 0 and _is_made(job), _STARTING, "the provider has not made its template")
    other = "GBPUSD" if job.symbol != "GBPUSD" else "EURUSD"
    lasting = job.options.duration is not None
    # The subscriber looks at something else when it starts.
    arguments = [f"--Port={job.port}", f"--chart={other},M15", f"--follow={str(lasting).lower()}"]
    _start(job, SUBSCRIBER, "chart_client", arguments)
    if not lasting:
        _until(job, lambda: job.children[SUBSCRIBER].ended() is not None, _STARTING, "the subscriber does not end")
        return
    _until(job, lambda: bool(job.applied), _STARTING, "the subscriber has applied nothing")
    end = job.clock.monotonic() + job.options.duration
    number = 0
    while not job.stopping and job.clock.monotonic() < end:
        number += 1
        _tell(job, step(number, job.symbol, job.period, price_text(bars[-1].close, export.digits)))
        _until(job, lambda: False, _EVERY)
    job.stopping = False
    _until(
        job,
        lambda: _is_made(job) and bool(job.applied) and job.applied[-1][1] == job.newest["crc"],
        _CATCHING_UP,
        "the subscriber has not got the last change",
    )


def _start(job: Job, name: str, program: str, inputs: Sequence[str]) -> None:
    arguments = [
        "run",
        program,
        *inputs,
        f"--bars={job.bars}",
        f"--history={_ALL}",
        f"--timer-ms={job.options.timer_ms}",
    ]
    arguments += [f"--events={job.files / name}.jsonl", f"--data={job.files / name}"]
    arguments += [f"--save-template={job.file(name, 'tpl')}"]
    if not job.options.no_pictures:
        arguments.append(f"--picture={job.file(name, 'png')}")
    job.children[name] = Told(name, arguments, job.lines)
    job.children[name].start()
    _say(job, f"job | {name} is process {job.children[name].pid}")


def _tell(job: Job, command: str) -> None:
    _say(job, f"job | {PROVIDER}: {command}")
    job.expected += changes_raised(command)
    job.children[PROVIDER].tell(command)


def _is_made(job: Job) -> bool:
    return job.newest.get("changes") == job.expected


def _until(job: Job, done: Callable[[], bool], seconds: float, late: str = "") -> None:
    """Let the job go on until something is so, the time is over, or somebody wants it to stop.

    Errors: JobError when the time is over and ``late`` says what for; when a child has failed.
    """
    end = job.clock.monotonic() + seconds
    while not done() and not job.stopping:
        if job.clock.monotonic() >= end:
            if late:
                raise JobError(1, late)
            return
        with suppress(queue.Empty):
            _take_line(job, job.lines.get(timeout=_TURN))
        _drain(job)
        _take_events(job)
        for child in job.children.values():
            _check(child)


def _check(child: Told) -> None:
    """Errors: JobError when a child has failed, or was killed."""
    code = child.ended()
    if code:
        text = f"{child.name} ended with exit code {code}: {child.last_error}"
        child.end()
        raise JobError(code if code in FATAL else 1, text)


def _drain(job: Job) -> None:
    while not job.lines.empty():
        _take_line(job, job.lines.get())


def _take_line(job: Job, line: Line) -> None:
    _say(job, f"{line.child} | {line.text}")


def _say(job: Job, text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _take_events(job: Job) -> None:
    for _, event in job.timeline.until(job.clock.monotonic()):
        if event["kind"] == "listening":
            job.port = event["port"]
        elif event["kind"] == "created":
            job.newest = event
            job.made.setdefault(event["crc"], event["t"])
        elif event["kind"] == "applied":
            job.applied.append((event["t"], event["crc"]))


def _summary(job: Job) -> dict[str, Any]:
    """What the job comes to."""
    templates = same_templates(job.file(PROVIDER, "tpl"), job.file(SUBSCRIBER, "tpl"))
    pixels = None
    if not job.options.no_pictures:
        pixels = unequal_pixels(job.file(PROVIDER, "png"), job.file(SUBSCRIBER, "png"))
    lags = [(time - job.made[crc]) / 1e6 for time, crc in job.applied if crc in job.made]
    problem = None
    if not job.applied:
        problem = "the subscriber has applied nothing"
    elif not templates:
        problem = "the templates are not equal"
    elif pixels:
        problem = f"the pictures differ in {pixels} pixels"
    return {
        "symbol": job.symbol,
        "made": len(job.made),
        "applied": len(job.applied),
        "bytes": job.newest.get("bytes", 0),
        "equal": problem is None,
        "templates_equal": templates,
        "unequal_pixels": pixels,
        "lag_ms": {"median": median(lags), "max": max(lags)} if lags else {"median": None, "max": None},
        "files": sorted(str(path) for name in (PROVIDER, SUBSCRIBER) for path in job.out.glob(f"{name}.*")),
        "problem": problem,
    }


def _text(summary: dict[str, Any]) -> str:
    lag = summary["lag_ms"]
    pixels = summary["unequal_pixels"]
    lines = [
        f"{summary['made']} templates made, {summary['applied']} applied, the last one of {summary['bytes']} bytes",
        f"templates: {'equal' if summary['templates_equal'] else 'NOT EQUAL'}",
        f"pictures:  {'not drawn' if pixels is None else 'equal' if not pixels else f'{pixels} pixels differ'}",
        *summary["files"],
    ]
    if summary["applied"] > 1:
        lines.insert(1, f"lag from template to chart: median {lag['median']:.0f} ms, max {lag['max']:.0f} ms")
    return "\n".join(lines)
