"""The names of topics, and their paths: ``/ws/NAME``, or ``/ws`` for the only topic of a server."""

from __future__ import annotations

import re

SUBSCRIBERS = "/ws"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


def topic_path(name: str) -> str:
    """The path of a topic's WebSocket; without a name, that of the only topic."""
    return f"{SUBSCRIBERS}/{name}" if name else SUBSCRIBERS


def topic_of_path(path: str) -> str | None:
    """The topic in the path of a URL, ``/ws/NAME`` or ``/NAME``; "" for ``/ws``, ``/`` and "", None for others."""
    name = "" if path in ("", "/", SUBSCRIBERS) else path.removeprefix(SUBSCRIBERS).removeprefix("/")
    return name if not name or topic_problem(name) is None else None


def topic_problem(name: str) -> str | None:
    """Why this cannot be the name of a topic, or None when it can."""
    # A topic of this name would have the path of the only topic in a URL without /ws.
    if _NAME.fullmatch(name) and f"/{name}" != SUBSCRIBERS:
        return None
    return (
        f"invalid topic: {name!r}; use 1 to 64 lower-case letters, digits and . _ -, the first a letter or a digit; "
        "not ws"
    )
