"""Calls to the terminal that fail.

A call that fails returns None. If the connection to the terminal is lost, every later call fails too: that is an
Mt5Error, which ends the program. Any other failure may be temporary: it is reported once, the state that is known
stays, and the caller tries again later. When the call works again, that is reported as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from demos.terminal.interfaces import TradeResult
from demos.terminal.mql.constants import TRADE_RETCODE_ERROR
from demos.terminal.mt5.api import Mt5, connection_lost, failure

_T = TypeVar("_T")

# The pauses in seconds between the attempts at the start, when nothing is known yet.
START_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)


class Failures:
    """The calls that fail at present, each under a text that says what it reads."""

    def __init__(self, mt5: Mt5, report: Callable[[str], None]) -> None:
        self._mt5 = mt5
        self._report = report
        self._counts: dict[str, int] = {}

    def failed(self, what: str, reason: str = "") -> int:
        """Note that a call has failed; returns how often in a row.

        ``reason`` replaces the terminal's error where the call has returned an answer that cannot be used.

        Errors: Mt5Error when the connection to the terminal is lost.
        """
        if not reason:
            check_connection(self._mt5, what)
            code, text = self._mt5.last_error()
            reason = f"{code} {text}"
        count = self._counts[what] = self._counts.get(what, 0) + 1
        if count == 1:
            self._report(f"{what}: {reason}; trying again")
        return count

    def worked(self, what: str) -> None:
        """Note that the call has not failed."""
        if self._counts.pop(what, 0):
            self._report(f"{what}: read again")


def check_connection(mt5: Mt5, what: str) -> None:
    """Errors: Mt5Error when the last call failed because the connection to the terminal is lost."""
    if connection_lost(mt5):
        raise failure(mt5, what)


def unanswered(mt5: Mt5, call: str, retcode: int = TRADE_RETCODE_ERROR) -> TradeResult:
    """The result of an order for which a call has failed.

    Errors: Mt5Error when the connection to the terminal is lost.
    """
    check_connection(mt5, call)
    code, text = mt5.last_error()
    return TradeResult(retcode, text=f"{call}: {code} {text}")


def first_answer(mt5: Mt5, what: str, call: Callable[[], _T | None], wait: Callable[[float], None]) -> _T:
    """The answer to a call at the start; a failed call is repeated after each of START_PAUSES.

    Errors: Mt5Error when the connection to the terminal is lost, or when the last attempt fails.
    """
    for pause in (*START_PAUSES, None):
        answer = call()
        if answer is not None:
            return answer
        check_connection(mt5, what)
        if pause is not None:
            wait(pause)
    raise failure(mt5, what)
