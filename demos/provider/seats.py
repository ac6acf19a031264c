"""The seats of the login desk: the connections of granted logins, found by connection, by login and by expiry.

No call looks at all seats, except for expired(): thousands of subscribers log in one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from demos.provider.rights import Grant
from demos.provider.session import Ending


@dataclass(eq=False)
class Seat:
    """A granted login's connection, and how to end it."""

    connection: int
    grant: Grant
    end: Callable[[Ending], None]


class Seats:
    """The present seats; see the head of this module."""

    def __init__(self) -> None:
        self._by_connection: dict[int, Seat] = {}
        # Of each login the oldest seat first.
        self._by_login: dict[str, dict[int, Seat]] = {}
        self._expires: dict[int, float] = {}

    def add(self, seat: Seat) -> None:
        """Add the seat of a new connection."""
        user = seat.grant.user
        self._by_connection[seat.connection] = seat
        self._by_login.setdefault(user.login, {})[seat.connection] = seat
        if user.rights.expires is not None:
            self._expires[seat.connection] = user.rights.expires

    def remove(self, connection: int) -> None:
        """Remove a connection's seat, if it has one."""
        seat = self._by_connection.pop(connection, None)
        if seat is not None:
            login = seat.grant.user.login
            del self._by_login[login][connection]
            if not self._by_login[login]:
                del self._by_login[login]
            self._expires.pop(connection, None)

    def all(self) -> list[Seat]:
        """All seats."""
        return list(self._by_connection.values())

    def of(self, login: str) -> list[Seat]:
        """The seats of a login, the oldest first."""
        return list(self._by_login.get(login, {}).values())

    def expired(self, now: float) -> list[Seat]:
        """The seats whose logins have expired."""
        return [self._by_connection[number] for number, expires in self._expires.items() if now >= expires]
