"""A provider with users, copiers that follow it, and a peer that misbehaves, under faults.

The provider serves subscribers over TLS, and on some seeds without it on its own host only, as it requires. Two of
three copiers follow the account with different settings: with a token and a pinned certificate, with a password and a
CA, and with a login whose rights the operator takes away. Another one follows the plain port. A rogue peer tries wrong
passwords, and the right one during a ban, sends garbage, opens connections that it does not use, and subscribes without
reading.

The operator pauses and resumes the provider, and disables a login or removes its token, at times that the seed decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

from demos.provider.passwords import new_password
from demos.provider.rights import Rights
from demos.provider.service import Service
from demos.provider.state_file import StateFile
from demos.provider.users import UserStore
from demos.simulation.certificate import simulated_certificate
from demos.simulation.hubs import certificate_inputs, pin
from demos.simulation.order_kills import OrderKills
from demos.simulation.process_context import CHEAP_PASSWORDS
from demos.simulation.program_limits import CLIENT, ProgramLimits
from demos.simulation.provider.copied_positions import Deals, account_copier, check_position
from demos.simulation.provider.followed_states import BannedLogin, FollowedStates, RefusedLogins, RevokedLogin
from demos.simulation.provider.operator_plan import TOKEN_NAME, OperatorPlan, plan_steps
from demos.simulation.provider.order_rows import check_orders
from demos.simulation.provider.paths import BACK_OFF, PATHS, RIGHT_DURING_BAN
from demos.simulation.provider.rogue import Prey, Rogue
from demos.simulation.provider.unreading import FullConnections, UnreadingSubscriber
from demos.simulation.scenario import Scenario, Targets, Violation
from demos.simulation.terminals import Setup
from demos.simulation.world import World
from winsock.simulation.faults import Fault
from winsock.simulation.hosts import Host
from winsock.simulation.random_streams import random_stream
from winsock.simulation.units import SECOND

PROVIDER, ROGUE, PLAIN = "provider", "rogue", "dora"
TOKEN_USER, PASSWORD_USER, FORMER_USER, SLOW_USER, IDLE_USER = "anna", "bob", "carol", "sam", "eve"
UNREADING, UNREADING_USER = "unreading", "uma"
SUBSCRIBERS = (TOKEN_USER, PASSWORD_USER, FORMER_USER)
PASSWORDS = {login: f"the password of {login}" for login in (*SUBSCRIBERS, SLOW_USER, IDLE_USER, UNREADING_USER)}
PORT, PLAIN_PORT = 8443, 8081

# The copiers' own settings: what they trade for one lot of the provider.
FACTORS = {TOKEN_USER: Decimal(1), PASSWORD_USER: Decimal(-2), FORMER_USER: Decimal(3), PLAIN: Decimal(1)}

# Seconds. The plain copier reports a silent server after the first one. The second one is the longest pause between two
# attempts, after the provider was paused. A copied trade may be some timer periods late.
SILENCE = 60
LONGEST_PAUSE = 60
PERIOD = 1.0
MOST_PERIODS = 3

# How late a subscriber's trade may be while the rogue peer is active and nothing else fails, in seconds.
LONGEST_DELAY = 0.5

# Ticks per second. After each tick the account has other figures, and its subscribers get a new state.
SPEED = 0.2

# Of one host: the listeners, the wake-up sockets, the copiers' connections, and the rogue's.
MOST_SOCKETS = 120
MOST_CONNECTIONS = 60
# The dashboard's histories have most of the provider's values.
MOST_VALUES = 10_000

# How far the provider's clock may be set back, in nanoseconds.
LARGEST_STEP_BACK = -30 * SECOND

# How often each of the provider's own faults happens, and how long it is switched off then, in seconds.
PROVIDER_FAILS = 0.3
SHORT_STOP = 15.0

# How often a send takes only a part, on some seeds.
PARTIAL_SENDS = (0.0, 0.0, 0.05)

# How often a copier is killed at an order, on some seeds.
ORDER_KILLS = (0.0, 0.0, 0.1)


class ProviderScenario(Scenario):
    """See the head of this module."""

    # The silence limit, the longest pause between two attempts, and three timer periods.
    settling = SILENCE + LONGEST_PAUSE + MOST_PERIODS * PERIOD
    # Longer than the time after which a silent provider is noticed.
    longest_fault = 60.0
    paths = PATHS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        chance = world.random
        self.tls = chance.random() < 0.75
        self.subscribers = sorted(chance.sample(SUBSCRIBERS, 2))
        self.order_kills = chance.choice(ORDER_KILLS)
        self.kills: Counter[str] = Counter()
        self._deals = {name: Deals(name, FACTORS[name]) for name in (*self.subscribers, PLAIN)}
        self._states = FollowedStates()
        self._revoked = RevokedLogin(FORMER_USER)

    @property
    def service(self) -> Service | None:
        """The subscribers' port of the running provider."""
        module = self.world.terminals[PROVIDER].module
        return None if module is None else module.service

    # ---- the hosts

    def build(self) -> None:
        """See Scenario."""
        world, chance = self.world, self.world.random
        for name in (PROVIDER, PLAIN, ROGUE, *(self.subscribers if self.tls else ())):
            world.host(name)
        state = world.hosts[PROVIDER].disk / "provider.sqlite"
        tokens = _add_users(state)
        former = FORMER_USER if FORMER_USER in self.subscribers else None
        self.plan = OperatorPlan(plan_steps(chance, world.seconds, former), state)
        self._add_provider(state)
        for name in self.subscribers:
            self._add_subscriber(name, tokens[name])
        follow = {"Host": PROVIDER, "Port": PLAIN_PORT, "silence": SILENCE, "fast": chance.random() < 0.5}
        world.terminal(PLAIN, PLAIN, self._copier(follow))
        host, where = (PROVIDER, ROGUE) if self.tls else ("localhost", PROVIDER)
        fingerprint = simulated_certificate().fingerprint if self.tls else None
        # From the address of a copier, wrong passwords for its login would keep it out, as they should.
        victim = chance.choice(self.subscribers) if self.tls else IDLE_USER
        prey = Prey(
            host, PORT, PLAIN_PORT, fingerprint, victim, SLOW_USER, PASSWORDS[SLOW_USER], IDLE_USER,
            PASSWORDS[IDLE_USER], world.hosts[PROVIDER].utc_ns,
        )  # fmt: skip
        rogue = Rogue(prey, random_stream(world.seed, "rogue"), pause=chance.choice((5.0, 20.0)))
        world.program(ROGUE, where, rogue.run)
        prey = prey._replace(slow_login=UNREADING_USER, slow_password=PASSWORDS[UNREADING_USER])
        unreading = UnreadingSubscriber(prey, random_stream(world.seed, UNREADING), pause=0.0)
        world.program(UNREADING, where, unreading.run)
        self._full = FullConnections(world.hosts[PROVIDER])
        self._refused = RefusedLogins(rogue, SLOW_USER)
        self._banned = BannedLogin(rogue)

    def _add_provider(self, state: Path) -> None:
        world, chance = self.world, self.world.random
        inputs: dict[str, object] = {
            "Host": "0.0.0.0" if self.tls else "127.0.0.1", "Port": PORT, "state": str(state), "plain_host": "0.0.0.0",
            "plain_port": PLAIN_PORT, "fast": chance.random() < 0.5, "strategy": chance.choice((1, 2, 4)),
        }  # fmt: skip
        if self.tls:
            inputs |= certificate_inputs(world, PROVIDER)
        setup = Setup(
            program="provider",
            inputs=inputs,
            market=world.seed,
            speed=SPEED,
            commands=[(chance.uniform(5, world.seconds * 0.6), "buy 0.05") for _ in range(3)],
            partial_sends=chance.choice(PARTIAL_SENDS),
            limits=ProgramLimits(MOST_SOCKETS, MOST_VALUES),
        )
        world.terminal(PROVIDER, PROVIDER, setup)

    def _add_subscriber(self, name: str, token: str) -> None:
        host = name if self.tls else PROVIDER
        disk = self.world.hosts[host].disk
        factor = FACTORS[name]
        inputs: dict[str, object] = {
            "url": f"wss://{PROVIDER}:{PORT}" if self.tls else f"ws://localhost:{PORT}",
            "login": name, "memory": str(_memory(disk, name)), "join": "now", "maxage": 3600,
            "maxdeviation": 0.0, "factor": float(abs(factor)), "reverse": factor < 0,
        }  # fmt: skip
        kind, text = ("password", PASSWORDS[name]) if name == PASSWORD_USER else ("token", token)
        secret = disk / f"{name}.{kind}"
        secret.write_text(text, encoding="utf-8")
        secret.chmod(0o600)
        inputs[f"{kind}_file"] = str(secret)
        if self.tls and name == PASSWORD_USER:
            (disk / "ca.pem").write_bytes(simulated_certificate().certificate)
            inputs["ca"] = str(disk / "ca.pem")
        elif self.tls:
            inputs["pin"] = pin()
        setup = self._copier(inputs)
        if self.order_kills:
            setup = replace(setup, prepare=self._order_kills(self.world.hosts[host], name).prepare)
        self.world.terminal(name, host, setup)

    def _order_kills(self, host: Host, name: str) -> OrderKills:
        world = self.world
        chance = random_stream(world.seed, f"order kills/{name}")
        return OrderKills(host, chance, self.order_kills, lambda: world.seeds_end, self.kills)

    def _copier(self, inputs: dict[str, object]) -> Setup:
        limits = {"maxorders": 0, "maxlots": 0.0, "maxtotal": 0.0}
        return Setup(program="copier", inputs={**inputs, **limits}, market=self.world.seed, speed=SPEED, limits=CLIENT)

    # ---- the faults

    def faults(self, chance: Random, start: float, end: float) -> list[Fault]:
        """See Scenario. Everything depends on the provider, so it fails more often than the copiers.

        Its clock is set back by a few seconds only: a copier does not follow a provider that begins again in the past,
        until its clock has passed the last time.
        """
        faults = [
            replace(fault, value=LARGEST_STEP_BACK)
            if fault.kind == "clock_jump" and fault.targets == (PROVIDER,) and (fault.value or 0) < LARGEST_STEP_BACK
            else fault
            for fault in super().faults(chance, start, end)
        ]
        for kind, target in (("crash", PROVIDER), ("kill", f"{PROVIDER}/{PROVIDER}"), ("freeze", PROVIDER)):
            if chance.random() < PROVIDER_FAILS and end - start > self.longest_fault:
                at = chance.uniform(start, end - self.longest_fault)
                duration = chance.uniform(0.1, self.longest_fault if kind == "freeze" else SHORT_STOP)
                faults.append(Fault(_nanoseconds(at), kind, (target,), duration=_nanoseconds(duration)))
        return sorted(faults, key=lambda fault: fault.at)

    def targets(self) -> Targets:
        """See Scenario."""
        hosts = (*self.subscribers, PLAIN) if self.tls else (PLAIN,)
        links = [(PROVIDER, name) for name in (*hosts, *((ROGUE,) if self.tls else ()))]
        return Targets((PROVIDER, *hosts), links, (PROVIDER, *self.subscribers, PLAIN))

    # ---- the invariants

    def check(self) -> Iterator[Violation]:
        """See Scenario. Also does what the operator has planned."""
        world, now = self.world, self.world.now
        provider, service = world.terminals[PROVIDER], self.service
        self.plan.do_due(now, service)
        provider.counts.update(self.kills)
        self.kills.clear()
        for name, deals in self._deals.items():
            yield from deals.check(world.terminals[name], provider)
        for name in self.subscribers:
            yield from self._states.check(world.terminals[name])
            copier = account_copier(world.terminals[name])
            provider.counts[BACK_OFF] += copier is not None and copier.connection.pause_ms >= 4000
        yield from self._refused.check()
        yield from self._banned.check()
        provider.counts[RIGHT_DURING_BAN] = self._banned.refused
        process = world.hosts[PROVIDER].process(PROVIDER)
        frozen = process is not None and any(task.frozen for task in process.tasks)
        if frozen:
            self._revoked.note_frozen(now)
        yield from self._full.check(now, service, frozen=frozen)
        since = self.plan.taken_away(FORMER_USER)
        if since is None:
            self._revoked.note_sent(service)
        else:
            yield from self._revoked.check(since, now, service, provider, world.terminals[FORMER_USER])
        yield from world.check_handles(MOST_SOCKETS)
        connections = 0 if service is None else sum(len(each.clients.connections) for each in service.experts)
        if connections > MOST_CONNECTIONS:
            yield Violation("memory stays bounded", f"the provider has {connections} connections")

    def settled(self) -> Iterator[Violation]:
        """See Scenario. After the operator has resumed, it takes as long as after a fault."""
        now = self.world.now
        if now < self.plan.last + self.settling:
            return
        for name in self._deals:
            if self.plan.taken_away(name) is None:
                terminal, provider = self.world.terminals[name], self.world.terminals[PROVIDER]
                factor = FACTORS[name]
                if problem := check_position(terminal, factor, provider, now - MOST_PERIODS * PERIOD):
                    yield Violation("positions agree", problem)
                elif name != PLAIN and (problem := check_position(terminal, factor, provider, now - LONGEST_DELAY)):
                    yield Violation("no peer starves another", problem)

    def ended(self) -> Iterator[Violation]:
        """See Scenario."""
        for name in self.subscribers:
            terminal = self.world.terminals[name]
            yield from check_orders(terminal, _memory(terminal.host.disk, name))


def _memory(disk: Path, login: str) -> Path:
    """The file of a copier's memory."""
    return disk / f"{login}.memory.sqlite"


def _nanoseconds(seconds: float) -> int:
    """Whole milliseconds of them."""
    return round(seconds * 1000) * (SECOND // 1000)


def _add_users(path: Path) -> dict[str, str]:
    """Create the provider's state file; returns a token of each login."""
    with closing(StateFile(path)) as state:
        users, tokens = UserStore(state), {}
        for login, password in PASSWORDS.items():
            users.add(login, new_password(password, CHEAP_PASSWORDS), Rights(), 0.0)
            tokens[login] = users.add_token(login, TOKEN_NAME, 0.0)
    return tokens
