"""A job of the demos as a process of its own: `python -m demos provider --demo`, `proxy`, `broker`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from terminal_kit import ROOT
from winsock_kit import LIMIT_SECONDS


class Log:
    """The lines of a running job that have been read."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def wait(self, pattern: str) -> str:
        """Read until a line matches; the first group of the match."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found[1] if found.groups() else found[0]
        raise AssertionError(f"no {pattern!r} in:\n{''.join(self.lines)}")

    def interrupt(self) -> dict[str, Any]:
        """End the job by Ctrl-C; its summary."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> dict[str, Any]:
        """Wait until the job ends; its summary."""
        output, errors = self.process.communicate(timeout=LIMIT_SECONDS * 4)
        self.lines.append(errors)
        assert "Traceback" not in "".join(self.lines)
        [line] = output.splitlines()
        summary: dict[str, Any] = json.loads(line)
        return summary


@contextmanager
def started_job(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Start `python -m demos` with these arguments. The process does not outlive the block."""
    command = [sys.executable, "-m", "demos", *map(str, arguments)]
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, encoding="utf-8", **pipes) as process:
        try:
            yield process
        finally:
            process.kill()
