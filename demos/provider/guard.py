"""Protection against guessing passwords: delays and bans, in the provider's file.

A failed login counts for two things: the login from its address, and the address as a whole.

- **Delay.** The answer to the n-th failure of a login from an address comes after 0.5, 1, 2 … 8 seconds, and so long no
  other attempt for this login from this address is checked.
- **Ban of a login from an address**, after 5 failures. Until it ends, nobody logs in as this login from this address.
- **Ban of an address**, after 20 failures with any logins. An hour without a failure takes one failure of the address
  back, so the mistakes of many customers behind one address do not add up.

Each ban is longer than the one before: from 1 minute to 24 hours (BAN_SECONDS). After 24 hours without a ban and
without a failure, everything is forgotten. Attempts during a ban are not checked and do not make it longer.

One customer behind a NAT must not lock out the others. So, unless ``strict`` is set, a banned address can still log in

- as a login that has logged in from there within 30 days, as if the address were not banned, and
- as any other login, but only one attempt in 10 seconds is checked for all of them together.

A program with a wrong password is refused by the ban of its login and uses none of these attempts, so another customer
waits at most 10 seconds. Someone who tries many logins uses them up: then only the known logins are sure to get in, and
he has at most 8640 attempts a day, of which 5 for a login before its ban. A success resets the failures of its login
from its address, never those of the address: otherwise someone with a login of his own could reset them.

Bans do not depend on whether a login exists, and they end no session. Guessing one login's password from thousands of
addresses is not stopped here: that login would be banned for its owner too. The number of checks at one time is
limited, and a password of the least length is not guessed at that rate.

Of IPv6, the first 64 bits count as the address. The module attempts limits the sizes of the tables.

``now`` is the wall clock, in seconds since 1970, because bans survive a restart. When the clock goes back, a ban that
begins in the future begins anew at the present: it stays in force, and never lasts longer than its length from then on.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from typing import NamedTuple

from demos.provider.attempts import WHOLE_ADDRESS, AttemptTables, Ban, Record
from demos.provider.state_file import StateError, StateFile

BAN_SECONDS = (60, 300, 1800, 7200, 43_200, 86_400)

# The login of all texts that cannot be a login. No user has it.
NO_LOGIN = "?"

# A success is written again only when the stored one is older, so that logins seldom write.
_KNOWN_REFRESH_S = 3600.0
_RETRY_S = 1.0


@dataclass(frozen=True)
class Rules:
    """The limits; see the head of this module. Times are seconds."""

    login_failures: int = 5
    address_failures: int = 20
    ban_seconds: tuple[int, ...] = BAN_SECONDS
    first_delay: float = 0.5
    longest_delay: float = 8.0
    # A banned address without known logins has one attempt in this time.
    slow_interval: float = 10.0
    # The address takes one failure back in this time; everything is forgotten after the other one without a failure.
    address_recovery: float = 3600.0
    forget_after: float = 86_400.0
    known_for: float = 30 * 86_400.0
    # A banned address cannot log in at all.
    strict: bool = False
    # Checks at one time: in all, for logins that are not known at their address, and of those from one address.
    most_checks: int = 64
    most_unknown_checks: int = 48
    most_checks_of_address: int = 4


class Refusal(NamedTuple):
    """Why an attempt is not checked or not accepted.

    ``code``: ``wait`` (hold the attempt and ask again after ``wait_s``), ``banned`` (for ``wait_s``), ``failed`` (send
    the answer after ``wait_s``), or ``disabled`` or ``expired`` (the password or the token is right). ``text`` is a
    sentence for the user.
    """

    code: str
    text: str
    wait_s: float


class Ticket(NamedTuple):
    """An attempt that may be checked. It must be passed to failed, succeeded or abandoned, whatever its peer does."""

    login: str
    address: str
    known: bool


@dataclass
class _Pending:
    """The attempts that are being checked."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown_of_address: Counter[str] = field(default_factory=Counter)

    def count(self, ticket: Ticket, step: int) -> None:
        pair = (ticket.login, ticket.address)
        self.pairs[pair] += step
        if not self.pairs[pair]:
            del self.pairs[pair]
        if not ticket.known:
            self.unknown_of_address[ticket.address] += step
            if not self.unknown_of_address[ticket.address]:
                del self.unknown_of_address[ticket.address]


class Guard:
    """Admits attempts, and counts their results; see the head of this module. One process has one guard."""

    def __init__(self, state: StateFile, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self._state = state
        self._tables = AttemptTables(state)
        self._pending = _Pending()
        # Failures that could not be written. They stay pending, so they count, and are written before the next attempt.
        self._unwritten: list[Ticket] = []
        self._latest = inf

    def admit(self, login: str, address: str, now: float) -> Ticket | Refusal:
        """Whether the password of this attempt may be checked now. ``address``: as address_key returns it.

        Errors: StateError.
        """
        self._follow_clock(now)
        self._write_failures(now)
        pair, whole = self._record(login, address, now), self._record(WHOLE_ADDRESS, address, now)
        end = max(pair.until, whole.until if self.rules.strict else 0.0)
        if end > now:
            text = f"too many failed logins from this address: try again in {duration_text(end - now)}"
            return Refusal("banned", text, end - now)
        since = self._tables.known_since(login, address)
        ticket = Ticket(login, address, since is not None and now - since < self.rules.known_for)
        slow = whole.until > now and not ticket.known
        start = max(pair.next, whole.next if slow else 0.0)
        if start <= now and self._is_crowded(ticket, pair, whole):
            start = now + _RETRY_S
        if start > now:
            return Refusal("wait", f"wait {duration_text(start - now)} before the next attempt", start - now)
        if slow:
            with self._state.writing(durable=False) as db:
                whole = replace(whole, next=now + self.rules.slow_interval)
                self._tables.write(db, WHOLE_ADDRESS, address, whole)
        self._pending.count(ticket, 1)
        return ticket

    def failed(self, ticket: Ticket, now: float) -> Refusal:
        """Count a failed attempt, which may begin a ban; returns the refusal to send after its ``wait_s``.

        Errors: StateError; the failure counts nevertheless.
        """
        self._unwritten.append(ticket)
        self._follow_clock(now)
        return Refusal("failed", "the login or the password is wrong", self._write_failures(now))

    def succeeded(self, ticket: Ticket, now: float) -> None:
        """Reset the failures of this login from this address, and remember that it is known there.

        An error of the file is ignored: a right password is accepted also when the disk is full.
        """
        self._pending.count(ticket, -1)
        login, address = ticket.login, ticket.address
        with suppress(StateError):
            self._follow_clock(now)
            pair = self._record(login, address, now)
            since = self._tables.known_since(login, address)
            is_fresh = since is not None and now - since < _KNOWN_REFRESH_S
            if is_fresh and not pair.failures:
                return
            with self._state.writing(durable=False) as db:
                if pair.failures:
                    self._tables.write(db, login, address, replace(pair, failures=0, next=0.0))
                if not is_fresh:
                    self._tables.write_known(db, login, address, now)

    def abandoned(self, ticket: Ticket) -> None:
        """End an attempt that counts neither as failed nor as succeeded.

        It was never checked, because the program stops, or the password is right but the login has ended.
        """
        self._pending.count(ticket, -1)

    def bans(self, now: float) -> list[Ban]:
        """The bans in force. Errors: StateError."""
        return self._tables.bans(now)

    def unban(self, address: str | None, login: str | None, now: float) -> int:
        """Forget failures and bans; see AttemptTables.unban(). Errors: StateError."""
        return self._tables.unban(address, login, now)

    def _write_failures(self, now: float) -> float:
        """Count the failures that are not written yet; returns the delay of the last one."""
        rules, delay = self.rules, 0.0
        while self._unwritten:
            ticket = self._unwritten[0]
            with self._state.writing(durable=False) as db:
                pair = self._record(ticket.login, ticket.address, now)
                delay = min(rules.first_delay * 2**pair.failures, rules.longest_delay)
                pair = replace(self._charged(pair, rules.login_failures, now), next=now + delay)
                self._tables.write(db, ticket.login, ticket.address, pair)
                whole = self._record(WHOLE_ADDRESS, ticket.address, now)
                recovered = int((now - whole.last) / rules.address_recovery)
                whole = replace(whole, failures=max(whole.failures - recovered, 0))
                whole = self._charged(whole, rules.address_failures, now)
                self._tables.write(db, WHOLE_ADDRESS, ticket.address, whole)
            self._unwritten.pop(0)
            self._pending.count(ticket, -1)
        return delay

    def _charged(self, record: Record, most: int, now: float) -> Record:
        """The record after one more failure, which may begin a ban."""
        if record.failures + 1 < most:
            return replace(record, failures=record.failures + 1, last=now)
        length = self.rules.ban_seconds[min(record.level, len(self.rules.ban_seconds) - 1)]
        return replace(record, failures=0, level=record.level + 1, last=now, since=now, until=now + length)

    def _is_crowded(self, ticket: Ticket, pair: Record, whole: Record) -> bool:
        """Whether too many attempts are being checked, or more than may fail before a ban."""
        rules, pending = self.rules, self._pending
        if pair.failures + pending.pairs[ticket.login, ticket.address] >= rules.login_failures:
            return True
        if pending.pairs.total() >= rules.most_checks:
            return True
        if ticket.known:
            return False
        of_address = pending.unknown_of_address[ticket.address]
        most = min(rules.most_checks_of_address, max(rules.address_failures - whole.failures, 1))
        return of_address >= most or pending.unknown_of_address.total() >= rules.most_unknown_checks

    def _record(self, login: str, address: str, now: float) -> Record:
        """The record, or an empty one when it is old enough to be forgotten."""
        record = self._tables.read(login, address)
        return Record() if now > max(record.last, record.until) + self.rules.forget_after else record

    def _follow_clock(self, now: float) -> None:
        """Correct the times in the tables at the first call, and whenever the clock went back."""
        if now < self._latest:
            self._tables.move_to_present(now, max(self.rules.longest_delay, self.rules.slow_interval))
        self._latest = now


def address_key(host: str) -> str:
    """What counts as one address: ``203.0.113.7`` or, of IPv6, ``2001:db8::/64``. An embedded IPv4 counts as IPv4.

    Errors: ValueError when the text is no address.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))


def duration_text(seconds: float) -> str:
    """A length of time for a person, rounded up: ``8 s``, ``5 min``, ``2 h``."""
    whole = -int(-seconds // 1)
    if whole < 60:
        return f"{whole} s"
    return f"{-(-whole // 60)} min" if whole < 3600 else f"{-(-whole // 3600)} h"
