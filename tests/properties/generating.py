"""Runs the strategy with hypothesis: batches of programs, and the smallest program that has some property."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, seed, settings

from .comparing import Program
from .programs import programs

# After ten examples hypothesis mostly varies the earlier ones; new examples find more differences here.
BATCH = 10
_SETTINGS = settings(
    database=None,
    deadline=None,
    max_examples=BATCH,
    phases=[Phase.generate, Phase.shrink],
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=[*HealthCheck],
)


class _Found(AssertionError):
    pass


def smallest(classify: Callable[[Program], str | None], number: int) -> tuple[str, Program] | None:
    """The first program of batch `number` for which `classify` returns a text, shrunk while the text stays the same."""
    kept: list[tuple[str, Program]] = []

    def check(program: Program) -> None:
        text = classify(program)
        if text is not None and (not kept or text == kept[-1][0]):
            kept.append((text, program))
            raise _Found

    try:
        seed(number)(_SETTINGS(given(programs)(check)))()
    except _Found:
        text, program = kept[-1]
        return text, _without_unneeded_steps(program, lambda smaller: classify(smaller) == text)
    return None


def _without_unneeded_steps(program: Program, fails: Callable[[Program], bool]) -> Program:
    """Removes steps that hypothesis has only simplified."""
    for place in reversed(range(len(program["steps"]))):
        smaller = {**program, "steps": program["steps"][:place] + program["steps"][place + 1 :]}
        if fails(smaller):
            program = smaller
    return program


def batch(number: int) -> list[Program]:
    """The programs of a batch; the same release of hypothesis generates the same programs."""
    found: list[Program] = []

    def keep(program: Program) -> None:
        found.append(program)

    smallest(keep, number)
    return found
