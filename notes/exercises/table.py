"""The exercises: their folders, their programs, and the order in which the programs work."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
# The ports of exercise 2: the lower byte is small, so that the port with exchanged bytes is one that no system assigns.
FIXED_PORTS = range(8210, 8224)


class Exercise(NamedTuple):
    """An exercise: its folder, its title, and the programs in the order in which they start.

    `broken` is the program to repair. The turns name the program whose timer event is next. They are for the broken
    program, its answer and what a reader makes of it: an event that does not end lasts until the program's next turn,
    and a program that has not ended after the turns has more timer events.
    """

    folder: str
    title: str
    programs: tuple[str, ...]
    broken: str
    turns: str = ""
    # The programs whose calls are shown; all if it is empty.
    shown: tuple[str, ...] = ()
    fixed_port: bool = False
    # Whether it matters in which timer event a program prints a line.
    by_event: bool = True

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
    4: Exercise("04_blocking", "The timer that stops", _BOTH, "client", "server client server client server client"),
    5: Exercise("05_would_block", "No news is not an error", _BOTH, "client", "server client server client"),
    6: Exercise("06_long_datagram", "The datagram that is too long", _BOTH, "server", "server"),
    7: Exercise(
        "07_end_of_stream", "The end that nobody notices", _BOTH, "client", "client server client client client"
    ),
    8: Exercise("08_two_messages", "Two messages in one recv", _BOTH, "client", "server server client client"),
    9: Exercise(
        "09_partial_send", "Half a template", _BOTH, "server", "server client server", _BOTH[:1], by_event=False
    ),
    10: Exercise("10_two_pieces", "A message in two pieces", _BOTH, "client", "server client server client client"),
}


def is_changed(exercise: Exercise) -> bool:
    """Whether the reader has changed the broken program. The exercise's page contains the original."""
    program = exercise.files(answer=False)[exercise.broken]
    original = f'<!-- file: {program.name} -->\n```python linenums="1"\n{_text(program)}```\n'
    return original not in _text(FOLDER / f"{exercise.folder}.md")


def _text(file: Path) -> str:
    """The text of a file; empty if there is none."""
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def exchanged(port: int) -> int:
    """The port with its two bytes in the other order."""
    return port >> 8 | (port & 0xFF) << 8
