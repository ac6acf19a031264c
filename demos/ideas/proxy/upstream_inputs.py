"""One upstream server as the user gave it. It needs no package."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UpstreamInputs:
    """One upstream server as the user gave it: the topic that it feeds, its URL, how it is verified, and the login."""

    topic: str
    url: str
    login: str
    password_file: str
    token_file: str
    ca: str
    pin: str
