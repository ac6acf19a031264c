"""Records in the journal what became of each decision: for each state, and when that changes afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from demos.copier.account_values import Decision
from demos.copier.journal import Entry, Journal, StateMark
from demos.copier.limits import is_smaller


class DecisionJournal:
    """Remembers what was recorded last for each symbol."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._recorded: dict[str, Entry] = {}
        # Why the stop loss of each symbol is not placed, without numbers, which change with the price.
        self._stops: dict[str, str] = {}

    def record(
        self,
        state: StateMark,
        decisions: Iterable[Decision],
        lots: Mapping[str, Decimal],
        positions: tuple[Mapping[str, Decimal], Mapping[str, Decimal]],
        *,
        arrived: bool,
    ) -> None:
        """Record the decisions; ``lots`` are the provider's by its symbols, ``positions`` the own ones before and
        after the orders.

        ``arrived``: the state has just arrived, so every decision is recorded. Errors: StateError.
        """
        entries = []
        for decision in decisions:
            before, held = (each.get(decision.local, Decimal(0)) for each in positions)
            entry = entry_of(decision, lots[decision.symbol], before, held)
            stop = decision.stop_kind
            changed = stop != self._stops.get(decision.symbol, "")
            if arrived or changed or is_news(entry, self._recorded.get(decision.symbol)):
                entries.append(entry)
                self._recorded[decision.symbol], self._stops[decision.symbol] = entry, stop
        if entries:
            self._journal.decided(state, entries)


def entry_of(decision: Decision, lots: Decimal, before: Decimal, held: Decimal) -> Entry:
    """What became of a decision, for the journal: the own position was ``before``, and is ``held`` now."""
    target = held if decision.lots is None else decision.lots
    if held != before:
        outcome = "reduced" if is_smaller(held, before) else "traded"
    else:
        outcome = "skipped" if held != target or decision.lots is None else "unchanged"
    text = "; ".join(filter(None, (decision.text, decision.stop_problem)))
    return Entry(decision.symbol, decision.local, lots, target, held, outcome, decision.rule, text)


def is_news(entry: Entry, last: Entry | None) -> bool:
    """Whether a decision differs from the last one that was recorded, although no state has arrived."""
    if last is None or (entry.target, entry.held) != (last.target, last.held):
        return True
    return entry.outcome == "skipped" and entry.rule != last.rule
