"""Which terminal commands the --help of a program shows, how wide help texts are, and commands of commands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from textwrap import dedent, fill
from typing import TYPE_CHECKING

from demos.terminal.runtime.commands import HELP_COLUMN, help_lines
from demos.terminal.terminal import COMMAND_GROUPS

if TYPE_CHECKING:
    from demos.launcher.option_types import SubParsers

# Columns of a help text that is laid out before it is printed: it fits a terminal of 80 columns.
HELP_WIDTH = 79


def command_help(groups: Sequence[str]) -> str:
    """The lines of the terminal's help for these groups of commands, and for the commands of every program."""
    lines = help_lines([command for group in groups for command in COMMAND_GROUPS[group]])
    return "\n".join(fill(line, HELP_WIDTH - 2, subsequent_indent=" " * HELP_COLUMN) for line in lines)


def add_command(
    subparsers: SubParsers, name: str, text: str, description: str, epilog: str = ""
) -> argparse.ArgumentParser:
    """Add a command, or a group of commands, whose --help shows the description as it is laid out here."""
    parser = subparsers.add_parser(
        name,
        help=text,
        description=dedent(description).strip(),
        epilog=epilog.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    # An error of the arguments shows the usage of this command, not that of its group.
    parser.set_defaults(usage_error=parser.error)
    return parser
