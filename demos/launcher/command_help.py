"""Which terminal commands the --help of a program shows."""

from __future__ import annotations

from collections.abc import Sequence

from demos.terminal.charts import commands as chart_commands
from demos.terminal.runtime.commands import HELP

# The groups of commands that a registry entry names. What is in no group, as help and quit, is for every program.
_GROUPS = {"trade": ("buy", "sell", "close", "positions"), "chart": tuple(chart_commands.COMMANDS)}

ALL_GROUPS = tuple(_GROUPS)


def command_help(groups: Sequence[str]) -> str:
    """The lines of the terminal's help for these groups of commands, and for the commands of every program."""
    left_out = {name for group, names in _GROUPS.items() if group not in groups for name in names}
    return "\n".join(line for line in HELP.splitlines() if line.split()[0] not in left_out)
