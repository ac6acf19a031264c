"""Whose answers are to be expected here."""

from __future__ import annotations

import ctypes
import sys


def wine_version() -> str | None:
    """The version of the Wine that this process runs under; None on Windows itself and elsewhere."""
    if sys.platform != "win32":
        return None
    ntdll = ctypes.CDLL("ntdll")
    if not hasattr(ntdll, "wine_get_version"):
        return None
    ntdll.wine_get_version.restype = ctypes.c_char_p
    version: bytes = ntdll.wine_get_version()
    return version.decode("ascii")


def side() -> str:
    """Under Wine its own kept answers, everywhere else those of Windows."""
    return "windows" if wine_version() is None else "wine"
