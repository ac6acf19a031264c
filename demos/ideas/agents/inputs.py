"""The inputs that the coordinator and the agents share, and their checks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from demos.ideas.agents.strategy_file import source_of
from demos.ideas.agents.worker_process import Files
from demos.terminal import Input

StrategyInput: TypeAlias = Annotated[
    str, Input("the strategy: FILE.py, or FILE.py:FUNCTION", file="read", paths=lambda text: [source_of(text).path])
]
PricesInput: TypeAlias = Annotated[str, Input("the strategy's data: a bar or tick export of MetaTrader 5", file="read")]

# Without --strategy: the example.
EXAMPLE = str(Path(__file__).with_name("crossing.py"))


class InputError(ValueError):
    """Inputs that cannot be used together; the text is one line."""


def files_of(strategy: str, prices: str) -> Files:
    """The files that the inputs name.

    Errors: InputError.
    """
    if not prices:
        raise InputError("there are no prices: give --prices FILE, a bar or tick export of MetaTrader 5")
    source = source_of(strategy)
    absolute = source._replace(path=source.path.absolute())
    return Files(absolute, Path(prices).absolute())


def least_one(value: int) -> str | None:
    """Why this is not a positive number, or None when it is."""
    return None if value >= 1 else f"invalid number: {value}; use at least 1"
