"""Each scenario finds a program that is broken on purpose: the invariant that is there for it does not hold any more.

The scenario's file replaces a method while one terminal's program runs. The method is replaced for all programs, and
by one terminal only, so that the original is there again at the end.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

from demos.simulation.runs import Run, simulate

HEAD = """
from dataclasses import replace
from unittest import mock

from winsock.simulation.faults import parse_script
"""

SCENARIO = """
class Broken({base}):
    def build(self):
        super().build()
        for name in {terminals}:
            terminal = self.world.terminals[name]
            context = lambda: mock.patch.object({method}, broken)
            terminal.setup = replace(terminal.setup, contexts=(*terminal.setup.contexts, context))

    def faults(self, chance, start, end):
        return parse_script({script!r})
"""


class Defect(NamedTuple):
    """A broken program: the method that is replaced, in which terminals, and the faults that make it wrong."""

    base: str
    terminals: tuple[str, ...]
    owner: str
    method: str
    code: str
    seconds: float
    script: str
    invariant: str


DEFECTS = {
    "a participant is counted once per connection": Defect(
        "sentiment.SentimentScenario",
        ("server",),
        "Room",
        "_contributions",
        """
from demos.ideas.sentiment.room import Room
from demos.simulation.scenarios import sentiment

def broken(room, now):
    found, counting = {}, set()
    for number, member in room._members.items():
        if member.heard_at is not None and now - member.heard_at < room.rules.silence_ms:
            counting.add((member.participant, number))
            for name, volume in member.volumes.items():
                for direction, lots in (("long", volume.long), ("short", volume.short)):
                    if lots:
                        found.setdefault((name, direction), {})[member.participant, number] = lots
    return found, counting
""",
        160.0,
        "at 6 reset server client1",
        "a participant counts once",
    ),
    "a copier trades twice after a new login": Defect(
        "broker.BrokerScenario",
        ("copier1",),
        "account_copier",
        "TradeTo",
        """
from demos.copier import account_copier
from demos.copier.positions import SymbolLots
from demos.simulation.scenarios import broker

original = account_copier.TradeTo

def broken(smb, lots, dry, limits, orders):
    more = lots - SymbolLots(smb)
    result = original(smb, lots, dry, limits, orders)
    return original(smb, lots + more, dry, limits, orders)
""",
        230.0,
        "at 6 reset broker copier1",
        "each deal has a message of its own",
    ),
    "a copier decides by an older state": Defect(
        "broker.BrokerScenario",
        ("copier1",),
        "AccountCopier",
        "Decide",
        """
from demos.copier.account_copier import AccountCopier
from demos.simulation.scenarios import broker

original = AccountCopier.Decide
states = {}

def broken(copier, state, positions):
    kept = states.setdefault(copier, [()])
    if state is not None and state.positions != kept[-1]:
        kept.append(state.positions)
    elif state is not None and len(kept) > 1:
        state = replace(state, positions=kept[-2])
    original(copier, state, positions)
""",
        230.0,
        "at 6 reset broker copier1",
        "no state older than an acknowledged one is traded",
    ),
    "an account loses its last deal at a kill": Defect(
        "broker.BrokerScenario",
        ("provider",),
        "PaperAccount",
        "__init__",
        """
import sqlite3
from contextlib import closing, suppress

from demos.terminal.paper.account import PaperAccount
from demos.simulation.scenarios import broker

original = PaperAccount.__init__

def broken(account, path, **options):
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
        if str(path).endswith("provider.account.sqlite"):
            db.execute("DELETE FROM positions")
            db.execute("DELETE FROM deals")
            db.commit()
    original(account, path, **options)
""",
        300.0,
        "at 60 kill provider/provider for 2",
        "ledgers add up to positions",
    ),
    "a client draws each row twice": Defect(
        "indicator.IndicatorScenario",
        ("client1",),
        "Plot",
        "add",
        """
from demos.ideas.indicator.plot import Plot
from demos.simulation.scenarios import indicator

original = Plot.add

def broken(plot, row):
    original(plot, row)
    original(plot, row)
""",
        200.0,
        "at 6 reset server client2",
        "every row is drawn once",
    ),
    "a chart client applies the template before": Defect(
        "template.TemplateScenario",
        ("follower",),
        "protocol",
        "decode",
        """
from demos.simulation.scenarios import template
from demos.template import protocol

original = protocol.decode
kept = []

def broken(data, codepage):
    kept.append(data)
    return original(kept[-2] if len(kept) > 1 else data, codepage)
""",
        160.0,
        "at 6 reset server follower",
        "the applied template is the received one",
    ),
    "proxies and copiers take a stale state for the newest": Defect(
        "proxy.ProxyScenario",
        ("proxy",),
        "Follower",
        "status",
        """
from demos.provider.following import Follower
from demos.provider.steps import Status
from demos.simulation.scenarios import proxy

original = Follower.status

def status(follower):
    return Status.LIVE if follower.state is not None else original.fget(follower)

broken = property(status)
""",
        440.0,
        "at 40 vanish provider for 120",
        "a live state is recent",
    ),
    "a result counts twice": Defect(
        "agents.AgentsScenario",
        ("coordinator",),
        "Optimisation",
        "take_result",
        """
from demos.ideas.agents.optimisation import Optimisation
from demos.simulation.scenarios import agents

original = Optimisation.take_result

def broken(optimisation, name, task, values):
    original(optimisation, name, task, values)
    if (outcome := optimisation.outcomes.get(task)) and outcome.agents == [name]:
        outcome.agents.append(name)
""",
        160.0,
        "at 6 reset coordinator agent1",
        "an agent counts once",
    ),
    "agents that do not connect again after three failures": Defect(
        "agents.AgentsScenario",
        ("agent1",),
        "Backoff",
        "is_due",
        """
from demos.simulation.scenarios import agents
from demos.wire.backoff import Backoff

original = Backoff.is_due

def broken(backoff, now):
    return backoff.failures < 3 and original(backoff, now)
""",
        200.0,
        "at 20 kill coordinator/coordinator for 30",
        "each agent is connected again",
    ),
    "outcomes are not stored": Defect(
        "agents.AgentsScenario",
        ("coordinator",),
        "Optimisation",
        "take_changes",
        """
from demos.ideas.agents.optimisation import Optimisation
from demos.simulation.scenarios import agents

def broken(optimisation):
    return {}
""",
        200.0,
        "at 60 kill coordinator/coordinator for 2",
        "no outcome is lost",
    ),
    "an outcome is forgotten while the coordinator runs": Defect(
        "agents.AgentsScenario",
        ("coordinator",),
        "Optimisation",
        "take_result",
        """
from demos.ideas.agents.optimisation import Optimisation
from demos.simulation.scenarios import agents

original = Optimisation.take_result

def broken(optimisation, name, task, values):
    original(optimisation, name, task, values)
    if len(optimisation.outcomes) == 5:
        forgotten = next(iter(optimisation.outcomes))
        del optimisation.outcomes[forgotten]
        optimisation._pending[forgotten] = None
""",
        160.0,
        "at 6 reset coordinator agent1",
        "no outcome is lost",
    ),
    "a result that has arrived is forgotten": Defect(
        "agents.AgentsScenario",
        ("coordinator",),
        "Optimisation",
        "take_result",
        """
from demos.ideas.agents.optimisation import Optimisation
from demos.simulation.scenarios import agents

original = Optimisation.take_result

def broken(optimisation, name, task, values):
    original(optimisation, name, task, values)
    if len(optimisation.outcomes) == 5:
        del optimisation.outcomes[task]
        optimisation._pending[task] = None
""",
        160.0,
        "at 6 reset coordinator agent1",
        "no outcome is lost",
    ),
    "a copier loses the stored messages of states": Defect(
        "broker.BrokerScenario",
        ("copier1",),
        "BrokerStates",
        "receive",
        """
from demos.copier.broker_states import BrokerStates
from demos.provider.broker_messages import Summary, SymbolState
from demos.simulation.scenarios import broker

original = BrokerStates.receive

def broken(states, message, now, *, retained):
    if retained and isinstance(message, (SymbolState, Summary)):
        return []
    return original(states, message, now, retained=retained)
""",
        300.0,
        "at 20 reset broker copier1",
        "no stored message is lost",
    ),
    "a copier loses the stored states of symbols": Defect(
        "broker.BrokerScenario",
        ("copier1",),
        "BrokerStates",
        "receive",
        """
from demos.copier.broker_states import BrokerStates
from demos.provider.broker_messages import Summary, SymbolState
from demos.simulation.scenarios import broker

original = BrokerStates.receive

def broken(states, message, now, *, retained):
    if retained and isinstance(message, SymbolState):
        return []
    return original(states, message, now, retained=retained)
""",
        300.0,
        "at 60 reset broker copier1",
        "no stored message is lost",
    ),
    "a copier loses the stored status": Defect(
        "broker.BrokerScenario",
        ("copier1",),
        "Arrivals",
        "heard",
        """
from demos.copier.broker_arrivals import Arrivals
from demos.provider.messages import Hello
from demos.simulation.scenarios import broker

original = Arrivals.heard

def broken(arrivals, message, *, retained):
    if not isinstance(message, Hello):
        original(arrivals, message, retained=retained)
""",
        300.0,
        "at 20 reset broker copier1",
        "no stored message is lost",
    ),
    "a provider has its states not stored": Defect(
        "broker.BrokerScenario",
        ("provider",),
        "MqttLink",
        "publish",
        """
from demos.wire.mqtt_link import MqttLink
from demos.simulation.scenarios import broker

original = MqttLink.publish

def broken(link, topic, payload, *, retain=False, qos=1):
    return original(link, topic, payload, retain=retain and topic.endswith("status"), qos=qos)
""",
        300.0,
        "at 20 reset broker copier1",
        "no stored message is lost",
    ),
    "a proxy forwards the state before the last one again": Defect(
        "proxy.ProxyScenario",
        ("proxy",),
        "Relay",
        "offer",
        """
from demos.provider.relaying import Relay
from demos.simulation.scenarios import proxy

original = Relay.offer
states = {}

def broken(relay, state):
    kept = states.setdefault(relay, [])
    if state.positions not in kept[-1:]:
        kept.append(state.positions)
    original(relay, replace(state, positions=kept[2]) if len(kept) == 5 else state)
""",
        440.0,
        "at 6 reset provider proxy",
        "no state older than an acknowledged one is forwarded",
    ),
    "a proxy sends heartbeats for a source that is silent": Defect(
        "proxy.ProxyScenario",
        ("proxy", "proxy1", "proxy2"),
        "Relay",
        "heartbeat_due",
        """
from demos.provider.relaying import Relay
from demos.simulation.scenarios import proxy

def broken(relay, since, now):
    time = relay.time(now)
    return time if time - since >= 1000 else None
""",
        440.0,
        "at 40 vanish provider for 14\nat 80 vanish provider for 14\nat 120 vanish provider for 14",
        "a confirmed state was the provider's newest",
    ),
    "a proxy answers logins with a time at which its source was silent": Defect(
        "proxy.ProxyScenario",
        ("proxy", "proxy1", "proxy2"),
        "Relay",
        "welcome_confirmed",
        """
from demos.provider.relaying import Relay
from demos.simulation.scenarios import proxy

def broken(relay, now):
    return None
""",
        440.0,
        "\n".join(f"at {second} vanish provider for 13" for second in range(48, 150, 30)),
        "a confirmed state was the provider's newest",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_broken_program_breaks_its_invariant(name: str, tmp_path: Path) -> None:
    defect = DEFECTS[name]
    scenario = SCENARIO.format(
        base=defect.base,
        terminals=defect.terminals,
        method=f'{defect.owner}, "{defect.method}"',
        script=defect.script,
    )
    file = tmp_path / "broken.py"
    file.write_text(HEAD + defect.code + scenario, encoding="utf-8")
    outcome = simulate(Run(scenario=str(file), seed=3, seconds=defect.seconds))
    assert outcome.invariant == defect.invariant, outcome.violation
