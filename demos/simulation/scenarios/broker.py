"""The programs of ``python -m demos broker``: a provider that publishes to an MQTT broker, and copiers that subscribe.

The broker is the small one of broker_program.py, with the certificate and the logins of the job, because mosquitto
cannot run in a simulation. A peer that misbehaves connects to it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import demos.simulation
from demos.copier.provider_connection import LONGEST_WAIT_MS
from demos.simulation.broker_copiers import StoredStates
from demos.simulation.copiers import MOST_PERIODS, PERIOD, PROVIDER, TIMER_MS, Copier, copier_setup
from demos.simulation.hubs import PARTIAL_SENDS, certificate_inputs, pin
from demos.simulation.mqtt_attempt import InlineAttempt
from demos.simulation.program_limits import CLIENT, ProgramLimits
from demos.simulation.records import connected_again, logged, recorded, sent_in_parts, started_again
from demos.simulation.scenario import RecoveryPath, Scenario, Targets, Violation
from demos.simulation.terminals import Setup, SimulatedTerminal
from demos.simulation.visitors import visit
from demos.simulation.world import World
from demos.wire.mqtt_link import KEEP_ALIVE_S, use_attempts

BROKER, VISITOR = "broker", "visitor"
# Whole numbers: each factor gives volumes that a copier can trade.
FACTORS = {"copier1": Decimal(1), "copier2": Decimal(2)}
PORT = 8883
PREFIX = "signals/demo"
PROGRAM = str(Path(demos.simulation.__file__).with_name("broker_program.py"))

# Seconds. A dead connection is noticed after two keep-alive times, the provider's next attempt follows after its
# longest pause, and a new run of it waits for a former one. A copier asks again this long after the provider has gone.
NOTICED = 2 * KEEP_ALIVE_S
LONGEST_PAUSE = max(32, LONGEST_WAIT_MS // 1000)
LOOK = 16
ASKED_AGAIN = 60

MOST_SOCKETS = 40


class BrokerScenario(Scenario):
    """See the head of this module."""

    settling = NOTICED + LONGEST_PAUSE + LOOK + ASKED_AGAIN + MOST_PERIODS * PERIOD
    longest_fault = 60.0

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._copiers = [Copier(name, factor) for name, factor in FACTORS.items()]
        self._stored = [StoredStates(name, BROKER) for name in FACTORS]

    def build(self) -> None:
        """See Scenario."""
        world, chance = self.world, self.world.random
        for name in (BROKER, PROVIDER, *FACTORS, VISITOR):
            world.host(name)
        world.terminal(BROKER, BROKER, self._broker())
        publish = {
            "broker": f"mqtts://{BROKER}:{PORT}/{PREFIX}", "broker_login": PROVIDER, "broker_pin": pin(),
            "broker_password_file": self._password(PROVIDER), "Port": -1, "plain_port": -1,
            "strategy": chance.choice((1, 2, 4)),
        }  # fmt: skip
        contexts = (lambda: use_attempts(InlineAttempt),)
        setup = Setup(
            program="provider",
            inputs=publish,
            market=world.seed,
            speed=0.1,
            contexts=contexts,
            partial_sends=PARTIAL_SENDS,
            timer_ms=TIMER_MS,
            limits=CLIENT,
        )
        world.terminal(PROVIDER, PROVIDER, setup)
        for name, factor in FACTORS.items():
            follow = {
                "broker": f"mqtts://{BROKER}:{PORT}/{PREFIX}", "login": name, "pin": pin(),
                "password_file": self._password(name),
            }  # fmt: skip
            setup = replace(copier_setup(world, follow, factor, name), contexts=contexts)
            world.terminal(name, name, setup)
        world.program(VISITOR, VISITOR, visit, BROKER, PORT)

    def _broker(self) -> Setup:
        logins = ",".join(f"{name}=the password of {name}" for name in (PROVIDER, *FACTORS))
        serve = {
            **certificate_inputs(self.world, BROKER), "Host": "0.0.0.0", "Port": PORT, "logins": logins,
            "store": str(self.world.hosts[BROKER].disk / "retained.json"),
        }  # fmt: skip
        return Setup(
            program=PROGRAM,
            inputs=serve,
            speed=0.001,
            timer_ms=TIMER_MS,
            partial_sends=PARTIAL_SENDS,
            limits=ProgramLimits(MOST_SOCKETS, CLIENT.values),
        )

    def targets(self) -> Targets:
        """See Scenario."""
        names = (BROKER, PROVIDER, *FACTORS)
        return Targets(names, [(BROKER, name) for name in (PROVIDER, *FACTORS)], names)

    def check(self) -> Iterator[Violation]:
        """See Scenario."""
        for copier in self._copiers:
            yield from copier.check(self.world)
        for stored in self._stored:
            yield from stored.check(self.world)
        yield from self.world.check_handles(MOST_SOCKETS)

    def settled(self) -> Iterator[Violation]:
        """See Scenario."""
        for copier in self._copiers:
            yield from copier.settled(self.world)

    def ended(self) -> Iterator[Violation]:
        """See Scenario."""
        for copier in self._copiers:
            yield from copier.ended(self.world)

    def _password(self, name: str) -> str:
        """A file with the password of a login, on its host."""
        path = self.world.hosts[name].disk / "password"
        path.write_text(f"the password of {name}", encoding="utf-8")
        path.chmod(0o600)
        return str(path)

    paths: ClassVar = (
        RecoveryPath("a copier connects again", lambda world: connected_again(_copiers(world))),
        RecoveryPath("a copier is started again", lambda world: started_again(_copiers(world))),
        RecoveryPath("the provider is started again", lambda world: world.terminals[PROVIDER].starts > 1),
        RecoveryPath("the broker is started again", lambda world: world.terminals[BROKER].starts > 1),
        RecoveryPath("the provider loses its broker", lambda world: recorded(_provider(world), "broker", state="lost")),
        RecoveryPath(
            "a copier hears that the provider is gone", lambda world: recorded(_copiers(world), "alarm", name="gone")
        ),
        RecoveryPath(
            "a provider that is silent is noticed", lambda world: recorded(_copiers(world), "alarm", name="stale")
        ),
        RecoveryPath(
            "the broker ends a silent client", lambda world: logged([world.terminals[BROKER]], "client is silent")
        ),
        RecoveryPath(
            "a connection is lost", lambda world: logged([*_copiers(world), *_provider(world)], "connection is lost")
        ),
        RecoveryPath("a message is sent in parts", sent_in_parts),
    )


def _copiers(world: World) -> list[SimulatedTerminal]:
    return [world.terminals[name] for name in FACTORS]


def _provider(world: World) -> list[SimulatedTerminal]:
    return [world.terminals[PROVIDER]]
