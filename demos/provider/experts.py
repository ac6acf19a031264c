"""An expert: a thread with its own timer and sockets that serves a share of the provider's clients.

The terminal's program accepts a client and gives it to one expert, which keeps it to its end: TLS, HTTP, WebSocket, the
login and the states (see clients.py). No expert waits for another, or for a slow client.

How it works
============

The expert's thread runs in turns, like the terminal's event loop. Each turn does the following, in this order:

1. It waits until a socket is ready, until the next timer event, or until another thread has posted a call.
2. Posted calls: all that were posted before the turn.
3. Sockets: the connections whose sockets are ready, once each.
4. Updates: after publish() each subscriber gets the newest state.
5. Checks: after a timer event, the time limits and heartbeats of the connections that may need it.

Steps 3 to 5 end after a slice of time each, and continue in the next turn, which then does not wait. So ten thousand
subscribers of an update do not delay a login, and the other way around. The slice of the sockets is the shortest: the
acknowledgements of subscribers that have an update do not delay it for the others. The other slices are longer than
the few milliseconds that a poll of thousands of sockets takes.

An unexpected exception in the work for one connection ends that connection only (Clients.guarded). Any other one ends
run(), and with it the program.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import chain

from demos.provider.clients import Clients
from demos.provider.connection import Connection, subscriber_row
from demos.provider.overview import SubscriberRow
from demos.provider.session import Ending
from demos.provider.shared import CLOSING, Shared
from demos.provider.topics import Topic
from demos.terminal.runtime.socket_events import SocketEvents

TIMER_S = 1.0
SOCKETS_S = 0.005
SLICE_S = 0.02


class Expert:
    """See the head of this module. Only post(), adopt(), publish() and stop() may be called by other threads."""

    def __init__(self, number: int, shared: Shared) -> None:
        self.number = number
        self._shared = shared
        self._events: SocketEvents[Connection] = SocketEvents(
            lambda connection, text: shared.report(f"-{connection.name}: {text}")
        )
        self.clients = Clients(shared, self._events, self.post)
        # The subscribers as the operator sees them, from the last whole round of checks; for all threads.
        self.rows: tuple[SubscriberRow, ...] = ()
        self._rows: dict[int, SubscriberRow] = {}
        self._posted: deque[Callable[[], None]] = deque()
        self._updates: deque[Connection] = deque()
        self._checks: deque[Connection] = deque()
        self._stopping = False

    def post(self, call: Callable[[], None]) -> None:
        """Have something done by the expert's thread."""
        self._posted.append(call)
        self._events.wake()

    def adopt(self, number: int, s: int, host: str, name: str) -> None:
        """Take over an accepted nonblocking socket; see Connection for the parameters."""
        self.post(partial(self.clients.adopt, number, s, host, name))

    def publish(self, topic: Topic | None = None) -> None:
        """The topic has a new state: send it to each of its subscribers; None: all topics."""
        self.post(partial(self._queue_updates, topic))

    def end(self, number: int, ending: Ending) -> None:
        """End a connection, if it still exists."""
        self.post(partial(self.clients.end_number, number, ending))

    def drop(self, number: int) -> None:
        """End a connection that has not logged in, to make room for another one."""
        self.post(partial(self.clients.drop, number))

    def end_sessions(self, ending: Ending, topic: Topic | None = None) -> None:
        """End the sessions of a topic's subscribers; None: all sessions."""
        self.post(partial(self.clients.end_sessions, ending, topic))

    def stop(self) -> None:
        """End run(): all connections are closed."""
        self._stopping = True
        self._events.wake()

    def open(self) -> str:
        """Prepare the wait for sockets: why that is impossible, or ""."""
        return self._events.open()

    def run(self) -> None:
        """Serve clients until stop(). Call open() before."""
        try:
            self._serve()
            self.clients.close(CLOSING)
        finally:
            self._events.close()

    def _serve(self) -> None:
        due = self._shared.clock.monotonic()
        while not self._stopping:
            now = self._shared.clock.monotonic()
            if now >= due:
                due = now + TIMER_S
                # The checks of the last timer event may not have ended yet.
                if not self._checks:
                    self._checks.extend(self.clients.due())
                    self._show_rows()
            # Sockets that are ready are served before the next poll, which would report them once more.
            if not self._events.has_ready:
                busy = self._posted or self._updates or self._checks
                self._events.wait(0.0 if busy else due - now)
                if not self._events.is_open:
                    raise OSError("the sockets cannot be waited for")
            self._run_turn()

    def _run_turn(self) -> None:
        """Steps 2 to 5 of a turn; see the head of this module."""
        for _ in range(len(self._posted)):
            self._posted.popleft()()
        end = self._shared.clock.monotonic() + SOCKETS_S
        while ready := self._events.take_ready():
            connection, _, occurred = ready
            self.clients.guarded(connection, partial(self.clients.serve, connection, occurred))
            if self._shared.clock.monotonic() >= end:
                break
        self._for_a_slice(self._updates, self.clients.pump)
        if self._checks:
            self._for_a_slice(self._checks, self._check)
            if not self._checks:
                self._show_rows()

    def _check(self, connection: Connection) -> None:
        self.clients.check(connection)
        if row := subscriber_row(connection, self.number):
            self._rows[connection.number] = row
        else:
            self._rows.pop(connection.number, None)

    def _show_rows(self) -> None:
        self._rows = {number: row for number, row in self._rows.items() if number in self.clients.connections}
        self.rows = tuple(self._rows.values())

    def _queue_updates(self, topic: Topic | None) -> None:
        # Those that still wait for the last state are first: otherwise frequent states would never reach the others.
        connections = self.clients.connections.values()
        subscribers = (each for each in connections if each.topic is not None and topic in (None, each.topic))
        self._updates = deque(dict.fromkeys(chain(self._updates, subscribers)))

    def _for_a_slice(self, work: deque[Connection], step: Callable[[Connection], None]) -> None:
        """Do the step for the next connections, until SLICE_S seconds have passed."""
        end = self._shared.clock.monotonic() + SLICE_S
        while work:
            connection = work.popleft()
            self.clients.guarded(connection, partial(step, connection))
            if self._shared.clock.monotonic() >= end:
                return
