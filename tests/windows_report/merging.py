"""Adds a checked report to the recordings, to notes/differences.md and to the README.

A report is evidence, which a maintainer judges. So a merge changes nothing that is documented or recorded:

- Each scenario gets a side "windows report" beside "wine" and "windows": one row for each observation, with the ids of
  the reports that have made it: {"label", "answer", "reports"}. What compat must return is still decided by the other
  two sides. What contradicts them is listed, here and in notes/differences.md; the maintainer then changes the
  scenario's "windows" side, or finds the defect.
- `reports.json` gets the versions, counts and failing tests of the report, and its results of facts.
- The generated part of notes/differences.md and the README's last column are made anew.

The id of a report is made from its content. So merging a report again changes nothing.

A report from Wine shows how the commands work, and nothing about Windows. It is merged into a copy alone.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conformance import recordings

from . import notes
from .form import ReportError

# At least so many documented differences between Wine and Windows must be observed to say which of the two it was.
_LEAST_EVIDENCE = 20


def report_id(report: Mapping[str, Any]) -> str:
    """The system's version and a hash of the report, such as "10.0.22631-1a2b3c4d"."""
    build = re.findall(r"[\d.]+", report["system"]["windows"])[-1]
    content = json.dumps(report, sort_keys=True).encode("ascii")
    return f"{'wine-' if report['system']['wine'] else ''}{build}-{hashlib.sha256(content).hexdigest()[:8]}"


def refuse_wine(report: Mapping[str, Any], root: Path) -> None:
    """Refuses a report that says, or shows by its results, that it was made on Wine.

    Errors: ReportError.
    """
    wine = report["system"]["wine"]
    if wine:
        raise ReportError(f"the report was made on Wine {wine}: it says nothing about Windows; see --try")
    as_wine, as_windows = _answers_like(report, notes.load_recordings(root))
    if as_wine + as_windows >= _LEAST_EVIDENCE and as_wine > as_windows:
        raise ReportError(
            f"in {as_wine} of {as_wine + as_windows} results in which Wine and Windows differ it has those of Wine: "
            "it was probably made on Wine; see --try"
        )


def _answers_like(report: Mapping[str, Any], entries: Mapping[str, recordings.Entry]) -> tuple[int, int]:
    """How often the report has Wine's result, and how often that of Windows, where the two are known to differ."""
    as_wine = as_windows = 0
    for name, seen in report["parts"].get("scenarios", {"seen": {}})["seen"].items():
        entry = entries.get(name, {"wine": []})
        answers = {label: answer for label, *answer in seen}
        wine = {label: answer for label, *answer in entry["wine"]}
        for difference in entry.get("windows", ()):
            answer = answers.get(difference["label"])
            as_windows += answer in difference["answers"]
            as_wine += answer not in difference["answers"] and answer == wine.get(difference["label"], [])
    return as_wine, as_windows


def merge(report: Mapping[str, Any], root: Path) -> list[str]:
    """Merges a checked report into a tree; returns what the maintainer has to know, in lines."""
    name = report_id(report)
    scenarios = report["parts"].get("scenarios", {"seen": {}})["seen"]
    known = notes.load_recordings(root)
    _merge_scenarios(scenarios, name, root)
    _merge_reports(report, name, root)
    notes.update(root)
    return [*_remarks(report, name, set(scenarios) - set(known)), *_results(name, root)]


def copy_tree(source: Path, target: Path) -> None:
    """Copies what a merge reads and writes.

    Errors: FileExistsError; OSError.
    """
    target.mkdir(parents=True)
    for path in (notes.README, notes.DIFFERENCES, notes.REPORTS):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target / path)
    shutil.copytree(source / notes.RECORDINGS, target / notes.RECORDINGS)


def _merge_scenarios(seen: Mapping[str, list[list[Any]]], name: str, root: Path) -> None:
    for path in sorted((root / notes.RECORDINGS).glob("*.json")):
        kept = recordings.read(path)
        for scenario in kept["scenarios"].keys() & seen.keys():
            rows = kept["scenarios"][scenario].setdefault(notes.SIDE, [])
            for label, *answer in seen[scenario]:
                _add_row(rows, name, label=label, answer=answer)
        recordings.write(path, kept["wine"], kept["scenarios"])


def _add_row(rows: list[dict[str, Any]], report: str, **content: Any) -> None:
    """Adds the report's id to the row with this content, and the row if there is none."""
    for row in rows:
        if {key: value for key, value in row.items() if key != "reports"} == content:
            row["reports"] = sorted({*row["reports"], report})
            return
    rows.append({**content, "reports": [report]})


def _merge_reports(report: Mapping[str, Any], name: str, root: Path) -> None:
    kept = notes.load_reports(root)
    # The results of scenarios and facts are kept once for all reports.
    parts = {
        part: {key: value for key, value in found.items() if key not in ("seen", "results")}
        for part, found in report["parts"].items()
    }
    kept["reports"][name] = {"made": report["made"], "system": report["system"], "parts": parts}
    for fact, result in report["parts"].get("facts", {"results": {}})["results"].items():
        if result["outcome"] != "skipped":
            _add_row(kept["facts"].setdefault(fact, []), name, **result)
    kept = {key: dict(sorted(kept[key].items())) for key in ("reports", "facts")}
    text = json.dumps(kept, indent=1) + "\n"
    (root / notes.REPORTS).write_text(text, encoding="ascii", newline="\n")


def _remarks(report: Mapping[str, Any], name: str, unknown: set[str]) -> list[str]:
    system = report["system"]
    lines = [f"{name}: {notes.system_name(system)}, Python {system['python']}, commit {system['commit'] or 'unknown'}"]
    if system["changed"]:
        lines.append("the report was made with changed files")
    if system["missing"]:
        lines.append(f"not installed: {', '.join(system['missing'])}")
    for part, found in report["parts"].items():
        if found["selection"]:
            lines.append(f"{part}: only {', '.join(found['selection'])}; it does not count in the README")
        if found["problem"]:
            lines.append(f"{part}: not complete, so it does not count in the README: {found['problem']}")
    if unknown:
        lines.append(f"unknown scenarios, ignored: {', '.join(sorted(unknown))}")
    return lines


def _results(name: str, root: Path) -> list[str]:
    """The contradictions and the failed tests of a report that has been merged."""
    entries, reports = notes.load_recordings(root), notes.load_reports(root)
    lines = []
    for scenario, differing in notes.contradictions(entries, name).items():
        lines += [f"contradiction in {scenario}: {each}" for each in differing]
    for fact, (outcome, detail) in notes.fact_results(reports, name).items():
        if outcome != "as on Windows":
            lines.append(f"contradiction in the fact {fact}: {outcome}, {json.dumps(detail)}")
    for failure in reports["reports"][name]["parts"].get("tests", {}).get("failures", ()):
        lines.append(f"{failure['outcome']}: {failure['test']}: {failure['message']}")
    return lines
