"""Runs the parts of a report, shows the progress, and returns the report."""

from __future__ import annotations

import datetime
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from . import pairs, privacy, system
from .form import FORM, PARTS, VERSION
from .resuming import CHECKOUT, progress, results, run_items
from .screen import Screen

# The time in seconds in which something must happen: more than a test, a scenario or a fact may take.
SILENCE_OF_TESTS = 300.0
SILENCE_OF_SCENARIOS = 60.0
# The outcomes of a test that a report lists with their messages; the first three are of a test that did not end.
BAD_OUTCOMES = ("ended", "silent", "error", "failed", "xpassed")

Selection = Mapping[str, Sequence[str]]


def selection(words: Sequence[str]) -> dict[str, list[str]]:
    """What --only has chosen: the names by part. "facts" is a whole part, "facts/queues" one topic of it.

    Errors: SystemExit for an unknown part.
    """
    chosen: dict[str, list[str]] = {}
    for word in words or PARTS:
        part, _, name = word.partition("/")
        if part not in PARTS:
            raise SystemExit(f"unknown part: {word!r}; the parts are {', '.join(PARTS)}")
        chosen.setdefault(part, [])
        if name:
            chosen[part].append(f"tests/{name}" if part == "tests" else name)
    return {part: chosen[part] for part in PARTS if part in chosen}


def make(chosen: Selection, processes: int, screen: Screen) -> dict[str, Any]:
    """Makes a report. Ctrl-C ends the part that runs; the report then has the results so far."""
    # First of all: what fails here must not cost the results of ten minutes.
    cleaner = privacy.cleaner()
    report: dict[str, Any] = {"form": FORM, "version": VERSION, "made": datetime.date.today().isoformat()}
    report["system"] = system.describe()
    report["parts"] = {}
    run = {"tests": _run_tests, "scenarios": _run_scenarios, "facts": _run_facts, "pairs": _run_pairs}
    for part, names in chosen.items():
        began = time.monotonic()
        found: dict[str, Any] = {"selection": list(names), "problem": ""}
        try:
            run[part](found, names, processes, screen)
        except KeyboardInterrupt:
            found["problem"] = "interrupted by Ctrl-C"
        found["seconds"] = round(time.monotonic() - began, 1)
        report["parts"][part] = found
        screen.end(f"{part}: {summary(part, found)}")
        if found["problem"].startswith("interrupted"):
            break
    return report | {"parts": cleaner.value(report["parts"])}


def summary(part: str, found: Mapping[str, Any]) -> str:
    """The result of a part in one line."""
    counts: Counter[str] = Counter()
    if part == "tests":
        for folder in found["counts"].values():
            counts.update(folder)
    elif part == "scenarios":
        counts["run"] = len(found["seen"])
    elif part == "facts":
        counts.update(result["outcome"] for result in found["results"].values())
    else:
        counts.update("as expected" if job["exit_code"] == 0 else "failed" for job in found["jobs"].values())
    text = ", ".join(f"{number} {outcome}" for outcome, number in counts.items()) or "nothing"
    return f"{text} ({found['seconds']:.0f} s)" + (f"; {found['problem']}" if found["problem"] else "")


# ---- the tests


def batches(names: Sequence[str]) -> list[str]:
    """The folders with tests, the largest first; or the folders and files that are chosen."""
    if names:
        return list(names)
    files = Counter(path.parent.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "tests").rglob("test_*.py"))
    return [folder for folder, _ in files.most_common()]


def _run_tests(found: dict[str, Any], names: Sequence[str], processes: int, screen: Screen) -> None:
    """Runs each folder in a process of its own, several at a time."""
    waiting = deque(enumerate(batches(names)))
    logs: list[Path] = []
    problems: list[str] = []
    stopped = threading.Event()

    def show() -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        screen.show(state)

    def state() -> str:
        states = [progress(log, BAD_OUTCOMES) for log in list(logs)]
        done, total, bad = map(sum, zip(*states, strict=True))
        return f"tests: {done} of {total} so far, {bad} failed, {len(waiting)} folders left"

    def work() -> None:
        try:
            while waiting:
                number, batch = waiting.popleft()
                log = Path(folder, f"{number}.log")
                logs.append(log)
                command = [*_PYTEST, batch]
                if problem := run_items(command, log, SILENCE_OF_TESTS, show):
                    problems.append(problem)
        except (IndexError, KeyboardInterrupt):  # the other process has taken the last folder
            return

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        threads = [threading.Thread(target=work) for _ in range(processes)]
        try:
            _join(threads)
        except KeyboardInterrupt:
            problems.append("interrupted by Ctrl-C")
        finally:
            stopped.set()
            for thread in threads:
                thread.join()
        ended = {test: result for log in logs for test, result in results(log).items()}
    found["problem"] = "; ".join(sorted(problems, key=lambda text: not text.startswith("interrupted")))[:3000]
    found |= tests_part(ended)


_PYTEST = [
    "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.windows_report.outcome_log",
    "--continue-on-collection-errors",
]  # fmt: skip


def _join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        # On Windows Ctrl-C does not interrupt a wait without a time limit.
        while thread.is_alive():
            thread.join(0.2)


def tests_part(ended: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The counts by folder, and the tests that failed."""
    counts: dict[str, Counter[str]] = {}
    failures = []
    for test, result in sorted(ended.items()):
        folder = PurePosixPath(test.partition("::")[0]).parent.as_posix()
        counts.setdefault(folder, Counter())[result["outcome"]] += 1
        if result["outcome"] in BAD_OUTCOMES:
            failures.append({"test": _ascii(test)[:500], "outcome": result["outcome"], "message": result["detail"]})
    return {"counts": {folder: dict(each) for folder, each in counts.items()}, "failures": failures}


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")


# ---- scenarios, facts and pairs


def _observe(kind: str, names: Sequence[str], screen: Screen) -> tuple[dict[str, dict[str, Any]], str]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = Path(folder, "log")

        def show() -> None:
            screen.show(state)

        def state() -> str:
            done, total, bad = progress(log, ("ended", "silent", "different"))
            return f"{kind}: {done} of {total}, {bad} failed"

        try:
            command = ["-m", "tests.windows_report.observing", kind, *names]
            problem = run_items(command, log, SILENCE_OF_SCENARIOS, show)
        except KeyboardInterrupt:
            problem = "interrupted by Ctrl-C"
        return results(log), problem


def _run_scenarios(found: dict[str, Any], names: Sequence[str], processes: int, screen: Screen) -> None:
    ended, found["problem"] = _observe("scenarios", names, screen)
    found["seen"] = {
        name: result["detail"] if result["outcome"] == "observed" else [["stopped", result["detail"]]]
        for name, result in ended.items()
    }


def _run_facts(found: dict[str, Any], names: Sequence[str], processes: int, screen: Screen) -> None:
    ended, found["problem"] = _observe("facts", names, screen)
    found["results"] = {
        name: {"outcome": result["outcome"], "detail": result["detail"]} for name, result in ended.items()
    }


def _run_pairs(found: dict[str, Any], names: Sequence[str], processes: int, screen: Screen) -> None:
    found["jobs"] = {}
    for job in pairs.chosen(names):
        screen.show(f"pairs: {job}".__str__)
        found["jobs"][job] = pairs.run(job)
