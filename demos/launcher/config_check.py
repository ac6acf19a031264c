"""Checks the file of --config without running the program; the programs' commands ``check`` add checks of their own.

Each finding is one line. A warning may be intended; everything else would keep the program from working.
"""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from demos.launcher.config_file import read_config
from demos.launcher.mt5_options import terminal_problem
from demos.launcher.run_files import check_files
from demos.launcher.run_options import add_options, given_inputs, program_parser, variables_by_option
from demos.registry import find_program
from demos.terminal.charts import drawing
from demos.terminal.interfaces import ProgramError
from demos.terminal.mt5.api import Mt5Error, load
from demos.terminal.runtime.log import escaped
from demos.terminal.runtime.programs import InputVariable, Program, forget_program, input_variables, load_program

# The options with a file to read, and with a file to write.
_READ = ("bars", "ticks", "template", "mt5_path")
_WRITTEN = ("account", "events", "log", "save_template", "picture")


class Finding(NamedTuple):
    """A problem, or a ``warning``; the text is one line."""

    text: str
    warning: bool = False


Check = Callable[[Mapping[str, object]], Iterable[Finding]]


def run_check(name: str, config: Path, check: Check) -> int:
    """Print what is wrong with the file of a program's options, one line each; returns the exit code, 0 or 2.

    ``check`` gets the program's inputs by their names, with the defaults of those that the file does not have, and
    without those whose values have a problem.

    Errors: ProgramError when the program cannot be loaded.
    """
    findings = check_config(name, config, check)
    for finding in findings:
        print(f"{'warning' if finding.warning else 'error'}: {escaped(finding.text)}")
    if not findings:
        print(f"{escaped(str(config))}: no problems found")
    return 0 if all(finding.warning for finding in findings) else 2


def check_config(name: str, config: Path, check: Check) -> list[Finding]:
    """What is wrong with the file of a program's options; see run_check().

    Errors: ProgramError when the program cannot be loaded.
    """
    program = find_program(name)
    variables = _variables(program)
    parser = program_parser(name)
    add_options(parser, program, variables, ())
    try:
        values, problems, invalid = read_config(config, parser, variables_by_option(variables))
    except ProgramError as error:
        return [Finding(str(error))]
    options = parser.parse_args([], argparse.Namespace(**values))
    options.config = config
    inputs = given_inputs(options, without=invalid)
    return [*map(Finding, problems), *_option_findings(program, variables, inputs, options), *check(inputs)]


def folder_problem(path: Path) -> str:
    """Why no file can be created next to a path, or ""."""
    folder = path.absolute().parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    return "" if os.access(folder, os.W_OK) else f"the folder {folder} cannot be written by this user"


def write_problem(path: Path) -> str:
    """Why a file cannot be created or written, or ""; a folder is another problem, see check_files()."""
    if path.is_file() and not os.access(path, os.W_OK):
        return f"{path} cannot be written by this user"
    return folder_problem(path)


def read_problem(path: Path) -> str:
    """Why a file cannot be read, or ""."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return ""


def readers_of(path: Path) -> int:
    """The bits of a file's mode for others than its owner; 0 where modes have no such meaning."""
    return stat.S_IMODE(path.stat().st_mode) & 0o077 if os.name == "posix" else 0


def _variables(program: Program) -> dict[str, InputVariable]:
    """The program's inputs. Errors: ProgramError."""
    try:
        module = load_program(program)
    except ImportError as error:
        raise ProgramError(f"{program.name} cannot be imported: {error}") from error
    try:
        return input_variables(module)
    finally:
        forget_program(module)


def _option_findings(
    program: Program, variables: Mapping[str, InputVariable], inputs: Mapping[str, object], options: argparse.Namespace
) -> Iterator[Finding]:
    """What is wrong with the terminal's options."""
    if problem := terminal_problem(options):
        yield Finding(problem)
    if options.terminal == "mt5":
        try:
            load()
        except Mt5Error as error:
            yield Finding(f"terminal: {error}")
    if options.picture and (problem := drawing.problem()):
        yield Finding(f"picture: {problem}")
    try:
        check_files(program.path, variables, inputs, options)
    except ProgramError as error:
        yield Finding(str(error))
    for name in _READ:
        path: Path | None = getattr(options, name)
        if path and (problem := read_problem(path)):
            yield Finding(f"{_key(name)}: {problem}")
    for name in _WRITTEN:
        path = getattr(options, name)
        if path and (problem := write_problem(path)):
            yield Finding(f"{_key(name)}: {problem}")


def _key(name: str) -> str:
    return name.replace("_", "-")
