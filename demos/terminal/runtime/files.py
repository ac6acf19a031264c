"""The terminal's data folder: where templates are, and the folder that programs' file functions cannot leave."""

from __future__ import annotations

import os
import re
from pathlib import Path

from demos.terminal.interfaces import OutputError

# Names that Windows takes for devices, whatever their suffix.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.ASCII | re.IGNORECASE)


class DataFolder:
    """``Profiles/Templates`` for templates and ``MQL5/Files`` for programs, below one folder."""

    def __init__(self, root: Path) -> None:
        """Make the folders.

        Errors: OutputError when that is not possible.
        """
        self.root = root.absolute()
        self.templates = self.root / "Profiles" / "Templates"
        self.mql5 = self.root / "MQL5"
        self.files = self.mql5 / "Files"
        for folder in (self.templates, self.files):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{folder}: {error.strerror}") from error

    def file(self, name: str) -> Path | None:
        """A file of the programs' folder; None for a name that leads out of it."""
        return _inside(self.files, name)

    def template_to_save(self, name: str) -> Path | None:
        """Where a chart's template of that name is saved."""
        return _inside(self.templates, _with_suffix(name))

    def template_to_apply(self, name: str) -> Path | None:
        """The template of that name; one that begins with a backslash is looked for below MQL5.

        In MetaTrader a name without it is looked for beside the program first; programs here have no folder of
        their own.
        """
        rooted = name.startswith(("\\", "/"))
        return _inside(self.mql5 if rooted else self.templates, _with_suffix(name.lstrip("\\/")))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees either the old one or the new one, never a part.

    Errors: OSError.
    """
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)


def _with_suffix(name: str) -> str:
    return name if name.lower().endswith(".tpl") else f"{name}.tpl"


def _inside(folder: Path, name: str) -> Path | None:
    """The path below a folder: MQL5 separates with backslashes on every system."""
    parts = name.replace("\\", "/").split("/")
    if any(part in ("", ".", "..") or _DEVICE.fullmatch(part) or set(part) & set('<>:"|?*\0') for part in parts):
        return None
    path = folder.joinpath(*parts)
    # A link may still lead elsewhere.
    return path if path.resolve().is_relative_to(folder.resolve()) else None
