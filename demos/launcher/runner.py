"""Runs the child processes of a job.

Each child is a process of its own, started through the watchdog, so that it ends when the job does. A thread for each
child puts its output lines into one queue; its events go to a file of their own. Everything else happens in one thread,
in wait_until(): it passes the lines and the events to the job, restarts children, and updates the view, until a
condition is met. Lines and events of one child come in their order; those of different children in any order.

A child that is silent is asked for an answer: its event loop answers every command, also an unknown one. If the answer
is missing for ANSWER_TIME seconds, or the first line of a new process for STARTING_TIME seconds, the child is frozen,
and the job ends with its name. A child that waits for the frozen one may not answer either, so the job names all.
A child that reads a large file before it starts writes a line about its progress every few seconds.

If a child ends although the job did not end it, the job ends with the child's exit code and error. That error would
appear twice in the output, once as the child's line. So lines with errors are shown a second later, and are not shown
if the job has reported the same error by then.
"""

from __future__ import annotations

import math
import queue
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from demos.launcher.children import (
    FATAL,
    MOST_FAILURES,
    MOST_PORT_FAILURES,
    MOST_RESTARTS,
    NETWORK,
    PORT_PAUSE,
    Child,
    Line,
    exit_text,
)
from demos.launcher.log_lines import error_of, is_reading
from demos.launcher.timeline import Timeline
from demos.launcher.views import JOB, View
from demos.terminal.interfaces import TerminalError
from demos.terminal.runtime.clock import RealClock
from winsock.command_line import INTERRUPTED

# Seconds: the longest wait for a line, the delay of lines with errors, and the time between two updates of the view.
_TURN = 0.05
_ERROR_DELAY = 1.0
_UPDATE = 0.1

# Seconds: after this silence a child is asked for an answer, it has this long to give it, and a new process has this
# long for its first line.
SILENT_TIME = 5.0
ANSWER_TIME = 10.0
STARTING_TIME = 30.0

# Seconds: after a longer turn the job itself was stopped, as by Ctrl-Z. It could not hear its children in that time.
_STOPPED_TIME = 1.0

# The command that asks for an answer, and how the answer of every program begins.
_QUESTION = "answer"
_ANSWER = f"error: unknown command '{_QUESTION}'"


class JobError(TerminalError):
    """A reason to end the job, with its exit code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Listener(Protocol):
    """What a job does with what its children write."""

    def take_line(self, child: Child, text: str) -> None:
        """Take a line of a child's output."""
        ...

    def take_event(self, child: Child, event: Mapping[str, Any]) -> None:
        """Take an event of a child; the events of each child come in their order."""
        ...

    def refresh(self, now: float) -> None:
        """Take what changes without a line or an event; called about twenty times a second, at last with infinity."""
        ...


class Runner:
    """The processes of one job, and what is common to all jobs while they run."""

    def __init__(self, files: Path, names: Sequence[str], view: View, listener: Listener) -> None:
        """``files`` is a folder for the event files of the children ``names``."""
        self.clock = RealClock()
        self.children: dict[str, Child] = {}
        self.state = "starting"
        self.stopping = False
        self._files = files
        self._view = view
        self._listener = listener
        # The get() of a SimpleQueue would never end if a signal handler took longer than the rest of the timeout.
        self._lines: queue.Queue[Line] = queue.Queue()
        self._timeline = Timeline({name: self._event_file(name) for name in names})
        self._delayed_errors: deque[tuple[float, Line]] = deque()
        self._reported_error: Line | None = None
        self._update_at = -math.inf
        self._checked_at = math.inf
        # When a child last wrote that it reads its file.
        self._read_at = -math.inf

    def stop(self) -> None:
        """End the present wait_until(); may be called from a signal handler."""
        self.stopping = True

    def check_stop(self, when: str) -> None:
        """Errors: JobError when stop() was called; ``when``: as in "before the copiers have logged in"."""
        if self.stopping:
            raise JobError(INTERRUPTED, f"interrupted {when}")

    def start(self, name: str, arguments: Sequence[str], *, restart: bool = False) -> None:
        """Start a child that writes its events for this job."""
        arguments = [*arguments, f"--events={self._event_file(name)}"]
        self.children[name] = Child(name, arguments, self._lines, restart=restart)
        self._launch(self.children[name])

    def send_command(self, name: str, command: str) -> None:
        """Write a command to a child's standard input, and show it."""
        self.say(f"{name}: {command}")
        self.children[name].send_command(command)

    def say(self, text: str) -> None:
        """Show a line of the job's own."""
        self._view.line(JOB, text)

    def wait_until(
        self, done: Callable[[], bool], seconds: float, late: str = "", code: int = 1, *, starting: bool = False
    ) -> bool:
        """Let the job continue until a condition is met, the time is over, or stop() is called; whether it is met.

        ``starting``: the time begins again whenever a child says that it reads its file.

        Errors: JobError with ``code`` when the time is over and ``late`` says why that is a failure; when a child has
        failed.
        """
        end = self.clock.monotonic() + seconds
        while not done():
            if self.stopping:
                return False
            if self.clock.monotonic() >= max(end, self._read_at + seconds if starting else end):
                if late:
                    raise JobError(code, late)
                return False
            self._turn()
        return True

    def end(self, names: Sequence[str], grace: float) -> None:
        """End these children in order, all at the same time, and pass on the last lines that they have written.

        Errors: JobError when one of them has failed.
        """
        for name in names:
            self.children[name].may_end = True
            self.children[name].request_end()
        for name in names:
            self.children[name].end(grace)
        # A condition that counts lines must not be checked without the last ones.
        self._take_lines()
        for name in names:
            self.check(self.children[name])

    def close(self, grace: float) -> None:
        """End all children, and take their last lines and events."""
        for child in self.children.values():
            child.request_end()
        for child in self.children.values():
            child.end(grace)
        self._take_lines()
        self._show_errors(math.inf)
        self.take_events()
        self._timeline.close()
        self._listener.refresh(math.inf)

    def take_events(self) -> None:
        """Pass on the events that the children have written.

        Errors: JobError when one is invalid.
        """
        try:
            events = self._timeline.new_events()
        except ValueError as error:
            raise JobError(4, str(error)) from error
        for name, event in events:
            self._hear(self.children[name])
            self._listener.take_event(self.children[name], event)

    def check(self, child: Child) -> None:
        """Restart a child that has ended unexpectedly.

        Errors: JobError when it is not to be restarted, has ended for a reason of its own, or ends again and again.
        """
        code = child.exit_code()
        now = self.clock.monotonic()
        if code is None or child.has_failed or (code == 0 and child.may_end) or now < child.restart_at:
            return
        child.failures = 0 if child.ready else child.failures + 1
        # Another process may have taken the port while the server was away, as the local port of a connect.
        port_in_use = code == NETWORK and child.restarts > 0
        most_failures = MOST_PORT_FAILURES if port_in_use else MOST_FAILURES
        exhausted = child.restarts >= MOST_RESTARTS or child.failures >= most_failures
        fatal = code in FATAL and not port_in_use
        # All lines of the ended process are taken before the first line of the next one.
        child.end()
        self._take_lines()
        if child.may_fail and (fatal or exhausted):
            child.has_failed = True
            self.say(f"{child.name} {exit_text(code)}; the job continues without it")
            return
        if not child.restart or fatal or exhausted:
            self._reported_error = Line(child.name, child.last_error)
            # What a killed process reported before is not the reason of its end.
            reason = f": {child.last_error}" if child.last_error and code > 0 else ""
            raise JobError(code if code in FATAL else 1, f"{child.name} {exit_text(code)}{reason}")
        child.restarts += 1
        child.restart_at = now + PORT_PAUSE if port_in_use else now
        self.say(f"{child.name} {exit_text(code)} and is started again")
        self._launch(child)

    def _event_file(self, name: str) -> Path:
        return self._files / f"{name}.jsonl"

    def _launch(self, child: Child) -> None:
        child.start()
        # It need not be asked for its first line.
        child.asked_at = self.clock.monotonic() + STARTING_TIME - ANSWER_TIME
        self.say(f"{child.name} is process {child.pid}")

    def _turn(self) -> None:
        with suppress(queue.Empty):
            self._take_line(self._lines.get(timeout=_TURN))
        self._take_lines()
        now = self.clock.monotonic()
        self._show_errors(now)
        for child in self.children.values():
            self.check(child)
        self._check_answers(now)
        self.take_events()
        self._listener.refresh(now)
        if now >= self._update_at:
            self._update_at = now + _UPDATE
            self._view.update(list(self.children.values()), self.state)

    def _take_lines(self) -> None:
        while not self._lines.empty():
            self._take_line(self._lines.get())

    def _hear(self, child: Child) -> None:
        child.heard_at = self.clock.monotonic()
        child.asked_at = None

    def _check_answers(self, now: float) -> None:
        """Ask each silent child for an answer. Errors: JobError when an answer is missing for too long."""
        running = [each for each in self.children.values() if not each.may_end and each.exit_code() is None]
        stopped = now - self._checked_at
        self._checked_at = now
        for child in running:
            if stopped > _STOPPED_TIME:
                child.heard_at += stopped
                child.asked_at = None if child.asked_at is None else child.asked_at + stopped
            if child.asked_at is None and now - child.heard_at >= SILENT_TIME:
                child.asked_at = now
                child.send_command(_QUESTION)
        waits = {child: now - child.asked_at for child in running if child.asked_at is not None}
        if max(waits.values(), default=0) < ANSWER_TIME:
            return
        # One that was asked a moment ago may still answer.
        frozen = [child for child, wait in waits.items() if wait >= ANSWER_TIME / 2]
        for child in frozen:
            child.frozen = True
        names = ", ".join(f"{child.name} (process {child.pid})" for child in frozen)
        verb = "does" if len(frozen) == 1 else "do"
        raise JobError(NETWORK, f"{names} {verb} not answer")

    def _take_line(self, line: Line) -> None:
        self._hear(self.children[line.child])
        if is_reading(line.text):
            self._read_at = self.clock.monotonic()
        if line.text.startswith(_ANSWER):
            return
        if error_of(line.text):
            self._delayed_errors.append((self.clock.monotonic() + _ERROR_DELAY, line))
        else:
            self._view.line(*line)
        self._listener.take_line(self.children[line.child], line.text)

    def _show_errors(self, until: float) -> None:
        """Show the lines whose delay is over, but not the error that the job itself reports."""
        while self._delayed_errors and self._delayed_errors[0][0] <= until:
            _, line = self._delayed_errors.popleft()
            if self._reported_error != Line(line.child, error_of(line.text) or ""):
                self._view.line(*line)
