"""What a client sends of its account: no sockets, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from demos.ideas.sentiment.protocol import Volume, Volumes


def bounded_volumes(positions: Mapping[str, tuple[Decimal, Decimal]], only: Sequence[str], most: int) -> Volumes:
    """The message with the volumes of the positions, by symbol: long and short lots.

    ``only`` names the symbols to send, if there are any in it. Of more than ``most`` symbols it has those with the
    largest volumes.
    """
    chosen = {name: Volume(*lots) for name, lots in positions.items() if not only or name in only}
    largest = sorted(chosen, key=lambda name: (-chosen[name].long - chosen[name].short, name))[:most]
    return Volumes({name: chosen[name] for name in sorted(largest)})
