"""How often the copier may acknowledge, so that it stays within the provider's limits.

A provider ends the connection of a client that sends too much (notes/provider.md). An acknowledgement names all symbols
of the account, so with many symbols it is large. One that is left out costs nothing: the newest one counts.

The costs are those of the provider. The pace is a quarter of what the provider allows, and one message may cost more
than what is left. So what the network or a busy provider delays still fits when it arrives together.
"""

from __future__ import annotations

# What may be sent at once, and what is added in a second. A message costs 1, and 1 for each full COUNTED characters.
AT_ONCE = 100
PER_SECOND = 25
COUNTED = 1024


class AckPace:
    """The pace of one connection; see the head of this module. ``now`` is in milliseconds."""

    def __init__(self, now: int) -> None:
        # In thousandths.
        self._left = AT_ONCE * 1000
        self._at = now

    def allows(self, now: int) -> bool:
        """Whether a message may be sent now."""
        self._left = min(self._left + (now - self._at) * PER_SECOND, AT_ONCE * 1000)
        self._at = now
        return self._left > 0

    def sent(self, characters: int) -> None:
        """Count a message that was sent after allows()."""
        self._left -= (1 + characters // COUNTED) * 1000
