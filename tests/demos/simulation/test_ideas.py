"""The scenarios of the ideas: a few seeds of each, and that their checks find what breaks an invariant."""

from __future__ import annotations

import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

from demos.ideas.agents.grid import split
from demos.ideas.agents.outcomes import Outcome
from demos.ideas.agents.strategy_file import Source
from demos.ideas.agents.values import result_of
from demos.ideas.agents.worker_process import Files, WorkerProcess, new_worker, use_workers
from demos.ideas.indicator.series import Row, Series
from demos.ideas.sentiment.protocol import SideTotal, Total, Volume
from demos.simulation.inline_worker import InlineWorker, LyingWorker
from demos.simulation.report import sums_text
from demos.simulation.runs import Run, simulate
from demos.simulation.scenarios.agents import AgentsScenario, bars_text, right_values, strategy_text
from demos.simulation.scenarios.indicator import IndicatorScenario
from demos.simulation.scenarios.sentiment import (
    HOSTS,
    Contributions,
    Finale,
    Published,
    SentimentScenario,
    Totals,
    members_of,
    volume_of,
)
from demos.simulation.sent_volumes import PossibleTotals
from demos.simulation.sweep import sweep
from demos.simulation.terminal_record import Event

IDEAS = ("sentiment", "indicator", "proxy", "broker", "agents")
MINUTES = 10
# One on Windows: the scenarios run the same code there.
SEEDS = range(1, 2 if sys.platform == "win32" else 3)
CLIENTS = ("client1", "client2", "client3", "client4")
TRADERS = (*CLIENTS, "twin")


@pytest.mark.parametrize("scenario", IDEAS)
def test_the_invariants_hold_for_each_seed(scenario: str) -> None:
    sums = sweep(scenario, SEEDS, MINUTES * 60, 1, lambda sums: None)
    assert not sums.problem, sums_text(scenario, sums)


@pytest.mark.parametrize("scenario", IDEAS)
def test_a_seed_gives_the_same_trace_each_time(scenario: str) -> None:
    run = Run(scenario=scenario, seed=3, seconds=330)
    first, second = simulate(run, trace=True), simulate(run, trace=True)
    assert first.trace == second.trace
    assert first == second


def test_a_scenario_leaves_the_next_one_in_the_same_process_as_it_is() -> None:
    run = Run(scenario="provider", seed=3, seconds=200)
    before = simulate(run, trace=True)
    simulate(Run(scenario="proxy", seed=3, seconds=330))
    assert simulate(run, trace=True).trace == before.trace


def terminal(*events: tuple[str, Any], **fields: Any) -> Any:
    """A terminal that has recorded these events."""
    recorded = [Event(float(number), 1, kind, each) for number, (kind, each) in enumerate(events)]
    found = SimpleNamespace(events=recorded, starts=1, counts=Counter(), module=None, **fields)
    found.of_kind = lambda *kinds: [event for event in found.events if event.kind in kinds]
    return found


def published(long: object, short: object = None) -> tuple[str, dict[str, object]]:
    return "published", {"participants": 4, "totals": {"EURUSD": [long, short]}}


def names(violations: Any) -> list[str]:
    return [each.invariant for each in violations]


def test_a_total_of_two_participants_breaks_an_invariant() -> None:
    assert names(Published().check({"server": terminal(published(["0.3", 3]))})) == []
    assert names(Published().check({"server": terminal(published(["0.3", 2]))})) == ["a total has enough participants"]


def test_a_total_that_was_not_published_breaks_an_invariant() -> None:
    known = Published()
    list(known.check({"server": terminal(published(["0.30", 3]))}))
    right, wrong = ("totals", {"long": ["0.3", 3], "short": None}), ("totals", {"long": ["0.3", 4], "short": None})
    assert names(Totals("client1").check(terminal(right), known)) == []
    assert names(Totals("client1").check(terminal(right, wrong), known)) == ["a client shows what was published"]


@pytest.mark.parametrize(
    ("total", "found"),
    [
        (["1.00", 4], []),
        (["1.30", 4], []),
        (["1.00", 5], ["a participant counts once"]),
        (["0.95", 4], ["a participant counts once"]),
        (["0.40", 3], ["a participant counts once"]),
        (None, []),
    ],
)
def test_a_total_that_counts_a_host_twice_breaks_an_invariant(total: object, found: list[str]) -> None:
    terminals = {name: terminal(("sent", {"volumes": {"EURUSD": ["0.20", "0"]}})) for name in TRADERS}
    terminals["client2"] = terminal(("sent", {"volumes": {"EURUSD": ["0.50", "0"]}}))
    terminals["server"] = terminal(published(total))
    if total == ["1.00", 4]:
        terminals["client2"] = terminal(("sent", {"volumes": {"EURUSD": ["0.20", "0"]}}))
    possible = PossibleTotals("server", HOSTS, "EURUSD", 100.0)
    assert names(possible.check(terminals)) == found


class FinaleWorld:
    """A world at its end: five clients with 2 lots each, and the total that they show."""

    def __init__(self, folder: Path, shown: str) -> None:
        total = Total(SideTotal(Decimal(shown), 4), None)
        self.now = 0.0
        self.bought: list[str] = []
        self.hosts = {name: SimpleNamespace(disk=folder) for name in CLIENTS}
        self.terminals = {name: self._client(total) for name in TRADERS}
        self.terminals["server"] = terminal()

    def _client(self, total: Total) -> Any:
        client = terminal(("paused", {"paused": True}), command=self.bought.append, position=lambda symbol: "2.00")
        client.module = SimpleNamespace(shown=total)
        return client


@pytest.mark.parametrize(("shown", "found"), [("10", []), ("8", ["the clients show the total of all"])])
def test_clients_that_never_show_the_total_of_all_break_an_invariant(
    shown: str, found: list[str], tmp_path: Path
) -> None:
    world = FinaleWorld(tmp_path, shown)
    finale = Finale(world)  # type: ignore[arg-type]  # what it uses of a world
    seen: list[str] = []
    while world.now < 200 and not seen:
        seen = names(finale.step())
        world.now += 1
    assert seen == found
    assert world.terminals["server"].counts["agreed"] == (not found)
    assert world.bought[:5] == ["buy 2"] * 5


def test_volumes_that_the_server_does_not_know_break_an_invariant() -> None:
    address = SimpleNamespace(address=b"\x0a\0\0\x05")
    world: Any = SimpleNamespace(
        now=100.0,
        hosts={"client1": SimpleNamespace(interfaces=[address])},
        terminals={"client1": terminal(positions={}, position=lambda symbol, at: "-0.05")},
    )
    scenario = SentimentScenario(world)
    member = SimpleNamespace(participant="10.0.0.5", heard_at=1, volumes={"EURUSD": Volume(short=Decimal("0.05"))})
    room = SimpleNamespace(_members={1: member})
    assert members_of(room, "10.0.0.5") == [member]
    assert names(scenario._known(room, "client1")) == []
    member.volumes = {"EURUSD": volume_of("0.05")}
    assert names(scenario._known(room, "client1")) == ["the server knows the positions"]


def series(*values: float, first: int = 1) -> Any:
    found = Series(10)
    found.restart(first)
    for number, value in enumerate(values):
        found.append(Row(60_000 * (first + number), (value,)))
    return SimpleNamespace(stream="s", series=found)


@pytest.mark.parametrize(
    ("follower", "found"),
    [
        (series(1.0, 2.0), []),
        (series(2.0, 3.0, first=2), []),
        (series(1.0, 2.5), ["a row is the server's"]),
        (series(1.0, 2.0, 3.0, 4.0), ["no row is invented"]),
    ],
)
def test_a_row_that_is_not_the_servers_breaks_an_invariant(follower: Any, found: list[str]) -> None:
    terminals = {name: terminal() for name in ("server", "client1", "client2", "client3")}
    terminals["server"].module = SimpleNamespace(feed=series(1.0, 2.0, 3.0))
    terminals["client1"].module = SimpleNamespace(follower=follower)
    world: Any = SimpleNamespace(terminals=terminals, check_handles=lambda most: iter(()))
    assert names(IndicatorScenario(world).check()) == found


def test_a_wrong_outcome_of_a_trusted_agent_breaks_an_invariant() -> None:
    world: Any = SimpleNamespace(terminals={"coordinator": terminal()})
    scenario = AgentsScenario(world)
    right = tuple(right_values()[:5])
    wrong = ({"result": 1.0}, *right[1:])
    tasks = split(len(right_values()), 5)

    def found(values: Any, agents: list[str]) -> list[str]:
        outcomes = {0: Outcome(values, agents)}
        return names(scenario._check_outcomes(SimpleNamespace(outcomes=outcomes, tasks=tasks, is_finished=False)))

    assert found(right, ["agent1"]) == []
    assert found(wrong, ["liar"]) == []
    assert found(wrong, ["agent1", "liar"]) == ["the outcomes are those without faults"]


def test_an_invented_result_among_the_best_breaks_an_invariant() -> None:
    world: Any = SimpleNamespace(terminals={"coordinator": terminal()})
    point = 7
    for result, found in ((result_of(right_values()[point]), []), (1e6, ["no invented result wins"])):
        optimisation = SimpleNamespace(outcomes={}, is_finished=True, best=lambda most, r=result: [(point, r)])
        assert names(AgentsScenario(world)._check_outcomes(optimisation)) == found


def test_a_total_that_is_new_by_two_volumes_breaks_an_invariant() -> None:
    contributions = Contributions()
    side = ("EURUSD", "long")

    def found(start: int, **lots: int) -> list[str]:
        last = {side: {name: Decimal(each) for name, each in lots.items()}}
        return names(contributions.check(start, SimpleNamespace(_published=SimpleNamespace(_last=last))))

    assert found(1, a=1, b=2, c=3) == []
    assert found(1, a=4, b=5, c=6, d=1) == []
    assert found(1, a=1, b=7, c=8, d=1) == ["a total reveals no single volume"]
    assert found(2, a=1, b=2, c=3) == []
    assert names(contributions.check(3, None)) == []


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "strategy.py").write_text(strategy_text(), encoding="utf-8")
    (tmp_path / "bars.tsv").write_text(bars_text(), encoding="utf-8")
    return Files(Source(tmp_path / "strategy.py"), tmp_path / "bars.tsv")


def test_an_inline_worker_calculates_what_the_process_does_in_simulated_time(files: Files) -> None:
    worker = InlineWorker(files, 60_000, 2.0)
    assert worker.check(0) == []
    worker.add(7, ("fast", "slow"), [(2, 20), (2, 23)])
    worker.add(8, ("fast", "slow"), [(2, 26)])
    assert worker.check(1000) == []
    assert worker.check(3000) == []
    [done] = worker.check(5000)
    assert (done.key, done.values) == (7, tuple(right_values()[:2]))
    worker.drop()
    assert [each.key for each in worker.check(7000)] == [8]
    assert worker.loaded is not None
    assert worker.loaded.function == "crossing"
    lying = LyingWorker(files, 60_000, 1.0)
    lying.add(1, ("fast", "slow"), [(2, 20)])
    assert lying.check(0) == []
    assert lying.check(1000)[0].values != (right_values()[0],)


def test_a_context_replaces_the_process_of_the_strategy(files: Files) -> None:
    with use_workers(lambda given, point_ms: InlineWorker(given, point_ms, 1.0)):
        assert isinstance(new_worker(files, 1000), InlineWorker)
    worker = new_worker(files, 1000)
    assert isinstance(worker, WorkerProcess)
    worker.close()


def test_an_inline_worker_reports_a_file_that_cannot_be_used(files: Files) -> None:
    worker = InlineWorker(files._replace(source=Source(Path("missing.py"))), 1000, 1.0)
    worker.check(0)
    assert "cannot be read" in worker.problem
