"""Finds the line of the program that makes a call."""

from __future__ import annotations

import linecache
import os
import sys
from functools import lru_cache
from types import CodeType
from typing import Any

__all__ = ["MAX_CODE", "source_of_call"]

# The longest source line that a trace records, in characters.
MAX_CODE = 200

_WINSOCK = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED = (f"{_LIBRARY}site-packages{os.sep}", f"{_LIBRARY}dist-packages{os.sep}")


def source_of_call() -> dict[str, Any] | None:
    """The file, line, function and code of the innermost line that belongs to the program; None if no line does.

    Lines of the package winsock and of Python's standard library do not belong to it: of a call by winsock.batch, the
    line that uses the batch is found. `file` is relative to the current folder if it is below that folder.
    """
    frame = sys._getframe(1)
    while not _of_program(frame.f_code.co_filename):
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return _described(frame.f_code, frame.f_lineno, frame.f_globals)


@lru_cache(maxsize=1024)
def _of_program(file: str) -> bool:
    if file.startswith("<frozen "):
        return False
    try:
        path = os.path.abspath(file)
    except OSError:  # the current folder was removed
        path = file
    return not path.startswith((_WINSOCK, _LIBRARY)) or path.startswith(_INSTALLED)


# Of the programs of this process; the cache is emptied when it is full.
_known: dict[tuple[CodeType, int], dict[str, Any]] = {}


def _described(code: CodeType, line: int, variables: dict[str, Any]) -> dict[str, Any]:
    found = _known.get((code, line))
    if found is None:
        if len(_known) >= 4096:
            _known.clear()
        text = linecache.getline(code.co_filename, line, variables).strip()[:MAX_CODE]
        found = {"file": _relative(code.co_filename), "line": line, "function": code.co_name, "code": text}
        _known[code, line] = found
    return found


def _relative(file: str) -> str:
    """A path below the current folder as a relative path with slashes, any other one as it is."""
    try:
        relative = os.path.relpath(file)
    except (OSError, ValueError):  # the current folder was removed, or the file is on another drive
        return file
    return file if relative.startswith(os.pardir) or file.startswith("<") else relative.replace(os.sep, "/")
