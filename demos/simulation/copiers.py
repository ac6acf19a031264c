"""Copiers that follow a provider's account through something else: how they are started, and what must hold of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from demos.simulation.program_limits import CLIENT
from demos.simulation.provider.copied_positions import SYMBOL, Deals, account_copier, check_position, lots_since
from demos.simulation.provider.followed_states import FollowedStates
from demos.simulation.provider.order_rows import check_orders
from demos.simulation.scenario import Violation
from demos.simulation.terminals import Setup, SimulatedTerminal
from demos.simulation.world import World

PROVIDER = "provider"

# Every process has a market of its own, so a copier's prices are not the provider's. Limits would stop it for good.
RULES: Mapping[str, object] = {
    "join": "now", "maxage": 3600, "maxdeviation": 0.0, "maxorders": 0, "maxlots": 0.0, "maxtotal": 0.0,
}  # fmt: skip

# The timers of all programs, in seconds: longer than usual, to save time.
PERIOD = 2.0
TIMER_MS = round(PERIOD * 1000)
MOST_PERIODS = 3

# A copier notices a provider that is silent for this long, also through other servers, in seconds.
LIVE_S = 60.0


def copier_setup(world: World, inputs: Mapping[str, object], factor: Decimal, name: str) -> Setup:
    """A copier of an account; ``inputs`` say whom it follows, and how it logs in."""
    given = {**RULES, **inputs, "memory": str(_memory(world, name)), "factor": float(factor)}
    return Setup(program="copier", inputs=given, market=world.seed, speed=0.05, timer_ms=TIMER_MS, limits=CLIENT)


class Copier:
    """Checks one copier: its deals, the states that it follows, and in the end its position."""

    def __init__(self, name: str, factor: Decimal) -> None:
        self.name, self._factor = name, factor
        self._deals, self._states = Deals(name, factor), FollowedStates()

    def check(self, world: World) -> Iterator[Violation]:
        """Take the copier's new events."""
        copier = world.terminals[self.name]
        yield from self._deals.check(copier, world.terminals[PROVIDER])
        yield from self._states.check(copier)
        yield from self._check_live(copier, world)

    def _check_live(self, terminal: SimulatedTerminal, world: World) -> Iterator[Violation]:
        """A copier that follows the provider live has a state with a position that the provider has had lately."""
        copier = account_copier(terminal)
        state = copier.connection.follower.state if copier is not None else None
        # A copier that has had no timer event lately, because it is frozen, cannot know better.
        if copier is None or state is None or not copier.connection.is_live:
            return
        if world.now - copier._event.ms / 1000 > 2 * PERIOD:
            return
        held = sum((each.lots for each in state.positions if each.symbol == SYMBOL), Decimal(0))
        if held not in lots_since(world.terminals[PROVIDER], world.now - LIVE_S):
            yield Violation(
                "a live state is recent",
                f"{terminal.name} follows a state with {held} lots, and for {LIVE_S:g} s the provider has had others",
            )

    def settled(self, world: World, periods: int = MOST_PERIODS) -> Iterator[Violation]:
        """The copier has a position that the provider had in the last timer periods."""
        since = world.now - periods * PERIOD
        if problem := check_position(world.terminals[self.name], self._factor, world.terminals[PROVIDER], since):
            yield Violation("positions agree", problem)

    def ended(self, world: World) -> Iterator[Violation]:
        """The copier's journal has its orders."""
        yield from check_orders(world.terminals[self.name], _memory(world, self.name))


def _memory(world: World, name: str) -> Path:
    """The file of a copier's memory."""
    return world.hosts[name].disk / "memory.sqlite"
