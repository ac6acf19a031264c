"""Writes the generated part of notes/differences.md from the recordings."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from . import recordings
from .runner import collect

TESTS = Path(__file__).parent.parent
NOTES = TESTS.parent / "notes" / "differences.md"
BEGIN, END = "<!-- generated: python -m tests.conformance notes -->", "<!-- end of the generated part -->"


def _shown(answer: list[Any]) -> str:
    return ", ".join(str(part) for part in answer).replace("|", "\\|") or "(nothing)"


def _source(text: str) -> str:
    page, _, words = text.partition(": ")
    return f"[{words or 'page'}]({page})" if page.startswith("https://") else text


def _marked() -> dict[str, list[str]]:
    """The reasons of the marker wine_differs, each with the files that use it."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(ast.Attribute(attr="wine_differs"), [ast.Constant(str(reason)), *_]):
                    files = found.setdefault(reason, [])
                    if path.name not in files:
                        files.append(path.name)
                case ast.Call(ast.Attribute(attr="wine_differs")):
                    raise ValueError(f"{path.name}:{node.lineno}: the reason of wine_differs must be a string literal")
    return found


def generated() -> str:
    entries = recordings.load()
    differing = {name: entry for name, entry in entries.items() if entry.get("windows")}
    observations = sum(len(entry["wine"]) for entry in entries.values())
    lines = [
        BEGIN,
        "",
        f"{len(entries)} scenarios with {observations} observations, recorded from Wine {recordings.version()}. In",
        f"{len(differing)} of them a different result is known for Windows, and compat returns that result.",
        "[addresses.md](addresses.md) has the results of the scenarios `addresses/`, the table those of all others.",
        "",
        "| scenario | observation | Wine | Windows and compat | source |",
        "| --- | --- | --- | --- | --- |",
    ]
    concerns = {scenario.name: scenario.concern for scenario in collect().values()}
    for name, entry in differing.items():
        if concerns[name] == "addresses":
            continue  # in notes/addresses.md
        wine = {label: answer for label, *answer in entry["wine"]}
        for difference in entry["windows"]:
            label = difference["label"]
            answers = " or ".join(_shown(answer) for answer in difference["answers"])
            seen = _shown(wine[label]) if label in wine else "(not reached)"
            source = _source(difference["source"])
            lines.append(f"| {concerns[name]}/{name} | {label} | {seen} | {answers} | {source} |")
    lines += [
        "",
        "Tests that fail on Wine because Wine differs from Windows (`wine_differs`). Each line says what Wine does:",
        "",
    ]
    lines += [f"- {reason} ({', '.join(files)})" for reason, files in sorted(_marked().items())]
    return "\n".join([*lines, "", END])


def in_notes() -> str:
    """The generated part that the notes contain now."""
    text = NOTES.read_text(encoding="utf-8")
    begin = text.index(BEGIN)
    return text[begin : text.index(END, begin) + len(END)]


def write() -> None:
    text = NOTES.read_text(encoding="utf-8")
    NOTES.write_text(text.replace(in_notes(), generated()), encoding="utf-8", newline="\n")
