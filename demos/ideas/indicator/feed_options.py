"""The inputs that server and client share, and the file of the values that both write at their end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

from demos.ideas.indicator.series import Line, Series, csv_text
from demos.terminal import Fail, Input, Print
from demos.terminal.runtime.files import write_whole

PERIOD_MS = 200

LEAST_KEPT, MOST_KEPT = 10, 100_000


def keep_problem(value: int) -> str | None:
    """Why this cannot be the number of rows that are kept, or None when it can."""
    return None if LEAST_KEPT <= value <= MOST_KEPT else f"invalid number: {value}; use {LEAST_KEPT} to {MOST_KEPT}"


KeepInput: TypeAlias = Annotated[int, Input("keep the values of this many closed bars", check=keep_problem)]
ValuesInput: TypeAlias = Annotated[
    str, Input("write all values into this CSV file at the end; empty: no file", file="write")
]


def write_values(path: str, lines: Sequence[Line], series: Series) -> None:
    """Write the values, if the input names a file; a failure ends the program with an error."""
    if not path:
        return
    try:
        write_whole(Path(path), csv_text(lines, series).encode())
    except OSError as error:
        Fail(4, f"{path}: {error.strerror}")
        return
    Print(f"wrote the values of {series.last - series.first + 1} bars to {path}")
