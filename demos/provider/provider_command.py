"""``python -m demos provider``: a provider's users, their tokens and the bans, its certificate, options and state."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, TypeAlias

from demos.launcher.command_help import add_command
from demos.launcher.option_types import symbol
from demos.provider import user_actions, user_options
from demos.provider.demo_command import run_demo
from demos.provider.passwords import SHORTEST_PASSWORD
from demos.provider.state_command import add_state_parsers
from demos.provider.state_file import StateFile
from demos.terminal.interfaces import TerminalError
from demos.terminal.runtime.log import escaped
from winsock.command_line import INTERRUPTED

if TYPE_CHECKING:
    from demos.launcher.option_types import SubParsers

Action: TypeAlias = Callable[[StateFile, argparse.Namespace], None]

_DEFAULT_STATE = Path("provider.sqlite")

_DESCRIPTION = """
    Manage the users of a signal provider: who may log in, what they see, and who
    is banned because of wrong passwords. The provider may be running: it learns
    of each change within a second and disconnects whoever has lost a right.
    Further commands create a certificate, check a file of options, and copy and
    restore the state. With --demo everything runs at once, on paper accounts.
"""
_EXAMPLES = f"""
    examples:
      python -m demos provider --demo
          runs a provider, its dashboard and two copiers on paper accounts, until
          Ctrl-C; `python -m demos provider --demo --help` shows its options
      python -m demos provider user add anna
          asks for a password (at least {SHORTEST_PASSWORD} characters) and creates the file
          {_DEFAULT_STATE} in this folder if it is missing
      python -m demos provider user add olga --operator
          olga opens the dashboard; she cannot subscribe
      python -m demos provider user set anna --symbol EURUSD --expires 90d
          anna sees one symbol, for 90 days
      python -m demos provider user token add anna copier-1
          prints a token, with which a program logs in instead of a password
      python -m demos provider user disable anna
      python -m demos provider bans
      python -m demos provider check --config provider.toml
      python -m demos provider backup backup.sqlite
"""
_USER = """
    A login has lower-case letters, digits and . _ - + @; upper-case letters mean
    the same. Each command has its own --help.
"""
_ADD = f"""
    Add a user. The password is asked for twice, and has at least {SHORTEST_PASSWORD}
    characters. For a script, --stdin reads it from one line of standard input.
"""
_SET = """
    Change what a user may do. Rights that are not given stay as they are. Its
    connections end, and log in again with the new rights.
"""
_TOKEN = """
    A token is a long random text, with which a program logs in instead of the
    password. Each has a name, so that one can be removed alone. Only its hash is
    stored: `add` shows it once.
"""
_TOKEN_ADD = """
    Create a token and print it, or write it to a new file with --out. The
    provider stores its hash only, so it cannot be shown again. A program that logs
    in with it has the rights of the user. A copier reads it from the file that its
    option --token-file names.
"""
_TOKEN_EXAMPLES = """examples:
  python -m demos provider user token add anna copier-1 --out token.txt
  python -m demos run copier --url wss://provider.example:8443 --login anna \\
      --token-file token.txt
"""
_BANS = """
    Show the bans in force. 5 wrong passwords for a login from one address ban the
    login from this address, 20 with any logins ban the address: for a minute at
    first, and longer each time. A banned address can still log in with logins
    that were used there within 30 days, and slowly with others. Of IPv6, the
    first 64 bits count as the address.
"""
_UNBAN = """
    End bans, and forget the wrong passwords behind them: of an address with all
    logins, of a login at all addresses, of a login at one address, or all.
"""
_CONNECTIONS = "how many connections it may have at one time"
_EXPIRES = "when the login ends: never, 90d, 2030-01-31 or 2030-01-31T18:00 (UTC)"
_PUBLISH = "a topic of a proxy that it may publish; repeat it for several"
_TOPIC = "a topic of a proxy that it may follow; repeat it"
_OPERATOR = "it opens the dashboard instead of subscribing"


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "provider",
        "manage a provider: users, bans, certificate, backups",
        _DESCRIPTION,
        epilog=dedent(_EXAMPLES),
    )
    parser.add_argument(
        "--demo", nargs=argparse.REMAINDER, help="run a provider, its dashboard and two copiers; options may follow"
    )
    # One of them may be a password.
    parser.set_defaults(shows_unknown=False)
    commands = parser.add_subparsers(metavar="COMMAND")
    user = add_command(commands, "user", "add, list, change and remove users, and their tokens", _USER)
    actions = user.add_subparsers(metavar="ACTION", required=True)
    _add_rights_parsers(actions)
    for name, action, text in (
        ("disable", user_actions.disable_user, "end a user's connections and refuse its logins"),
        ("enable", user_actions.enable_user, "accept the logins of a disabled user again"),
        ("remove", user_actions.remove_user, "remove a user and its tokens"),
    ):
        _add_login(_leaf(actions, name, action, text))
    passwd = _leaf(actions, "passwd", user_actions.change_password, "change a user's password")
    _add_login(passwd)
    _add_stdin(passwd)
    _add_token_parsers(actions)
    _add_json(_leaf(commands, "bans", user_actions.list_bans, "show the bans in force", _BANS))
    unban = _leaf(commands, "unban", user_actions.unban, "end bans", _UNBAN)
    unban.add_argument("address", nargs="?", type=user_options.address, metavar="ADDRESS", help="only of this address")
    unban.add_argument("--login", type=user_options.login, metavar="LOGIN", help="only of this login")
    unban.add_argument("--all", action="store_true", help="all bans")
    add_state_parsers(commands, _DEFAULT_STATE)


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code. An error is one line on standard error."""
    try:
        if args.demo is not None:
            return run_demo(args.demo)
        if "run" in args:
            code: int = args.run(args)
            return code
        if "action" not in args:
            args.usage_error("what to do is missing: give a COMMAND, or --demo to see everything run")
        adds, action = args.action is user_actions.add_user, args.action
        if adds and not args.state.exists():
            action = partial(action, password=user_actions.password_of_first_user(args))
        with closing(StateFile(args.state, create=adds)) as state:
            action(state, args)
    except TerminalError as error:
        print(f"python -m demos provider: error: {escaped(str(error))}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("\npython -m demos provider: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def _add_rights_parsers(actions: SubParsers) -> None:
    add = _leaf(actions, "add", user_actions.add_user, "add a user", _ADD)
    _add_login(add)
    _add_stdin(add)
    add.add_argument(
        "--symbol", action="append", type=symbol, metavar="NAME", help="a visible symbol; repeat it (default: all)"
    )
    add.add_argument(
        "--connections", type=user_options.connections, default=1, metavar="N", help=f"{_CONNECTIONS} (default: 1)"
    )
    add.add_argument("--expires", type=user_options.expiry, metavar="WHEN", help=f"{_EXPIRES} (default: never)")
    add.add_argument("--operator", action="store_true", help=f"{_OPERATOR} (default: it subscribes)")
    add.add_argument("--publish", action="append", type=user_options.topic, metavar="TOPIC", help=_PUBLISH)
    add.add_argument(
        "--topic", action="append", type=user_options.topic, metavar="TOPIC", help=f"{_TOPIC} (default: all)"
    )
    change = _leaf(actions, "set", user_actions.set_rights, "change what a user may do", _SET)
    _add_login(change)
    symbols = change.add_mutually_exclusive_group()
    symbols.add_argument(
        "--symbol", action="append", type=symbol, metavar="NAME", help="a visible symbol; repeat it for several"
    )
    symbols.add_argument("--all-symbols", action="store_true", help="all symbols are visible")
    unset = argparse.SUPPRESS
    change.add_argument("--connections", type=user_options.connections, default=unset, metavar="N", help=_CONNECTIONS)
    change.add_argument("--expires", type=user_options.expiry, default=unset, metavar="WHEN", help=_EXPIRES)
    roles = change.add_mutually_exclusive_group()
    roles.add_argument("--operator", action="store_true", default=unset, help=_OPERATOR)
    roles.add_argument(
        "--no-operator", action="store_false", dest="operator", default=unset, help="it subscribes to the account"
    )
    published = change.add_mutually_exclusive_group()
    published.add_argument("--publish", action="append", type=user_options.topic, metavar="TOPIC", help=_PUBLISH)
    published.add_argument("--no-publish", action="store_true", help="it publishes nothing")
    topics = change.add_mutually_exclusive_group()
    topics.add_argument("--topic", action="append", type=user_options.topic, metavar="TOPIC", help=_TOPIC)
    topics.add_argument("--all-topics", action="store_true", help="it may follow all topics of a proxy")
    _add_json(_leaf(actions, "list", user_actions.list_users, "show all users"))


def _add_token_parsers(actions: SubParsers) -> None:
    token = add_command(actions, "token", "add, list and remove a user's tokens", _TOKEN)
    commands = token.add_subparsers(metavar="ACTION", required=True)
    for name, action, text in (
        ("add", user_actions.add_token, "create a token and print it"),
        ("remove", user_actions.remove_token, "remove a token and end its connections"),
    ):
        parser = _leaf(commands, name, action, text, _TOKEN_ADD if name == "add" else "")
        _add_login(parser)
        parser.add_argument("name", metavar="NAME", help="the token's name, for example the program that uses it")
        if name == "add":
            parser.epilog = _TOKEN_EXAMPLES
            parser.add_argument(
                "--out", type=Path, metavar="FILE", help="write it to this new file, which only you can read"
            )
    tokens = _leaf(commands, "list", user_actions.list_tokens, "show the names of a user's tokens")
    _add_login(tokens)
    _add_json(tokens)


def _leaf(
    subparsers: SubParsers, name: str, action: Action, text: str, description: str = ""
) -> argparse.ArgumentParser:
    parser = add_command(subparsers, name, text, description or f"{text[0].upper()}{text[1:]}.")
    parser.add_argument(
        "--state",
        type=Path,
        default=_DEFAULT_STATE,
        metavar="FILE",
        help="the provider's database (default: %(default)s in this folder)",
    )
    parser.set_defaults(action=action)
    return parser


def _add_login(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("login", type=user_options.login, metavar="LOGIN", help="the user's login")


def _add_stdin(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stdin", action="store_true", help="read the password from one line of standard input")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
