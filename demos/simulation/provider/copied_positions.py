"""Whether copiers have the positions that they should have: their deals, one after the other, and what they hold.

A copier trades a multiple of the provider's lots. Each of its deals leads to the multiple of one of the provider's
positions, and never of one before that of its last deal.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from math import inf
from typing import NamedTuple

from demos.copier.account_copier import AccountCopier
from demos.copier.increases import LATE
from demos.simulation.scenario import Violation
from demos.simulation.terminal_record import Event
from demos.simulation.terminals import SimulatedTerminal

SYMBOL = "EURUSD"


class Change(NamedTuple):
    """A position of the provider, and since when it had it."""

    time: float
    lots: Decimal


class Deals:
    """Checks one copier's deals against the provider's positions, each deal once."""

    def __init__(self, copier: str, factor: Decimal) -> None:
        self._copier, self._factor = copier, factor
        self._next = 0
        self._held = Decimal(0)
        # The first of the provider's positions that the last deal may have followed.
        self._followed = 0

    def check(self, copier: SimulatedTerminal, provider: SimulatedTerminal) -> Iterator[Violation]:
        """Take the copier's new events."""
        new = copier.events[self._next :]
        self._next = len(copier.events)
        for event in new:
            if event.kind == "deal":
                yield from self._check_deal(event, changes_of(provider))

    def _check_deal(self, deal: Event, changes: list[Change]) -> Iterator[Violation]:
        held, self._held = self._held, Decimal(str(deal.fields["position"]))
        wanted = [self._factor * change.lots for change in changes]
        for index in range(self._followed, len(changes)):
            if changes[index].time <= deal.time and wanted[index] == self._held:
                self._followed = index
                return
        # A reversal may be traded in two steps.
        if self._held == 0 and any(lots * held < 0 for lots in wanted[self._followed :]):
            return
        earlier = self._held in wanted[: self._followed]
        name = "no state older than an acknowledged one is traded" if earlier else "each deal has a message of its own"
        yield Violation(
            name, f"{self._copier} traded from {held} to {self._held} lots at {deal.time} s, without such a position"
        )


def changes_of(provider: SimulatedTerminal) -> list[Change]:
    """The provider's positions, the earliest first."""
    return [Change(time, Decimal(lots)) for time, lots in provider.positions.get(SYMBOL, [])]


def lots_since(provider: SimulatedTerminal, since: float, until: float = inf) -> set[Decimal]:
    """The provider's positions between two seconds of the run, with the one that it had at the first."""
    found = {Decimal(provider.position(SYMBOL, since))}
    for time, lots in reversed(provider.positions.get(SYMBOL, [])):
        if time < since:
            break
        if time <= until:
            found.add(Decimal(lots))
    return found


def check_position(copier: SimulatedTerminal, factor: Decimal, provider: SimulatedTerminal, since: float) -> str:
    """Why the copier does not have the multiple of a position that the provider has had since then, or ""."""
    allowed = {factor * each for each in lots_since(provider, since)}
    own = Decimal(copier.position(SYMBOL))
    if own in allowed or _is_late(copier, own):
        return ""
    return f"{copier.name} has {own} lots and should have {', '.join(map(str, sorted(allowed)))}: {_reason(copier)}"


def account_copier(terminal: SimulatedTerminal) -> AccountCopier | None:
    """The part of a running copier that follows an account; None for one that follows the plain port."""
    copier: AccountCopier | None = getattr(terminal.module, "account", None)
    return copier


def _is_late(terminal: SimulatedTerminal, own: Decimal) -> bool:
    """Whether the copier has a reason of its rules not to follow: the age of the provider's change is unknown.

    Then its position may be smaller than it should be, never larger or on the other side.
    """
    copier = account_copier(terminal)
    decision = copier.decisions.get(SYMBOL) if copier is not None else None
    if decision is None or decision.lots is None or decision.rule != LATE:
        return False
    return own == 0 or 0 < own / decision.lots <= 1


def _reason(terminal: SimulatedTerminal) -> str:
    copier = account_copier(terminal)
    if copier is None:
        return "it follows the plain port" if terminal.is_running else "it does not run"
    decision = copier.decisions.get(SYMBOL)
    rule = "no decision" if decision is None else f"{decision.text} ({decision.rule})"
    return f"the follower is {copier.connection.follower.status.value}, {rule}"
