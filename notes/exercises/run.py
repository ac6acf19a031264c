"""Run the programs of an exercise with a trace, and show what they print and which calls they make.

python notes/exercises/run.py 8                    the broken programs of exercise 8
python notes/exercises/run.py 8 --answer           the same with the answer
python notes/exercises/run.py 8 --page TALK.html   also write the run as a page for the browser

The programs take turns: `input("timer> ")` in a program stands for its next timer event, and this runner presses Enter.
Only one program works at a time, so each run has the same result.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from winsock.command_line import run_command
from winsock.trace.events import Event
from winsock.trace.page import page
from winsock.trace.timeline import Timeline, timeline
from winsock.trace.trace_files import read_lanes

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
PROMPT = "timer> "
# A program that has not ended after this time, in seconds, is ended.
LIMIT = 60.0
# The ports of exercise 2: the lower byte is small, so that the port with exchanged bytes is one that no system assigns.
FIXED_PORTS = range(8210, 8224)


class Exercise(NamedTuple):
    """An exercise: its folder, its title, and the programs in the order in which they start.

    `broken` is the program to repair. The turns name the program whose timer event is next; dots after a name mean that
    the event does not end before the next program's turn.
    """

    folder: str
    title: str
    programs: tuple[str, ...]
    broken: str
    turns: str = ""
    answer_turns: str | None = None
    # The programs whose calls are shown; all if it is empty.
    shown: tuple[str, ...] = ()
    fixed_port: bool = False

    def files(self, answer: bool) -> dict[str, Path]:
        """The file of each program."""
        kind = "answer" if answer else "broken"
        names = {name: f"{kind}_{name}.py" if name == self.broken else f"{name}.py" for name in self.programs}
        return {name: FOLDER / self.folder / file for name, file in names.items()}


_BOTH = ("server", "client")
EXERCISES = {
    1: Exercise("01_startup", "Winsock is not started", ("server",), "server"),
    2: Exercise("02_byte_order", "The wrong port", _BOTH, "client", "server", fixed_port=True),
    3: Exercise("03_port_in_use", "The server that did not start", ("server",), "server"),
    4: Exercise(
        "04_blocking",
        "The timer that stops",
        _BOTH,
        "client",
        "server client... server client server client",
        "server client server client server",
    ),
    5: Exercise("05_would_block", "No news is not an error", _BOTH, "client", "server client server client"),
    6: Exercise("06_long_datagram", "The datagram that is too long", _BOTH, "server", "server"),
    7: Exercise(
        "07_end_of_stream", "The end that nobody notices", _BOTH, "client", "client server client client client"
    ),
    8: Exercise("08_two_messages", "Two messages in one recv", _BOTH, "client", "server server client client"),
    9: Exercise(
        "09_partial_send", "Half a template", _BOTH, "server", "server client", "server... client server", _BOTH[:1]
    ),
    10: Exercise("10_two_pieces", "A message in two pieces", _BOTH, "client", "server client server client client"),
}


class Program:
    """A running program of an exercise. It waits for Enter at each timer event."""

    def __init__(self, name: str, file: Path, arguments: Sequence[str], trace: Path) -> None:
        self.name = name
        self.ended = False
        # Whether the program is in a timer event that has not ended.
        self.waiting = False
        path = os.pathsep.join([str(ROOT), str(ROOT / "compat")])
        self._process = subprocess.Popen(
            [sys.executable, str(file), *arguments],
            env=os.environ | {"WINSOCK_TRACE": str(trace), "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._late = False
        self._limit = threading.Timer(LIMIT, self._end_late)
        self._limit.start()

    def press_enter(self) -> None:
        """Start the program's next timer event."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def lines(self, first: bool = False) -> list[str]:
        """The lines that the program prints until its timer event or the program ends; only one line with `first`.

        Errors: RuntimeError when neither ends within LIMIT seconds.
        """
        assert self._process.stdout is not None
        text = ""
        while not text.endswith(PROMPT) and not (first and text.endswith("\n")):
            character = self._process.stdout.read(1)
            if not character:
                self._end()
                break
            text += character
        return text.removesuffix(PROMPT).splitlines()

    def close(self) -> None:
        """End the process if it still runs."""
        self._limit.cancel()
        self._process.kill()
        self._process.communicate()

    def _end(self) -> None:
        self.ended = True
        self._process.wait()
        self._limit.cancel()
        if self._late:
            raise RuntimeError(f"{self.name} has not ended after {LIMIT:.0f} seconds")

    def _end_late(self) -> None:
        self._late = True
        self._process.kill()


class Run(NamedTuple):
    """What a run has shown: the lines that the programs printed, each with its program, and their calls."""

    printed: list[tuple[str, str]]
    calls: Timeline
    # The port of the server; 0 if no program has printed one.
    port: int


def run(exercise: Exercise, answer: bool = False) -> Run:
    """Run the programs of an exercise.

    Errors: RuntimeError when a program does not end with its last turn, or other programs use all FIXED_PORTS.
    """
    for port in FIXED_PORTS if exercise.fixed_port else [0]:
        # On Windows a file may stay locked for a moment after its process has ended.
        with TemporaryDirectory(prefix="exercise-", ignore_cleanup_errors=True) as folder:
            result = _run_on(port, exercise, answer, Path(folder))
        if result:
            return result
    raise RuntimeError(f"other programs use the ports {FIXED_PORTS[0]} to {FIXED_PORTS[-1]}: end one of them")


def _run_on(port: int, exercise: Exercise, answer: bool, folder: Path) -> Run | None:
    """Run the programs with their traces in the folder; None if another program uses the port, which is not 0 then."""
    printed: list[tuple[str, str]] = []
    programs: dict[str, Program] = {}
    try:
        for name, file in exercise.files(answer).items():
            programs[name] = Program(name, file, [str(port)] if port else [], folder / f"{name}.jsonl")
            lines = programs[name].lines()
            if exercise.fixed_port and "WSAEADDRINUSE" in "".join(lines):
                return None
            printed += [(name, line) for line in lines]
            if found := re.search(r"port (\d+)", "".join(lines)):
                port = int(found[1])
        turns = exercise.answer_turns if answer and exercise.answer_turns is not None else exercise.turns
        for turn in turns.split():
            printed += _take_turn(programs[turn.rstrip(".")], waiting=turn.endswith("."))
        running = [name for name, program in programs.items() if not program.ended]
        if running:
            raise RuntimeError(f"{exercise.folder}: still running after the last turn: {', '.join(running)}")
    finally:
        for program in programs.values():
            program.close()
    lanes = [lane for name in programs for lane in read_lanes(folder / f"{name}.jsonl", name)]
    return Run(printed, timeline(lanes, fold=False), port)


def _take_turn(program: Program, waiting: bool) -> list[tuple[str, str]]:
    """The lines of a turn. A program that has ended has no turn, and one that is in its timer event continues."""
    if program.ended:
        return []
    if not program.waiting:
        program.press_enter()
    program.waiting = waiting
    lines = program.lines(first=waiting)
    if waiting:
        lines.append("... (this timer event does not end)")
    return [(program.name, line) for line in lines]


def exchanged(port: int) -> int:
    """The port with its two bytes in the other order."""
    return port >> 8 | (port & 0xFF) << 8


def report(number: int, result: Run, answer: bool = False) -> str:
    """What a run has shown, as text: the files, what the programs print, and their calls.

    Sockets are named s1, s2 … in the order of their creation, and the server's port PORT, because the system may assign
    other numbers in each run. Conversions such as htons are left out.
    """
    exercise = EXERCISES[number]
    width = max(map(len, exercise.programs))
    lines = [f"Exercise {number}: {exercise.title}"]
    lines += [f"  {name:{width}} = {file.parent.name}/{file.name}" for name, file in exercise.files(answer).items()]
    lines += ["", "The programs print:", printed(exercise, result)]
    lines += ["Their calls, each with its line in the program (! failed):"]
    for event, text in _calls(result.calls):
        name = result.calls.lanes[event.lane].name
        if event.group != "names" and name in (exercise.shown or exercise.programs):
            mark = " " if event.error in ("", "WSAEWOULDBLOCK") else "!"
            lines.append(f"{mark} {name:{width}} {event.source.line if event.source else 0:2} | {text}")
    return _without_ports(exercise, "\n".join(lines) + "\n")


def printed(exercise: Exercise, result: Run) -> str:
    """The lines that the programs printed, each with the name of its program."""
    width = max(map(len, exercise.programs))
    return _without_ports(exercise, "".join(f"  {name:{width}} | {line}\n" for name, line in result.printed))


def _without_ports(exercise: Exercise, text: str) -> str:
    """The text with PORT in place of a port that the system has assigned."""
    return text if exercise.fixed_port else re.sub(r"(port |127\.0\.0\.1:)[1-9]\d*", r"\1PORT", text)


def _calls(calls: Timeline) -> list[tuple[Event, str]]:
    """The calls in C notation, with names in place of the numbers of sockets."""
    names: dict[tuple[int, int], str] = {}
    found = []
    for event in calls.events:
        if event.call in ("socket", "accept") and not event.error:
            names[event.lane, event.record["result"]] = f"s{len(names) + 1}"
        found.append(
            (event, _short(event, {handle: name for (lane, handle), name in names.items() if lane == event.lane}))
        )
    return found


def _short(event: Event, names: dict[int, str]) -> str:
    """A call with names in place of the numbers of sockets, without the meaning of its error and details."""
    text = re.sub(r"(?:SOCKET_ERROR|INVALID_SOCKET) \(#\d+\) (\w+): .*", r"\1", event.text, flags=re.DOTALL)
    text = re.sub(r"\{wVersion.*\}", "{...}", text)
    # Of more than 32 bytes only the first 24 are shown.
    byte = r'(?:[^"\\]|\\.)'
    text = re.sub(rf'"({byte}{{24}})(?:{byte}*"\.\.\.|{byte}{{9,}}")', r'"\1"...', text)
    # The number of a socket is the first argument, the only element of a set, or the result of socket or accept.
    place = r"(?<=[({])\d+(?=[,)}])" + (r"|\d+$" if event.call in ("socket", "accept") else "")
    return re.sub(place, lambda match: names.get(int(match[0]), match[0]), text)


def _list() -> str:
    """The exercises with their numbers."""
    return "\n".join(f"{number:2}  {exercise.title}" for number, exercise in EXERCISES.items())


def main() -> None:
    """Run the exercise that the command line names."""
    parser = argparse.ArgumentParser(
        description="Run an exercise, and show what its programs print and call.",
        epilog=f"The exercises:\n{_list()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("number", type=int, choices=EXERCISES, metavar="N", help=f"1 to {len(EXERCISES)}")
    parser.add_argument("--answer", action="store_true", help="run the answer in place of the broken program")
    parser.add_argument("--page", type=Path, metavar="FILE", help="also write the run as a page for the browser")
    options = parser.parse_args(sys.argv[1:] or ["--help"])
    exercise = EXERCISES[options.number]
    try:
        result = run(exercise, options.answer)
        if options.page:
            options.page.write_text(page(result.calls, exercise.title), encoding="utf-8")
    except RuntimeError as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")
    except OSError as error:
        parser.error(f"{error.filename}: cannot be written: {error.strerror}")
    print(report(options.number, result, options.answer), end="")
    if options.page:
        print(f"\nThe page is in {options.page}")


if __name__ == "__main__":
    sys.exit(run_command("run.py", main))
