"""How select and WSAPoll find out which sockets are ready, and wait.

Both ask the kernel's poll about descriptors, and read its answer together with what Winsock remembers of the sockets:
the kernel may report an event that Winsock does not (a hang-up of a fresh stream), or report once what Winsock reports
always (an error). Both calls express what they want with WSAPoll's bits: select's three sets are POLLRDNORM (READ),
POLLWRNORM (WRITE) and POLLRDBAND (URGENT).

A call polls once without waiting. If nothing is ready it registers a Wait for all its sockets (see state.waiters) and
polls again, with the wake-up descriptor as one more entry, until a socket is ready or the time is over.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any

from winsock.constants import POLLRDBAND, POLLRDNORM, POLLWRNORM, SO_OOBINLINE, SOL_SOCKET
from winsock.errors import WSAECONNABORTED

from ..posix import system, waiting
from ..posix.errnos import winsock_error
from ..state.flags import PollKind
from ..state.sockets import CONNECTED, CONNECTING, FAILED, LISTENING, Socket, error_lock
from ..state.waiters import begin_wait, earlier, end_wait, milliseconds_left, notify_state_change

READ, WRITE, URGENT = POLLRDNORM, POLLWRNORM, POLLRDBAND
_KIND_REFERENCE = int(PollKind.REFERENCE)

# From a socket, the bits wanted and the kernel's revents: the bits that the call reports, 0 if it is not ready.
Result = Callable[[Socket, int, int], int]


def _kernel_events(sock: Socket, wants: int) -> int:
    """The events to poll a socket for; 0 where it cannot become ready before its state changes."""
    if sock.closed or (sock.stream and sock.state not in (CONNECTING, CONNECTED, LISTENING)):
        return 0
    if sock.state == CONNECTING:
        return waiting.POLLOUT
    # After SD_RECEIVE data that arrives is not reported, but resets the stream.
    events = waiting.POLLIN if (sock.stream if sock.receive_off else wants & READ) else 0
    if sock.state == LISTENING:
        return events
    if wants & WRITE:
        events |= waiting.POLLOUT
    if wants & URGENT and not sock.options.get((SOL_SOCKET, SO_OOBINLINE)):
        events |= waiting.POLLPRI
    return events


def _remember_errors(sock: Socket, revents: int) -> None:
    """Updates the socket's state from what poll reported, while the kernel still reports it."""
    if sock.state == CONNECTING:
        sock.update_connect_state()
        return
    if revents & waiting.POLLIN and sock.receive_off:
        _abort_if_unread(sock)
    if not revents & waiting.POLLERR:
        return
    with error_lock:
        number = system.take_error(sock.fd)
        if sock.stream:
            if number:
                sock.mark_broken(WSAECONNABORTED if number == errno.EPIPE else winsock_error(number))
        elif sock.port_reset and (sock.refused or number == errno.ECONNREFUSED):
            sock.mark_refused()
        else:
            sock.forget_refusals()


def _abort_if_unread(sock: Socket) -> None:
    if sock.stream and sock.abort_if_unread():
        notify_state_change(sock)


class _Poll:
    """One call's sockets: what to poll each for, and what the results mean."""

    def __init__(self, wants: Mapping[Socket, int], result_of: Result, always: int) -> None:
        """`always` are events to poll every connected stream for."""
        self.wants, self.result_of, self.always = wants, result_of, always
        self.entries: dict[int, int] = {}  # the events to poll for, by descriptor
        self.polled: dict[int, Socket] = {}  # likewise
        # Sockets of the same kind that want the same are polled for the same events: by kind and bits wanted. The
        # reference kind is not in it: those sockets are in different states.
        self.known: list[dict[int, int]] = [{} for _ in range(len(PollKind))]
        self.extra: dict[Any, Socket] = {}  # the extra descriptors of the sockets (see state.groups)
        # Sockets of which poll repeats something that Winsock does not report: not polled again, until a wake-up says
        # that a state has changed.
        self.ignored: set[Socket] = set()
        # Likewise, but polled for other events: after SD_RECEIVE, if the peer has ended or a recv waits for the data.
        self.not_read: set[Socket] = set()
        # When to look at the state of a socket that is connecting, whatever poll reports.
        self.next_look: float | None = None

    def by_state(self) -> dict[Any, int]:
        """Prepares the entries; the results of the sockets whose state alone decides."""
        results: dict[Any, int] = {}
        self.entries, self.polled = entries, polled = {}, {}
        self.next_look, self.extra = None, {}
        known = self.known
        for sock, wants in self.wants.items():
            events = known[sock.poll_kind].get(wants)
            if events is None:
                events = self._look_at_state(sock, wants, results)
            if events:
                fd = sock.fd
                entries[fd], polled[fd] = events, sock
        for sock in self.ignored:
            entries.pop(sock.fd, None)
        for sock in self.not_read:
            if sock.fd in entries:
                entries[sock.fd] &= ~waiting.POLLIN
        return results

    def _look_at_state(self, sock: Socket, wants: int, results: dict[Any, int]) -> int:
        """The events to poll a socket for; adds its result where the state decides."""
        sock.update_connect_state()
        if sock.receive_off:
            _abort_if_unread(sock)
        kind, events = sock.poll_kind, _kernel_events(sock, wants)
        if sock.stream and sock.state == CONNECTED:
            events |= self.always
        elif sock.state == CONNECTING:
            self.next_look = earlier(self.next_look, sock.next_queue_check)
        if sock.extra and events & waiting.POLLIN:
            for extra in sock.extra:
                self.extra[extra], self.entries[extra.fd] = sock, waiting.POLLIN
        if kind != _KIND_REFERENCE:
            self.known[kind][wants] = events
        elif sock.closed or sock.state == FAILED or sock.broken or sock.refused:
            self._report(sock, self.result_of(sock, wants, 0), results)
        return events

    @staticmethod
    def _report(sock: Socket, result: int, results: dict[Any, int]) -> None:
        if result:
            results[sock] = result
        else:
            results.pop(sock, None)

    def by_kernel(self, ready: Mapping[int, int], results: dict[Any, int]) -> None:
        """Adds what poll reported to the results."""
        for fd, revents in (self._merged(ready) if self.extra else ready).items():
            sock = self.polled.get(fd)
            if sock is None:
                continue  # the wake-up descriptor
            state = sock.state
            _remember_errors(sock, revents)
            result = self.result_of(sock, self.wants[sock], revents)
            self._report(sock, result, results)
            if not result and sock.stream and sock.state == state:
                (self.not_read if sock.receive_off and revents == waiting.POLLIN else self.ignored).add(sock)

    def _merged(self, ready: Mapping[int, int]) -> Mapping[int, int]:
        """What poll reported, with the data at an extra descriptor counted as data at its socket's own."""
        merged = {**ready}
        for extra, sock in self.extra.items():
            if merged.pop(extra.fd, 0) & waiting.POLLIN:
                merged[sock.fd] = merged.get(sock.fd, 0) | waiting.POLLIN
        return merged


def wait_until_ready(
    wants: Mapping[Socket, int], result_of: Result, always: int, deadline: float | None
) -> dict[Any, int] | None:
    """The result bits of the ready sockets, once there is one or the deadline has passed.

    None if the kernel cannot poll so many descriptors.
    """
    poll = _Poll(wants, result_of, always)
    results = poll.by_state()
    ready = waiting.poll(poll.entries, 0)
    if ready is None:
        return None
    poll.by_kernel(ready, results)
    if results or milliseconds_left(deadline) == 0:
        return results
    wait = begin_wait(wants)
    try:
        while True:
            # Check the state again first: a change before begin_wait has woken no waiter.
            results = poll.by_state()
            until = earlier(deadline, poll.next_look)
            left = 0 if results else milliseconds_left(until)
            ready = waiting.poll({**poll.entries, wait.wakeup.read_end: waiting.POLLIN}, wait.wakeup.limited(left))
            if ready is None:
                return None
            poll.by_kernel(ready, results)
            woken = wait.wakeup.read_end in ready
            if woken:
                wait.wakeup.drain()
                poll.ignored.clear()
                poll.not_read.clear()
            if results or (left == 0 and until == deadline and not woken):
                return results
    finally:
        end_wait(wait)


def examine(sock: Socket, wants: int, result_of: Result, always: int) -> int:
    poll = _Poll({sock: wants}, result_of, always)
    results = poll.by_state()
    poll.by_kernel(waiting.poll(poll.entries, 0) or {}, results)
    return results.get(sock, 0)
