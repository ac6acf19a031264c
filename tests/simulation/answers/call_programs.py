"""Random call programs on the simulation: the same traces as on compat.

On systems other than Windows compat runs the same program, so any number can be compared. Elsewhere the recorded
programs have compat's traces.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

from winsock import MAKEWORD
from winsock.simulation import dispatch

from . import world

Program: TypeAlias = "dict[str, Any]"
Trace: TypeAlias = "list[list[Any]]"

RECORDED = Path(__file__).with_name("call_programs.jsonl")
RECORDED_PROGRAMS = 100


def simulated(program: Program) -> Trace:
    """The trace of a program in a simulated process; it ends with how the process ended where it did not return."""
    loaded = world.programs()
    running = loaded.interpreter.RunningProgram(program["nonblocking"])
    raised: list[BaseException] = []

    def run_steps() -> None:
        calls = dispatch.calls
        assert calls.WSAStartup(MAKEWORD(2, 2), loaded.runner.WSADATA()) == 0
        loaded.interpreter.run_steps(running, program, raised)
        while calls.WSACleanup() == 0:
            pass

    end = world.run(run_steps)
    if end:
        running.trace.append([end])
    elif raised:
        raise raised[0]
    running.trace += [["violates a rule", breach] for breach in running.breaches]
    return list(running.trace)


def compared(program: Program, compat: Trace) -> str:
    """The first difference between a program's trace on the simulation and on compat, as text; "" if there is none."""
    seen = simulated(program)
    if seen == compat:
        return ""
    steps = program["steps"]
    place = next(
        (at for at, (one, other) in enumerate(zip(seen, compat, strict=False)) if one != other),
        min(len(seen), len(compat)),
    )
    lines = [f"start: {program['start']}, {'nonblocking' if program['nonblocking'] else 'blocking'}"]
    lines += [f"  {step} -> {answer}" for step, answer in zip(steps[:place], compat, strict=False)]
    step = steps[place] if place < len(steps) else "the end"
    lines.append(f"  {step} -> compat {compat[place : place + 1]}, simulation {seen[place : place + 1]}")
    return "\n".join(lines)


def on_compat(program: Program) -> Trace:
    """The trace of a program on compat, without the accelerator. It adds what it violates, as `simulated` does."""
    from tests.properties.reference import on_the_reference
    from tests.properties.running import run

    with on_the_reference():
        outcome = run(program)
    return [*outcome.trace, *(["violates a rule", breach] for breach in outcome.breaches)]


def recorded() -> list[tuple[Program, Trace]]:
    """The recorded programs with compat's traces."""
    lines = RECORDED.read_text(encoding="ascii").splitlines()
    return [(entry["program"], entry["trace"]) for entry in map(json.loads, lines)]


def record() -> None:
    """Write the recorded programs again, with the traces of compat on this machine."""
    from tests.properties.generating import batch

    found: list[Program] = []
    number = 0
    while len(found) < RECORDED_PROGRAMS:
        found += batch(number)
        number += 1
    entries = [{"program": program, "trace": on_compat(program)} for program in found[:RECORDED_PROGRAMS]]
    text = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries)
    RECORDED.write_text(text, encoding="ascii", newline="\n")
