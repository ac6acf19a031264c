"""What the provider's program publishes to: its ports, and feeds to other programs.

Each output gets the account's state at every trade and at every timer event, or is suspended: the account cannot be
read, or an operator has paused the provider. A feed is an output that connects to another program, such as a broker.
"""

from __future__ import annotations

from typing import Protocol

from demos.provider.accounts import AccountState


class Output(Protocol):
    """What the account is published to."""

    def observe(self, account: AccountState) -> None:
        """Publish the account's present state.

        Errors: ValueError when the protocol cannot carry it; then nothing is sent until a later state can be.
        """

    def suspend(self) -> None:
        """Send nothing, not even heartbeats, until observe() is called."""


class Feed(Output, Protocol):
    """An output that connects to another program. Its methods are for the terminal's thread, and never block.

    ``failure``: why the provider must end, or ""; ``code`` is then its exit code.
    """

    failure: str
    code: int

    def owns(self, s: int) -> bool:
        """Whether OnSocket is called for this feed."""

    def ready(self, s: int, ready: int) -> None:
        """One of its sockets is ready."""

    def timer(self) -> None:
        """A timer event, once a second: connect, retry, send heartbeats."""

    def close(self) -> None:
        """End the connections."""
