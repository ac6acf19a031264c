"""Asks for a new password: twice at the terminal, or one line of standard input. Never an argument of the command.

An argument would be visible to all users of the machine (ps), and in the history of the shell.
"""

from __future__ import annotations

import getpass
import sys
import warnings

from demos.provider.passwords import LONGEST_PASSWORD, new_password, password_problem
from demos.provider.rights import UserError


def read_new_password(login: str, *, from_stdin: bool) -> str:
    """Ask for the new password of a login, and return what to store.

    Errors: UserError when there is no terminal, the two texts differ, or the password cannot be used.
    """
    password = _line() if from_stdin else _prompted(login)
    if problem := password_problem(password):
        raise UserError(problem)
    return new_password(password)


def _prompted(login: str) -> str:
    try:
        with warnings.catch_warnings():
            # Without a terminal getpass would read standard input and show the password.
            warnings.simplefilter("error", getpass.GetPassWarning)
            password = getpass.getpass(f"New password for {login}: ")
            if problem := password_problem(password):
                raise UserError(problem)
            repeated = getpass.getpass("Repeat the password: ")
    except getpass.GetPassWarning:
        raise UserError("there is no terminal to ask for the password at: use --stdin") from None
    except EOFError:
        raise UserError("no password was entered: nothing was changed") from None
    if password != repeated:
        raise UserError("the two passwords are not equal: nothing was changed")
    return password


def _line() -> str:
    if sys.stdin is None:
        raise UserError("standard input is closed: it must have one line, the password")
    # One byte more than any password and its line end.
    data = sys.stdin.buffer.readline(LONGEST_PASSWORD + 3)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise UserError("the password on standard input is not UTF-8") from None
    if not text:
        raise UserError("standard input is empty: it must have one line, the password")
    return text.removesuffix("\n").removesuffix("\r")
