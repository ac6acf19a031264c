"""Adds a checked report to the recordings, to notes/differences.md and to notes/figures.md.

A report is evidence, which a maintainer judges. So a merge changes nothing that is documented or recorded:

- Names that the clone does not have are ignored, and printed (`evidence`).
- Each scenario gets a side "windows report" next to "wine" and "windows": one row for each observation, with the ids of
  the reports that have made it: {"label", "answer", "reports"}. What compat must return is still decided by the other
  two sides. What contradicts them is listed, here and in notes/differences.md; the maintainer then changes the
  scenario's "windows" side, or finds the defect.
- `reports.json` gets the versions, counts and failing tests of the report, and its results of facts.
- The generated part of notes/differences.md and the last column of notes/figures.md are made anew.

All texts are made before the first file changes, so an error leaves the clone as it was.

The id of a report is made from its content. So merging a report again changes nothing.

A report from Wine shows how the commands work, and nothing about Windows. It is merged only into a copy.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.conformance import recordings

from . import notes
from .evidence import answers_like, known_parts


class Plan(NamedTuple):
    """What a merge changes, and what the maintainer has to know."""

    files: dict[str, str]  # the new texts by path
    lines: list[str]


def report_id(report: Mapping[str, Any]) -> str:
    """The system's version and a hash of the report, such as "10.0.22631-1a2b3c4d"."""
    build = re.findall(r"[0-9.]+", report["system"]["windows"])[-1]
    content = json.dumps(report, sort_keys=True).encode("ascii")
    return f"{'wine-' if report['system']['wine'] else ''}{build}-{hashlib.sha256(content).hexdigest()[:8]}"


def plan(report: Mapping[str, Any], root: Path) -> Plan:
    """What the merge of a checked report into a tree changes.

    Errors: notes.TreeError for a file of the tree that a merge cannot change; OSError.
    """
    name = report_id(report)
    files, reports = notes.load_files(root), notes.load_reports(root)
    entries = notes.entries_of(files)
    lines = _remarks(report, name, entries)
    parts, ignored = known_parts(report, entries)
    _merge_scenarios(parts, name, entries)
    reports = _merge_reports({**report, "parts": parts}, name, reports)
    texts = {path: recordings.text(kept["wine"], kept["scenarios"]) for path, kept in files.items()}
    texts[notes.REPORTS] = json.dumps(reports, indent=1) + "\n"
    texts |= notes.pages(root, reports, entries)
    return Plan(texts, [*lines, *ignored, *_results(name, reports, entries)])


def write(files: Mapping[str, str], root: Path) -> None:
    """Writes the files of a plan: first all texts into new files, which then replace the old ones.

    Errors: OSError.
    """
    new = {root / path: (root / path).with_name(f"{Path(path).name}.new") for path in files}
    try:
        for path, text in zip(new.values(), files.values(), strict=True):
            path.write_text(text, encoding="utf-8", newline="\n")
        for path, replacement in new.items():
            replacement.replace(path)
    finally:
        for path in new.values():
            path.unlink(missing_ok=True)


def merge(report: Mapping[str, Any], root: Path) -> list[str]:
    """Merges a checked report into a tree; returns what the maintainer has to know, in lines.

    Errors: as for plan.
    """
    planned = plan(report, root)
    write(planned.files, root)
    return planned.lines


def copy_tree(source: Path, target: Path) -> None:
    """Copies what a merge reads and writes.

    Errors: FileExistsError; OSError.
    """
    target.mkdir(parents=True)
    for path in (notes.FIGURES, notes.DIFFERENCES, notes.REPORTS):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target / path)
    shutil.copytree(source / notes.RECORDINGS, target / notes.RECORDINGS)


def _merge_scenarios(parts: Mapping[str, Any], name: str, entries: Mapping[str, recordings.Entry]) -> None:
    for scenario, seen in parts.get("scenarios", {"seen": {}})["seen"].items():
        rows = entries[scenario].setdefault(notes.SIDE, [])
        for label, *answer in seen:
            _add_row(rows, name, label=label, answer=answer)


def _add_row(rows: list[dict[str, Any]], report: str, **content: Any) -> None:
    """Adds the report's id to the row with this content, and the row if there is none."""
    for row in rows:
        if {key: value for key, value in row.items() if key != "reports"} == content:
            row["reports"] = sorted({*row["reports"], report})
            return
    rows.append({**content, "reports": [report]})


def _merge_reports(report: Mapping[str, Any], name: str, kept: dict[str, Any]) -> dict[str, Any]:
    # The results of scenarios and facts are kept once for all reports.
    parts = {
        part: {key: value for key, value in found.items() if key not in ("seen", "results")}
        for part, found in report["parts"].items()
    }
    kept["reports"][name] = {"made": report["made"], "system": report["system"], "parts": parts}
    for fact, result in report["parts"].get("facts", {"results": {}})["results"].items():
        if result["outcome"] != "skipped":
            _add_row(kept["facts"].setdefault(fact, []), name, **result)
    return {key: dict(sorted(kept[key].items())) for key in ("reports", "facts")}


def _remarks(report: Mapping[str, Any], name: str, entries: Mapping[str, recordings.Entry]) -> list[str]:
    system = report["system"]
    lines = [f"{name}: {notes.system_name(system)}, Python {system['python']}, commit {system['commit'] or 'unknown'}"]
    if system["changed"]:
        lines.append("the report was made with changed files")
    if system["missing"]:
        lines.append(f"not installed: {', '.join(system['missing'])}")
    for part, found in report["parts"].items():
        if found["selection"]:
            lines.append(f"{part}: only {', '.join(found['selection'])}; it does not count in notes/figures.md")
        if found["problem"]:
            lines.append(f"{part}: not complete, so it does not count in notes/figures.md: {found['problem']}")
    as_wine, as_windows = answers_like(report, entries)
    if as_wine:
        lines.append(
            f"in {as_wine} of {as_wine + as_windows} scenarios in which Wine and Windows differ it has Wine's results"
        )
    return lines


def _results(name: str, reports: Mapping[str, Any], entries: Mapping[str, recordings.Entry]) -> list[str]:
    """The contradictions and the failed tests of a report that has been merged."""
    lines = []
    for scenario, differing in notes.contradictions(entries, name).items():
        lines += [f"contradiction in {scenario}: {each}" for each in differing]
    for fact, (outcome, detail) in notes.fact_results(reports, name).items():
        if outcome != "as on Windows":
            lines.append(f"contradiction in the fact {fact}: {outcome}, {json.dumps(detail)}")
    for failure in reports["reports"][name]["parts"].get("tests", {}).get("failures", ()):
        lines.append(f"{failure['outcome']}: {failure['test']}: {failure['message']}")
    return lines
