"""Checks of the arguments of a script, so that a wrong one is an error where the script is written."""

from __future__ import annotations

import math
from operator import index
from typing import Any

__all__ = [
    "LOOPBACKS",
    "checked_address",
    "checked_bytes",
    "checked_host",
    "checked_integer",
    "checked_number",
    "checked_port",
    "checked_simulated_host",
]

# The first one is the address of a peer and of a port without another one.
LOOPBACKS = ("127.0.0.1", "::1")
# Some decades in seconds; what is longer is a mistake, and overflows the clocks of some systems.
_LONGEST_TIME = 1e9
_LARGEST_C_INT = 2**31 - 1


def checked_integer(name: str, value: Any, *, positive: bool = True) -> int:
    """The value as an int; if it must be positive, it also fits into a C int. Errors: TypeError. ValueError."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"invalid {name}: {value!r}: it must be an integer, not {type(value).__name__!r}")
    if positive and value < 1:
        raise ValueError(f"invalid {name}: {value!r}: it must be greater than 0")
    if positive and value > _LARGEST_C_INT:
        raise ValueError(f"invalid {name}: {value!r}: it must be at most {_LARGEST_C_INT}")
    return index(value)


def checked_number(name: str, value: Any, zero: bool = False) -> Any:
    """The value, a number greater than 0, or `zero` too, that is at most 1e9. Errors: TypeError. ValueError."""
    try:
        # A text would be taken by float() too.
        number = math.fabs(value)
    except OverflowError:
        number = math.inf
    except TypeError:
        raise TypeError(f"invalid {name}: {value!r}: it must be a number, not {type(value).__name__!r}") from None
    if zero and not value >= 0:
        raise ValueError(f"invalid {name}: {value!r}: it must not be negative")
    if not zero and not value > 0:
        raise ValueError(f"invalid {name}: {value!r}: it must be greater than 0")
    if number > _LONGEST_TIME:
        raise ValueError(f"invalid {name}: {value!r}: it must be at most {_LONGEST_TIME:g}")
    # Other numbers, such as a Decimal, cannot be added to the times of a clock.
    return value if isinstance(value, (int, float)) else number


def checked_host(value: Any) -> str:
    """A host name or a numeric address. Errors: TypeError. ValueError."""
    if not isinstance(value, str):
        raise TypeError(f"invalid host: {value!r}: it must be a string, not {type(value).__name__!r}")
    if not value.isascii():
        raise ValueError(f"invalid host: {value!r}: it must be ASCII text")
    return value


def checked_simulated_host(value: Any) -> Any:
    """A host of a simulated network, or None. Errors: TypeError."""
    # Not isinstance: a peer on real loopback needs no simulation.
    if value is not None and not hasattr(value, "interfaces"):
        raise TypeError(
            f"invalid host: {value!r}: it must be a host of a simulated network, such as net.host('server'), not "
            f"{type(value).__name__!r}; a peer of this machine takes address= and port="
        )
    return value


def checked_port(value: Any, lowest: int) -> int:
    """Errors: TypeError. ValueError."""
    port = checked_integer("port", value, positive=False)
    if not lowest <= port <= 65_535:
        raise ValueError(f"invalid port: {port!r}: it must be from {lowest} to 65535")
    return port


def checked_address(value: Any) -> tuple[str, int]:
    """The host and the port of an address: a pair, or a port of the loopback address. Errors: TypeError. ValueError."""
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return checked_host(value[0]), checked_port(value[1], 1)
    if not hasattr(value, "__index__"):
        raise TypeError(f"invalid address: {value!r}: it must be a port or a pair, such as ('127.0.0.1', 8081)")
    return LOOPBACKS[0], checked_port(value, 1)


def checked_bytes(name: str, data: Any) -> bytes:
    """A copy of a message. Errors: TypeError. ValueError."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"{name}() argument: a bytes-like object is required, not {type(data).__name__!r}")
    if not len(data):
        raise ValueError(f"{name}() needs at least one byte")
    return bytes(data)
