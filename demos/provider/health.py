"""Whether the provider publishes, for /healthz and the alerts: one word, and the reason in a sentence."""

from __future__ import annotations

from typing import NamedTuple

from demos.provider.overview import Overview


class HealthLimits(NamedTuple):
    """Ages in milliseconds from which a provider is stale; 0: no limit.

    ``overview_ms``: of the overview itself, which is old when the program's thread hangs. ``account_ms``: of the
    account that was read from the terminal. ``tick_ms``: of the last tick. It has no limit by default, because no ticks
    arrive while the market is closed.
    """

    overview_ms: int = 5_000
    account_ms: int = 10_000
    tick_ms: int = 0


class Health(NamedTuple):
    """``status``: publishing, starting, paused, stale or limited. Only the first is healthy."""

    status: str
    reason: str

    @property
    def healthy(self) -> bool:
        """Whether subscribers get the account's present state."""
        return self.status == "publishing"


def health_of(overview: Overview | None, now_ms: int, limits: HealthLimits) -> Health:
    """The health at ``now_ms``; ``overview`` is the newest one, or None before the first."""
    if overview is None:
        return Health("starting", "the program has not read its account yet")
    for name, since, most in (
        ("the program's thread has not run", overview["time"], limits.overview_ms),
        ("the account has not been read from the terminal", overview["account_read"], limits.account_ms),
        ("no tick has arrived", overview["last_tick"], limits.tick_ms),
    ):
        if most and now_ms - (overview["started"] if since is None else since) > most:
            return Health("stale", f"{name} for more than {most / 1000:g} s")
    for topic in overview["topics"]:
        if topic["problem"]:
            return Health("stale", f"the topic {topic['name']} has no current state: {topic['problem']}")
    if overview["paused"]:
        return Health("paused", "an operator has paused the provider")
    if not overview["checks_logins"]:
        return Health("limited", "logins cannot be checked at the moment; the log says why")
    what = "present state of each topic" if overview["topics"] else "account's present state"
    return Health("publishing", f"subscribers get the {what}")
