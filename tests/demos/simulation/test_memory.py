"""Memory of a sweep: what a run has used is free after it."""

from __future__ import annotations

import gc

from demos.simulation.runs import Run, simulate


def test_the_objects_of_a_run_are_freed_after_it() -> None:
    gc.disable()
    try:
        simulate(Run(scenario="signal", seed=1, seconds=150))
        first = len(gc.get_objects())
        for seed in (2, 3):
            simulate(Run(scenario="signal", seed=seed, seconds=150))
        assert len(gc.get_objects()) < 1.1 * first
    finally:
        gc.enable()
