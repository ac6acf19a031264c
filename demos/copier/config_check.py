"""``python -m demos copier check``: whether a copier could work with the file of its options.

Nothing is sent: whether the provider answers, and accepts the login, is seen when the copier runs.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from demos.copier.account_inputs import AccountInputs
from demos.copier.login_secret import SecretError
from demos.copier.memory_file import KIND
from demos.copier.rules import list_from_text
from demos.launcher.config_check import Finding, folder_problem, run_check
from demos.provider.sqlite_file import StateError, tables_version
from demos.wire.tls_contexts import TlsError

# The inputs that have no meaning in the article's plain protocol.
_WITH_URL = ("login", "password_file", "token_file", "ca", "pin")


def check_copier(config: Path) -> int:
    """Print what is wrong with the file, one line each; returns the exit code, 0 or 2.

    Errors: ProgramError when the program cannot be loaded.
    """
    return run_check("copier", config, copier_findings)


def copier_findings(values: Mapping[str, object]) -> Iterator[Finding]:
    """What is wrong with the program's inputs. A value with a problem of its own is missing, and was reported."""
    if "url" not in values or "broker" not in values:
        return
    names = ("url", "login", "password_file", "token_file", "ca", "pin", "memory", "broker")
    inputs = AccountInputs(*(str(values.get(name, "")) for name in names))
    if inputs.url and inputs.broker:
        yield Finding("url and broker are both given: follow one provider, at one place")
        return
    if not (inputs.url or inputs.broker):
        for name in _WITH_URL:
            if getattr(inputs, name):
                key = name.replace("_", "-")
                yield Finding(f"{key} needs url: without it the copier speaks the article's plain protocol")
        return
    yield from _source_findings(inputs, tuple(list_from_text(str(values.get("only", "")))))
    yield from _memory_findings(Path(inputs.memory))


def _source_findings(inputs: AccountInputs, symbols: tuple[str, ...]) -> Iterator[Finding]:
    """What is wrong with how the server is verified, and with the login; see start_account()."""
    try:
        from demos.copier.account_sources import find_secret_of, verify_source

        if inputs.broker:
            import demos.copier.broker_connection  # noqa: F401 - the import is the check
    except ImportError as error:
        yield Finding(f"{'broker' if inputs.broker else 'url'}: {error}")
        return
    try:
        verify_source(inputs)
    except (ValueError, TlsError) as error:
        yield Finding(str(error))
    try:
        secret = find_secret_of(inputs, symbols or None)
    except SecretError as error:
        yield Finding(str(error))
        return
    if warning := secret.warning():
        yield Finding(warning, warning=True)


def _memory_findings(memory: Path) -> Iterator[Finding]:
    if problem := folder_problem(memory):
        yield Finding(f"memory: {problem}")
    if not memory.exists():
        return
    if not memory.is_file():
        yield Finding(f"memory: not a file: {memory}")
        return
    if not os.access(memory, os.R_OK | os.W_OK):
        yield Finding(f"memory: {memory} cannot be read and written by this user")
        return
    try:
        with closing(sqlite3.connect(f"{memory.absolute().as_uri()}?mode=rw", uri=True)) as db:
            tables_version(db, str(memory), KIND)
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except StateError as error:
        yield Finding(f"memory: {error}")
        return
    except sqlite3.Error as error:
        yield Finding(f"memory: {memory}: {error}")
        return
    if found != "ok":
        yield Finding(f"memory: {memory} is damaged: {found}")
