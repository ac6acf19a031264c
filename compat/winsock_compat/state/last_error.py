"""How a call fails: it sets the thread's last error and returns its failure value."""

from __future__ import annotations

from winsock.constants import INVALID_SOCKET, SOCKET_ERROR

from .core import set_last_error


def fail(code: int) -> int:
    """Sets the last error; returns SOCKET_ERROR, for the call to return."""
    set_last_error(code)
    return SOCKET_ERROR


def invalid(code: int) -> int:
    """As fail, for the calls that return a SOCKET: INVALID_SOCKET."""
    set_last_error(code)
    return INVALID_SOCKET


def fail_with_code(code: int) -> int:
    """As fail, for the calls that return the error itself."""
    set_last_error(code)
    return code
