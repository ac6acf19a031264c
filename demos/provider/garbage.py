"""Keeps the collection of cyclic garbage short, however many subscribers there are.

A full collection looks at every object of the process, and stops all threads meanwhile: with ten thousand connections
for half a second. CPython begins one whenever the number of new objects that live long has reached a quarter of the old
ones. The acknowledgements and the operator's rows of ten thousand subscribers are so many after a few updates.

So the objects that exist are frozen once a second, which takes no time: collections then look only at newer ones. An
object without references to itself is freed as before. Frozen garbage with such references is rare, because
connections make none; a full collection frees it every FULL_S.
"""

from __future__ import annotations

import gc

FULL_S = 3600


class Garbage:
    """See the head of this module. ``now`` is seconds of a monotonic clock."""

    def __init__(self, now: float) -> None:
        self._full_at = now + FULL_S

    def timer(self, now: float) -> None:
        """Freeze what exists; call it once a second."""
        if now >= self._full_at:
            self._full_at = now + FULL_S
            gc.unfreeze()
            gc.collect()
        gc.freeze()

    def close(self) -> None:
        """Leave the process as it was."""
        gc.unfreeze()
