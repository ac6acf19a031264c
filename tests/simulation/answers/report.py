"""Writes the generated part of notes/differences.md about the simulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .outcomes import AGREES, DIFFERS, Outcome
from .reasons import reasons

NOTES = Path(__file__).parents[3] / "notes" / "differences.md"
BEGIN, END = "<!-- generated: python -m tests.simulation.answers --notes -->", "<!-- end of the generated part -->"


def share(outcomes: Sequence[Outcome]) -> float:
    """The percentage that agrees."""
    return 100 * sum(outcome.kind == AGREES for outcome in outcomes) / len(outcomes)


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
    yield "| | scenarios | facts |"
    yield "| --- | --- | --- |"
    yield f"| all | {len(scenarios)} | {len(facts)} |"
    for kind in (AGREES, DIFFERS):
        counts = (sum(outcome.kind == kind for outcome in part) for part in both)
        yield f"| {kind} | {' | '.join(map(str, counts))} |"
    yield f"| share that agrees | {' | '.join(f'{share(part):.1f} %' for part in both)} |"


def _differences(outcomes: Sequence[Outcome]) -> Iterator[str]:
    why = reasons()
    yield "Those that differ:"
    yield ""
    yield "| scenario or fact | difference | why |"
    yield "| --- | --- | --- |"
    for outcome in outcomes:
        if outcome.kind == DIFFERS:
            yield f"| {outcome.name} | {_cell(outcome.shown)} | {_cell(why.get(outcome.name, '(no reason)'))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
