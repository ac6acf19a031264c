"""Which numbers are a port."""

from __future__ import annotations

HIGHEST_PORT = 65535


def port_problem(value: int) -> str | None:
    """Why a client cannot connect to this port, or None when it can."""
    return None if 0 < value <= HIGHEST_PORT else f"invalid port: {value}; a port is a number from 1 to {HIGHEST_PORT}"


def listening_port_problem(value: int) -> str | None:
    """Why a server cannot listen on this port, or None when it can; 0 lets the system choose one."""
    return None if value == 0 else port_problem(value)
