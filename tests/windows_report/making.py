"""Runs the parts of a report, shows the progress, and returns the report."""

from __future__ import annotations

import datetime
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from . import pairs, privacy, system
from .form import FORM, PARTS, VERSION
from .observing import items
from .resuming import CHECKOUT, progress, results, run_items
from .screen import Screen
from .suite import INTERRUPTED, run_suite

# The time in which something must happen: more than a scenario or a fact may take.
SILENCE_SECONDS = 60.0

Selection = Mapping[str, Sequence[str]]


def selection(words: Sequence[str]) -> dict[str, list[str]]:
    """What --only has chosen: the names by part. "facts" is a whole part, "facts/queues" one topic of it.

    Errors: ValueError for an unknown part or name.
    """
    chosen: dict[str, list[str]] = {}
    for word in words or PARTS:
        part, _, name = word.partition("/")
        if part not in PARTS:
            raise ValueError(f"unknown part: {word!r}; the parts are {', '.join(PARTS)}")
        chosen.setdefault(part, [])
        if name:
            chosen[part].append(f"tests/{name}" if part == "tests" else name)
    _check_names(chosen)
    return {part: chosen[part] for part in PARTS if part in chosen}


def _check_names(chosen: Selection) -> None:
    for name in chosen.get("tests", ()):
        if not (CHECKOUT / name).exists():
            raise ValueError(f"no such file or folder of tests: {name}")
    for kind in {"scenarios", "facts"} & chosen.keys():
        items(kind, chosen[kind])
    pairs.chosen(chosen.get("pairs", ()))


def make(chosen: Selection, processes: int, screen: Screen) -> dict[str, Any]:
    """Makes a report. Ctrl-C ends the part that runs; the report then has the results so far."""
    # First of all: what fails here must not cost the results of half an hour.
    cleaner = privacy.cleaner()
    report: dict[str, Any] = {"form": FORM, "version": VERSION, "made": datetime.date.today().isoformat()}
    report["system"] = system.describe()
    report["parts"] = {}
    run = {"tests": run_suite, "scenarios": _run_scenarios, "facts": _run_facts, "pairs": _run_pairs}
    for part, names in chosen.items():
        began = time.monotonic()
        found: dict[str, Any] = {"selection": list(names), "problem": ""}
        try:
            run[part](found, names, processes, screen)
        except KeyboardInterrupt:
            found["problem"] = INTERRUPTED
        found["seconds"] = round(time.monotonic() - began, 1)
        report["parts"][part] = found
        screen.end(f"{part}: {summary(part, found)}")
        if found["problem"].startswith(INTERRUPTED):
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
            problem = run_items(command, log, SILENCE_SECONDS, show)
        except KeyboardInterrupt:
            problem = INTERRUPTED
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
        screen.show(partial("pairs: {}".format, job))
        found["jobs"][job] = pairs.run(job)
