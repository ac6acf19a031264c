"""What hypothesis does with the strategy: batches of programs, and the smallest program that shows something."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, seed, settings

from .comparing import Program
from .programs import programs

# Once hypothesis has seen ten examples, it fills most of its time with variations of each; new ones find more here.
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


def smallest(tells: Callable[[Program], str | None], number: int) -> tuple[str, Program] | None:
    """Of batch `number`, the first program of which `tells` says something, made as small as it says the same."""
    kept: list[tuple[str, Program]] = []

    def check(program: Program) -> None:
        said = tells(program)
        if said is not None and (not kept or said == kept[-1][0]):
            kept.append((said, program))
            raise _Found

    try:
        seed(number)(_SETTINGS(given(programs)(check)))()
    except _Found:
        said, program = kept[-1]
        return said, _without_idle_steps(program, lambda smaller: tells(smaller) == said)
    return None


def _without_idle_steps(program: Program, fails: Callable[[Program], bool]) -> Program:
    """Leaves out what hypothesis has only made simple."""
    for place in reversed(range(len(program["steps"]))):
        smaller = {**program, "steps": program["steps"][:place] + program["steps"][place + 1 :]}
        if fails(smaller):
            program = smaller
    return program


def batch(number: int) -> list[Program]:
    """The programs of a batch, the same ones with the same release of hypothesis."""
    found: list[Program] = []

    def keep(program: Program) -> None:
        found.append(program)

    smallest(keep, number)
    return found
