"""The texts of ``python -m demos simulate``: what happened in a run, a sweep's sums, and a failing seed. 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap

from demos.launcher.study_options import shell_text
from demos.simulation.failures import Divergence, Failure
from demos.simulation.runs import Outcome, Run
from demos.simulation.sweep import ENOUGH_SEEDS, Sums

_WIDTH = 79
_INDENT = "  "
# The most faults of one run that are shown.
_MOST_FAULTS = 40
_PROGRAMS = "programs: starts, log lines, deals, exit code"
_PATHS = "recovery paths that were reached"


def run_text(outcome: Outcome) -> str:
    """What happened in one run."""
    run = outcome.run
    lines = [
        f"{label(run)}, seed {run.seed}: {duration(outcome.at)} simulated in {outcome.real:.1f} s",
        "",
        "faults",
        *_shown(outcome.script.splitlines() or ["none"]),
        "",
        _PROGRAMS,
        *(_terminal(*each) for each in outcome.terminals),
        "",
        "packets",
        *_wrapped(", ".join(f"{name}: {count:,}" for name, count in sorted(outcome.packets.items()))),
        "",
        _PATHS,
        *(outcome.paths or ["none"]),
        "",
    ]
    headings = {"", "faults", "packets", _PROGRAMS, _PATHS}
    body = [line if line in headings or number == 0 else _INDENT + line for number, line in enumerate(lines)]
    return "\n".join([*body, *_violation(outcome)])


def sums_text(scenario: str, sums: Sums) -> str:
    """What a sweep has found."""
    lines = [
        f"{scenario}: {sums.seeds} seeds, {duration(sums.simulated)} simulated in {sums.real:.0f} s",
        f"  {sums.starts:,} starts of programs, {sums.deals:,} deals, {sums.packets['sent']:,} packets",
        "  seeds in which each kind of fault was used",
        *_wrapped(_counts(sums.faults), _INDENT * 2),
        "  seeds in which each recovery path was reached",
        *(f"{_INDENT * 2}{count:6}  {name}" for name, count in sorted(sums.paths.items())),
    ]
    if sums.never and sums.seeds < ENOUGH_SEEDS:
        lines += _wrapped(f"never reached (an error from {ENOUGH_SEEDS} seeds on): {'; '.join(sums.never)}")
    result = sums.problem or "all invariants hold"
    if sums.failures:
        result += f": {', '.join(str(outcome.run.seed) for outcome in sums.failures)}"
    return "\n".join([*lines, *_wrapped(f"result: {result}")])


def failure_text(failure: Failure, script: Path) -> str:
    """A failing seed: the short script, the command that repeats it, and where its trace diverges."""
    short = failure.short
    count = len(short.script.splitlines())
    before = len(failure.whole.script.splitlines())
    folder, page = script.with_suffix(".trace"), str(script.with_suffix(".html"))
    complete = "" if failure.complete else ", then the budget was spent"
    return "\n".join(
        [
            f"seed {short.run.seed} of {label(short.run)}",
            *_violation(short),
            f"shortest fault script: {count} of {before} faults, after {failure.runs} runs{complete}",
            *(_INDENT + line for line in short.script.splitlines()),
            "repeat it with",
            f"{_INDENT}{command(short.run, script)}",
            "draw it with",
            f"{_INDENT}{command(short.run, script, folder)}",
            f"{_INDENT}python -m winsock.trace picture {shell_text([str(folder)])} --html {shell_text([page])}",
            *(line for each in failure.divergences for line in _divergence(each)),
            *(line for each in failure.not_compared for line in _wrapped(f"not compared: {each}", "")),
        ]
    )


def table_text(sums: Mapping[str, Sums], seconds: float) -> str:
    """A table in Markdown with one line for each scenario."""
    lines = [
        f"Each seed is {duration(seconds)} of simulated time.",
        "",
        "| scenario | seeds | simulated | real time | packets | starts | deals | failing seeds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, each in sums.items():
        failing = ", ".join(str(outcome.run.seed) for outcome in each.failures) or "none"
        lines.append(
            f"| {name} | {each.seeds:,} | {duration(each.simulated)} | {each.real:,.0f} s | {each.packets['sent']:,} "
            f"| {each.starts:,} | {each.deals:,} | {failing} |"
        )
    for name, each in sums.items():
        lines += ["", f"{name}: the seeds in which each fault was used and each recovery path was reached.", ""]
        lines += [f"- {what}: {count}" for what, count in [*sorted(each.faults.items()), *sorted(each.paths.items())]]
    return "\n".join(lines) + "\n"


def command(run: Run, script: Path | None = None, trace: Path | None = None) -> str:
    """The command line that repeats a run."""
    words = ["python", "-m", "demos", "simulate", run.scenario, "--seed", str(run.seed)]
    words += ["--minutes", _minutes(run.seconds)]
    if script is not None:
        words += ["--script", str(script)]
    if trace is not None:
        words += ["--trace", str(trace)]
    return shell_text(words)


def _minutes(seconds: float) -> str:
    """The shortest number of minutes that is exactly this time: the time decides the faults of a seed."""
    texts = (f"{seconds / 60:.{digits}g}" for digits in range(6, 18))
    return next((text for text in texts if float(text) * 60 == seconds), repr(seconds / 60))


def _shown(faults: list[str]) -> list[str]:
    """The first faults of a script; of a long one, also how many there are of each kind."""
    if len(faults) <= _MOST_FAULTS:
        return faults
    kinds = _counts(Counter(fault.split()[2] for fault in faults))
    texts = wrap(f"in all: {kinds}", _WIDTH - len(_INDENT), subsequent_indent=_INDENT, break_on_hyphens=False)
    return [*faults[:_MOST_FAULTS], f"… {len(faults):,} faults; --trace writes them all", *texts]


def label(run: Run) -> str:
    """The scenario's name; that of the file, where it is in one."""
    return Path(run.scenario).stem


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever is easiest to read."""
    if seconds < 120:
        return f"{seconds:g} s"
    return f"{seconds / 60:.4g} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def _terminal(name: str, starts: int, lines: int, deals: int, code: int | None) -> str:
    return f"{name:12} {starts:6} {lines:8} {deals:8}   {'it did not end' if code is None else code}"


def _violation(outcome: Outcome) -> list[str]:
    if outcome.violation is None:
        return ["result: all invariants hold"]
    invariant, text = outcome.violation
    return _wrapped(f"broken at {outcome.at:g} s: {invariant}: {text}", "")


def _divergence(divergence: Divergence) -> list[str]:
    return [
        *_wrapped(f"its trace first differs in line {divergence.line} from that of {divergence.passing}:", ""),
        *_wrapped(f"failing: {divergence.failing_text}"),
        *_wrapped(f"passing: {divergence.passing_text}"),
    ]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _wrapped(text: str, indent: str = _INDENT) -> list[str]:
    return wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent + _INDENT, break_on_hyphens=False)
