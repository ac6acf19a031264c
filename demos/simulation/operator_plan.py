"""What the operator of a simulated provider does, at times that the seed decides: pause, resume, disable, revoke."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from demos.provider.operator_session import Action
from demos.provider.service import Service
from demos.provider.state_file import StateFile
from demos.provider.users import UserStore

TOKEN_NAME = "simulated"
OPERATOR = "operator"


@dataclass
class Step:
    """Something to do at a second of the simulation; ``done_at`` is when it was done."""

    at: float
    action: str
    login: str = ""
    done_at: float | None = None


class OperatorPlan:
    """The steps of one run. do_due() is called once in each second, in the main thread."""

    def __init__(self, steps: list[Step], state: Path) -> None:
        self.steps = steps
        self._state = state

    @property
    def last(self) -> float:
        """The second of the last step."""
        return max((step.done_at or step.at for step in self.steps), default=0.0)

    def taken_away(self, login: str) -> float | None:
        """Since when the login has no right any more; None: it has its rights."""
        return next((step.done_at for step in self.steps if step.login == login), None)

    def do_due(self, now: float, service: Service | None) -> None:
        """Do the steps whose time has come. A pause and its end wait until the provider runs and listens."""
        for step in self.steps:
            if step.done_at is None and step.at <= now and self._do(step, service):
                step.done_at = now

    def _do(self, step: Step, service: Service | None) -> bool:
        if step.action in ("pause", "resume"):
            if service is None or not service.experts:
                return False
            _act(service, step.action)
            return True
        with closing(StateFile(self._state)) as state:
            users = UserStore(state)
            if step.action == "disable":
                users.set_disabled(step.login, True)
            else:
                users.remove_token(step.login, TOKEN_NAME)
        return True


def plan_steps(chance: Random, seconds: float, login: str) -> list[Step]:
    """The steps by seed: perhaps a pause with its end, and perhaps a login that is disabled or whose token is removed.

    All are done in the first half of the run.
    """
    steps = []
    if chance.random() < 0.5:
        begin = chance.uniform(0.1, 0.4) * seconds
        steps += [Step(begin, "pause"), Step(begin + chance.uniform(1.0, 20.0), "resume")]
    if chance.random() < 0.7:
        steps.append(Step(chance.uniform(0.1, 0.5) * seconds, chance.choice(("disable", "remove the token")), login))
    return steps


class _NoSession:
    """Takes the results of actions for nobody."""

    def report(self, ok: bool, text: str) -> None:
        """See OperatorSession."""


def _act(service: Service, action: str) -> None:
    def post(call: Callable[[], None]) -> None:
        call()

    session: Any = _NoSession()
    service.act(Action(action, OPERATOR), session, post)
