"""``python -m demos copier check``: whether a copier could work with the file of its options.

Nothing is sent: whether the provider answers, and accepts the login, is seen when the copier runs.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from demos.launcher.config_check import Finding, folder_problem, read_problem, readers_of, run_check
from demos.wire.http_hosts import option_host
from demos.wire.tls_contexts import TlsError, fingerprint_from_text, verifying_context

# The inputs that have no meaning in the article's plain protocol.
_SECURE = ("login", "password_file", "token_file", "ca", "pin")

# The names of the environment that may have the secret instead.
_ENVIRONMENT = ("WINSOCK_TOKEN", "WINSOCK_PASSWORD")

# More is no password and no token.
_MOST_SECRET = 4096


def check_copier(config: Path) -> int:
    """Print what is wrong with the file, one line each; returns the exit code, 0 or 2.

    Errors: ProgramError when the program cannot be loaded.
    """
    return run_check("copier", config, copier_findings)


def copier_findings(inputs: Mapping[str, object]) -> Iterator[Finding]:
    """What is wrong with the program's inputs."""
    url = _text(inputs, "url")
    if url:
        parts, problem = _split(url)
        if problem:
            yield Finding(f"url = {url!r}: {problem}")
        yield from _server_findings(inputs, parts.scheme == "wss")
        yield from _login_findings(inputs)
    else:
        for name in _SECURE:
            if _text(inputs, name):
                yield Finding(f"{_key(name)} needs url: without it the copier speaks the article's plain protocol")
    if memory := _text(inputs, "memory"):
        yield from _memory_findings(Path(memory))


def _split(url: str) -> tuple[SplitResult, str]:
    """The parts of a URL, and what is wrong with them or ""."""
    parts = SplitResult("", "", "", "", "")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return parts, str(error)
    if parts.scheme not in ("wss", "ws"):
        return parts, "it must begin with wss://, or with ws:// for a provider on this machine"
    if parts.username is not None or parts.password is not None:
        return parts, "a login and a password have no place in it: use login and password-file"
    host = parts.hostname
    if not host or option_host(host) is None or port == 0:
        return parts, "it must have a host and may have a port, as in wss://provider.example:8443"
    if parts.scheme == "ws" and not _is_loopback(host):
        return parts, f"without TLS the password would be readable on the network: use wss:// for {host}"
    return parts, ""


def _server_findings(inputs: Mapping[str, object], tls: bool) -> Iterator[Finding]:
    """What is wrong with the options that verify the server."""
    ca, pin = _text(inputs, "ca"), _text(inputs, "pin")
    if not tls and (ca or pin):
        yield Finding("ca and pin have no effect on a ws:// connection: it has no certificate", warning=True)
    if ca:
        try:
            verifying_context(ca)
        except TlsError as error:
            yield Finding(f"ca: {error}")
    if pin:
        try:
            fingerprint_from_text(pin)
        except ValueError as error:
            yield Finding(f"pin: {error}")


def _login_findings(inputs: Mapping[str, object]) -> Iterator[Finding]:
    if not _text(inputs, "login"):
        yield Finding("login is needed for a connection to url")
    files = {name: _text(inputs, name) for name in ("password_file", "token_file")}
    given = {name: Path(text) for name, text in files.items() if text}
    if len(given) > 1:
        yield Finding("password-file and token-file exclude each other: use one of them")
    if not given and not any(os.environ.get(name) for name in _ENVIRONMENT):
        yield Finding(f"password-file or token-file is needed, or {' or '.join(_ENVIRONMENT)} in the environment")
    for name, path in given.items():
        yield from _secret_findings(_key(name), path)


def _secret_findings(key: str, path: Path) -> Iterator[Finding]:
    """What is wrong with a file that has a secret; the text of a finding never has its content."""
    if problem := read_problem(path):
        yield Finding(f"{key}: {problem}")
        return
    readers = readers_of(path)
    if readers & 0o007:
        yield Finding(f"{key}: others can read {path}: use `chmod 600 {path}`")
    elif readers:
        yield Finding(f"{key}: the group of {path} can read it: use `chmod 600 {path}`", warning=True)
    with path.open("rb") as file:
        data = file.read(_MOST_SECRET)
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        yield Finding(f"{key}: {path} is not UTF-8")
        return
    if len(lines) != 1 or not lines[0] or len(data) == _MOST_SECRET:
        yield Finding(f"{key}: {path} must have one line with the secret and nothing else")


def _memory_findings(memory: Path) -> Iterator[Finding]:
    if problem := folder_problem(memory):
        yield Finding(f"memory: {problem}")
    if not memory.exists():
        return
    if not os.access(memory, os.R_OK | os.W_OK):
        yield Finding(f"memory: {memory} cannot be read and written by this user")
        return
    try:
        with closing(sqlite3.connect(f"{memory.absolute().as_uri()}?mode=rw", uri=True)) as db:
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        yield Finding(f"memory: {memory}: {error}")
        return
    if found != "ok":
        yield Finding(f"memory: {memory} is damaged: {found}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _text(inputs: Mapping[str, object], name: str) -> str:
    """The value of an input; empty when the program has none of this name."""
    value = inputs.get(name)
    return value if isinstance(value, str) else ""


def _key(name: str) -> str:
    return name.replace("_", "-")
