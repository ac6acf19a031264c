"""What `run` says when a study program is given an option that only its product program has."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence

from demos.launcher.run_options import input_option
from demos.registry import Kind, entry_of, find_program
from demos.terminal.runtime.programs import forget_program, input_variables, load_program


def product_option_problem(
    parser: argparse.ArgumentParser, program: str, arguments: Sequence[str], unknown: Sequence[str]
) -> str | None:
    """The message for ``unknown`` arguments when the product program has all their options; None otherwise.

    It ends with the same command for the product program, quoted for the shell.
    """
    entry = entry_of(program)
    names = list(dict.fromkeys(word.partition("=")[0] for word in unknown if word.startswith("--")))
    if entry is None or entry.kind is not Kind.STUDY or not names:
        return None
    module = load_program(find_program(entry.product))
    try:
        inputs = input_variables(module)
    finally:
        forget_program(module)
    if not set(names) <= {input_option(name) for name in inputs}:
        return None
    them = "it" if len(names) == 1 else "them"
    command = parser.prog.split()[:-1]
    return (
        f"{program} is the article's program and has no {' or '.join(names)}; the product program has {them}: "
        f"{shell_text([*command, entry.product, *arguments])}"
    )


def shell_text(command: Sequence[str]) -> str:
    """A command as it is typed in this system's shell."""
    return subprocess.list2cmdline(command) if sys.platform == "win32" else shlex.join(command)
