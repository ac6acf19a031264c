"""Executes a script, step by step."""

from __future__ import annotations

from collections.abc import Sequence

from . import steps
from .actions import ACTIONS, close
from .endpoints import ConnectionReset
from .runs import Run
from .steps import Step

__all__ = ["execute"]


def execute(run: Run, script: Sequence[Step]) -> None:
    """Execute the steps; at the end of the script the connection is closed.

    Errors: Failure. Stopped.
    """
    _execute(run, script, 0)
    run.number = 0
    run.position.append("the close at the end of the script")
    if run.endpoint is not None:
        close(run, steps.Close())


def _execute(run: Run, script: Sequence[Step], level: int) -> None:
    """`level` is the number of repetitions around the steps."""
    for number, step in enumerate(script, start=1):
        del run.position[level:]
        if level == 0:
            run.number = number
        run.position.append(f"step {number}, {steps.text(step)[1:]}")
        following = script[number] if number < len(script) else None
        try:
            if isinstance(step, steps.Repeat):
                _repeat(run, step, number, level)
            else:
                ACTIONS[type(step)](run, step)
        except ConnectionReset:
            # It may come while the step before sends, or discard what that step should receive.
            if not isinstance(following, steps.ExpectReset):
                raise
    del run.position[level:]


def _repeat(run: Run, step: steps.Repeat, number: int, level: int) -> None:
    for turn in range(step.times):
        del run.position[level:]
        run.position.append(f"step {number}, turn {turn + 1} of {step.times}")
        _execute(run, step.steps, level + 1)
