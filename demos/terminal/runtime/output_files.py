"""Checks that no output of a command replaces one of its inputs, also through a hard or symbolic link."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from demos.terminal.interfaces import ProgramError


def check_outputs(outputs: Mapping[str, Path | None], inputs: Mapping[str, Path | None]) -> None:
    """Check that no output is one of the inputs or another output. The keys are the names of the options.

    Errors: ProgramError with the two options.
    """
    others = {name: path for name, path in inputs.items() if path}
    for name, path in outputs.items():
        if not path:
            continue
        for other, its_path in others.items():
            if same_file(path, its_path):
                raise ProgramError(f"{name} {path} would overwrite the file of {other}; use another file")
        others[name] = path


def database_files(path: Path, name: str) -> dict[str, Path]:
    """An SQLite database and the files that SQLite keeps next to it, for check_outputs()."""
    return {name: path, **{f"{name} ({end})": path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")}}


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths are one regular file. Files that do not exist yet are compared by their paths."""
    try:
        # Everything may be written to a device such as /dev/null.
        return os.path.samefile(one, other) and one.is_file()
    except OSError:
        return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))
