"""Why the simulation does not give the answer of Windows in some scenarios and facts.

A fact that compat does not follow either has its reason in the fact itself.
"""

from __future__ import annotations

from . import world

REASONS: dict[str, str] = {}
# Facts that compat does not follow because of Linux, and the simulation does.
_UNLIKE_COMPAT = {"delivery/a_member_receives_an_ipv6_group_on_the_loopback_interface"}


def reasons() -> dict[str, str]:
    """The reason for each scenario or fact that differs, by its name with its concern or topic."""
    facts = world.programs().facts.values()
    as_compat = {f"{fact.topic}/{fact.name}": f"as on compat: {fact.compat}" for fact in facts if fact.compat}
    return {name: reason for name, reason in as_compat.items() if name not in _UNLIKE_COMPAT} | REASONS
