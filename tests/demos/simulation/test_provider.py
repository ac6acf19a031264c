"""The scenario of a provider and its copiers: its invariants hold under faults, and each finds what it is there for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from demos.simulation.runs import Outcome, Run, simulate

# The settling time, and some seconds for faults.
SECONDS = 260.0

HEAD = """
from dataclasses import replace
from unittest import mock

from demos.provider.clients import Clients
from demos.provider.guard import Guard, Refusal, Ticket
from demos.simulation.scenarios import provider
from demos.wire.channel import Channel

class Broken(provider.ProviderScenario):
    paths = ()
    fault_kinds = ("kill", "reset")
"""
# The guard of the provider's login desk has another method admit.
GUARD = """
    def build(self):
        super().build()
        provider = self.world.terminals["provider"]
        contexts = (lambda: mock.patch.object(Guard, "admit", admit),)
        provider.setup = replace(provider.setup, contexts=contexts)

original = Guard.admit
"""  # A method that is broken while the provider runs.
UNREADING = """
    def build(self):
        super().build()
        provider = self.world.terminals["provider"]
        contexts = (lambda: mock.patch.object({owner}, "{method}", broken),)
        provider.setup = replace(provider.setup, contexts=contexts)

original = {owner}.{method}
"""
# While one peer does not read, the others get nothing.
STARVING = (
    UNREADING.format(owner="Clients", method="pump")
    + """
def broken(clients, connection):
    if not any(each.stream.unsent for each in clients.connections.values()):
        original(clients, connection)
"""
)
# Orders are not stored before they are sent.
UNSTORED = """
def broken(journal, smb, order):
    journal.journal.file.commit = lambda: None
    try:
        original(journal, smb, order)
    finally:
        del journal.journal.file.commit
"""
# Of the orders that a killed copier has not finished, nothing is left at its next start.
FORGOTTEN = """
def broken(journal):
    with journal.file.writing(durable=False) as db:
        db.execute("DELETE FROM orders WHERE retcode IS NULL")
    return original(journal)
"""
JOURNAL = """
from demos.copier.{module} import {owner}
from demos.simulation.scenarios import provider

original = {owner}.{method}
{code}
class Broken(provider.ProviderScenario):
    paths = ()
    fault_kinds = ("kill",)

    def __init__(self, world):
        super().__init__(world)
        self.order_kills = 0.3

    def build(self):
        super().build()
        copier = self.world.terminals[self.subscribers[0]]
        contexts = (lambda: mock.patch.object({owner}, "{method}", broken),)
        copier.setup = replace(copier.setup, contexts=contexts)
"""
JOURNALS = [
    JOURNAL.format(module="order_journal", owner="OrderJournal", method="sending", code=UNSTORED),
    JOURNAL.format(module="journal", owner="Journal", method="unanswered", code=FORGOTTEN),
]
BROKEN = {
    "each deal has a message of its own": """
    def _copier(self, inputs):
        return super()._copier({**inputs, "factor": 5.0})
""",
    "positions agree": """
    def _copier(self, inputs):
        return super()._copier({**inputs, "url": "wss://provider:1"} if "url" in inputs else inputs)
""",
    "a revoked login receives nothing more": """
    def build(self):
        super().build()
        self.plan._do = lambda step, service: True
""",
    "wrong passwords lead to a ban": GUARD
    + """
def admit(guard, login, address, now):
    answer = original(guard, login, address, now)
    return Ticket(login, address, True) if isinstance(answer, Refusal) and answer.code == "banned" else answer
""",
    "a banned login receives nothing more": GUARD
    + """
def admit(guard, login, address, now):
    answer = original(guard, login, address, now)
    if isinstance(answer, Refusal) and answer.code == "banned":
        guard.unban(address, login, now)
    return answer
""",
    "a peer that does not read is dropped": UNREADING.format(owner="Channel", method="check")
    + """
def broken(channel, now):
    channel._progress_at = channel._unsent_since = now
    original(channel, now)
""",
    "nothing is prepared for a peer that does not read": UNREADING.format(owner="Clients", method="pump")
    + """
def broken(clients, connection):
    session = connection.session
    text = session.next_message(clients.shared.clock.utc_ms()) if session else None
    if text:
        clients._send(connection.websocket, clients._frame(text))
    elif session is None:
        original(clients, connection)
""",
    "no acknowledged state is forgotten": """
    def check(self):
        for name in self.subscribers:
            terminal = self.world.terminals[name]
            if not terminal.is_running:
                for file in terminal.host.disk.glob(f"{name}.memory.sqlite*"):
                    file.unlink()
        yield from super().check()

    def faults(self, chance, start, end):
        hosts = {name: self.world.terminals[name].host.name for name in self.subscribers}
        return parse_script("\\n".join(f"at {start + 10} kill {host}/{name} for 3" for name, host in hosts.items()))
""",
}


def run(scenario: str, seed: int) -> Outcome:
    return simulate(Run(scenario=scenario, seed=seed, seconds=SECONDS))


# Fewer on Windows: the scenario runs the same code there.
@pytest.mark.parametrize("seed", range(1, 3 if sys.platform == "win32" else 7))
def test_the_invariants_hold_under_faults(seed: int) -> None:
    outcome = simulate(Run(scenario="provider", seed=seed, seconds=600.0))
    assert outcome.violation is None, f"{outcome.violation}\n{outcome.script}"
    assert all(deals > 0 for name, _, _, deals, _ in outcome.terminals if name != "carol")


@pytest.mark.parametrize("invariant", BROKEN)
def test_a_defect_breaks_its_invariant(invariant: str, tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("from winsock.simulation.faults import parse_script\n" + HEAD + BROKEN[invariant], encoding="utf-8")
    found = {}
    for seed in range(1, 12):
        outcome = run(str(file), seed)
        if outcome.invariant is not None:
            found[seed] = outcome.violation
            break
    assert {violation[0] for violation in found.values() if violation} == {invariant}, found


def test_a_provider_that_serves_nobody_while_a_peer_does_not_read_is_found(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(HEAD + STARVING, encoding="utf-8")
    found = {invariant for seed in range(1, 4) if (invariant := run(str(file), seed).invariant)}
    assert found
    assert found <= {"positions agree", "no peer starves another"}


@pytest.mark.parametrize("code", JOURNALS)
def test_a_copier_that_loses_an_order_of_its_journal_at_a_kill_is_found(code: str, tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("from dataclasses import replace\nfrom unittest import mock\n" + code, encoding="utf-8")
    found = {invariant for seed in range(1, 4) if (invariant := run(str(file), seed).invariant)}
    assert found == {"each order is in the journal"}


def test_copiers_that_are_killed_at_their_orders_trade_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / "often.py"
    file.write_text(
        "from demos.simulation.scenarios import provider\n"
        "class Often(provider.ProviderScenario):\n"
        "    def __init__(self, world):\n"
        "        super().__init__(world)\n"
        "        self.order_kills = 0.3\n",
        encoding="utf-8",
    )
    outcomes = [run(str(file), seed) for seed in range(1, 5)]
    assert [outcome.violation for outcome in outcomes] == [None] * 4
    reached = {path for outcome in outcomes for path in outcome.paths}
    assert {"a copier is killed before an order", "a copier is killed after an order"} <= reached


def test_a_seed_gives_the_same_run_each_time_also_over_tls() -> None:
    first, second = (simulate(Run(scenario="provider", seed=3, seconds=200.0), trace=True) for _ in range(2))
    assert first.trace == second.trace
    assert first == second
