"""The targets of a provider's account: an exceeded limit stops only what increases a position.

A limit of limits.py and --reconcile stop forbid increases, in one symbol or in all, until the program is started again.
What reduces or closes a position still goes out. Only the kill-switch file stops every order, because whoever creates
it wants none. decide() gets both with the own account, so each decision names the limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from demos.copier.account_values import OwnAccount
from demos.copier.limits import is_smaller
from demos.copier.moments import Moment
from demos.copier.rules import Rules
from demos.copier.targets import LEAVE, LONGEST_PAUSE_MS, Target, Targets
from demos.copier.trading import Result
from demos.terminal import Alert, Event


class AccountTargets(Targets):
    """The targets, and which limits were exceeded.

    ``limits``: why a local symbol is not increased any more; ``limit``: why none is. ``stopped``: why no order is sent.
    """

    def __init__(self, rules: Rules, reconcile: str = LEAVE) -> None:
        super().__init__(rules, reconcile)
        self.limits: dict[str, str] = {}
        self.limit = ""

    @property
    def exceeded(self) -> int:
        """How many limits have been exceeded."""
        return len(self.limits) + bool(self.limit) + bool(self.stopped)

    def stop_symbol(self, smb: str, reason: str) -> None:
        """Increase this symbol no further. The reason says how to copy it again."""
        if smb not in self.limits:
            self.limits[smb] = reason
            Alert(f"{smb} is only reduced, and not increased any more: {reason}")
            Event("stopped", symbol=smb, reason=reason)

    def stop_all(self, reason: str) -> None:
        """Increase nothing any more. The reason says how to copy again."""
        if not self.limit:
            self.limit = reason
            Alert(f"positions are only reduced, and not increased any more: {reason}")
            Event("stopped", symbol="", reason=reason)

    def halt(self, reason: str) -> None:
        """Send no order any more."""
        if not self.stopped:
            self.stopped = reason
            Alert(f"no order is sent any more, also none that reduces a position: {reason}")
            Event("stopped", symbol="", reason=reason)

    def check(self, positions: Mapping[str, Decimal], now: Moment) -> None:
        """See Targets. After halt() the known positions stay for the next start of the program."""
        if not self.stopped:
            super().check(positions, now)

    def _take_result(self, smb: str, target: Target, result: Result, lots: Decimal, now: Moment) -> None:
        super()._take_result(smb, target, result, lots, now)
        if result.failed and not result.retry and is_smaller(target.lots, lots):
            # Whatever the broker has answered: a reduction goes out, also without a new signal or connection.
            target.due = now.ms + LONGEST_PAUSE_MS

    def flatten(self, local: str, now: Moment) -> None:
        """Close the position, also one that the account's owner has changed."""
        if self.stopped:
            return
        target = self.targets.get(local)
        if target is None or target.lots != 0:
            self.targets[local] = Target(Decimal(0), now.ms, late=target.late if target else None)
            self.known.pop(local, None)
        known = self.known.get(local)
        if known and known.differs:
            del self.known[local]
        self._signals[local] = Decimal(0)

    def limited(self, own: OwnAccount) -> OwnAccount:
        """The own account with the limits that were exceeded."""
        if not self.exceeded:
            return own
        symbols = {
            name: replace(each, limit=self.limit or self.limits.get(each.name, ""))
            for name, each in own.symbols.items()
        }
        return replace(own, symbols=symbols, halted=self.stopped)
