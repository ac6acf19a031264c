"""The recorded answers: one JSON file per module of scenarios, one observation per line.

    {"wine": the version, "scenarios": {name: {"wine": [[label, result, …], …], "windows": [difference, …],
                                               "windows report": [row, …]}}}

A difference is {"label", "answers": [[result, …], …], "source"}: the answers of Windows, and where they are documented.
A row is {"label", "answer": [result, …], "reports": [id, …]}: what reports from Windows have observed, which decides
nothing here (tests/windows_report).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

from .recorder import Json, Observation

FOLDER = Path(__file__).with_name("recordings")
Entry: TypeAlias = dict[str, list[Any]]
Expected: TypeAlias = "list[tuple[str, list[Json]]]"


def read(path: Path) -> dict[str, Any]:
    """What a file of recordings has."""
    kept: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    return kept


def load() -> dict[str, Entry]:
    """All entries by the name of their scenario."""
    return {name: entry for path in sorted(FOLDER.glob("*.json")) for name, entry in read(path)["scenarios"].items()}


def version() -> str:
    """The version of Wine that was recorded."""
    versions = {read(path)["wine"] for path in FOLDER.glob("*.json")}
    assert len(versions) == 1, f"recordings from several versions: {versions}"
    return str(versions.pop())


def expected(entry: Entry, side: str) -> Expected:
    """Each label with its accepted answers on `side`, which is "wine" or "windows"."""
    answers = {label: [answer] for label, *answer in entry["wine"]}
    if side == "windows":
        answers |= {difference["label"]: difference["answers"] for difference in entry.get("windows", ())}
    return list(answers.items())


def save(concern: str, wine: str, seen: dict[str, list[Observation]]) -> None:
    """Writes new answers of Wine for the scenarios of a module; the other sides are kept."""
    path = FOLDER / f"{concern}.json"
    before = read(path)["scenarios"] if path.exists() else {}
    entries = {}
    for name, observations in seen.items():
        entries[name] = {"wine": observations}
        for side in ("windows", "windows report"):
            if before.get(name, {}).get(side):
                entries[name][side] = before[name][side]
    write(path, wine, entries)


def write(path: Path, wine: str, entries: dict[str, Entry]) -> None:
    path.write_text(text(wine, entries), encoding="ascii", newline="\n")


def text(wine: str, entries: dict[str, Entry]) -> str:
    """The text of a file: one observation per line, which json.dump cannot do."""
    lines = ["{", f' "wine": {json.dumps(wine)},', ' "scenarios": {']
    for name, entry in entries.items():
        lines.append(f"  {json.dumps(name)}: {{")
        for side, rows in entry.items():
            lines.append(f"   {json.dumps(side)}: [")
            lines += [f"    {json.dumps(row)}," for row in rows]
            lines[-1] = lines[-1].removesuffix(",")
            lines.append("   ],")
        lines[-1] = "   ]"
        lines.append("  },")
    lines[-1] = "  }"
    return "\n".join([*lines, " }", "}", ""])
