"""What a tick server does with the datagrams of one event, without sockets and clock: reads, counts and keeps them."""

from __future__ import annotations

from demos.collector.sequence import Sequence
from demos.collector.store import Batch, Counts, TickStore
from demos.ticks.protocol import Quote, Refused, decode

# How many clients' numbers are at hand; what else is known of numbers is read from the store.
MOST_RUNS = 4096


class Collector:
    """Takes the datagrams of an event one by one; keep() ends the event."""

    def __init__(self, store: TickStore, codepage: int) -> None:
        self._store = store
        self._codepage = codepage
        self._batch = Batch(0)
        self._runs: dict[str, Sequence] = {}

    def take(self, datagram: bytes, sender: str) -> Quote | Refused:
        """Read and count a datagram. A numbered tick that came before is refused as well."""
        said = decode(datagram, self._codepage)
        counts = self._counts(sender)
        if isinstance(said, Refused):
            counts.refused += 1
        elif said.run and not self._is_new(said, sender):
            counts.repeated += 1
            return Refused(f"{said.symbol}, number {said.number}", "a tick that came before")
        else:
            counts.ticks += 1
            self._batch.ticks.append((said, sender))
        return said

    def oversized(self, sender: str) -> None:
        """Count a datagram that is longer than any tick."""
        self._counts(sender).oversized += 1

    def keep(self, time: int) -> Batch:
        """Write all that was taken, received at ``time``, in one transaction, and return it.

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
        # Taken out and put back at the end: the first one is then the one that was not used for longest.
        sequence = self._runs.pop(quote.run, None)
        if sequence is None and quote.run in self._batch.runs:
            # What the event has brought so far is not in the store yet.
            sequence = self._batch.runs[quote.run][0]
        sequence = sequence or self._store.sequence(quote.run)
        new = True
        if sequence:
            self._batch.lost -= sequence.lost
            new = sequence.take(quote.number)
            self._batch.lost += sequence.lost
        self._runs[quote.run] = sequence = sequence or Sequence.beginning(quote.number)
        if len(self._runs) > MOST_RUNS:
            del self._runs[next(iter(self._runs))]
        self._batch.runs[quote.run] = (sequence, sender)
        return new
