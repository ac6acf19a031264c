"""OnSocket: the event loop calls a program when a socket is ready, in addition to its timer."""

from __future__ import annotations

import io
import signal
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import ModuleType

import pytest
from signal_kit import FIONBIO, close, dial, listener, port_of, read, ready, take, write

import winsock
from demos.terminal.mql.constants import REASON_CLOSE
from demos.terminal.runtime import socket_events
from demos.terminal.runtime.attachment import Attachment
from demos.terminal.runtime.clock import ManualClock, RealClock
from demos.terminal.runtime.event_loop import EventLoop
from demos.terminal.runtime.log import Log
from demos.terminal.runtime.socket_events import SocketEvents
from demos.wire import opening, wake_up
from winsock import (
    INVALID_SOCKET,
    POLLHUP,
    POLLRDNORM,
    POLLWRNORM,
    SOCKET_ERROR,
    WSAEFAULT,
    WSAEMFILE,
    WSAENOBUFS,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    WSASetLastError,
    ioctlsocket,
    recv,
    u_long,
)

# Long enough for any machine; a test that waits this long has failed.
LIMIT = 20.0


class Desk:
    """An event loop whose programs are functions: each sets what its module's event functions do."""

    def __init__(self, clock: ManualClock | RealClock | None = None) -> None:
        self.clock = clock or ManualClock(0.0)
        self.stream = io.StringIO()
        self.calls: list[tuple[str, ...] | str] = []
        self.loop = EventLoop(self.clock, Log(self.clock, self.stream))

    def attach(self, name: str = "program", **events: Callable[..., object]) -> Attachment:
        module = ModuleType(name)
        for event, function in events.items():
            setattr(module, event, function)
        attachment = Attachment(len(self.loop.attached) + 1, name, module)
        self.loop.attach(attachment)
        return attachment

    @property
    def log(self) -> list[str]:
        return [line.partition(" ")[2] for line in self.stream.getvalue().splitlines()]


class Streams:
    """Connected pairs of TCP sockets on loopback, the first of each non-blocking."""

    def __init__(self) -> None:
        self._listener = listener()
        self.open = [self._listener]

    def pair(self) -> tuple[int, int]:
        peer = dial(port_of(self._listener))
        s = take(self._listener)
        assert ioctlsocket(s, FIONBIO, u_long(1)) == 0
        self.open += [peer, s]
        return s, peer


@pytest.fixture
def streams(started: None) -> Iterator[Streams]:
    streams = Streams()
    yield streams
    close(*streams.open)


def test_OnSocket_gets_the_socket_and_what_it_is_ready_for_before_time_passes(streams):
    desk = Desk()
    s, peer = streams.pair()

    def on_init() -> None:
        assert desk.loop.set_socket(program, s, readable=True, writable=False)
        write(peer, b"x")
        assert ready(s)

    def on_socket(s: int, ready: int) -> None:
        desk.calls.append((s, ready, desk.clock.monotonic(), read(s, 1)))

    program = desk.attach(OnInit=on_init, OnSocket=on_socket)
    desk.loop.run(10.0)
    assert desk.calls == [(s, POLLRDNORM, 0.0, b"x")]
    assert desk.clock.waits == [10.0]


def test_OnSocket_is_called_in_each_turn_as_long_as_the_socket_is_ready(streams):
    desk = Desk()
    s, peer = streams.pair()

    def on_init() -> None:
        desk.loop.set_socket(program, s, readable=True, writable=False)
        write(peer, b"abc")
        assert ready(s)

    program = desk.attach(OnInit=on_init, OnSocket=lambda s, _: desk.calls.append(read(s, 1)))
    desk.loop.run(1.0)
    assert desk.calls == [b"a", b"b", b"c"]


def test_a_socket_is_called_for_what_it_was_registered_for_last(streams):
    desk = Desk()
    s, _ = streams.pair()

    def on_init() -> None:
        desk.loop.set_socket(program, s, readable=True, writable=True)

    def on_socket(s: int, ready: int) -> None:
        desk.calls.append(ready)
        assert desk.loop.set_socket(program, s, readable=True, writable=False)

    program = desk.attach(OnInit=on_init, OnSocket=on_socket)
    desk.loop.run(1.0)
    assert desk.calls == [POLLWRNORM]


def test_a_socket_registered_for_nothing_is_not_called_any_more(streams):
    desk = Desk()
    s, _ = streams.pair()

    def on_init() -> None:
        assert desk.loop.set_socket(program, s, readable=False, writable=True)
        assert desk.loop.set_socket(program, s, readable=False, writable=False)
        assert not desk.loop.kill_socket(program, s)

    program = desk.attach(OnInit=on_init, OnSocket=lambda *_: desk.calls.append("OnSocket"))
    desk.loop.run(1.0)
    assert desk.calls == []


def test_the_end_of_a_connection_is_reported_to_a_reader(streams):
    desk = Desk()
    s, peer = streams.pair()

    def on_init() -> None:
        desk.loop.set_socket(program, s, readable=True, writable=False)
        close(peer)
        assert ready(s)

    def on_socket(s: int, ready: int) -> None:
        desk.calls.append((bool(ready & (POLLHUP | POLLRDNORM)), recv(s, bytearray(1), 1, 0)))
        assert desk.loop.kill_socket(program, s)

    program = desk.attach(OnInit=on_init, OnSocket=on_socket)
    desk.loop.run(1.0)
    assert desk.calls == [(True, 0)]


def test_every_ready_socket_is_called_once_before_any_is_called_twice(streams):
    desk = Desk()
    handles = [streams.pair()[0] for _ in range(40)]

    def on_init() -> None:
        for s in handles:
            assert desk.loop.set_socket(program, s, readable=False, writable=True)

    def on_socket(s: int, ready: int) -> None:
        desk.calls.append(s)
        # So many calls fit in one turn that the others must wait for the next one.
        desk.clock.time += 0.001
        if len(desk.calls) == 3 * len(handles):
            desk.loop.stop()

    program = desk.attach(OnInit=on_init, OnSocket=on_socket)
    desk.loop.run()
    for begin in range(0, len(desk.calls), len(handles)):
        assert sorted(desk.calls[begin : begin + len(handles)]) == sorted(handles)


def test_timers_queued_events_sources_and_commands_come_in_time_while_sockets_are_always_ready(streams):
    desk = Desk()
    handles = [streams.pair()[0] for _ in range(20)]
    answers: list[str] = []
    desk.loop._answer = answers.append

    def on_init() -> None:
        for s in handles:
            desk.loop.set_socket(program, s, readable=False, writable=True)
        desk.loop.set_timer(program, 10)
        desk.loop.post_event(program, "OnTrade")
        desk.loop.post_command("help")

    def on_socket(s: int, ready: int) -> None:
        desk.clock.time += 0.001

    class Source:
        def start(self, now: float) -> None:
            pass

        def next_due(self) -> float | None:
            return None

        def poll(self, now: float) -> None:
            polled.append(now)

    polled: list[float] = []
    timers: list[float] = []
    program = desk.attach(
        OnInit=on_init,
        OnSocket=on_socket,
        OnTimer=lambda: timers.append(desk.clock.monotonic()),
        OnTrade=lambda: desk.calls.append("OnTrade"),
    )
    desk.loop.add_source(Source())
    desk.loop.run(0.2)
    late = [time - 0.01 * number for number, time in enumerate(timers, 1)]
    assert len(late) >= 19
    assert max(late) < 0.007
    assert max(after - before for before, after in pairwise(polled)) < 0.007
    assert desk.calls == ["OnTrade"]
    assert answers


def test_a_socket_that_an_earlier_call_of_the_turn_has_unregistered_is_not_called(streams):
    desk = Desk()
    handles = {streams.pair()[0], streams.pair()[0]}

    def on_init() -> None:
        for s in handles:
            desk.loop.set_socket(program, s, readable=False, writable=True)

    def on_socket(s: int, ready: int) -> None:
        desk.calls.append(s)
        for each in handles:
            assert desk.loop.kill_socket(program, each)

    program = desk.attach(OnInit=on_init, OnSocket=on_socket)
    desk.loop.run(1.0)
    assert len(desk.calls) == 1


def test_a_new_registration_does_not_get_the_result_of_an_old_one(streams):
    events = SocketEvents(lambda *_: None)
    s, _ = streams.pair()
    owner = Attachment(1, "program", ModuleType("program"))
    assert events.register(owner, s, readable=False, writable=True)
    assert events.wait(0)
    assert events.unregister(owner, s)
    assert events.register(owner, s, readable=True, writable=False)
    assert events.take_ready() is None
    events.close()


def test_a_socket_that_is_closed_while_registered_is_dropped_with_one_message(streams):
    desk = Desk()
    s, _ = streams.pair()
    other, _ = streams.pair()

    def on_init() -> None:
        for each in (s, other):
            desk.loop.set_socket(program, each, readable=True, writable=False)
        close(s)
        desk.loop.set_timer(program, 1000)

    program = desk.attach(OnInit=on_init, OnSocket=lambda *_: desk.calls.append("OnSocket"))
    desk.loop.run(5.0)
    assert desk.calls == []
    assert desk.log == [
        f"program error OnSocket socket {s} is closed and no longer registered; call EventKillSocket before closesocket"
    ]


def test_a_program_that_ends_is_not_called_any_more_and_its_sockets_are_unregistered(streams):
    desk = Desk()
    handles = [streams.pair()[0] for _ in range(2)]

    def registering(place: int) -> Callable[[], None]:
        def on_init() -> None:
            attachment = desk.loop.attached[place]
            assert desk.loop.set_socket(attachment, handles[place], readable=False, writable=True)

        return on_init

    def ending(s: int, ready: int) -> None:
        desk.calls.append("first")
        first.removed = True

    def staying(s: int, ready: int) -> None:
        desk.calls.append("second")
        # The first program's socket is free for another one.
        taken.append(desk.loop.set_socket(second, handles[0], readable=True, writable=False))
        if len(taken) == 3:
            desk.loop.stop()

    taken: list[bool] = []
    first = desk.attach("first", OnInit=registering(0), OnSocket=ending)
    second = desk.attach("second", OnInit=registering(1), OnSocket=staying)
    desk.loop.run()
    assert desk.calls == ["first", "second", "second", "second"]
    assert taken == [True, True, True]


def test_what_cannot_be_registered_is_false(streams):
    desk = Desk()
    s, _ = streams.pair()

    def on_init() -> None:
        desk.calls.append(desk.loop.set_socket(without, s, readable=True, writable=False))
        desk.calls.append(desk.loop.set_socket(program, INVALID_SOCKET, readable=True, writable=False))
        desk.calls.append(desk.loop.kill_socket(program, s))
        desk.calls.append(desk.loop.set_socket(program, s, readable=True, writable=False))
        desk.calls.append(desk.loop.kill_socket(without, s))
        desk.calls.append(desk.loop.set_socket(other, s, readable=True, writable=False))

    without = desk.attach("without", OnTimer=lambda: None)
    other = desk.attach("other", OnSocket=lambda *_: None)
    program = desk.attach(OnInit=on_init, OnSocket=lambda *_: None)
    desk.loop.run(1.0)
    assert desk.calls == [False, False, False, True, False, False]


@pytest.mark.parametrize("event", ["OnSocket", "OnTimer"])
def test_an_error_in_OnSocket_ends_run_like_an_error_in_OnTimer(streams, event):
    desk = Desk()
    s, _ = streams.pair()

    def on_init() -> None:
        desk.loop.set_socket(program, s, readable=event == "OnTimer", writable=event == "OnSocket")
        desk.loop.set_timer(program, 1000)

    def fails(*_: object) -> None:
        desk.calls.append(event)
        raise ZeroDivisionError

    functions = {"OnSocket": lambda *_: None, "OnTimer": lambda: None, event: fails}
    program = desk.attach(OnInit=on_init, OnDeinit=lambda reason: desk.calls.append(f"OnDeinit {reason}"), **functions)
    with pytest.raises(ZeroDivisionError):
        desk.loop.run(5.0)
    assert desk.calls == [event, f"OnDeinit {REASON_CLOSE}"]


def replace(monkeypatch, call: str, replacement: Callable[..., int]) -> None:
    """Replace a call of Winsock in the modules that create and use the wake-up socket."""
    for module in (socket_events, wake_up, opening):
        if hasattr(module, call):
            monkeypatch.setattr(module, call, replacement)


def test_a_terminal_without_registered_sockets_makes_no_call_of_winsock(monkeypatch):
    def forbidden(*_: object) -> int:
        raise AssertionError("a call of Winsock was made")

    for name in ("WSAStartup", "WSACleanup", "WSAPoll", "socket", "send", "recv", "closesocket"):
        replace(monkeypatch, name, forbidden)
    desk = Desk()

    def on_init() -> None:
        desk.loop.set_timer(program, 1000)

    program = desk.attach(OnInit=on_init, OnTimer=lambda: desk.loop.post_command("help"), OnSocket=lambda *_: None)
    assert desk.loop.run(3.0) == 0


def test_the_terminal_calls_WSACleanup_once_for_its_own_WSAStartup(streams, monkeypatch):
    seen: list[str] = []
    for name in ("WSAStartup", "WSACleanup"):
        call = getattr(winsock, name)
        monkeypatch.setattr(
            socket_events, name, lambda *arguments, name=name, call=call: (seen.append(name), call(*arguments))[1]
        )
    desk = Desk()
    s, _ = streams.pair()

    def on_timer() -> None:
        for _ in range(3):
            assert desk.loop.set_socket(program, s, readable=True, writable=False)
            assert desk.loop.kill_socket(program, s)

    program = desk.attach(OnInit=lambda: desk.loop.set_timer(program, 1000), OnTimer=on_timer, OnSocket=lambda *_: None)
    desk.loop.run(3.0)
    assert seen == ["WSAStartup", "WSACleanup"]


@pytest.mark.parametrize("call", ["WSAStartup", "socket", "ioctlsocket", "bind", "getsockname", "connect"])
def test_when_the_wake_up_socket_cannot_be_created_the_program_keeps_its_timer(streams, monkeypatch, call):
    def failing(*_: object) -> int:
        WSASetLastError(WSAEMFILE)
        return {"WSAStartup": WSAEMFILE, "socket": INVALID_SOCKET}.get(call, SOCKET_ERROR)

    replace(monkeypatch, call, failing)
    desk = Desk()
    s, _ = streams.pair()

    def on_init() -> None:
        desk.calls.append(desk.loop.set_socket(program, s, readable=True, writable=False))
        desk.loop.set_timer(program, 1000)

    program = desk.attach(OnInit=on_init, OnTimer=lambda: desk.calls.append("OnTimer"), OnSocket=lambda *_: None)
    desk.loop.run(2.5)
    assert desk.calls == [False, "OnTimer", "OnTimer"]
    (line,) = desk.log
    assert str(WSAEMFILE) in line
    assert line.endswith("; OnSocket is not called")


def test_when_WSAPoll_fails_the_program_keeps_its_timer_and_the_log_has_one_line(streams, monkeypatch):
    def failing(*_: object) -> int:
        WSASetLastError(WSAENOBUFS)
        return SOCKET_ERROR

    desk = Desk()
    handles = [streams.pair()[0] for _ in range(2)]

    def on_init() -> None:
        for s in handles:
            desk.loop.set_socket(program, s, readable=True, writable=False)
        desk.loop.set_timer(program, 1000)
        monkeypatch.setattr(socket_events, "WSAPoll", failing)

    program = desk.attach(OnInit=on_init, OnTimer=lambda: desk.calls.append("OnTimer"), OnSocket=lambda *_: None)
    desk.loop.run(2.5)
    assert desk.calls == ["OnTimer", "OnTimer"]
    (line,) = desk.log
    assert "WSAPoll failed error: " in line
    assert line.endswith("; OnSocket is not called any more")


def test_the_array_keeps_the_other_registrations_when_it_grows_and_when_one_ends(streams):
    events = SocketEvents(lambda *_: None)
    owner = Attachment(1, "program", ModuleType("program"))
    handles = [streams.pair()[0] for _ in range(40)]
    for s in handles:
        assert events.register(owner, s, readable=False, writable=True)
    assert len(events) == 40
    for s in handles[::3]:
        assert events.unregister(owner, s)
    left = set(handles) - set(handles[::3])
    assert events.wait(0)
    found = set()
    while taken := events.take_ready():
        found.add(taken)
    assert found == {(owner, s, POLLWRNORM) for s in left}
    events.unregister_all(owner)
    assert not events.wait(0)
    events.close()


def quiet_desk(streams: Streams, clock: RealClock) -> tuple[Desk, int, int]:
    """An event loop on the real clock with a program that waits for a socket, without a timer."""
    desk = Desk(clock)
    s, peer = streams.pair()

    def on_init() -> None:
        assert desk.loop.set_socket(desk.loop.attached[0], s, readable=True, writable=False)

    desk.attach(OnInit=on_init, OnSocket=lambda s, _: desk.calls.append(read(s, 1)))
    return desk, s, peer


def test_data_from_another_thread_ends_the_wait_without_a_limit(streams):
    desk, _, peer = quiet_desk(streams, RealClock())

    def on_socket(s: int, ready: int) -> None:
        desk.calls.append(read(s, 1))
        desk.loop.stop()

    desk.loop.attached[0].module.OnSocket = on_socket
    thread = threading.Thread(target=write, args=(peer, b"x"))
    thread.start()
    desk.loop.run(LIMIT)
    thread.join()
    assert desk.calls == [b"x"]


def test_another_thread_ends_the_wait_for_sockets_with_a_command_and_with_stop(streams):
    clock = RealClock()
    desk, _, _ = quiet_desk(streams, clock)
    executed = threading.Event()
    desk.loop._answer = lambda line: executed.set()

    def work() -> None:
        desk.loop.post_command("help")
        desk.calls.append("executed" if executed.wait(LIMIT) else "timeout")
        desk.loop.stop()

    thread = threading.Thread(target=work)
    thread.start()
    desk.loop.run()
    thread.join()
    assert desk.calls == ["executed"]


@pytest.mark.posix_only(reason="Windows has no timer that interrupts a call")
def test_a_signal_handler_ends_the_wait_for_sockets_that_it_interrupts(streams):
    desk, _, _ = quiet_desk(streams, RealClock())
    previous = signal.signal(signal.SIGALRM, lambda *_: desk.loop.stop())
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    desk.loop.run()
    signal.signal(signal.SIGALRM, previous)


def test_a_wake_before_the_wait_ends_it_once(streams):
    clock = RealClock()
    events = SocketEvents(lambda *_: None)
    owner = Attachment(1, "program", ModuleType("program"))
    s, _ = streams.pair()
    events.register(owner, s, readable=True, writable=False)
    clock.wait(0.001, events)
    clock.wake()
    clock.wake()
    clock.wait(None, events)
    # The lock and the wake-up socket may each end one wait, but no more.
    clock.wait(0.05, events)
    start = clock.monotonic()
    clock.wait(0.05, events)
    assert clock.monotonic() - start >= 0.05
    events.close()
    clock.wake()


def test_a_wake_changes_no_last_error(streams):
    events = SocketEvents(lambda *_: None)
    owner = Attachment(1, "program", ModuleType("program"))
    s, _ = streams.pair()
    events.register(owner, s, readable=True, writable=False)
    assert recv(s, bytearray(1), 1, 0) == SOCKET_ERROR
    assert WSAGetLastError() == WSAEWOULDBLOCK
    WSASetLastError(WSAEFAULT)
    events.wake()
    assert WSAGetLastError() == WSAEFAULT
    for _ in range(5000):
        events.wake()
    assert WSAGetLastError() == WSAEFAULT
    assert events.wait(0)
    events.close()


def test_a_wait_for_sockets_ends_at_its_time_and_not_before(streams):
    clock = RealClock()
    events = SocketEvents(lambda *_: None)
    owner = Attachment(1, "program", ModuleType("program"))
    s, _ = streams.pair()
    events.register(owner, s, readable=True, writable=False)
    start = clock.monotonic()
    clock.wait(0.0305, events)
    assert clock.monotonic() - start >= 0.0305
    events.close()


def test_a_queued_event_does_not_wait_for_a_poll_and_does_not_keep_sockets_from_their_calls(streams, monkeypatch):
    desk = Desk()
    s, _ = streams.pair()
    real = winsock.WSAPoll

    def poll(*arguments: object) -> int:
        desk.calls.append("WSAPoll")
        return real(*arguments)

    monkeypatch.setattr(socket_events, "WSAPoll", poll)

    def on_init() -> None:
        desk.loop.set_socket(program, s, readable=False, writable=True)
        desk.loop.post_event(program, "OnTrade")

    def on_trade() -> None:
        desk.calls.append("OnTrade")
        # There is always a queued event.
        desk.loop.post_event(program, "OnTrade")

    def on_socket(s: int, ready: int) -> None:
        desk.calls.append("OnSocket")
        if desk.calls.count("OnSocket") == 3:
            desk.loop.stop()

    program = desk.attach(OnInit=on_init, OnTrade=on_trade, OnSocket=on_socket)
    desk.loop.run()
    assert desk.calls == ["OnTrade", "WSAPoll", "OnSocket"] * 3
