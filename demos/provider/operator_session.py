"""An operator's live connection to the dashboard: pure, messages and the time in, messages out.

The page shows what the provider sends, and asks for actions. Each message is one JSON object. From the provider:

    {"type": "hello", "login", "history": [points]}                once, at first
    {"type": "overview", "overview", "health", "point"|null}       for each new overview; see overview.py
    {"type": "confirm", "number", "title", "text", "button", ...}  what an action will do; the page asks the operator
    {"type": "result", "ok", "text"}                               an action was done, or why not

From the page:

    {"action": "disconnect", "id": n}     {"action": "unban", "address": a|null, "login": l|null}
    {"action": "disable", "login": l}     {"action": "pause"}     {"action": "resume"}
    {"confirm": number}

No action is done at its first message. The provider checks it against the newest overview and answers with a sentence
that says what will happen, and a random number that is valid once, for CONFIRM_MS. The dialog shows this sentence, so
an operator confirms what the provider is going to do, not what a page says. The connection is opened only for a cookie
and a page of this server; a page of another site that could open it nevertheless could not read the number.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from demos.provider.fields import FieldError, integer, optional, parse_json, record, refuse, text
from demos.provider.health import HealthLimits, health_of
from demos.provider.histories import History
from demos.provider.operator_logins import OperatorLogin, OperatorLogins
from demos.provider.overview import Overview
from demos.terminal.runtime.randomness import token_urlsafe

CONFIRM_MS = 120_000
LONGEST_MESSAGE = 4096
MOST_REPLIES = 16

# A channel holds 1 MiB of unsent output. A larger overview is sent with fewer subscribers.
MOST_BYTES = 512 * 1024


class Action(NamedTuple):
    """What an operator has confirmed: disconnect (``id``), disable (``login``), unban, pause or resume.

    ``operator``: who has confirmed it. ``address`` and ``login`` of unban: None for any.
    """

    action: str
    operator: str
    id: int | None = None
    login: str | None = None
    address: str | None = None


class _Proposal(NamedTuple):
    """An action that waits for its confirmation."""

    action: Action
    number: str
    until: int


class Question(NamedTuple):
    """What the dialog shows: a question, what will happen, and the text of the button that confirms.

    ``danger``: whether someone loses something.
    """

    title: str
    text: str
    button: str
    danger: bool = True


class Feed:
    """What all live connections are sent. One thread calls update(); the connections may be in other threads."""

    def __init__(self, health: HealthLimits) -> None:
        self._health = health
        self.overview: Overview | None = None
        self.history = History()
        self._encoded: tuple[Overview | None, str] = (None, "")

    def update(self, overview: Overview) -> None:
        """Take the newest overview."""
        self.history.add(overview)
        self.overview = overview

    def message(self, overview: Overview) -> str:
        """The message with this overview, encoded once for all connections."""
        known, message = self._encoded
        if known is not overview:
            message = self._encode(overview)
            self._encoded = (overview, message)
        return message

    def _encode(self, overview: Overview) -> str:
        points = self.history.points
        point = points[-1] if points and points[-1]["time"] == overview["time"] else None
        health = health_of(overview, overview["time"], self._health)._asdict()
        shown = overview
        while True:
            message = _json({"type": "overview", "overview": shown, "health": health, "point": point})
            rows = shown["subscribers"]
            if len(message.encode()) <= MOST_BYTES or not rows:
                return message
            shown = {**shown, "subscribers": rows[: len(rows) // 2]}


class OperatorSession:
    """A live connection. When ``reason`` is not empty, the caller closes it with this text."""

    def __init__(self, feed: Feed, logins: OperatorLogins, login: OperatorLogin) -> None:
        self.login = login.login
        self.reason = ""
        self._feed, self._logins, self._login = feed, logins, login
        self._sent: Overview | None = None
        self._proposal: _Proposal | None = None
        hello = {"type": "hello", "login": login.login, "history": feed.history.points}
        self._replies: deque[str] = deque([_json(hello)])

    def next_message(self, now_ms: int) -> str | None:
        """The next message to send, or None. Call it until None: after receive(), after report(), and once a second.

        While the connection has unsent output, do not call it: so a slow page gets only the newest overview.
        """
        if not self._is_valid(now_ms):
            return None
        if self._replies:
            return self._replies.popleft()
        newest = self._feed.overview
        if newest is None or newest is self._sent:
            return None
        self._sent = newest
        return self._feed.message(newest)

    def receive(self, data: str, now_ms: int) -> Action | None:
        """Handle a message of the page; an action that the operator has confirmed, which the caller does and reports.

        Everything that is not a valid message is answered with a result.
        """
        if not self._is_valid(now_ms):
            return None
        try:
            if len(data) > LONGEST_MESSAGE:
                refuse("", f"the message has more than {LONGEST_MESSAGE} characters")
            message = parse_json(data)
            if not isinstance(message, dict):
                refuse("", "the message is not an object")
            if "confirm" in message:
                return self._confirmed(_NUMBER(message["confirm"], "confirm"), now_ms)
            self._propose(message, now_ms)
        except FieldError as problem:
            self.report(False, str(problem))
        return None

    def report(self, ok: bool, text: str) -> None:
        """Show the operator the result of an action; ``text`` is a sentence."""
        self._reply({"type": "result", "ok": ok, "text": text})

    def _propose(self, message: dict[str, Any], now_ms: int) -> None:
        name = message.get("action")
        if not isinstance(name, str) or name not in _ACTIONS:
            refuse("action", f"not one of {', '.join(_ACTIONS)}")
        check, describe = _ACTIONS[name]
        action = Action(name, self.login, **check(message, ""))
        question = describe(action, self._newest())
        self._proposal = _Proposal(action, token_urlsafe(16), now_ms + CONFIRM_MS)
        self._reply({"type": "confirm", "number": self._proposal.number, **question._asdict()})

    def _confirmed(self, number: str, now_ms: int) -> Action | None:
        proposal = self._proposal
        if proposal is None or proposal.number != number:
            refuse("", "this action was confirmed already or replaced by another one")
        self._proposal = None
        if now_ms >= proposal.until:
            refuse("", "the confirmation came too late: start the action again")
        # The provider's state may have changed since the question.
        _ACTIONS[proposal.action.action][1](proposal.action, self._newest())
        return proposal.action

    def _newest(self) -> Overview:
        overview = self._feed.overview
        if overview is None:
            refuse("", "the provider has not started yet: try again in a few seconds")
        return overview

    def _reply(self, message: dict[str, Any]) -> None:
        if len(self._replies) >= MOST_REPLIES:
            self.reason = "too many messages without reading the answers"
            return
        self._replies.append(_json(message))

    def _is_valid(self, now_ms: int) -> bool:
        if not self.reason and not self._logins.is_valid(self._login, now_ms):
            self.reason = "the operator is not logged in any more"
        return not self.reason


def _disconnect(action: Action, overview: Overview) -> Question:
    row = next((row for row in overview["subscribers"] if row["id"] == action.id), None)
    if row is None:
        refuse("", f"connection {action.id} has ended already")
    return Question(
        f"Disconnect {row['login']}?",
        f"The connection of {row['login']} from {row['address']} is closed. "
        "The login stays valid, so its program will connect again.",
        "Disconnect",
    )


def _disable(action: Action, overview: Overview) -> Question:
    count = sum(row["login"] == action.login for row in overview["subscribers"])
    if not count:
        refuse("", f"{action.login} is not connected: use `provider user disable`")
    connections = "Its connection is closed" if count == 1 else f"Its {count} connections are closed"
    return Question(
        f"Disable {action.login}?",
        f"The login {action.login} is disabled. {connections} and it cannot log in "
        "until `provider user enable` is used on the server.",
        "Disable",
    )


def _unban(action: Action, overview: Overview) -> Question:
    found = [ban for ban in overview["bans"] if _matches(ban, action)]
    if action.address is None and action.login is None:
        refuse("", "unban needs an address or a login")
    if not found:
        refuse("", "this ban has ended already")
    who = " ".join(
        [
            *([f"the login {action.login}"] if action.login else ["every login"]),
            *([f"from {action.address}"] if action.address else ["from every address"]),
        ]
    )
    count = "1 ban ends" if len(found) == 1 else f"{len(found)} bans end"
    text = f"{count}: {who} may try to log in again, and the failed attempts are forgotten."
    return Question(f"Unban {action.login or action.address}?", text, "Unban", danger=False)


def _matches(ban: dict[str, Any], action: Action) -> bool:
    return action.address in (None, ban["address"]) and action.login in (None, ban["login"])


def _pause(action: Action, overview: Overview) -> Question:
    if overview["paused"]:
        refuse("", "the provider is paused already")
    count = overview["totals"]["subscribers"]
    connections = {0: "No subscriber is connected", 1: "1 subscriber is disconnected"}.get(
        count, f"{count} subscribers are disconnected"
    )
    return Question(
        "Pause the provider?",
        f"{connections}, and logins are refused until you resume. Nothing is sent to the clients of the plain port, a "
        "broker or a proxy either. Subscribers keep the positions that they hold.",
        "Pause",
    )


def _resume(action: Action, overview: Overview) -> Question:
    if not overview["paused"]:
        refuse("", "the provider is not paused")
    text = "Logins are accepted again. Subscribers that reconnect copy the account's present positions."
    return Question("Resume the provider?", text, "Resume", danger=False)


_NUMBER = text(64)
_LOGIN = text(64)
_ACTIONS: dict[str, tuple[Callable[[Any, str], dict[str, Any]], Callable[[Action, Overview], Question]]] = {
    "disconnect": (record(dict, {"id": integer()}), _disconnect),
    "disable": (record(dict, {"login": _LOGIN}), _disable),
    "unban": (record(dict, {"address": optional(text(64)), "login": optional(_LOGIN)}), _unban),
    "pause": (record(dict, {}), _pause),
    "resume": (record(dict, {}), _resume),
}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
