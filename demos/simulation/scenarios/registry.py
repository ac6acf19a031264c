"""The scenarios by name. A new scenario gets one line here, in any place; its module is imported only when it runs."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from winsock.simulation.errors import SimulationError

if TYPE_CHECKING:
    from demos.simulation.scenario import Scenario


class Entry(NamedTuple):
    """A scenario's class, in the module with the scenario's name, and one line about it for --help."""

    scenario: str
    summary: str


SCENARIOS = {
    "agents": Entry(
        "AgentsScenario", "a coordinator, agents that calculate, one that lies, and hostile peers, over TLS"
    ),
    "broker": Entry(
        "BrokerScenario", "a provider and copiers, connected by an MQTT broker over TLS, and a hostile peer"
    ),
    "indicator": Entry("IndicatorScenario", "an indicator server, its clients, and hostile peers, over TLS"),
    "provider": Entry("ProviderScenario", "a provider, its operator, users and copiers, and a hostile peer"),
    "proxy": Entry("ProxyScenario", "a provider, a tree of proxies, two copiers, and a hostile peer, over TLS"),
    "sentiment": Entry("SentimentScenario", "a sentiment server, its clients, and hostile peers, over TLS"),
    "signal": Entry("SignalScenario", "a provider, two copiers, and a hostile peer, over TCP"),
    "template": Entry("TemplateScenario", "a chart server, its clients, and a hostile peer, over TCP"),
    "ticks": Entry("TicksScenario", "a tick collector, two senders, and a hostile peer, over UDP"),
}


def find_scenario(name: str) -> type[Scenario]:
    """The class of a scenario, by its name or by the .py file that contains it.

    Errors: SimulationError when there is no such scenario; any exception that the file raises while it is loaded.
    """
    if name.endswith(".py"):
        return _scenario_of(Path(name))
    if name not in SCENARIOS:
        raise SimulationError(f"no scenario {name!r}: use {', '.join(SCENARIOS)}, or a .py file")
    try:
        module = importlib.import_module(f"demos.simulation.scenarios.{name}")
    except ModuleNotFoundError as error:
        raise SimulationError(f'{error}: python -m pip install -e ".[provider,broker]"') from error
    scenario: type[Scenario] = getattr(module, SCENARIOS[name].scenario)
    return scenario


def _scenario_of(path: Path) -> type[Scenario]:
    from demos.simulation.scenario import Scenario

    if not path.is_file():
        raise SimulationError(f"{path}: there is no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Scenario) and value.__module__ == module.__name__:
            return value
    raise SimulationError(f"{path} has no subclass of demos.simulation.scenario.Scenario")
