"""Limits a server's connections, in total and for each address, so that a crowd of clients cannot lock out others.

Every new connection is accepted, also above a limit; then another one is closed instead. Above the limit of an address
that is the connection of this address that made progress longest ago; above the total limit it is one of the address
with the most connections. So an address replaces its own connections first, and a crowd cannot take the place of a
client with another address. The server defines progress, for example bytes received or sent. A client that may be
silent, such as the article's, needs no time limit: it is closed first when its place is needed.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from demos.wire.addresses import Address
from winsock import sockaddr_in

Connection = TypeVar("Connection")

# From this number on, the connections of one address are a crowd.
CROWD = 32

# At most one report of closed connections in this time, in milliseconds.
REPORT_MS = 10_000


def client_key(address: Address) -> bytes:
    """What counts as one address: the four bytes of IPv4, or the first eight of IPv6, which are one customer's."""
    if isinstance(address, sockaddr_in):
        return bytes(address.sin_addr)
    return bytes(address.sin6_addr)[:8]


class ConnectionLimits(Generic[Connection]):
    """The open connections, by address and in the order of their last progress; see the head of this module."""

    def __init__(self, total: int, per_address: int) -> None:
        self.total = total
        self.per_address = per_address
        self._addresses: dict[Connection, bytes] = {}
        self._groups: dict[bytes, dict[Connection, int]] = {}
        self._progress = 0
        # The connections to close that were returned since the last report, and its time.
        self._replaced = 0
        self._reported_at = -REPORT_MS

    def __len__(self) -> int:
        return len(self._addresses)

    def add(self, connection: Connection, address: bytes) -> Connection | None:
        """Count a new connection. Returns the one to close instead, which is no longer counted, or None."""
        group = self._groups.setdefault(address, {})
        found = None
        if len(group) >= self.per_address:
            found = next(iter(group))
        elif len(self) >= self.total:
            found = next(iter(self._largest()))
        if found is not None:
            self._replaced += 1
            self.remove(found)
        self._groups.setdefault(address, group)
        self._addresses[connection] = address
        self.touch(connection)
        return found

    def touch(self, connection: Connection) -> None:
        """Record that a connection made progress."""
        self._progress += 1
        group = self._groups[self._addresses[connection]]
        group.pop(connection, None)
        group[connection] = self._progress

    def remove(self, connection: Connection) -> None:
        """Stop counting a connection that is closed; nothing happens when it is not counted."""
        address = self._addresses.pop(connection, None)
        if address is not None:
            group = self._groups[address]
            del group[connection]
            if not group:
                del self._groups[address]

    def crowd_member(self) -> Connection | None:
        """The connection to close when the process has no descriptor left: of an address with CROWD or more, or None.

        A few clients are not the reason for the lack, and are not closed.
        """
        found = self._largest()
        if len(found) < CROWD:
            return None
        self._replaced += 1
        return next(iter(found))

    def report(self, now: int) -> str:
        """What to log about the connections that made room since the last report, or ""."""
        if not self._replaced or now - self._reported_at < REPORT_MS:
            return ""
        count, self._replaced, self._reported_at = self._replaced, 0, now
        return (
            f"connections closed to make room for new ones: {count}; "
            f"the limits are {self.per_address} from one address and {self.total} in all"
        )

    def _largest(self) -> dict[Connection, int]:
        """The group with the most connections; of equal ones that with the oldest progress."""
        groups = [group for group in self._groups.values() if group]
        return max(groups, key=lambda group: (len(group), -next(iter(group.values()))), default={})
