"""What a worker of dask executes: the same calculation as an agent's.

The strategy's file and its data come from the client. So whoever can reach the scheduler can run code on the workers:
that is how dask works, and why its scheduler belongs into a network that only its owners can reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from demos.ideas.agents.evaluation import calculate
from demos.ideas.agents.grid import Number
from demos.ideas.agents.history import History, read_history
from demos.ideas.agents.strategy_file import Strategy, strategy_of
from demos.ideas.agents.values import Value


def calculate_points(
    strategy: tuple[bytes, str, str], data: bytes, names: Sequence[str], points: Sequence[Sequence[Number]]
) -> list[Value]:
    """The values of these points. ``strategy``: the file's content and name, and the function; ``data``: a file.

    Errors: StrategyError; MarketError; whatever the strategy's file raises.
    """
    return [calculate(_strategy(*strategy), _history(data), names, point) for point in points]


@lru_cache(maxsize=2)
def _strategy(content: bytes, name: str, function: str) -> Strategy:
    return strategy_of(content, name, function)


@lru_cache(maxsize=2)
def _history(data: bytes) -> History:
    with TemporaryDirectory(prefix="dask-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "prices.tsv"
        path.write_bytes(data)
        return read_history(path)
