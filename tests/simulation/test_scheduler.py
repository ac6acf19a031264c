"""The scheduler of simulations: time, turns, waits, and how tasks end."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import pytest

from winsock.simulation.errors import Killed, NothingCanHappen
from winsock.simulation.scheduler import Scheduler

SECOND = 1_000_000_000


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    before = set(threading.enumerate())
    made = Scheduler(random.Random(1))
    yield made
    made.close()
    assert set(threading.enumerate()) <= before


def waits() -> str:
    return "waits"


def test_the_time_advances_to_the_next_event_only_when_every_task_waits(scheduler: Scheduler) -> None:
    seen: list[int] = []
    scheduler.call_at(5, lambda: seen.append(scheduler.now))
    scheduler.start("worker", lambda: seen.append(-scheduler.now))
    assert scheduler.now == 0
    assert not scheduler.wait(10, waits)
    assert (seen, scheduler.now) == ([0, 5], 10)


def test_a_long_wait_of_one_task_does_not_delay_another(scheduler: Scheduler) -> None:
    ended: dict[str, int] = {}

    def sleep(name: str, seconds: int) -> None:
        scheduler.wait(seconds * SECOND, waits)
        ended[name] = scheduler.now

    scheduler.start("long", lambda: sleep("long", 60))
    scheduler.start("short", lambda: sleep("short", 1))
    scheduler.wait(100 * SECOND, waits)
    assert ended == {"short": SECOND, "long": 60 * SECOND}


def test_wake_ends_a_wait_before_its_deadline(scheduler: Scheduler) -> None:
    main = scheduler.current
    scheduler.start("waker", lambda: scheduler.wake(main))
    assert scheduler.wait(SECOND, waits)
    assert scheduler.now == 0


def test_without_any_event_the_main_task_gets_an_error_that_names_who_waits(scheduler: Scheduler) -> None:
    scheduler.start("reader", lambda: scheduler.wait(None, lambda: "waits in recv"))
    with pytest.raises(NothingCanHappen, match=r"main waits; reader waits in recv"):
        scheduler.wait(None, waits)


def test_a_killed_task_raises_in_its_wait_and_runs_its_clean_up(scheduler: Scheduler) -> None:
    seen: list[str] = []

    def program() -> None:
        try:
            scheduler.wait(None, waits)
        except Killed:
            seen.append("killed")
            raise
        finally:
            seen.append("clean-up")

    task = scheduler.start("program", program)
    scheduler.wait(1, waits)
    scheduler.kill(task)
    scheduler.wait(2, waits)
    assert seen == ["killed", "clean-up"]
    assert task.ended


def test_a_frozen_task_continues_when_it_is_thawed(scheduler: Scheduler) -> None:
    seen: list[int] = []

    def program() -> None:
        scheduler.wait(10, waits)
        seen.append(scheduler.now)

    task = scheduler.start("program", program)
    scheduler.wait(5, waits)
    scheduler.freeze(task)
    scheduler.wait(50, waits)
    assert seen == []
    scheduler.thaw(task)
    scheduler.wait(60, waits)
    assert seen == [50]


def test_the_error_of_an_action_or_a_task_is_raised_in_the_main_task(scheduler: Scheduler) -> None:
    def fail() -> None:
        raise ValueError("broken")

    scheduler.call_at(3, fail)
    with pytest.raises(ValueError, match="broken"):
        scheduler.wait(10, waits)
    scheduler.start("program", fail)
    with pytest.raises(ValueError, match="broken"):
        scheduler.wait(20, waits)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_seed_gives_the_same_order_of_tasks(seed: int) -> None:
    def order() -> list[str]:
        scheduler = Scheduler(random.Random(seed))
        seen: list[str] = []
        for name in "abcdef":
            scheduler.start(name, lambda name=name: seen.append(name))  # type: ignore[misc]
        scheduler.wait(1, waits)
        scheduler.close()
        return seen

    first = order()
    assert sorted(first) == list("abcdef")
    assert order() == first


def test_a_thread_that_the_system_refuses_is_no_task(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            scheduler.start("refused", lambda: None)
    assert scheduler.tasks == [scheduler.main]  # close() waits for the end of every other task


def test_cancelled_timers_leave_the_heap(scheduler: Scheduler) -> None:
    for _ in range(100_000):
        scheduler.call_at(SECOND, lambda: None).cancel()
    assert len(scheduler._events) < 5000
