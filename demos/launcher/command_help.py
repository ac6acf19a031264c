"""Which terminal commands the --help of a program shows, and how wide help texts are."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

from demos.terminal.runtime.commands import HELP_COLUMN, help_lines
from demos.terminal.terminal import COMMAND_GROUPS

# Columns of a help text that is laid out before it is printed: it fits a terminal of 80 columns.
HELP_WIDTH = 79


def command_help(groups: Sequence[str]) -> str:
    """The lines of the terminal's help for these groups of commands, and for the commands of every program."""
    lines = help_lines([command for group in groups for command in COMMAND_GROUPS[group]])
    return "\n".join(fill(line, HELP_WIDTH - 2, subsequent_indent=" " * HELP_COLUMN) for line in lines)
