"""The terminal's data folder: the folder of templates, and the folder to which programs' file functions are limited."""

from __future__ import annotations

import errno
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from demos.terminal.interfaces import OutputError
from demos.terminal.runtime.randomness import token_hex

# Windows treats these names as devices, with any suffix.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.ASCII | re.IGNORECASE)


class DataFolder:
    """``Profiles/Templates`` for templates and ``MQL5/Files`` for programs, below one folder."""

    def __init__(self, root: Path) -> None:
        """Create the folders.

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
        """The path of a program's file; None for a name outside the folder."""
        return _inside(self.files, name)

    def template_to_save(self, name: str) -> Path | None:
        """The path for saving a template with this name; None for a name outside the folder."""
        return _inside(self.templates, _with_suffix(name))

    def template_to_apply(self, name: str) -> Path | None:
        """The path of the template with this name; a name that begins with a backslash is relative to MQL5.

        MetaTrader searches other names in the program's folder first; programs have no such folder here.
        """
        rooted = name.startswith(("\\", "/"))
        return _inside(self.mql5 if rooted else self.templates, _with_suffix(name.lstrip("\\/")))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees either the old file or the whole new one. A failure leaves the old one.

    A symbolic link stays: the file that it points to is written. The new file has the mode of the old one.

    Errors: OSError, also for anything but a file, such as a folder, a pipe or a device.
    """
    # Replacing a link, a pipe or a device would put a file in its place.
    target = Path(os.path.realpath(path))
    is_present = target.exists()
    if problem := whole_file_problem(target):
        raise OSError(errno.EINVAL, problem, str(path))
    # A name that no other file has.
    part = target.with_name(f"{target.name}.{token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
        if is_present:
            shutil.copymode(target, part)
        os.replace(part, target)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


def whole_file_problem(path: Path) -> str | None:
    """Why write_whole() cannot write this path, or None. Folders and rights are not checked."""
    return "not a regular file" if path.exists() and not path.is_file() else None


def _with_suffix(name: str) -> str:
    return name if name.lower().endswith(".tpl") else f"{name}.tpl"


def _inside(folder: Path, name: str) -> Path | None:
    """The path below a folder, or None; MQL5 separates folders by backslashes on every system."""
    parts = name.replace("\\", "/").split("/")
    if any(part in ("", ".", "..") or _DEVICE.fullmatch(part) or set(part) & set('<>:"|?*\0') for part in parts):
        return None
    path = folder.joinpath(*parts)
    # A symbolic link may still point outside the folder.
    return path if path.resolve().is_relative_to(folder.resolve()) else None
