"""Does what an operator has confirmed in the dashboard: disconnect, disable, unban, pause and resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from demos.provider.experts import Expert
from demos.provider.login_desk import LoginDesk
from demos.provider.operator_session import Action, OperatorSession
from demos.provider.session import Ending
from demos.provider.shared import PAUSE_SETTING, PAUSED, PAUSED_VALUE, Shared
from demos.provider.state_file import StateError

_DISCONNECTED = Ending("disconnected", "the operator has ended this connection")


@dataclass(eq=False)
class OperatorActions:
    """``owners`` are the experts of the connections, by number. Its methods may be called in any thread."""

    desk: LoginDesk
    experts: Sequence[Expert]
    owners: Mapping[int, Expert]
    report: Callable[[str], None]

    def act(
        self, shared: Shared, action: Action, operator: OperatorSession, post: Callable[[Callable[[], None]], None]
    ) -> None:
        """Do it. ``post`` has the result reported to the operator by the thread of its expert."""

        def done(ok: bool, text: str) -> None:
            self.report(f"{'' if ok else '-'}operator {action.operator}: {text}")
            post(lambda: operator.report(ok, text))

        if action.action == "disconnect":
            self._disconnect(action, done)
        elif action.action in ("pause", "resume"):
            # In the desk's thread, so that the stored value is that of the last action.
            self.desk.post(lambda: self._pause(shared, action.action == "pause", done))
        else:
            change = self._disable if action.action == "disable" else self._unban
            self.desk.post(lambda: _changed(lambda: change(action), done))

    def _pause(self, shared: Shared, paused: bool, done: Callable[[bool, str], None]) -> None:
        """Pause or resume, also when that cannot be stored for a restart."""
        shared.paused = paused
        if paused:
            for expert in self.experts:
                expert.end_sessions(PAUSED)
        text = "The provider is paused" if paused else "The provider publishes again"
        try:
            self.desk.state.set_setting(PAUSE_SETTING, PAUSED_VALUE if paused else "")
        except StateError as error:
            after = "publishes again" if paused else "is paused again"
            done(False, f"{text}, but it {after} after a restart, because that cannot be stored: {error}.")
        else:
            done(True, f"{text}.")

    def _disconnect(self, action: Action, done: Callable[[bool, str], None]) -> None:
        number = action.id or 0
        expert = self.owners.get(number)
        if expert is None:
            done(False, f"Connection {number} has ended already.")
        else:
            expert.end(number, _DISCONNECTED)
            done(True, f"Connection {number} is closed.")

    def _disable(self, action: Action) -> str:
        login = action.login or ""
        self.desk.users.set_disabled(login, True)
        return f"{login} is disabled."

    def _unban(self, action: Action) -> str:
        count = self.desk.guard.unban(action.address, action.login, self.desk.wall())
        return f"{count} bans ended." if count != 1 else "1 ban ended."


def _changed(change: Callable[[], str], done: Callable[[bool, str], None]) -> None:
    """Make a change in the desk's thread, and report the result."""
    try:
        text = change()
    except StateError as error:
        done(False, f"{error}.")
    else:
        done(True, text)
