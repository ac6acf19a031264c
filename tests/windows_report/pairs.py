"""Runs the article's three pairs, and the product programs that grew out of them, as a user starts them.

Each job starts its programs as processes, compares their results at the end and prints a summary as one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from .resuming import end, start

# Each job with its options; {folder} is a temporary folder.
JOBS = {
    "signal --study": ["signal", "--study", "--duration", "5", "--json"],
    "signal": ["signal", "--duration", "5", "--json"],
    "tpl --study": ["tpl", "--study", "--no-pictures", "--out", "{folder}", "--json"],
    "tpl": ["tpl", "--no-pictures", "--out", "{folder}", "--json"],
    "ticks --study": ["ticks", "--study", "--duration", "5", "--json"],
    "ticks": ["ticks", "--duration", "5", "--json"],
}
# Far more than a job needs on a slow machine.
LIMIT_SECONDS = 120
_LAST_LINES = 12
_LONGEST_LINE = 300


def chosen(words: Sequence[str]) -> list[str]:
    """The jobs of these pairs ("signal", "tpl", "ticks"); without words all.

    Errors: ValueError for an unknown pair.
    """
    names = {job.partition(" ")[0] for job in JOBS}
    for word in words:
        if word not in names:
            raise ValueError(f"unknown pair: {word!r}; the pairs are {', '.join(sorted(names))}")
    return [job for job in JOBS if not words or job.partition(" ")[0] in words]


def run(job: str, limit: float = LIMIT_SECONDS) -> dict[str, Any]:
    """Runs a job: its exit code (None if it did not end in time), time, summary and, if it has failed, last lines."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, tempfile.TemporaryFile() as output:
        options = [option.format(folder=folder) for option in JOBS[job]]
        process = start(["-m", "demos", *options], output)
        code: int | None = None
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            pass
        finally:
            end(process)
        output.seek(0)
        written = output.read().decode("utf-8", "backslashreplace").splitlines()
    result: dict[str, Any] = {"exit_code": code, "seconds": round(time.monotonic() - began, 1)}
    result["summary"] = _summary(written)
    if code != 0:
        result["last_lines"] = [line[:_LONGEST_LINE] for line in written[-_LAST_LINES:]]
    return result


def _summary(written: Sequence[str]) -> dict[str, Any]:
    """The single values of the summary, which is the last line that is JSON."""
    for line in reversed(written):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            return {key: value for key, value in found.items() if not isinstance(value, list | dict)}
    return {}
