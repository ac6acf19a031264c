"""The named states and flags of a socket, which the reference and the accelerator share.

The module imports nothing of the package: the build runs it (setup.py) and passes the values to the C compiler.
"""

from enum import IntEnum, IntFlag


class State(IntEnum):
    """What a socket went through."""

    FRESH = 0
    CONNECTING = 1
    CONNECTED = 2
    LISTENING = 3
    FAILED = 4


class Capability(IntFlag):
    """What the accelerator may do with a socket without asking the reference."""

    SEND = 1
    RECV = 2
    SENDTO = 4  # as for RECVFROM, the kernel takes and gives Winsock's sockaddr
    RECVFROM = 8
    ACCEPT = 16
    CLOSE = 32  # close does not wait for unsent data


class PollKind(IntEnum):
    """How select and WSAPoll of the accelerator read what the kernel's poll reports about a socket."""

    NEVER = 0  # never ready, whatever poll reports: a fresh stream
    LISTENER = 1
    STREAM = 2
    DATAGRAM = 3
    REFERENCE = 4  # the reference decides


# What an accepted socket can do.
CONNECTED_STREAM = Capability.SEND | Capability.RECV | Capability.CLOSE
# Handles are multiples of 4, as on Windows, and fit the `int` and the `uint` of MQL.
FIRST_HANDLE, LAST_HANDLE, HANDLE_STEP = 0x100, 0x7FFFFFFC, 4
