"""python -m tests.conformance [record] [SCENARIO or CONCERN …], or notes"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from winsock import BACKEND

from . import recordings, report
from .host import side, wine_version
from .recorder import Observation
from .runner import Scenario, collect, differences, run


def chosen(known: dict[str, Scenario], words: list[str]) -> list[Scenario]:
    names = {scenario.name for scenario in known.values()} | {scenario.concern for scenario in known.values()}
    for word in words:
        if word not in names:
            raise SystemExit(f"no scenario and no concern is called {word}")
    return [scenario for scenario in known.values() if not words or {scenario.name, scenario.concern} & {*words}]


def record(scenarios: Iterable[Scenario]) -> int:
    wine = wine_version()
    if wine is None:
        raise SystemExit("recordings come from Wine: tests/wine/run python -m tests.conformance record")
    concerns: dict[str, dict[str, list[Observation]]] = {scenario.concern: {} for scenario in scenarios}
    unfit = 0
    for scenario in collect().values():
        if scenario.concern in concerns:
            seen = concerns[scenario.concern][scenario.name] = run(scenario)
            if seen[-1][0] in ("stopped", "hangs"):
                unfit += 1
                print(f"{scenario.name}: {seen[-1]}")
    for concern, answers in concerns.items():
        recordings.save(concern, wine, answers)
        print(f"{concern}: {len(answers)} scenarios")
    return 1 if unfit else 0


def compare(scenarios: list[Scenario]) -> int:
    entries, failed = recordings.load(), 0
    for scenario in scenarios:
        if scenario.name not in entries:
            found = ["not recorded"]
        else:
            found = differences(run(scenario), recordings.expected(entries[scenario.name], side()))
        failed += bool(found)
        for line in found:
            print(f"{scenario.concern}/{scenario.name}: {line}")
    differing = sum("windows" in entries.get(scenario.name, ()) for scenario in scenarios)
    print(f"{BACKEND}: {len(scenarios) - failed} of {len(scenarios)} scenarios as on {side()}")
    print(f"Wine {recordings.version()} is known to answer unlike Windows in {differing} of them")
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance")
    parser.add_argument("words", nargs="*", metavar="record | notes | SCENARIO | CONCERN")
    words: list[str] = parser.parse_args(arguments).words
    if words == ["notes"]:
        report.write()
        return 0
    recording = words[:1] == ["record"]
    scenarios = chosen(collect(), words[recording:])
    return record(scenarios) if recording else compare(scenarios)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
