"""What the operator learns of the provider: once a second, the overview of all its parts, for dashboard and alerts."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from demos.provider.accounts import AccountState
from demos.provider.alert_processes import AlertProcesses
from demos.provider.alerts import Alerts
from demos.provider.experts import Expert
from demos.provider.health import HealthLimits
from demos.provider.overview import (
    MOST_LOG_LINES,
    Counters,
    LogLine,
    PositionRow,
    ServerRow,
    TopicRow,
    overview,
    with_topics,
)
from demos.provider.shared import Shared
from winsock.version import __version__


class Present(NamedTuple):
    """What a server publishes at present. ``run``: of its streams. ``is_current``: the account's state is known.

    ``states``: how many it has published. ``last_tick``: see overview.ServerRow.
    """

    run: str
    states: int
    is_current: bool
    account: AccountState | None
    positions: Sequence[PositionRow] = ()
    last_tick: int | None = None
    topics: Sequence[TopicRow] = ()


class Board:
    """See the head of this module. For the terminal's thread."""

    def __init__(self, shared: Shared, senders: AlertProcesses, health: HealthLimits) -> None:
        self._shared = shared
        self._alerts = Alerts(health=health)
        self._senders = senders
        self._started = shared.clock.utc_ms()
        self._account_read = self._started
        self._log: deque[LogLine] = deque(maxlen=MOST_LOG_LINES)

    def log(self, line: str) -> None:
        """Show a line of the log; "-" in front marks a problem."""
        level = "warning" if line.startswith("-") else "info"
        self._log.append(LogLine(self._shared.clock.utc_ms(), level, line.removeprefix("-")))

    def update(self, experts: Sequence[Expert], present: Present) -> None:
        """Show the present state, and send the alerts that follow from it."""
        shared = self._shared
        now = shared.clock.utc_ms()
        if present.is_current:
            self._account_read = now
        server = ServerRow(
            shared.server_name,
            __version__,
            present.run,
            self._started,
            shared.certificate is not None,
            shared.paused,
            self._account_read,
            present.last_tick,
            not shared.desk.problem,
        )
        counters = [expert.clients.counters for expert in experts]
        totals = Counters(
            present.states,
            sum(each.messages for each in counters),
            sum(each.bytes for each in counters),
            sum(each.logins for each in counters),
            sum(each.refusals for each in counters),
            sum(each.disconnects for each in counters),
        )
        rows = [row for expert in experts for row in expert.rows]
        log = tuple(self._log)
        shown = overview(now, server, present.account, present.positions, rows, shared.desk.bans, totals, log)
        shown = with_topics(shown, present.topics)
        shared.dashboard.update(shown)
        for alert in self._alerts.update(shown, now):
            self._senders.send(alert)
        for problem in self._senders.check(int(shared.clock.monotonic() * 1000)):
            shared.report(f"-{problem}")

    def close(self) -> None:
        """End the processes that send alerts."""
        self._senders.close()
