"""Commands on standard input: the registry that runs them, the thread that reads them, and ``help`` and ``quit``.

The other commands are registered by the modules that know charts and accounts. A command is a plain description, so
that ``--help`` can list the commands of a program before any terminal exists.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from demos.terminal.runtime.log import escaped

_MAX_LINE = 4096

# The column of a help line in which the purpose of the command begins.
HELP_COLUMN = 33

_Context = TypeVar("_Context")


class CommandError(Exception):
    """A command that cannot be executed; the text is the answer after ``error: ``."""


@dataclass(frozen=True)
class Command(Generic[_Context]):
    """One command: its name, its arguments and purpose as help shows them, and the function that executes it.

    ``run`` gets the context that the command was registered with and the text after the name, and returns the lines of
    the answer. A command whose ``arguments`` are empty is never run with any. Errors: CommandError.
    """

    name: str
    arguments: str
    help: str
    run: Callable[[_Context, str], Sequence[str]]


class CommandRegistry:
    """The commands of one terminal, by name. ``help`` and ``quit`` are always there."""

    def __init__(self, stop: Callable[[], None]) -> None:
        """``quit`` calls ``stop``."""
        self._stop = stop
        self._commands: dict[str, Command[Any]] = {}
        self._functions: dict[str, Callable[[str], Sequence[str]]] = {}
        self.register(BASE_COMMANDS, self)

    def register(self, commands: Sequence[Command[_Context]], context: _Context) -> None:
        """Add commands; each is run with this context."""
        for command in commands:
            self._commands[command.name] = command
            self._functions[command.name] = partial(command.run, context)

    def execute(self, line: str) -> Sequence[str]:
        """Run the command of one line and return the lines of its answer; an error is one line with ``error:``."""
        words = line.split(None, 1)
        if not words:
            return ()
        name, arguments = words[0].lower(), words[1].strip() if words[1:] else ""
        command = self._commands.get(name)
        if command is None:
            return [f"error: unknown command '{escaped(words[0][:40])}'; help lists the commands"]
        if arguments and not command.arguments:
            return [f"error: {name} takes no arguments, not '{escaped(arguments[:40])}'"]
        try:
            return self._functions[name](arguments)
        except CommandError as error:
            return [f"error: {error}"]

    def help_lines(self) -> list[str]:
        """One line for each command; ``help`` and ``quit`` come last."""
        others = [command for command in self._commands.values() if command not in BASE_COMMANDS]
        return help_lines(others)

    def stop(self) -> None:
        """Stop the event loop."""
        self._stop()


def _help(registry: CommandRegistry, arguments: str) -> Sequence[str]:
    return registry.help_lines()


def _quit(registry: CommandRegistry, arguments: str) -> Sequence[str]:
    registry.stop()
    return ()


BASE_COMMANDS: Sequence[Command[CommandRegistry]] = (
    Command("help", "", "show this", _help),
    Command("quit", "", "end the program", _quit),
)


def help_lines(commands: Sequence[Command[Any]]) -> list[str]:
    """The lines of a help text: these commands, then ``help`` and ``quit``."""
    return [f"{f'{each.name} {each.arguments}':{HELP_COLUMN - 1}} {each.help}" for each in (*commands, *BASE_COMMANDS)]


def read_commands(descriptor: int, post: Callable[[str], None]) -> None:
    """Call ``post`` with each line that is read from a descriptor, until its end. The end itself has no effect."""
    unfinished = b""
    while True:
        try:
            chunk = os.read(descriptor, _MAX_LINE)
        except OSError:
            # There is no standard input, or its terminal was closed: the same as its end.
            chunk = b""
        *lines, unfinished = (unfinished + chunk).split(b"\n")
        unfinished = unfinished[: _MAX_LINE + 1]
        if not chunk:
            lines = [unfinished]
        for line in lines:
            post(line[: _MAX_LINE + 1].decode("utf-8", "replace").rstrip("\r"))
        if not chunk:
            return


def start_reading(post: Callable[[str], None], descriptor: int = 0) -> threading.Thread:
    """Read commands in a separate thread.

    The thread reads the descriptor, not sys.stdin: a daemon thread inside sys.stdin would hold a lock that the
    interpreter needs at its end.
    """
    thread = threading.Thread(target=read_commands, args=(descriptor, post), name="commands", daemon=True)
    thread.start()
    return thread
