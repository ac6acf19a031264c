"""What the scenario of the provider checks itself: deals against positions, the operator's plan, and SQLite files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from demos.provider.passwords import new_password
from demos.provider.rights import Rights
from demos.provider.state_file import StateFile
from demos.provider.users import UserStore
from demos.simulation.databases import closing_databases
from demos.simulation.process_context import CHEAP_PASSWORDS
from demos.simulation.provider.copied_positions import Deals
from demos.simulation.provider.operator_plan import TOKEN_NAME, OperatorPlan, Step, plan_steps
from demos.simulation.terminal_record import Event


def provider(*positions: tuple[float, str]) -> Any:
    return SimpleNamespace(positions={"EURUSD": list(positions)})


def copier(*deals: tuple[float, str]) -> Any:
    events = [Event(time, 1, "deal", {"symbol": "EURUSD", "position": lots}) for time, lots in deals]
    return SimpleNamespace(events=events)


def invariants(factor: str, positions: Any, deals: Any) -> list[str]:
    return [each.invariant for each in Deals("anna", Decimal(factor)).check(deals, positions)]


def test_deals_that_lead_to_positions_of_the_provider_in_their_order_are_right():
    history = provider((0.0, "0.00"), (5.0, "0.10"), (10.0, "0.30"), (20.0, "0.10"))
    assert invariants("-2", history, copier((5.1, "-0.20"), (20.1, "-0.20"))) == []


def test_a_deal_to_a_position_that_the_provider_never_had_is_found():
    history = provider((0.0, "0.00"), (5.0, "0.10"))
    assert invariants("1", history, copier((5.1, "0.20"))) == ["each deal has a message of its own"]


def test_a_deal_before_the_position_of_the_provider_is_found():
    history = provider((0.0, "0.00"), (5.0, "0.10"))
    assert invariants("1", history, copier((4.0, "0.10"))) == ["each deal has a message of its own"]


def test_a_deal_to_a_position_before_the_last_one_is_found():
    history = provider((0.0, "0.00"), (5.0, "0.10"), (10.0, "0.30"))
    found = invariants("1", history, copier((10.1, "0.30"), (11.0, "0.10")))
    assert found == ["no state older than an acknowledged one is traded"]


def test_a_reversal_in_two_deals_is_right():
    history = provider((0.0, "0.10"), (5.0, "-0.10"))
    assert invariants("1", history, copier((1.0, "0.10"), (5.1, "0.00"), (5.2, "-0.10"))) == []


def test_the_operators_steps_are_done_in_the_first_half_of_the_run():
    actions = set()
    for seed in range(50):
        for step in plan_steps(Random(seed), 600.0, "carol"):
            assert 60.0 <= step.at <= 300.0
            actions.add(step.action)
    assert actions == {"pause", "resume", "disable", "remove the token"}


@pytest.mark.parametrize("action", ["disable", "remove the token"])
def test_a_login_is_taken_away_also_while_the_provider_does_not_run(action, tmp_path):
    path = tmp_path / "provider.sqlite"
    with closing(StateFile(path)) as state:
        UserStore(state).add("carol", new_password("a long password", CHEAP_PASSWORDS), Rights(), 0.0)
        UserStore(state).add_token("carol", TOKEN_NAME, 0.0)
    plan = OperatorPlan([Step(10.0, action, "carol"), Step(5.0, "pause")], path)
    plan.do_due(9.0, None)
    assert plan.taken_away("carol") is None
    plan.do_due(11.0, None)
    assert plan.taken_away("carol") == 11.0
    with closing(StateFile(path)) as state:
        user = UserStore(state).get("carol")
        assert user.disabled == (action == "disable")
        assert len(UserStore(state).tokens(user)) == (action == "disable")
    # The pause waits for a provider.
    assert plan.steps[1].done_at is None


def test_the_sqlite_files_of_a_process_are_closed_at_its_end_and_open_transactions_rolled_back(tmp_path: Path):
    path = tmp_path / "file.sqlite"
    with closing_databases():
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("CREATE TABLE numbers (number INTEGER)")
        database.execute("BEGIN EXCLUSIVE")
        database.execute("INSERT INTO numbers VALUES (1)")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        database.execute("SELECT 1")
    with closing(sqlite3.connect(path, timeout=0.0)) as other:
        assert other.execute("SELECT count(*) FROM numbers").fetchone() == (0,)
        assert sqlite3.connect is not None
