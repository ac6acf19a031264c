"""Which numbers are port numbers."""

from __future__ import annotations

_HIGHEST = 65535


def port_problem(value: int) -> str | None:
    """Why a client cannot connect to this port, or None when it can."""
    return None if 1 <= value <= _HIGHEST else _text(value, 1)


def listening_port_problem(value: int) -> str | None:
    """Why a server cannot listen on this port, or None when it can; with 0 the system chooses one."""
    return None if 0 <= value <= _HIGHEST else _text(value, 0)


def _text(value: int, lowest: int) -> str:
    return f"invalid port: {value}; use a number from {lowest} to {_HIGHEST}"
