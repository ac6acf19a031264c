"""A network namespace for the calling thread, whose interface has more addresses than loopback's (Linux, root)."""

from __future__ import annotations

import ctypes
import os
import subprocess

_CLONE_NEWNET = 0x40000000
# The addresses are those of the interface lo, which every namespace has: 10.77.0.1/24 and fe80::77/64.
OWN, NETWORK_BROADCAST = 0x0A4D0001, 0x0A4D00FF
LINK_LOCAL, SCOPE = b"\xfe\x80" + bytes(13) + b"\x77", 1
_COMMANDS = (
    "link set lo up",
    "addr add 10.77.0.1/24 brd 10.77.0.255 dev lo",
    "addr add fe80::77/64 dev lo nodad",
)


def enter_namespace() -> None:
    """Moves the calling thread into a new network namespace. The namespace ends with the thread and its sockets."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for command in _COMMANDS:
        # A process that this thread starts is in the thread's namespace.
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)
