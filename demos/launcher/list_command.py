"""``python -m demos list``: the programs, each with its one-line description."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from demos.registry import list_programs

if TYPE_CHECKING:
    from demos.launcher.run_command import SubParsers


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    subparsers.add_parser("list", help="name the programs", description="Name the programs that `run` takes.")


def main(args: argparse.Namespace) -> int:
    """Print a line for each program."""
    programs = list_programs()
    width = max((len(program.name) for program in programs), default=0)
    for program in programs:
        print(f"{program.name:{width}}  {program.summary}", flush=True)
    return 0
