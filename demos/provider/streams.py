"""The streams of numbered states that the subscribers of one topic get. No sockets, no clock, no files.

Streams and sequence numbers
- A stream is a sequence of numbered states. A pair of stream and seq always means the same state, byte for byte.
- A stream's name has two random parts: one of this run and one of the feed (below). Streams makes them when it is
  created, and nothing stores them. So a process that was killed, started again or restored from a backup cannot use a
  pair again, whatever was on its disk: it has no old numbers to continue from. A subscriber that reconnects gets a
  snapshot in any case, so a new stream costs nothing.
- The states come from a subclass: Publisher makes them from the account of this terminal, Relay gets them from another
  server or a client that publishes.

Hidden symbols
- A View is what a user may see. Users with equal views share a feed: a stream with its own numbers, which advance only
  when something in the view changes. A hidden trade changes nothing in it: no number, no time and no message.
- Balance and equity show the profit of hidden symbols too. So a view of some symbols has them only when the operator
  allows it (``figures``), who then accepts that they show when hidden symbols are traded.
- The tickets of a hedging account are consecutive numbers, which would show how many trades are hidden. A view of some
  symbols has other numbers instead: keyed hashes, which stay the same for a position also after a restart.

Slow subscribers
- A subscription remembers the seq that it last returned. next_message() returns the newest state, as an update from
  that seq or as a snapshot if it is no longer remembered. States in between are skipped. The text is shared by all
  subscriptions with the same last seq.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from demos.provider.accounts import View
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
from demos.provider.protocol import encode, text_of
from demos.provider.states import difference, in_order
from demos.terminal.runtime.randomness import token_hex

# The shortest time between two states that differ only in balance and equity.
FIGURES_MS = 1000
HEARTBEAT_MS = 5000
# The shortest time between two snapshots of the same state for one subscriber.
RESYNC_MS = 1000

# The states of a feed from which updates can be made, and the feeds without subscribers that are kept.
MOST_REMEMBERED = 64
MOST_IDLE = 64

_TICKET_BITS = 52


class _Feed:
    """The states of one view: the newest, the older ones that updates can start from, and the texts made from them."""

    def __init__(self, view: View, stream: str, first: Snapshot) -> None:
        self.view = view
        self.newest = replace(first, stream=stream, seq=1)
        self.subscriptions = 0
        self._older: OrderedDict[int, Snapshot] = OrderedDict()
        self._texts: dict[int, str] = {}
        self._heartbeat = (0, "")

    def offer(self, state: Snapshot, figures_ms: int) -> None:
        """Make this the newest state if it differs; figures alone make a new state once in ``figures_ms``."""
        newest = self.newest
        if state.positions == newest.positions:
            figures_due = state.time - newest.time >= figures_ms
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


class Streams:
    """The streams of one topic; see the head of this module.

    ``ticket_key`` is a secret that survives restarts: with another key the tickets of restricted views change, and
    subscribers take them for other positions. ``new_name`` returns that many random bytes as hexadecimal digits.
    ``lock`` is needed when several threads use the streams; it must be re-entrant.
    """

    # The shortest time between two states that differ only in balance and equity.
    figures_ms = FIGURES_MS
    # Whether the heartbeats are those of another server: all of them are passed on.
    relays = False

    def __init__(
        self,
        ticket_key: bytes,
        heartbeat_ms: int = HEARTBEAT_MS,
        new_name: Callable[[int], str] = token_hex,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        self.lock = lock or nullcontext()
        self.run = new_name(16)
        self.heartbeat_ms = heartbeat_ms
        # How many states a subscriber that sees everything could have been sent, with the first one.
        self.states = 1
        self._key = ticket_key
        self._new_name = new_name
        # The present state, which the subclass sets before anything else is called.
        self._kind = AccountKind("", hedging=False)
        self._account = Account("")
        self._shown: Iterable[Position] = ()
        self._feeds: dict[View, _Feed] = {}
        # The feeds without subscribers, the one that is idle for the longest time first.
        self._idle: OrderedDict[View, _Feed] = OrderedDict()

    # ---- for subclasses

    def time(self, now: int) -> int:
        """The time for a message; it never falls."""
        raise NotImplementedError

    def confirmed(self, now: int) -> int:
        """When the present state was the newest for certain: the time of a heartbeat."""
        raise NotImplementedError

    def state_time(self, view: View, now: int) -> int:
        """The time of the first state of a feed: from it on, what the view shows was so."""
        raise NotImplementedError

    def heartbeat_due(self, since: int, now: int) -> int | None:
        """The time of the heartbeat to send now to a subscriber whose last one was that of ``since``, or None."""
        raise NotImplementedError

    def heartbeat_in(self, since: int, now: int) -> int:
        """The milliseconds until such a heartbeat is due, unless something is published before."""
        raise NotImplementedError

    def welcome_confirmed(self, now: int) -> int | None:
        """``confirmed`` of a welcome: see messages.Welcome."""
        return None

    def _offer(self, time: int) -> None:
        """The present state began at this time: a state of each feed in which it changes something."""
        for feed in self._feeds.values():
            feed.offer(self._seen_by(feed.view, time), self.figures_ms)

    # ---- subscriptions

    def subscribe(self, view: View, now: int, *, steady: bool = False) -> Subscription:
        """A subscription to what a user may see. Close it when the subscriber's connection ends."""
        with self.lock:
            feed = self._feeds.get(view)
            if feed is None:
                name = f"{self.run}-{self._new_name(8)}"
                feed = self._feeds[view] = _Feed(view, name, self._seen_by(view, self.state_time(view, now)))
            feed.subscriptions += 1
            self._idle.pop(view, None)
            return Subscription(self, feed, steady=steady)

    def hello(self, server: str, now: int) -> str:
        """The first message of a connection."""
        with self.lock:
            return encode(Hello(VERSION, server, self.run, self.heartbeat_ms, self.time(now)))

    @property
    def subscriptions(self) -> int:
        """How many subscriptions there are at present."""
        with self.lock:
            return sum(feed.subscriptions for feed in self._feeds.values())

    @property
    def kind(self) -> AccountKind:
        """The account's currency, and whether it is a hedging account."""
        return self._kind

    def release(self, feed: _Feed) -> None:
        """Count one subscription less. Of too many feeds without any, the one that is idle the longest is dropped."""
        feed.subscriptions -= 1
        if not feed.subscriptions:
            self._idle[feed.view] = feed
            if len(self._idle) > MOST_IDLE:
                view, _ = self._idle.popitem(last=False)
                del self._feeds[view]

    def _seen_by(self, view: View, time: int) -> Snapshot:
        """The present state as far as the view shows it, without the stream's name and number."""
        account = self._account if view.figures else Account(self._account.currency)
        shown = self._shown
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
    """One subscriber of a feed: what it was sent last, and when.

    ``steady``: heartbeats come also between states, so that a relay can pass them on.
    """

    # There may be ten thousand of them.
    __slots__ = ("_beat_at", "_closed", "_feed", "_resync", "_sent_seq", "_snapshot_at", "_steady", "_streams")

    def __init__(self, streams: Streams, feed: _Feed, *, steady: bool) -> None:
        self._streams = streams
        self._feed = feed
        self._steady = steady
        self._sent_seq = 0
        # The time from which the next heartbeat counts.
        self._beat_at = 0
        self._snapshot_at = 0
        self._resync = False
        self._closed = False

    @property
    def sent_seq(self) -> int:
        """The seq of the newest state that next_message() has returned; 0 before the first."""
        return self._sent_seq

    @property
    def stream(self) -> str:
        """The name of the stream."""
        return self._feed.newest.stream

    @property
    def newest_seq(self) -> int:
        """The seq of the newest state."""
        return self._feed.newest.seq

    def welcome(self, user: str, now: int) -> str:
        """The answer to the login."""
        symbols = self._feed.view.symbols
        names = None if symbols is None else tuple(sorted(symbols))
        with self._streams.lock:
            newest = self._feed.newest
            time, confirmed = self._streams.time(now), self._streams.welcome_confirmed(now)
            if confirmed is not None:
                confirmed = max(confirmed, newest.time)
            return encode(Welcome(user, self._streams.kind, newest.stream, newest.seq, time, names, confirmed))

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
        with self._streams.lock:
            return self._next_message(now)

    def _next_message(self, now: int) -> str | None:
        time = self._streams.time(now)
        newest = self._feed.newest
        if self._resync and (self._sent_seq != newest.seq or time - self._snapshot_at >= RESYNC_MS):
            self._resync, self._sent_seq = False, 0
        if self._sent_seq != newest.seq:
            text = self._feed.text_after(self._sent_seq)
            if self._sent_seq == 0:
                self._snapshot_at = time
            self._sent_seq = newest.seq
            if not (self._steady or self._streams.relays) or not self._beat_at:
                self._beat_at = self._streams.confirmed(now)
        elif (beat := self._streams.heartbeat_due(self._beat_at, now)) is not None:
            text = self._feed.heartbeat(beat)
            self._beat_at = beat
        else:
            return None
        return text

    def heartbeat_in(self, now: int) -> int:
        """The milliseconds until the next heartbeat is due, unless there is a new state before."""
        with self._streams.lock:
            return self._streams.heartbeat_in(self._beat_at, now)

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
            with self._streams.lock:
                self._streams.release(self._feed)
