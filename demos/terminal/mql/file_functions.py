"""File functions. Every file is in the folder MQL5\\Files. https://www.mql5.com/en/docs/files"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from demos.terminal.mql import constants as c
from demos.terminal.terminal import current_program, current_terminal

__all__ = ["FileClose", "FileDelete", "FileIsExist", "FileMove", "FileOpen", "FileReadArray", "FileWriteArray"]


def FileOpen(file_name: str, open_flags: int) -> int:
    """Open a binary file to read, or to write from empty; returns the handle, or INVALID_HANDLE.

    Errors: ValueError for flags other than FILE_BIN with FILE_READ or FILE_WRITE, and FILE_SHARE_*.
    """
    mode = open_flags & ~(c.FILE_SHARE_READ | c.FILE_SHARE_WRITE)
    if mode not in (c.FILE_BIN | c.FILE_READ, c.FILE_BIN | c.FILE_WRITE):
        raise ValueError("files are opened with FILE_BIN and one of FILE_READ and FILE_WRITE")
    path = _path(file_name)
    if path is None:
        return c.INVALID_HANDLE
    files = current_program().files
    try:
        if mode & c.FILE_WRITE:
            path.parent.mkdir(parents=True, exist_ok=True)
        file: BinaryIO = path.open("wb" if mode & c.FILE_WRITE else "rb")
    except OSError:
        return c.INVALID_HANDLE
    handle = max(files, default=0) + 1
    files[handle] = file
    return handle


def FileWriteArray(file_handle: int, array: bytes, start: int = 0, count: int | None = None) -> int:
    """Write the array from ``start``, ``count`` bytes or all of them; returns the number of bytes written."""
    data = array[start:] if count is None else array[start : start + count]
    try:
        return current_program().files[file_handle].write(data)
    except OSError:
        return 0


def FileReadArray(file_handle: int) -> bytes:
    """The bytes from the current position to the end of the file."""
    return current_program().files[file_handle].read()


def FileClose(file_handle: int) -> bool:
    """Close the file. Unlike MQL5's function it returns whether all bytes were written to the file."""
    try:
        current_program().files.pop(file_handle).close()
    except OSError:
        return False
    return True


def FileIsExist(file_name: str) -> bool:
    """Whether the file exists."""
    path = _path(file_name)
    return path is not None and path.is_file()


def FileMove(src_file_name: str, common_flag: int, dst_file_name: str, mode_flags: int) -> bool:
    """Rename a file; with FILE_REWRITE it atomically replaces an existing file."""
    source, target = _path(src_file_name), _path(dst_file_name)
    if source is None or target is None or (target.exists() and not mode_flags & c.FILE_REWRITE):
        return False
    try:
        os.replace(source, target)
    except OSError:
        return False
    return True


def FileDelete(file_name: str) -> bool:
    """Delete a file; False when that is not possible."""
    path = _path(file_name)
    try:
        if path is None:
            return False
        path.unlink()
    except OSError:
        return False
    return True


def _path(name: str) -> Path | None:
    data = current_terminal().data
    return data.file(name) if data else None
