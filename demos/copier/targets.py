"""The positions that the copier works towards: one target per symbol, retried with growing pauses until it is reached.

A message that states another position than the one before is a new signal, and replaces its symbol's target. A message
that repeats the last signal changes nothing. run_due() trades at each timer event the targets that are due; one that is
not reached becomes due again after 1, 2, 4 … and at most 32 seconds, or with the next connection.

One rule protects what the account's owner does: without a new signal the copier trades a symbol only while the account
has the position that the copier knows, which is that after its last attempt, or at the time of the signal. This holds
for reached targets and for those that wait, whatever makes them due. check() compares the account with these positions,
and ``reconcile`` says what follows from a difference: LEAVE it until the next signal (a waiting target is dropped),
RESTORE the signal's position, or STOP copying the symbol. Only a change to the target, or to what an order can cause
that may still be executed, is not the owner's.

Symbols whose last order failed share one more pause, of 1, 2, 4 and at most 8 seconds. A new signal in such a symbol
waits for one second after the last failure in any of them. So no server can make the copier send failing orders faster,
in however many symbols. Symbols whose last order was executed, or that had none yet, do not wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from demos.copier.limits import AGAIN
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

# The longest pause between two orders in symbols whose last order failed, counted over all of them.
LONGEST_SHARED_PAUSE_MS = 8000

LEAVE, RESTORE, STOP = "leave", "restore", "stop"

# A difference must last for this many seconds: a terminal may show a new deal's position a moment later.
SURE_SECONDS = 2


def reconcile_problem(text: str) -> str | None:
    """Why --reconcile cannot have this value, or None when it can."""
    known = (LEAVE, RESTORE, STOP)
    return None if text in known else f"unknown value: {text!r}; use {', '.join(known)}"


@dataclass
class Target:
    """A position in lots, not rounded yet, that is not reached; when it is due, and the pauses between attempts.

    ``late`` is the range of the positions to which orders can lead that may still be executed, or None.
    """

    lots: Decimal
    due: float = 0
    problem: str = ""
    late: tuple[Decimal, Decimal] | None = None
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS))


@dataclass
class Known:
    """The position that a symbol has as far as the copier knows; since when the account has another one, or None."""

    lots: Decimal
    differs: Moment | None = None


class Targets:
    """The targets by local symbol name. ``now`` is the present timer event. Times are in milliseconds."""

    def __init__(self, rules: Rules, reconcile: str = LEAVE) -> None:
        self.rules = rules
        self.reconcile = reconcile
        self.targets: dict[str, Target] = {}
        self.known: dict[str, Known] = {}
        # Why all copying has stopped, and the symbols that are not copied any more.
        self.stopped = ""
        self.stopped_symbols: set[str] = set()
        self._signals: dict[str, Decimal] = {}
        # The symbols whose last order failed, and when one of them may be retried, or have an order for a new signal.
        self._failing: set[str] = set()
        self._shared_backoff = Backoff(FIRST_PAUSE_MS, LONGEST_SHARED_PAUSE_MS)
        self._retry_due = self._signal_due = 0
        self._names: dict[str, str] = {}
        self._ignored: set[str] = set()
        self._reported: set[str] = set()

    def take(self, smb: str, lots: Decimal, now: Moment) -> None:
        """Set the target from the server's position in its symbol, if that is a new signal."""
        if local := self.local_name(smb):
            self.take_lots(local, self.rules.lots(lots), now)

    def take_lots(self, local: str, lots: Decimal, now: Moment) -> None:
        """Set the target of a local symbol, if that is a new signal."""
        if local in self.stopped_symbols or self.stopped or self._signals.get(local) == lots:
            return
        self._signals[local] = lots
        self.known.pop(local, None)
        replaced = self.targets.get(local)
        self.targets[local] = Target(lots, now.ms, late=replaced.late if replaced else None)

    def forget(self, local: str) -> None:
        """Leave a local symbol alone until its next target."""
        for by_symbol in (self.targets, self.known, self._signals):
            by_symbol.pop(local, None)

    def retry_now(self, now: Moment) -> None:
        """Make all targets due."""
        self._retry_due = self._signal_due = now.ms
        for target in self.targets.values():
            target.due = now.ms

    def check(self, positions: Mapping[str, Decimal], now: Moment) -> None:
        """Compare the known positions with those of the account, given by symbol. Call it before run_due()."""
        for smb in list(self._signals):
            lots = positions.get(smb, Decimal(0))
            known = self.known.setdefault(smb, Known(lots))
            if lots == known.lots or self._is_expected(smb, lots):
                known.lots, known.differs = lots, None
                continue
            known.differs = known.differs or now
            if now.is_due(known.differs.after(SURE_SECONDS)):
                self._reconcile(smb, known, lots, now)

    def run_due(
        self,
        now: Moment,
        trade_to: Callable[[str, Decimal], Result],
        positions: Callable[[], Mapping[str, Decimal]],
    ) -> None:
        """Trade the targets that are due, those with the fewest failures first."""

        def rank(smb: str) -> tuple[bool, int, float]:
            return smb in self._failing, self.targets[smb].backoff.failures, self.targets[smb].due

        for smb in sorted(self.targets, key=rank):
            if self.stopped:
                return
            target = self.targets[smb]
            if not self._may_trade(smb, target, now):
                continue
            result = trade_to(smb, target.lots)
            if result.stop_all:
                self.stop_all(result.stop_all)
            elif result.stop_symbol:
                self.stop_symbol(smb, result.stop_symbol)
            else:
                self._take_result(smb, target, result, positions().get(smb, Decimal(0)), now)

    def _may_trade(self, smb: str, target: Target, now: Moment) -> bool:
        """Whether the target is due, and no change by the owner and no shared pause prevents an order."""
        known = self.known.get(smb)
        if known and known.differs:
            return False
        pause_end = self._retry_due if target.backoff.failures else self._signal_due
        return now.is_due(target.due) and (smb not in self._failing or now.is_due(pause_end))

    def _take_result(self, smb: str, target: Target, result: Result, lots: Decimal, now: Moment) -> None:
        """Plan what follows from an attempt, after which the account has the position ``lots``."""
        before = self.known.get(smb)
        self.known[smb] = Known(lots)
        if result.failed:
            self._failing.add(smb)
            self._signal_due = now.ms + FIRST_PAUSE_MS
            # New signals that fail must not delay the retries of other symbols.
            if now.is_due(self._retry_due):
                self._shared_backoff.failed(now.ms)
                self._retry_due = now.ms + self._shared_backoff.pause_ms
        elif before and lots != before.lots:
            # An order was executed. A signal that needs no order proves nothing.
            self._failing.discard(smb)
            self._shared_backoff.succeeded()
        if result.reached is not None:
            del self.targets[smb]
            return
        if result.waits:
            target.due = now.ms
            return
        if result.problem and result.problem != target.problem:
            Print(result.problem)
        reachable = (before.lots if before else lots, lots, target.lots, *(target.late or ()))
        target.late = (min(reachable), max(reachable)) if result.under_way else None
        target.problem = result.problem
        target.backoff.failed(now.ms)
        target.due = now.ms + target.backoff.pause_ms if result.retry else float("inf")

    def _is_expected(self, smb: str, lots: Decimal) -> bool:
        """Whether the position has changed to the target, or to what the copier's own orders may have caused."""
        target = self.targets.get(smb)
        if target is None:
            return False
        return lots == target.lots or (target.late is not None and target.late[0] <= lots <= target.late[1])

    def stop_symbol(self, smb: str, reason: str) -> None:
        """Copy this symbol no further. The reason says how to copy it again."""
        self.forget(smb)
        self.stopped_symbols.add(smb)
        Alert(f"{smb} is not copied any more: {reason}")
        Event("stopped", symbol=smb, reason=reason)

    def stop_all(self, reason: str) -> None:
        """Copy nothing any more. The reason says how to copy again."""
        if not self.stopped:
            self.stopped = reason
            for by_symbol in (self.targets, self.known, self._signals):
                by_symbol.clear()
            Alert(f"nothing is copied any more: {reason}")
            Event("stopped", symbol="", reason=reason)

    def _reconcile(self, smb: str, known: Known, lots: Decimal, now: Moment) -> None:
        changed = f"the position is {lots_text(lots)} lots instead of {lots_text(known.lots)} without a new signal"
        Event("deviates", symbol=smb, lots=lots_text(lots), expected=lots_text(known.lots))
        self.known[smb] = Known(lots)
        if self.reconcile == STOP:
            self.targets.pop(smb, None)
            self.stop_symbol(smb, f"{changed} (--reconcile stop); {AGAIN}")
            return
        if self.reconcile == RESTORE:
            Alert(f"{smb}: {changed}; the copier restores it (--reconcile restore)")
            self.targets[smb] = Target(self._signals[smb], now.ms)
        else:
            Alert(f"{smb}: {changed}; the copier leaves it until the next signal (--reconcile leave)")
            self.targets.pop(smb, None)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The signals with their known positions as JSON values, for load(); ``waits``: the target is not reached."""
        return {
            smb: {
                "signal": str(lots),
                "known": str(self.known[smb].lots) if smb in self.known else None,
                "waits": smb in self.targets,
            }
            for smb, lots in self._signals.items()
        }

    def load(self, data: Mapping[str, Mapping[str, Any]], now: Moment) -> None:
        """Continue with what to_dict() returned: a change since then is the account owner's.

        Errors: ValueError when the data is damaged.
        """
        try:
            for smb, each in data.items():
                lots = self._signals[smb] = Decimal(each["signal"])
                if each["known"] is not None:
                    self.known[smb] = Known(Decimal(each["known"]))
                if each["waits"]:
                    self.targets[smb] = Target(lots, now.ms)
        except (ArithmeticError, KeyError, TypeError) as error:
            raise ValueError(f"the stored targets are damaged: {error!r}") from None

    def local_name(self, smb: str) -> str:
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
