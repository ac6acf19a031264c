"""Agents that die, stall and lie: the outcome is that of a direct calculation."""

from __future__ import annotations

from functools import partial

import pytest
from agents_kit import LEASE_MS, Run, true_value, true_values
from hypothesis import given
from hypothesis import strategies as st

from demos.ideas.agents.optimisation import MOST_HELD, MOST_OWN, UnknownTask
from demos.ideas.agents.outcomes import COORDINATOR, Change, OpenChecks, Outcome, best_points
from demos.ideas.agents.values import Value


def inflated(point: int) -> Value:
    return {"result": 1000.0 + point, "trades": 1.0}


def test_every_point_is_calculated_and_the_best_are_found():
    run = Run(check=0.0)
    run.join("a", "b")
    run.finish("a", "b")
    run.check_outcome()
    best = best_points(run.tasks, run.optimisation.outcomes, 3)
    results = [(value["result"], -point) for point in range(40) if not isinstance(value := true_value(point), str)]
    assert [(result, -point) for point, result in best] == sorted(results, reverse=True)[:3]


def test_without_checks_each_task_is_given_once():
    run = Run(check=0.0)
    run.join("a")
    given_tasks = []
    while (task := run.assign("a")) is not None:
        given_tasks.append(task)
        run.report("a", task)
    assert given_tasks == list(range(run.tasks.number))


def test_an_agent_holds_the_task_that_it_calculates_and_the_next_one():
    run = Run()
    run.join("a")
    assert [run.assign("a") for _ in range(3)] == [0, 1, None]
    assert MOST_HELD == 2


def test_the_tasks_of_an_agent_that_has_gone_are_given_to_others():
    run = Run(points=8, check=0.0)
    run.join("a", "b")
    assert [run.assign("a"), run.assign("a")] == [0, 1]
    run.optimisation.leave("a")
    assert {run.assign("b"), run.assign("b")} == {0, 1}


def test_a_task_whose_time_is_over_is_given_to_another_agent_and_a_late_result_counts():
    run = Run(points=8, check=0.0)
    run.join("a")
    assert [run.assign("a"), run.assign("a")] == [0, 1]
    run.now = LEASE_MS - 1
    run.optimisation.check_times(run.now)
    assert not run.optimisation.agents["a"].is_late
    run.now = LEASE_MS
    run.optimisation.check_times(run.now)
    run.join("b")
    assert run.assign("b") == 0
    run.report("a", 0)
    assert run.optimisation.outcomes[0].agents == ["a"]


def test_a_late_agent_gets_no_task_until_it_has_reported():
    run = Run(check=0.0)
    run.join("a")
    run.assign("a")
    run.now = LEASE_MS
    run.optimisation.check_times(run.now)
    assert run.assign("a") is None
    run.report("a", 0)
    assert run.assign("a") == 1


def test_an_idle_agent_calculates_a_task_that_another_still_has():
    run = Run(points=4, check=0.0)
    run.join("a", "b")
    assert run.assign("a") == 0
    assert run.assign("b") == 0
    run.report("b", 0)
    run.own()
    assert run.optimisation.is_finished
    run.report("a", 0)
    assert run.optimisation.outcomes[0].agents == ["b", "a"]


def test_a_result_of_a_task_that_was_not_given_is_refused():
    run = Run()
    run.join("a")
    with pytest.raises(UnknownTask, match="task 0 was not given to this agent"):
        run.report("a", 0)
    run.assign("a")
    with pytest.raises(UnknownTask, match="task 0 has 4 points, not 1"):
        run.optimisation.take_result("a", 0, ({"result": 1.0},))


def test_a_checked_task_is_verified_by_another_agent():
    run = Run(points=4)
    run.join("a", "b")
    run.work("a")
    assert not run.optimisation.outcomes[0].is_verified
    assert not run.optimisation.is_finished
    assert run.assign("a") is None
    assert run.assign("b") == 0
    run.report("b", 0)
    assert run.optimisation.outcomes[0].agents == ["a", "b"]
    assert run.optimisation.outcomes[0].is_verified


def test_without_another_agent_the_coordinator_checks():
    run = Run()
    run.join("a")
    run.finish("a")
    run.check_outcome()
    assert all(outcome.is_verified for outcome in run.optimisation.outcomes.values())


def test_a_stalled_agent_does_not_hold_up_the_checks():
    run = Run(points=12)
    run.join("a", "stalled")
    assert run.assign("stalled") == 0
    while run.work("a"):
        pass
    run.now = LEASE_MS
    run.finish("a")
    run.check_outcome()


def test_the_coordinator_decides_between_two_results_and_the_wrong_agent_is_distrusted():
    run = Run(points=4)
    run.join("liar", "honest")
    run.work("liar", inflated)
    run.work("honest")
    run.own()
    assert list(run.optimisation.distrusted) == ["liar"]
    assert run.optimisation.outcomes[0] == Outcome(true_values(run.tasks, 0), [COORDINATOR, "honest"])
    assert "liar" not in run.optimisation.agents


def test_what_a_distrusted_agent_alone_has_calculated_is_calculated_again():
    run = Run(points=40, check=0.0)
    run.join("liar")
    for _ in range(5):
        run.work("liar")
    run.own()
    assert not run.optimisation.distrusted
    # The next result is wrong, and among the best at the end.
    run.work("liar", inflated)
    run.join("honest")
    while run.work("honest"):
        pass
    run.own()
    assert list(run.optimisation.distrusted) == ["liar"]
    assert all("liar" not in outcome.agents for outcome in run.optimisation.outcomes.values())
    run.finish("honest")
    run.check_outcome()


def test_the_first_result_of_each_agent_is_checked_by_the_coordinator():
    run = Run(points=400, size=4, check=0.0)
    run.join("a")
    while run.work("a"):
        run.own()
    assert 0 < run.own_points < 40 + 100
    run.join("liar")
    run.optimisation.leave("a")
    fresh = Run(points=400, size=4, check=0.0)
    fresh.join("liar")
    fresh.work("liar", lambda point: {"result": -1.0, "trades": 0.0})
    fresh.own()
    assert list(fresh.optimisation.distrusted) == ["liar"]


def test_an_invented_error_is_found():
    run = Run(points=40, check=0.0)
    run.join("liar")
    run.work("liar")
    run.own()
    run.work("liar", lambda point: "ValueError: invented")
    run.own()
    assert list(run.optimisation.distrusted) == ["liar"]


def test_two_agents_that_invent_the_same_good_result_are_found_by_the_check_of_the_best():
    run = Run(points=40)
    run.join("one", "two")
    for _ in range(4):
        run.work("one")
        run.work("two")
    run.own()
    for _ in range(100):
        run.work("one", inflated)
        run.work("two", inflated)
        run.own()
    assert set(run.optimisation.distrusted) == {"one", "two"}
    run.join("honest")
    run.finish("honest")
    run.check_outcome()


def test_two_agents_that_report_less_than_is_true_together_are_not_found():
    """The limit that the notes state: nobody calculates these tasks a third time."""
    run = Run(points=8, size=1, check=1.0)

    def reduced(point: int) -> Value:
        return {"result": -1.0, "trades": 0.0} if point == 6 else true_value(point)

    run.join("one", "two")
    for name in ("one", "two"):
        run.work(name, reduced)
    run.own()
    while run.work("one", reduced) or run.work("two", reduced):
        pass
    assert run.optimisation.outcomes[6].values == ({"result": -1.0, "trades": 0.0},)
    assert run.optimisation.outcomes[6].is_verified
    assert not run.optimisation.distrusted


def test_a_verified_task_stays_when_one_of_its_agents_is_distrusted_and_is_checked_again():
    run = Run(points=8, size=4)
    run.join("liar", "honest")
    run.work("liar")
    run.work("honest")
    assert run.optimisation.outcomes[0].agents == ["liar", "honest"]
    run.work("liar", inflated)
    run.work("honest")
    run.own()
    assert list(run.optimisation.distrusted) == ["liar"]
    assert set(run.optimisation.outcomes[0].agents) == {"honest", COORDINATOR}
    run.finish("honest")
    run.check_outcome()


def test_new_agents_get_no_task_while_much_work_waits_for_the_coordinator():
    run = Run(points=4000, size=4, check=0.0)
    for number in range(100):
        name = f"agent{number}"
        run.join(name)
        if not run.work(name):
            break
    assert number <= MOST_OWN
    run.own()
    assert run.work(name)


def test_an_optimisation_continues_from_its_stored_outcomes():
    first = Run()
    first.join("a", "liar")
    for _ in range(4):
        first.work("a")
    first.work("liar", inflated)
    first.own()
    first.store()
    assert list(first.stored.distrusted) == ["liar"]
    second = first.killed()
    stored = first.stored.outcomes
    assert second.optimisation.outcomes == stored
    assert second.optimisation.distrusted == first.stored.distrusted
    second.join("b")
    while (task := second.assign("b")) is not None:
        assert task not in stored or not stored[task].is_verified
        second.report("b", task)
    second.finish("b")
    second.check_outcome()


def test_the_checks_that_a_killed_coordinator_has_not_made_are_made_by_the_next_one():
    first = Run(check=0.0)
    first.join("liar")
    first.work("liar", inflated)
    first.store()
    second = first.killed()
    second.own()
    assert list(second.optimisation.distrusted) == ["liar"]
    assert second.optimisation.take_changes() == {0: Change(None)}


def test_liars_that_agree_do_not_survive_a_kill_before_the_check_of_their_first_results():
    """Errors always agree, so the second one verifies the task of the first one."""
    first = Run(points=100, size=5, check=0.1)
    for number in range(20):
        first.join(f"liar{number}")
        first.work(f"liar{number}", lambda point: "ValueError: invented")
        first.optimisation.leave(f"liar{number}")
    first.store()
    assert any(len(outcome.agents) > 1 for outcome in first.stored.outcomes.values())
    second = first.killed()
    second.join("honest")
    second.finish("honest")
    second.check_outcome()


def test_a_second_calculation_that_a_killed_coordinator_has_chosen_is_made_after_the_restart():
    first = Run(points=8, size=4, check=1.0)
    first.join("a")
    first.work("a")
    first.own()
    first.work("a", inflated)
    first.store()
    assert first.stored.open == {1: OpenChecks((), second=True)}
    # The restart itself chooses nothing.
    second = first.killed(check=0.0)
    second.join("b")
    assert second.assign("b") == 1


def test_a_dispute_is_decided_after_the_restart_and_the_liar_is_distrusted():
    first = Run(points=4, check=1.0)
    first.join("liar", "honest")
    first.work("liar", inflated)
    first.work("honest")
    first.store()
    assert first.stored.outcomes == {}
    second = first.killed(check=0.0)
    second.own()
    assert list(second.optimisation.distrusted) == ["liar"]
    assert second.optimisation.take_changes() == {
        0: Change(Outcome(true_values(second.tasks, 0), [COORDINATOR, "honest"]))
    }


def test_a_disputed_task_is_not_stored_until_the_coordinator_has_decided():
    run = Run(points=4)
    run.join("liar", "honest")
    run.work("liar", inflated)
    claimed = Outcome(true_values(run.tasks, 0, inflated), ["liar"])
    assert run.optimisation.take_changes()[0].outcome == claimed
    run.work("honest")
    claims = (claimed, Outcome(true_values(run.tasks, 0), ["honest"]))
    assert run.optimisation.take_changes() == {0: Change(None, OpenChecks((0, 1, 2, 3), claims=claims))}
    run.own()
    decided = Outcome(true_values(run.tasks, 0), [COORDINATOR, "honest"])
    assert run.optimisation.take_changes() == {0: Change(decided)}


def test_changes_are_taken_once_and_a_withdrawn_outcome_is_none():
    run = Run(points=8, check=0.0)
    run.join("a", "liar")
    run.work("a")
    assert set(run.optimisation.take_changes()) == {0}
    assert run.optimisation.take_changes() == {}
    run.work("liar", inflated)
    assert set(run.optimisation.take_changes()) == {1}
    run.own()
    changes = run.optimisation.take_changes()
    assert changes[1] == Change(None)
    assert changes[0].outcome == run.optimisation.outcomes[0]


_ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["fetch", "report", "lie", "leave", "join", "wait", "own"]),
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 10_000),
    ),
    max_size=120,
)


def lie(name: str, number: int, point: int) -> Value:
    """A wrong value, which no other agent invents."""
    return {"result": number + point + ord(name) / 1000, "trades": -1.0}


def acted(run: Run, actions: list[tuple[str, str, int]]) -> None:
    """Agents do this, in this order; every lie is another one. What must be stored is stored after each action."""
    for kind, name, number in actions:
        agent = run.optimisation.agents.get(name)
        if kind == "join" and agent is None and name not in run.optimisation.distrusted:
            run.join(name)
        elif kind == "leave":
            run.optimisation.leave(name)
        elif kind == "wait":
            run.now += LEASE_MS // 2
            run.optimisation.check_times(run.now)
        elif kind == "own":
            run.own()
        elif kind == "fetch":
            run.assign(name)
        elif agent is not None and agent.leases:
            task = list(agent.leases)[number % len(agent.leases)]
            run.report(name, task, partial(lie, name, number) if kind == "lie" else true_value)
        run.store()


@given(_ACTIONS, st.integers(0, 1000))
def test_whatever_the_agents_do_the_outcome_is_that_of_a_direct_calculation(actions, seed):
    """Every task is checked: an agent that lies without an accomplice is found, however rarely it lies."""
    run = Run(points=23, size=3, check=1.0, seed=seed)
    run.join("a", "b", "c")
    acted(run, actions)
    run.join("honest")
    run.optimisation.leave("a")
    run.optimisation.leave("b")
    run.optimisation.leave("c")
    run.finish("honest")
    run.check_outcome()


@given(_ACTIONS, st.integers(0, 1000))
def test_the_same_holds_when_the_coordinator_is_killed_at_any_time(actions, seed):
    """The checks are those that were chosen before the kill: the restart chooses no others for what is stored."""
    run = Run(points=23, size=3, check=1.0, seed=seed)
    run.join("a", "b", "c")
    acted(run, actions)
    again = run.killed(check=0.0, seed=seed + 1)
    again.join("honest")
    again.finish("honest")
    again.check_outcome()


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.1, 0.5]))
def test_agents_that_always_lie_cost_only_time_whatever_part_is_checked(seed, check):
    run = Run(points=60, size=3, check=check, seed=seed)
    run.join("honest", "liar")
    for _ in range(100):
        run.now += 10
        run.work("liar", lambda point: {"result": seed - 500.0 + point / 7, "trades": 0.25})
        run.work("honest")
        run.own()
    assert run.optimisation.is_finished
    run.check_outcome()
    assert list(run.optimisation.distrusted) == ["liar"]
