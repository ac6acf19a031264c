"""Places the provider's stop loss at the broker, for each position of a symbol."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from demos.copier.account_values import Decision
from demos.copier.positions import SymbolPositions
from demos.terminal import POSITION_SL, POSITION_TP, CTrade, PositionGetDouble, PositionSelectByTicket, Print
from demos.wire.backoff import Backoff

# The positions that are remembered.
MOST_REMEMBERED = 1000

# The pauses after a stop loss that the broker rejects.
FIRST_PAUSE_MS = 1000
LONGEST_PAUSE_MS = 64_000


class StopPlacer:
    """Remembers what it has placed, and what the broker rejects.

    A stop loss of the account's owner stays, until the provider's next one: only one that was placed here is removed.
    ``problems`` are what the broker rejects, by local symbol.
    """

    def __init__(self, stored: Mapping[str, Any]) -> None:
        """Continue with what to_dict() returned.

        Errors: ValueError when it is damaged.
        """
        try:
            # By ticket.
            self._placed = {int(ticket): Decimal(price) for ticket, price in stored.items()}
        except (ArithmeticError, TypeError, ValueError) as error:
            raise ValueError(f"the stored stop losses are damaged: {error!r}") from None
        self.problems: dict[str, str] = {}
        self._rejected: dict[int, tuple[Decimal, Backoff]] = {}

    def to_dict(self) -> dict[str, str]:
        """What was placed, as JSON values."""
        return {str(ticket): str(price) for ticket, price in self._placed.items()}

    def place(self, decision: Decision, now: int) -> None:
        """Give the symbol's positions the decision's stop loss; ``now`` is in milliseconds."""
        if decision.lots is None or decision.stop_problem:
            return
        wanted = decision.stop_loss or Decimal(0)
        for ticket, lots in SymbolPositions(decision.local):
            # The stop loss is that of a position on the target's side.
            if lots * decision.lots <= 0 or not PositionSelectByTicket(ticket):
                continue
            present = Decimal(repr(PositionGetDouble(POSITION_SL)))
            if self._is_due(ticket, present, wanted) and self._may_try(ticket, wanted, now):
                self._modify(decision.local, ticket, wanted, now)

    def _is_due(self, ticket: int, present: Decimal, wanted: Decimal) -> bool:
        """Whether the position should have another stop loss."""
        placed = self._placed.get(ticket)
        if wanted == present:
            if wanted:
                # Also one that was placed just before the process was killed.
                self._remember(ticket, wanted)
            return False
        if not wanted:
            return present == placed
        # A position that was increased may have lost it.
        return placed != wanted or not present

    def _may_try(self, ticket: int, wanted: Decimal, now: int) -> bool:
        rejected = self._rejected.get(ticket)
        return rejected is None or rejected[0] != wanted or rejected[1].is_due(now)

    def _modify(self, local: str, ticket: int, wanted: Decimal, now: int) -> None:
        trade = CTrade()
        if trade.PositionModify(ticket, float(wanted), PositionGetDouble(POSITION_TP)):
            Print(f"{local}: position {ticket} has the stop loss {wanted} now")
            self._rejected.pop(ticket, None)
            self.problems.pop(local, None)
            self._remember(ticket, wanted)
            return
        self.problems[local] = f"the broker rejects the stop loss {wanted}: {trade.ResultRetcodeDescription()}"
        _, backoff = self._rejected.get(ticket, (wanted, Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS)))
        if backoff.failed(now):
            Print(f"-{local}: the stop loss {wanted} of position {ticket}: {trade.ResultRetcodeDescription()}")
        self._rejected[ticket] = (wanted, backoff)

    def _remember(self, ticket: int, stop: Decimal) -> None:
        self._placed[ticket] = stop
        if len(self._placed) > MOST_REMEMBERED:
            del self._placed[min(self._placed)]
