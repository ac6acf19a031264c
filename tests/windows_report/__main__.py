"""python -m tests.windows_report [--only PART …] [--output FILE], or merge FILE [--try FOLDER]"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.reference_system import wine_version
from winsock.command_line import printable, run_command

from . import evidence, form, making, merging, notes, system
from .resuming import CHECKOUT
from .screen import Screen

_PROG = "python -m tests.windows_report"
_MAKE_TEXT = """\
Run the tests, the recorded scenarios, the facts and the article's three pairs
on this Windows, and write the results to one file. Attach the file to an issue.
It may take half an hour; Ctrl-C ends it and writes what there is so far.

The file has versions (Windows, Python, Winsock, commit), the names and messages
of failing tests, and the results of calls. It has no user name, no name or
address of the machine, and no path outside the clone. It is text: look into it
before you send it.
"""
_MAKE_EPILOG = """\
parts:
  tests          the tests; tests/api: one folder; tests/api/test_udp.py: a file
  scenarios      the recorded scenarios; scenarios/binding: a module or scenario
  facts          the facts about Windows; facts/queues: one topic or fact
  pairs          the demos; pairs/signal, pairs/tpl, pairs/ticks: one pair

examples:
  py -m pip install -e ".[test]"
  py -m tests.windows_report
  py -m tests.windows_report --only scenarios facts --output short.json

A maintainer adds a report to the recordings, the notes:
  python -m tests.windows_report merge FILE

exit codes:
  0  the report is complete; tests may have failed
  1  a part has ended early; the file says why
  2  invalid options, or this is no Windows
"""
_MERGE_TEXT = """\
Check a report and add it to the recordings (tests/conformance/recordings), to
tests/windows_report/reports.json, to notes/differences.md and to notes/figures.md.
What is documented or recorded stays as it is: what contradicts it is printed.
Merging the same file again changes nothing. Look at the changes with git diff.
"""


def _maker() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description=_MAKE_TEXT,
        epilog=_MAKE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="PART", help="run these parts only")
    parser.add_argument(
        "--output", type=Path, default=Path("windows-report.json"), metavar="FILE", help="default: windows-report.json"
    )
    parser.add_argument(
        "--processes", type=int, default=2, metavar="N", help="run the folders of tests in N processes (default: 2)"
    )
    return parser


def _merger() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{_PROG} merge", description=_MERGE_TEXT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--try", type=Path, metavar="FOLDER", dest="folder",
        help="merge into a copy in this new folder; a report from Wine is accepted there",
    )  # fmt: skip
    return parser


def make(arguments: Sequence[str]) -> int:
    """Makes a report and writes it."""
    parser = _maker()
    options = parser.parse_args(arguments)
    try:
        chosen = making.selection(options.only)
    except ValueError as error:
        parser.error(str(error))
    if options.processes < 1:
        parser.error(f"--processes {options.processes}: at least 1 is required")
    if sys.platform != "win32":
        parser.error(f"a report is made on Windows, and this is {sys.platform}; here run python -m pytest")
    _check_packages(parser, chosen)
    _check_output(parser, options.output)
    wine = wine_version()
    if wine:
        print(f"This is Wine {wine}. The report shows how the command works, and nothing about Windows.", flush=True)
    screen = Screen()
    report = making.make(chosen, options.processes, screen)
    raw = (json.dumps(report, separators=(",", ":")) + "\n").encode("ascii")
    options.output.write_bytes(raw)
    try:
        form.check(raw)
    except form.ReportError as error:
        print(f"{_PROG}: warning: a maintainer will have to correct the file: {error}", file=sys.stderr)
    print(f"{report['system']['windows']}, Python {report['system']['python']}")
    for part, found in report["parts"].items():
        print(f"{part}: {printable(making.summary(part, found))}")
    print(f"Attach this file to an issue: {options.output} ({len(raw):,} bytes)")
    return 1 if any(found["problem"] for found in report["parts"].values()) else 0


def _check_packages(parser: argparse.ArgumentParser, chosen: making.Selection) -> None:
    lacking = system.missing(system.NEEDED) if "tests" in chosen else []
    if lacking:
        parser.error(f'not installed: {", ".join(lacking)}; install them: py -m pip install -e ".[test]"')
    optional = system.missing(system.OPTIONAL) if "tests" in chosen else []
    if optional:
        print(f'Not installed, so some tests are skipped: {", ".join(optional)} (py -m pip install -e ".[test]")')


def _check_output(parser: argparse.ArgumentParser, output: Path) -> None:
    """Refuses a file that cannot be written before anything runs."""
    if output.is_dir() or not output.absolute().parent.is_dir():
        parser.error(f"--output {printable(str(output))}: a file in an existing folder is required")
    if not os.access(output if output.exists() else output.absolute().parent, os.W_OK):
        parser.error(f"--output {printable(str(output))}: it cannot be written")


def merge(arguments: Sequence[str]) -> int:
    """Merges a report into this clone, or into a copy."""
    parser = _merger()
    options = parser.parse_args(arguments)
    try:
        root, lines = _merge(options.file, options.folder)
    except form.ReportError as error:
        problem = f"{options.file}: {error}"
    except notes.TreeError as error:
        problem = f"nothing was merged: {error}"
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}"
    else:
        for line in [*lines, f"merged into {root}"]:
            print(printable(line))
        return 0
    print(f"{_PROG} merge: {printable(problem)}", file=sys.stderr)
    return 1


def _merge(file: Path, copy: Path | None) -> tuple[Path, list[str]]:
    """Merges into the clone, or into a copy that it makes; returns the tree, and lines for the maintainer."""
    report = form.read(file)
    if copy is None:
        evidence.refuse_wine(report, CHECKOUT)
    planned = merging.plan(report, CHECKOUT)
    if copy is not None:
        merging.copy_tree(CHECKOUT, copy)
    root = copy or CHECKOUT
    merging.write(planned.files, root)
    return root, planned.lines


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["merge"]:
        return merge(arguments[1:])
    return make(arguments)


if __name__ == "__main__":
    sys.exit(run_command(_PROG, lambda: main(sys.argv[1:])))
