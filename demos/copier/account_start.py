"""Builds the account copier from the program's inputs, with one clear error for each input that cannot be used."""

from __future__ import annotations

from pathlib import Path

from demos.copier.account_copier import FOLLOWER, AccountCopier
from demos.copier.account_inputs import AccountInputs, StartError, Trading
from demos.copier.account_sources import Source, find_source
from demos.copier.account_targets import AccountTargets
from demos.copier.account_values import AccountOptions
from demos.copier.login_secret import SecretError
from demos.copier.memory_file import MemoryFile, NamedStore
from demos.copier.moments import Moment
from demos.provider.following import Follower
from demos.terminal import Alert, Print
from demos.wire.opening import CallFailed
from demos.wire.tls_contexts import TlsError

OWNER = "owner"


def start_account(
    inputs: AccountInputs, options: AccountOptions, targets: AccountTargets, trading: Trading, event: Moment
) -> AccountCopier:
    """The account copier, ready for its first event.

    Errors: StartError; StateError when the memory file cannot be used.
    """
    try:
        source = find_source(inputs, tuple(targets.rules.only) or None)
    except (ValueError, TlsError, SecretError) as error:
        raise StartError(str(error)) from None
    if warning := source.secret.warning():
        Alert(warning)
    path = Path(inputs.memory + (".dry" if trading.dry else ""))
    memory = MemoryFile(path, owner=True)
    try:
        if trading.dry:
            # A virtual account begins anew each time.
            memory.clear()
        bind_memory(memory, source)
        connection = source.connect(Follower(NamedStore(memory, FOLLOWER)))
        copier = AccountCopier(connection, memory, options, targets, trading)
        copier.Start(event)
    except (ValueError, CallFailed) as error:
        memory.close()
        raise StartError(f"{path}: {error}") from None
    except BaseException:
        memory.close()
        raise
    verified = "pinned" if inputs.pin else f"verified by {inputs.ca or 'the system'}"
    Print(f"provider: {source.place}, {verified if source.has_tls else 'without TLS'}; memory: {path}")
    return copier


def bind_memory(memory: MemoryFile, source: Source) -> None:
    """Make the memory that of this provider and login, at its first use.

    Errors: ValueError when it is that of another one; StateError.
    """
    present = {"server": source.place, "login": source.secret.login}
    owner = memory.value(OWNER)
    if owner is None:
        memory.put_values({OWNER: present})
    elif owner != present:
        raise ValueError(
            f"this memory is that of the login {owner.get('login')} at {owner.get('server')}, not of "
            f"{present['login']} at {present['server']}; use another file (--memory)"
        )
