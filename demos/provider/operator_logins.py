"""The operators who are logged in at the dashboard, and the cookie that proves it.

A cookie is 256 random bits; only its SHA-256 is kept, and only in memory, so a restart logs everyone out. Scripts
cannot read the cookie (HttpOnly), other sites' pages cannot use it (SameSite=Strict), and with TLS it is never sent
without (Secure and the prefix __Host-). Browsers share the cookies of a host among all its ports, so its name has the
port: two providers on one machine do not log each other's operators out.

Several threads may use an OperatorLogins: it changes by single operations on a dict. The check of a password takes
time, and the user may be changed after it, before the cookie is added. So who adds a cookie compares changes() from
before the check and from after add(): end_of_users() counts first and removes then, so one of the two ends the login.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from demos.provider.rights import Grant, canonical_login
from demos.terminal.runtime.randomness import token_urlsafe
from demos.wire.web_server import Request

LASTS_MS = 12 * 3600 * 1000
MOST_LOGINS = 100
MOST_OF_ONE_USER = 10

# A longer header Cookie is not searched.
_LONGEST_COOKIES = 8192


class OperatorLogin(NamedTuple):
    """An operator who is logged in with a cookie, until a time in milliseconds since 1970."""

    key: bytes
    login: str
    since: int
    until: int


class OperatorLogins:
    """The logins by the digests of their cookies; see the head of this module."""

    def __init__(self, *, tls: bool) -> None:
        self._tls = tls
        self._logins: dict[bytes, OperatorLogin] = {}
        # How often the logins of a user, and those of all users, were ended because of a change.
        self._changes: Counter[str] = Counter()
        self._changes_of_all = 0

    def add(self, request: Request, grant: Grant, now_ms: int) -> str:
        """Log an operator in; returns the value of the header Set-Cookie. The oldest logins end if there are many."""
        user = grant.user
        expires = user.rights.expires
        until = now_ms + LASTS_MS if expires is None else min(now_ms + LASTS_MS, int(expires * 1000))
        cookie = token_urlsafe(32)
        key = _digest(cookie)
        self._logins[key] = OperatorLogin(key, user.login, now_ms, until)
        everyone = sorted(self._logins.copy().values(), key=lambda each: each.since)
        of_user = [each for each in everyone if each.login == user.login]
        surplus = [*everyone[:-MOST_LOGINS], *of_user[:-MOST_OF_ONE_USER]]
        for each in (*surplus, *(each for each in everyone if each.until <= now_ms)):
            self._logins.pop(each.key, None)
        return self._header(request, cookie, max(until - now_ms, 0) // 1000)

    def find(self, request: Request, now_ms: int) -> OperatorLogin | None:
        """The login whose cookie the request has."""
        cookies = request.header("cookie")
        if len(cookies) > _LONGEST_COOKIES:
            return None
        wanted = self._name(request)
        for part in cookies.replace(",", ";").split(";"):
            name, _, value = part.strip().partition("=")
            if name == wanted and (found := self._logins.get(_digest(value))) and self.is_valid(found, now_ms):
                return found
        return None

    def is_valid(self, login: OperatorLogin, now_ms: int) -> bool:
        """Whether this login has neither ended nor expired."""
        return login.key in self._logins and now_ms < login.until

    def end(self, login: OperatorLogin) -> None:
        """Log out."""
        self._logins.pop(login.key, None)

    def changes(self, login: str) -> int:
        """A number that rises when end_of_users() ends the logins of this user."""
        return self._changes_of_all + self._changes[canonical_login(login) or ""]

    def end_of_users(self, logins: Collection[str] | None) -> None:
        """Log these users out, for example because they were disabled; None: all."""
        if logins is None:
            self._changes_of_all += 1
        else:
            self._changes.update(set(logins))
        for each in self._logins.copy().values():
            if logins is None or each.login in logins:
                self._logins.pop(each.key, None)

    def removal(self, request: Request) -> str:
        """The value of the header Set-Cookie that makes the browser forget the cookie."""
        return self._header(request, "", 0)

    def _name(self, request: Request) -> str:
        port = request.header("host").rpartition(":")[2]
        name = f"operator-{port}" if port.isdecimal() else "operator"
        return f"__Host-{name}" if self._tls else name

    def _header(self, request: Request, value: str, seconds: int) -> str:
        secure = "; Secure" if self._tls else ""
        return f"{self._name(request)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).digest()
