"""Why the simulation does not give the answer of Windows in some scenarios and facts.

A fact that compat does not follow either has its reason in the fact itself.
"""

from __future__ import annotations

from . import world

REASONS: dict[str, str] = {}


def reasons() -> dict[str, str]:
    """The reason for each scenario or fact that differs, by its name with its concern or topic."""
    facts = world.programs().facts.values()
    return {f"{fact.topic}/{fact.name}": f"as on compat: {fact.compat}" for fact in facts if fact.compat} | REASONS
