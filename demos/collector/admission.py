"""Decides which new symbols the collector accepts. No sockets, no clock, no database.

Anyone who reaches the collector's port can invent symbols, and a database has a limited number of them. So each sender
(address and port) and each address has a share: when it has introduced that many symbols, its further new symbols are
refused, and other senders can still introduce theirs. A symbol counts for the sender of its first tick. Ticks of known
symbols are accepted from every sender.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv6Address

# The most symbols in a database, and the most that one sender and one address introduce.
MAX_SYMBOLS = 10_000
MAX_OF_SENDER = 1000
MAX_OF_ADDRESS = 2000


class SymbolAdmission:
    """The known symbols and who introduced them; see the head of this module."""

    def __init__(self, known: Iterable[tuple[str, str]]) -> None:
        """``known``: the names of the database with their first senders; "" where the sender is unknown."""
        self.senders: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        for name, sender in known:
            self._add(name, sender)

    def problem(self, name: str, sender: str) -> str:
        """Add a symbol unless it is known or refused; why it is refused, or ""."""
        if name in self.senders:
            return ""
        address = address_of(sender)
        if len(self.senders) >= MAX_SYMBOLS:
            return f"a new symbol, and the database has {MAX_SYMBOLS}, which is the limit"
        if self._counts[sender] >= MAX_OF_SENDER:
            return f"a new symbol, and its sender has introduced {MAX_OF_SENDER}, which is the limit"
        if self._counts[address] >= MAX_OF_ADDRESS:
            return f"a new symbol, and its address has introduced {MAX_OF_ADDRESS}, which is the limit"
        self._add(name, sender)
        return ""

    def _add(self, name: str, sender: str) -> None:
        self.senders[name] = sender
        if sender:
            # A sender has a port and an address has none, so they never have the same key.
            self._counts.update((sender, address_of(sender)))


def address_of(sender: str) -> str:
    """The address in ``127.0.0.1:8082``, or the first 64 bits of the one in ``[2001:db8::7]:8082``."""
    address = sender.rpartition(":")[0]
    if not address.startswith("["):
        return address
    try:
        number = int(IPv6Address(address[1:-1].partition("%")[0])) >> 64 << 64
    except ValueError:
        # In a damaged file.
        return address
    return f"{IPv6Address(number)}/64"
