"""The files of ``python -m demos run``: which ones it reads and which ones it writes.

check_files() is for the program that starts and for the check of its configuration alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

from demos.launcher.log_options import log_outputs
from demos.launcher.market_options import source_files
from demos.launcher.output_files import check_folders, check_no_folders, check_outputs, database_files
from demos.launcher.run_options import input_option

# The inputs of programs that are names of files: SQLite files and others that the program writes, and files that it
# reads.
_DATABASES = ("database", "state", "memory")
_TABLES = ("values",)
# The terminal's options that are names of files to write.
_WRITTEN = ("log", "events", "save_template", "picture")
_READ = ("cert", "key", "ca", "alert_ca", "password_file", "token_file")


def check_files(program: Path, inputs: Mapping[str, object], options: argparse.Namespace) -> None:
    """Check that no output is a folder, or replaces the program, one of its inputs, or another output.

    Errors: ProgramError.
    """
    read = {
        **source_files(options),
        "--template": options.template,
        "--config": options.config,
        "the program": program,
        **_files_of(inputs, _READ),
    }
    databases = {**_files_of(inputs, _DATABASES), **({"--account": options.account} if options.account else {})}
    given = {f"--{name.replace('_', '-')}": getattr(options, name) for name in _WRITTEN}
    tables = _files_of(inputs, _TABLES)
    check_no_folders({**databases, **tables, **given})
    written: dict[str, Path | None] = {**tables}
    for name, path in databases.items():
        written |= database_files(path, name)
    saved: Path | None = options.save_template
    if saved:
        written |= {"--save-template": saved, "--save-template (.part)": saved.with_name(f"{saved.name}.part")}
    written |= log_outputs(options)
    check_outputs({**written, "--events": options.events, "--picture": options.picture}, read)
    check_folders({**tables, "--events": options.events, "--picture": options.picture})


def _files_of(inputs: Mapping[str, object], names: Iterable[str]) -> dict[str, Path]:
    """The options of those inputs that name a file, with the file."""
    found = ((name, inputs.get(name)) for name in names)
    return {input_option(name): Path(text) for name, text in found if isinstance(text, str) and text}
