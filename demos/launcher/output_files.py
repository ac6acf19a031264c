"""Checks that no output of a command replaces one of its inputs, also through a hard or symbolic link.

A command that writes a file at its end checks before its work that it can.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile

from demos.terminal.interfaces import OutputError, ProgramError
from demos.terminal.runtime.files import whole_file_problem
from winsock.command_line import is_same_file


def check_outputs(outputs: Mapping[str, Path | None], inputs: Mapping[str, Path | None]) -> None:
    """Check that no output is a folder, one of the inputs or another output. The keys are the names of the options.

    Errors: ProgramError with the options.
    """
    check_no_folders(outputs)
    others = {name: path for name, path in inputs.items() if path}
    for name, path in outputs.items():
        if not path:
            continue
        for other, its_path in others.items():
            if is_same_file(path, its_path):
                raise ProgramError(f"{name} {path} would overwrite the file of {other}; use another file")
        others[name] = path


def check_no_folders(outputs: Mapping[str, Path | None]) -> None:
    """Check that no output is an existing folder, or an empty name. The keys are the names of the options.

    Errors: ProgramError with the option.
    """
    for name, path in outputs.items():
        if path and (not path.name or os.path.isdir(path)):
            raise ProgramError(f"{name} {path} is a folder: give the name of a file")


def check_folders(outputs: Mapping[str, Path | None]) -> None:
    """Check that files can be created in the folders of the outputs. The keys are the names of the options.

    A device or a pipe is not checked. Errors: OutputError with the option.
    """
    for name, path in outputs.items():
        if not path or (os.path.exists(path) and not os.path.isfile(path)):
            continue
        try:
            with TemporaryFile(dir=path.absolute().parent):
                pass
        except OSError as error:
            raise OutputError(f"{name} {path} cannot be written: {error.strerror}") from error


def check_whole_files(outputs: Mapping[str, Path | None]) -> None:
    """Check that no output is a pipe or a device: write_whole() writes only files.

    Errors: ProgramError with the option.
    """
    for name, path in outputs.items():
        if path and (problem := whole_file_problem(path)):
            raise ProgramError(f"{name} {path} is {problem}: give the name of a file")


def database_files(path: Path, name: str) -> dict[str, Path]:
    """An SQLite database and the files that SQLite keeps next to it, for check_outputs()."""
    return {name: path, **{f"{name} ({end})": Path(f"{path}{end}") for end in ("-wal", "-shm", "-journal")}}
