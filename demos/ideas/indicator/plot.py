"""Draws the rows on the program's chart: the same code in the server and in the client, so that both look the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime

from demos.ideas.indicator.series import Line, Row
from demos.terminal import IndicatorLine, IndicatorLineDelete
from demos.terminal.mql.conversion import time_of


class Plot:
    """The lines of a feed on a chart, with the values of the last ``keep`` rows."""

    def __init__(self, lines: Sequence[Line], keep: int) -> None:
        """Draw the lines, which have no values yet."""
        self._lines = lines
        self._values: list[dict[datetime, float]] = [{} for _ in lines]
        self._times: deque[datetime] = deque()
        self._keep = keep
        for line, values in zip(lines, self._values, strict=True):
            IndicatorLine(line.name, line.window, values, line.color, levels=line.levels)

    def add(self, row: Row) -> None:
        """Draw the values at a further bar."""
        time = time_of(row.time)
        self._times.append(time)
        for values, value in zip(self._values, row.values, strict=True):
            if value is not None:
                values[time] = value
        if len(self._times) > self._keep:
            oldest = self._times.popleft()
            for values in self._values:
                values.pop(oldest, None)

    def remove(self) -> None:
        """Remove the lines from the chart."""
        for line in self._lines:
            IndicatorLineDelete(line.name)
