"""What the merged reports say in notes/differences.md and in the table "What was proven where".

Both texts are made from the recordings and from `reports.json`. Anybody may have written a report, so no link, mention
or tag comes out of it: names and versions have a strict form (`form`), and every other text is a code span (`code`).
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.conformance import recordings
from tests.conformance.runner import differences
from winsock.command_line import printable

REPORTS = "tests/windows_report/reports.json"
RECORDINGS = "tests/conformance/recordings"
DIFFERENCES = "notes/differences.md"
FIGURES = "notes/figures.md"
# The side of a recording that the reports fill, next to "wine" and "windows".
SIDE = "windows report"
NOT_YET = "not yet"
_BEGIN = "<!-- generated: python -m tests.windows_report merge FILE -->"
_END = "<!-- end of the reports -->"
_LONGEST_CELL = 300
# A report in which nearly everything fails must not fill the notes.
_MOST_ROWS = 200

Report = dict[str, Any]


class TreeError(Exception):
    """A file of the tree lacks what a merge changes; in one line."""


def load_reports(root: Path) -> dict[str, Any]:
    """The merged reports by id, and the results of facts with the ids of the reports that have them.

    Errors: TreeError; OSError.
    """
    return _load(root / REPORTS, REPORTS, {"reports", "facts"})


def load_files(root: Path) -> dict[str, dict[str, Any]]:
    """The files of recordings of a tree, by path.

    Errors: TreeError; OSError.
    """
    files = sorted((root / RECORDINGS).glob("*.json"))
    names = [path.relative_to(root).as_posix() for path in files]
    return {name: _load(path, name, {"wine", "scenarios"}) for name, path in zip(names, files, strict=True)}


def _load(path: Path, name: str, keys: set[str]) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="ascii"))
    except ValueError as error:
        raise TreeError(f"{name} is not ASCII text with JSON: {str(error).partition(chr(10))[0]}") from None
    if not isinstance(loaded, dict) or loaded.keys() != keys:
        raise TreeError(f"{name}: an object with the keys {' and '.join(sorted(keys))} is required")
    return loaded


def entries_of(files: Mapping[str, Mapping[str, Any]]) -> dict[str, recordings.Entry]:
    """All scenarios in these files, by name."""
    return {name: entry for kept in files.values() for name, entry in kept["scenarios"].items()}


def load_recordings(root: Path) -> dict[str, recordings.Entry]:
    """All scenarios of a tree, by name.

    Errors: as for load_files.
    """
    return entries_of(load_files(root))


# ---- what the reports have observed


def observations(entry: recordings.Entry, report: str) -> list[list[Any]]:
    """What a report has observed in a scenario, as the scenario's recording has it."""
    return [[row["label"], *row["answer"]] for row in entry.get(SIDE, ()) if report in row["reports"]]


def contradictions(entries: Mapping[str, recordings.Entry], report: str) -> dict[str, list[str]]:
    """The scenarios in which a report differs from what is expected of Windows, with the differences in words."""
    found = {}
    for name, entry in entries.items():
        seen = observations(entry, report)
        differing = differences(seen, recordings.expected(entry, "windows")) if seen else []
        if differing:
            found[name] = differing
    return found


def fact_results(reports: Mapping[str, Any], report: str) -> dict[str, tuple[str, Any]]:
    """The facts of a report: outcome and result by name."""
    return {
        name: (row["outcome"], row["detail"])
        for name, rows in reports["facts"].items()
        for row in rows
        if report in row["reports"]
    }


# ---- the part of notes/differences.md


def generated(reports: Mapping[str, Any], entries: Mapping[str, recordings.Entry]) -> str:
    """The part of notes/differences.md between the two comments, with these."""
    if not reports["reports"]:
        text = [
            "No report from a real Windows has been merged. To make one:",
            "[A report from Windows in five minutes](windows-report.md).",
        ]
    else:
        text = [*_table(reports, entries), "", *_contradictions(reports, entries), "", *_failures(reports)]
    return "\n".join([_BEGIN, "", *text, "", _END])


def _table(reports: Mapping[str, Any], entries: Mapping[str, recordings.Entry]) -> Iterator[str]:
    yield "| report | system | Python | commit | tests | scenarios as expected | facts | pairs |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for name, report in reports["reports"].items():
        figures = Figures(name, reports, entries)
        system = report["system"]
        cells = [name, system_name(system), system["python"], (system["commit"] or "unknown")[:10]]
        cells += [figures.tests(""), figures.scenarios(), figures.facts(), figures.pairs()]
        yield _row(*map(cell, cells))


def _contradictions(reports: Mapping[str, Any], entries: Mapping[str, recordings.Entry]) -> Iterator[str]:
    rows = []
    for report in reports["reports"]:
        for name, differing in contradictions(entries, report).items():
            rows += [_row(cell(name), code_cell(each), cell(report)) for each in differing]
        for name, (outcome, detail) in fact_results(reports, report).items():
            if outcome not in ("as on Windows", "skipped"):
                text = f"{outcome}: {json.dumps(detail)}"
                rows.append(_row(cell(f"fact {name}"), code_cell(text), cell(report)))
    yield f"Results that contradict what is expected of Windows: {len(rows) or 'none'}."
    if rows:
        yield from ["", "| scenario or fact | contradiction | report |", "| --- | --- | --- |", *_first(rows)]


def _failures(reports: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        f"- {code(failure['test'])}: {failure['outcome']} ({report})"
        for report, found in reports["reports"].items()
        for failure in found["parts"].get("tests", {}).get("failures", ())
    ]
    yield f"Tests that failed: {len(rows) or 'none'}. Their messages are in `{REPORTS}`."
    if rows:
        yield from ["", *_first(rows)]


def _first(rows: list[str]) -> list[str]:
    more = len(rows) - _MOST_ROWS
    return [*rows[:_MOST_ROWS], *(["", f"And {more} more."] if more > 0 else [])]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def cell(text: str) -> str:
    """A name or a version in a cell of a table in Markdown: no character in it is markup."""
    shown = printable(text)[:_LONGEST_CELL]
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", html.escape(shown, quote=False))


def code(text: str) -> str:
    """Any text as a code span: nothing in it is a link, a mention, a tag or markup."""
    shown = printable(text)[:_LONGEST_CELL]
    # Only a run of backticks of the same length would end the span. One space at each end does not belong to the text.
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    return f"{fence} {shown} {fence}" if shown.strip() else ""


def code_cell(text: str) -> str:
    """A code span in a cell of a table, where \\| is a bar: also in a code span, and after another backslash."""
    return code(text).replace("|", "\\|")


def in_notes(text: str) -> str:
    """The generated part that the text of notes/differences.md has now.

    Errors: TreeError if it has none.
    """
    begin = text.find(_BEGIN)
    end = text.find(_END, begin)
    if -1 in (begin, end):
        raise TreeError(f"{DIFFERENCES}: the line {_BEGIN if begin < 0 else _END} is missing")
    return text[begin : end + len(_END)]


# ---- the last column of notes/figures.md


def system_name(system: Mapping[str, Any]) -> str:
    """The system of a report; a report that was made on Wine never looks like one from Windows."""
    return f"Wine {system['wine']}" if system["wine"] else str(system["windows"])


class Figures:
    """The figures of one report; "" where it has no complete part."""

    def __init__(self, name: str, reports: Mapping[str, Any], entries: Mapping[str, recordings.Entry]) -> None:
        self._name = name
        self._reports = reports
        self._entries = entries
        self._parts = reports["reports"][name]["parts"]

    def _has(self, part: str) -> bool:
        found = self._parts.get(part)
        return found is not None and not found["selection"] and not found["problem"]

    def tests(self, folder: str) -> str:
        """The tests in a folder and below it, without skipped ones."""
        counts: Counter[str] = Counter()
        for name, each in self._parts["tests"]["counts"].items() if self._has("tests") else ():
            if f"{name}/".startswith(f"tests/{folder}"):
                counts.update(each)
        good = counts["passed"] + counts["xfailed"]
        ended = counts.total() - counts["skipped"]
        return f"{good:,} of {ended:,} tests" if ended else ""

    def scenarios(self) -> str:
        covered = sum(bool(observations(entry, self._name)) for entry in self._entries.values())
        differing = len(contradictions(self._entries, self._name))
        return f"{covered - differing} of {covered} scenarios" if self._has("scenarios") and covered else ""

    def facts(self) -> str:
        counts = Counter(outcome for outcome, _ in fact_results(self._reports, self._name).values())
        checked = counts.total() - counts["skipped"]
        return f"{counts['as on Windows']} of {checked} facts" if self._has("facts") and checked else ""

    def pairs(self) -> str:
        codes = [job["exit_code"] for job in self._parts["pairs"]["jobs"].values()] if self._has("pairs") else []
        return f"{codes.count(0)} of {len(codes)} runs of the pairs" if codes else ""

    def python(self) -> str:
        return str(self._reports["reports"][self._name]["system"]["python"]) if self._has("tests") else ""


def _joined(*texts: str) -> str:
    return ", ".join(filter(None, texts))


# The rows of the table in notes/figures.md that a report can fill, by the beginning of their first cell.
ROWS: dict[str, Callable[[Figures], str]] = {
    "calls, structures, constants, errors": lambda figures: figures.tests("api/"),
    r"(?:\d+ )?recorded scenarios": lambda figures: _joined(figures.scenarios(), figures.tests("properties/")),
    r"(?:\d+ )?facts": Figures.facts,
    "versions of CPython": Figures.python,
    "demos,": lambda figures: _joined(figures.tests("demos/"), figures.pairs()),
}


def cells(reports: Mapping[str, Any], entries: Mapping[str, recordings.Entry]) -> dict[str, str]:
    """The last cell of each of ROWS: the newest report of each system, or "not yet"."""
    newest = {}
    for name, report in sorted(reports["reports"].items(), key=lambda item: item[1]["made"]):
        newest[system_name(report["system"])] = Figures(name, reports, entries)
    filled = {}
    for row, figure in ROWS.items():
        texts = [f"{system}: {text}" for system, figures in newest.items() if (text := figure(figures))]
        filled[row] = cell("; ".join(texts)) or NOT_YET
    return filled


def with_cells(text: str, filled: Mapping[str, str]) -> str:
    """The text of notes/figures.md with these last cells in its table "What was proven where".

    Errors: TreeError if it lacks the table or a row.
    """
    begin = text.find("## What was proven where")
    end = text.find("\n\n", text.find("| --- |", begin))
    if -1 in (begin, end):
        raise TreeError(f'{FIGURES}: the table "What was proven where" is missing')
    table = text[begin:end]
    for row, last in filled.items():
        line = re.compile(rf"^(\| {row}[^\n]*\| )[^|\n]*( \|)$", re.MULTILINE)
        table, count = line.subn(lambda found: f"{found[1]}{last}{found[2]}", table)  # noqa: B023 - used at once
        if not count:
            raise TreeError(f'{FIGURES}: the table "What was proven where" has no row like {row}')
    return text[:begin] + table + text[end:]


def pages(root: Path, reports: Mapping[str, Any], entries: Mapping[str, recordings.Entry]) -> dict[str, str]:
    """Both pages of a tree with what these reports and recordings say, by path.

    Errors: TreeError; OSError.
    """
    differences_text = _read(root, DIFFERENCES)
    filled = cells(reports, entries)
    return {
        DIFFERENCES: differences_text.replace(in_notes(differences_text), generated(reports, entries)),
        FIGURES: with_cells(_read(root, FIGURES), filled),
    }


def _read(root: Path, page: str) -> str:
    try:
        return (root / page).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TreeError(f"{page}: byte {error.start} is not UTF-8") from None
