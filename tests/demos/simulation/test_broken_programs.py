"""Each scenario finds a program that is broken on purpose: the invariant that is there for it does not hold any more.

The scenario's file replaces a method of one terminal's program while that program runs.
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
