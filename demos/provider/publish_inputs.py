"""Where the provider publishes at a proxy, as the user gave it. It needs no package."""

from __future__ import annotations

from typing import NamedTuple


class PublishInputs(NamedTuple):
    """Where the proxy is, how it is verified, and the login, as the user gave them; ``name`` is the provider's."""

    url: str
    login: str
    password_file: str
    token_file: str
    ca: str
    pin: str
    name: str
