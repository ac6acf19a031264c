"""The scenarios by name. A new scenario gets one line here, in any place; its module is imported only when it runs."""

from __future__ import annotations

import importlib
from typing import NamedTuple

from demos.simulation.scenario import Scenario


class Entry(NamedTuple):
    """A scenario's class, in the module with the scenario's name, and one line about it for --help."""

    scenario: str
    summary: str


SCENARIOS = {
    "signal": Entry("SignalScenario", "a provider and two copiers, over TCP"),
    "template": Entry("TemplateScenario", "a chart server and its clients, over TCP"),
    "provider": Entry("ProviderScenario", "a provider with users and copiers, an operator, and a peer that misbehaves"),
    "ticks": Entry("TicksScenario", "a tick collector and two senders, over UDP"),
}


def find_scenario(name: str) -> type[Scenario]:
    """The class of a scenario, by its name."""
    module = importlib.import_module(f"demos.simulation.scenarios.{name}")
    scenario: type[Scenario] = getattr(module, SCENARIOS[name].scenario)
    return scenario
