"""Which system's recorded answers the backend must give here: Wine's or those of Windows."""

from __future__ import annotations

import ctypes
import sys


def wine_version() -> str | None:
    """The version of Wine that this process runs on; None on Windows and on every other system."""
    if sys.platform != "win32":
        return None
    ntdll = ctypes.CDLL("ntdll")
    if not hasattr(ntdll, "wine_get_version"):
        return None
    ntdll.wine_get_version.restype = ctypes.c_char_p
    version: bytes = ntdll.wine_get_version()
    return version.decode("ascii")


def reference_system() -> str:
    """Returns "wine" on Wine, "windows" on every other system."""
    return "windows" if wine_version() is None else "wine"
