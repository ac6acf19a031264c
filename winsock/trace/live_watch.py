"""What `python -m winsock.trace live` watches: followed files, started programs, and the rows for the terminal.

One thread calls `poll` again and again and reads the public attributes. The threads of the page's server call `lanes`,
under the same lock. `version` changes whenever something has changed that the page shows.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from .events import Lane
from .live_files import FollowedFile, Program
from .live_programs import StartedProgram
from .live_rows import Row, Rows
from .sinks import CLOCK
from .timeline import SAME_CLOCK, distinct, event_of

__all__ = ["Watch"]

# The time after which the page shows anew how long calls wait, in seconds.
_WAIT_PERIOD = 1.0
# How long a started program has to listen, to wait or to end before the next one is started, in seconds.
_START_PAUSE = 3.0
# The calls that show that a program is ready: a server listens or looks for data, a client has connected.
_READY = ("listen", "accept", "select", "WSAPoll", "recvfrom", "connect")


class Watch:
    """The files, and the programs that write some of them; `added` gets each new row."""

    def __init__(self, added: Callable[[Row], None]) -> None:
        self.lock = threading.Lock()
        self.files: list[FollowedFile] = []
        self.rows = Rows(added)
        self.version = time.time_ns() // 10**6
        # Whether the started programs are being ended: no other one is started, the messages about that, such as
        # tracebacks, are not shown, and a program that ends now has not failed.
        self.ending = False
        # Whether a started program has failed.
        self.failed = False
        self._programs: dict[FollowedFile, StartedProgram] = {}
        self._ready: set[FollowedFile] = set()
        self._states: dict[FollowedFile, str] = {}
        # The files of started programs that have ended, and whose output is complete.
        self._over: set[FollowedFile] = set()
        self._changed = 0.0

    def follow(self, path: Path, name: str | None, keep: int, label: str = "") -> FollowedFile:
        """Follow a trace, and keep the last `keep` calls of each program in it."""
        file = FollowedFile(path, name, keep, label or name or str(path))
        file.report = partial(self._call, file)
        self.files.append(file)
        return file

    def start(self, program: StartedProgram, name: str | None, keep: int) -> None:
        """Start a program when the ones before it are ready, and follow its trace."""
        self._programs[self.follow(program.trace, name, keep, name or program.command)] = program

    def end(self) -> None:
        """Begin to end the started programs; a signal handler may call it at any time, so it takes no lock."""
        self.ending = True

    @property
    def started(self) -> list[StartedProgram]:
        return list(self._programs.values())

    @property
    def programs(self) -> list[Program]:
        """All programs that have a trace."""
        return [program for file in self.files for program in file.programs]

    @property
    def behind(self) -> int:
        """The bytes of all files that are not read yet."""
        return sum(file.behind for file in self.files)

    @property
    def ended(self) -> bool:
        """Whether all programs were started by this command and have ended, and everything is read."""
        return len(self._over) == len(self.files) and not self.behind

    def _call(self, file: FollowedFile, program: Program, record: dict[str, Any]) -> None:
        """Process a call that has returned."""
        if record["call"] in _READY and "raised" not in record:
            self._ready.add(file)
        event = event_of(0, record, self.rows.clock(program))
        program.errors += event.failed
        self.rows.call(program, event)

    def poll(self) -> bool:
        """Start programs, read what is new; returns whether anything has changed."""
        with self.lock:
            self._start_next()
            changed = False
            for file in self.files:
                started = self._programs.get(file)
                # Asked before the file is read: all calls of a program are shown before its end.
                is_over = started is not None and started.is_over()
                before = list(file.programs)
                if file.poll():
                    changed = True
                    self.rows.remove([program for program in before if program not in file.programs])
                    new = [program for program in file.programs if program not in before]
                    taken = [program.lane.name for program in self.programs if program not in new]
                    distinct([program.lane for program in new], taken)
                if started:
                    changed = self._poll_started(file, started, is_over and not file.behind) or changed
            if changed or self._waits_longer():
                self.version += 1
                self._changed = time.monotonic()
            return changed

    def _waits_longer(self) -> bool:
        """Whether the page has to show once more how long a call waits."""
        if time.monotonic() - self._changed < _WAIT_PERIOD:
            return False
        pairs = [(file, program) for file in self.files for program in file.programs if program.lane.waiting]
        return any(_has_this_clock(program.lane) and not self.has_ended(file, program) for file, program in pairs)

    def _start_next(self) -> None:
        """Start the next program if the one before is ready."""
        if self.ending:
            return
        before: tuple[FollowedFile, StartedProgram] | None = None
        for file, program in self._programs.items():
            if not program.started:
                if before is None or self._is_ready(*before):
                    program.start()
                return
            before = file, program

    def _is_ready(self, file: FollowedFile, program: StartedProgram) -> bool:
        waits = any(each.lane.waiting for each in file.programs)
        late = time.monotonic() - program.started > _START_PAUSE
        return waits or late or file in self._ready or program.exit_code() is not None

    def _poll_started(self, file: FollowedFile, started: StartedProgram, is_over: bool) -> bool:
        lines = started.take_output()
        writer, name = self._writer(file, started), file.name or started.name
        for line in () if self.ending else lines:
            if line.omitted:
                self.rows.note(line.at, writer, f"{line.omitted} lines of output are left out: too many at once", name)
            self.rows.output(line.at, writer, line.text, name)
        state = started.state()
        changed = state != self._states.get(file)
        self._states[file] = state
        if changed and started.exit_code() is not None:
            for program in file.programs:
                self.rows.flush(program)
        if is_over and file not in self._over:
            self._over.add(file)
            changed = True
            failed = bool(started.exit_code()) and not self.ending
            self.failed = self.failed or failed
            if not started.problem:
                self.rows.note(time.time_ns(), writer, started.end(), name, "error" if failed else "note")
        return changed or bool(lines)

    def _writer(self, file: FollowedFile, started: StartedProgram) -> Program | None:
        """The program of a file that has printed a line: the one that was started, or the first one."""
        for program in file.programs:
            if program.lane.pid == started.pid:
                return program
        return file.programs[0] if file.programs else None

    def has_ended(self, file: FollowedFile, program: Program) -> bool:
        """Whether a program has ended, as far as this is known."""
        started = self._programs.get(file)
        if started and program is self._writer(file, started):
            return started.exit_code() is not None
        return _has_ended(program.lane)

    def state(self, file: FollowedFile, program: Program) -> str:
        """Whether a program runs, as far as this is known, or how long ago its last call was."""
        started = self._programs.get(file)
        if started and program is self._writer(file, started):
            return started.state()
        if self.has_ended(file, program):
            return "has ended"
        seconds = (time.time_ns() - program.lane.offset - program.last) / 1e9
        return f"last call {seconds:.0f} s ago" if program.last and seconds >= 2 else "running"

    def activity(self, file: FollowedFile, program: Program) -> str:
        """What a program does now, or in which call it has ended; what is read late is not now."""
        if file.behind:
            return ""
        return self.rows.state(program, None if self.has_ended(file, program) else time.time_ns())

    def file_state(self, file: FollowedFile) -> str:
        """The state of a file without a program."""
        started = self._programs.get(file)
        if started:
            return started.state() if started.exit_code() is not None or not started.started else "has made no call yet"
        return file.problem or ("is not a trace" if file.damaged else "is empty")

    def lanes(self) -> tuple[list[Lane], list[int | None]]:
        """Copies of all lanes, with the calls that are kept; and for each lane the time of its clock until which its
        waiting calls have lasted: now, the last record of a program that has ended, or None for an unknown clock.
        """
        with self.lock:
            lanes = [_copy(program) for program in self.programs]
            return lanes, [self._until(file, program) for file in self.files for program in file.programs]

    def _until(self, file: FollowedFile, program: Program) -> int | None:
        if self.has_ended(file, program):
            return program.last
        return CLOCK() if _has_this_clock(program.lane) else None


def _copy(program: Program) -> Lane:
    lane = program.lane
    return replace(lane, records=program.history.records(), waiting=dict(lane.waiting))


def _has_this_clock(lane: Lane) -> bool:
    """Whether a trace was made on this machine since its start."""
    return abs(time.time_ns() - CLOCK() - lane.offset) <= SAME_CLOCK


def _has_ended(lane: Lane) -> bool:
    """Whether there is no process with this id any more, if the trace was made on this machine since its start."""
    if sys.platform == "win32" or lane.pid <= 0 or not _has_this_clock(lane):
        return False
    try:
        os.kill(lane.pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # of another user
        return False
    return False
