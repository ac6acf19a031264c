"""The commands ``provider cert``, ``check``, ``backup`` and ``restore``: what an operator does with files."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from demos.launcher.command_help import add_command
from demos.provider.cert_command import add_cert_options, run_cert_command
from demos.provider.state_copy import Restored, backup_state, restore_state
from demos.terminal.runtime.clock import RealClock
from demos.terminal.runtime.log import escaped

if TYPE_CHECKING:
    from demos.launcher.option_types import SubParsers

_CERT = """
    Create a private key and a certificate that is signed with it, and print the
    fingerprint that subscribers pin. A certificate of a CA needs no pin: give its
    files to the provider. The provider notices a new certificate and uses it for
    new connections.
"""
_CHECK = """
    Check the file of a provider's options (`python -m demos run provider
    --config FILE`) without starting it: names and values, the certificate and its
    key, the state, the addresses and ports. Each problem is one line. The exit
    code is 2 if there is one that is not a warning, else 0.
"""
_BACKUP = """
    Copy the provider's state to a new file, also while the provider is running.
    The copy is one file and readable by its owner only.
"""
_RESTORE = """
    Replace the provider's state by a backup; the provider must not be running.
    The former state stays as FILE.old. Users that were removed or disabled since
    the backup, and former passwords and tokens, are valid again: the command
    lists them.
"""


def add_state_parsers(commands: SubParsers, state: Path) -> None:
    """Declare the commands; ``state`` is the default file of the provider's state."""
    cert = add_command(commands, "cert", "create a certificate and print its fingerprint", _CERT)
    add_cert_options(cert)
    cert.set_defaults(run=_cert)
    check = add_command(commands, "check", "check the file of a provider's options", _CHECK)
    check.add_argument("--config", type=Path, required=True, metavar="FILE", help="the TOML file")
    check.set_defaults(run=_check)
    backup = _with_file(commands, "backup", "copy the provider's state", _BACKUP, "the new file", state, _backup)
    backup.add_argument("--force", action="store_true", help="replace an existing file")
    _with_file(commands, "restore", "replace the provider's state by a backup", _RESTORE, "the backup", state, _restore)


def _with_file(
    commands: SubParsers,
    name: str,
    text: str,
    description: str,
    file: str,
    state: Path,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = add_command(commands, name, text, description)
    parser.add_argument("file", type=Path, metavar="FILE", help=file)
    parser.add_argument(
        "--state",
        type=Path,
        default=state,
        metavar="FILE",
        help="the provider's database (default: %(default)s in this folder)",
    )
    parser.set_defaults(run=run)
    return parser


def _cert(args: argparse.Namespace) -> int:
    return run_cert_command(args, RealClock().now())


def _check(args: argparse.Namespace) -> int:
    # Imports the program, which the other commands do not need.
    from demos.provider.config_check import check_provider

    return check_provider(args.config)


def _backup(args: argparse.Namespace) -> int:
    summary = backup_state(args.state, args.file, force=args.force)
    print(f"copied {args.state} to {args.file}: version {summary.version}, {_users(summary.users)}")
    return 0


def _restore(args: argparse.Namespace) -> int:
    restored = restore_state(args.file, args.state)
    summary = restored.summary
    print(f"restored {args.state} from {args.file}: version {summary.version}, {_users(summary.users)}")
    if restored.former:
        print(f"the former state is {restored.former}")
    _print_what_returned(restored)
    return 0


def _print_what_returned(restored: Restored) -> None:
    if not restored.compared:
        print("users and tokens are those of the backup: check them with `python -m demos provider user list`")
    for text, names in (
        ("users that can log in again", restored.logins),
        ("users with a former password", restored.passwords),
        ("tokens that are valid again", restored.tokens),
    ):
        if names:
            print(f"{text}: {', '.join(map(escaped, names))}")


def _users(count: int) -> str:
    return f"{count} user" if count == 1 else f"{count} users"
