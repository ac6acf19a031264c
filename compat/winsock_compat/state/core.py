"""The state that both sides read: SocketCore, HandleTable and the last error of each thread.

Where the accelerator was built they are C types and functions (accelerator/accelerator.c), else the classes of
core_stand_in. Both have the same members, so the reference does not know which of them it uses.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .core_stand_in import HandleTable, SocketCore, get_last_error, set_last_error

    ACCELERATED: bool
else:
    from ..posix.compiled import load

    ACCELERATED = load("_accelerator") is not None
    if ACCELERATED:
        from .._accelerator import HandleTable, SocketCore, get_last_error, set_last_error
    else:
        from .core_stand_in import HandleTable, SocketCore, get_last_error, set_last_error

__all__ = ["ACCELERATED", "HandleTable", "SocketCore", "get_last_error", "set_last_error"]
