"""A provider that does nothing: it has the inputs of one, for tests of its configuration."""

from __future__ import annotations

from typing import Annotated

from demos.terminal import Input

Host: Annotated[str, Input("name or address to listen on")] = "127.0.0.1"
Port: Annotated[int, Input("port of subscribers, dashboard and metrics; -1: none")] = 8443
cert: Annotated[str, Input("file of the certificate")] = ""
key: Annotated[str, Input("file of the private key")] = ""
state: Annotated[str, Input("file of the users")] = "provider.sqlite"
name: Annotated[str, Input("name of the provider")] = ""
experts: Annotated[int, Input("number of threads")] = 1
only: Annotated[str, Input("symbols that are served")] = ""
plain_host: Annotated[str, Input("name or address of the plain port")] = "127.0.0.1"
plain_port: Annotated[int, Input("port of the plain protocol; -1: none, 0: any")] = 8081
fast: Annotated[bool, Input("send at once")] = False


def OnInit() -> int:
    return 0
