"""The inputs of the servers of the ideas; a program annotates its variables with them: ``Port: PortInput = 8451``."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from demos.terminal import Input
from demos.wire.http_hosts import hosts_problem
from demos.wire.ports import listening_port_problem

# A connection costs about 50 kB, and one thread serves all of them.
MOST_CLIENTS = 10_000


def clients_problem(value: int) -> str | None:
    """Why this cannot be a limit of connections, or None when it can."""
    return None if 1 <= value <= MOST_CLIENTS else f"invalid number: {value}; use 1 to {MOST_CLIENTS}"


HostInput: TypeAlias = Annotated[str, Input("name or address to listen on; other than loopback needs --cert")]
PortInput: TypeAlias = Annotated[int, Input("port to listen on; 0: any free one", check=listening_port_problem)]
CertInput: TypeAlias = Annotated[
    str, Input("certificate file (PEM) for TLS; empty: no TLS, on loopback only", file="read")
]
KeyInput: TypeAlias = Annotated[
    str, Input("key file (PEM) of the certificate; empty: it is in the certificate's file", file="read")
]
HostsInput: TypeAlias = Annotated[
    str,
    Input("further host names for requests, separated by commas, as behind a reverse proxy", check=hosts_problem),
]
ClientsInput: TypeAlias = Annotated[int, Input("most connections at a time", check=clients_problem)]
PerAddressInput: TypeAlias = Annotated[
    int, Input("most connections at a time from one IP address; a new one then replaces one", check=clients_problem)
]
