"""``python -m demos ticks``: a tick server and several clients as processes of their own, and what came of it."""

from __future__ import annotations

import argparse
import json
import math
import queue
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demos.collector.export import export_ticks
from demos.collector.job_options import add_parser
from demos.collector.job_symbols import symbols_for
from demos.collector.picture import draw_ticks
from demos.collector.store import TickStore
from demos.collector.tally import SERVER, Tally
from demos.collector.view import View, choose_view
from demos.copier.tally import Timeline
from demos.launcher.children import FATAL, Child, Line
from demos.launcher.run_command import stopped_by_signals
from demos.terminal.charts import drawing
from demos.terminal.interfaces import TerminalError
from demos.terminal.paper.export_file import check_export
from demos.terminal.paper.export_names import symbol_and_period
from demos.terminal.runtime.clock import RealClock
from demos.terminal.runtime.log import escaped

__all__ = ["add_parser", "main"]

# How many of the server's periods what was sent may be on its way after the clients have ended.
PERIODS = 5

_STARTING = 30.0
_LEAST_SETTLING = 1.0
_TURN = 0.05
_LOOK = 0.25
_INTERRUPTED = 130
_LAST_TICK = "the last tick has been replayed"

# The server's own chart is not looked at.
_SLOW = "0.001"


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
    database: Path
    store: TickStore
    view: View
    clock: RealClock = field(default_factory=RealClock)
    lines: queue.SimpleQueue[Line] = field(default_factory=queue.SimpleQueue)
    children: dict[str, Child] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    stopping: bool = False
    look_at: float = 0.0
    state: str = "starting"

    def __post_init__(self) -> None:
        names = [f"client{number}" for number in range(1, self.options.clients + 1)]
        self.tally = Tally(names)
        self.tally.begin(self.store.symbols(), self.store.senders())
        self.timeline = Timeline({name: self.files / f"{name}.jsonl" for name in (SERVER, *names)})

    def stop(self) -> None:
        """Have the job come to its end; may be called from a signal handler."""
        self.stopping = True


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. What cannot be done is one line on standard error."""
    trouble = drawing.problem() if args.picture else None
    if trouble:
        return _failed(2, trouble)
    if args.seed is None:
        args.seed = random.SystemRandom().randrange(1_000_000)
    try:
        # On Windows a file may still be held for a moment by a process that has ended; that is no failure.
        with tempfile.TemporaryDirectory(prefix="ticks-", ignore_cleanup_errors=True) as folder:
            database = (args.database or Path(folder) / "ticks.sqlite").absolute()
            with closing(TickStore(database)) as store, closing(choose_view(args.json)) as view:
                summary = _run(Job(args, Path(folder), database, store, view))
    except TerminalError as error:
        return _failed(error.code, str(error))
    except OSError as error:
        return _failed(4, str(error))
    except KeyboardInterrupt:
        return _INTERRUPTED
    print(json.dumps(summary) if args.json else _text(summary), flush=True)
    return _failed(1, summary["problem"]) if summary["problem"] else 0


def _failed(code: int, text: str) -> int:
    print(f"python -m demos ticks: error: {escaped(text)}", file=sys.stderr)
    return code


def _run(job: Job) -> dict[str, Any]:
    path: Path | None = job.options.bars or job.options.ticks
    if path:
        # Once, before anything is started, rather than by every client.
        check_export(path, "bar" if job.options.bars else "tick")
    try:
        with stopped_by_signals(job.stop):
            _collect(job, job.options.Symbol or (symbol_and_period(path)[0] if path else None))
    finally:
        for child in job.children.values():
            child.release()
        for child in job.children.values():
            child.end()
        _drain(job)
        _look(job, math.inf)
        job.timeline.close()
    return _summary(job)


def _collect(job: Job, symbol: str | None) -> None:
    """Start everything, let the clients send, and let the server catch up."""
    timer = f"--timer-ms={job.options.timer_ms}"
    server = ["run", "tick_collector", f"--database={job.database}", timer, f"--speed={_SLOW}"]
    _start(job, SERVER, [*server, f"--Port={job.options.Port}"])
    _until(job, lambda: job.tally.port != 0, _STARTING)
    if job.stopping:
        return
    if not job.tally.port:
        raise JobError(3, f"the server has not begun to listen within {_STARTING:.0f} s")
    clients = list(job.tally.clients)
    symbols = symbols_for(max(job.options.symbols, len(clients)), symbol)
    for number, name in enumerate(clients):
        _start(job, name, _client(job, number, symbols[number :: len(clients)]))
    # The time begins when all clients send, however long their processes take to start.
    _until(job, lambda: all(client.ports for client in job.tally.clients.values()), _STARTING)
    job.state = "collecting"
    duration = math.inf if job.options.duration is None else job.options.duration
    _until(job, lambda: job.finished >= set(clients), duration)
    job.state = "catching up"
    for name in clients:
        job.children[name].release()
    for name in clients:
        job.children[name].end()
        _check(job.children[name], {0})
    job.stopping = False
    settling = max(PERIODS * job.options.timer_ms / 1000, _LEAST_SETTLING)
    _until(job, lambda: job.tally.received >= job.tally.ticks, settling, clients=False)
    job.state = "ending"


def _client(job: Job, number: int, symbols: Sequence[str]) -> list[str]:
    options = job.options
    arguments = ["tick_clients", "--sequence", f"--Port={job.tally.port}", f"--speed={options.speed}"]
    for option in ("bars", "ticks"):
        if getattr(options, option):
            return [*arguments, f"--{option}={getattr(options, option).absolute()}", *symbols]
    return [*arguments, f"--seed={options.seed + number}", *symbols]


def _start(job: Job, name: str, arguments: Sequence[str]) -> None:
    command, *rest = arguments
    program = [rest.pop(0)] if command == "run" else []
    child = Child(name, [command, *program, f"--events={job.files / name}.jsonl", *rest], job.lines)
    job.children[name] = child
    child.start()
    job.view.line("job", f"{name} is process {child.pid}")


def _until(job: Job, done: Callable[[], bool], seconds: float, clients: bool = True) -> None:
    """Let the job go on until something is so, the time is over, or somebody wants it to stop.

    Errors: JobError when the server, or one of the clients while they are to run, has ended.
    """
    end = job.clock.monotonic() + seconds
    while not done() and not job.stopping and job.clock.monotonic() < end:
        with suppress(queue.Empty):
            _take_line(job, job.lines.get(timeout=_TURN))
        _drain(job)
        for name, child in job.children.items():
            _check(child, {None} if clients or name == SERVER else {0})
        _look(job, job.clock.monotonic())


def _check(child: Child, expected: set[int | None]) -> None:
    """Errors: JobError when the child is in no state that is expected: None while it runs, else its exit code."""
    code = child.ended()
    if code not in expected:
        child.end()
        raise JobError(code if code in FATAL else 1, f"{child.name} ended with exit code {code}: {child.last_error}")


def _drain(job: Job) -> None:
    while not job.lines.empty():
        _take_line(job, job.lines.get())


def _take_line(job: Job, line: Line) -> None:
    job.view.line(*line)
    if line.text.endswith(_LAST_TICK):
        job.finished.add(line.child)


def _look(job: Job, now: float) -> None:
    """Take what the processes have told, and now and then what the file holds."""
    for name, event in job.timeline.until(math.inf):
        job.tally.take(name, event)
    if now >= job.look_at:
        job.look_at = now + _LOOK
        job.tally.look(job.store.symbols(), job.store.senders())
        job.view.update(job.tally, list(job.children.values()), job.state)


def _summary(job: Job) -> dict[str, Any]:
    """What the job comes to, after the export and the picture have been made."""
    tally = job.tally
    lost = tally.ticks - tally.received
    quiet = [client.name for client in tally.clients.values() if not sum(client.ticks.values())]
    problem = None
    if lost:
        problem = f"{lost} of {tally.ticks} ticks were not collected"
    elif quiet:
        problem = f"{', '.join(quiet)} had no tick to send"
    symbols = job.store.symbols()
    exported = export_ticks(job.store, job.options.export, symbols) if job.options.export and symbols else []
    picture = job.options.picture if symbols else None
    if picture:
        draw_ticks(job.store, picture, symbols)
    return {
        "ticks": tally.ticks,
        "sent": tally.sent,
        "received": tally.received,
        "lost": lost,
        "lost_by_number": tally.lost_by_number,
        "refused": tally.refused,
        "symbols": len(tally.symbols),
        "per_client": [
            {
                "name": client.name,
                "symbols": len(client.ticks),
                "ticks": sum(client.ticks.values()),
                "sent": sum(client.sent.values()),
                "received": client.received,
            }
            for client in tally.clients.values()
        ],
        "database": str(job.database) if job.options.database else None,
        "exported": [str(path) for path in exported],
        "picture": str(picture) if picture else None,
        "problem": problem,
    }


def _text(summary: dict[str, Any]) -> str:
    lines = [
        f"{summary['received']} of {summary['ticks']} ticks of {summary['symbols']} symbols collected; "
        f"{summary['lost']} lost, {summary['lost_by_number']} of them missed by their numbers; "
        f"{summary['refused']} datagrams refused"
    ]
    for client in summary["per_client"]:
        lines.append(
            f"{client['name']}  {client['symbols']} symbols, {client['ticks']} ticks, {client['sent']} sent, "
            f"{client['received']} received"
        )
    lines += [f"wrote {path}" for path in (*summary["exported"], summary["picture"], summary["database"]) if path]
    return "\n".join(lines)
