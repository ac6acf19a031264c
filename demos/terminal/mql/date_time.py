"""Date and time. https://www.mql5.com/en/docs/dateandtime"""

from __future__ import annotations

from datetime import datetime, timezone

from demos.terminal.mql.conversion import EPOCH, time_of
from demos.terminal.terminal import current_terminal

__all__ = ["TimeCurrent", "TimeGMT"]


def TimeCurrent() -> datetime:
    """The time of the last tick of any symbol, in the market's time zone; 1970 before the first tick."""
    last = current_terminal().last_tick
    return time_of(last.time) if last else EPOCH


def TimeGMT() -> datetime:
    """The computer's time as GMT, to the millisecond; it jumps when the computer's clock is set."""
    return current_terminal().clock.now().astimezone(timezone.utc).replace(tzinfo=None)
