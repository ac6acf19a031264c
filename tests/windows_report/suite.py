"""Runs the test suite for a report: each folder in a process of its own, several at a time."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from .resuming import CHECKOUT, progress, results, run_items
from .screen import Screen

# More than the longest time limit of a test. It ends what pytest's own limits do not.
SILENCE_SECONDS = 660.0
# The outcomes of a test that a report lists with their messages; the first two are of a test that did not end.
BAD_OUTCOMES = ("ended", "silent", "error", "failed", "xpassed")
INTERRUPTED = "interrupted by Ctrl-C"
_LONGEST_PROBLEM = 3000
_PYTEST = [
    "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.windows_report.outcome_log",
    "--continue-on-collection-errors",
]  # fmt: skip


def batches(names: Sequence[str]) -> list[list[str]]:
    """The test files of each folder, without those of its subfolders, the most first; or each chosen file or folder."""
    if names:
        return [[name] for name in names]
    folders: dict[Path, list[str]] = {}
    for path in sorted((CHECKOUT / "tests").rglob("test_*.py")):
        folders.setdefault(path.parent, []).append(path.relative_to(CHECKOUT).as_posix())
    return sorted(folders.values(), key=len, reverse=True)


class _Run:
    """The folders that wait, and the logs and problems of those that run or have run."""

    def __init__(self, folders: Sequence[Sequence[str]], logs: Path, screen: Screen) -> None:
        self._waiting = deque(enumerate(folders))
        self._folder = logs
        self._screen = screen
        self._stopped = threading.Event()
        self.logs: list[Path] = []
        self.problems: list[str] = []

    def in_threads(self, number: int) -> None:
        """Runs all folders, with this number of processes at a time."""
        threads = [threading.Thread(target=self._work) for _ in range(number)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                # On Windows Ctrl-C does not interrupt a wait without a time limit.
                while thread.is_alive():
                    thread.join(0.2)
        except KeyboardInterrupt:
            self.problems.insert(0, INTERRUPTED)
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()

    def _work(self) -> None:
        try:
            while True:
                number, batch = self._waiting.popleft()
                log = self._folder / f"{number}.log"
                self.logs.append(log)
                if problem := run_items([*_PYTEST, *batch], log, SILENCE_SECONDS, self._show):
                    self.problems.append(problem)
        except (IndexError, KeyboardInterrupt):  # no folder waits, or _show has stopped this thread
            return
        except OSError as error:
            self.problems.append(f"a folder of tests was not run: {error}")

    def _show(self) -> None:
        if self._stopped.is_set():
            raise KeyboardInterrupt
        self._screen.show(self._state)

    def _state(self) -> str:
        states = [progress(log, BAD_OUTCOMES) for log in list(self.logs)]
        done, total, bad = map(sum, zip(*states, strict=True))
        return f"tests: {done} of {total} in {len(states)} folders, {bad} failed; {len(self._waiting)} folders follow"


def run_suite(found: dict[str, Any], names: Sequence[str], processes: int, screen: Screen) -> None:
    """Runs the tests and writes their results into this part of a report."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        run = _Run(batches(names), Path(folder), screen)
        run.in_threads(processes)
        ended = {test: result for log in run.logs for test, result in results(log).items()}
    found["problem"] = "; ".join(run.problems)[:_LONGEST_PROBLEM]
    found |= tests_part(ended)


def folder_of(test: str) -> str:
    """The folder of a test, by its identifier in pytest."""
    return PurePosixPath(test.partition("::")[0]).parent.as_posix()


def tests_part(ended: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The counts by folder, and the tests that failed."""
    counts: dict[str, Counter[str]] = {}
    failures = []
    for test, result in sorted(ended.items()):
        counts.setdefault(folder_of(test), Counter())[result["outcome"]] += 1
        if result["outcome"] in BAD_OUTCOMES:
            failures.append({"test": _ascii(test)[:500], "outcome": result["outcome"], "message": result["detail"]})
    return {"counts": {folder: dict(each) for folder, each in counts.items()}, "failures": failures}


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")
