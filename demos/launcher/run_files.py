"""The files of ``python -m demos run``: which ones it reads and which ones it writes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from demos.launcher.market_options import source_files
from demos.launcher.output_files import check_outputs, database_files


def check_files(program: Path, inputs: Mapping[str, object], options: argparse.Namespace) -> None:
    """Check that no output replaces the program, one of its inputs, or another output.

    Errors: ProgramError.
    """
    read = {**source_files(options), "--template": options.template, "the program": program}
    # The collector's input.
    database = inputs.get("database")
    written: dict[str, Path | None] = {}
    for name, path in {"--account": options.account, "--database": database}.items():
        if isinstance(path, (str, Path)) and str(path):
            written |= database_files(Path(path), name)
    saved: Path | None = options.save_template
    if saved:
        written |= {"--save-template": saved, "--save-template (.part)": saved.with_name(f"{saved.name}.part")}
    check_outputs({**written, "--events": options.events, "--picture": options.picture}, read)
