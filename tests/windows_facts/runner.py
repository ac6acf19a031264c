"""Checks facts on this backend: each with its own WSAStartup and a time limit, as the scenarios run."""

from __future__ import annotations

from tests.conformance import runner
from tests.conformance.recorder import Json, Recorder
from tests.conformance.reference_system import wine_version

from .facts import Fact
from .networks import has_networks

WINE_DIFFERS = "Wine differs"


def observed(fact: Fact) -> Json:
    """What the fact's program observes here; a list that starts with "hangs" or "stopped" if it fails."""

    def procedure(see: Recorder) -> None:
        result = fact.observe()
        see.seen.append([fact.call, result])

    seen = runner.run(runner.Scenario(fact.name, fact.topic, procedure, frozenset()))
    last = seen[-1] if seen else ["stopped", "without a result"]
    return last[1] if last[0] == fact.call else last


def holds(fact: Fact) -> tuple[bool, Json]:
    """Whether the backend behaves as the fact says, and what it does."""
    seen = observed(fact)
    return agrees(fact, seen), seen


def agrees(fact: Fact, seen: Json) -> bool:
    """Whether this result is one that the fact accepts."""
    return any(seen == accepted and type(seen) is type(accepted) for accepted in fact.windows)


def reason_to_skip(fact: Fact) -> str:
    """Why the fact cannot be checked on this system; "" where it can."""
    if fact.wine and wine_version() is not None:
        return f"{WINE_DIFFERS}: {fact.wine}"
    if fact.needs == "namespaces" and not has_networks():
        return "needs a network namespace: root on Linux, and the command ip"
    return ""
