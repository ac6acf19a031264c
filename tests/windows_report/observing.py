"""The child process that runs scenarios or facts, and writes what they observe to the log that `resuming` explains.

python -m tests.windows_report.observing scenarios|facts [NAME or MODULE …]
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.conformance import runner
from tests.windows_facts import facts
from tests.windows_facts.runner import holds, reason_to_skip

from .resuming import LOG, append, known_items

Outcome = tuple[str, Any]


def _scenario(scenario: runner.Scenario) -> Outcome:
    return "observed", runner.run(scenario)


def _fact(fact: facts.Fact) -> Outcome:
    reason = reason_to_skip(fact)
    if reason:
        return "skipped", reason
    same, seen = holds(fact)
    return "as on Windows" if same else "different", seen


def items(kind: str, words: Sequence[str]) -> dict[str, Callable[[], Outcome]]:
    """The scenarios or facts with these names, or in these modules; without words all. Each is a function to run it.

    Errors: ValueError for an unknown name.
    """
    if kind == "scenarios":
        known = runner.collect()
        groups = {name: scenario.concern for name, scenario in known.items()}
        run = {name: partial(_scenario, scenario) for name, scenario in known.items()}
    else:
        found = facts.collect()
        groups = {name: fact.topic for name, fact in found.items()}
        run = {name: partial(_fact, fact) for name, fact in found.items()}
    for word in words:
        if word not in groups and word not in groups.values():
            raise ValueError(f"unknown name in {kind}: {word!r}")
    return {name: run[name] for name in groups if not words or {name, groups[name]} & {*words}}


def main(arguments: Sequence[str]) -> int:
    log = Path(os.environ[LOG])
    kind, *words = arguments
    chosen, known = items(kind, words), known_items(log)
    append(log, total=len(chosen))
    for name, run in chosen.items():
        if name not in known:
            append(log, begin=name)
            outcome, detail = run()
            append(log, end=name, outcome=outcome, detail=detail)
    append(log, finished=True)
    return 0


if __name__ == "__main__":
    main(sys.argv[1:])
    # A scenario that hangs has left a thread in a call; the process does not wait for it.
    sys.stdout.flush()
    os._exit(0)
