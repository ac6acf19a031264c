"""``python -m demos signal``: a signal server and two clients as processes of their own, and what came of it."""

from __future__ import annotations

import argparse
import json
import math
import queue
import random
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demos.copier.job_options import add_parser
from demos.copier.tally import ORDERING, SERVER, Tally, Timeline, lag_summary
from demos.copier.view import View, choose_view, summary_text
from demos.launcher.children import FATAL, MOST_FAILURES, MOST_RESTARTS, Child, Line, error_of
from demos.launcher.run_command import stopped_by_signals
from demos.terminal.interfaces import TerminalError
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.export_file import check_export
from demos.terminal.points import volume_text
from demos.terminal.runtime.clock import RealClock
from demos.terminal.runtime.log import escaped

__all__ = ["add_parser", "main"]

CLIENTS = ("client1", "client2")
PERIODS = 5

_STARTING = 30.0
_TURN = 0.05

# So long a child's error is held back: when it was what ended the child, the job tells it, and nobody else.
_LAST_WORDS = 1.0
_INTERRUPTED = 130
_NEVER = "never connected"
_LAST_TICK = "the last tick has been replayed"


class JobError(TerminalError):
    """A reason to end the job, with its exit code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Job:
    """One run: its processes, what they have told, and where their files are."""

    options: argparse.Namespace
    files: Path
    accounts: Path
    view: View
    tally: Tally = field(default_factory=lambda: Tally(CLIENTS))
    clock: RealClock = field(default_factory=RealClock)
    lines: queue.SimpleQueue[Line] = field(default_factory=queue.SimpleQueue)
    children: dict[str, Child] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    held: deque[tuple[float, Line]] = field(default_factory=deque)
    told: Line | None = None
    stopping: bool = False
    ticks_over: bool = False
    state: str = "starting"

    def __post_init__(self) -> None:
        names = (SERVER, *CLIENTS)
        self.timeline = Timeline({name: self.files / f"{name}.jsonl" for name in names})
        self.pause = self.files / "pause"

    def stop(self) -> None:
        """Have the job come to its end; may be called from a signal handler."""
        self.stopping = True


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. What cannot be done is one line on standard error."""
    if args.seed is None and not (args.bars or args.ticks):
        args.seed = random.SystemRandom().randrange(1_000_000)
    try:
        path = args.bars or args.ticks
        if path:
            # Once, before anything is started, rather than by every child.
            check_export(path, "bar" if args.bars else "tick", args.digits)
        # On Windows a file may still be held for a moment by a process that has ended; that is no failure.
        with tempfile.TemporaryDirectory(prefix="signal-", ignore_cleanup_errors=True) as folder:
            accounts = args.accounts or Path(folder)
            accounts.mkdir(parents=True, exist_ok=True)
            summary = _run(args, Path(folder), accounts)
    except TerminalError as error:
        return _ended_early(args, error.code, str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _ended_early(args, 4, f"{where}{error.strerror}")
    except KeyboardInterrupt:
        return _INTERRUPTED
    print(json.dumps(summary) if args.json else summary_text(summary), flush=True)
    if not summary["problem"]:
        return 0
    return _failed(3 if summary["problem"].endswith(_NEVER) else 1, summary["problem"])


def _ended_early(args: argparse.Namespace, code: int, problem: str) -> int:
    if args.json:
        print(json.dumps({"equal": False, "problem": problem}), flush=True)
    return _failed(code, problem)


def _failed(code: int, text: str) -> int:
    print(f"python -m demos signal: error: {escaped(text)}", file=sys.stderr)
    return code


def _run(options: argparse.Namespace, files: Path, accounts: Path) -> dict[str, Any]:
    with closing(choose_view((SERVER, *CLIENTS), options.json)) as view:
        job = Job(options, files, accounts, view)
        try:
            with stopped_by_signals(job.stop):
                _trade(job)
        finally:
            for child in job.children.values():
                child.release()
            for child in job.children.values():
                child.end()
            _drain(job)
            _show_held(job, math.inf)
            _take_events(job, math.inf)
            job.timeline.close()
    return _summary(job)


def _trade(job: Job) -> None:
    """Start everything, let the server trade, and let the clients catch up."""
    job.pause.touch()
    # Until somebody hears of the trades neither a tick nor a trade is to be lost.
    holding = [f"--hold={job.pause}", f"--pause={job.pause}"]
    _start(job, SERVER, ["provider", "--fast", f"--strategy={job.options.every}", *holding])
    _until(job, lambda: job.tally.port != 0, _STARTING)
    if not job.tally.port:
        return
    # Started again, it is to be found where it was.
    job.children[SERVER].arguments.append(f"--Port={job.tally.port}")
    for name in CLIENTS:
        _start(job, name, ["copier", f"--Port={job.tally.port}"])
    _until(job, lambda: all(client.connected for client in job.tally.clients.values()), _STARTING)
    # Trading begins when there is somebody to tell of it: a lag is not to hold the time of the start.
    if not job.stopping:
        job.state = "trading"
        job.pause.unlink()
        forever = job.options.duration is None
        _until(job, lambda: forever and job.ticks_over, math.inf if forever else job.options.duration)
    job.state = "catching up"
    job.pause.touch()
    job.stopping = False
    period = job.options.timer_ms / 1000
    settled = job.clock.monotonic() + period + ORDERING
    _until(job, lambda: job.tally.agreed() and job.clock.monotonic() > settled, PERIODS * period)
    job.state = "ending"


def _start(job: Job, name: str, program: Sequence[str]) -> None:
    options = job.options
    arguments = ["run", *program, f"--timer-ms={options.timer_ms}", f"--speed={options.speed}"]
    if name == SERVER:
        arguments.append(f"--Port={options.Port}")
    for option in ("bars", "ticks"):
        if getattr(options, option):
            arguments.append(f"--{option}={getattr(options, option).absolute()}")
    for option in ("seed", "Symbol", "digits"):
        if getattr(options, option) is not None:
            arguments.append(f"--{option}={getattr(options, option)}")
    arguments += [f"--account={job.accounts / name}.sqlite", f"--events={job.files / name}.jsonl"]
    job.children[name] = Child(name, arguments, job.lines)
    _launch(job, job.children[name])


def _launch(job: Job, child: Child) -> None:
    job.alive.discard(child.name)
    child.start()
    job.view.line("job", f"{child.name} is process {child.pid}")


def _until(job: Job, done: Callable[[], bool], seconds: float) -> None:
    """Let the job go on until something is so, the time is over, or somebody wants it to stop."""
    end = job.clock.monotonic() + seconds
    while not done() and not job.stopping and job.clock.monotonic() < end:
        with suppress(queue.Empty):
            _take_line(job, job.lines.get(timeout=_TURN))
        _drain(job)
        _show_held(job, job.clock.monotonic())
        for child in job.children.values():
            _look_after(job, child)
        _take_events(job, job.clock.monotonic() - ORDERING)
        job.view.update(job.tally, list(job.children.values()), job.state)


def _drain(job: Job) -> None:
    while not job.lines.empty():
        _take_line(job, job.lines.get())


def _take_line(job: Job, line: Line) -> None:
    if error_of(line.text):
        job.held.append((job.clock.monotonic() + _LAST_WORDS, line))
    else:
        job.view.line(*line)
    if line.child == SERVER and line.text.endswith(_LAST_TICK):
        job.ticks_over = True


def _show_held(job: Job, until: float) -> None:
    """Show the errors that were held back up to then, but not the one that the job itself ends with."""
    while job.held and job.held[0][0] <= until:
        _, line = job.held.popleft()
        if job.told != Line(line.child, error_of(line.text) or ""):
            job.view.line(*line)


def _take_events(job: Job, until: float) -> None:
    for name, event in job.timeline.until(until):
        if event["kind"] == "started":
            job.alive.add(name)
        job.tally.take(name, event)


def _look_after(job: Job, child: Child) -> None:
    """Start a child again that something has killed.

    Errors: JobError when it gave a reason to end, or ends again and again.
    """
    code = child.ended()
    if code is None:
        return
    child.failures = 0 if child.name in job.alive else child.failures + 1
    if code in FATAL or child.restarts >= MOST_RESTARTS or child.failures >= MOST_FAILURES:
        child.end()
        job.told = Line(child.name, child.last_error)
        raise JobError(code if code in FATAL else 1, f"{child.name} ended with exit code {code}: {child.last_error}")
    child.restarts += 1
    job.view.line("job", f"{child.name} ended with code {code} and is started again")
    _launch(job, child)


def _summary(job: Job) -> dict[str, Any]:
    """What the job comes to. The positions are the accounts' own, which also checks them against their deals."""
    tally = job.tally
    positions = {name: _account_positions(job.accounts / f"{name}.sqlite") for name in (SERVER, *CLIENTS)}
    unequal = [name for name in CLIENTS if positions[name] != positions[SERVER]]
    return {
        "sent": tally.sent,
        "received": tally.received,
        "equal": not unequal,
        "lag_ms": lag_summary(tally.lags()),
        "trades": tally.trades,
        "merged": tally.merged,
        "restarts": sum(child.restarts for child in job.children.values()),
        "positions": positions[SERVER],
        "per_client": [
            {
                "name": client.name,
                "sent": client.sent,
                "received": client.received,
                "equal": client.name not in unequal,
                "positions": positions[client.name],
                "lag_ms": lag_summary(client.lags),
                "merged": client.merged,
                "restarts": job.children[client.name].restarts if client.name in job.children else 0,
            }
            for client in tally.clients.values()
        ],
        "problem": _problem(job, unequal),
    }


def _problem(job: Job, unequal: Sequence[str]) -> str | None:
    """Why the run has not shown what it is for, or None."""
    missing = [client.name for client in job.tally.clients.values() if not client.connected]
    if missing:
        return f"{', '.join(missing)} {_NEVER}"
    if unequal:
        return f"the positions of {', '.join(unequal)} are not equal to the server's"
    if not job.tally.trades:
        reason = "the ticks were over before the clients had connected" if job.ticks_over else "there was no time"
        return f"nothing was traded: {reason}"
    return None


def _account_positions(path: Path) -> dict[str, str]:
    """Errors: AccountError when the account cannot be read, or its deals and positions do not add up."""
    with closing(PaperAccount(path)) as account:
        return {p.spec.name: volume_text(p.volume, p.spec) for p in account.positions()}
