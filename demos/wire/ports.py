"""Which numbers are port numbers, and how a wrong one is reported."""

from __future__ import annotations

import re

_HIGHEST = 65535

_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)


def port_problem(value: int) -> str | None:
    """Why a client cannot connect to this port, or None when it can."""
    return None if 1 <= value <= _HIGHEST else _text(value, 1)


def listening_port_problem(value: int) -> str | None:
    """Why a server cannot listen on this port, or None when it can; with 0 the system chooses one."""
    return None if 0 <= value <= _HIGHEST else _text(value, 0)


def port_from_text(text: str) -> int:
    """The port that a client connects to. Errors: ValueError with what was expected."""
    return _from_text(text, 1)


def listening_port_from_text(text: str) -> int:
    """The port that a server listens on; with 0 the system chooses one. Errors: ValueError with what was expected."""
    return _from_text(text, 0)


def _from_text(text: str, lowest: int) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(_text(ascii(text), lowest))
    port = int(text)
    if not lowest <= port <= _HIGHEST:
        raise ValueError(_text(port, lowest))
    return port


def _text(value: object, lowest: int) -> str:
    return f"invalid port: {value}; use a number from {lowest} to {_HIGHEST}"
