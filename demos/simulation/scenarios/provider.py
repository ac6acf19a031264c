"""A provider with users, copiers that follow it, and a peer that misbehaves, under faults.

The provider serves subscribers over TLS, and on some seeds without it on its own host only, as it requires. Three
copiers follow the account with different settings: with a token and a pinned certificate, with a password and a CA,
and with a login whose rights the operator takes away. A fourth one follows the plain port. A rogue peer tries wrong
passwords, sends garbage, opens connections that it does not use, and subscribes without reading.

The operator pauses and resumes the provider, and disables a login or removes its token, at times that the seed decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import ClassVar, NamedTuple

from demos.copier.account_copier import AccountCopier
from demos.copier.increases import LATE
from demos.provider.passwords import new_password
from demos.provider.rights import Rights
from demos.provider.service import Service
from demos.provider.state_file import StateFile
from demos.provider.users import UserStore
from demos.simulation.calls import PARTIAL_SEND
from demos.simulation.certificate import simulated_certificate
from demos.simulation.operator_plan import TOKEN_NAME, OperatorPlan, plan_steps
from demos.simulation.process_context import CHEAP_PASSWORDS
from demos.simulation.rogue import Prey, Rogue
from demos.simulation.scenario import RecoveryPath, Scenario, Targets, Violation
from demos.simulation.terminals import Event, Setup, SimulatedTerminal
from demos.simulation.world import World
from demos.wire.tls_contexts import fingerprint_text
from winsock.simulation.faults import Fault
from winsock.simulation.links import SECOND

SYMBOL = "EURUSD"
PROVIDER, ROGUE, PLAIN = "provider", "rogue", "dora"
TOKEN_USER, PASSWORD_USER, FORMER_USER, SLOW_USER = "anna", "bob", "carol", "sam"
SUBSCRIBERS = (TOKEN_USER, PASSWORD_USER, FORMER_USER)
PASSWORDS = {login: f"the password of {login}" for login in (*SUBSCRIBERS, SLOW_USER)}
PORT, PLAIN_PORT = 8443, 8081

# The copiers' own settings: what they trade for one lot of the provider.
FACTORS = {TOKEN_USER: Decimal(1), PASSWORD_USER: Decimal(-2), FORMER_USER: Decimal(3), PLAIN: Decimal(1)}

# Seconds. The copier reports a silent server after the first one, and the longest pause between two attempts is the
# second one: after a provider that was paused. A copied trade may be some timer periods late.
SILENCE = 60
LONGEST_PAUSE = 60
PERIOD = 1.0
MOST_PERIODS = 3

# What a login that was taken away may still receive: what was on its way, and what one step of the login desk takes.
LOGIN_DESK_S = 2.0
IN_FLIGHT_S = 30.0

# Of the provider's host: the listeners, the wake-up sockets, the copiers' connections, and the rogue's.
MOST_SOCKETS = 120
MOST_CONNECTIONS = 60

# How far the provider's clock may be set back, in nanoseconds.
LARGEST_STEP_BACK = -30 * SECOND

BACK_OFF = "longer pause between attempts"
STATES = ('"welcome"', '"snapshot"', '"update"', '"heartbeat"')


class ProviderScenario(Scenario):
    """See the head of this module."""

    # The silence limit, the longest pause between two attempts, and three timer periods.
    settling = SILENCE + LONGEST_PAUSE + MOST_PERIODS * PERIOD
    # Longer than the time after which a silent provider is noticed.
    longest_fault = 60.0

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.tls = world.random.random() < 0.75
        self._trades = {name: Trades(name, factor) for name, factor in FACTORS.items()}
        self._marks: dict[str, tuple[str, int]] = {}
        self._next_received = 0

    @property
    def service(self) -> Service | None:
        """The subscribers' port of the running provider."""
        module = self.world.terminals[PROVIDER].module
        return None if module is None else module.service

    def build(self) -> None:
        """See Scenario."""
        world, chance = self.world, self.world.random
        for name in (PROVIDER, PLAIN, ROGUE, *(SUBSCRIBERS if self.tls else ())):
            world.host(name)
        disk = world.hosts[PROVIDER].disk
        tokens = _add_users(disk / "provider.sqlite")
        self.plan = OperatorPlan(plan_steps(chance, world.seconds, FORMER_USER), disk / "provider.sqlite")
        every = chance.choice((1, 2, 4))
        inputs = {
            "Host": "0.0.0.0" if self.tls else "127.0.0.1", "Port": PORT, "state": str(disk / "provider.sqlite"),
            "plain_host": "0.0.0.0", "plain_port": PLAIN_PORT, "fast": chance.random() < 0.5, "strategy": every,
        }  # fmt: skip
        certificate = simulated_certificate()
        if self.tls:
            for name, data in (("cert", certificate.certificate), ("key", certificate.key)):
                (disk / f"{name}.pem").write_bytes(data)
                inputs[name] = str(disk / f"{name}.pem")
        # A state of the account follows each tick, because its figures change.
        commands = [(chance.uniform(5, world.seconds * 0.6), "buy 0.05") for _ in range(3)]
        setup = Setup(program="provider", inputs=inputs, market=world.seed, speed=0.2, commands=commands)
        world.terminal(PROVIDER, PROVIDER, setup)
        for name in SUBSCRIBERS:
            self._add_subscriber(name, tokens[name])
        follow = {"Host": PROVIDER, "Port": PLAIN_PORT, "silence": SILENCE, "fast": chance.random() < 0.5}
        world.terminal(PLAIN, PLAIN, self._copier(follow))
        pin = certificate.fingerprint if self.tls else None
        victim = chance.choice(SUBSCRIBERS)
        host, where = (PROVIDER, ROGUE) if self.tls else ("localhost", PROVIDER)
        prey = Prey(host, PORT, PLAIN_PORT, pin, victim, SLOW_USER, PASSWORDS[SLOW_USER])
        self.rogue = Rogue(prey, chance, pause=chance.choice((5.0, 20.0)))
        world.program(ROGUE, where, self.rogue.run)

    def faults(self, chance: Random, start: float, end: float) -> list[Fault]:
        """See Scenario. The provider's clock is set back by a few seconds only.

        A copier does not follow a provider that begins again in the past, until its clock has passed the last time.
        """
        return [
            replace(fault, value=LARGEST_STEP_BACK)
            if fault.kind == "clock_jump" and fault.targets == (PROVIDER,) and (fault.value or 0) < LARGEST_STEP_BACK
            else fault
            for fault in super().faults(chance, start, end)
        ]

    def targets(self) -> Targets:
        """See Scenario."""
        copiers = (*SUBSCRIBERS, PLAIN) if self.tls else (PLAIN,)
        links = [(PROVIDER, name) for name in (*copiers, *((ROGUE,) if self.tls else ()))]
        return Targets((PROVIDER, *copiers), links, (PROVIDER, *SUBSCRIBERS, PLAIN))

    # ---- invariants

    def check(self) -> Iterator[Violation]:
        """See Scenario. Also does what the operator has planned."""
        self.plan.do_due(self.world.now, self.service)
        self._count_paths()
        provider = self.world.terminals[PROVIDER]
        for name, trades in self._trades.items():
            yield from trades.check(self.world.terminals[name], provider)
        for name in SUBSCRIBERS:
            yield from self._check_follower(name)
        yield from self._check_rogue()
        yield from self._check_former_user()
        yield from self._check_bounds()

    def settled(self) -> Iterator[Violation]:
        """See Scenario. After the operator has resumed, it takes as long as after a fault."""
        now = self.world.now
        if now < self.plan.last + self.settling:
            return
        for name, factor in FACTORS.items():
            if self.plan.taken_away(name) is not None:
                continue
            terminal = self.world.terminals[name]
            allowed = {factor * lots for lots in _lots_since(self.world.terminals[PROVIDER], now - MOST_PERIODS)}
            own = Decimal(terminal.position(SYMBOL))
            if own not in allowed and not _is_late(terminal, own):
                wanted = ", ".join(map(str, sorted(allowed)))
                yield Violation(
                    "positions agree", f"{name} has {own} lots and should have {wanted}: {_decision_text(terminal)}"
                )

    def _check_follower(self, name: str) -> Iterator[Violation]:
        """What a copier has acknowledged never falls, and no alarm stops it without a reason."""
        terminal = self.world.terminals[name]
        copier = _account_copier(terminal)
        if copier is None:
            return
        follower = copier.connection.follower
        if follower.stopped:
            yield Violation("no alarm without a reason", f"{name} has stopped: {follower.stopped}")
        state = follower.state
        if state is None:
            return
        stream, seq = self._marks.get(name, ("", 0))
        if state.stream == stream and state.seq < seq:
            yield Violation(
                "no state older than an acknowledged one is traded",
                f"{name} follows seq {state.seq} of {stream} after {seq}",
            )
        self._marks[name] = (state.stream, state.seq)

    def _check_rogue(self) -> Iterator[Violation]:
        """A login with a wrong password receives no state."""
        new = self.rogue.received[self._next_received :]
        self._next_received = len(self.rogue.received)
        for login, text in new:
            if login != SLOW_USER and any(kind in text for kind in STATES):
                yield Violation("a refused login receives nothing", f"the rogue has received {text} for {login!r}")

    def _check_former_user(self) -> Iterator[Violation]:
        since = self.plan.taken_away(FORMER_USER)
        if since is None:
            return
        name, now = "a revoked login receives nothing more", self.world.now
        service = self.service
        if service is not None and now >= max(since, _started(self.world.terminals[PROVIDER])) + LOGIN_DESK_S:
            for expert in service.experts:
                for connection in expert.clients.connections.values():
                    session = connection.session
                    if session and session.subscription and session.grant and session.grant.user.login == FORMER_USER:
                        yield Violation(name, f"{connection.name} is still served as {FORMER_USER}")
        for event in self.world.terminals[FORMER_USER].of_kind("received"):
            if event.time > since + LOGIN_DESK_S + IN_FLIGHT_S:
                yield Violation(name, f"{FORMER_USER} received a state at {event.time} s, which was revoked at {since}")
        for event in self.world.terminals[PROVIDER].of_kind("login"):
            if event.fields["login"] == FORMER_USER and event.time > since + LOGIN_DESK_S:
                yield Violation(name, f"{FORMER_USER} has logged in at {event.time} s, after it was revoked at {since}")

    def _check_bounds(self) -> Iterator[Violation]:
        yield from self.world.check_handles(MOST_SOCKETS)
        service = self.service
        connections = 0 if service is None else sum(len(each.clients.connections) for each in service.experts)
        if connections > MOST_CONNECTIONS:
            yield Violation("memory stays bounded", f"the provider has {connections} connections")

    def _count_paths(self) -> None:
        counts = self.world.terminals[PROVIDER].counts
        for name in SUBSCRIBERS:
            copier = _account_copier(self.world.terminals[name])
            if copier is not None and copier.connection.pause_ms >= 4000:
                counts[BACK_OFF] += 1

    # ---- the hosts

    def _add_subscriber(self, name: str, token: str) -> None:
        world = self.world
        host = name if self.tls else PROVIDER
        disk = world.hosts[host].disk
        secret = disk / f"{name}.secret"
        factor = FACTORS[name]
        inputs: dict[str, object] = {
            "url": f"wss://{PROVIDER}:{PORT}" if self.tls else f"ws://localhost:{PORT}",
            "login": name, "memory": str(disk / f"{name}.memory.sqlite"), "join": "now", "maxage": 3600,
            "maxdeviation": 0.0, "factor": float(abs(factor)), "reverse": factor < 0,
        }  # fmt: skip
        if name == PASSWORD_USER:
            secret.write_text(PASSWORDS[name], encoding="utf-8")
            inputs["password_file"] = str(secret)
        else:
            secret.write_text(token, encoding="utf-8")
            inputs["token_file"] = str(secret)
        secret.chmod(0o600)
        certificate = simulated_certificate()
        if self.tls and name == PASSWORD_USER:
            (disk / "ca.pem").write_bytes(certificate.certificate)
            inputs["ca"] = str(disk / "ca.pem")
        elif self.tls:
            inputs["pin"] = fingerprint_text(certificate.fingerprint)
        world.terminal(name, host, self._copier(inputs))

    def _copier(self, inputs: dict[str, object]) -> Setup:
        limits = {"maxorders": 0, "maxlots": 0.0, "maxtotal": 0.0}
        return Setup(program="copier", inputs={**inputs, **limits}, market=self.world.seed, speed=0.2)

    paths: ClassVar = (
        RecoveryPath("a copier connects again", lambda world: any(_reconnected(each) for each in _copiers(world))),
        RecoveryPath("the pauses between attempts grow", lambda world: _counted(world, BACK_OFF)),
        RecoveryPath("a silent provider is noticed", lambda world: _alarmed(world, "stale")),
        RecoveryPath("a message is sent in parts", lambda world: _counted(world, PARTIAL_SEND)),
        RecoveryPath("a connection is reset", lambda world: _logged(world, "10054")),
        RecoveryPath("a connection ends inside a message", lambda world: _logged(world, "data may be missing")),
        RecoveryPath(
            "a copier starts again with its memory", lambda world: any(_came_back(each) for each in _copiers(world))
        ),
        RecoveryPath("the provider starts again", lambda world: world.terminals[PROVIDER].starts > 1),
        RecoveryPath("a login is refused", lambda world: any(each.of_kind("refused") for each in _copiers(world))),
        RecoveryPath("an address is banned", lambda world: world.terminals[PROVIDER].logged("is banned for")),
        RecoveryPath(
            "an operator pauses the provider",
            lambda world: any(event.fields["code"] == "paused" for event in _events(world, "refused")),
        ),
        RecoveryPath(
            "a login is revoked",
            lambda world: any(event.fields["code"] in ("disabled", "token") for event in _events(world, "refused")),
        ),
    )


class Change(NamedTuple):
    """A position of the provider, and since when it had it."""

    time: float
    lots: Decimal


class Trades:
    """Checks one copier's deals against the provider's positions, each deal once."""

    def __init__(self, copier: str, factor: Decimal) -> None:
        self._copier, self._factor = copier, factor
        self._next = 0
        self._held = Decimal(0)
        # The first of the provider's positions that the last deal may have followed.
        self._followed = 0

    def check(self, copier: SimulatedTerminal, provider: SimulatedTerminal) -> Iterator[Violation]:
        """Take the copier's new events."""
        new = copier.events[self._next :]
        self._next = len(copier.events)
        for event in new:
            if event.kind == "deal":
                yield from self._check_deal(event, _changes(provider))

    def _check_deal(self, deal: Event, changes: list[Change]) -> Iterator[Violation]:
        held, self._held = self._held, Decimal(str(deal.fields["position"]))
        wanted = [self._factor * change.lots for change in changes]
        for index in range(self._followed, len(changes)):
            if changes[index].time <= deal.time and wanted[index] == self._held:
                self._followed = index
                return
        # A reversal may be traded in two steps.
        if self._held == 0 and any(lots * held < 0 for lots in wanted[self._followed :]):
            return
        earlier = self._held in wanted[: self._followed]
        name = "no state older than an acknowledged one is traded" if earlier else "each deal has a message of its own"
        yield Violation(
            name, f"{self._copier} traded from {held} to {self._held} lots at {deal.time} s, without such a position"
        )


# ---- what the terminals have recorded


def _changes(provider: SimulatedTerminal) -> list[Change]:
    """The provider's positions; before its first start it had none."""
    return [Change(time, Decimal(lots)) for time, lots in provider.positions.get(SYMBOL, [])]


def _lots_since(terminal: SimulatedTerminal, time: float) -> set[Decimal]:
    """The positions that a terminal has had since then."""
    return {Decimal(terminal.position(SYMBOL, time))} | {
        change.lots for change in _changes(terminal) if change.time >= time
    }


def _account_copier(terminal: SimulatedTerminal) -> AccountCopier | None:
    copier: AccountCopier | None = getattr(terminal.module, "account", None)
    return copier


def _is_late(terminal: SimulatedTerminal, own: Decimal) -> bool:
    """Whether the copier has a reason of its rules not to follow: the age of the provider's change is unknown.

    Then its position may be smaller than it should be, never larger or on the other side.
    """
    copier = _account_copier(terminal)
    decision = copier.decisions.get(SYMBOL) if copier is not None else None
    if decision is None or decision.lots is None or decision.rule != LATE:
        return False
    return own == 0 or 0 < own / decision.lots <= 1


def _decision_text(terminal: SimulatedTerminal) -> str:
    copier = _account_copier(terminal)
    if copier is None:
        return "it follows the plain port" if terminal.name == PLAIN else "it does not run"
    decision = copier.decisions.get(SYMBOL)
    rule = "no decision" if decision is None else f"{decision.text} ({decision.rule})"
    return f"the follower is {copier.connection.follower.status.value}, {rule}"


def _started(terminal: SimulatedTerminal) -> float:
    """When the terminal's last start was."""
    return max((event.time for event in terminal.of_kind("started")), default=0.0)


def _copiers(world: World) -> list[SimulatedTerminal]:
    return [world.terminals[name] for name in SUBSCRIBERS]


def _events(world: World, kind: str) -> list[Event]:
    return [event for each in _copiers(world) for event in each.of_kind(kind)]


def _reconnected(terminal: SimulatedTerminal) -> bool:
    starts = [event.start for event in terminal.of_kind("connected")]
    return len(starts) > len(set(starts))


def _came_back(terminal: SimulatedTerminal) -> bool:
    """Whether the terminal has received states in two of its starts."""
    return len({event.start for event in terminal.of_kind("received")}) > 1


def _alarmed(world: World, name: str) -> bool:
    return any(event.fields["name"] == name for event in _events(world, "alarm"))


def _counted(world: World, name: str) -> bool:
    return any(each.counts[name] for each in world.terminals.values())


def _logged(world: World, text: str) -> bool:
    return any(each.logged(text) for each in world.terminals.values())


def _add_users(path: Path) -> dict[str, str]:
    """Create the provider's state file; returns a token of each login."""
    with closing(StateFile(path)) as state:
        users, tokens = UserStore(state), {}
        for login, password in PASSWORDS.items():
            users.add(login, new_password(password, CHEAP_PASSWORDS), Rights(), 0.0)
            tokens[login] = users.add_token(login, TOKEN_NAME, 0.0)
    return tokens
