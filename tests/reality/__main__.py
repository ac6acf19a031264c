"""``python -m tests.reality``: runs a fault script on network namespaces and in the simulation, and compares."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from winsock.simulation.errors import SimulationError
from winsock.simulation.faults import parse_script

from .check import HOSTS, SCRIPT, check_real, check_simulated, table
from .namespaces import reason_to_skip
from .real_world import refused


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.reality",
        description="Run the programs of `python -m demos signal` on three hosts in network namespaces, with the "
        "faults of a script, check the simulation's invariants, and do the same in the simulation. Needs root on "
        "Linux. It takes about three minutes, because a second is a real second here.",
    )
    parser.add_argument("--seed", type=int, default=6, help="what the scenario chooses, and which frames are lost")
    parser.add_argument(
        "--script", type=Path, help="a fault script, see notes/simulation.md (default: every fault once)"
    )
    options = parser.parse_args()
    try:
        script = options.script.read_text(encoding="utf-8-sig", errors="replace") if options.script else SCRIPT
        problem = refused(parse_script(script), HOSTS) or reason_to_skip()
    except (OSError, SimulationError) as error:
        problem = str(error)
    if problem:
        parser.error(problem)
    real = check_real(script, options.seed, say=lambda text: print(text, flush=True))
    simulated = check_simulated(script, options.seed)
    print(f"\n{table(real, simulated)}")
    return 0 if real.violation is None and simulated.violation is None else 1


if __name__ == "__main__":
    sys.exit(main())
