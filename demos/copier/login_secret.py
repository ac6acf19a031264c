"""The copier's password or token: from a file or from the environment, never from an argument, and never logged.

An argument would be visible to all users of the computer (ps) and in the history of the shell.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from demos.provider.messages import VERSION, Login
from demos.provider.protocol import MessageError, encode

PASSWORD_VARIABLE = "WINSOCK_PASSWORD"
TOKEN_VARIABLE = "WINSOCK_TOKEN"

# The longest secret that MQTT carries. Some brokers have long tokens as passwords.
_LONGEST_LINE = 65_535

_KINDS = {"password": PASSWORD_VARIABLE, "token": TOKEN_VARIABLE}


class SecretError(Exception):
    """There is no usable password or token; the text is the reason and has none of it."""


@dataclass(frozen=True)
class LoginSecret:
    """Where the secret of a login is: ``kind`` is password or token; either a file, or the value from the environment.

    ``unused``: the environment variable with a secret that is not used, because there is no login; "": none.
    A file is read again for each login, so that a new password needs no restart.
    """

    login: str
    kind: str
    file: Path | None = None
    value: str = field(default="", repr=False)
    unused: str = ""

    def read(self) -> str:
        """The secret as it is now. Errors: SecretError."""
        return self.value if self.file is None else _first_line(self.file, self.kind)

    def message(self, symbols: tuple[str, ...] | None, client: str) -> Login:
        """The login to send.

        Errors: SecretError.
        """
        secrets = {self.kind: self.read()}
        message = Login(
            VERSION, self.login, secrets.get("password"), secrets.get("token"), symbols=symbols, client=client
        )
        try:
            encode(message)
        except MessageError as error:
            raise SecretError(f"the login cannot be used: {error}") from None
        return message

    def signature(self) -> tuple[int, int] | None:
        """What changes when the file is written; None without a file, or when it cannot be read."""
        try:
            status = self.file.stat() if self.file else None
        except OSError:
            return None
        return status and (status.st_mtime_ns, status.st_size)

    def warning(self) -> str:
        """What the operator should change: a file that others can read, or a secret without a login; "" if nothing."""
        if self.unused:
            return f"the environment variable {self.unused} is set but not used: there is no login"
        if self.file is None or os.name != "posix":
            return ""
        try:
            mode = self.file.stat().st_mode
        except OSError:
            return ""
        others = mode & (stat.S_IRWXG | stat.S_IRWXO)
        return f"other users can access the {self.kind} in {self.file}: change its mode to 600" if others else ""


def find_secret(
    login: str,
    password_file: str,
    token_file: str,
    environment: Mapping[str, str],
    symbols: tuple[str, ...] | None = None,
) -> LoginSecret:
    """The secret that the options and the environment name. Options win over the environment.

    ``symbols``: those that the login will ask for; None for all.

    Errors: SecretError when there is none or more than one, or when the file cannot be used.
    """
    if not login:
        raise SecretError("a provider needs a login: give --login NAME")
    files = {kind: name for kind, name in (("password", password_file), ("token", token_file)) if name}
    values = {kind: environment[name] for kind, name in _KINDS.items() if environment.get(name)}
    names = files or values
    if len(names) != 1:
        problem = "only one is possible" if names else "none is given"
        raise SecretError(
            f"a login needs a password or a token, and {problem}: use --password-file or --token-file, or the "
            f"environment variable {PASSWORD_VARIABLE} or {TOKEN_VARIABLE}"
        )
    [kind] = names
    found = LoginSecret(login, kind, Path(files[kind]) if files else None, "" if files else values[kind])
    found.message(symbols, "copier")
    return found


def _first_line(path: Path, kind: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.readline(_LONGEST_LINE + 2)
        text = data.decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise SecretError(f"the {kind} file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretError(f"the {kind} file {path} is not UTF-8") from None
    if len(data) > _LONGEST_LINE:
        raise SecretError(f"the first line of the {kind} file {path} is longer than {_LONGEST_LINE} bytes")
    if not text:
        raise SecretError(f"the first line of the {kind} file {path} is empty: it must be the {kind}")
    return text
