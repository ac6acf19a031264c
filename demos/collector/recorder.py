"""Records received datagrams: decodes them, counts them for each sender, and stores the valid ticks.

It needs neither sockets nor a clock. The collector passes it each datagram of a timer event and then calls
end_event(), which closes the event's batch, and store(), which writes each waiting batch in one transaction. Batches
wait while another process has locked the database; their number is limited, see is_full().
"""

from __future__ import annotations

from collections import deque

from demos.collector.sequence import SequenceTracker
from demos.collector.store import Batch, Counts, TickStore
from demos.ticks.protocol import InvalidDatagram, Quote, decode

# The runs whose numbers are kept in memory. The store has the numbers of the others.
MAX_RUNS = 4096

# The most ticks and events that wait for the database.
MAX_WAITING_TICKS = 50_000
MAX_WAITING_EVENTS = 10_000


class TickRecorder:
    """Collects the datagrams of one event in a batch; see the head of this module."""

    def __init__(self, store: TickStore, codepage: int, time: int = 0) -> None:
        """``time``: the present time; later each event has its own."""
        self._store = store
        self._codepage = codepage
        self._time = time
        self._batch = Batch(0)
        self._waiting: deque[Batch] = deque()
        self._runs: dict[str, SequenceTracker] = {}
        # The runs in the batches, whose numbers the store does not have yet.
        self._unsaved: dict[str, SequenceTracker] = {}

    def add(self, datagram: bytes, sender: str) -> Quote | InvalidDatagram:
        """Decode and count a datagram. A numbered tick that was received before counts as repeated and is dropped.

        Errors: StoreError when the numbers of its run cannot be read; then the datagram is not counted.
        """
        tick = decode(datagram, self._codepage)
        address, sender = sender, self._store.admit_sender(sender)
        if isinstance(tick, InvalidDatagram):
            self._counts(sender).refused += 1
        elif problem := self._problem(tick, address):
            self._counts(sender).refused += 1
            return InvalidDatagram(tick.text, problem)
        elif tick.run and not self._is_new(tick, sender):
            self._counts(sender).repeated += 1
            return InvalidDatagram(f"{tick.symbol}, number {tick.number}", "repeated tick")
        else:
            self._counts(sender).ticks += 1
            self._batch.ticks.append((tick, sender))
        return tick

    def add_oversized(self, sender: str) -> None:
        """Count a datagram that is longer than any tick."""
        self._counts(self._store.admit_sender(sender)).oversized += 1

    def end_event(self, time: int) -> Batch:
        """Close the batch with its time of receipt, have it wait for store(), and return it."""
        batch, self._batch = self._batch, Batch(0)
        batch.time = self._time = time
        if batch.senders:
            self._waiting.append(batch)
        return batch

    def store(self) -> None:
        """Store the waiting batches, each in one transaction.

        Errors: StoreError when one cannot be written; that batch and the later ones stay in memory.
        """
        while self._waiting:
            self._store.add(self._waiting[0])
            self._waiting.popleft()
        self._unsaved = {run: tracker for run, (tracker, *_) in self._batch.runs.items()}

    def waiting_ticks(self) -> int:
        """The number of ticks that wait for the database."""
        return sum(len(batch.ticks) for batch in self._waiting)

    def is_full(self) -> bool:
        """Whether so much waits for the database that no more datagrams should be added."""
        return len(self._waiting) >= MAX_WAITING_EVENTS or self.waiting_ticks() >= MAX_WAITING_TICKS

    def _counts(self, sender: str) -> Counts:
        return self._batch.senders.setdefault(sender, Counts())

    def _problem(self, quote: Quote, sender: str) -> str:
        """Why a tick is refused, or ""; forgets old runs that have to make room for that of the tick."""
        problem = self._store.symbol_problem(quote.symbol, sender)
        if problem or not quote.run:
            return problem
        problem = self._store.runs.problem(quote.run, sender, self._time)
        for run in self._store.runs.take_forgotten():
            self._batch.forgotten.append(run)
            self._runs.pop(run, None)
            self._unsaved.pop(run, None)
        return problem

    def _is_new(self, quote: Quote, sender: str) -> bool:
        # Removed here and inserted at the end: the first entry is always the least recently used one.
        tracker = self._runs.pop(quote.run, None) or self._unsaved.get(quote.run)
        tracker = tracker or self._store.sequence(quote.run)
        new = True
        if tracker:
            self._batch.lost -= tracker.lost
            new = tracker.add(quote.number)
            self._batch.lost += tracker.lost
        self._runs[quote.run] = tracker = tracker or SequenceTracker.starting_at(quote.number)
        if len(self._runs) > MAX_RUNS:
            del self._runs[next(iter(self._runs))]
        self._batch.runs[quote.run] = (tracker, sender, self._store.runs.senders[quote.run])
        self._unsaved[quote.run] = tracker
        return new
