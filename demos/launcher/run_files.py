"""The files of ``python -m demos run``: which ones it reads and which ones it writes.

check_files() is for the program that starts and for the check of its configuration alike. The inputs that name files
are those that the program declares as such; see Input.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from demos.launcher.log_options import log_outputs
from demos.launcher.market_options import source_files
from demos.launcher.output_files import check_folders, check_no_folders, check_outputs, database_files
from demos.launcher.run_options import input_option
from demos.terminal.runtime.programs import InputVariable

# The terminal's options that are names of files to read, or whose existence is checked, and of files to write.
_READ = ("template", "config", "hold", "mt5_path")
_WRITTEN = ("log", "events", "save_template", "picture")


def check_files(
    program: Path,
    variables: Mapping[str, InputVariable],
    inputs: Mapping[str, object],
    options: argparse.Namespace,
) -> None:
    """Check that no output is a folder, or replaces the program, one of its inputs, or another output.

    ``inputs`` has the values of the variables; one that is missing is not checked. Errors: ProgramError.
    """
    files: dict[str, dict[str, Path]] = {"read": {}, "write": {}, "database": {}}
    for name, variable in variables.items():
        if variable.input.file:
            files[variable.input.file] |= _files_of(variable, inputs.get(name))
    read = {**source_files(options), "the program": program, **_options_of(options, _READ), **files["read"]}
    databases = {**files["database"], **_options_of(options, ("account",))}
    given = {**files["write"], **_options_of(options, _WRITTEN)}
    check_no_folders({**databases, **given})
    written: dict[str, Path] = {**files["write"]}
    for name, path in databases.items():
        written |= database_files(path, name)
    written |= log_outputs(options)
    written |= _options_of(options, ("events", "save_template", "picture"))
    check_outputs(written, read)
    check_folders({**files["write"], **_options_of(options, ("events", "picture"))})


def _files_of(variable: InputVariable, value: object) -> dict[str, Path]:
    """The files that the value of an input names, by the names that errors show."""
    paths = [Path(path) for path in variable.input.paths(value)] if isinstance(value, str) and value else []
    option = input_option(variable.name)
    return {option if len(paths) == 1 else f"{option} ({path})": path for path in paths}


def _options_of(options: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Path]:
    """Those of these options that are given."""
    return {input_option(name): path for name in names if (path := getattr(options, name)) is not None}
