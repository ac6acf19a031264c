"""The numbers that accelerator.c shares with Python: the build passes them to the C compiler as macros.

setup.py runs this module in a clone. It imports nothing of the packages, which may not be installed yet.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

_CLONE = Path(__file__).parents[3]


def _names(module: str) -> dict[str, Any]:
    return runpy.run_path(str(_CLONE / module))


def macros() -> list[tuple[str, str | None]]:
    """The names of the macros and their values, as setuptools passes them to the compiler."""
    flags, compiled = _names("compat/winsock_compat/state/flags.py"), _names("compat/winsock_compat/posix/compiled.py")
    constants, errors = _names("winsock/constants.py"), _names("winsock/errors.py")
    numbers = {
        "SOURCES_CHECKSUM": compiled["sources_checksum"]("_accelerator"),
        "SOCKET_ERROR": constants["SOCKET_ERROR"],
        "INVALID_SOCKET": constants["INVALID_SOCKET"],
        "FIONBIO_COMMAND": constants["FIONBIO"] & 0xFFFFFFFF,
        "FD_SET_SIZE": 8 * (constants["FD_SETSIZE"] + 1),
        "WSAEWOULDBLOCK": errors["WSAEWOULDBLOCK"],
        "CONNECTED_STREAM": flags["CONNECTED_STREAM"],
        "STATE_CONNECTED": flags["State"].CONNECTED,
        "FIRST_HANDLE": flags["FIRST_HANDLE"],
        "LAST_HANDLE": flags["LAST_HANDLE"],
        "HANDLE_STEP": flags["HANDLE_STEP"],
        # The sets of select have the numbers that calls/polling.py gives them.
        "SELECT_READ": constants["POLLRDNORM"],
        "SELECT_WRITE": constants["POLLWRNORM"],
        "SELECT_EXCEPT": constants["POLLRDBAND"],
    }
    numbers |= {f"CAN_{flag.name}": flag for flag in flags["Capability"]}
    numbers |= {f"POLL_{kind.name}": kind for kind in flags["PollKind"]}
    numbers |= {f"WSA_{name}": constants[name] for name in ("POLLRDNORM", "POLLRDBAND", "POLLWRNORM", "POLLNVAL")}
    return [(name, f"{int(number)}{'ull' * (number > 0x7FFFFFFF)}") for name, number in numbers.items()]
