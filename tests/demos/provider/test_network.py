"""Publisher and follower over a network that loses, repeats and reorders, with restarts, kills and restored backups."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from provider_kit import KEY, START, Network, account, holding

from demos.provider.accounts import AccountState, View
from demos.provider.following import Follower
from demos.provider.messages import Heartbeat, Snapshot, Update
from demos.provider.protocol import decode_from_server
from demos.provider.publishing import Publisher
from demos.provider.states import net_lots
from demos.provider.steps import STOPPING, Kind, Status

SYMBOLS = ("EURUSD", "GBPUSD", "Volatility 75 Index")
LOTS = st.integers(-3, 3)
INDEX = st.integers(0, 9)


def positions(state: Snapshot) -> set[tuple[str, Decimal, int | None]]:
    return {(each.symbol, each.lots, each.ticket) for each in state.positions}


def held(state: AccountState) -> set[tuple[str, Decimal, int | None]]:
    return {(each.symbol, each.lots, each.ticket) for each in state.holdings}


class FaultyNetwork(RuleBasedStateMachine):
    """Every fault but a restored provider. The balance numbers the account's states: a later one has a higher one."""

    @initialize(hedging=st.booleans())
    def begin(self, hedging: bool) -> None:
        self.hedging = hedging
        self.number = 1
        self.holdings: dict[Any, int] = {}
        self.network = Network(self.account())
        self.seen = 0
        self.newest = 0

    def account(self) -> AccountState:
        holdings = [
            holding(symbol, str(lots), ticket=ticket or None)
            for (symbol, ticket), lots in self.holdings.items()
            if lots
        ]
        return account(*holdings, balance=str(self.number), hedging=self.hedging)

    @rule(symbol=st.sampled_from(SYMBOLS), ticket=st.integers(1, 3), lots=LOTS)
    def trade(self, symbol: str, ticket: int, lots: int) -> None:
        self.number += 1
        self.holdings[symbol, ticket if self.hedging else 0] = lots
        self.network.trade(self.account())

    @rule(milliseconds=st.sampled_from([0, 1, 300, 1000, 5000, 20_000]))
    def advance(self, milliseconds: int) -> None:
        self.network.advance(milliseconds)

    @precondition(lambda self: self.network.to_client)
    @rule(index=INDEX, keep=st.booleans())
    def deliver(self, index: int, keep: bool) -> None:
        self.network.deliver(index % len(self.network.to_client), keep=keep)

    @precondition(lambda self: self.network.to_client)
    @rule()
    def deliver_in_order(self) -> None:
        while self.network.to_client:
            self.network.deliver()

    @precondition(lambda self: self.network.to_client)
    @rule(index=INDEX)
    def lose(self, index: int) -> None:
        self.network.to_client.pop(index % len(self.network.to_client))

    @precondition(lambda self: self.network.to_server)
    @rule(index=INDEX, keep=st.booleans(), lost=st.booleans())
    def deliver_to_server(self, index: int, keep: bool, lost: bool) -> None:
        index %= len(self.network.to_server)
        if lost:
            self.network.to_server.pop(index)
        else:
            self.network.deliver_to_server(index, keep=keep)

    @precondition(lambda self: self.network.subscription is None)
    @rule(in_order=st.booleans())
    def connect(self, in_order: bool) -> None:
        self.network.connect()
        if in_order:
            self.deliver_in_order()

    # One rule for all of these, so that they are not more frequent than trades and messages.
    @rule(fault=st.sampled_from(["connection", "provider", "follower", "before", "after", "back", "forward"]))
    def fault(self, fault: str) -> None:
        if fault == "connection":
            self.network.disconnect()
        elif fault == "provider":
            self.network.restart_provider()
        elif fault == "follower":
            self.network.kill_follower()
        elif fault in ("before", "after"):
            self.network.store.kill = fault
        else:
            self.network.server_time += -20_000 if fault == "back" else 20_000

    @invariant()
    def never_acts_on_an_older_state(self) -> None:
        for state in self.network.returned[self.seen :]:
            assert state.account.balance is not None
            number = int(state.account.balance)
            assert number >= self.newest
            self.newest = number
        self.seen = len(self.network.returned)

    @invariant()
    def raises_no_false_alarm(self) -> None:
        assert not [alarm for alarm in self.network.alarms if alarm.kind in STOPPING]
        assert not self.network.claims

    def teardown(self) -> None:
        if not hasattr(self, "network"):
            return
        self.network.store.kill = ""
        # As long as clocks were set back, a new stream waits for the old one's time.
        for _ in range(40):
            self.network.heal()
            if self.network.follower.status is Status.LIVE:
                break
        self.never_acts_on_an_older_state()
        self.raises_no_false_alarm()
        assert self.network.follower.status is Status.LIVE
        state = self.network.follower.state
        assert state is not None
        assert positions(state) == held(self.network.account)


def test_a_follower_never_acts_on_an_older_state_and_reaches_the_newest_when_the_network_heals() -> None:
    run_state_machine_as_test(FaultyNetwork, settings=settings(max_examples=200, stateful_step_count=50, deadline=None))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_restored_memory_of_the_provider_is_never_followed(data: st.DataObject) -> None:
    network = Network(account())
    number = 1

    def trade(count: int) -> None:
        nonlocal number
        for _ in range(count):
            number += 1
            network.advance(data.draw(st.sampled_from([1, 1000])))
            network.trade(account(holding("EURUSD", str(number)), balance=str(number)))

    network.connect()
    trade(data.draw(st.integers(0, 5)))
    network.settle()
    saved, restored_seq = network.backup(), network.returned[-1].seq
    trade(data.draw(st.integers(1, 5)))
    network.settle()
    before = len(network.returned)
    known = network.returned[-1].seq

    network.restore(saved)
    if data.draw(st.booleans()):
        network.kill_follower()
    # At most as many trades as were undone: the numbers do not pass the known one.
    trade(data.draw(st.integers(0, known - restored_seq)))
    network.heal(10)

    assert network.follower.status is Status.STOPPED
    assert {alarm.kind for alarm in network.alarms} & {Kind.FALL, Kind.CONFLICT}
    assert len(network.returned) == before
    network.kill_follower()
    network.heal(10)
    assert network.follower.status is Status.STOPPED
    assert len(network.returned) == before


def test_two_providers_at_one_address_stop_the_follower_when_the_first_one_returns() -> None:
    network = Network(account(holding("EURUSD", "1")))
    network.heal(5)
    first = network.publisher
    network.restart_provider()
    network.heal(5)
    assert network.follower.status is Status.LIVE
    network.disconnect()
    network.publisher = first
    network.heal(5)
    assert network.follower.status is Status.STOPPED
    assert Kind.RETURNED in {alarm.kind for alarm in network.alarms}


@settings(max_examples=100, deadline=None)
@given(lost=st.lists(st.booleans(), min_size=3, max_size=30))
def test_every_lost_state_is_noticed_by_the_next_heartbeat_or_update(lost: list[bool]) -> None:
    network = Network(account())
    network.connect()
    network.settle()
    for number, is_lost in enumerate(lost, start=1):
        network.trade(account(holding("EURUSD", str(number))))
        if is_lost:
            network.to_client.clear()
        network.settle()
        network.advance(5000)
        while network.to_client:
            if isinstance(decode_from_server(network.to_client[0]), Heartbeat):
                network.deliver()
                resynced = any('"resync"' in text for text in network.to_server)
                newest = network.follower.state is not None and net_lots(network.follower.state) == {
                    "EURUSD": Decimal(number)
                }
                assert newest or resynced
            else:
                network.deliver()
        network.settle()
    assert (Kind.GAP in {alarm.kind for alarm in network.alarms}) == any(lost)


# ---- hidden symbols

HIDDEN = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["SECRET", "EURUSDx"]), LOTS), max_size=15)
VISIBLE = st.lists(st.tuples(st.integers(0, 20), st.just("EURUSD"), LOTS), max_size=8)


def received(visible: list[Any], hidden: list[Any], hedging: bool, balances: list[int]) -> list[str]:
    """What a user who sees one symbol receives, with a message at most once a second."""
    publisher = Publisher(account(hedging=hedging), START, KEY, 2000, lambda size: "ab" * size)
    subscription = publisher.subscribe(View(frozenset({"EURUSD"}), figures=False), START)
    texts = [publisher.hello("p", START), subscription.welcome("u", START)]
    lots: dict[Any, int] = {}
    for second in range(21):
        # Hidden trades come first, between and after the visible ones: at other milliseconds than the messages.
        for millisecond, trades in ((300, hidden), (500, visible), (700, hidden)):
            for at, symbol, volume in trades:
                if at == second:
                    lots[symbol] = volume
                    tickets = {"EURUSD": 7, "SECRET": 8, "EURUSDx": 9}
                    balance = balances[second] if balances else 1000
                    state = account(
                        *(
                            holding(name, str(each), ticket=tickets[name] if hedging else None)
                            for name, each in lots.items()
                            if each
                        ),
                        balance=str(balance),
                        hedging=hedging,
                    )
                    publisher.observe(state, START + second * 1000 + millisecond)
        if text := subscription.next_message(START + second * 1000 + 900):
            texts.append(text)
    return texts


@settings(max_examples=200, deadline=None)
@given(
    visible=VISIBLE,
    hidden=HIDDEN,
    hedging=st.booleans(),
    balances=st.lists(st.integers(1, 9), min_size=21, max_size=21),
)
def test_a_user_receives_the_same_bytes_whatever_happens_in_hidden_symbols(
    visible: list[Any], hidden: list[Any], hedging: bool, balances: list[int]
) -> None:
    alone = received(visible, [], hedging, [])
    assert received(visible, hidden, hedging, balances) == alone
    numbers = [
        message.seq for text in alone if isinstance(message := decode_from_server(text), (Snapshot, Update, Heartbeat))
    ]
    assert numbers == sorted(numbers)


def test_a_follower_of_one_symbol_sees_no_gaps_while_hidden_symbols_trade() -> None:
    network = Network(account(holding("EURUSD", "1"), holding("SECRET", "2")), View(frozenset({"EURUSD"}), False))
    network.connect()
    for number in range(1, 20):
        network.trade(account(holding("EURUSD", str(1 + number // 5)), holding("SECRET", str(number))))
        network.settle()
        network.advance(5000)
        network.settle()
    assert {each.symbol for state in network.returned for each in state.positions} == {"EURUSD"}
    assert [state.seq for state in network.returned] == [1, 2, 3, 4]
    assert not network.alarms


def test_a_slow_subscriber_gets_one_merged_update_or_a_snapshot() -> None:
    network = Network(account())
    network.connect()
    network.settle()
    for number in range(1, 6):
        network.publisher.observe(account(holding("EURUSD", str(number))), START + number)
    assert network.subscription is not None
    text = network.subscription.next_message(START + 10)
    assert text is not None
    message = decode_from_server(text)
    assert isinstance(message, Update)
    assert (message.previous, message.seq) == (1, 6)
    for number in range(6, 206):
        network.publisher.observe(account(holding("EURUSD", str(number))), START + number)
    text = network.subscription.next_message(START + 300)
    assert text is not None
    assert isinstance(decode_from_server(text), Snapshot)


def test_the_follower_of_a_new_process_starts_where_the_killed_one_stopped() -> None:
    network = Network(account(holding("EURUSD", "1")))
    network.heal(3)
    known = network.follower.state
    assert known is not None
    network.kill_follower()
    assert isinstance(network.follower, Follower)
    network.connect()
    network.settle()
    # Once more, so that the program compares its account with it.
    assert network.returned[-1] == known
    assert network.follower.status is Status.LIVE
