"""Builds the account copier from the program's inputs, with one clear error for each input that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

from demos.copier.account_copier import FOLLOWER, AccountCopier
from demos.copier.account_inputs import AccountInputs, StartError, Trading
from demos.copier.account_targets import AccountTargets
from demos.copier.account_values import AccountOptions
from demos.copier.login_secret import SecretError, find_secret
from demos.copier.memory_file import MemoryFile, NamedStore
from demos.copier.moments import Moment
from demos.copier.secure_connection import SecureConnection, ServerSettings
from demos.copier.server_url import Endpoint, endpoint_from_text
from demos.copier.verification import verification
from demos.provider.following import Follower
from demos.terminal import Alert, Print
from demos.wire.tls_contexts import TlsError
from winsock import __version__

OWNER = "owner"
CLIENT = f"copier {__version__}"


def start_account(
    inputs: AccountInputs, options: AccountOptions, targets: AccountTargets, trading: Trading, event: Moment
) -> AccountCopier:
    """The account copier, ready for its first event.

    Errors: StartError; StateError when the memory file cannot be used.
    """
    only = tuple(targets.rules.only) or None
    try:
        endpoint = endpoint_from_text(inputs.url)
        context, pin = verification(endpoint, inputs.ca, inputs.pin)
        secret = find_secret(inputs.login, inputs.password_file, inputs.token_file, os.environ, only)
    except (ValueError, TlsError, SecretError) as error:
        raise StartError(str(error)) from None
    if warning := secret.exposure():
        Alert(warning)
    settings = ServerSettings(endpoint, context, pin, secret, CLIENT, only)
    path = Path(inputs.memory + (".dry" if trading.dry else ""))
    memory = MemoryFile(path, owner=True)
    try:
        if trading.dry:
            # A virtual account begins anew each time.
            memory.clear()
        bind_memory(memory, endpoint, secret.login)
        connection = SecureConnection(settings, Follower(NamedStore(memory, FOLLOWER)))
        copier = AccountCopier(connection, memory, options, targets, trading)
        copier.Start(event)
    except ValueError as error:
        memory.close()
        raise StartError(f"{path}: {error}") from None
    except BaseException:
        memory.close()
        raise
    verified = "without TLS" if context is None else "pinned" if pin else f"verified by {inputs.ca or 'the system'}"
    Print(f"provider: {endpoint}, {verified}; memory: {path}")
    return copier


def bind_memory(memory: MemoryFile, endpoint: Endpoint, login: str) -> None:
    """Make the memory that of this provider and login, at its first use.

    Errors: ValueError when it is that of another one; StateError.
    """
    present = {"server": str(endpoint), "login": login}
    owner = memory.value(OWNER)
    if owner is None:
        memory.put_values({OWNER: present})
    elif owner != present:
        raise ValueError(
            f"this memory is that of the login {owner.get('login')} at {owner.get('server')}, not of {login} at "
            f"{present['server']}; use another file (--memory)"
        )
