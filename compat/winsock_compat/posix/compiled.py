"""Loads the compiled modules, and refuses one that was built from other sources than the present ones.

Flags, constants, the layout of a socket's state and the C declarations exist twice: in Python and, compiled, in C. In
an editable installation a changed source takes effect in Python at once, but in C only after the next build; until then
both sides would read the same memory differently. So the build stores a checksum of the sources in the module, and
loading compares it with the sources that are there now. A wheel contains these sources too.

This module imports nothing of the package: setup.py and build.py run it before the package is installed.
"""

import importlib
import os
from binascii import crc32
from typing import Any

# The folder that winsock_compat is in: site-packages, or `compat` in a clone.
_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Of each compiled module: the sources that it shares with Python.
_SOURCES = {
    "_accelerator": (
        "winsock_compat/accelerator/accelerator.c",
        "winsock_compat/accelerator/macros.py",
        "winsock_compat/state/flags.py",
        "winsock/constants.py",
        "winsock/errors.py",
    ),
    "posix._libc": ("winsock_compat/build.py", "winsock_compat/posix/declarations.py"),
}


def _path_of(source: str) -> str:
    """The path of a source. In a clone the two packages are in different folders, in an installation in the same."""
    path = os.path.join(_FOLDER, source)
    return path if os.path.exists(path) else os.path.join(os.path.dirname(_FOLDER), source)


def sources_checksum(module: str) -> int:
    """The checksum of a compiled module's present sources: for the build and for `load`."""
    checksum = 0
    for source in _SOURCES[module]:
        with open(_path_of(source), "rb") as file:
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
        sources = ", ".join(_SOURCES[name])
        raise ImportError(
            f"{module.__file__} was built from other sources than the present {sources}: "
            "install winsock again (in a clone: python -m pip install -e .)",
            name=module.__name__,
            path=module.__file__,
        )
    return module
