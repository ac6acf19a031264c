"""What a signal client's positions are to be: one goal a symbol, tried again later and later until it is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from demos.copier.rules import Rules, lots_text
from demos.copier.trading import SymbolLimits
from demos.terminal import Event, Print

# What failed is tried again after 1, 2, 4 … timer events, and then after so many.
MOST_EVENTS = 32

# A bound of what is remembered, so that no peer can make it grow.
MOST_SYMBOLS = 256


@dataclass
class Goal:
    """A position's volume, not rounded yet; when the next attempt is due, and how many have failed."""

    lots: Decimal
    due: int = 0
    failures: int = 0


class Goals:
    """The goals by our names of the symbols. ``now`` counts timer events."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.goals: dict[str, Goal] = {}
        self._names: dict[str, str] = {}

    def take(self, smb: str, lots: Decimal, now: int) -> None:
        """The server's position in its symbol is this from now on."""
        own = self._follow(smb)
        if not own:
            return
        old, lots = self.goals.pop(own, None), self.rules.lots(lots)
        # A repetition does not hurry the attempts.
        self.goals[own] = old if old and old.lots == lots else Goal(lots, now)

    def limit(self) -> None:
        """Give up the oldest goals where there are too many."""
        while len(self.goals) > MOST_SYMBOLS:
            smb = next(iter(self.goals))
            Print(f"-Too many symbols fail, {smb} is given up")
            del self.goals[smb]

    def hurry(self, now: int) -> None:
        """Try all of them at once."""
        for goal in self.goals.values():
            goal.due = now

    def carry_out(self, now: int, bring: Callable[[str, Decimal], bool]) -> None:
        """Do what is due; ``bring`` answers whether the symbol now has the volume."""
        for smb, goal in list(self.goals.items()):
            if now < goal.due:
                continue
            if bring(smb, goal.lots):
                del self.goals[smb]
                Event("synced", symbol=smb, lots=lots_text(goal.lots))
            else:
                goal.due = now + Patience(goal.failures)
                goal.failures += 1

    def _follow(self, smb: str) -> str:
        """Our name of a symbol of the server's, or "" when it is not followed; tells about a symbol when it is new."""
        if smb in self._names:
            return self._names[smb]
        own = self.rules.name(smb)
        other = next((server for server, name in self._names.items() if name == own), "")
        if not self.rules.follows(smb):
            Print(f"{smb} is not among the symbols to follow")
            own = ""
        elif other:
            Print(f"-{smb} would be {own} here, as {other} is: it is not followed")
            own = ""
        elif limits := SymbolLimits(own):
            least, most, step = (lots_text(limit) for limit in limits)
            Print(f"{smb} is {own} here: orders from {least} to {most} lots in steps of {step}")
        if len(self._names) >= MOST_SYMBOLS:
            del self._names[next(iter(self._names))]
        self._names[smb] = own
        return own


def Patience(failures: int) -> int:
    """How many timer events to wait after so many failures: 1, 2, 4 … up to a limit."""
    return min(1 << min(failures, MOST_EVENTS), MOST_EVENTS)
