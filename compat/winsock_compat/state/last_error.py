"""The thread's last error, and how a call fails: it sets the last error and returns its failure value."""

from __future__ import annotations

import threading

from winsock.constants import INVALID_SOCKET, SOCKET_ERROR


class _LastError(threading.local):
    code = 0


last_error = _LastError()


def fail(code: int) -> int:
    """Sets the last error; returns SOCKET_ERROR, for the call to return."""
    last_error.code = code
    return SOCKET_ERROR


def invalid(code: int) -> int:
    """As fail, for the calls that return a SOCKET: INVALID_SOCKET."""
    last_error.code = code
    return INVALID_SOCKET


def fail_with_code(code: int) -> int:
    """As fail, for the calls that return the error itself."""
    last_error.code = code
    return code
