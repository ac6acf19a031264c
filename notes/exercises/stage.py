"""A run of an exercise: its programs take turns until all have ended, or until one of them cannot go on.

A turn is one timer event of one program. The turns of the table come first; a program that has not ended after them has
more timer events, so that a reader's solution may need more of them than the answer. An event that does not end lasts
until the program's next turn. The run is ended early when a program ends with an error of Python, when it prints
without end, and when all programs that still run are in an event that does not end.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from notes.exercises.program import PATIENCE, PROMPT, Program
from notes.exercises.table import FIXED_PORTS, Exercise
from winsock.trace.timeline import Timeline, timeline
from winsock.trace.trace_files import TraceError, read_lanes

# The wait for an event that has not ended while other programs can work.
SHORT = 0.2
# After the turns of the table a program can have more timer events, in all so many rounds and so many seconds.
MORE_ROUNDS = 30
MORE_TIME = 20.0


class Line(NamedTuple):
    """A line that a program has printed, and the number of its timer event; 0 is before the first one."""

    program: str
    event: int
    text: str


class Run(NamedTuple):
    """What a run has shown: the lines that the programs printed and their calls."""

    printed: list[Line]
    calls: Timeline
    # The port of the server; 0 if no program has printed one.
    port: int
    # Why the run was ended early; empty if all programs have ended.
    problem: str = ""


class _StoppedRunError(Exception):
    """The run cannot go on; the message gives the reason."""


class _PortInUseError(Exception):
    """Another program uses the fixed port."""


def run(exercise: Exercise, answer: bool = False) -> Run:
    """Run the programs of an exercise.

    Errors: RuntimeError when other programs use all FIXED_PORTS.
    """
    for port in FIXED_PORTS if exercise.fixed_port else [0]:
        # On Windows a file may stay locked for a moment after its process has ended.
        with TemporaryDirectory(prefix="exercise-", ignore_cleanup_errors=True) as folder:
            stage = Stage(exercise, port)
            try:
                return stage.run(exercise.files(answer), Path(folder))
            except _PortInUseError:
                continue
    raise RuntimeError(f"other programs use the ports {FIXED_PORTS[0]} to {FIXED_PORTS[-1]}: end one of them")


class Stage:
    """The programs of a run, and what they have printed."""

    def __init__(self, exercise: Exercise, port: int) -> None:
        self._exercise = exercise
        self._port = port
        self._printed: list[Line] = []
        self._programs: dict[str, Program] = {}

    def run(self, files: dict[str, Path], folder: Path) -> Run:
        """Run the programs with their traces in the folder.

        Errors: _PortInUseError.
        """
        problem = ""
        try:
            for name, file in files.items():
                self._start(name, file, folder / f"{name}.jsonl")
            for turn in self._exercise.turns.split():
                self._turn(self._programs[turn])
            self._finish()
        except _StoppedRunError as error:
            problem = str(error)
        finally:
            for program in self._programs.values():
                program.close()
        # A program that Python cannot start has no trace.
        programs = [program for program in self._programs.values() if program.trace.exists()]
        try:
            lanes = [lane for program in programs for lane in read_lanes(program.trace, program.name)]
        except TraceError as error:
            lanes, problem = [], problem or str(error)
        if not lanes:
            problem = problem or "no program has called winsock"
        return Run(self._printed, timeline(lanes, fold=False, unfinished=True), self._port, problem)

    def _start(self, name: str, file: Path, trace: Path) -> None:
        """Start a program. Each program after the first one has the port of the first one as its argument."""
        if self._programs and not self._port:
            server = next(iter(self._programs))
            raise _StoppedRunError(f"{server} has not printed its port, for example 'port 40123'")
        program = self._programs[name] = Program(name, file, [str(self._port)] if self._port else [], trace)
        text = "\n".join(self._show(program, program.start()))
        if self._exercise.fixed_port and "WSAEADDRINUSE" in text:
            raise _PortInUseError
        if not self._port and (found := re.search(r"port (\d+)", text)):
            self._port = int(found[1])

    def _turn(self, program: Program, patience: float = PATIENCE) -> None:
        """Give a program its turn. A program that has ended has none.

        Errors: _StoppedRunError when nothing happens in it, and no other program can change that.
        """
        if program.ended:
            return
        lines = self._show(program, program.turn(patience))
        running = [other for other in self._programs.values() if not other.ended]
        if running == [program] and program.busy and not lines and patience == PATIENCE:
            raise self._no_end(running)

    def _show(self, program: Program, lines: list[str]) -> list[str]:
        """Add the lines of a program. An event that does not end is reported once."""
        self._printed += [Line(program.name, program.event, line) for line in lines]
        if program.busy and not program.reported:
            what = "this timer event" if program.event else "its start"
            self._printed.append(Line(program.name, program.event, f"... ({what} does not end)"))
        program.reported = program.busy
        if program.problem:
            raise _StoppedRunError(program.problem)
        return lines

    def _finish(self) -> None:
        """Give the programs more turns until all have ended."""
        end = time.monotonic() + MORE_TIME
        rounds = 0
        while running := [program for program in self._programs.values() if not program.ended]:
            if rounds == MORE_ROUNDS or time.monotonic() > end:
                names = " and ".join(program.name for program in running)
                raise _StoppedRunError(f"{names} did not end after {rounds} more timer events")
            rounds += 1
            all_busy = all(program.busy for program in running)
            before = len(self._printed)
            for program in running:
                self._turn(program, SHORT if program.busy and not all_busy else PATIENCE)
            if all_busy and all(program.busy for program in running) and len(self._printed) == before:
                raise self._no_end(running)

    def _no_end(self, running: list[Program]) -> _StoppedRunError:
        """The error for programs that are all in an event, or in their start, that does not end."""
        names = " and ".join(program.name for program in running)
        ended = " and ".join(program.name for program in self._programs.values() if program.ended)
        return _StoppedRunError(
            f"{names} did not end: a call waits for ever, a loop has no end, or an input() has another text than"
            f' "{PROMPT}"' + (f"; {ended} has ended" if ended else "")
        )
