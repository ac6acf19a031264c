"""The inputs of the clients of the ideas; a program annotates its variables with them: ``ca: CaInput = ""``."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from demos.copier.server_url import endpoint_from_text, pin_problem
from demos.terminal import Input


def server_problem(url: str) -> str | None:
    """Why this is not a server's URL, or None when it is one."""
    try:
        endpoint_from_text(url)
    except ValueError as error:
        return str(error)
    return None


UrlInput: TypeAlias = Annotated[
    str, Input("the server, as in wss://server.example:8451, or ws://127.0.0.1:8451 on this computer", server_problem)
]
CaInput: TypeAlias = Annotated[
    str, Input("PEM file of the CAs that verify the server; empty: those of the system", file="read")
]
PinInput: TypeAlias = Annotated[
    str, Input("SHA-256 fingerprint that the server's certificate must have, instead of a CA", pin_problem)
]
