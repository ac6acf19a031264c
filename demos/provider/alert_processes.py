"""Sends alerts by processes: the operator's command, or one of ours that posts to a webhook.

A command is a list of arguments, which no shell reads. It gets the alert as one line of JSON on standard input, and its
kind, state and text in the environment (PROVIDER_ALERT, PROVIDER_ALERT_STATE, PROVIDER_ALERT_TEXT). Its output is
discarded.

The webhook is posted to by a process too (webhook_command.py), because resolving its name may take seconds and the
provider waits for nobody. The webhook's address is passed on standard input: it often contains a secret, and other
users can see the arguments of processes. The reason of a failure is read from the process's standard error.

At most MOST_PROCESSES run at a time and MOST_WAITING alerts wait for them. A process that runs for longer than
LONGEST_MS is killed, with the processes that it has started (on Windows, without them).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from demos.provider.alerts import Alert
from demos.wire.posting import parse_url

MOST_PROCESSES = 4
MOST_WAITING = 50
LONGEST_MS = 30_000

_SHOWN = 300

_ROOT = Path(__file__).resolve().parents[2]
_WEBHOOK = (sys.executable, "-m", "demos.provider.webhook_command")


class _Task(NamedTuple):
    """What a process is started for."""

    name: str
    command: Sequence[str]
    text: str
    alert: Alert
    is_ours: bool


class _Running(NamedTuple):
    """A process, when it was started, and the file that it writes errors to."""

    task: _Task
    process: subprocess.Popen[bytes]
    since: int
    errors: IO[bytes]


class AlertProcesses:
    """Call send() for each alert and check() once a second; times are milliseconds of the caller's clock."""

    def __init__(self, command: Sequence[str] = (), webhook: str = "", ca_file: str = "") -> None:
        """``command``: the arguments, or none. ``webhook``: an https address, or "". ``ca_file``: the CAs for it.

        Errors: ValueError when the webhook is not such an address.
        """
        if webhook:
            parse_url(webhook)
        self._command, self._webhook, self._ca_file = tuple(command), webhook, ca_file
        self._waiting: deque[_Task] = deque()
        self._running: list[_Running] = []
        self._left_out = 0

    def send(self, alert: Alert) -> None:
        """Send an alert with the command and to the webhook; check() starts the processes."""
        if self._command:
            self._add(_Task("the alert command", self._command, alert.json(), alert, False))
        if self._webhook:
            text = f"{self._webhook}\n{self._ca_file}\n{alert.json()}"
            self._add(_Task("the alert webhook", _WEBHOOK, text, alert, True))

    def check(self, now_ms: int) -> list[str]:
        """Start, end and kill processes; returns what went wrong, as lines for the log."""
        problems = [problem for each in self._running if (problem := _end(each, now_ms))]
        self._running = [each for each in self._running if each.process.returncode is None]
        while self._waiting and len(self._running) < MOST_PROCESSES:
            task = self._waiting.popleft()
            try:
                self._running.append(_start(task, now_ms))
            except OSError as error:
                problems.append(f"{task.name} cannot be started: {error.strerror or error}")
        if self._left_out:
            problems.append(f"{self._left_out} alerts were not sent, because {MOST_WAITING} others wait")
            self._left_out = 0
        return problems

    def close(self) -> None:
        """Kill what is running; nothing waits any more."""
        self._waiting.clear()
        for each in self._running:
            _kill(each.process)
            each.errors.close()
        self._running.clear()

    def _add(self, task: _Task) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._left_out += 1
        else:
            self._waiting.append(task)


def _end(running: _Running, now_ms: int) -> str:
    """Kill a process that has run too long; returns what went wrong with one that has ended, or ""."""
    task, process = running.task, running.process
    code = process.poll()
    if code is None and now_ms - running.since < LONGEST_MS:
        return ""
    with running.errors:
        if code is None:
            _kill(process)
            return f"{task.name} was killed after {LONGEST_MS // 1000} s: {task.alert.text}"
        running.errors.seek(0)
        reason = running.errors.read(_SHOWN).decode("utf-8", "replace").partition("\n")[0].strip()
    shown = f" ({reason})" if reason else ""
    return f"{task.name} failed with the exit code {code}{shown}: {task.alert.text}" if code else ""


def _start(task: _Task, now_ms: int) -> _Running:
    with ExitStack() as stack:
        errors = stack.enter_context(TemporaryFile())
        # A command may write anything, and of any length: that is discarded.
        process = _process(task, errors if task.is_ours else subprocess.DEVNULL)
        stack.pop_all()
    return _Running(task, process, now_ms, errors)


def _process(task: _Task, errors: IO[bytes] | int) -> subprocess.Popen[bytes]:
    alert = task.alert
    environment = {
        **os.environ,
        "PROVIDER_ALERT": alert.kind,
        "PROVIDER_ALERT_STATE": alert.state,
        "PROVIDER_ALERT_TEXT": alert.text,
    }
    # A file, not a pipe: writing to a pipe waits for a process that does not read.
    with TemporaryFile() as file:
        file.write(f"{task.text}\n".encode())
        file.seek(0)
        return subprocess.Popen(
            task.command,
            stdin=file,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=_ROOT if task.is_ours else None,
            env=environment,
            start_new_session=True,
        )


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        from signal import SIGKILL

        # The process leads its group until its exit code has been read, so the group is its own. On macOS a group in
        # which every process has ended cannot be killed.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, SIGKILL)
    process.wait()
