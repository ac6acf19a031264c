"""The embedded market: replay at any speed, and the random walk."""

from __future__ import annotations

import math
from itertools import islice, pairwise

import pytest
from terminal_kit import EURUSD, GBPUSD, ticks

from demos.terminal.interfaces import SymbolSpec, Tick
from demos.terminal.paper.market import HeldMarket, ReplayMarket, Speed, random_walk, speed_from_text


def replay(quotes: list[Tick], speed: Speed, start: float = 100.0) -> list[tuple[float, int]]:
    """When each bid comes, polled exactly when something is due."""
    market = ReplayMarket([EURUSD], iter(quotes), speed)
    now, seen = start, []
    while True:
        seen += [(now - start, tick.bid) for tick in market.poll(now)]
        due = market.next_due()
        if due is None:
            return seen
        now = max(now, due)


def test_a_number_as_speed_replays_that_many_ticks_per_second():
    assert replay(ticks(1, 2, 3), Speed(per_second=4)) == [(0.0, 1), (0.25, 2), (0.5, 3)]


def test_a_factor_as_speed_accelerates_the_times_of_the_file():
    quotes = [Tick("EURUSD", 5000, 1, 1), Tick("EURUSD", 65_000, 2, 2), Tick("EURUSD", 65_000, 3, 3)]
    assert replay(quotes, Speed(factor=60)) == [(0.0, 1), (1.0, 2), (1.0, 3)]


def test_without_a_speed_limit_every_tick_is_due_at_once():
    assert replay(ticks(1, 2, 3), Speed()) == [(0.0, 1), (0.0, 2), (0.0, 3)]


def test_a_late_terminal_gets_every_tick_one_per_poll():
    market = ReplayMarket([EURUSD], iter(ticks(1, 2, 3)), Speed(per_second=1))
    market.poll(0.0)
    assert [tick.bid for tick in market.poll(50.0)] == [2]
    assert [tick.bid for tick in market.poll(50.0)] == [3]
    assert market.poll(50.0) == ()


def test_next_due_is_the_next_ticks_time_and_None_after_the_last_tick():
    market = ReplayMarket([EURUSD], iter(ticks(1, 2)), Speed(per_second=1))
    assert market.next_due() == -math.inf
    assert len(market.poll(10.0)) == 1
    assert market.next_due() == 11.0
    assert market.poll(10.9) == ()
    assert len(market.poll(11.0)) == 1
    assert market.next_due() is None


def test_a_market_without_ticks_ends_at_once():
    market = ReplayMarket([EURUSD], iter(()), Speed())
    assert market.poll(0.0) == ()
    assert market.next_due() is None
    assert market.symbols() == {"EURUSD": EURUSD}


def test_a_seed_gives_the_same_random_walk_on_every_python():
    walk = list(islice(random_walk([EURUSD], 1), 1000))
    assert walk == list(islice(random_walk([EURUSD], 1), 1000))
    assert walk != list(islice(random_walk([EURUSD], 2), 1000))
    assert [tick.bid for tick in walk[:5]] == [109992, 109999, 110005, 110000, 110000]
    assert all(tick.ask == tick.bid + 10 for tick in walk)
    assert {later.time - tick.time for tick, later in pairwise(walk)} == {1000}


def test_a_symbol_that_is_selected_joins_a_random_walk():
    specs = [EURUSD]

    def add(name: str) -> SymbolSpec | None:
        if name == "NONE":
            return None
        specs.append(SymbolSpec(name))
        return specs[-1]

    market = ReplayMarket(specs, random_walk(specs, 1), Speed(), add)
    assert market.poll(0.0)[0].symbol == "EURUSD"
    assert (market.select("EURUSD"), market.select("GBPUSD"), market.select("GBPUSD")) == (True, True, True)
    assert not market.select("NONE")
    assert list(market.symbols()) == ["EURUSD", "GBPUSD"]
    assert {market.poll(1.0)[0].symbol for _ in range(4)} == {"EURUSD", "GBPUSD"}


def test_a_market_from_a_file_has_only_its_own_symbols():
    market = ReplayMarket([EURUSD], iter(ticks(1, 2)), Speed())
    assert market.select("EURUSD")
    assert not market.select("GBPUSD")


def test_a_random_walk_quotes_its_symbols_in_turn():
    assert [tick.symbol for tick in islice(random_walk([EURUSD, GBPUSD], 1), 4)] == ["EURUSD", "GBPUSD"] * 2


@pytest.mark.parametrize(
    ("text", "speed"),
    [("10", Speed(per_second=10)), ("0.5", Speed(per_second=0.5)), ("60x", Speed(factor=60)), ("max", Speed())],
)
def test_a_speed_is_ticks_per_second_or_a_factor_or_max(text, speed):
    assert speed_from_text(text) == speed


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf", "fast", "10 x x"])
def test_any_other_speed_is_rejected(text):
    with pytest.raises(ValueError, match=r"invalid speed: .*; use ticks per second"):
        speed_from_text(text)


def test_a_held_market_starts_when_the_file_is_deleted_and_loses_no_tick(tmp_path):
    hold = tmp_path / "hold"
    hold.touch()
    begun: list[bool] = []
    market = HeldMarket(
        ReplayMarket([EURUSD], iter(ticks(1, 2)), Speed(per_second=1)), hold, lambda: begun.append(True)
    )
    assert list(market.symbols()) == ["EURUSD"]
    assert market.poll(100.0) == ()
    assert 100.0 < market.next_due() < 101.0
    assert begun == []
    hold.unlink()
    assert [tick.bid for tick in market.poll(150.0)] == [1]
    assert market.next_due() == 151.0
    # A started market does not stop when the file appears again.
    hold.touch()
    assert [tick.bid for tick in market.poll(151.0)] == [2]
    assert begun == [True]
    assert market.next_due() is None
