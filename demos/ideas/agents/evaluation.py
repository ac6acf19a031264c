"""The calculation of one point, in an agent's process and in a worker of dask alike."""

from __future__ import annotations

from collections.abc import Sequence

from demos.ideas.agents.grid import Number
from demos.ideas.agents.history import History
from demos.ideas.agents.strategy_file import Strategy
from demos.ideas.agents.values import Value, exception_value, value_of


def calculate(strategy: Strategy, history: History, names: Sequence[str], point: Sequence[Number]) -> Value:
    """What the strategy returns for a point; every exception becomes an error value."""
    try:
        return value_of(strategy(history, **dict(zip(names, point, strict=True))))
    except BaseException as error:  # whatever the owner's function raises is the value of the point
        return exception_value(error)
