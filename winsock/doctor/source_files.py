"""Reads the files of an MQL program: the one that the user names, and those that it includes.

A name in quotation marks is relative to the folder of the file that includes it, as in MQL. Each file is read once, as
MetaEditor does, so files may include each other. Names in angle brackets are those of MetaTrader's folder Include; they
are not read.
Source: https://www.mql5.com/en/docs/basis/preprosessor/include
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["MAX_BYTES", "Includes", "LineTable", "SourceError", "SourceFile", "decoded", "read_source"]

# The largest source that is read, all its files together; MetaEditor's files are smaller by far.
MAX_BYTES = 1 << 23


class SourceError(Exception):
    """A file that cannot be read; the text is the reason."""


class SourceFile(NamedTuple):
    """A file's name for messages, its text, and the folder of the files that it includes."""

    name: str
    text: str
    folder: Path = Path()


class Includes:
    """Opens the files that a program includes. ``main`` is the program's own file; None for standard input."""

    def __init__(self, main: Path | None = None) -> None:
        self._seen = {main.resolve()} if main else set()
        self._left = MAX_BYTES

    def open(self, name: str, folder: Path) -> SourceFile | None:
        """The file that a file in this folder names; None if it was opened before.

        Errors: SourceError if it cannot be read.
        """
        try:
            path = _find(name, folder)
            if path is None or not path.is_file():
                raise SourceError("there is no such file")
            if path.resolve() in self._seen:
                return None
            self._seen.add(path.resolve())
        except (OSError, ValueError, RuntimeError) as error:  # a NUL in the name; a loop of symbolic links
            raise SourceError(getattr(error, "strerror", None) or str(error)) from error
        data = read_source(path, self._left)
        self._left -= len(data)
        return SourceFile(str(path), decoded(data), path.parent)


class LineTable:
    """Numbers the lines of several files consecutively, so that one number stands for a line of a file."""

    def __init__(self) -> None:
        # For each file: the number before its first line, and its name.
        self._files: list[tuple[int, str]] = []
        self._next = 0

    def add(self, name: str, lines: int) -> int:
        """Add a file; returns the number before its first line."""
        start = self._next
        self._files.append((start, name))
        self._next += lines
        return start

    def place(self, number: int) -> tuple[str, int]:
        """The file and the line in it that this number stands for."""
        start, name = max((file for file in self._files if file[0] < number), default=(0, ""))
        return name, number - start


def read_source(path: Path | None, limit: int = MAX_BYTES) -> bytes:
    """The bytes of a file, or of standard input.

    Errors: SourceError if it cannot be read or has more bytes than the limit.
    """
    try:
        if path:
            with open(path, "rb") as file:
                data = file.read(limit + 1)
        else:
            data = sys.stdin.buffer.read(limit + 1) if sys.stdin else b""
    except (OSError, ValueError) as error:  # ValueError: a file name with a NUL
        raise SourceError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > limit:
        raise SourceError(f"has more than {MAX_BYTES >> 20} MB; MQL source is smaller")
    return data


def decoded(source: bytes) -> str:
    """Decodes what MetaEditor saves: UTF-16, UTF-8, or an 8-bit code page.

    Names and types are ASCII, so any 8-bit code page will do. UTF-16 without a byte order mark is recognized by the
    zero bytes of ASCII characters.
    """
    if source[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return source.decode("utf-16", "replace")
    start = source[:1000]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if 2 * start[first::2].count(0) > len(start[first::2]):
            return source.decode(encoding, "replace")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError:
        return source.decode("cp1252", "replace")


def _find(name: str, folder: Path) -> Path | None:
    """The path that a name means, as Windows finds it: with either slash, in any case of the letters."""
    path = folder
    for part in name.replace("\\", "/").split("/"):
        if part in ("", ".", ".."):
            path = path / part
            continue
        exact = path / part
        if not exact.exists():
            same = [entry for entry in sorted(path.iterdir()) if entry.name.lower() == part.lower()]
            if not same:
                return None
            exact = same[0]
        path = exact
    return path
