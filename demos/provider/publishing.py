"""The provider's side: from the account's state to the streams of its subscribers. No sockets, no clock, no files.

Publisher makes the states of the streams (streams.py) from what the program reads from its terminal. Only one process
may publish an account. Its threads share one Publisher.

Many positions
- observe() is called at every trade. It checks the positions that have changed, and keeps those that have not as the
  same objects, so that they are compared quickly. Texts are made from checked positions, and are not checked again.

Time is that of the provider's clock, milliseconds since 1970. If it is set back, the times of the messages continue
from the last one, so that they never fall within a run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

from demos.provider.accounts import AccountState, Holding, View
from demos.provider.messages import Account, AccountKind, Position, Snapshot
from demos.provider.protocol import MOST_POSITIONS, check_positions, encode
from demos.provider.streams import FIGURES_MS, HEARTBEAT_MS, Streams
from demos.terminal.runtime.randomness import token_hex

_Key: TypeAlias = tuple[str, int | None]


class Publisher(Streams):
    """The streams of one account; see Streams for the parameters. ``ticket_key`` is a secret of this provider.

    Errors: ValueError when the protocol cannot carry a state: too many positions, or two for one symbol and ticket.
    """

    def __init__(
        self,
        state: AccountState,
        now: int,
        ticket_key: bytes,
        heartbeat_ms: int = HEARTBEAT_MS,
        new_name: Callable[[int], str] = token_hex,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        super().__init__(ticket_key, heartbeat_ms, new_name, lock)
        self._time = now
        self._ahead = 0
        self._state = state
        # The last state that was counted, and its time.
        self._counted = (state, now)
        # The holdings that were observed last, and the positions made from them, by symbol and ticket.
        self._holdings: dict[_Key, Holding] = {}
        self._positions: dict[_Key, Position] = {}
        self._take(state, 0)

    def observe(self, state: AccountState, now: int) -> None:
        """Take the account's present state: at every trade event, and at every timer event for balance and equity."""
        with self.lock:
            time = self.time(now)
            self._take(state, time)
            self._count(state, time)
            self._offer(time)

    def time(self, now: int) -> int:
        """The time for a message: it never falls, also when the clock is set back."""
        if now + self._ahead < self._time:
            self._ahead = self._time - now
        self._time = now + self._ahead
        return self._time

    def confirmed(self, now: int) -> int:
        """The account is read at each timer event: its state is the newest now."""
        return self.time(now)

    def state_time(self, view: View, now: int) -> int:
        """See Streams."""
        return self.time(now)

    def heartbeat_due(self, since: int, now: int) -> int | None:
        """See Streams."""
        time = self.time(now)
        return time if time - since >= self.heartbeat_ms else None

    def heartbeat_in(self, since: int, now: int) -> int:
        """See Streams."""
        return max(0, since + self.heartbeat_ms - self.time(now))

    @property
    def state(self) -> AccountState:
        """The account's state that was observed last."""
        return self._state

    def changed_at(self, symbol: str, ticket: int | None) -> int:
        """When the lots of an open position have changed; 0: before this run.

        For the thread that calls observe(). ``ticket`` is used for a hedging account only.
        """
        position = self._positions.get((symbol, ticket if self._state.hedging else None))
        return position.time if position else 0

    def _count(self, state: AccountState, time: int) -> None:
        """Count a new state, as a feed that shows everything makes one (_Feed.offer), whether there is one or not."""
        counted, since = self._counted
        figures_due = time - since >= FIGURES_MS
        if state.holdings != counted.holdings or (figures_due and state != counted):
            self.states += 1
            self._counted = (state, time)

    def _take(self, state: AccountState, time: int) -> None:
        """Make the positions of a state; the lots of those that have changed did so at this time (0: before this run).

        An impossible state is refused here and not in a subscriber's turn. Errors: ValueError.
        """
        holdings = {(each.symbol, each.ticket): each for each in state.holdings}
        positions, new = {}, []
        for key, each in holdings.items():
            before = self._positions.get(key)
            if before is None or each != self._holdings[key]:
                changed = before.time if before and before.lots == each.lots else time
                before = Position(
                    each.symbol, each.lots, each.price, each.contract, changed, each.sl, each.tp, each.ticket
                )
                new.append(before)
            positions[key] = before
        account = Account(state.currency, state.balance, state.equity)
        encode(Snapshot(f"{self.run}-{'0' * 16}", 1, 0, account, tuple(new)))
        if new or len(holdings) < len(state.holdings):
            check_positions(state.holdings, zero=False)
        if len(positions) > MOST_POSITIONS:
            raise ValueError(f"more than {MOST_POSITIONS} positions: {len(positions)}")
        self._state, self._holdings, self._positions = state, holdings, positions
        self._kind, self._account = AccountKind(state.currency, state.hedging), account
        self._shown = tuple(positions.values())
