"""What ``python -m demos provider`` does with users, tokens and bans, and what it prints."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from demos.provider.attempts import AttemptTables
from demos.provider.guard import duration_text
from demos.provider.password_prompt import read_new_password
from demos.provider.rights import Rights, UserError, check_rights
from demos.provider.user_options import json_time, time_text, wall_clock
from demos.provider.users import UserStore
from demos.terminal.runtime.log import escaped
from demos.terminal.runtime.private_files import new_private_file

if TYPE_CHECKING:
    from demos.provider.state_file import StateFile

_SHOWN_SYMBOLS = 3


def add_user(state: StateFile, args: argparse.Namespace, password: str = "") -> None:
    """``user add LOGIN``; ``password``: what to store, or "" to ask for it."""
    users = UserStore(state)
    if state.created:
        print(f"created {args.state}", file=sys.stderr)
    if users.find(args.login):
        raise UserError(f"the login exists already: {args.login}")
    stored = password or read_new_password(args.login, from_stdin=args.stdin)
    user = users.add(args.login, stored, _new_rights(args), wall_clock())
    print(f"added {user.login}")


def password_of_first_user(args: argparse.Namespace) -> str:
    """What to store for the password of a user whose state file is missing: nothing is created if it is refused.

    Errors: UserError.
    """
    check_rights(_new_rights(args))
    return read_new_password(args.login, from_stdin=args.stdin)


def list_users(state: StateFile, args: argparse.Namespace) -> None:
    """``user list``."""
    users, now = UserStore(state), wall_clock()
    found = [(user, [token.name for token in users.tokens(user)]) for user in users.all()]
    if args.json:
        _print_json(
            {
                "login": user.login,
                "state": user.state(now),
                "operator": user.rights.operator,
                "publish": user.rights.publish,
                "topics": user.rights.topics,
                "connections": user.rights.connections,
                "symbols": user.rights.symbols,
                "expires": json_time(user.rights.expires),
                "created": json_time(user.created),
                "tokens": tokens,
            }
            for user, tokens in found
        )
        return
    rows = [("login", "role", "state", "connections", "expires", "tokens", "symbols")]
    for user, tokens in found:
        expires = "never" if user.rights.expires is None else time_text(user.rights.expires)
        numbers = (str(user.rights.connections), expires, str(len(tokens)))
        role = "operator" if user.rights.operator else "publisher" if user.rights.publish else "subscriber"
        rows.append((user.login, role, user.state(now), *numbers, _symbols_column(user.rights.symbols)))
    _print_table(rows, "no users: `python -m demos provider user add LOGIN` adds one")


def set_rights(state: StateFile, args: argparse.Namespace) -> None:
    """``user set LOGIN``: only the rights that are given change."""
    given = {name: getattr(args, name) for name in ("connections", "expires", "operator") if hasattr(args, name)}
    if args.symbol or args.all_symbols:
        given["symbols"] = _symbols(args)
    if args.publish or args.no_publish:
        given["publish"] = _published(args)
    if args.topic or args.all_topics:
        given["topics"] = _topics(args)
    if not given:
        raise UserError(
            "nothing to set: use --symbol, --all-symbols, --connections, --expires, --[no-]operator, --publish, "
            "--no-publish, --topic or --all-topics"
        )
    UserStore(state).set_rights(args.login, lambda rights: replace(rights, **given))
    print(f"changed the rights of {args.login}; its connections log in again")


def disable_user(state: StateFile, args: argparse.Namespace) -> None:
    """``user disable LOGIN``."""
    UserStore(state).set_disabled(args.login, True)
    print(f"disabled {args.login}; a running provider disconnects it")


def enable_user(state: StateFile, args: argparse.Namespace) -> None:
    """``user enable LOGIN``."""
    UserStore(state).set_disabled(args.login, False)
    print(f"enabled {args.login}")


def change_password(state: StateFile, args: argparse.Namespace) -> None:
    """``user passwd LOGIN``."""
    users = UserStore(state)
    users.get(args.login)
    users.set_password(args.login, read_new_password(args.login, from_stdin=args.stdin))
    print(f"changed the password of {args.login}; a running provider disconnects those who used the old one")


def remove_user(state: StateFile, args: argparse.Namespace) -> None:
    """``user remove LOGIN``."""
    UserStore(state).remove(args.login)
    print(f"removed {args.login}; a running provider disconnects it")


def add_token(state: StateFile, args: argparse.Namespace) -> None:
    """``user token add LOGIN NAME``: the token is the only text on standard output, or in the file of --out."""
    users = UserStore(state)
    if args.out is not None:
        users.get(args.login)
        try:
            with new_private_file(args.out) as file:
                file.write(f"{users.add_token(args.login, args.name, wall_clock())}\n")
        except OSError as error:
            raise UserError(f"{args.out} cannot be created: {error.strerror}") from None
        print(f"created {args.out} with the token {args.name!r} of {args.login}")
        return
    token = users.add_token(args.login, args.name, wall_clock())
    print("store this token now, it is not shown again:", file=sys.stderr)
    print(token)


def list_tokens(state: StateFile, args: argparse.Namespace) -> None:
    """``user token list LOGIN``."""
    users = UserStore(state)
    tokens = users.tokens(users.get(args.login))
    if args.json:
        _print_json({"name": token.name, "created": json_time(token.created)} for token in tokens)
        return
    rows = [("name", "created"), *((token.name, time_text(token.created)) for token in tokens)]
    _print_table(rows, f"{args.login} has no tokens")


def remove_token(state: StateFile, args: argparse.Namespace) -> None:
    """``user token remove LOGIN NAME``."""
    UserStore(state).remove_token(args.login, args.name)
    print(f"removed the token {args.name!r} of {args.login}; a running provider disconnects those who used it")


def list_bans(state: StateFile, args: argparse.Namespace) -> None:
    """``bans``."""
    now = wall_clock()
    bans = AttemptTables(state).bans(now)
    if args.json:
        _print_json(
            {
                "address": ban.address,
                "login": ban.login,
                "since": json_time(ban.since),
                "until": json_time(ban.until),
                "bans": ban.level,
            }
            for ban in bans
        )
        return
    rows = [("address", "login", "ends in", "ends at", "bans in a row")]
    for ban in bans:
        times = (duration_text(ban.until - now), time_text(ban.until))
        rows.append((ban.address, ban.login or "(the address)", *times, str(ban.level)))
    _print_table(rows, "no bans")


def unban(state: StateFile, args: argparse.Namespace) -> None:
    """``unban``."""
    if not (args.address or args.login or args.all):
        raise UserError("nothing to unban: give an address, --login or --all")
    if args.all and (args.address or args.login):
        raise UserError("--all ends all bans: give no address and no --login with it")
    count = AttemptTables(state).unban(args.address, args.login, wall_clock())
    print(f"ended {count} ban{'' if count == 1 else 's'}")


def _new_rights(args: argparse.Namespace) -> Rights:
    return Rights(_symbols(args), args.connections, args.expires, args.operator, _published(args), _topics(args))


def _published(args: argparse.Namespace) -> tuple[str, ...]:
    return tuple(sorted(set(args.publish or ())))


def _topics(args: argparse.Namespace) -> tuple[str, ...] | None:
    return tuple(sorted(set(args.topic))) if args.topic else None


def _symbols(args: argparse.Namespace) -> tuple[str, ...] | None:
    return tuple(sorted(set(args.symbol))) if args.symbol else None


def _symbols_column(symbols: Sequence[str] | None) -> str:
    if symbols is None:
        return "all"
    more = len(symbols) - _SHOWN_SYMBOLS
    return ", ".join(symbols[:_SHOWN_SYMBOLS]) + (f" and {more} more" if more > 0 else "")


def _print_json(objects: object) -> None:
    print(json.dumps(list(objects), indent=2))  # type: ignore[call-overload]


def _print_table(rows: Sequence[Sequence[str]], nothing: str) -> None:
    """The rows in aligned columns, the first one as the heading; the text ``nothing`` when there is no other."""
    if len(rows) == 1:
        print(nothing)
        return
    shown = [[escaped(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
