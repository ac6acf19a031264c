"""Files that only their owner can read, from the beginning: they have positions or secrets.

An existing file keeps its mode, so its owner can let others read it. On Windows a file has the rights of its folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

MODE = 0o600


def open_private(path: str, flags: int) -> int:
    """The opener of open(): a file that it creates has MODE. Errors: OSError."""
    return os.open(path, flags, MODE)


def create_private(path: Path) -> None:
    """Create an empty file if there is none and if that is possible; whoever opens it next reports the error."""
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE))


@contextmanager
def new_private_file(path: Path) -> Iterator[TextIO]:
    """A new text file to write to; an exception inside removes it again.

    Errors: OSError, when the file exists too.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
