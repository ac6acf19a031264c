"""The event loop alone, without a terminal: programs, sources, commands and timers."""

from __future__ import annotations

import io
from types import ModuleType

import pytest

from demos.terminal.interfaces import Waiter
from demos.terminal.mql.constants import INIT_FAILED, REASON_CHARTCHANGE, REASON_CLOSE, REASON_INITFAILED
from demos.terminal.runtime.attachment import Attachment, current
from demos.terminal.runtime.clock import ManualClock
from demos.terminal.runtime.event_loop import EventLoop
from demos.terminal.runtime.log import Log


class Recorder:
    """An event loop with one program, whose calls are recorded in order."""

    def __init__(self, **options: object) -> None:
        self.calls: list[str] = []
        self.clock = ManualClock(0.0)
        self.loop = EventLoop(self.clock, Log(self.clock, io.StringIO()), answer=self.calls.append, **options)
        self.program = self.attach("program")

    def attach(self, name: str, *events: str) -> Attachment:
        module = ModuleType(name)
        for event in events or ("OnInit", "OnDeinit", "OnTimer", "OnTick", "OnTrade"):
            setattr(module, event, self._function(name, event))
        attachment = Attachment(len(self.loop.attached) + 1, name, module)
        self.loop.attach(attachment)
        return attachment

    def _function(self, name: str, event: str):
        def function(*args: object) -> None:
            assert current().program == name
            assert current().event == event
            self.calls.append(" ".join([event, *map(str, args)]))

        return function


class Source:
    """A source that queues or delivers one event at each of its times."""

    def __init__(self, recorder: Recorder, event: str, *times: float, queue: bool = False) -> None:
        self._recorder = recorder
        self._event = event
        self._times = list(times)
        self._queue = queue

    def start(self, now: float) -> None:
        self._recorder.calls.append(f"start {self._event}")

    def next_due(self) -> float | None:
        return self._times[0] if self._times else None

    def poll(self, now: float) -> None:
        if self._times and self._times[0] <= now:
            self._times.pop(0)
            loop = self._recorder.loop
            (loop.post_event if self._queue else loop.deliver)(self._recorder.program, self._event)


def test_sources_start_before_OnInit_and_are_polled_after_it():
    recorder = Recorder()
    recorder.loop.add_source(Source(recorder, "OnTick", 0.0, 5.0))
    assert recorder.loop.run(3.0) == 0
    assert recorder.calls == ["start OnTick", "OnInit", "OnTick", f"OnDeinit {REASON_CLOSE}"]


def test_a_turn_runs_commands_then_early_sources_then_queued_events_then_timers_then_sources():
    recorder = Recorder()
    recorder.loop.add_source(Source(recorder, "OnTick", 1.0))
    recorder.loop.add_source(Source(recorder, "OnTrade", 1.0, queue=True), early=True)
    recorder.loop.set_timer(recorder.program, 1000)
    wait = recorder.clock.wait

    def wait_and_post(seconds: float | None, waiter: Waiter | None) -> None:
        wait(seconds, waiter)
        if recorder.clock.monotonic() == 1.0 and "OnTimer" not in recorder.calls:
            recorder.loop.post_command("help")

    recorder.clock.wait = wait_and_post
    recorder.loop.run(1.5)
    events = [call for call in recorder.calls if not call.startswith("start")]
    assert events == [
        "OnInit",
        "help                             show this",
        "quit                             end the program",
        "OnTrade",
        "OnTimer",
        "OnTick",
        f"OnDeinit {REASON_CLOSE}",
    ]


def test_an_event_that_is_queued_by_a_queued_event_runs_in_the_next_turn_after_the_timers():
    recorder = Recorder()
    posts = iter([True, False])

    def on_trade() -> None:
        recorder.calls.append("OnTrade")
        recorder.loop.sleep(recorder.program, 1.0)
        if next(posts, False):
            recorder.loop.post_event(recorder.program, "OnTrade")

    recorder.program.module.OnTrade = on_trade
    recorder.loop.set_timer(recorder.program, 1000)
    recorder.loop.post_event(recorder.program, "OnTrade")
    recorder.loop.run(2.0)
    assert recorder.calls[1:4] == ["OnTrade", "OnTimer", "OnTrade"]


def test_a_source_without_a_next_event_does_not_end_the_wait():
    recorder = Recorder()
    recorder.loop.add_source(Source(recorder, "OnTick"))
    with pytest.raises(RuntimeError, match="the wait would never end"):
        recorder.loop.run()


def test_a_loop_that_is_abandoned_ends_with_its_exception_and_calls_no_OnDeinit():
    recorder = Recorder()

    class Killed(BaseException):
        pass

    def wait(seconds: float | None, waiter: Waiter | None = None) -> None:
        recorder.loop.abandon()
        raise Killed

    recorder.clock.wait = wait
    with pytest.raises(Killed):
        recorder.loop.run(10)
    assert recorder.calls == ["OnInit"]


def test_a_restart_calls_OnDeinit_with_its_reason_and_OnInit():
    recorder = Recorder()
    recorder.loop.post_restart(recorder.program, REASON_CHARTCHANGE)
    recorder.loop.run(1.0)
    assert recorder.calls == ["OnInit", f"OnDeinit {REASON_CHARTCHANGE}", "OnInit", f"OnDeinit {REASON_CLOSE}"]


def test_a_program_whose_restart_fails_is_removed():
    recorder = Recorder()
    codes = iter([0, INIT_FAILED])
    recorder.program.module.OnInit = lambda: next(codes)
    recorder.loop.post_restart(recorder.program, REASON_CHARTCHANGE)
    assert recorder.loop.run(1.0) == 4
    assert recorder.calls == [f"OnDeinit {REASON_CHARTCHANGE}", f"OnDeinit {REASON_INITFAILED}"]
    assert list(recorder.loop.live) == []
    assert list(recorder.loop.attached) == [recorder.program]


def test_an_event_for_a_removed_program_is_dropped():
    recorder = Recorder()
    script = recorder.attach("script", "OnStart", "OnTrade")
    recorder.loop.post_event(script, "OnTrade")
    recorder.loop.run(1.0)
    assert recorder.calls == ["OnInit", "OnStart", f"OnDeinit {REASON_CLOSE}"]
    assert recorder.program.is_expert
    assert not script.is_expert


def test_the_loops_timer_period_replaces_every_period():
    recorder = Recorder(timer_ms=250)
    recorder.loop.set_timer(recorder.program, 60_000)
    recorder.loop.run(1.1)
    assert recorder.calls.count("OnTimer") == 4
