"""Shrinks a fault script that breaks an invariant to a short one that breaks the same invariant.

Two steps, both deterministic: first delta debugging over the list of faults (ddmin by Zeller and Hildebrandt: try
halves, quarters … and their complements, keep what still fails), then shorter durations of the faults that are left.
Each try runs the simulation again, so the number of runs is limited; the best script so far is the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .faults import Fault
from .units import MILLISECOND, SECOND

__all__ = ["Shrunk", "shrink"]

Script = tuple[Fault, ...]

_SHORTEST = MILLISECOND


@dataclass(frozen=True)
class Shrunk:
    """The result: the script, the violation that it causes, the number of runs, and whether the budget was enough."""

    script: tuple[Fault, ...]
    violation: str
    runs: int
    complete: bool


class _BudgetSpent(Exception):
    pass


class _Search:
    def __init__(self, script: Script, violation: str, run: Callable[[Script], str | None], budget: int) -> None:
        self.best = script
        self.runs = 0
        self._violation = violation
        self._run = run
        self._budget = budget
        self._tried: dict[Script, bool] = {}

    def fails(self, script: Script) -> bool:
        """Whether the script breaks the same invariant; then it is the best one so far."""
        if script not in self._tried:
            if self.runs >= self._budget:
                raise _BudgetSpent
            self.runs += 1
            self._tried[script] = self._run(script) == self._violation
        if self._tried[script]:
            self.best = script
        return self._tried[script]

    def remove_faults(self) -> None:
        parts = 2
        if self.best and self.fails(()):
            return
        while len(self.best) >= 2:
            script, size = self.best, -(-len(self.best) // parts)
            chunks = [script[start : start + size] for start in range(0, len(script), size)]
            if any(self.fails(chunk) for chunk in chunks if len(chunk) < len(script)):
                parts = 2
            elif self._remove_one_of(script, size):
                parts = max(parts - 1, 2)
            elif size == 1:
                return
            else:
                parts = min(parts * 2, len(script))

    def _remove_one_of(self, script: Script, size: int) -> bool:
        starts = range(0, len(script), size)
        return any(self.fails(script[:start] + script[start + size :]) for start in starts)

    def shorten_faults(self) -> None:
        for index in range(len(self.best)):
            low = 0  # does not fail
            while (fault := self.best[index]).duration is not None and fault.duration - low > max(_SHORTEST, low // 4):
                shorter = _rounded((fault.duration + low) // 2)
                if not low < shorter < fault.duration:
                    break
                if not self.fails((*self.best[:index], replace(fault, duration=shorter), *self.best[index + 1 :])):
                    low = shorter


def _rounded(duration: int) -> int:
    """A round number of milliseconds or tenths of a second, which is easier to read."""
    unit = SECOND // 10 if duration >= SECOND else _SHORTEST
    return max(duration // unit * unit, _SHORTEST)


def shrink(script: Sequence[Fault], run: Callable[[tuple[Fault, ...]], str | None], *, budget: int = 200) -> Shrunk:
    """Shrinks a script whose run breaks an invariant, with at most `budget` runs.

    `run` runs a simulation with the given faults and returns the name of the first broken invariant, or None. It must
    give the same answer each time.

    Errors: ValueError if the whole script breaks no invariant.
    """
    whole = tuple(script)
    violation = run(whole)
    if violation is None:
        raise ValueError("the fault script breaks no invariant: there is nothing to shrink")
    search = _Search(whole, violation, run, budget - 1)
    complete = True
    try:
        search.remove_faults()
        search.shorten_faults()
    except _BudgetSpent:
        complete = False
    return Shrunk(search.best, violation, search.runs + 1, complete)
