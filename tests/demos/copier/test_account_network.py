"""The account rules behind a real follower: streams, times and restarts of a provider on a simulated network."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

from account_kit import OWN, SYMBOL, own_symbol
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_kit import Network, account, holding

from demos.copier.account_memory import AccountMemory, read_account_memory
from demos.copier.account_rules import allowed_lots, decide
from demos.copier.account_values import AccountOptions, Decision, provider_view
from demos.provider.steps import Status


class Copier:
    """A network, and an account that trades what the rules allow. The own lots are the same as the provider's."""

    def __init__(self, join: str = "wait") -> None:
        self.network = Network(account())
        self.network.connect()
        self.network.settle()
        self.options = AccountOptions(join=join)
        self.own = own_symbol()
        self.text = json.dumps(AccountMemory().to_dict())
        self.live_at = 0

    def run(self) -> Decision | None:
        """Receive what is on the way, decide, trade."""
        self.network.settle()
        return self.decide()

    def decide(self) -> Decision | None:
        network = self.network
        if network.follower.status is Status.LIVE:
            self.live_at = network.now
        view = provider_view(network.follower, network.now, network.now - self.live_at)
        own = replace(OWN, symbols={SYMBOL: self.own})
        memory = read_account_memory(json.loads(self.text))
        outcome = decide(self.options, view, own, memory, network.server_time)
        self.text = json.dumps(outcome.memory.to_dict())
        decision = outcome.decisions.get(SYMBOL)
        if decision:
            self.own = replace(self.own, lots=allowed_lots(decision, self.own.lots))
        return decision

    def trade(self, lots: str) -> None:
        self.network.trade(account(*([holding(SYMBOL, lots)] if Decimal(lots) else [])))

    def rule(self) -> str:
        decision = self.run()
        return decision.rule if decision else ""


def following(lots: str = "1") -> Copier:
    copier = Copier()
    copier.run()
    copier.trade(lots)
    assert copier.rule() == "follow"
    assert copier.rule() == "reached"
    return copier


def test_a_trade_is_followed_also_when_the_clocks_differ():
    copier = following()
    copier.network.advance(10_000)
    copier.trade("2")
    assert (copier.rule(), copier.own.lots) == ("follow", 2)


def test_a_position_from_before_the_first_start_waits():
    copier = Copier()
    copier.trade("1")
    assert copier.rule() == "join-wait"
    copier.trade("0")
    copier.run()
    copier.trade("1")
    assert (copier.rule(), copier.own.lots) == ("follow", 1)


def test_a_trade_during_a_short_absence_is_followed_and_one_during_a_long_absence_is_late():
    for absence, rule in ((20_000, "follow"), (40_000, "late")):
        copier = following()
        copier.network.disconnect()
        copier.trade("2")
        copier.network.advance(absence)
        copier.decide()
        copier.network.connect()
        assert copier.rule() == rule


def test_a_restart_of_the_provider_changes_nothing_and_new_trades_are_followed():
    copier = following()
    copier.network.restart_provider()
    copier.network.connect()
    assert copier.rule() == "reached"
    copier.trade("2")
    assert (copier.rule(), copier.own.lots) == ("follow", 2)


def test_a_trade_while_the_provider_is_down_has_an_unknown_age():
    copier = following()
    copier.network.disconnect()
    copier.network.account = account(holding(SYMBOL, "2"))
    copier.network.restart_provider()
    copier.network.connect()
    assert (copier.rule(), copier.own.lots) == ("late", 1)


def test_a_restart_of_the_copier_continues():
    copier = following()
    copier.network.kill_follower()
    copier.trade("0.5")
    copier.decide()
    copier.network.connect()
    assert (copier.rule(), copier.own.lots) == ("reduce", Decimal("0.5"))


_actions = st.lists(
    st.one_of(
        st.tuples(st.just("trade"), st.sampled_from(["0", "1", "2", "-1", "0.5"])),
        st.tuples(st.just("advance"), st.sampled_from([10, 1000, 40_000])),
        st.tuples(st.sampled_from(["connect", "disconnect", "kill_follower", "restart_provider", "settle", "deliver"])),
    ),
    max_size=30,
)


@given(_actions, st.sampled_from(["wait", "no-worse", "now"]))
@settings(max_examples=60)
def test_no_history_leads_to_an_older_state_and_a_closed_position_is_closed_in_the_end(actions, join):
    copier = Copier(join)
    for name, *values in actions:
        if name == "trade":
            copier.trade(*values)
        elif name != "deliver":
            getattr(copier.network, name)(*values)
        elif copier.network.to_client:
            copier.network.deliver()
        copier.decide()
    copier.trade("0")
    copier.network.heal()
    copier.run()
    assert copier.own.lots == 0
    copier.trade("1")
    assert copier.rule() == "follow"
    assert copier.own.lots == 1
