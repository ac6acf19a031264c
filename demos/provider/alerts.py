"""Alerts: which conditions of an overview need a person, and when a message about them is sent. Pure: no clock.

    restart   the program has started
    stale     the account or the ticks are old, or a subscriber does not acknowledge what it was sent
    limited   logins cannot be checked
    drift     a subscriber holds something else than it wants, for longer than an order takes
    ban       a login or an address was banned because of wrong passwords

Each condition gets one message when it is raised, and one when it has ended. A condition that comes back within
``repeat_ms`` is not raised again before that time, so one that comes and goes does not send messages all day. In one
minute at most ``per_minute`` messages of each kind are sent; the next message of the kind says how many were left out.
Each kind has its own limit: someone who causes thousands of bans cannot hide that the account is stale.

alert_processes.py sends the messages.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from demos.provider.guard import duration_text
from demos.provider.health import HealthLimits, health_of
from demos.provider.overview import Overview

_MINUTE_MS = 60_000
_SHOWN_SYMBOLS = 5

# A condition: its kind, and whom it concerns.
Key = tuple[str, str]


class AlertLimits(NamedTuple):
    """``drift_ms`` and ``lag_ms``: for how long a subscriber must drift, or be behind.

    ``limited_ms``: for how long logins cannot be checked. See the head of this module for the others.
    """

    drift_ms: int = 60_000
    lag_ms: int = 30_000
    limited_ms: int = 10_000
    repeat_ms: int = 600_000
    per_minute: int = 5


class Alert(NamedTuple):
    """A message. ``state``: raised or ended; ``subject``: whom it concerns, or ""; ``time``: ms since 1970."""

    kind: str
    state: str
    subject: str
    text: str
    server: str
    time: int

    def json(self) -> str:
        """The message as the command and the webhook get it: one JSON object."""
        return json.dumps(self._asdict(), ensure_ascii=False)


class _Raised(NamedTuple):
    """A condition that was raised; ``sent``: whether a message was sent, so that its end is sent too."""

    text: str
    sent: bool


class Alerts:
    """Call update() with each overview; it returns the messages to send."""

    def __init__(self, limits: AlertLimits | None = None, health: HealthLimits | None = None) -> None:
        self._limits, self._health = limits or AlertLimits(), health or HealthLimits()
        self._server = ""
        self._has_started = False
        # Since when a condition exists that is not raised yet, those that are raised, and when they were raised last.
        self._since: dict[Key, int] = {}
        self._raised: dict[Key, _Raised] = {}
        self._last: dict[Key, int] = {}
        self._sent: dict[str, deque[int]] = {}
        self._left_out: dict[str, int] = {}

    def update(self, overview: Overview, now_ms: int) -> list[Alert]:
        """The messages because of this overview; ``now_ms`` is in milliseconds since 1970."""
        self._server = overview["server"]
        found = dict(self._conditions(overview, now_ms))
        alerts = [] if self._has_started else [self._started(overview, now_ms)]
        self._has_started = True
        for key, (text, wait) in found.items():
            since = min(self._since.setdefault(key, now_ms), now_ms)
            last = self._last.get(key)
            again = last is None or not 0 <= now_ms - last < self._limits.repeat_ms
            if key not in self._raised and now_ms - since >= wait and again:
                alert = self._allowed(Alert(key[0], "raised", key[1], text, self._server, now_ms))
                self._raised[key] = _Raised(text, alert is not None)
                self._last[key] = now_ms
                alerts += [alert] if alert else []
        alerts += self._ended(found, now_ms)
        return alerts

    def _ended(self, found: dict[Key, tuple[str, int]], now_ms: int) -> Iterator[Alert]:
        """The messages about what has ended; forgets what cannot be raised again too early."""
        for key in [key for key in self._raised if key not in found]:
            raised = self._raised.pop(key)
            if raised.sent and (
                alert := self._allowed(Alert(key[0], "ended", key[1], f"ended: {raised.text}", self._server, now_ms))
            ):
                yield alert
        self._since = {key: since for key, since in self._since.items() if key in found}
        repeat = self._limits.repeat_ms
        self._last = {key: last for key, last in self._last.items() if key in found or 0 <= now_ms - last < repeat}

    def _conditions(self, overview: Overview, now_ms: int) -> Iterator[tuple[Key, tuple[str, int]]]:
        """Each condition with its text, and for how long it must exist."""
        health = health_of(overview, now_ms, self._health)
        if health.status in ("stale", "limited"):
            yield (health.status, ""), (health.reason, 0 if health.status == "stale" else self._limits.limited_ms)
        for row in overview["subscribers"]:
            who = f"{row['login']} from {row['address']}"
            if row["drift"]:
                yield ("drift", who), (f"{who} {_drift_text(row)}", self._limits.drift_ms)
            if row["acked"] < row["seq"] and (row["lag_ms"] or 0) >= self._limits.lag_ms:
                late = duration_text(self._limits.lag_ms / 1000)
                yield ("stale", who), (f"{who} has not acknowledged the newest state for {late}", 0)
        for ban in overview["bans"]:
            who = f"{ban['login'] or 'every login'} from {ban['address']}"
            left = duration_text(ban["until"] - now_ms / 1000)
            if ban["until"] > now_ms / 1000:
                yield ("ban", who), (f"{who} is banned for {left} because of wrong passwords", 0)

    def _started(self, overview: Overview, now_ms: int) -> Alert:
        text = f"the provider has started, version {overview['version']}, stream {overview['stream']}"
        return Alert("restart", "raised", "", text, self._server, now_ms)

    def _allowed(self, alert: Alert) -> Alert | None:
        """The message if the limit of its kind allows it, with the number of those that were left out before."""
        sent = self._sent.setdefault(alert.kind, deque(maxlen=self._limits.per_minute))
        if len(sent) == sent.maxlen and 0 <= alert.time - sent[0] < _MINUTE_MS:
            self._left_out[alert.kind] = self._left_out.get(alert.kind, 0) + 1
            return None
        sent.append(alert.time)
        left_out = self._left_out.pop(alert.kind, 0)
        if not left_out:
            return alert
        others = "1 other message" if left_out == 1 else f"{left_out} other messages"
        return alert._replace(text=f"{alert.text} (and {others} of this kind)")


def _drift_text(row: Overview) -> str:
    """What a subscriber holds and wants."""
    symbols = row["drift"][:_SHOWN_SYMBOLS]
    held, wanted = row["held"], row["wanted"]
    parts = [f"holds {held.get(each, '0')} {each} and wants {wanted.get(each, '0')}" for each in symbols]
    more = len(row["drift"]) - len(symbols)
    if more:
        parts.append("and 1 more symbol" if more == 1 else f"and {more} more symbols")
    return ", ".join(parts)
