"""Stored messages of symbols that are not open, which the provider deletes: those of earlier runs, and of others.

A broker sends a limited number of stored messages at once (mosquitto: max_queued_messages). So the stored messages are
requested again after a deletion, until none of them is to be deleted.
"""

from __future__ import annotations

from demos.provider.broker_publishing import BrokerStates, Publication

# The topics that are remembered.
MOST_TOPICS = 10_000


class Leftovers:
    """The topics whose messages are to be deleted."""

    def __init__(self, states: BrokerStates) -> None:
        self._states = states
        self._topics: set[str] = set()
        self._deleted = False

    def add(self, topic: str) -> None:
        """The broker has stored a message at the topic of a symbol that is not open."""
        if len(self._topics) < MOST_TOPICS:
            self._topics.add(topic)

    def deletions(self) -> list[Publication]:
        """What deletes them. A symbol that was opened in the meantime keeps its message."""
        found = self._states.deletions(sorted(self._topics))
        self._topics.clear()
        self._deleted = self._deleted or bool(found)
        return found

    def take_look(self) -> bool:
        """Whether to request the stored messages again: once after deletions that the broker has acknowledged."""
        looks, self._deleted = self._deleted, False
        return looks
