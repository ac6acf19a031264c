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
    "agents": Entry(
        "AgentsScenario", "a coordinator, agents that calculate, one that lies, and a rogue peer, over TLS"
    ),
    "broker": Entry("BrokerScenario", "a provider and copiers, connected by an MQTT broker over TLS"),
    "indicator": Entry("IndicatorScenario", "an indicator server, its clients, and a rogue peer, over TLS"),
    "provider": Entry("ProviderScenario", "a provider with users and copiers, an operator, and a peer that misbehaves"),
    "proxy": Entry("ProxyScenario", "a provider, a tree of proxies, and two copiers, over TLS"),
    "sentiment": Entry("SentimentScenario", "a sentiment server, its clients, and a rogue peer, over TLS"),
    "signal": Entry("SignalScenario", "a provider and two copiers, over TCP"),
    "template": Entry("TemplateScenario", "a chart server and its clients, over TCP"),
    "ticks": Entry("TicksScenario", "a tick collector and two senders, over UDP"),
}


def find_scenario(name: str) -> type[Scenario]:
    """The class of a scenario, by its name."""
    module = importlib.import_module(f"demos.simulation.scenarios.{name}")
    scenario: type[Scenario] = getattr(module, SCENARIOS[name].scenario)
    return scenario
