"""Records received datagrams: decodes them, counts them for each sender, and stores the valid ticks.

It needs neither sockets nor a clock. The collector passes it each datagram of a timer event and then calls commit(),
which writes the event's datagrams in one transaction.
"""

from __future__ import annotations

from demos.collector.sequence import SequenceTracker
from demos.collector.store import Batch, Counts, TickStore
from demos.ticks.protocol import InvalidDatagram, Quote, decode

# The runs whose numbers are kept in memory. The store has the numbers of the others.
MAX_RUNS = 4096


class TickRecorder:
    """Collects the datagrams of one event in a batch; commit() stores the batch and begins the next one."""

    def __init__(self, store: TickStore, codepage: int) -> None:
        self._store = store
        self._codepage = codepage
        self._batch = Batch(0)
        self._runs: dict[str, SequenceTracker] = {}

    def add(self, datagram: bytes, sender: str) -> Quote | InvalidDatagram:
        """Decode and count a datagram. A numbered tick that was received before counts as repeated and is dropped."""
        tick = decode(datagram, self._codepage)
        counts = self._counts(sender)
        if isinstance(tick, InvalidDatagram):
            counts.refused += 1
        elif tick.run and not self._is_new(tick, sender):
            counts.repeated += 1
            return InvalidDatagram(f"{tick.symbol}, number {tick.number}", "repeated tick")
        else:
            counts.ticks += 1
            self._batch.ticks.append((tick, sender))
        return tick

    def add_oversized(self, sender: str) -> None:
        """Count a datagram that is longer than any tick."""
        self._counts(sender).oversized += 1

    def commit(self, time: int) -> Batch:
        """Store the batch with its time of receipt, in one transaction, and return it.

        Errors: StoreError when it cannot be written.
        """
        batch, self._batch = self._batch, Batch(0)
        batch.time = time
        if batch.senders:
            self._store.add(batch)
        return batch

    def _counts(self, sender: str) -> Counts:
        return self._batch.senders.setdefault(sender, Counts())

    def _is_new(self, quote: Quote, sender: str) -> bool:
        # Removed here and inserted at the end: the first entry is always the least recently used one.
        tracker = self._runs.pop(quote.run, None)
        if tracker is None and quote.run in self._batch.runs:
            # The store does not have the numbers of the current batch yet.
            tracker = self._batch.runs[quote.run][0]
        tracker = tracker or self._store.sequence(quote.run)
        new = True
        if tracker:
            self._batch.lost -= tracker.lost
            new = tracker.add(quote.number)
            self._batch.lost += tracker.lost
        self._runs[quote.run] = tracker = tracker or SequenceTracker.starting_at(quote.number)
        if len(self._runs) > MAX_RUNS:
            del self._runs[next(iter(self._runs))]
        self._batch.runs[quote.run] = (tracker, sender)
        return new
