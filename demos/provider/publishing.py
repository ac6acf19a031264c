"""The provider's side: from the account's state to the messages of each subscriber. No sockets, no clock, no files.

Streams and sequence numbers
- A stream is a sequence of numbered states. A pair of stream and seq always means the same state, byte for byte.
- A stream's name has two random parts: one of this run of the provider and one of the feed (below). A Publisher makes
  them when it is created, and nothing stores them. So a provider that was killed, started again or restored from a
  backup cannot use a pair again, whatever was on its disk: it has no old numbers to continue from. A subscriber that
  reconnects gets a snapshot in any case, so a new stream costs nothing.
- Only one process may publish an account. Its threads share one Publisher.

Hidden symbols
- A View is what a user may see. Users with equal views share a feed: a stream with its own numbers, which advance only
  when something in the view changes. A hidden trade changes nothing in it: no number, no time and no message.
- Balance and equity show the profit of hidden symbols too. So a view of some symbols has them only when the operator
  allows it (``figures``), who then accepts that they show when hidden symbols are traded.
- The tickets of a hedging account are consecutive numbers, which would show how many trades are hidden. A view of some
  symbols has other numbers instead: keyed hashes, which stay the same for a position also after a restart.

Many positions
- observe() is called at every trade. It checks the positions that have changed, and keeps those that have not as the
  same objects, so that they are compared quickly. Texts are made from checked positions, and are not checked again.

Slow subscribers
- A subscription remembers the seq that it last returned. next_message() returns the newest state, as an update from
  that seq or as a snapshot if it is no longer remembered. States in between are skipped. The text is shared by all
  subscriptions with the same last seq.

Time is that of the provider's clock, milliseconds since 1970. If it is set back, the times of the messages continue
from the last one, so that they never fall within a run.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TypeAlias

from demos.provider.accounts import AccountState, Holding, View
from demos.provider.messages import (
    VERSION,
    Account,
    AccountKind,
    Ack,
    Heartbeat,
    Hello,
    Known,
    Position,
    Snapshot,
    Welcome,
)
from demos.provider.protocol import MOST_POSITIONS, check_positions, encode, text_of
from demos.provider.states import difference, in_order

# The shortest time between two states that differ only in balance and equity.
FIGURES_MS = 1000
HEARTBEAT_MS = 5000
# The shortest time between two snapshots of the same state for one subscriber.
RESYNC_MS = 1000

# The states of a feed from which updates can be made, and the feeds without subscribers that are kept.
MOST_REMEMBERED = 64
MOST_IDLE = 64

_TICKET_BITS = 52

_Key: TypeAlias = tuple[str, int | None]


class _Feed:
    """The states of one view: the newest, the older ones that updates can start from, and the texts made from them."""

    def __init__(self, view: View, stream: str, first: Snapshot) -> None:
        self.view = view
        self.newest = replace(first, stream=stream, seq=1)
        self.subscriptions = 0
        self._older: OrderedDict[int, Snapshot] = OrderedDict()
        self._texts: dict[int, str] = {}
        self._heartbeat = (0, "")

    def offer(self, state: Snapshot) -> None:
        """Make this the newest state if it differs; figures alone make a new state once in FIGURES_MS."""
        newest = self.newest
        if state.positions == newest.positions:
            figures_due = state.time - newest.time >= FIGURES_MS
            if state.account == newest.account or not figures_due:
                return
        self._older[newest.seq] = newest
        if len(self._older) > MOST_REMEMBERED:
            self._older.popitem(last=False)
        self.newest = replace(state, stream=newest.stream, seq=newest.seq + 1)
        self._texts.clear()

    def text_after(self, seq: int) -> str:
        """The newest state for a subscriber whose last one is ``seq``; 0: a snapshot."""
        older = self._older.get(seq)
        if older is None:
            seq = 0
        if seq not in self._texts:
            update = difference(older, self.newest) if older else None
            self._texts[seq] = text_of(update or self.newest)
        return self._texts[seq]

    def heartbeat(self, time: int) -> str:
        """The heartbeat at this time, made once for all subscribers."""
        if self._heartbeat[0] != time or not self._heartbeat[1]:
            self._heartbeat = (time, text_of(Heartbeat(self.newest.stream, self.newest.seq, time)))
        return self._heartbeat[1]


class Publisher:
    """The streams of one account. ``ticket_key`` is a secret of this provider that survives its restarts.

    With another key the tickets of restricted views change, and subscribers take them for other positions.

    ``new_name`` returns that many random bytes as hexadecimal digits. ``lock`` is needed when several threads use the
    publisher; it must be re-entrant.
    Errors: ValueError when the protocol cannot carry a state: too many positions, or two for one symbol and ticket.
    """

    def __init__(
        self,
        state: AccountState,
        now: int,
        ticket_key: bytes,
        heartbeat_ms: int = HEARTBEAT_MS,
        new_name: Callable[[int], str] = secrets.token_hex,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        self.lock = lock or nullcontext()
        self.run = new_name(16)
        self.heartbeat_ms = heartbeat_ms
        self._new_name = new_name
        self._key = ticket_key
        self._time = now
        self._ahead = 0
        self._state = state
        # The holdings that were observed last, and the positions made from them, by symbol and ticket.
        self._holdings: dict[_Key, Holding] = {}
        self._positions: dict[_Key, Position] = {}
        self._take(state, 0)
        self._feeds: dict[View, _Feed] = {}
        # The feeds without subscribers, the one that is idle for the longest time first.
        self._idle: OrderedDict[View, _Feed] = OrderedDict()

    def observe(self, state: AccountState, now: int) -> None:
        """Take the account's present state: at every trade event, and at every timer event for balance and equity."""
        with self.lock:
            self._observe(state, now)

    def _observe(self, state: AccountState, now: int) -> None:
        time = self.time(now)
        self._take(state, time)
        for feed in self._feeds.values():
            feed.offer(self._seen_by(feed.view, time))

    def subscribe(self, view: View, now: int) -> Subscription:
        """A subscription to what a user may see. Close it when the subscriber's connection ends."""
        with self.lock:
            feed = self._feeds.get(view)
            if feed is None:
                name = f"{self.run}-{self._new_name(8)}"
                feed = self._feeds[view] = _Feed(view, name, self._seen_by(view, self.time(now)))
            feed.subscriptions += 1
            self._idle.pop(view, None)
            return Subscription(self, feed)

    def hello(self, server: str, now: int) -> str:
        """The first message of a connection."""
        with self.lock:
            return encode(Hello(VERSION, server, self.run, self.heartbeat_ms, self.time(now)))

    def time(self, now: int) -> int:
        """The time for a message: it never falls, also when the clock is set back."""
        if now + self._ahead < self._time:
            self._ahead = self._time - now
        self._time = now + self._ahead
        return self._time

    @property
    def state(self) -> AccountState:
        """The account's state that was observed last."""
        return self._state

    @property
    def kind(self) -> AccountKind:
        """The account's currency, and whether it is a hedging account."""
        return AccountKind(self._state.currency, self._state.hedging)

    def release(self, feed: _Feed) -> None:
        """Count one subscription less. Of too many feeds without any, the one that is idle the longest is dropped."""
        feed.subscriptions -= 1
        if not feed.subscriptions:
            self._idle[feed.view] = feed
            if len(self._idle) > MOST_IDLE:
                view, _ = self._idle.popitem(last=False)
                del self._feeds[view]

    def _take(self, state: AccountState, time: int) -> None:
        """Make the positions of a state; the lots of those that have changed did so at this time (0: before this run).

        An impossible state is refused here and not in a subscriber's turn. Errors: ValueError.
        """
        holdings = {(each.symbol, each.ticket): each for each in state.holdings}
        positions, new = {}, []
        for key, each in holdings.items():
            before = self._positions.get(key)
            if before is None or each != self._holdings[key]:
                changed = before.time if before and before.lots == each.lots else time
                before = Position(
                    each.symbol, each.lots, each.price, each.contract, changed, each.sl, each.tp, each.ticket
                )
                new.append(before)
            positions[key] = before
        account = Account(state.currency, state.balance, state.equity)
        encode(Snapshot(f"{self.run}-{'0' * 16}", 1, 0, account, tuple(new)))
        if new or len(holdings) < len(state.holdings):
            check_positions(state.holdings, zero=False)
        if len(positions) > MOST_POSITIONS:
            raise ValueError(f"more than {MOST_POSITIONS} positions: {len(positions)}")
        self._state, self._holdings, self._positions = state, holdings, positions

    def _seen_by(self, view: View, time: int) -> Snapshot:
        """The present state as far as the view shows it, without the stream's name and number."""
        state = self._state
        account = Account(state.currency, state.balance, state.equity) if view.figures else Account(state.currency)
        shown: Iterable[Position] = self._positions.values()
        if view.symbols is not None:
            visible = (each for each in shown if each.symbol in view.symbols)
            shown = (replace(each, ticket=self._hidden_ticket(each.ticket)) for each in visible)
        return Snapshot("", 0, time, account, in_order(shown))

    def _hidden_ticket(self, ticket: int | None) -> int | None:
        if ticket is None:
            return None
        mac = hmac.digest(self._key, str(ticket).encode(), hashlib.sha256)
        return 1 + (int.from_bytes(mac[:8], "big") >> (64 - _TICKET_BITS))


class Subscription:
    """One subscriber of a feed: what it was sent last, and when."""

    # There may be ten thousand of them.
    __slots__ = ("_closed", "_feed", "_publisher", "_resync", "_sent_at", "_sent_seq", "_snapshot_at")

    def __init__(self, publisher: Publisher, feed: _Feed) -> None:
        self._publisher = publisher
        self._feed = feed
        self._sent_seq = 0
        self._sent_at = 0
        self._snapshot_at = 0
        self._resync = False
        self._closed = False

    @property
    def sent_seq(self) -> int:
        """The seq of the newest state that next_message() has returned; 0 before the first."""
        return self._sent_seq

    @property
    def newest_seq(self) -> int:
        """The seq of the newest state."""
        return self._feed.newest.seq

    def welcome(self, user: str, now: int) -> str:
        """The answer to the login."""
        symbols = self._feed.view.symbols
        names = None if symbols is None else tuple(sorted(symbols))
        with self._publisher.lock:
            newest = self._feed.newest
            time = self._publisher.time(now)
            return encode(Welcome(user, self._publisher.kind, newest.stream, newest.seq, time, names))

    def claim_problem(self, known: Known | None) -> str | None:
        """Why a subscriber cannot know this state, for the operator's log; None when it can.

        An honest subscriber that knows a later state has been served by a process with the same memory: a virtual
        machine was copied, or set back.
        """
        newest = self._feed.newest
        if known is None or known.stream != newest.stream or known.seq <= newest.seq:
            return None
        return f"the subscriber knows seq {known.seq} of {known.stream}, but the newest is {newest.seq}"

    def next_message(self, now: int) -> str | None:
        """What to send now: the newest state, a heartbeat, or nothing. Call it when the last message has been sent.

        The first message is a snapshot.
        """
        with self._publisher.lock:
            return self._next_message(now)

    def _next_message(self, now: int) -> str | None:
        time = self._publisher.time(now)
        newest = self._feed.newest
        if self._resync and (self._sent_seq != newest.seq or time - self._snapshot_at >= RESYNC_MS):
            self._resync, self._sent_seq = False, 0
        if self._sent_seq != newest.seq:
            text = self._feed.text_after(self._sent_seq)
            if self._sent_seq == 0:
                self._snapshot_at = time
            self._sent_seq = newest.seq
        elif time - self._sent_at >= self._publisher.heartbeat_ms:
            text = self._feed.heartbeat(time)
        else:
            return None
        self._sent_at = time
        return text

    def heartbeat_in(self, now: int) -> int:
        """The milliseconds until the next heartbeat is due, unless there is a new state before."""
        with self._publisher.lock:
            return max(0, self._sent_at + self._publisher.heartbeat_ms - self._publisher.time(now))

    def resync(self) -> None:
        """The subscriber asks for a snapshot: the next state is one, and the same state once more in RESYNC_MS."""
        self._resync = True

    def ack_problem(self, ack: Ack) -> str | None:
        """Why an acknowledgement is wrong, or None: it names a state that was sent."""
        newest = self._feed.newest
        if ack.stream != newest.stream:
            return f"an acknowledgement of another stream: {ack.stream}"
        if ack.seq > self._sent_seq:
            return f"an acknowledgement of seq {ack.seq}, which was not sent: the last one was {self._sent_seq}"
        return None

    def close(self) -> None:
        """End the subscription; closing twice is allowed."""
        if not self._closed:
            self._closed = True
            with self._publisher.lock:
                self._publisher.release(self._feed)
