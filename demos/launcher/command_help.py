"""Which terminal commands the --help of a program shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from demos.terminal.charts.commands import CHART_COMMANDS
from demos.terminal.runtime.commands import Command, help_lines
from demos.terminal.trade_commands import TRADE_COMMANDS

# The groups of commands that a registry entry names; help and quit are for every program.
_GROUPS: dict[str, Sequence[Command[Any]]] = {"trade": TRADE_COMMANDS, "chart": CHART_COMMANDS}

ALL_GROUPS = tuple(_GROUPS)


def command_help(groups: Sequence[str]) -> str:
    """The lines of the terminal's help for these groups of commands, and for the commands of every program."""
    return "\n".join(help_lines([command for group in groups for command in _GROUPS[group]]))
