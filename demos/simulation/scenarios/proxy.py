"""The programs of ``python -m demos proxy``: a provider, a tree of proxies, and two copiers at its leaves.

Each server has users of its own. A proxy suspends its topic while its own server is away; then it refuses new logins,
and its subscribers wait. So after a fault the levels of the tree recover one after another.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import ClassVar

from demos.copier.provider_connection import LONGEST_WAIT_MS
from demos.ideas.proxy.job import PARENTS, SERVERS, TOPIC
from demos.provider.login_desk import use_step
from demos.provider.passwords import new_password
from demos.provider.rights import Rights
from demos.provider.state_file import StateFile
from demos.provider.topic_names import topic_path
from demos.provider.users import UserStore
from demos.simulation.certificate import simulated_certificate
from demos.simulation.copiers import MOST_PERIODS, PERIOD, PROVIDER, TIMER_MS, Copier, copier_setup
from demos.simulation.hubs import PARTIAL_SENDS, SILENCE, VISITOR, certificate_inputs, pin
from demos.simulation.process_context import CHEAP_PASSWORDS
from demos.simulation.program_limits import ProgramLimits
from demos.simulation.provider.rogue import Prey
from demos.simulation.provider.watcher import ForwardedStates, Watcher
from demos.simulation.records import connected_again, failed, recorded, sent_in_parts, started_again
from demos.simulation.scenario import RecoveryPath, Scenario, Targets, Violation
from demos.simulation.terminals import Setup, SimulatedTerminal
from demos.simulation.visitors import visit
from demos.simulation.world import World
from winsock import WSAECONNREFUSED, WSAECONNRESET, WSAETIMEDOUT
from winsock.simulation.random_streams import random_stream

# Whole numbers: each factor gives volumes that a copier can trade.
FACTORS = {"copier1": Decimal(1), "copier2": Decimal(2)}
PORT = 8443
WATCHER = "watcher"

# Seconds: the levels of the tree, and the longest pause between two attempts of each, also after a refusal.
LEVELS = 3
LONGEST_PAUSE = max(60, LONGEST_WAIT_MS // 1000)

MOST_SOCKETS = 60
# The dashboard's histories have most of the values.
SERVER = ProgramLimits(MOST_SOCKETS, values=10_000)

# How often a login desk looks for changes of the users: less often than usual, to save time.
STEP_MS = 1000


class ProxyScenario(Scenario):
    """See the head of this module."""

    settling = SILENCE + LEVELS * (LONGEST_PAUSE + MOST_PERIODS * PERIOD)
    longest_fault = 45.0

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._copiers = [Copier(name, factor) for name, factor in FACTORS.items()]

    def build(self) -> None:
        """See Scenario."""
        world, chance = self.world, self.world.random
        contexts = (partial(use_step, STEP_MS),)
        for name in (PROVIDER, *SERVERS, *FACTORS, VISITOR, WATCHER):
            world.host(name)
        watched = chance.choice(list(SERVERS))
        for server in (PROVIDER, *SERVERS):
            clients = {**SERVERS, **PARENTS, WATCHER: watched}
            _add_users(world, server, [name for name, other in clients.items() if other == server])
        inputs = {**_server(world, PROVIDER), "plain_port": -1}
        setup = Setup(
            program="provider",
            inputs={**inputs, "strategy": chance.choice((1, 2, 3))},
            market=world.seed,
            speed=0.1,
            contexts=contexts,
            partial_sends=PARTIAL_SENDS,
            timer_ms=TIMER_MS,
            limits=SERVER,
        )
        world.terminal(PROVIDER, PROVIDER, setup)
        for name, server in SERVERS.items():
            follow = {"upstream": f"{TOPIC}={_url(server)}", "login": name, "pin": pin()}
            inputs = {**_server(world, name), **follow, "token_file": _token(world, name)}
            setup = Setup(
                program="proxy",
                inputs=inputs,
                speed=0.001,
                contexts=contexts,
                partial_sends=PARTIAL_SENDS,
                timer_ms=TIMER_MS,
                limits=SERVER,
            )
            world.terminal(name, name, setup)
        for name, factor in FACTORS.items():
            follow = {"url": _url(PARENTS[name]), "login": name, "pin": pin(), "token_file": _token(world, name)}
            world.terminal(name, name, copier_setup(world, follow, factor, name))
        world.program(VISITOR, VISITOR, visit, "proxy", PORT)
        self._add_watcher(watched)

    def _add_watcher(self, server: str) -> None:
        """Start what looks at the messages of a proxy."""
        world = self.world
        prey = Prey(server, PORT, PORT, simulated_certificate().fingerprint, "", WATCHER, "")
        token = Path(_token(world, WATCHER)).read_text(encoding="utf-8")
        watcher = Watcher(prey, topic_path(TOPIC), token, random_stream(world.seed, WATCHER))
        world.program(WATCHER, WATCHER, watcher.run)
        self._forwarded = ForwardedStates(watcher, world.hosts[PROVIDER])

    def targets(self) -> Targets:
        """See Scenario."""
        names = (PROVIDER, *SERVERS, *FACTORS)
        links = [(server, name) for name, server in {**SERVERS, **PARENTS}.items()]
        return Targets(names, links, names)

    def check(self) -> Iterator[Violation]:
        """See Scenario."""
        yield from self._forwarded.check(self.world.now, self.world.terminals[PROVIDER])
        for copier in self._copiers:
            yield from copier.check(self.world)
        yield from self.world.check_handles(MOST_SOCKETS)

    def settled(self) -> Iterator[Violation]:
        """See Scenario. A trade passes the levels one after another."""
        for copier in self._copiers:
            yield from copier.settled(self.world, LEVELS * MOST_PERIODS)

    def ended(self) -> Iterator[Violation]:
        """See Scenario."""
        for copier in self._copiers:
            yield from copier.ended(self.world)

    paths: ClassVar = (
        RecoveryPath("a copier connects again", lambda world: connected_again(_named(world, FACTORS))),
        RecoveryPath("a proxy connects again", lambda world: connected_again(_named(world, SERVERS))),
        RecoveryPath("a copier is started again", lambda world: started_again(_named(world, FACTORS))),
        RecoveryPath("a proxy is started again", lambda world: started_again(_named(world, SERVERS))),
        RecoveryPath("the provider is started again", lambda world: world.terminals[PROVIDER].starts > 1),
        RecoveryPath(
            "a silent server is noticed", lambda world: recorded(_named(world, FACTORS), "alarm", name="stale")
        ),
        RecoveryPath("a topic is suspended", lambda world: recorded(_named(world, FACTORS), "refused")),
        RecoveryPath("a connect is refused", lambda world: failed(_everybody(world), WSAECONNREFUSED)),
        RecoveryPath("a connect times out", lambda world: failed(_everybody(world), WSAETIMEDOUT, "connect to")),
        RecoveryPath("a connection is reset", lambda world: failed(_everybody(world), WSAECONNRESET)),
        RecoveryPath("a message is sent in parts", sent_in_parts),
    )


def _named(world: World, names: Container[str]) -> list[SimulatedTerminal]:
    return [terminal for name, terminal in world.terminals.items() if name in names]


def _everybody(world: World) -> list[SimulatedTerminal]:
    return list(world.terminals.values())


def _url(server: str) -> str:
    return f"wss://{server}:{PORT}" + ("" if server == PROVIDER else f"/{TOPIC}")


def _server(world: World, name: str) -> dict[str, object]:
    """The inputs of a server with users."""
    state = str(world.hosts[name].disk / "state.sqlite")
    return {**certificate_inputs(world, name), "Host": "0.0.0.0", "Port": PORT, "state": state, "name": name}


def _token(world: World, name: str) -> str:
    return str(world.hosts[name].disk / "token")


def _add_users(world: World, server: str, logins: list[str]) -> None:
    """Create a server's state file with users, each with a file that has its token on the host of the login."""
    with closing(StateFile(world.hosts[server].disk / "state.sqlite")) as state:
        users = UserStore(state)
        for login in logins:
            users.add(login, new_password(f"the password of {login}", CHEAP_PASSWORDS), Rights(), 0.0)
            path = world.hosts[login].disk / "token"
            path.write_text(users.add_token(login, "simulation", 0.0), encoding="utf-8")
            path.chmod(0o600)
