"""A trace of this process, to a file that the tests read; and runs of Python in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import winsock
from winsock import Winsock, trace
from winsock.api import CALLS

ROOT = Path(__file__).resolve().parent.parent


class Tracing:
    """The calls of winsock with a trace around them, and what it has written."""

    def __init__(self, path: Path, json: bool, preview: int = trace.PREVIEW, only: Collection[str] = CALLS) -> None:
        self.path = path
        self._json = json
        trace.start(str(path), json=json, preview=preview, only=only, argv=["program.py"])

    @property
    def calls(self) -> Winsock:
        return winsock.calls

    def text(self) -> str:
        return self.path.read_text(encoding="ascii")

    def lines(self) -> list[str]:
        """The calls without time, thread and duration."""
        return [re.sub(r"^\S+ \[[^]]*\] | <\d+\.\d{6}>$", "", line) for line in self.text().splitlines()]

    def records(self) -> list[dict[str, Any]]:
        """What was written as JSON, without the line about the program."""
        return [json.loads(line) for line in self.text().splitlines()[1:]]


def python(
    *arguments: str, cwd: Path, environment: dict[str, str] | None = None, check: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run Python with winsock from this checkout."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "compat")])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path} | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=check,
    )
