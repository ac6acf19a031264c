"""The time of a simulation, and whose turn it is.

Every process of a simulation has a thread, and exactly one of them runs: the one that has the baton. A thread that
waits passes the baton on. So a process needs no locks, and nothing depends on how the operating system schedules
threads.

The time is a whole number of nanoseconds. It advances only when every task waits: then the earliest event is taken from
the heap, the time becomes the event's, and its action runs, such as the arrival of a packet. The thread that waits does
this itself; the scheduler has no thread of its own. An action never waits.

Of several tasks that can run at the same time, the random stream decides which one is next. A different seed gives
another order, the same seed the same one.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import Killed, NothingCanHappen

# Cancelled timers stay in the heap until there are that many, and more than others.
_MANY_CANCELLED = 1000


class Timer:
    """An event that the scheduler has planned."""

    __slots__ = ("_scheduler", "action", "number", "time")

    def __init__(self, scheduler: Scheduler, time: int, number: int, action: Callable[[], None]) -> None:
        self._scheduler, self.time, self.number = scheduler, time, number
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """The action will not run. Does nothing where it has run."""
        if self.action is not None:
            self.action = None
            self._scheduler.cancelled()

    def __lt__(self, other: Timer) -> bool:
        return (self.time, self.number) < (other.time, other.number)


class Task:
    """A thread of the simulation."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.thread: threading.Thread | None = None
        # A locked lock, on which the task waits for its turn; the task that passes the baton on releases it.
        self.baton = threading.Lock()
        self.baton.acquire()
        self.waiting = self.woken = self.frozen = self.killed = self.ended = False
        self.reason: Callable[[], str] = str
        # What the task raises when it runs next.
        self.error: BaseException | None = None
        # The calls since the task has waited.
        self.calls = 0
        # The process whose thread it is.
        self.owner: object = None


class Scheduler:
    """See the head of this module. The thread that makes it is its first task, `main`."""

    def __init__(self, chance: random.Random) -> None:
        self.now = 0
        self.random = chance
        self.main = self.current = Task("main")
        self.main.thread = threading.current_thread()
        self.tasks: list[Task] = [self.main]
        # Whether the scheduler or an action runs, and no program.
        self.internal = False
        self._ready: list[Task] = []
        self._events: list[Timer] = []
        self._numbers = self._cancelled = 0
        # Called with the task whose turn it is, and the number of those that could have run.
        self.observer: Callable[[Task, int], None] | None = None

    def call_at(self, time: int, action: Callable[[], None]) -> Timer:
        """Plan an action for a time in nanoseconds; events of the same time run in the order in which they came."""
        self._numbers += 1
        timer = Timer(self, max(time, self.now), self._numbers, action)
        heapq.heappush(self._events, timer)
        return timer

    def call_later(self, delay: int, action: Callable[[], None]) -> Timer:
        """As call_at, after this many nanoseconds."""
        return self.call_at(self.now + delay, action)

    def cancelled(self) -> None:
        """Counts a cancelled timer. When there are many, they are taken out of the heap."""
        self._cancelled += 1
        if self._cancelled > max(_MANY_CANCELLED, len(self._events) // 2):
            self._events = [timer for timer in self._events if timer.action is not None]
            heapq.heapify(self._events)
            self._cancelled = 0

    def start(self, name: str, function: Callable[[], object], ended: Callable[[], None] = lambda: None) -> Task:
        """Start a task that calls the function once it is its turn; `ended` is called at its end."""
        task = Task(name)
        task.thread = threading.Thread(target=self._run, args=(task, function, ended), name=name, daemon=True)
        self.tasks.append(task)
        with self.inside():
            task.thread.start()
        self._ready.append(task)
        return task

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Mark what runs as the simulation's own work, not a program's."""
        before, self.internal = self.internal, True
        try:
            yield
        finally:
            self.internal = before

    def wait(self, deadline: int | None, reason: Callable[[], str]) -> bool:
        """Let others run until wake() is called for the current task, or until the deadline.

        True if it was woken, False at the deadline. `reason` says for what the task waits.

        Errors: Killed in a task that was killed. NothingCanHappen in the main task, if nobody can ever go on.
        """
        task = self.current
        self.check(task)
        if deadline is not None and deadline <= self.now:
            return False
        task.waiting, task.woken, task.reason, task.calls = True, False, reason, 0
        timer = None if deadline is None else self.call_at(deadline, lambda: self._make_ready(task))
        try:
            self._pass_baton(task)
        finally:
            task.waiting = False
            if timer is not None:
                timer.cancel()
        self.check(task)
        return task.woken

    def check(self, task: Task) -> None:
        """Errors: what the task has to raise: Killed, or in the main task an error of the simulation."""
        if task.killed:
            raise Killed
        if task.error is not None:
            error, task.error = task.error, None
            raise error

    def wake(self, task: Task) -> None:
        """End the task's wait; does nothing where it does not wait."""
        if task.waiting and not task.woken:
            task.woken = True
            self._make_ready(task)

    def fail(self, error: BaseException) -> None:
        """Have the main task raise an error."""
        if self.main.error is None:
            self.main.error = error
        self._make_ready(self.main)

    def kill(self, task: Task) -> None:
        """Have the task raise Killed, in its wait or in its next call."""
        if not task.ended:
            task.killed, task.frozen = True, False
            self._make_ready(task)

    def freeze(self, task: Task) -> None:
        """Let the task not run until thaw()."""
        task.frozen = True

    def thaw(self, task: Task) -> None:
        """End freeze()."""
        task.frozen = False

    def close(self) -> None:
        """End every other task. Called by the main task, at the end of the simulation."""
        self._events.clear()
        others = self.tasks[1:]
        for task in others:
            self.kill(task)
        while len(self.tasks) > 1:
            self._ready.append(self.main)
            self._pass_baton(self.main)
        for task in others:
            if task.thread is not None:
                task.thread.join()

    def _make_ready(self, task: Task) -> None:
        if task.waiting and task not in self._ready:
            self._ready.append(task)

    def _run(self, task: Task, function: Callable[[], object], ended: Callable[[], None]) -> None:
        task.baton.acquire()
        self.current = task
        try:
            self.check(task)
            function()
        except Killed:
            pass
        except BaseException as error:
            self.fail(error)
        finally:
            task.ended = True
            self.tasks.remove(task)
            with self.inside():
                ended()
            self._next(task).baton.release()

    def _pass_baton(self, task: Task) -> None:
        """Run the others until it is the turn of this task again."""
        following = self._next(task)
        if following is not task:
            following.baton.release()
            task.baton.acquire()
        self.current = task

    def _next(self, task: Task) -> Task:
        """The task whose turn it is; takes events until there is one."""
        before, self.internal = self.internal, True
        try:
            while True:
                ready = [each for each in self._ready if not each.frozen]
                if ready:
                    chosen = ready[0] if len(ready) == 1 else ready[self.random.randrange(len(ready))]
                    self._ready.remove(chosen)
                    if self.observer is not None and len(ready) > 1:
                        self.observer(chosen, len(ready))
                    return chosen
                self._take_event()
        finally:
            self.internal = before

    def _take_event(self) -> None:
        while self._events:
            timer = heapq.heappop(self._events)
            action, timer.action = timer.action, None
            if action is None:
                self._cancelled -= 1
                continue
            self.now = timer.time
            try:
                action()
            except BaseException as error:
                self.fail(error)
            return
        waits = [f"{each.name} {each.reason()}" for each in self.tasks if each.waiting]
        self.fail(NothingCanHappen("nothing can happen any more: " + "; ".join(waits)))
