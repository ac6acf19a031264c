"""Working with events: timers and custom chart events. https://www.mql5.com/en/docs/eventfunctions"""

from __future__ import annotations

from demos.terminal.mql.chart_functions import own_chart
from demos.terminal.mql.constants import CHARTEVENT_CUSTOM
from demos.terminal.terminal import current_program, current_terminal

__all__ = ["EventChartCustom", "EventKillTimer", "EventSetMillisecondTimer", "EventSetTimer"]


def EventSetTimer(seconds: int) -> bool:
    """Call OnTimer at this period from now on; False when the period is not positive."""
    return EventSetMillisecondTimer(seconds * 1000)


def EventSetMillisecondTimer(milliseconds: int) -> bool:
    """Call OnTimer at this period from now on; False when the period is not positive.

    The period given to the terminal (``--timer-ms``) replaces this one. Events that are missed become one event.
    """
    if milliseconds <= 0:
        return False
    current_terminal().event_loop.set_timer(current_program(), milliseconds)
    return True


def EventKillTimer() -> None:
    """Stop calling OnTimer."""
    current_program().timer = None


def EventChartCustom(chart_id: int, custom_event_id: int, lparam: int, dparam: float, sparam: str) -> bool:
    """Queue an OnChartEvent with the identifier CHARTEVENT_CUSTOM + ``custom_event_id`` for the program's own chart."""
    chart = own_chart(chart_id)
    chart.terminal.post_chart_event(chart, CHARTEVENT_CUSTOM + custom_event_id, lparam, dparam, sparam)
    return True
