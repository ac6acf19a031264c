"""The event loop: runs the event functions of all attached programs in one thread.

How it works
============

An attachment is a program on a chart. Its events are calls of its module's functions: OnInit first, OnDeinit last,
OnTimer, OnTick, OnTrade, OnSocket and OnChartEvent in between. Only one event function runs at a time, so programs need
no locks. The loop runs in turns. Each turn does the following, in this order:

1. Commands: all lines that were posted before the turn.
2. Early sources: they are polled, and they queue events. The account's new deals become OnTrade events here.
3. Queued events: all events that were queued before this step. Events that they queue run in the next turn.
4. Sockets: OnSocket for the registered sockets that are ready, once for each. The wait before the turn has reported
   them; if there was none, they are polled now.
5. Timers: OnTimer of each attachment whose timer is due, once.
6. Sources: they are polled, and they deliver events directly. The market's next tick becomes OnTick here.
7. If no event is queued, the loop waits until the first timer or source is due, until a registered socket is ready, or
   until clock.wake() is called.

Nothing starves, because each step is bounded: a step runs only the work that existed when it began, a timer gives at
most one event, and a source gives a small number of events at each poll. Thousands of sockets may be ready at once: so
the step of the sockets ends after 5 ms. The others are called in the next turns, before the sockets are polled again.

The wait is clock.wait(). As long as a socket is registered, the clock lets SocketEvents do the waiting (see
socket_events.py); without one it waits for a lock, and no call of Winsock is made.

The life of one timer event: EventSetMillisecondTimer calls set_timer(), which stores the period and the time when the
first event is due. The wait of step 7 ends at that time at the latest. Step 5 finds the timer due and calls OnTimer.
When it has returned, the next event is planned on the same grid of periods; events that were missed meanwhile, because
a function took longer than the period, are merged into the next one. EventKillTimer, or another EventSetTimer inside
OnTimer, replaces the timer object; the old one is planned again without effect.

Only post_command() and stop() may be called from another thread, and stop() also from a signal handler. Both wake the
clock, so that the wait of step 7 ends.
"""

from __future__ import annotations

import math
import queue
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Protocol

from demos.terminal.interfaces import Clock
from demos.terminal.mql import constants as c
from demos.terminal.runtime.attachment import Attachment, Timer, running
from demos.terminal.runtime.commands import CommandRegistry
from demos.terminal.runtime.log import Log
from demos.terminal.runtime.programs import forget_program
from demos.terminal.runtime.socket_events import SocketEvents

_MAX_COMMANDS = 1000

# How long one turn calls OnSocket, in seconds; at least one ready socket is called.
_SOCKETS_TIME = 0.005

_EXIT_CODE_OF_INIT = {c.INIT_PARAMETERS_INCORRECT: 2}
_NAME_OF_INIT = {c.INIT_FAILED: "INIT_FAILED", c.INIT_PARAMETERS_INCORRECT: "INIT_PARAMETERS_INCORRECT"}


class EventSource(Protocol):
    """Something that the event loop polls, such as a market."""

    def start(self, now: float) -> None:
        """Called once, before the first OnInit. The first poll() follows after the last OnInit."""
        ...

    def next_due(self) -> float | None:
        """The time of the next event on the clock's monotonic time; None when there will be none, or none is known."""
        ...

    def poll(self, now: float) -> None:
        """Deliver or queue the events that are due at ``now``."""
        ...


class EventLoop:
    """Runs attached programs; see the head of this module."""

    def __init__(
        self, clock: Clock, log: Log, *, timer_ms: int | None = None, answer: Callable[[str], None] = print
    ) -> None:
        """``timer_ms`` replaces the period of every timer; ``answer`` gets the answers to commands, line by line."""
        self.clock = clock
        self.log = log
        self.commands = CommandRegistry(self.stop)
        self.stopping = False
        self._timer_ms = timer_ms
        self._answer = answer
        self._posted: queue.Queue[str] = queue.Queue(_MAX_COMMANDS)
        self._early_sources: list[EventSource] = []
        self._sources: list[EventSource] = []
        self._attached: list[Attachment] = []
        self._live: list[Attachment] = []
        self._queue: deque[Callable[[], None]] = deque()
        self._exit_code = 0
        self._sockets: SocketEvents[Attachment] = SocketEvents(partial(self._report, "OnSocket"))
        # Whether the loop has waited since the sockets were served: then it knows which are ready.
        self._waited = False

    @property
    def attached(self) -> Sequence[Attachment]:
        """All attachments in the order in which they were added, also those that were removed since."""
        return self._attached

    @property
    def live(self) -> Sequence[Attachment]:
        """The attachments that get events: their OnInit has begun, and they were not removed."""
        return self._live

    def attach(self, attachment: Attachment) -> None:
        """Add a program; its OnInit runs when run() begins."""
        self._attached.append(attachment)

    def add_source(self, source: EventSource, *, early: bool = False) -> None:
        """Poll this source once in each turn: after the timers, or, if ``early``, before the queued events."""
        (self._early_sources if early else self._sources).append(source)

    def post_command(self, line: str) -> None:
        """Have a command executed in the loop's thread. Blocks while 1,000 commands are queued."""
        self._posted.put(line)
        self.clock.wake()

    def post_event(self, attachment: Attachment, event: str, *args: object) -> None:
        """Queue a call of an event function; for the loop's own thread."""
        self._queue.append(partial(self.deliver, attachment, event, *args))

    def post_restart(self, attachment: Attachment, reason: int) -> None:
        """Queue OnDeinit with this reason, followed by OnInit; the program keeps its globals."""
        self._queue.append(partial(self._restart, attachment, reason))

    def set_timer(self, attachment: Attachment, milliseconds: int) -> None:
        """Start the attachment's timer, or replace it; the first OnTimer comes after one period."""
        period = (self._timer_ms or milliseconds) / 1000
        attachment.timer = Timer(period, self.clock.monotonic() + period)

    def set_socket(self, attachment: Attachment, s: int, readable: bool, writable: bool) -> bool:
        """Call OnSocket of the attachment when the socket is ready; False when that is impossible."""
        if attachment not in self._live or not hasattr(attachment.module, "OnSocket"):
            return False
        if not (readable or writable):
            self._sockets.unregister(attachment, s)
            return True
        return self._sockets.register(attachment, s, readable, writable)

    def kill_socket(self, attachment: Attachment, s: int) -> bool:
        """Stop calling OnSocket for this socket; False when the attachment has not registered it."""
        return self._sockets.unregister(attachment, s)

    def stop(self) -> None:
        """End run() after the running event function; OnDeinit of every program is called."""
        self.stopping = True
        self.clock.wake()

    def abandon(self) -> None:
        """The process is killed: run() calls no OnDeinit when the exception that ends the process passes it."""
        self._live.clear()

    def run(self, duration: float | None = None) -> int:
        """Run the attached programs until stop(), until ``duration`` seconds have passed, or until none is left.

        Returns the exit code: 0, or that of the first program that failed.
        """
        now = self.clock.monotonic()
        end = math.inf if duration is None else now + duration
        for source in (*self._early_sources, *self._sources):
            source.start(now)
        # The stack calls each OnDeinit, also after an error in another program or in another OnDeinit.
        with ExitStack() as stack:
            stack.callback(self._sockets.close)
            for attachment in self._attached:
                if not self.stopping:
                    stack.callback(self._remove, attachment, c.REASON_CLOSE)
                    self._initialize(attachment)
            for source in self._sources:
                source.poll(now)
            while self._live and not self.stopping and self.clock.monotonic() < end:
                self._run_turn(end)
        self.log.write_summaries(end=True)
        return self._exit_code

    def sleep(self, attachment: Attachment, seconds: float) -> None:
        """Wait inside an event function; only commands are executed. Ends early when the program is asked to end."""
        end = self.clock.monotonic() + seconds
        while not (self.stopping or attachment.removed) and (left := end - self.clock.monotonic()) > 0:
            self.clock.wait(left)
            self._run_commands()

    def deliver(self, attachment: Attachment, event: str, *args: object) -> None:
        """Call an event function now, unless the program was removed or the loop is stopping."""
        if attachment in self._live and not self.stopping:
            self._call(attachment, event, *args)
            self._remove_if_asked(attachment)

    def _run_turn(self, end: float) -> None:
        self._run_commands()
        for source in self._early_sources:
            source.poll(self.clock.monotonic())
        for _ in range(len(self._queue)):
            self._queue.popleft()()
        self._run_sockets()
        self._run_timers()
        for source in self._sources:
            source.poll(self.clock.monotonic())
        self.log.write_summaries()
        if self._live and not self.stopping:
            self._wait(end)

    def _run_commands(self) -> None:
        for _ in range(self._posted.qsize()):
            if self.stopping:
                return
            for line in self.commands.execute(self._posted.get()):
                self._answer(line)

    def _run_sockets(self) -> None:
        if self._sockets and not (self._waited or self._sockets.has_ready):
            self._sockets.wait(0)
        self._waited = False
        end = self.clock.monotonic() + _SOCKETS_TIME
        while ready := self._sockets.take_ready():
            attachment, s, occurred = ready
            self.deliver(attachment, "OnSocket", s, occurred)
            if self.clock.monotonic() >= end:
                return

    def _run_timers(self) -> None:
        for attachment in self._live.copy():
            timer = attachment.timer
            if timer is None or timer.due > self.clock.monotonic():
                continue
            self.deliver(attachment, "OnTimer")
            late = max(self.clock.monotonic() - timer.due, 0.0)
            timer.due += timer.period * (late // timer.period + 1)

    def _wait(self, end: float) -> None:
        """Wait until the first timer or source is due, or a socket is ready, but not beyond ``end``."""
        if self._queue or self._sockets.has_ready:
            return
        left = self._time_left(end)
        if left > 0:
            self._waited = True
            self.clock.wait(None if left == math.inf else left, self._sockets if self._sockets else None)

    def _time_left(self, end: float) -> float:
        """The seconds until the first timer or source is due, or until ``end``."""
        sources = [source.next_due() for source in (*self._early_sources, *self._sources)]
        timers = [attachment.timer.due for attachment in self._live if attachment.timer]
        due = min([end, *timers, *(time for time in sources if time is not None)])
        return due - self.clock.monotonic()

    def _initialize(self, attachment: Attachment) -> None:
        self._live.append(attachment)
        attachment.logged_error = False
        code = self._call(attachment, "OnInit")
        if code and not attachment.removed:
            attachment.exit_code = _EXIT_CODE_OF_INIT.get(code, 4)
            if not attachment.logged_error:
                self.log.write(attachment.label, "error", "OnInit", f"OnInit returned {_NAME_OF_INIT.get(code, code)}")
            self._remove(attachment, c.REASON_INITFAILED)
            return
        if not attachment.removed and hasattr(attachment.module, "OnStart"):
            self._call(attachment, "OnStart")
            attachment.removed = True
        self._remove_if_asked(attachment)

    def _restart(self, attachment: Attachment, reason: int) -> None:
        if attachment in self._live and not self.stopping:
            self._call(attachment, "OnDeinit", reason)
            self._live.remove(attachment)
            self._initialize(attachment)

    def _remove_if_asked(self, attachment: Attachment) -> None:
        if attachment.removed:
            self._remove(attachment, c.REASON_PROGRAM)

    def _remove(self, attachment: Attachment, reason: int) -> None:
        if attachment not in self._live:
            return
        self._live.remove(attachment)
        self._call(attachment, "OnDeinit", reason)
        self._exit_code = self._exit_code or attachment.exit_code
        attachment.timer = None
        self._sockets.unregister_all(attachment)
        attachment.removed = True
        for file in attachment.files.values():
            file.close()
        forget_program(attachment.module)

    def _report(self, event: str, attachment: Attachment, text: str) -> None:
        self.log.write(attachment.label, "error", event, text)

    def _call(self, attachment: Attachment, event: str, *args: object) -> int | None:
        function = getattr(attachment.module, event, None)
        if function is None:
            return None
        with running(attachment, event):
            result: int | None = function(*args)
            return result
