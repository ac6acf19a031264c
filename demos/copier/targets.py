"""The positions that the copier works towards: one target per symbol, retried with growing pauses until it is reached.

A message replaces its symbol's target. run_due() trades at each timer event the targets that are due; one whose order
failed becomes due again after 1, 2, 4 … and at most MOST_EVENTS timer events. Time is counted in timer events here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from demos.copier.rules import Rules, lots_text
from demos.copier.trading import SymbolLimits
from demos.terminal import Event, Print

# The longest pause between two attempts, in timer events.
MOST_EVENTS = 32

# The most symbols that are remembered, so that no server can use up the memory.
MOST_SYMBOLS = 256


@dataclass
class Target:
    """A position in lots, not rounded yet; the timer event of its next attempt; the number of failed attempts."""

    lots: Decimal
    due: int = 0
    failures: int = 0


class Targets:
    """The targets by local symbol name. ``now`` is the number of the present timer event."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.targets: dict[str, Target] = {}
        self._names: dict[str, str] = {}

    def take(self, smb: str, lots: Decimal, now: int) -> None:
        """Set the target from the server's position in its symbol."""
        local = self._local_name(smb)
        if not local:
            return
        old, lots = self.targets.pop(local, None), self.rules.lots(lots)
        # The same target again does not shorten the pause before the next attempt.
        self.targets[local] = old if old and old.lots == lots else Target(lots, now)

    def limit(self) -> None:
        """Drop the oldest targets when there are too many."""
        while len(self.targets) > MOST_SYMBOLS:
            smb = next(iter(self.targets))
            Print(f"-more than {MOST_SYMBOLS} symbols fail: {smb} is dropped")
            del self.targets[smb]

    def retry_now(self, now: int) -> None:
        """Make all targets due."""
        for target in self.targets.values():
            target.due = now

    def run_due(self, now: int, trade_to: Callable[[str, Decimal], bool]) -> None:
        """Trade the targets that are due; ``trade_to`` returns whether the symbol's position has become the target."""
        for smb, target in list(self.targets.items()):
            if now < target.due:
                continue
            if trade_to(smb, target.lots):
                del self.targets[smb]
                Event("synced", symbol=smb, lots=lots_text(target.lots))
            else:
                target.due = now + Backoff(target.failures)
                target.failures += 1

    def _local_name(self, smb: str) -> str:
        """The local name of a server's symbol, or "" when it is not copied; logs the decision for a new symbol."""
        if smb in self._names:
            return self._names[smb]
        local = self.rules.name(smb)
        other = next((server for server, name in self._names.items() if name == local), "")
        if not self.rules.follows(smb):
            Print(f"{smb} is not copied: it is not in the list of --only")
            local = ""
        elif other:
            Print(f"-{smb} is not copied: its local name would be {local}, as that of {other}")
            local = ""
        elif limits := SymbolLimits(local):
            least, most, step = (lots_text(limit) for limit in limits)
            Print(f"{smb} is {local} here: orders from {least} to {most} lots in steps of {step}")
        if len(self._names) >= MOST_SYMBOLS:
            del self._names[next(iter(self._names))]
        self._names[smb] = local
        return local


def Backoff(failures: int) -> int:
    """The pause in timer events after this number of failures: 1, 2, 4 … at most MOST_EVENTS."""
    return min(1 << min(failures, MOST_EVENTS), MOST_EVENTS)
