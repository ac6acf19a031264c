"""A subscriber that records and acknowledges each message of a server, and logs in again and again.

A copier ignores what is wrong in many cases, so what a proxy forwards is checked here, at the messages themselves:

- In a stream no message is about an older state than an earlier one.
- States have the provider's positions in their order, also in other streams: the first state after a login is not older
  than the last one before it, which was acknowledged.
- A heartbeat states that the provider had this state as its newest at a time of its clock, and so does a welcome. So
  the provider must have had its positions then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import NamedTuple

from demos.provider.messages import VERSION, Ack, FromServer, Heartbeat, Login, Snapshot, Update, Welcome
from demos.provider.protocol import decode_from_server, encode
from demos.provider.states import merge
from demos.simulation.process_context import process_context
from demos.simulation.provider.copied_positions import SYMBOL, changes_of, lots_since
from demos.simulation.provider.rogue import Prey, Rogue, now_ms, wait_ready
from demos.simulation.scenario import Violation
from demos.simulation.terminals import SimulatedTerminal
from demos.wire.opening import start_winsock
from demos.wire.websocket import NORMAL, WebSocket
from winsock.simulation.dispatch import running_process
from winsock.simulation.hosts import Host

# Seconds: the pause before a login, and how long a connection lasts.
_PAUSES = (0.5, 5.0)
_LASTS = (3.0, 60.0)

# The server notices a trade at its next timer event, in seconds. The provider's clock is looked at once a second.
_NOTICED_S = 2.0
_LOOK_S = 1.0


class Heard(NamedTuple):
    """A message, and the second of the simulation at which it has arrived."""

    time: float
    message: FromServer


class Watcher(Rogue):
    """See the head of this module; run() is the program. It logs in at ``path`` with the prey's ``slow_login``."""

    def __init__(self, prey: Prey, path: str, token: str, chance: Random) -> None:
        super().__init__(prey, chance, 0.0)
        self.path = path
        self._token = token
        self.heard: deque[Heard] = deque()

    def run(self) -> None:
        """Subscribe again and again without end."""
        process = running_process()
        with process_context():
            start_winsock()
            while True:
                process.sleep(self._chance.uniform(*_PAUSES))
                if (websocket := self._open()) is not None:
                    self._subscribe(websocket, process.monotonic() + self._chance.uniform(*_LASTS))
                    websocket.close(NORMAL, "", now_ms())
                    websocket.stream.close("")

    def _subscribe(self, websocket: WebSocket, until: float) -> None:
        process = running_process()
        websocket.send_text(encode(Login(VERSION, self._prey.slow_login, token=self._token)), now_ms())
        while websocket.is_open and (left := until - process.monotonic()) > 0:
            for text in websocket.receive(now_ms()):
                message = decode_from_server(text)
                self.heard.append(Heard(process.monotonic(), message))
                if isinstance(message, (Snapshot, Update)):
                    websocket.send_text(encode(Ack(message.stream, message.seq)), now_ms())
            if websocket.stream.is_open:
                wait_ready(websocket.stream.socket, left + 0.001, writable=websocket.stream.wants_write)
                websocket.stream.flush(now_ms())


class ForwardedStates:
    """Checks each message of a watcher once."""

    def __init__(self, watcher: Watcher, provider: Host) -> None:
        self._watcher, self._provider = watcher, provider
        # The last state, the number of its position in the provider's history, and the answer to the login before it.
        self._state: Snapshot | None = None
        self._position = 0
        self._welcome: Welcome | None = None
        # The provider's clock, in seconds: at which second of the simulation it has shown what. It is not used any more
        # when it was set back, because then the provider states times of its own.
        self._clock: list[tuple[float, float]] = []
        self._is_set_back = False

    def check(self, now: float, provider: SimulatedTerminal) -> Iterator[Violation]:
        """Take what has arrived."""
        shown = self._provider.utc_ns() / 1e9
        self._is_set_back = self._is_set_back or bool(self._clock and shown < self._clock[-1][1])
        self._clock.append((now, shown))
        while self._watcher.heard:
            heard = self._watcher.heard.popleft()
            message = heard.message
            if isinstance(message, Welcome):
                self._welcome = message
            if isinstance(message, (Welcome, Snapshot, Update, Heartbeat)):
                yield from self._check_number(message)
            if isinstance(message, Snapshot):
                yield from self._take(heard.time, message, provider)
            elif isinstance(message, Update) and self._state and self._state.stream == message.stream:
                yield from self._take(heard.time, merge(self._state, message), provider)
            elif isinstance(message, Heartbeat) and self._state and self._state.seq == message.seq:
                yield from self._check_confirmed(message.time / 1000, provider)

    def _check_number(self, message: Welcome | Snapshot | Update | Heartbeat) -> Iterator[Violation]:
        state = self._state
        if state is not None and state.stream == message.stream and message.seq < state.seq:
            yield Violation(
                "no state older than an acknowledged one is forwarded", f"{message} was received after {state}"
            )

    def _take(self, time: float, state: Snapshot, provider: SimulatedTerminal) -> Iterator[Violation]:
        self._state, changes = state, changes_of(provider)
        held = _lots(state)
        for number in range(self._position, len(changes)):
            if changes[number].time <= time and changes[number].lots == held:
                self._position = number
                break
        else:
            if changes or held:
                yield Violation(
                    "no state older than an acknowledged one is forwarded",
                    f"{state} was received at {time} s; the provider had {held} lots before the last state only",
                )
        welcome, self._welcome = self._welcome, None
        if welcome is not None and (welcome.stream, welcome.seq) == (state.stream, state.seq):
            confirmed = welcome.time if welcome.confirmed is None else welcome.confirmed
            yield from self._check_confirmed(confirmed / 1000, provider)

    def _check_confirmed(self, time: float, provider: SimulatedTerminal) -> Iterator[Violation]:
        """The provider had the position of the last state when its clock showed this time."""
        if self._is_set_back or self._state is None:
            return
        seconds = [now for now, shown in self._clock if abs(shown - time) <= _LOOK_S]
        if not seconds:
            return
        since, until = min(seconds) - _LOOK_S - _NOTICED_S, max(seconds) + _LOOK_S
        held = _lots(self._state)
        had = lots_since(provider, since, until)
        if held not in had:
            yield Violation(
                "a confirmed state was the provider's newest",
                f"{held} lots were confirmed for the time {time}, {since} s to {until} s, when the provider had {had}",
            )


def _lots(state: Snapshot) -> Decimal:
    return sum((each.lots for each in state.positions if each.symbol == SYMBOL), Decimal(0))
