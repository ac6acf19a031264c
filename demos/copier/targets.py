"""The positions that the copier works towards: one target per symbol, retried with growing pauses until it is reached.

A message that states another position than the one before is a new signal, and replaces its symbol's target. run_due()
trades at each timer event the targets that are due; one that is not reached becomes due again after 1, 2, 4 … and at
most 32 seconds. A new signal after a failure waits for a second too, so that a server cannot make the copier send
failing orders faster than that.

A message that repeats the last signal changes nothing. So a server that is restarted, or repeats its state, does not
open again what the account's owner has closed. check() compares the positions that were reached with the account, and
``reconcile`` says what follows from a difference: LEAVE it until the next signal, RESTORE the position, or STOP copying
the symbol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from demos.copier.moments import Moment
from demos.copier.rules import Rules, lots_text
from demos.copier.trading import Result, SymbolLimits
from demos.terminal import Alert, Event, Print
from demos.wire.backoff import Backoff

# The most symbols that are remembered, so that no server can use up the memory. Those of --map are always remembered.
MOST_SYMBOLS = 256

# The pauses before the next attempt at a target.
FIRST_PAUSE_MS = 1000
LONGEST_PAUSE_MS = 32_000

LEAVE, RESTORE, STOP = "leave", "restore", "stop"

# A difference must last for this many seconds: a terminal may show a new deal's position a moment later.
SURE_SECONDS = 2

_AGAIN = "restart the program to copy again"


def reconcile_problem(text: str) -> str | None:
    """Why --reconcile cannot have this value, or None when it can."""
    known = (LEAVE, RESTORE, STOP)
    return None if text in known else f"unknown value: {text!r}; use {', '.join(known)}"


@dataclass
class Target:
    """A position in lots, not rounded yet; when it is due, when it last failed, and the pauses between attempts."""

    lots: Decimal
    due: float = 0
    failed: Moment | None = None
    problem: str = ""
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS))


@dataclass
class Reached:
    """The position of a target that was reached, and since when the account has another; None: it has this one."""

    lots: Decimal
    differs: Moment | None = None


class Targets:
    """The targets by local symbol name. ``now`` is the present timer event. Times are in milliseconds."""

    def __init__(self, rules: Rules, reconcile: str = LEAVE) -> None:
        self.rules = rules
        self.reconcile = reconcile
        self.targets: dict[str, Target] = {}
        self.reached: dict[str, Reached] = {}
        # Why all copying has stopped, and the symbols that are not copied any more.
        self.stopped = ""
        self.stopped_symbols: set[str] = set()
        self._signals: dict[str, Decimal] = {}
        self._names: dict[str, str] = {}
        self._ignored: set[str] = set()
        self._reported: set[str] = set()

    def take(self, smb: str, lots: Decimal, now: Moment) -> None:
        """Set the target from the server's position in its symbol, if that is a new signal."""
        local = self._local_name(smb)
        if not local or local in self.stopped_symbols or self.stopped:
            return
        lots = self.rules.lots(lots)
        if self._signals.get(local) == lots:
            return
        self._signals[local] = lots
        self.reached.pop(local, None)
        replaced = self.targets.get(local)
        failed = replaced.failed if replaced else None
        self.targets[local] = Target(lots, failed.after(1) if failed else now.ms, failed)

    def retry_now(self, now: Moment) -> None:
        """Make all targets due."""
        for target in self.targets.values():
            target.due = now.ms

    def run_due(self, now: Moment, trade_to: Callable[[str, Decimal], Result]) -> None:
        """Trade the targets that are due."""
        for smb, target in list(self.targets.items()):
            if not now.is_due(target.due) or self.stopped:
                continue
            result = trade_to(smb, target.lots)
            if result.stop_all:
                self.stop_all(result.stop_all)
            elif result.stop_symbol:
                self.stop_symbol(smb, result.stop_symbol)
            elif result.reached is not None:
                del self.targets[smb]
                self.reached[smb] = Reached(result.reached)
                # A target that was rounded is as near as it can be, which is not the same as equal.
                if result.reached == target.lots:
                    Event("synced", symbol=smb, lots=lots_text(result.reached))
            else:
                if result.problem and result.problem != target.problem:
                    Print(result.problem)
                target.problem = result.problem
                target.due, target.failed = float("inf"), None
                target.backoff.failed(now.ms)
                if result.retry:
                    target.due, target.failed = now.ms + target.backoff.pause_ms, now

    def check(self, positions: Mapping[str, Decimal], now: Moment) -> None:
        """Compare the positions that were reached with those of the account, given by symbol."""
        for smb, reached in list(self.reached.items()):
            lots = positions.get(smb, Decimal(0))
            reached.differs = (reached.differs or now) if lots != reached.lots else None
            if reached.differs and now.is_due(reached.differs.after(SURE_SECONDS)):
                self._reconcile(smb, reached, lots, now)

    def stop_symbol(self, smb: str, reason: str) -> None:
        """Copy this symbol no further."""
        self.targets.pop(smb, None)
        self.reached.pop(smb, None)
        self.stopped_symbols.add(smb)
        Alert(f"{smb} is not copied any more: {reason}; {_AGAIN}")
        Event("stopped", symbol=smb, reason=reason)

    def stop_all(self, reason: str) -> None:
        """Copy nothing any more."""
        if not self.stopped:
            self.stopped = reason
            self.targets.clear()
            self.reached.clear()
            Alert(f"nothing is copied any more: {reason}; {_AGAIN}")
            Event("stopped", symbol="", reason=reason)

    def _reconcile(self, smb: str, reached: Reached, lots: Decimal, now: Moment) -> None:
        changed = f"the position is {lots_text(lots)} lots instead of {lots_text(reached.lots)} without a new signal"
        Event("deviates", symbol=smb, lots=lots_text(lots), expected=lots_text(reached.lots))
        if self.reconcile == STOP:
            self.stop_symbol(smb, f"{changed} (--reconcile stop)")
        elif self.reconcile == RESTORE:
            Alert(f"{smb}: {changed}; the copier restores it (--reconcile restore)")
            del self.reached[smb]
            self.targets[smb] = Target(self._signals[smb], now.ms)
        else:
            Alert(f"{smb}: {changed}; the copier leaves it until the next signal (--reconcile leave)")
            self.reached[smb] = Reached(lots)

    def _local_name(self, smb: str) -> str:
        """The local name of a server's symbol, or "" when it is not copied; logs the decision for a new symbol."""
        if smb in self._names:
            return self._names[smb]
        if not self.rules.follows(smb):
            self._ignore(smb)
            return ""
        if len(self._names) >= MOST_SYMBOLS and smb not in self.rules.names:
            self._report_once(f"-more than {MOST_SYMBOLS} symbols: {smb} and other new ones are not copied", "symbols")
            return ""
        local = self.rules.name(smb)
        # A name that --map gives belongs to its symbol, also before the server has sent that symbol. Two symbols have
        # the same local name in no other case.
        other = self.rules.mapped_from(local)
        if other not in ("", smb):
            Print(f"-{smb} is not copied: its local name would be {local}, as that of {other}")
            local = ""
        elif limits := SymbolLimits(local):
            least, most, step = (lots_text(limit) for limit in limits)
            Print(f"{smb} is {local} here: orders from {least} to {most} lots in steps of {step}")
        self._names[smb] = local
        return local

    def _ignore(self, smb: str) -> None:
        """Log a symbol outside the list once; after MOST_SYMBOLS of them no further one."""
        if smb in self._ignored:
            return
        if len(self._ignored) < MOST_SYMBOLS:
            self._ignored.add(smb)
            Print(f"{smb} is not copied: it is not in the list of --only")
        else:
            self._report_once("further symbols that are not in the list of --only are not logged", "only")

    def _report_once(self, text: str, key: str) -> None:
        if key not in self._reported:
            self._reported.add(key)
            Print(text)
