"""Packet filters in the form that the simulated kernel takes."""

from __future__ import annotations

from collections.abc import Sequence

from ..kernel.filters import Filter, pack

SELECT_FIRST = b"first"  # of listeners that share an address; the simulated kernel does so anyway


def program(loop: bool, loop6: bool, groups6: Sequence[tuple[bytes, int]], interface: int) -> bytes:
    """The filter that does what winsock_compat's program of this name does; b"" where everything is accepted."""
    if loop and loop6 and not interface and not any(index for _, index in groups6):
        return b""
    return pack(Filter(loop, loop6, groups6, interface))
