"""The time of a simulation, and whose turn it is.

Every process of a simulation has a thread, and exactly one of them runs: the one that has the baton. A thread that
waits passes the baton on. So a process needs no locks, and nothing depends on how the operating system schedules
threads.

The time advances only when every task waits: then it becomes that of the earliest event (timeline.py), whose action
runs, such as the arrival of a packet. The thread that waits does this itself; the scheduler has no thread of its own.
An action never waits.

Of several tasks that can run at the same time, the random stream decides which one is next. A different seed gives
another order, the same seed the same one.

A signal such as Ctrl-C gives the main task the next turn (interrupts.py). Where the turn cannot come back, because the
task that runs does not wait, the main task gives up: it goes on alone, and the threads of the others stop at their next
wait or call. The same happens to a single task that catches Killed again and again.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from .blocked import Watch
from .errors import Killed, NothingCanHappen, SimulationError
from .interrupts import Interrupts
from .stuck_threads import block_for_ever, raise_killed_in
from .timeline import Timeline
from .units import SECOND

# Nanoseconds: if no task has run for a simulated day, and only kernels are busy, no task can ever run.
_LONGEST_SILENCE = 24 * 3600 * SECOND
# A killed task that has caught Killed that often does not end.
_MOST_KILLED = 1000
# Seconds. A signal does not end the wait for a lock on Windows, nor elsewhere where it arrives just before the wait.
_LONGEST_ACQUIRE = 0.2
# So often the main thread looks in that interval at a thread that has the turn, before it gives up.
_MOST_LOOKS = 50


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
        # Called at the end of the task.
        self.at_end: Callable[[], None] = lambda: None
        # Whether its thread stays blocked for ever, because it does not end.
        self.left_behind = False
        # The calls since the task has waited, and how often it was ended by Killed.
        self.calls = self.kills = 0
        # The process whose thread it is.
        self.owner: object = None


class Scheduler(Timeline):
    """See the head of this module. The thread that makes it is its first task, `main`."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.random = chance
        self.main = self.current = Task("main")
        self.main.thread = threading.current_thread()
        self.tasks: list[Task] = [self.main]
        self._last_turn = 0  # the time
        # Whether the scheduler or an action runs, and no program.
        self.internal = False
        self._ready: list[Task] = []
        # What the main task raises when it runs next: the errors of actions and tasks.
        self.errors: list[BaseException] = []
        self._interrupts = Interrupts(self.give_up)
        self._interrupted = self._given_up = False
        # After giving up: the thread that had the turn releases it when it ends.
        self._ended = threading.Lock()
        # Called with the task whose turn it is, and the number of those that could have run.
        self.observer: Callable[[Task, int], None] | None = None

    def start(self, name: str, function: Callable[[], object], ended: Callable[[], None] = lambda: None) -> Task:
        """Start a task that calls the function once it is its turn; `ended` is called at its end."""
        task = Task(name)
        task.at_end = ended
        task.thread = threading.Thread(target=self._run, args=(task, function), name=name, daemon=True)
        with self.inside():
            task.thread.start()
        # Not before: a thread that the system has refused never ends.
        self.tasks.append(task)
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
        SimulationError in an action.
        """
        if self.internal:
            raise SimulationError("an action or observer of the simulation, as of net.call_at(), must not wait")
        self.check_not_given_up()
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
            if task in self._ready:  # after an interrupt
                self._ready.remove(task)
            if timer is not None:
                timer.cancel()
        self.check(task)
        return task.woken

    def check(self, task: Task) -> None:
        """Errors: what the task has to raise: Killed, or in the main task an error of the simulation."""
        self.check_not_given_up()
        if task.killed:
            self.raise_killed(task)
        if task is self.main and self.errors:
            raise self.errors.pop(0)

    def check_not_given_up(self) -> None:
        """Stops the thread of a task after give_up(). Errors: SimulationError in the main thread."""
        if self._given_up:
            if threading.current_thread() is not self.main.thread:
                block_for_ever()
            raise SimulationError("the simulation was interrupted while a process had its turn: it cannot go on")

    def raise_killed(self, task: Task) -> NoReturn:
        """Errors: Killed. A task that catches it again and again is left behind: its thread never returns."""
        task.kills += 1
        if task.kills <= _MOST_KILLED or task is self.main:
            raise Killed
        task.left_behind = True
        self.fail(
            SimulationError(
                f"{task.name} was killed and does not end: it catches Killed, as `except:` and `except BaseException:` "
                "do; catch Exception, or raise Killed again"
            )
        )
        self._end(task)
        block_for_ever()

    def wake(self, task: Task) -> None:
        """End the task's wait; does nothing where it does not wait."""
        if task.waiting and not task.woken:
            task.woken = True
            self._make_ready(task)

    def fail(self, error: BaseException) -> None:
        """Have the main task raise an error."""
        # By identity: errors of two programs may be equal.
        if not any(known is error for known in self.errors):
            self.errors.append(error)
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

    def give_up(self) -> None:
        """Let the main task go on although another one has the turn. That one gets Killed, or waits for ever."""
        if self._given_up:
            return
        self._given_up = True
        thread = self.current.thread
        if self.current is not self.main and thread is not None and thread.ident is not None:
            self._ended.acquire()
            raise_killed_in(thread.ident, self._ended)

    def close(self) -> None:
        """End every other task. Called by the main task, at the end of the simulation."""
        self._interrupts.deferred(self._end_others)

    def _end_others(self) -> None:
        self.forget_events()
        others = self.tasks[1:]
        for task in others:
            self.kill(task)
        while len(self.tasks) > 1 and not self._given_up:
            self._ready.append(self.main)
            self._switch(self.main)
        for task in others:
            if task.thread is not None and not (task.left_behind or self._given_up):
                task.thread.join()

    def _make_ready(self, task: Task) -> None:
        if task.waiting and task not in self._ready:
            self._ready.append(task)

    def _run(self, task: Task, function: Callable[[], object]) -> None:
        task.baton.acquire()
        self.current = task
        try:
            self.check(task)
            function()
        except (Killed, SystemExit):  # sys.exit ends a thread
            pass
        except BaseException as error:
            self.fail(error)
        finally:
            if not self._given_up:
                self._end(task)
            elif self._ended.locked():
                self._ended.release()

    def _end(self, task: Task) -> None:
        """The current task ends: pass the baton on."""
        task.ended = True
        self.tasks.remove(task)
        with self.inside():
            try:
                task.at_end()
            except BaseException as error:
                self.fail(error)
        self._next().baton.release()

    def _pass_baton(self, task: Task) -> None:
        """Run the others until it is the turn of this task again."""
        if task is not self.main:
            self._switch(task)
            return
        self._interrupted = True
        while self._interrupted:  # until it is the turn of the main task without an interrupt
            self._interrupted = False
            self._interrupts.deferred(lambda: self._switch(task))

    def _switch(self, task: Task) -> None:
        following = self._next()
        if following is not task:
            following.baton.release()
            if task is self.main:
                self._acquire_in_main()
            else:
                task.baton.acquire()
        self.current = task

    def _acquire_in_main(self) -> None:
        """Errors: SimulationError if the task that has the turn waits for something real."""
        watch, looks = Watch(_MOST_LOOKS), 0
        while not self.main.baton.acquire(timeout=_LONGEST_ACQUIRE):
            task = self.current
            place = watch.look(task.thread if task is not self.main else None)
            if place:
                self._given_up = True
                raise SimulationError(
                    f"{task.name} is blocked in {place}, and the others cannot run meanwhile: a lock, for example, "
                    "that another process holds in a call that waits; release locks before such calls"
                )
            looks = looks + 1 if self._interrupts.arrived else 0
            if looks > _MOST_LOOKS:
                self._interrupts.give_up()  # as with a second signal
                return

    def _next(self) -> Task:
        """The task whose turn it is; takes events until there is one."""
        before, self.internal = self.internal, True
        try:
            while True:
                if self._interrupts.arrived and self.main.waiting:
                    self._interrupted = True
                    return self.main
                ready = [each for each in self._ready if not each.frozen]
                if ready:
                    chosen = ready[0] if len(ready) == 1 else ready[self.random.randrange(len(ready))]
                    self._ready.remove(chosen)
                    self._last_turn = self.now
                    if self.observer is not None and len(ready) > 1:
                        self.observer(chosen, len(ready))
                    return chosen
                self._take_event()
        finally:
            self.internal = before

    def _take_event(self) -> None:
        goes_on = not self.only_background_after(self._last_turn + _LONGEST_SILENCE)
        if goes_on and (action := self.take_event()) is not None:
            try:
                action()
            except BaseException as error:
                self.fail(error)
            return
        waits = [_wait_of(each) for each in self.tasks if each.waiting or each.frozen]
        self.fail(NothingCanHappen("nothing can happen any more: " + "; ".join(waits)))


def _wait_of(task: Task) -> str:
    text = f"{task.name} {task.reason() or 'has not begun'}"
    return f"{text} (frozen)" if task.frozen else text
