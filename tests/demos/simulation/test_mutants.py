"""Programs that are broken on purpose, each in one place: the invariants of signal, template and ticks find them."""

from __future__ import annotations

from pathlib import Path

import pytest

from demos.simulation.runs import Run, simulate

SEEDS = range(1, 13)
SECONDS = 600

# A scenario that replaces one function while any of its terminals runs. The simulation has modules of its own, so the
# replacement takes place there; they are kept for the next run, so it is undone at the end.
SCENARIO = """
from contextlib import contextmanager
from dataclasses import replace

from demos.simulation.scenarios.{scenario} import {base}
{code}

original = {owner}.{name}
running = []

@contextmanager
def mutant():
    running.append(1)
    {owner}.{name} = mutated
    try:
        yield
    finally:
        running.pop()
        if not running:
            {owner}.{name} = original

class Mutant({base}):
    paths = ()

    def build(self):
        super().build()
        for terminal in self.world.terminals.values():
            terminal.setup = replace(terminal.setup, contexts=(*terminal.setup.contexts, mutant))
"""

STORE = """
from demos.collector.store import TickStore

add = TickStore.add

def mutated(self, batch):
    add(self, batch)
    self._db.execute("{statement}", (batch.time,))
"""

COLUMNS = "symbol, bid, digits, sender, time"
DOUBLED = f"INSERT INTO ticks ({COLUMNS}) SELECT {COLUMNS} FROM ticks WHERE time = ?"
FIRST_MISSING = "DELETE FROM ticks WHERE id = (SELECT min(id) FROM ticks WHERE time = ?)"

NO_BACK_OFF = """
from demos.copier.connection import ServerConnection

start = ServerConnection.StartClient

def mutated(self, addr, port):
    start(self, addr, port)
    self._connect_due = 0
"""

NO_PAUSE = """
from demos.wire.backoff import Backoff

failed = Backoff.failed

def mutated(self, now):
    self.failures = 0
    return failed(self, now)
"""

CUT_MESSAGE = """
from demos.copier.connection import ServerConnection

receive = ServerConnection.Receive

def mutated(self):
    ended = receive(self)
    if ended:
        self.msg.feed(b">>")
    return ended
"""


def broken(tmp_path: Path, code: str, scenario: str, base: str, owner: str, name: str) -> set[str | None]:
    """The invariants that some seeds break, until the first one is broken."""
    path = tmp_path / "mutant.py"
    text = SCENARIO.format(code=code, scenario=scenario, base=base, owner=owner, name=name)
    path.write_text(text, encoding="utf-8")
    for seed in SEEDS:
        if (outcome := simulate(Run(scenario=str(path), seed=seed, seconds=SECONDS))).violation:
            return {outcome.invariant}
    return set()


@pytest.mark.parametrize("statement", [DOUBLED, FIRST_MISSING])
def test_a_collector_that_stores_other_ticks_than_it_receives_is_found(statement: str, tmp_path: Path) -> None:
    code = STORE.format(statement=statement)
    assert broken(tmp_path, code, "ticks", "TicksScenario", "TickStore", "add") == {"what is received is stored"}


def test_a_copier_that_connects_without_pauses_is_found(tmp_path: Path) -> None:
    found = broken(tmp_path, NO_BACK_OFF, "signal", "SignalScenario", "ServerConnection", "StartClient")
    assert found == {"the pauses between connects grow"}


def test_a_chart_client_whose_pauses_do_not_grow_is_found(tmp_path: Path) -> None:
    found = broken(tmp_path, NO_PAUSE, "template", "TemplateScenario", "Backoff", "failed")
    assert found == {"the pauses between connects grow"}


def test_a_copier_that_reads_a_cut_message_as_a_whole_one_is_found(tmp_path: Path) -> None:
    found = broken(tmp_path, CUT_MESSAGE, "signal", "SignalScenario", "ServerConnection", "Receive")
    assert found == {"messages state the provider's positions in their order"}


STARVING_PORT = """
from demos.provider.plain import PlainServer

original = PlainServer._send

def mutated(self):
    everyone, stalled = self.clients, [client for client in self.clients if client.stalled_at]
    self.clients = stalled.copy() or everyone
    original(self)
    if stalled:
        self.clients = [client for client in everyone if client not in stalled or client in self.clients]
"""

NO_LIMIT = """
from demos.provider.plain import PlainServer

original = PlainServer._sent

def mutated(self, client, message, res, now):
    client.stalled_at = 0
    original(self, client, message, res, now)
"""

NO_END = """
from demos.provider.plain import PlainServer
from demos.terminal import EventKillSocket

original = PlainServer._close

def mutated(self, client):
    if client.failed:
        original(self, client)
        return
    EventKillSocket(client.socket)
    self.clients.remove(client)
    self._limits.remove(client)
"""


@pytest.mark.parametrize(
    ("code", "name", "invariant"),
    [
        (STARVING_PORT, "_send", "positions agree"),
        (NO_LIMIT, "_sent", "a peer that does not read is dropped"),
        (NO_END, "_close", "handles stay bounded"),
    ],
)
def test_a_plain_port_that_a_hostile_peer_can_harm_is_found(
    code: str, name: str, invariant: str, tmp_path: Path
) -> None:
    assert broken(tmp_path, code, "signal", "SignalScenario", "PlainServer", name) == {invariant}


LEAK = """
from demos.copier import transport

def mutated(s):
    return 0
"""

KEPT_MESSAGES = """
from demos.copier.plain_messages import PlainMessages

original = PlainMessages.CheckMessage

def mutated(self, *args):
    self.kept = [*getattr(self, "kept", ()), args]
    original(self, *args)
"""

KEPT_CLIENTS = """
from demos.provider.plain import PlainServer

original = PlainServer._close

def mutated(self, client):
    self.gone = [*getattr(self, "gone", ()), client]
    original(self, client)
"""


@pytest.mark.parametrize(("scenario", "base"), [("proxy", "ProxyScenario"), ("sentiment", "SentimentScenario")])
def test_a_client_that_does_not_close_the_socket_of_a_failed_connect_is_found(
    scenario: str, base: str, tmp_path: Path
) -> None:
    assert broken(tmp_path, LEAK, scenario, base, "transport", "closesocket") == {"handles stay bounded"}


@pytest.mark.parametrize(
    ("code", "owner", "name"),
    [(KEPT_MESSAGES, "PlainMessages", "CheckMessage"), (KEPT_CLIENTS, "PlainServer", "_close")],
)
def test_a_program_that_forgets_nothing_is_found(code: str, owner: str, name: str, tmp_path: Path) -> None:
    assert broken(tmp_path, code, "signal", "SignalScenario", owner, name) == {"memory stays bounded"}


STARVING_SERVER = """
from demos.chartfeed import serving

original = serving.serve
blocked = []

def mutated(client, message):
    if blocked and blocked[0] is not client and blocked[0].output:
        return True
    is_open = original(client, message)
    blocked[:] = [client] if client.output and is_open else []
    return is_open
"""

NO_STALL = """
from demos.chartfeed import serving

original = serving._elapsed

def mutated(client):
    return 0 if client.output else original(client)
"""


@pytest.mark.parametrize(
    ("code", "name", "invariant"),
    [
        (STARVING_SERVER, "serve", "the newest template is applied"),
        (NO_STALL, "_elapsed", "a peer that does not read is dropped"),
    ],
)
def test_a_chart_server_that_a_hostile_peer_can_harm_is_found(
    code: str, name: str, invariant: str, tmp_path: Path
) -> None:
    assert broken(tmp_path, code, "template", "TemplateScenario", "serving", name) == {invariant}


# It is only for the visitor: the follower has the same modules.
NO_DOWNLOAD = """
from demos.chartfeed import client_connection
from winsock.simulation.dispatch import running_process

def mutated(client):
    if running_process().name == "visitor" and running_process().monotonic() > 300:
        raise client_connection.Disconnected("never again", temporary=True)
    return original(client)
"""


def test_a_client_whose_downloads_fail_for_good_is_found(tmp_path: Path) -> None:
    found = broken(tmp_path, NO_DOWNLOAD, "template", "TemplateScenario", "client_connection", "read")
    assert found == {"a download succeeds"}


STARVING_HUB = """
from demos.ideas.hub import Hub

original = Hub._pump

def mutated(self, client, now):
    if not any(each.stream.unsent for each in self._clients.values() if each is not client):
        original(self, client, now)
"""

NO_STALL_IN_HUB = """
from demos.wire.channel import Channel

def mutated(self, now):
    pass
"""


@pytest.mark.parametrize(
    ("code", "owner", "name", "invariant"),
    [
        (STARVING_HUB, "Hub", "_pump", "the values agree"),
        (NO_STALL_IN_HUB, "Channel", "check", "a peer that does not read is dropped"),
    ],
)
def test_a_hub_that_a_hostile_peer_can_harm_is_found(
    code: str, owner: str, name: str, invariant: str, tmp_path: Path
) -> None:
    assert broken(tmp_path, code, "indicator", "IndicatorScenario", owner, name) == {invariant}


# After half of the run it gives up, and drops what it has.
NO_TICKS = """
from demos.simulation.scenarios import ticks

class Mutant(ticks.TicksScenario):
    paths = ()

    def check(self):
        if self.world.now > self.world.seconds / 2 and (module := self.world.terminals["sender1"].module) is not None:
            module.SendTicks = module.pending.clear
        yield from super().check()
"""

FEW_READS = """
from demos.simulation.scenarios import ticks

class Mutant(ticks.TicksScenario):
    paths = ()

    def check(self):
        if (module := self.world.terminals["collector"].module) is not None:
            module.MAX_READS = 20
        yield from super().check()
"""


@pytest.mark.parametrize("code", [FEW_READS, NO_TICKS])
def test_ticks_that_do_not_arrive_because_of_a_flood_or_are_not_sent_are_found(code: str, tmp_path: Path) -> None:
    path = tmp_path / "mutant.py"
    path.write_text(code, encoding="utf-8")
    outcomes = (simulate(Run(scenario=str(path), seed=seed, seconds=SECONDS)) for seed in SEEDS)
    assert next((found for each in outcomes if (found := each.invariant)), None) == "ticks arrive again"
