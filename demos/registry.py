"""Every program and every subcommand of ``python -m demos``, by name.

A new program gets one line here. Nothing is imported before it is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from demos.terminal.interfaces import ProgramError
from demos.terminal.runtime.programs import EVENTS, Program, read_program

_DEMOS = Path(__file__).resolve().parent


class Subcommand(NamedTuple):
    """A module with ``add_parser(subparsers)`` and ``main(args) -> int``, and what it does."""

    module: str
    help: str


# The programs that `run` takes: each name with its file below demos/.
PROGRAMS = {
    "chart_client": "chartfeed/client.py",
    "chart_server": "chartfeed/server.py",
    "copier": "copier/copier.py",
    "provider": "copier/provider.py",
    "signal_client": "signal/client.py",
    "signal_server": "signal/server.py",
    "tick_client": "ticks/client.py",
    "tick_collector": "collector/collector.py",
    "tick_sender": "collector/sender.py",
    "tick_server": "ticks/server.py",
    "tpl_client": "template/client.py",
    "tpl_server": "template/server.py",
}

SUBCOMMANDS = {
    "collected": Subcommand("demos.collector.collected_command", "show, export and draw collected ticks"),
    "list": Subcommand("demos.launcher.list_command", "name the programs"),
    "run": Subcommand("demos.launcher.run_command", "attach one program to a chart and drive it"),
    "signal": Subcommand("demos.copier.job", "copy trades from a signal server to its clients"),
    "tick_clients": Subcommand("demos.collector.senders_command", "attach a tick client to each of several charts"),
    "ticks": Subcommand("demos.collector.job", "collect the ticks of several clients in a tick server"),
    "tpl": Subcommand("demos.chartfeed.job", "send a chart's template to a subscriber and compare both charts"),
}


def find_program(name: str | Path) -> Program:
    """The program with this registered name, or the one in this .py file.

    Errors: ProgramError when there is no such program, or when the module has none of the event functions.
    """
    text = str(name)
    path = Path(name) if text.endswith(".py") else _DEMOS / PROGRAMS.get(text, "")
    if not path.is_file():
        raise ProgramError(f"no program {text!r}: give a name that `python -m demos list` shows, or a .py file")
    program = read_program(path.resolve(), path.stem if text.endswith(".py") else text)
    if program is None:
        raise ProgramError(f"{name} is not a program: it has none of the functions {', '.join(EVENTS)}")
    return program


def list_programs() -> list[Program]:
    """The registered programs, by name."""
    return [find_program(name) for name in sorted(PROGRAMS)]
