"""python -m tests.conformance [record] [SCENARIO or MODULE …], or notes"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from winsock import BACKEND
from winsock.command_line import run_command

from . import recordings, report
from .recorder import Observation
from .reference_system import reference_system, wine_version
from .runner import Scenario, collect, differences, run


def chosen(known: dict[str, Scenario], words: list[str]) -> list[Scenario]:
    names = {scenario.name for scenario in known.values()} | {scenario.concern for scenario in known.values()}
    for word in words:
        if word not in names:
            raise SystemExit(f"unknown scenario or module: {word!r}")
    return [scenario for scenario in known.values() if not words or {scenario.name, scenario.concern} & {*words}]


def record(scenarios: Iterable[Scenario]) -> int:
    wine = wine_version()
    if wine is None:
        raise SystemExit("answers are recorded on Wine: tests/wine/run python -m tests.conformance record")
    concerns: dict[str, dict[str, list[Observation]]] = {scenario.concern: {} for scenario in scenarios}
    failed = 0
    for scenario in collect().values():
        if scenario.concern in concerns:
            seen = concerns[scenario.concern][scenario.name] = run(scenario)
            if seen[-1][0] in ("stopped", "hangs"):
                failed += 1
                print(f"{scenario.name}: {seen[-1]}")
    for concern, answers in concerns.items():
        recordings.save(concern, wine, answers)
        print(f"{concern}: {len(answers)} scenarios")
    return 1 if failed else 0


def compare(scenarios: list[Scenario]) -> int:
    entries, failed = recordings.load(), 0
    for scenario in scenarios:
        if scenario.name not in entries:
            found = ["not recorded"]
        else:
            found = differences(run(scenario), recordings.expected(entries[scenario.name], reference_system()))
        failed += bool(found)
        for line in found:
            print(f"{scenario.concern}/{scenario.name}: {line}")
    differing = sum("windows" in entries.get(scenario.name, ()) for scenario in scenarios)
    print(f"{BACKEND}: {len(scenarios) - failed} of {len(scenarios)} scenarios answer as {reference_system()}")
    print(f"Wine {recordings.version()} is known to differ from Windows in {differing} of them")
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance")
    parser.add_argument("words", nargs="*", metavar="record | notes | SCENARIO | MODULE")
    words: list[str] = parser.parse_args(arguments).words
    if words == ["notes"]:
        report.write()
        return 0
    recording = words[:1] == ["record"]
    scenarios = chosen(collect(), words[recording:])
    return record(scenarios) if recording else compare(scenarios)


if __name__ == "__main__":
    sys.exit(run_command("python -m tests.conformance", lambda: main(sys.argv[1:])))
