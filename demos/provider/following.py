"""The subscriber's side: which states may be acted on. A pure state machine: no sockets, no clock, no files.

It takes the server's messages and ``now``, and returns a Step: a state to act on, messages to send, alarms, and whether
to disconnect. What it must not forget goes through a Store, before a state is returned.

Which state is newer
- Within a stream the seq decides. A state is returned only if its seq is higher than that of every state returned
  before. After a reconnect the same state is returned once more, so that the program can compare its account with it.
- The first state of another stream has no number to compare. It must not be older, by the server's time, than the
  newest time that the server has stated. Welcome and heartbeats confirm a state at a later time, so a state that waits
  is returned when the server's clock has passed that time.

What stops it until the operator calls resume(), also after a restart
- FALL: the server states a lower seq within a stream, later in time than the higher one. The provider's state was set
  back, for example by a restored backup. A message that is only late or repeated has an earlier time, and is ignored.
- RETURNED: a run of the provider comes back after another one: a copy of an old provider, or two providers at one
  address.
- CONFLICT: two different states have one seq.
- RIVALS: two providers publish at one place of a broker (stop()).

Stale and quiet
- A server that has nothing to report sends heartbeats: it is quiet, and its state is the newest. Without a heartbeat or
  a new state for STALE_HEARTBEATS of its intervals it is stale: the state may be outdated. Nothing else counts: no
  repeated message, and not the state that a login is answered with.
- After a login the silence counts from the time at which the provider has confirmed the state (`confirmed` of the
  welcome). So a provider that is dead is found out at the same time behind any number of proxies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from demos.provider.memory import MOST_RUNS, RUN_LENGTH, Mark, Memory, Store, read_memory
from demos.provider.messages import (
    AccountKind,
    Ack,
    Error,
    FromServer,
    Heartbeat,
    Hello,
    Known,
    Login,
    Position,
    Resync,
    Snapshot,
    Update,
    Welcome,
)
from demos.provider.protocol import MessageError
from demos.provider.server_clock import JUMP_MS, ServerClock
from demos.provider.states import digest, merge
from demos.provider.steps import Alarm, Kind, Status, Step

STALE_HEARTBEATS = 3
# Before the server has said how often it sends heartbeats.
FIRST_HEARTBEAT_MS = 5000

# So many consecutive heartbeats that are this late mean that the ages are too inaccurate.
LATE_MS = 5000
LATE_HEARTBEATS = 3


class Follower:
    """Follows one provider with one login. ``now`` is our clock in milliseconds, which is never set (monotonic).

    Errors: ValueError when what the store has is damaged.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._memory = read_memory(store.load())
        # The kind of the account, and the last state that was returned, also by a connection before this one.
        self.kind: AccountKind | None = None
        self.state: Snapshot | None = None
        self._connected = self._stale = False
        self._begin(0)

    # ---- the connection

    def connected(self, now: int) -> None:
        """A connection was made. Messages of earlier connections must not be passed on any more."""
        self._connected = True
        self._begin(now)

    def disconnected(self) -> None:
        """The connection has ended."""
        self._connected = False

    def asked(self, now: int) -> None:
        """The server is asked now for a welcome, which it writes afterwards: that bounds the ages."""
        self._clock.login_sent(now)

    def login(self, login: Login, now: int) -> Login:
        """The login to send now: with the state that is known."""
        self.asked(now)
        mark = self._memory.mark
        return replace(login, known=Known(mark.stream, mark.seq) if mark else None)

    def receive(self, message: FromServer, now: int) -> Step:
        """What follows from a message. The caller reports undecodable ones to the server and closes the connection."""
        step = Step()
        if self._memory.stopped is None and self._connected and not self._stale:
            self._heard.get(type(message), _ignore)(message, now, step)
        return step

    def check(self, now: int) -> Step:
        """What follows from the time: call it at every timer event."""
        step = Step()
        if self._memory.stopped is None and self._connected and not self._stale:
            self._check_silence(now, step)
        return step

    def stop(self, kind: Kind, details: str) -> Step:
        """Stop because of something that the messages of one stream do not show. ``kind`` is one of STOPPING."""
        step = Step()
        if self._memory.stopped is None:
            self._stop(step, kind, details)
        return step

    def acknowledge(self, held: dict[str, Decimal], wanted: dict[str, Decimal] | None = None) -> Ack | None:
        """The acknowledgement of the last state that was returned; None before the first one of this connection.

        The state was stored before it was returned, so no older one is returned after a restart.
        """
        if not self._accepted or self._memory.mark is None:
            return None
        return Ack(self._memory.mark.stream, self._memory.mark.seq, held, wanted)

    def resume(self) -> Step:
        """The operator trusts the server's present state, whatever it is: forget everything, and connect again."""
        self._memory = Memory()
        self._store.save(self._memory.to_dict())
        self.state = None
        self._begin(self._heard_at)
        return Step(disconnect="the operator resumes")

    # ---- how current the state is

    @property
    def status(self) -> Status:
        """Whether the state may be acted on: LIVE, or why not."""
        if self._memory.stopped is not None:
            return Status.STOPPED
        if not self._connected:
            return Status.OFFLINE
        if self._stale:
            return Status.STALE
        return Status.LIVE if self._accepted and self._accepted == self._newest[0] else Status.WAITING

    @property
    def stopped(self) -> str:
        """Why the follower has stopped, or ""."""
        return self._memory.stopped or ""

    @property
    def mark(self) -> Mark | None:
        """The newest state that was returned, also before a restart; None: none."""
        return self._memory.mark

    @property
    def waits(self) -> bool:
        """Whether the state of a new stream waits for the server's time to pass that of an earlier stream."""
        return self._waits and not self._accepted

    def confirmed_age(self, now: int) -> int | None:
        """The largest possible time since the server stated that this state is the newest; None: unknown."""
        return self._clock.age(self._confirmed, now) if self._accepted else None

    @property
    def stated(self) -> int:
        """The newest time at which the server has stated that its newest state is the newest, except by a state."""
        return max(self._beat, self._welcomed[1])

    @property
    def heartbeat_ms(self) -> int:
        """How often the server sends heartbeats."""
        return self._heartbeat_ms

    @property
    def ahead(self) -> int | None:
        """The server's time is at most our time plus this; None: unknown."""
        return self._clock.ahead

    def position_age(self, position: Position, now: int) -> int | None:
        """The largest possible time since a position's lots changed; None: unknown, or before the provider started."""
        return self._clock.age(position.time, now) if self._accepted else None

    # ---- messages

    def _begin(self, now: int) -> None:
        self._clock = ServerClock()
        self._heartbeat_ms = FIRST_HEARTBEAT_MS
        # From when the silence counts.
        self._heard_at = now
        self._stale = self._greeted = False
        self._stream = ""
        # The newest seq that the server has stated, and a time at which it was the newest.
        self._newest = (0, 0)
        self._welcomed = (0, 0)
        # The newest state that was assembled, its digest, and the seq of the one that was returned.
        self._base: Snapshot | None = None
        self._digest = ""
        self._accepted = 0
        self._confirmed = 0
        self._beat = -1
        self._late = 0
        self._waits = self._gap = False
        self._heard: dict[type[Any], Callable[[Any, int, Step], None]] = {
            Hello: self._hear_hello,
            Welcome: self._hear_welcome,
            Snapshot: self._hear_snapshot,
            Update: self._hear_update,
            Heartbeat: self._hear_heartbeat,
            Error: self._hear_error,
        }

    def _hear_hello(self, message: Hello, now: int, step: Step) -> None:
        if not self._greeted:
            self._greeted = True
            self._heartbeat_ms = message.heartbeat_ms
            self._heard_at = now

    def _hear_error(self, message: Error, now: int, step: Step) -> None:
        step.alarms.append(Alarm(Kind.ERROR, f"{message.code}: {message.text}"))
        if message.fatal:
            step.disconnect = f"the server refuses: {message.text}"

    def _hear_welcome(self, message: Welcome, now: int, step: Step) -> None:
        if self._stream:
            # Repeated; a second one for another stream would have to be a new connection.
            return
        self._stream, self.kind = message.stream, message.account
        confirmed = message.time if message.confirmed is None else min(message.confirmed, message.time)
        self._newest = self._welcomed = (message.seq, confirmed)
        self._heard_at = now - (message.time - confirmed)
        self._clock.welcomed(message.time, now)
        memory, mark = self._memory, self._memory.mark
        if mark and mark.stream == message.stream:
            if message.seq == mark.seq:
                self._newest = (mark.seq, mark.time)
            elif message.seq < mark.seq:
                self._stop(step, Kind.FALL, f"from {mark.seq} to {message.seq} in stream {mark.stream}")
        elif message.stream[:RUN_LENGTH] in memory.runs:
            self._stop(step, Kind.RETURNED, f"{message.stream[:RUN_LENGTH]}, after {mark.run if mark else 'none'}")
        if message.time + JUMP_MS <= memory.newest_time:
            behind = memory.newest_time - message.time
            step.alarms.append(Alarm(Kind.CLOCK, f"the server's clock was set back by {behind} ms or more"))
        if not step.disconnect:
            self._check_silence(now, step)

    def _hear_snapshot(self, message: Snapshot, now: int, step: Step) -> None:
        if self._is_current(message, now, step):
            self._assemble(message, now, step)

    def _hear_update(self, message: Update, now: int, step: Step) -> None:
        if not self._is_current(message, now, step):
            return
        if self._base is None or message.previous > self._base.seq:
            self._miss(message, step)
            return
        try:
            self._assemble(merge(self._base, message), now, step)
        except MessageError as problem:
            self._disconnect(step, Kind.PROTOCOL, f"an update leads to an impossible state: {problem}")

    def _hear_heartbeat(self, message: Heartbeat, now: int, step: Step) -> None:
        if not self._is_current(message, now, step) or message.time <= self._beat:
            return
        self._beat, self._heard_at = message.time, now
        self._late = self._late + 1 if self._clock.lag >= LATE_MS else 0
        if self._base is None or message.seq > self._base.seq:
            self._miss(message, step)
        else:
            self._confirm(message.time, step)
        if self._late >= LATE_HEARTBEATS:
            self._late = 0
            self._disconnect(
                step, Kind.CLOCK, f"messages seem {self._clock.lag} ms late: the clocks are measured again"
            )

    # ---- states

    def _is_current(self, message: Snapshot | Update | Heartbeat, now: int, step: Step) -> bool:
        """Whether a message belongs to the stream and is about its newest state or a newer one."""
        if message.stream != self._stream:
            self._disconnect(step, Kind.PROTOCOL, f"a message of stream {message.stream} without a welcome")
            return False
        if not self._clock.heard(message.time, now):
            self._disconnect(
                step, Kind.CLOCK, "a message from the future: the server's clock was set forward, or ours back"
            )
        seq, time = self._newest
        if message.seq < seq and message.time > time:
            self._stop(step, Kind.FALL, f"from {seq} to {message.seq} in stream {message.stream}")
        return message.seq >= seq

    def _assemble(self, state: Snapshot, now: int, step: Step) -> None:
        mark, new = self._memory.mark, digest(state)
        known = self._digest if self._base and self._base.seq == state.seq else ""
        if mark and (mark.stream, mark.seq) == (state.stream, state.seq):
            known = mark.digest
        if known and known != new:
            self._stop(step, Kind.CONFLICT, f"two different states have seq {state.seq} in stream {state.stream}")
            return
        if self._base and self._base.seq == state.seq:
            return
        if state.seq > self._welcomed[0]:
            self._heard_at = now
        self._newest = (state.seq, state.time)
        self._base, self._digest = state, new
        self._gap = False
        seq, time = self._welcomed
        self._confirm(max(state.time, time) if state.seq == seq else state.time, step)

    def _confirm(self, time: int, step: Step) -> None:
        """The assembled state was the newest at this time: return it, unless that was done or its time is too old."""
        state, memory = self._base, self._memory
        if state is None:
            return
        mark = memory.mark
        if not (mark and mark.stream == state.stream) and time < memory.newest_time:
            if not self._waits:
                self._waits = True
                text = f"the state of {time} waits until the server's time passes {memory.newest_time}"
                step.alarms.append(Alarm(Kind.OLDER, text))
            return
        self._confirmed = max(self._confirmed, time)
        runs = memory.runs
        if mark and mark.run != state.stream[:RUN_LENGTH]:
            runs = (*runs, mark.run)[-MOST_RUNS:]
        new = Mark(state.stream, state.seq, state.time, self._digest)
        self._memory = replace(memory, mark=new, newest_time=max(memory.newest_time, time), runs=runs)
        if self._accepted != state.seq:
            # Stored first: whatever happens while the program acts on the state, no older one is returned after it.
            self._store.save(self._memory.to_dict())
            self._accepted = state.seq
            self.state = step.state = state

    def _miss(self, message: Update | Heartbeat, step: Step) -> None:
        """A newer state exists that was not received: ask for it, again at each heartbeat."""
        self._newest = (message.seq, message.time)
        step.send.append(Resync())
        if not self._gap:
            self._gap = True
            have = self._base.seq if self._base else 0
            step.alarms.append(Alarm(Kind.GAP, f"the newest state is {message.seq}, the last one received {have}"))

    def _check_silence(self, now: int, step: Step) -> None:
        silent = now - self._heard_at
        if silent > STALE_HEARTBEATS * self._heartbeat_ms:
            self._stale = True
            self._disconnect(step, Kind.STALE, f"no heartbeat and no new state for {silent} ms")

    def _stop(self, step: Step, kind: Kind, details: str) -> None:
        text = f"{kind.value}: {details}"
        self._memory = replace(self._memory, stopped=text)
        self._store.save(self._memory.to_dict())
        step.alarms.append(Alarm(kind, details))
        step.disconnect = text

    def _disconnect(self, step: Step, kind: Kind, details: str) -> None:
        step.alarms.append(Alarm(kind, details))
        step.disconnect = details


def _ignore(message: FromServer, now: int, step: Step) -> None:
    """Messages that only a client sends are not decoded from a server."""
