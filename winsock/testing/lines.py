"""The lines of a test that lead to a call, for the reports of failures."""

from __future__ import annotations

import os
import sys
from types import FrameType

__all__ = ["calling_lines", "indented"]

# The frames below these belong to the test runner.
_RUNNERS = ("_pytest", "doctest", "pluggy", "pytest", "pytest_asyncio", "unittest", "threading")
# Frames of these are between the frames of a test. An event loop's would fill the report.
_BETWEEN = ("anyio", "asyncio", "concurrent", "contextlib", "hypothesis", "unittest.mock", "winsock_pytest")
_OWN = __name__.rpartition(".")[0]
_MOST_LINES = 8


def calling_lines() -> list[str]:
    """The lines that lead to the call of this package, the innermost first: "ticker.py:7 in connected"."""
    lines: list[str] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and len(lines) < _MOST_LINES:
        module = str(frame.f_globals.get("__name__", ""))
        package = module.partition(".")[0]
        between = package in _BETWEEN or module in _BETWEEN
        if package in _RUNNERS and not between:
            break
        if not between and module.rpartition(".")[0] != _OWN:
            code = frame.f_code
            lines.append(f"{_path(code.co_filename)}:{frame.f_lineno} in {code.co_name}")
        frame = frame.f_back
    return lines


def indented(what: str, lines: list[str], indent: str) -> list[str]:
    """The lines of a report: "opened by socket() at ticker.py:7 in connected" and, further indented, its callers."""
    first, *callers = lines or ["an unknown line"]
    return [f"{indent}{what} at {first}", *(f"{indent}  called at {caller}" for caller in callers)]


def _path(file: str) -> str:
    """The path relative to the current folder, where the file is in it."""
    try:
        start = os.getcwd() + os.sep
    except OSError:  # the current folder was removed
        return file
    return file[len(start) :] if file.startswith(start) else file
