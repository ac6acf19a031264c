"""A copier that does nothing: it has the inputs of one, for tests of its configuration."""

from __future__ import annotations

from typing import Annotated

from demos.terminal import Input

Host: Annotated[str, Input("name or address of the plain server")] = "127.0.0.1"
Port: Annotated[int, Input("port of the plain server")] = 8081
url: Annotated[str, Input("address of the provider")] = ""
login: Annotated[str, Input("login at the provider")] = ""
password_file: Annotated[str, Input("file with the password")] = ""
token_file: Annotated[str, Input("file with the token")] = ""
ca: Annotated[str, Input("file of the CAs")] = ""
pin: Annotated[str, Input("fingerprint of the certificate")] = ""
memory: Annotated[str, Input("file of what the copier knows")] = "copier.sqlite"
factor: Annotated[float, Input("lots for each lot of the provider")] = 1.0
fast: Annotated[bool, Input("act at once")] = False


def OnInit() -> int:
    return 0
