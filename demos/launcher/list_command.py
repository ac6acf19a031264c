"""``python -m demos list``: the programs in two groups, each with its description."""

from __future__ import annotations

import argparse
from textwrap import fill

from demos.launcher.command_help import HELP_WIDTH
from demos.launcher.option_types import SubParsers
from demos.registry import Kind, list_programs
from demos.terminal.interfaces import ProgramError


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    subparsers.add_parser("list", help="list the programs", description="List the programs that `run` takes.")


def main(args: argparse.Namespace) -> int:
    """Print a heading for each group of programs, and the description of each program."""
    try:
        width = max((len(program.name) for program in list_programs()), default=0)
    except ProgramError as error:
        args.usage_error(str(error))
    blank_line = ""
    for kind in Kind:
        group = list_programs(kind)
        if group:
            print(f"{blank_line}{kind.value}:", flush=True)
            blank_line = "\n"
        for program in group:
            first, others = f"{program.name:{width}}  ", " " * (width + 2)
            print(fill(program.summary, HELP_WIDTH, initial_indent=first, subsequent_indent=others), flush=True)
    return 0
