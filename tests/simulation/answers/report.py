"""Writes the generated part of notes/differences.md about the simulation."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from .outcomes import AGREES, DIFFERS, Outcome
from .reasons import reasons

NOTES = Path(__file__).parents[3] / "notes" / "differences.md"
BEGIN, END = "<!-- generated: python -m tests.simulation.answers --notes -->", "<!-- end of the generated part -->"


def share(outcomes: Sequence[Outcome]) -> float:
    """The percentage that agrees, of those that one simulated process can run."""
    possible = [outcome for outcome in outcomes if outcome.kind in (AGREES, DIFFERS)]
    return 100 * sum(outcome.kind == AGREES for outcome in possible) / len(possible)


def generated(scenarios: Sequence[Outcome], facts: Sequence[Outcome]) -> str:
    """The generated part for these outcomes."""
    return "\n".join([BEGIN, "", *_figures(scenarios, facts), "", *_differences([*scenarios, *facts]), "", END])


def in_notes() -> str:
    """The generated part that the notes contain now."""
    text = NOTES.read_text(encoding="utf-8")
    begin = text.index(BEGIN)
    return text[begin : text.index(END, begin) + len(END)]


def write(part: str) -> None:
    text = NOTES.read_text(encoding="utf-8")
    NOTES.write_text(text.replace(in_notes(), part), encoding="utf-8", newline="\n")


def _figures(scenarios: Sequence[Outcome], facts: Sequence[Outcome]) -> Iterator[str]:
    both = (scenarios, facts)
    needed = sorted({outcome.kind for part in both for outcome in part} - {AGREES, DIFFERS})
    yield "| | scenarios | facts |"
    yield "| --- | --- | --- |"
    yield f"| all | {len(scenarios)} | {len(facts)} |"
    for kind in (*needed, AGREES, DIFFERS):
        counts = (sum(outcome.kind == kind for outcome in part) for part in both)
        yield f"| {'need ' if kind in needed else ''}{kind} | {' | '.join(map(str, counts))} |"
    yield f"| agree, of those that need nothing more | {' | '.join(f'{share(part):.1f} %' for part in both)} |"


def _differences(outcomes: Sequence[Outcome]) -> Iterator[str]:
    why = reasons()
    yield "Those that differ:"
    yield ""
    yield "| scenario or fact | difference | why |"
    yield "| --- | --- | --- |"
    for outcome in outcomes:
        if outcome.kind == DIFFERS:
            yield f"| {outcome.name} | {_cell(outcome.shown)} | {_cell(why.get(outcome.name, '(no reason)'))} |"
    for kind in sorted({outcome.kind for outcome in outcomes} - {AGREES, DIFFERS}):
        names = ", ".join(outcome.name for outcome in outcomes if outcome.kind == kind)
        yield ""
        yield from textwrap.wrap(f"Those that need {kind}: {names}.", 120, break_on_hyphens=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
