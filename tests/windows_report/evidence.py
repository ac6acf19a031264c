"""What a report can be evidence for: it was made on Windows, and the clone knows the names in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.conformance import recordings
from tests.windows_facts.facts import Fact, collect
from tests.windows_facts.runner import WINE_DIFFERS, agrees

from . import notes, pairs
from .form import ReportError
from .resuming import CHECKOUT
from .suite import folder_of

# A report must have run at least this number of scenarios in which Wine and Windows differ. With fewer, a Windows that
# contradicts its documentation is as probable as Wine.
_LEAST_EVIDENCE = 3
_MOST_NAMES = 10

Parts = dict[str, dict[str, Any]]


# ---- Wine


def refuse_wine(report: Mapping[str, Any], root: Path) -> None:
    """Refuses a report that says, or shows by its results, that it was made on Wine.

    Errors: ReportError.
    """
    wine = report["system"]["wine"]
    if wine:
        raise ReportError(f"the report was made on Wine {wine}: it says nothing about Windows; see --try")
    facts = _facts(report["parts"])
    # Only Wine skips a fact for this reason.
    skipped = [name for name, result in facts.items() if str(result["detail"]).startswith(WINE_DIFFERS)]
    if skipped:
        raise ReportError(
            f"{len(skipped)} facts were skipped because {WINE_DIFFERS}, such as {skipped[0]}: "
            "the report was made on Wine; see --try"
        )
    as_wine, as_windows = answers_like(report, notes.load_recordings(root))
    if as_wine + as_windows >= _LEAST_EVIDENCE and as_wine > as_windows:
        raise ReportError(
            f"in {as_wine} of {as_wine + as_windows} scenarios in which Wine and Windows differ it has Wine's results: "
            "it was probably made on Wine; see --try"
        )


def answers_like(report: Mapping[str, Any], entries: Mapping[str, recordings.Entry]) -> tuple[int, int]:
    """In how many scenarios the report has Wine's results, and in how many those of Windows, where the two differ."""
    as_wine = as_windows = 0
    for name, seen in _scenarios(report["parts"]).items():
        balance = _balance(seen, entries.get(name, {"wine": []}))
        as_wine += balance > 0
        as_windows += balance < 0
    return as_wine, as_windows


def _balance(seen: list[list[Any]], entry: recordings.Entry) -> int:
    """The number of Wine's results in a scenario, minus those of Windows, where the two are known to differ."""
    answers = {label: answer for label, *answer in seen}
    wine = {label: answer for label, *answer in entry["wine"]}
    balance = 0
    for difference in entry.get("windows", ()):
        label = difference["label"]
        if label in answers:
            answer = answers[label]
            balance += -1 if answer in difference["answers"] else answer == wine.get(label)
    return balance


def _scenarios(parts: Mapping[str, Any]) -> dict[str, list[list[Any]]]:
    seen: dict[str, list[list[Any]]] = parts["scenarios"]["seen"] if "scenarios" in parts else {}
    return seen


def _facts(parts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    results: dict[str, dict[str, Any]] = parts["facts"]["results"] if "facts" in parts else {}
    return results


# ---- the names in a report


def known_parts(report: Mapping[str, Any], scenarios: Collection[str]) -> tuple[Parts, list[str]]:
    """The parts of a report without names that this clone does not have, and a line about each kind of these names.

    Whether a fact is as on Windows is decided here by its result: the report may say what its result does not show.
    """
    parts: Parts = {part: dict(found) for part, found in report["parts"].items()}
    lines = []
    for part, (kind, key, known) in _known(scenarios).items():
        if part in parts:
            found = parts[part][key]
            parts[part][key] = {name: item for name, item in found.items() if name in known}
            lines += _ignored(kind, found.keys() - known)
    if "tests" in parts:
        folders, failures = _test_folders(), parts["tests"]["failures"]
        parts["tests"]["failures"] = [failure for failure in failures if folder_of(failure["test"]) in folders]
        lines += _ignored(
            "tests", {failure["test"] for failure in failures if folder_of(failure["test"]) not in folders}
        )
    if "facts" in parts:
        facts = collect()
        parts["facts"]["results"] = {name: _judged(facts[name], result) for name, result in _facts(parts).items()}
    return parts, lines


def _known(scenarios: Collection[str]) -> dict[str, tuple[str, str, Collection[str]]]:
    """For each part: what its names are, the key that has them, and the names of this clone."""
    return {
        "tests": ("folders of tests", "counts", _test_folders()),
        "scenarios": ("scenarios", "seen", {*scenarios}),
        "facts": ("facts", "results", {*collect()}),
        "pairs": ("runs of pairs", "jobs", {*pairs.JOBS}),
    }


def _test_folders() -> set[str]:
    """The folders that have tests, and the folders above them: a package of tests that cannot be imported is there."""
    files = (path.relative_to(CHECKOUT) for path in (CHECKOUT / "tests").rglob("test_*.py"))
    return {folder.as_posix() for path in files for folder in path.parents}


def _judged(fact: Fact, result: Mapping[str, Any]) -> dict[str, Any]:
    if result["outcome"] not in ("as on Windows", "different"):
        return dict(result)
    agreed = agrees(fact, result["detail"])
    return {**result, "outcome": "as on Windows" if agreed else "different"}


def _ignored(kind: str, names: Collection[str]) -> Iterator[str]:
    if names:
        first = sorted(names)[:_MOST_NAMES]
        more = f" and {len(names) - len(first)} more" if len(names) > len(first) else ""
        yield f"unknown {kind}, ignored: {', '.join(first)}{more}"
