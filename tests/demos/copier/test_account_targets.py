"""The account rules together with the copier's targets: what --reconcile says about an owner's changes still holds."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from account_kit import LOCAL, SYMBOL, Copying

from demos.copier import targets as targets_module
from demos.copier.account_rules import allowed_lots
from demos.copier.account_values import AccountOptions, Decision
from demos.copier.moments import Moment
from demos.copier.rules import Rules
from demos.copier.targets import LEAVE, RESTORE, STOP, Targets
from demos.copier.trading import Result


@pytest.fixture(autouse=True)
def messages(monkeypatch) -> list[str]:
    """What is printed, instead of a terminal."""
    found: list[str] = []
    monkeypatch.setattr(targets_module, "SymbolLimits", lambda smb: None)
    monkeypatch.setattr(targets_module, "Event", lambda *args, **fields: None)
    for name in ("Print", "Alert"):
        monkeypatch.setattr(targets_module, name, found.append)
    return found


class Copier:
    """A copier that has followed the provider to 1 lot."""

    def __init__(self, reconcile: str) -> None:
        self.copying = Copying(AccountOptions(restore=reconcile == RESTORE))
        self.targets = Targets(Rules(names={SYMBOL: LOCAL}), reconcile)
        self.copying.publish()
        self.copying.observe()
        self.copying.trade("1")
        self.event()
        assert self.lots == 1

    @property
    def lots(self) -> Decimal:
        return self.copying.own.lots

    def positions(self) -> dict[str, Decimal]:
        return {LOCAL: self.lots}

    def event(self, seconds: int = 1) -> Decision:
        """Timer events; the last decision."""
        for _ in range(seconds):
            self.copying.later(1000)
            now = Moment(self.copying.time)
            decision = self.copying.decide()
            if decision.lots is not None:
                self.targets.take(decision.symbol, decision.lots, now)
            self.targets.check(self.positions(), now)
            self.targets.run_due(now, lambda smb, lots: self.trade_to(self.copying.decide(), lots), self.positions)
        return self.copying.decide()

    def trade_to(self, decision: Decision, lots: Decimal) -> Result:
        allowed = allowed_lots(decision, self.lots)
        self.copying.own = replace(self.copying.own, lots=allowed)
        return Result(reached=lots if allowed == lots else None, problem=decision.rule)


@pytest.mark.parametrize(("seconds", "lots"), [(20, "1.5"), (60, "0.2")])
def test_with_leave_an_owners_change_stays_until_the_provider_trades_or_is_too_old(messages, seconds, lots):
    copier = Copier(LEAVE)
    copier.copying.holds("0.2")
    copier.event(seconds)
    assert copier.lots == Decimal("0.2")
    assert len(messages) == 1
    copier.copying.trade("1.5")
    copier.event()
    assert copier.lots == Decimal(lots)


@pytest.mark.parametrize("changed", ["0.2", "3", "-1"])
def test_with_restore_an_owners_change_is_undone(changed):
    copier = Copier(RESTORE)
    copier.copying.holds(changed)
    copier.event(5)
    assert copier.lots == 1


def test_with_stop_the_symbol_is_copied_no_further():
    copier = Copier(STOP)
    copier.copying.holds("0.2")
    copier.event(5)
    copier.copying.trade("1.5")
    copier.event(5)
    assert copier.lots == Decimal("0.2")


def test_a_refused_increase_is_printed_once_and_is_traded_when_the_price_comes_back(messages):
    copier = Copier(LEAVE)
    copier.copying.holds("1", "1.2")
    copier.copying.trade("2", "1.1")
    copier.event(5)
    copier.copying.holds("1", "1.3")
    copier.event(5)
    assert (copier.lots, messages) == (1, ["deviation"])
    copier.copying.holds("1", "1.1")
    copier.event(8)
    assert copier.lots == 2


def test_a_refused_increase_is_dropped_by_the_rules_when_it_is_late():
    copier = Copier(LEAVE)
    copier.copying.holds("1", "1.2")
    copier.copying.trade("2", "1.1")
    copier.event(31)
    copier.copying.holds("1", "1.1")
    assert copier.event(60).rule == "late"
    assert copier.lots == 1
    copier.copying.trade("0.5", "1.1")
    copier.event()
    assert copier.lots == Decimal("0.5")
