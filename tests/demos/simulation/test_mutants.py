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
            terminal.setup = replace(terminal.setup, contexts=(mutant,))
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
