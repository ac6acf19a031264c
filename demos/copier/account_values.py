"""What the account rules are given and what they return, as values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from demos.copier.account_memory import AccountMemory
from demos.copier.rules import Limits
from demos.provider.following import Follower
from demos.provider.messages import Position, Snapshot
from demos.provider.steps import Status

_NUMBERS = re.compile("[0-9.]+")

FIXED, BALANCE, EQUITY = "fixed", "balance", "equity"
WAIT, NO_WORSE, NOW = "wait", "no-worse", "now"
HOLD, CLOSE_ONLY, FLATTEN = "hold", "close-only", "flatten"

# The values of the options --scale, --join, --stale and --on-end.
SCALES = (FIXED, BALANCE, EQUITY)
JOINS = (WAIT, NO_WORSE, NOW)
STALES = (HOLD, FLATTEN)
ENDS = (HOLD, CLOSE_ONLY, FLATTEN)


def choice_problem(known: tuple[str, ...]) -> Callable[[str], str | None]:
    """A check of an option: why it cannot have a value, or None when the value is one of the known ones."""
    return lambda text: None if text in known else f"unknown value: {text!r}; use {', '.join(known)}"


@dataclass(frozen=True)
class AccountOptions:
    """The options of the account rules. ``maxdeviation`` is in points, 0: any; ``equity_floor`` 0: none.

    ``stale_ms`` is how long the follower may be not LIVE before the provider counts as stale. ``restore`` is
    --reconcile restore: what the account's owner has closed is opened again.
    """

    scale: str = FIXED
    factor: Decimal = Decimal(1)
    reverse: bool = False
    join: str = WAIT
    stale: str = HOLD
    stale_ms: int = 30_000
    on_end: str = HOLD
    maxdeviation: Decimal = Decimal(30)
    maxage_ms: int = 30_000
    equity_floor: Decimal = Decimal(0)
    stops: bool = False
    restore: bool = False


@dataclass(frozen=True)
class ProviderView:
    """What is known of the provider now.

    ``state`` is the last state that the follower has accepted, ``confirmed_age`` the largest possible time since the
    server stated that it is the newest, ``state_age`` the largest possible time since the state began (``state.time``).
    ``silent_ms`` is the time since the follower was LIVE, or since the program started. ``ended`` is the code of the
    error that ended the login (``expired``, ``revoked``, ...), or "". ``symbols`` are those that the login shows, from
    the welcome; None: all.
    """

    state: Snapshot | None
    status: Status
    confirmed_age: int | None
    state_age: int | None
    silent_ms: int = 0
    ended: str = ""
    symbols: frozenset[str] | None = None

    def shows(self, symbol: str) -> bool:
        """Whether the state has the positions of this symbol: a hidden symbol is not flat."""
        return self.symbols is None or symbol in self.symbols

    def age(self, time: int) -> int | None:
        """The largest possible age of a server's time; None: unknown."""
        if self.state is None or self.state_age is None or not time:
            return None
        return max(0, self.state.time + self.state_age - time)


def provider_view(
    follower: Follower, now: int, silent_ms: int, ended: str = "", symbols: Iterable[str] | None = None
) -> ProviderView:
    """The view of what a follower has accepted; ``now`` is the follower's clock."""
    state, state_age = follower.state, None
    if state is not None:
        began = Position("", Decimal(0), Decimal(0), Decimal(0), state.time)
        state_age = follower.position_age(began, now)
    shown = None if symbols is None else frozenset(symbols)
    return ProviderView(state, follower.status, follower.confirmed_age(now), state_age, silent_ms, ended, shown)


@dataclass(frozen=True)
class OwnSymbol:
    """A symbol of the own account: its local name, the signed sum of its positions, prices, and properties.

    ``bid`` and ``ask`` are 0 when there are no prices, ``contract`` is units per lot. ``limit`` is why one of the
    copier's limits does not let the position increase, or "".
    """

    name: str
    lots: Decimal
    bid: Decimal
    ask: Decimal
    point: Decimal
    limits: Limits
    contract: Decimal
    limit: str = ""


@dataclass(frozen=True)
class OwnAccount:
    """The own account. ``symbols`` has the copied symbols of the state and of the memory, by the PROVIDER's names.

    A symbol that is missing here gets no decision, and what is remembered of it stays. Balance and equity are both 0
    while the terminal does not know them. Ask for no decisions while it does not know its positions.
    ``rate`` is what one unit of the provider's currency is worth in the own currency; None: unknown. ``halted`` is why
    no order may be sent at all, or "". ``others`` are the lots in symbols that the copier does not know, by local name.
    """

    currency: str
    balance: Decimal
    equity: Decimal
    symbols: Mapping[str, OwnSymbol]
    rate: Decimal | None = None
    halted: str = ""
    others: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What to do in one symbol, by which rule, and why; ``text`` is one sentence.

    ``lots`` is the whole target in own lots, or None: leave the symbol alone. ``may_increase`` and ``may_reduce`` say
    in which direction the position may change now: account_rules.allowed_lots() applies them. A stop loss of None
    without ``stop_problem``: the provider has none; with it: leave the present one.
    """

    symbol: str
    local: str
    lots: Decimal | None
    rule: str
    text: str
    may_increase: bool = False
    may_reduce: bool = False
    stop_loss: Decimal | None = None
    stop_problem: str = ""
    saw: Mapping[str, str] = field(default_factory=dict)

    @property
    def stop_kind(self) -> str:
        """The stop problem without its numbers, which change with the price."""
        return _NUMBERS.sub("", self.stop_problem)


@dataclass(frozen=True)
class Outcome:
    """The decisions by the provider's symbol, the memory to store before any order, and alarms for the operator."""

    decisions: dict[str, Decision]
    memory: AccountMemory
    alarms: list[str] = field(default_factory=list)
