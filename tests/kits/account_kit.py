"""What the tests of the account rules share: a provider and an own account of one symbol, and their memory as text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal

from demos.copier.account_memory import AccountMemory, read_account_memory
from demos.copier.account_rules import allowed_lots, decide
from demos.copier.account_values import AccountOptions, Decision, OwnAccount, OwnSymbol, ProviderView
from demos.copier.rules import Limits
from demos.provider.messages import Account, Position, Snapshot
from demos.provider.steps import Status

SYMBOL, LOCAL = "EURUSD", "EURUSD.m"
STREAM = "a" * 32 + "-" + "0" * 16
START = 1_700_000_000_000
POINT = Decimal("0.00001")
LIMITS = Limits(Decimal("0.01"), Decimal(100), Decimal("0.01"))
DEFAULTS = AccountOptions()
PROVIDER = Account("USD", Decimal(1000), Decimal(1000))
OWN = OwnAccount("USD", Decimal(1000), Decimal(1000), {})


def number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def own_symbol(lots: str = "0", ask: str = "1.10000", **changes: object) -> OwnSymbol:
    """The local symbol, with a spread of 2 points."""
    price = Decimal(ask)
    symbol = OwnSymbol(LOCAL, Decimal(lots), price - 2 * POINT, price, POINT, LIMITS, Decimal(100_000))
    return replace(symbol, **changes)


@dataclass
class Copying:
    """A copier of one provider. ``trade`` sets the provider's positions, ``decide`` asks the rules, ``obey`` trades.

    ``published`` is the provider's newest state, ``state`` the newest one that the copier has received.

    ``time`` is the server's clock, which the copier knows exactly. The memory goes through JSON text at every decision.
    """

    options: AccountOptions = DEFAULTS
    account: Account = PROVIDER
    own_account: OwnAccount = OWN
    own: OwnSymbol = field(default_factory=own_symbol)
    time: int = START
    status: Status = Status.LIVE
    confirmed_age: int | None = 0
    silent_ms: int = 0
    ended: str = ""
    shown: frozenset[str] | None = None
    state: Snapshot | None = None
    published: Snapshot | None = None
    text: str | None = None
    alarms: list[str] = field(default_factory=list)

    def publish(self, *positions: Position) -> None:
        """The provider has these positions now."""
        seq = self.published.seq + 1 if self.published else 1
        self.published = Snapshot(STREAM, seq, self.time, self.account, positions)
        self.receive()

    def receive(self) -> None:
        """Receive the newest state if the connection works."""
        if self.status is Status.LIVE:
            self.state = self.published

    def trade(self, lots: str, price: str = "1.1", sl: str | None = None) -> None:
        """The provider's netting account has these lots at this average price, from now."""
        value = Decimal(lots)
        position = Position(SYMBOL, value, Decimal(price), Decimal(100_000), self.time, sl=number(sl))
        self.publish(*([position] if value else []))

    def holds(self, lots: str, ask: str | None = None) -> None:
        """The own account has these lots, and this price."""
        self.own = own_symbol(lots, str(self.own.ask) if ask is None else ask)

    def later(self, milliseconds: int) -> None:
        self.time += milliseconds

    @property
    def memory(self) -> AccountMemory:
        return read_account_memory(None if self.text is None else json.loads(self.text))

    @memory.setter
    def memory(self, memory: AccountMemory) -> None:
        self.text = json.dumps(memory.to_dict(), sort_keys=True)

    def view(self) -> ProviderView:
        age = None if self.state is None else self.time - self.state.time
        return ProviderView(self.state, self.status, self.confirmed_age, age, self.silent_ms, self.ended, self.shown)

    def decide(self) -> Decision:
        own = replace(self.own_account, symbols={SYMBOL: self.own})
        outcome = decide(self.options, self.view(), own, self.memory, self.time)
        self.memory = outcome.memory
        assert self.memory == outcome.memory
        self.alarms += outcome.alarms
        return outcome.decisions[SYMBOL]

    def obey(self) -> Decision:
        """Decide, and trade what is allowed; the decision."""
        decision = self.decide()
        self.own = replace(self.own, lots=allowed_lots(decision, self.own.lots))
        return decision

    def follow(self, lots: str = "1", price: str = "1.1") -> None:
        """Follow the provider from flat into this position."""
        self.publish()
        self.observe()
        self.trade(lots, price)
        self.obey()
        assert self.decide().rule == "reached"

    def observe(self) -> None:
        """Let the rules see a state without the symbol."""
        own = replace(self.own_account, symbols={SYMBOL: self.own})
        outcome = decide(self.options, self.view(), own, self.memory, self.time)
        self.memory = outcome.memory
        self.alarms += outcome.alarms
