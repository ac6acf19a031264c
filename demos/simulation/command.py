"""``python -m demos simulate``: runs the demos on a simulated network under faults, and checks what must hold."""

from __future__ import annotations

import argparse
import errno
import os
import re
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from textwrap import fill

from demos.launcher import option_types
from demos.launcher.command_help import HELP_WIDTH, add_command
from demos.simulation import report
from demos.simulation.failures import explain, script_path, write_failure, write_file
from demos.simulation.progress import Lines, RunProgress, SweepProgress
from demos.simulation.runs import Outcome, Run, simulate
from demos.simulation.scenarios.registry import SCENARIOS, find_scenario
from demos.simulation.sweep import Sums, sweep
from demos.terminal.interfaces import OutputError, ProgramError
from demos.terminal.runtime.log import escaped
from winsock.command_line import write_final_line
from winsock.interrupts import interrupted_by_signals
from winsock.simulation.errors import SimulationError
from winsock.simulation.faults import parse_script

ALL = "all"
_PROG = "python -m demos simulate"
_MINUTES = 10.0
# The faults of a seed are chosen before the run, and their number grows with its time.
_MOST_HOURS = 10_000
_MOST_SEEDS = 1_000_000
_RANGE = re.compile(r"(?:(?P<name>[a-z]+)=)?(?P<first>\d{1,9})-(?P<last>\d{1,9})", re.ASCII)

# The most failing seeds of a sweep that are shrunk and shown.
_MOST_EXPLAINED = 3

_DESCRIPTION = """
Run programs of the demos on a simulated network, let faults happen, and check
in each simulated second what must hold. The network, its hosts and the time
are simulated: ten minutes take a moment, and the same seed always gives the
same run.

The programs are the product programs, as in the jobs `python -m demos signal`,
`tpl`, `ticks` and so on. The study programs are not used: as the article's
programs, they do not recover from all faults.

A seed decides the prices, the times on the network and the faults: links
fail, lose and delay packets, hosts crash, freeze and vanish, programs are
killed, connections are reset, clocks jump. --script replaces its faults.
All programs must recover within some minutes after the last fault.

With --seeds many seeds are run in parallel processes. Such a sweep also fails
if a kind of fault was never used or a recovery path never reached. A failing
seed is shrunk to the shortest fault script that breaks the same invariant,
and shown with the command that repeats it.
"""

_EPILOG = """
a fault script has one fault on each line, with times in seconds:
  at 30 partition provider copier1 for 15     the two do not reach each other
  at 60 crash provider for 3                  power off, then a restart
  at 90 freeze copier1 for 70                 its programs stop
  at 100 kill provider/provider for 1         one program ends and starts again
  at 120 reset provider copier1               its connections are reset
  at 150 rule provider copier1 loss=0.3 for 20
notes/simulation.md describes all faults.

examples:
  python -m demos simulate signal --seed 7 --hours 24
  python -m demos simulate signal --seed 7 --trace trace
  python -m winsock.trace picture trace --html talk.html
  python -m demos simulate ticks --seeds 1-200 --processes 4
  python -m demos simulate all --seeds 1-200 --table results.md

exit codes:
  0  all invariants hold
  1  an invariant is broken, a fault or recovery path was never reached, or a
     process of the sweep was ended
  2  invalid options, an invalid fault script, or packages are missing
  4  a file cannot be read or written
"""


def add_parser(subparsers: option_types.SubParsers) -> None:
    """Declare the subcommand."""
    scenarios = "\n".join(_listed(name, entry.summary) for name, entry in SCENARIOS.items())
    parser = add_command(
        subparsers,
        "simulate",
        "run the demos on a simulated network under faults",
        _DESCRIPTION,
        f"scenarios:\n{scenarios}\n{_listed(ALL, 'all of them')}\n{_EPILOG}",
    )
    parser.add_argument(
        "scenario",
        metavar="SCENARIO",
        help="one of those below, or a .py file with a subclass of demos.simulation.scenario.Scenario",
    )
    _add_runs(parser)
    _add_outputs(parser)


def _listed(name: str, summary: str) -> str:
    return fill(f"  {name:10} {summary}", HELP_WIDTH, subsequent_indent=" " * 13)


def _add_runs(parser: argparse.ArgumentParser) -> None:
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=option_types.count, default=1, metavar="N", help="the seed (default: 1)")
    seeds.add_argument(
        "--seeds",
        type=_seeds,
        action="append",
        metavar="A-B",
        help="run all these seeds; NAME=A-B concerns one scenario of `all`",
    )
    times = parser.add_mutually_exclusive_group()
    times.add_argument("--minutes", type=option_types.above_zero, metavar="N", help="simulate this time (default: 10)")
    times.add_argument("--hours", type=option_types.above_zero, metavar="N", help="simulate this time")
    parser.add_argument("--script", type=Path, metavar="FILE", help="use the faults of this file")
    parser.add_argument(
        "--processes",
        type=option_types.whole,
        default=os.cpu_count() or 1,
        metavar="N",
        help="run this many seeds at the same time (default: one for each core)",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trace", type=Path, metavar="DIR", help="write the network's trace, the logs and each process's calls here"
    )
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the sums of --seeds as a Markdown table")
    parser.add_argument(
        "--budget",
        type=option_types.count,
        default=100,
        metavar="N",
        help="shrink a failing script with at most this many runs (default: 100; 0: do not shrink)",
    )
    parser.add_argument(
        "--failures",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="write the short scripts of failing seeds here (default: the current folder)",
    )


def main(args: argparse.Namespace) -> int:
    """Run one seed or a sweep; returns the exit code. A failure of the command itself is one line."""
    try:
        with interrupted_by_signals():
            _check(args)
            return _run_sweeps(args) if args.seeds else _run_one(args)
    except (SimulationError, ProgramError, ImportError) as error:
        return _end(2, str(error))
    except BrokenProcessPool:
        return _end(1, "a process of the sweep was ended from outside; if memory is short, use fewer --processes")
    except OutputError as error:
        return _end(error.code, str(error))
    except OSError as error:
        if error.filename is None:
            raise  # of standard output: run_command reports it
        return _end(4, f"{error.filename}: {error.strerror}")


def _check(args: argparse.Namespace) -> None:
    """Errors: ProgramError or SimulationError for options that cannot be used, alone or together; OSError for files."""
    if not _is_scenario(args.scenario):
        raise ProgramError(f"{escaped(args.scenario)!r} is not a scenario: see --help")
    if args.seeds and (args.script or args.trace):
        raise ProgramError("--script and --trace concern one run: use --seed instead of --seeds")
    if not args.seeds and args.scenario == ALL:
        raise ProgramError("`all` needs --seeds, as in --seeds 1-40")
    if args.table and not args.seeds:
        raise ProgramError("--table needs --seeds: it has the sums of many runs")
    if _seconds(args) > _MOST_HOURS * 3600:
        raise ProgramError(f"the time is too long: at most {_MOST_HOURS:,} hours can be simulated")
    for name in _names(args) if args.seeds else ():
        _seeds_of(name, args)
    if args.trace and args.trace.is_dir() and any(args.trace.iterdir()):
        raise ProgramError(f"the folder of --trace has files already: {args.trace}")
    if args.scenario == ALL:
        _check_time(_seconds(args))
    _check_files(args)


def _check_time(seconds: float) -> None:
    """Find out before the runs that the time is too short for one of the scenarios. Errors: SimulationError."""
    from demos.simulation.engine import check_shortest_time

    for name in SCENARIOS:
        try:
            check_shortest_time(find_scenario(name), seconds)
        except SimulationError as error:
            raise SimulationError(f"{name}: {error}") from None


def _check_files(args: argparse.Namespace) -> None:
    """Find out before the runs that a file cannot be written. Errors: OSError."""
    if args.table:
        args.table.open("a", encoding="utf-8").close()
    if args.failures != Path():
        args.failures.mkdir(parents=True, exist_ok=True)
        if not os.access(args.failures, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(args.failures))


def _run_one(args: argparse.Namespace) -> int:
    run = Run(scenario=args.scenario, seed=args.seed, seconds=_seconds(args), script=_script(args.script))
    if args.trace:
        args.trace.mkdir(parents=True, exist_ok=True)
    outcome = simulate(run, folder=args.trace, progress=RunProgress(run).show)
    if args.trace:
        write_file(args.trace / "network.txt", outcome.trace)
        write_file(args.trace / "script.faults", outcome.script)
    print(report.run_text(outcome), flush=True)
    if outcome.violation is None:
        return 0
    if args.script is None:
        _explain(outcome, args)
    return 1


def _run_sweeps(args: argparse.Namespace) -> int:
    found: dict[str, Sums] = {}
    for name in _names(args):
        progress = SweepProgress(name)
        seeds = _seeds_of(name, args)
        try:
            found[name] = sweep(name, seeds, _seconds(args), args.processes, progress.show)
        except BaseException:
            # Ctrl-C, or an exception of one run: show what the others have found.
            if progress.sums.seeds:
                _show_interrupted({**found, name: progress.sums}, name, len(seeds), args)
            raise
        # Before the scripts are shrunk, which may take longer than the sweep and be interrupted.
        print(report.sums_text(name, found[name]), flush=True)
        _write_table(found, args)
        for outcome in found[name].failures[:_MOST_EXPLAINED]:
            _explain(outcome, args)
    return 1 if any(sums.problem for sums in found.values()) else 0


def _names(args: argparse.Namespace) -> list[str]:
    """The scenarios that are run."""
    return list(SCENARIOS) if args.scenario == ALL else [args.scenario]


def _show_interrupted(found: dict[str, Sums], name: str, seeds: int, args: argparse.Namespace) -> None:
    """Show and write what a sweep has found before it was interrupted."""
    sums = found[name]
    print(report.sums_text(name, sums), f"  interrupted after {sums.seeds} of {seeds} seeds", sep="\n", flush=True)
    for outcome in sorted(sums.failures, key=lambda each: each.run.seed):
        _show_failure(outcome)
    _write_table(found, args)


def _write_table(found: dict[str, Sums], args: argparse.Namespace) -> None:
    if args.table:
        write_file(args.table, report.table_text(found, _seconds(args)))


def _show_failure(outcome: Outcome) -> None:
    invariant, text = outcome.violation or ("", "")
    print(f"seed {outcome.run.seed}: {invariant}: {text}\n  {report.command(outcome.run)}", flush=True)


def _explain(outcome: Outcome, args: argparse.Namespace) -> None:
    """Shrink a failing run's script, write it, and show it."""
    if args.budget == 0:
        _show_failure(outcome)
        return
    failure = explain(outcome, args.budget, Lines().show)
    # Shown first: the script must not be lost when it cannot be written.
    print(report.failure_text(failure, script_path(outcome.run, args.failures)), flush=True)
    write_failure(failure, args.failures)


def _seconds(args: argparse.Namespace) -> float:
    hours: float | None = args.hours
    minutes: float | None = args.minutes
    return hours * 3600 if hours is not None else (minutes or _MINUTES) * 60


def _seeds_of(scenario: str, args: argparse.Namespace) -> range:
    """The seeds of one scenario: those that name it, else those for all. Errors: ProgramError when there are none."""
    own = [seeds for name, seeds in args.seeds if name == scenario]
    common = [seeds for name, seeds in args.seeds if not name]
    if not (own or common):
        raise ProgramError(f"--seeds has no seeds for {scenario}")
    found: range = (own or common)[-1]
    return found


def _is_scenario(text: str) -> bool:
    return text in SCENARIOS or text == ALL or (text.endswith(".py") and Path(text).is_file())


def _seeds(text: str) -> tuple[str, range]:
    """``1-200``, or ``signal=1-200``: a scenario's name, or "", and its seeds."""
    match = _RANGE.fullmatch(text)
    name = (match["name"] or "") if match else ""
    if match and (not name or name in SCENARIOS):
        seeds = range(int(match["first"]), int(match["last"]) + 1)
        if 0 < len(seeds) <= _MOST_SEEDS:
            return name, seeds
    raise argparse.ArgumentTypeError(f"{escaped(text)!r} is not A-B, as in 1-200, or SCENARIO=A-B")


def _script(path: Path | None) -> str | None:
    """The text of a fault script. Errors: OSError; SimulationError for an invalid script."""
    if path is None:
        return None
    # An editor on Windows may put the signature of UTF-8 first.
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    parse_script(text)
    return text


def _end(code: int, problem: str) -> int:
    write_final_line(f"{_PROG}: error: {problem}\n")
    return code
