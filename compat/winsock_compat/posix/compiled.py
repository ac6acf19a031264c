"""Loads the compiled modules, and refuses one that was built from other sources than the present ones.

Flags, the layout of a socket's state and the C declarations exist twice: in Python and, compiled, in C. In an editable
installation a changed source takes effect in Python at once, but in C only after the next build; until then both sides
would read the same memory differently. So the build stores a checksum of the sources in the module, and loading
compares it with the sources that are there now. A wheel contains these sources too.

This module imports nothing of the package: setup.py and build.py run it before the package is installed.
"""

import importlib
import os
from binascii import crc32
from typing import Any

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Of each compiled module: the sources that it shares with Python, by their paths in the package.
_SOURCES = {
    "_accelerator": ("accelerator/accelerator.c", "state/flags.py"),
    "posix._libc": ("build.py", "posix/declarations.py"),
}


def sources_checksum(module: str) -> int:
    """The checksum of a compiled module's present sources: for the build and for `load`."""
    checksum = 0
    for source in _SOURCES[module]:
        with open(os.path.join(_PACKAGE, source), "rb") as file:
            checksum = crc32(file.read(), checksum)
    return checksum


def load(name: str) -> Any:
    """The compiled module with this name below winsock_compat; None where it was not built.

    Errors: ImportError if it does not load, or was built from other sources.
    """
    try:
        module = importlib.import_module(f"..{name}", __package__)
    except ModuleNotFoundError:
        return None
    try:
        expected = sources_checksum(name)
    except FileNotFoundError:
        return module  # a program packed without its sources: nothing can have changed them
    if getattr(getattr(module, "lib", module), "SOURCES_CHECKSUM", None) != expected:
        sources = " and ".join(_SOURCES[name])
        raise ImportError(
            f"{module.__file__} was built from other sources than the present {sources}: "
            "install winsock again (in a clone: python -m pip install -e .)",
            name=module.__name__,
            path=module.__file__,
        )
    return module
