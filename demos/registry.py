"""Every program and every subcommand of ``python -m demos``, by name.

A new program gets one line here, in any place. A module is imported only when its command is used.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from demos.terminal.interfaces import ProgramError
from demos.terminal.runtime.programs import EVENTS, Program, read_program

_DEMOS = Path(__file__).resolve().parent


class Subcommand(NamedTuple):
    """A module with ``add_parser(subparsers)`` and ``main(args) -> int``, and what it does."""

    module: str
    help: str


class Kind(Enum):
    """What a program is for; the value is the heading of its group in ``python -m demos list``."""

    STUDY = "the article's programs, to read next to its listings"
    PRODUCT = "the product programs, which do more and use the same protocols"


MARKET_EXAMPLE = "--bars tests/data/EURUSD_H1.tsv"


class Entry(NamedTuple):
    """A program: its file below demos/, its kind, and the groups of commands that its terminal accepts.

    ``product`` names the product program that has the inputs of a study program, and more. ``prices``: whether the
    program uses the prices of its terminal's market; if not, the log does not name the market. ``example``: the options
    of the example in its --help.
    """

    file: str
    kind: Kind = Kind.PRODUCT
    product: str = ""
    commands: tuple[str, ...] = ()
    prices: bool = True
    example: str = MARKET_EXAMPLE


# The programs that `run` takes, by name.
PROGRAMS = {
    "agent": Entry("ideas/agents/agent.py", prices=False, example="--prices tests/data/EURUSD_H1.tsv"),
    "broker": Entry("ideas/broker/broker.py", prices=False, example="--Port 1883 --folder broker"),
    "chart_client": Entry("chartfeed/client.py", commands=("chart",)),
    "chart_server": Entry("chartfeed/server.py", commands=("chart",)),
    "coordinator": Entry(
        "ideas/agents/coordinator.py",
        prices=False,
        example="--prices tests/data/EURUSD_H1.tsv \\\n    --parameters 'fast=5:50:5 slow=60:300:20'",
    ),
    "copier": Entry("copier/copier.py", commands=("trade",)),
    "indicator_client": Entry("ideas/indicator/client.py", commands=("chart",)),
    "indicator_server": Entry("ideas/indicator/server.py", commands=("chart",)),
    "provider": Entry("provider/provider.py", commands=("trade",)),
    "proxy": Entry("ideas/proxy/proxy.py", prices=False, example="--upstream anna=wss://provider.example:8443"),
    "sentiment_client": Entry("ideas/sentiment/client.py", commands=("trade",)),
    "sentiment_server": Entry("ideas/sentiment/server.py", prices=False, example="--interval 5"),
    "signal_client": Entry("signal/client.py", Kind.STUDY, "copier", ("trade",)),
    "signal_server": Entry("signal/server.py", Kind.STUDY, "provider", ("trade",)),
    "tick_client": Entry("ticks/client.py", Kind.STUDY, "tick_sender"),
    "tick_collector": Entry("collector/collector.py"),
    "tick_sender": Entry("collector/sender.py"),
    "tick_server": Entry("ticks/server.py", Kind.STUDY, "tick_collector"),
    "tpl_client": Entry("template/client.py", Kind.STUDY, "chart_client", ("chart",)),
    "tpl_server": Entry("template/server.py", Kind.STUDY, "chart_server", ("chart",)),
}

SUBCOMMANDS = {
    "agents": Subcommand(
        "demos.ideas.agents.job_command", "optimize a strategy's parameters with agents, or on a cluster of dask"
    ),
    "beside": Subcommand("demos.beside.command", "show your copy of the article's listings next to the study programs"),
    "broker": Subcommand(
        "demos.ideas.broker.job_command", "run a provider and several copiers, connected by an MQTT broker"
    ),
    "collected": Subcommand(
        "demos.collector.collected_command", "show, export and draw the ticks in a collector's database"
    ),
    "copier": Subcommand(
        "demos.copier.copier_command", "explain a copier's decisions, show its orders, or let it continue"
    ),
    "indicator": Subcommand(
        "demos.ideas.indicator.job_command", "run an indicator server and clients and compare their values and charts"
    ),
    "list": Subcommand("demos.launcher.list_command", "list the programs"),
    "provider": Subcommand("demos.provider.provider_command", "manage a provider: users, bans, certificate, backups"),
    "proxy": Subcommand(
        "demos.ideas.proxy.job_command", "run a provider, a tree of proxies and two copiers and compare their positions"
    ),
    "run": Subcommand("demos.launcher.run_command", "run one program on a chart"),
    "sentiment": Subcommand(
        "demos.ideas.sentiment.job_command", "run a sentiment server and several clients and compare the totals"
    ),
    "signal": Subcommand("demos.copier.job_command", "run a provider and two copiers and compare their positions"),
    "simulate": Subcommand("demos.simulation.command", "run the demos on a simulated network under faults"),
    "tick_clients": Subcommand("demos.collector.senders_command", "run a tick sender for each of several symbols"),
    "ticks": Subcommand("demos.collector.job_command", "run a tick collector and several senders and count lost ticks"),
    "tpl": Subcommand("demos.chartfeed.job_command", "send a chart's template to a client and compare both charts"),
}


def find_program(name: str | Path) -> Program:
    """The program with this registered name, or the one in this .py file.

    Errors: ProgramError when there is no such program, or when the module has none of the event functions.
    """
    text = str(name)
    entry = entry_of(text)
    path = Path(name) if text.endswith(".py") else _DEMOS / (entry.file if entry else "")
    if not path.is_file():
        raise ProgramError(f"no program {text!r}: give a name that `python -m demos list` shows, or a .py file")
    program = read_program(path.resolve(), path.stem if text.endswith(".py") else text)
    if program is None:
        raise ProgramError(f"{name} is not a program: it has none of the functions {', '.join(EVENTS)}")
    # Under the name of its package, as when it is imported: tools that measure a package find it.
    return replace(program, package=".".join(["demos", *path.parent.relative_to(_DEMOS).parts])) if entry else program


def entry_of(name: str) -> Entry | None:
    """The registered program with this name; None for a .py file."""
    return PROGRAMS.get(name)


def list_programs(kind: Kind | None = None) -> list[Program]:
    """The registered programs, all or those of one kind, by name."""
    return [find_program(name) for name, entry in sorted(PROGRAMS.items()) if kind in (None, entry.kind)]
