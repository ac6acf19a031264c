"""Runs a child process that works through many items, and continues after an item that ends or stops the process.

The child appends a line of JSON to a log before and after each item. It does not repeat items that the log has already:

    {"total": N}                                 once it knows the number of all items
    {"begin": ITEM}
    {"end": ITEM, "outcome": …, "detail": …}
    {"finished": true}                           when there is nothing left to do

On Windows a test that exceeds pytest's time limit ends its whole process, and an access violation does so too. If the
child has ended without the last line, or if its log has not grown for a time, the item that it had begun gets the
outcome "ended" or "silent", and a new child continues with the items that are left. A child that is ended is ended by
its process id, with the processes that it has started.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
# The variable that names the log for the child.
LOG = "WINSOCK_REPORT_LOG"
# A defect that ends every process, such as a missing module, must not be tried for ever.
MOST_STARTS = 50
_POLL_SECONDS = 0.2
_TAIL_CHARACTERS = 2000


class Progress(NamedTuple):
    """How far a child is."""

    done: int
    total: int
    bad: int


def child_environment() -> dict[str, str]:
    """The environment of a child: its output is UTF-8, whatever the code page is."""
    return {**os.environ, "PYTHONIOENCODING": "utf-8:backslashreplace"}


def start(command: Sequence[str], output: IO[bytes], log: Path | None = None) -> subprocess.Popen[bytes]:
    """Starts `python ARGUMENTS` in the clone; its output goes to a file."""
    environment = child_environment()
    if log is not None:
        environment[LOG] = str(log)
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        # On POSIX the child and what it starts can be ended as a group.
        start_new_session=sys.platform != "win32",
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process, by its id, and the processes that it has started."""
    if sys.platform == "win32":
        # A process that has ended already has no tree; taskkill then fails, which is no error here.
        with suppress(OSError, subprocess.TimeoutExpired):
            command = ["taskkill", "/PID", str(process.pid), "/T", "/F"]
            subprocess.run(command, capture_output=True, timeout=30, check=False)
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def append(log: Path, **line: Any) -> None:
    """Appends a line to a log. It is written at once: the process may end at any time."""
    with log.open("a", encoding="ascii", newline="\n") as file:
        file.write(json.dumps(line) + "\n")


def lines(log: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log, without a last one that is incomplete."""
    if not log.exists():
        return
    for text in log.read_text(encoding="ascii").split("\n"):
        with suppress(ValueError):
            yield json.loads(text)


def known_items(log: Path) -> set[str]:
    """The items that the log has."""
    return {str(line[key]) for line in lines(log) for key in ("begin", "end") if key in line}


def results(log: Path) -> dict[str, dict[str, Any]]:
    """The last line of each item that has ended, by item."""
    return {str(line["end"]): line for line in lines(log) if "end" in line}


def progress(log: Path, bad: Sequence[str]) -> Progress:
    """How far the child is; `bad` are the outcomes to count."""
    total = max([line["total"] for line in lines(log) if "total" in line], default=0)
    ended = results(log).values()
    return Progress(len(ended), total, sum(line["outcome"] in bad for line in ended))


def run_items(
    command: Sequence[str], log: Path, silence: float, show: Callable[[], None], starts: int = MOST_STARTS
) -> str:
    """Runs the child until it has finished, again after an early end; returns "" or what has prevented the end.

    `silence` is the time in seconds in which the log must grow. `show` is called several times a second.
    """
    for _ in range(starts):
        before = len(known_items(log))
        reason, tail = _run_once(command, log, silence, show)
        if any("finished" in line for line in lines(log)):
            return ""
        begun = [item for item in known_items(log) if item not in results(log)]
        for item in begun:
            append(log, end=item, outcome=reason, detail=f"the process {_TEXTS[reason]}: {tail}")
        if not begun and len(known_items(log)) == before:
            return f"python {' '.join(command)} {_TEXTS[reason]} without a result: {tail}"
    return f"python {' '.join(command)} ended early {starts} times"


_TEXTS = {"ended": "has ended", "silent": "did not go on and was ended"}


def _run_once(command: Sequence[str], log: Path, silence: float, show: Callable[[], None]) -> tuple[str, str]:
    """Runs the child once; returns "ended" or "silent", and the end of its output."""
    with tempfile.TemporaryFile() as output:
        process = start(command, output, log)
        try:
            reason = "silent" if _is_silent(process, log, silence, show) else "ended"
        finally:
            end(process)
        output.seek(0)
        text = output.read().decode("utf-8", "backslashreplace")
    return reason, text[-_TAIL_CHARACTERS:].strip()


def _is_silent(process: subprocess.Popen[bytes], log: Path, silence: float, show: Callable[[], None]) -> bool:
    """Waits for the end of a process; True as soon as its log has not grown for too long."""
    size, grown = -1, time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
            return False
        show()
        now, length = time.monotonic(), log.stat().st_size if log.exists() else 0
        if length != size:
            size, grown = length, now
        elif now - grown > silence:
            return True
