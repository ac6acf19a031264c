"""Runs mosquitto, an MQTT broker, as a child process: its programs, its files and its start.

All files of a broker are in one folder: ``passwords`` (hashed), ``rules`` (which login may read or write which topics),
``mosquitto.conf``, ``mosquitto.log``, and what it saves. It listens on loopback, over TLS if there is a certificate.
What it has saved survives a kill, so a restarted broker has the retained messages at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from demos.terminal.runtime.private_files import new_private_file

# Debian installs mosquitto where only root's PATH leads.
_FURTHER_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"

_INSTALLATION = "on Debian and Ubuntu: apt-get install mosquitto; on macOS: brew install mosquitto"
_TIME_LIMIT = 30.0


class Certificate(NamedTuple):
    """The files of a certificate and its key (PEM)."""

    certificate: Path
    key: Path


def missing_problem() -> str:
    """Why no mosquitto can be started here, and what to do; empty if one can be."""
    if sys.platform == "win32":
        return "mosquitto is started on POSIX systems only"
    for name in ("mosquitto", "mosquitto_passwd"):
        if find_program(name) is None:
            return f"the program {name!r} is not installed; {_INSTALLATION}"
    return ""


def broker_files(folder: str) -> list[Path]:
    """The files in the folder of a broker."""
    return [Path(folder, name) for name in ("passwords", "rules", "mosquitto.conf", "mosquitto.log", "mosquitto.db")]


def find_program(name: str) -> str | None:
    """The path of mosquitto or of one of its tools; None if it is not installed."""
    return shutil.which(name) or shutil.which(name, path=_FURTHER_FOLDERS)


def access_rules(prefix: str, provider: str, subscribers: Sequence[str]) -> list[str]:
    """The access rules of a provider's prefix: the provider publishes, the subscribers read and may ask it.

    A client may ask only under its own client identifier (%c), and reads only the answers to it.
    """
    rules = [f"user {provider}", f"topic readwrite {prefix}/#"]
    for login in subscribers:
        rules.append(f"user {login}")
        rules += [f"topic read {prefix}/{name}" for name in ("status", "state/#", "summary", "heartbeat")]
    return [*rules, f"pattern write {prefix}/ask/%c", f"pattern read {prefix}/answer/%c"]


def write_access(folder: Path, passwords: Mapping[str, str], rules: Sequence[str]) -> None:
    """Write who may log in, and the lines of the access rules. Earlier files are replaced.

    Errors: OSError; subprocess.SubprocessError when mosquitto_passwd fails.
    """
    lines = {"passwords": [f"{login}:{password}" for login, password in passwords.items()], "rules": rules}
    for name, content in lines.items():
        (folder / name).unlink(missing_ok=True)
        with new_private_file(folder / name) as file:
            file.writelines(f"{line}\n" for line in content)
    command = [_found("mosquitto_passwd"), "-U", str(folder / "passwords")]
    subprocess.run(command, check=True, capture_output=True, timeout=_TIME_LIMIT)


def write_configuration(folder: Path, port: int, tls: Certificate | None = None, settings: Sequence[str] = ()) -> None:
    """Write the broker's configuration; ``settings`` are further lines of it."""
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous false",
        f"password_file {folder / 'passwords'}",
        f"acl_file {folder / 'rules'}",
        "persistence true",
        f"persistence_location {folder}/",
        # After each change.
        "autosave_interval 1",
        "autosave_on_changes true",
        "log_dest stderr",
        # Else the second of two short messages waits until the subscriber's system has acknowledged the first one.
        "set_tcp_nodelay true",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # The user that it would change to could not read these files.
        lines.append("user root")
    if tls is not None:
        lines += [f"certfile {tls.certificate}", f"keyfile {tls.key}"]
    (folder / "mosquitto.conf").write_text("\n".join([*lines, *settings]) + "\n", encoding="utf-8")


def start_broker(folder: Path) -> subprocess.Popen[bytes]:
    """Start mosquitto with the configuration in the folder. On Linux it ends when this process does, however that ends.

    Errors: OSError.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    command = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
    command += [_found("mosquitto"), "-c", str(folder / "mosquitto.conf")]
    with (folder / "mosquitto.log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _found(name: str) -> str:
    path = find_program(name)
    if path is None:
        raise FileNotFoundError(f"the program {name!r} is not installed; {_INSTALLATION}")
    return path
