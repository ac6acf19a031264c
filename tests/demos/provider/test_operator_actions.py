"""What an operator has confirmed is done, and the operator learns the result."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from cleanup_kit import closed_after_test

from demos.provider.login_desk import LoginDesk
from demos.provider.operator_actions import OperatorActions
from demos.provider.operator_session import Action, OperatorSession
from demos.provider.shared import PAUSE_SETTING, PAUSED_VALUE, Shared
from demos.provider.state_file import StateError, StateFile


class Stage:
    """The actions on a state file without experts; ``results`` is what the operator is shown."""

    def __init__(self, path: Path) -> None:
        self.state = closed_after_test(StateFile(path))
        self.desk = closed_after_test(LoginDesk(self.state, lambda: 1.0, lambda line: None, lambda logins: None))
        self.lines: list[str] = []
        self.results: list[tuple[bool, str]] = []
        self.shared = cast(Shared, SimpleNamespace(paused=False))
        self.actions = OperatorActions(self.desk, [], {}, self.lines.append)

    def act(self, action: str) -> tuple[bool, str]:
        """Do an action; what the operator is shown."""
        session = cast(OperatorSession, SimpleNamespace(report=lambda ok, text: self.results.append((ok, text))))
        self.actions.act(self.shared, Action(action, "olga"), session, lambda call: call())
        self.desk.step()
        return self.results[-1]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "provider.sqlite")


def test_a_pause_and_its_end_are_stored(stage: Stage):
    assert stage.act("pause") == (True, "The provider is paused.")
    assert (stage.shared.paused, stage.state.setting(PAUSE_SETTING)) == (True, PAUSED_VALUE)
    assert stage.act("resume") == (True, "The provider publishes again.")
    assert (stage.shared.paused, stage.state.setting(PAUSE_SETTING)) == (False, "")


@pytest.mark.parametrize(
    ("action", "paused", "text"),
    [
        ("pause", True, "The provider is paused, but it publishes again after a restart"),
        ("resume", False, "The provider publishes again, but it is paused again after a restart"),
    ],
)
def test_a_pause_that_cannot_be_stored_takes_effect_with_a_warning(stage: Stage, monkeypatch, action, paused, text):
    def fail(name: str, value: str) -> None:
        raise StateError("disk full")

    monkeypatch.setattr(stage.state, "set_setting", fail)
    stage.shared.paused = not paused
    assert stage.act(action) == (False, f"{text}, because that cannot be stored: disk full.")
    assert stage.shared.paused == paused
    assert stage.lines == [f"-operator olga: {text}, because that cannot be stored: disk full."]
