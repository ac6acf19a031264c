"""What scenarios check of copiers that follow a provider's account, whatever is between the two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from demos.copier.increases import LATE
from demos.simulation.scenario import Violation
from demos.simulation.terminals import Event, Setup, SimulatedTerminal
from demos.simulation.world import World

SYMBOL = "EURUSD"
PROVIDER = "provider"

# Every process has a market of its own, so a copier's prices are not the provider's. Limits would stop it for good.
RULES: Mapping[str, object] = {
    "join": "now", "maxage": 3600, "maxdeviation": 0.0, "maxorders": 0, "maxlots": 0.0, "maxtotal": 0.0,
}  # fmt: skip

# The timers of all programs, in seconds: longer than usual, to save time.
PERIOD = 2.0
TIMER_MS = round(PERIOD * 1000)
MOST_PERIODS = 3


def copier_setup(world: World, inputs: Mapping[str, object], factor: Decimal, name: str) -> Setup:
    """A copier of an account; ``inputs`` say whom it follows, and how it logs in."""
    memory = str(world.hosts[name].disk / "memory.sqlite")
    given = {**RULES, **inputs, "memory": memory, "factor": float(factor)}
    return Setup(program="copier", inputs=given, market=world.seed, speed=0.05, timer_ms=TIMER_MS)


class Copier:
    """Checks one copier: its deals, its follower, and in the end its position."""

    def __init__(self, name: str, factor: Decimal) -> None:
        self.name, self._factor = name, factor
        self._next = 0
        self._held = Decimal(0)
        # The first of the provider's positions that the last deal may have followed.
        self._followed = 0
        self._mark = ("", 0)

    def check(self, world: World) -> Iterator[Violation]:
        """Take the copier's new events."""
        copier = world.terminals[self.name]
        new = copier.events[self._next :]
        self._next = len(copier.events)
        for event in new:
            if event.kind == "deal":
                yield from self._check_deal(event, world.terminals[PROVIDER])
        yield from self._check_follower(copier)

    def settled(self, world: World, periods: int = MOST_PERIODS) -> Iterator[Violation]:
        """The copier has the position that the provider had in the last timer periods."""
        provider, copier = world.terminals[PROVIDER], world.terminals[self.name]
        since = world.now - periods * PERIOD
        lots = {Decimal(provider.position(SYMBOL, since))}
        lots |= {Decimal(each) for time, each in provider.positions.get(SYMBOL, ()) if time >= since}
        allowed, own = {self._factor * each for each in lots}, Decimal(copier.position(SYMBOL))
        if own not in allowed and not _is_late(copier, own):
            wanted = ", ".join(map(str, sorted(allowed)))
            yield Violation("positions agree", f"{self.name} has {own} lots and should have {wanted}: {_why(copier)}")

    def _check_deal(self, deal: Event, provider: SimulatedTerminal) -> Iterator[Violation]:
        held, self._held = self._held, Decimal(str(deal.fields["position"]))
        changes = provider.positions.get(SYMBOL, [])
        wanted = [self._factor * Decimal(lots) for _, lots in changes]
        for index in range(self._followed, len(changes)):
            if changes[index][0] <= deal.time and wanted[index] == self._held:
                self._followed = index
                return
        # A reversal may be traded in two steps.
        if self._held == 0 and any(lots * held < 0 for lots in wanted[self._followed :]):
            return
        is_old = self._held in wanted[: self._followed]
        name = "no state older than an acknowledged one is traded" if is_old else "each deal has a message of its own"
        yield Violation(
            name, f"{self.name} traded from {held} to {self._held} lots at {deal.time} s, without such a position"
        )

    def _check_follower(self, copier: SimulatedTerminal) -> Iterator[Violation]:
        """What was acknowledged never falls, and no alarm stops the copier."""
        account: Any = getattr(copier.module, "account", None)
        if account is None:
            return
        follower = account.connection.follower
        if follower.stopped:
            yield Violation("no alarm without a reason", f"{self.name} has stopped: {follower.stopped}")
        if follower.state is None:
            return
        stream, seq = self._mark
        self._mark = (follower.state.stream, follower.state.seq)
        if self._mark[0] == stream and self._mark[1] < seq:
            yield Violation(
                "no state older than an acknowledged one is traded",
                f"{self.name} follows seq {self._mark[1]} of {stream} after {seq}",
            )


def _is_late(copier: SimulatedTerminal, own: Decimal) -> bool:
    """Whether the copier may not follow by its rules, because the age of the provider's change is unknown.

    Then its position may be smaller than it should be, never larger or on the other side.
    """
    decision = _decision(copier)
    if decision is None or decision.lots is None or decision.rule != LATE:
        return False
    return own == 0 or (decision.lots != 0 and 0 < own / decision.lots <= 1)


def _decision(copier: SimulatedTerminal) -> Any:
    account: Any = getattr(copier.module, "account", None)
    return account.decisions.get(SYMBOL) if account is not None else None


def _why(copier: SimulatedTerminal) -> str:
    account: Any = getattr(copier.module, "account", None)
    if account is None:
        return "it does not run"
    decision = _decision(copier)
    rule = "no decision" if decision is None else f"{decision.text} ({decision.rule})"
    return f"the follower is {account.connection.follower.status.value}, {rule}"
