"""Rounds in which the contestants take turns, there and back, and what the ratios between them tell."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any, TypeAlias

# Where a process that a benchmark starts finds all of this.
CHECKOUT = Path(__file__).resolve().parents[2]

# Does the work so many times, and tells what all of that cost, in the benchmark's unit.
Contestant: TypeAlias = Callable[[int], float]
# By name, winsock's first: it is compared with each of the others.
Contestants: TypeAlias = dict[str, Contestant]


class NotHere(Exception):
    """A benchmark can't be run on this machine; the text says why."""


@dataclass(frozen=True)
class Benchmark:
    """One kind of work. `prepare` opens what the contestants need, and closes it again."""

    name: str
    prepare: Callable[[], AbstractContextManager[Contestants]]
    number: int  # operations in one measurement: about a millisecond's worth, so that few are interrupted
    rounds: int = 151
    unit: str = "ns"  # or "B", or "%" of a core


@dataclass(frozen=True)
class Comparison:
    """One row of the table: the cost of one operation in each round, winsock's and the other's."""

    name: str
    against: str
    unit: str
    number: int
    costs: list[float]
    other_costs: list[float]

    @property
    def ratios(self) -> list[float]:
        return [cost / other for cost, other in zip(self.costs, self.other_costs, strict=True)]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def quartiles(self) -> tuple[float, float]:
        if len(self.ratios) == 1:
            return self.ratio, self.ratio
        low, _, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return low, high

    @property
    def cost(self) -> float:
        return statistics.median(self.costs)

    @property
    def other_cost(self) -> float:
        return statistics.median(self.other_costs)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "against": self.against,
            "unit": self.unit,
            "operations": self.number,
            "rounds": len(self.costs),
            "winsock": self.cost,
            "other": self.other_cost,
            "ratio": self.ratio,
            "quartiles": self.quartiles,
            "ratios": self.ratios,
        }


def timed(work: Callable[[int], None]) -> Contestant:
    """A contestant whose whole work is timed, in nanoseconds."""

    def contestant(number: int) -> float:
        start = perf_counter_ns()
        work(number)
        return perf_counter_ns() - start

    return contestant


def measured(benchmark: Benchmark, rounds: int) -> list[Comparison]:
    """Runs the benchmark, after a first time that does not count.

    Errors: NotHere where this machine lacks what it needs.
    """
    with benchmark.prepare() as contestants:
        costs: dict[str, list[float]] = {name: [] for name in contestants}
        turns = list(contestants.items())
        for _, contestant in turns:
            contestant(benchmark.number)
        collecting = gc.isenabled()
        gc.collect()
        gc.disable()
        try:
            for _ in range(rounds):
                spent = dict.fromkeys(contestants, 0.0)
                # Who comes after whom can make more of a difference than what is measured.
                for name, contestant in [*turns, *reversed(turns)]:
                    spent[name] += contestant(benchmark.number)
                for name, cost in spent.items():
                    costs[name].append(cost / (2 * benchmark.number))
        finally:
            if collecting:
                gc.enable()
    ours, *others = contestants
    return [
        Comparison(benchmark.name, other, benchmark.unit, benchmark.number, costs[ours], costs[other])
        for other in others
    ]
