"""Made-up reports from Windows, which agree with everything that is expected of Windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conformance import recordings
from tests.windows_facts.facts import collect
from tests.windows_report import merging, notes
from tests.windows_report.resuming import CHECKOUT

SCENARIO = "an_unbound_socket_receives_nothing"  # Wine and Windows differ in it
# In a cell of the table of notes/figures.md that no run on this system can fill.
NOTHING = "\N{EN DASH}"


def made_up_report(**system: Any) -> dict[str, Any]:
    """A complete report; `system` replaces some of its versions."""
    entries = notes.load_recordings(CHECKOUT)
    seen = {
        name: [[label, *answers[0]] for label, answers in recordings.expected(entry, "windows")]
        for name, entry in entries.items()
    }
    part = {"selection": [], "seconds": 1.5, "problem": ""}
    job = {"exit_code": 0, "seconds": 6.1, "summary": {"equal": True, "trades": 21, "problem": None}}
    return {
        "form": "winsock windows report",
        "version": 1,
        "made": "2024-11-29",
        "system": {
            "windows": "Windows 11 (10.0.22631)", "wine": None, "winsock_dll": "WinSock 2.0", "machine": "AMD64",
            "python": "3.12.4", "implementation": "CPython", "bits": 64, "winsock": "0.1.0", "commit": "0a" * 20,
            "changed": False, "missing": [], **system,
        },
        "parts": {
            "tests": {
                **part,
                "counts": {
                    "tests/api": {"passed": 1500, "skipped": 40, "failed": 1},
                    "tests/properties": {"passed": 10},
                    "tests/demos/wire": {"passed": 300, "xfailed": 2},
                },
                "failures": [{"test": "tests/api/test_udp.py::test_a", "outcome": "failed", "message": "1 == 2"}],
            },
            "scenarios": {**part, "seen": seen},
            "facts": {
                **part,
                "results": {
                    name: {"outcome": "as on Windows", "detail": fact.windows[0]} for name, fact in collect().items()
                },
            },
            "pairs": {**part, "jobs": {"signal --study": job, "signal": job}},
        },
    }  # fmt: skip


def written(report: dict[str, Any], path: Path) -> Path:
    """The path of a file with the report."""
    path.write_text(json.dumps(report), encoding="ascii")
    return path


def copied_tree(folder: Path) -> Path:
    """A copy of what a merge reads and writes, without the reports that have been merged before."""
    root = folder / "tree"
    merging.copy_tree(CHECKOUT, root)
    for path in (root / notes.RECORDINGS).glob("*.json"):
        kept = recordings.read(path)
        for entry in kept["scenarios"].values():
            entry.pop(notes.SIDE, None)
        recordings.write(path, kept["wine"], kept["scenarios"])
    (root / notes.REPORTS).write_text('{"reports": {}, "facts": {}}', encoding="ascii")
    merging.write(notes.pages(root, notes.load_reports(root), notes.load_recordings(root)), root)
    return root


def content(root: Path) -> dict[str, bytes]:
    """All files of a tree."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def last_cells(root: Path) -> dict[str, str]:
    """The last cell of each row of the table of notes/figures.md, by the first cell."""
    text = (root / notes.FIGURES).read_text(encoding="utf-8").partition("## What was proven where")[2]
    table = text.partition("| --- |")[2].partition("\n\n")[0]
    return {row.strip("| ").split(" | ")[0]: row.strip("| ").split(" | ")[-1] for row in table.splitlines()[1:]}


def differences_page(root: Path) -> str:
    return notes.in_notes((root / notes.DIFFERENCES).read_text(encoding="utf-8"))
