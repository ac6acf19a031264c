"""Measures variants of the same work in alternating order, and computes the ratios between them."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import Any, TypeAlias

# The working directory of the processes that benchmarks start.
CHECKOUT = Path(__file__).resolve().parents[2]

# Does the work the given number of times. Returns the total cost in the unit of the benchmark, or a list of the costs.
Variant: TypeAlias = Callable[[int], "float | list[float]"]
# The variants by name. The first one is winsock's; it is compared with each of the others.
Variants: TypeAlias = dict[str, Variant]


class Unavailable(Exception):
    """A benchmark cannot run on this machine; the text says why."""


@dataclass(frozen=True)
class Benchmark:
    """One kind of work. `prepare` is a context manager that opens and closes the sockets of the variants."""

    name: str
    prepare: Callable[[], AbstractContextManager[Variants]]
    number: int  # operations per measurement: about a millisecond, so that few measurements are interrupted
    rounds: int = 151
    unit: str = "ns"  # or "B" (bytes), or "%" of a core
    # What is computed from the costs of a round: a row for each, with this suffix of its name.
    statistics: Mapping[str, Callable[[Sequence[float]], float]] = field(default_factory=lambda: {"": statistics.fmean})


@dataclass(frozen=True)
class Comparison:
    """One row of the table: the cost of one operation in each round, of winsock and of the other variant."""

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


def timed(work: Callable[[int], None]) -> Variant:
    """A variant whose cost is the time of all its work, in nanoseconds."""

    def variant(number: int) -> float:
        start = perf_counter_ns()
        work(number)
        return perf_counter_ns() - start

    return variant


def measured(benchmark: Benchmark, rounds: int) -> list[Comparison]:
    """Runs the benchmark; the first, unmeasured run of each variant warms up caches.

    Errors: Unavailable if the benchmark cannot run on this machine.
    """
    with benchmark.prepare() as variants:
        rounds_of: dict[str, list[list[float]]] = {name: [] for name in variants}
        turns = list(variants.items())
        for _, variant in turns:
            variant(benchmark.number)
        collecting = gc.isenabled()
        gc.collect()
        gc.disable()
        try:
            for _ in range(rounds):
                spent: dict[str, list[float]] = {name: [] for name in variants}
                # The order A B B A: the previous variant can affect a measurement more than the measured difference.
                for name, variant in [*turns, *reversed(turns)]:
                    cost = variant(benchmark.number)
                    spent[name] += cost if isinstance(cost, list) else [cost / benchmark.number]
                for name, costs in spent.items():
                    rounds_of[name].append(costs)
        finally:
            if collecting:
                gc.enable()
    ours, *others = variants
    return [
        Comparison(
            benchmark.name + suffix,
            other,
            benchmark.unit,
            benchmark.number,
            [statistic(costs) for costs in rounds_of[ours]],
            [statistic(costs) for costs in rounds_of[other]],
        )
        for other in others
        for suffix, statistic in benchmark.statistics.items()
    ]
