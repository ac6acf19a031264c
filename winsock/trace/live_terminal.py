"""Shows what a Watch watches: side by side on a terminal, or as plain lines where there is no terminal.

The display has a column for each program, and a row for each call at its place in time. If the columns would be too
narrow, all programs share one. Under the rows is a line for each program that says what it does now. Only the rows that
fit are drawn, a few times per second, however many calls there are.
"""

from __future__ import annotations

import io
import sys
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol, TextIO

from winsock.command_line import printable

from .live_files import FollowedFile, Program
from .live_rows import Row
from .live_watch import Watch
from .rendering import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["ColumnView", "LineView", "Note", "View"]

# The time between two drawings, and while nothing changes but the clock, in seconds.
_PERIOD = 0.2
_CLOCK_PERIOD = 0.5
# The width of the time at the start of a row, and of a column at least.
_TIME = 9
_COLUMN = 23
# The rows that stay on the terminal at the end.
_LAST_ROWS = 200
_MAX_NOTES = 100
_STYLES = {"call": "", "error": "bold red", "output": "cyan", "note": "yellow"}


class Note(NamedTuple):
    """A line about the command itself; `more` changes often, so that a LineView does not repeat the line for it."""

    text: str
    more: str = ""


class View(Protocol):
    """Shows rows and states."""

    def open(self) -> None:
        """Begin the display."""

    def row(self, row: Row) -> None:
        """Take a new row."""

    def update(self, watch: Watch, notes: list[Note]) -> None:
        """Show the present state; `notes` are lines about the command itself."""

    def close(self, watch: Watch) -> None:
        """Show the last state, and end the display."""


def seconds_since(start: int, at: int) -> str:
    return f"{(at - start) / 1e9:8.3f}"


class LineView:
    """Prints each call as a line: time of day, program, call.

    A row is held until the next update, because an earlier call of another program may be read only then.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout or io.StringIO()
        self._held: list[Row] = []
        self._new: list[Row] = []
        self._waits: set[tuple[Program, int]] = set()
        self._notes: set[str] = set()

    def open(self) -> None:
        """See View."""

    def row(self, row: Row) -> None:
        """See View."""
        self._new.append(row)

    def update(self, watch: Watch, notes: list[Note]) -> None:
        """See View."""
        newest = max((row.at for row in self._held), default=0)
        rows = sorted([*self._held, *self._new], key=lambda row: row.at)
        self._write([row for row in rows if row.at <= newest])
        self._held, self._new = [row for row in rows if row.at > newest], []
        for note in [*_file_notes(watch), *notes]:
            if note.text not in self._notes and len(self._notes) < _MAX_NOTES:
                self._notes.add(note.text)
                self._stream.write(f"{printable(note.text)}\n")
        self._show_waits(watch)
        self._stream.flush()

    def close(self, watch: Watch) -> None:
        """See View."""
        self._write(sorted([*self._held, *self._new], key=lambda row: row.at))
        self._stream.flush()

    def _write(self, rows: list[Row]) -> None:
        for row in rows:
            seconds, nanoseconds = divmod(row.at, 10**9)
            clock = time.strftime("%H:%M:%S", time.localtime(max(seconds, 0) % 2**32))
            name = printable(row.program.lane.name if row.program else row.name)
            mark = "!" if row.kind == "error" else " "
            self._stream.write(f"{clock}.{nanoseconds // 1000:06} {name:<12} {mark} {row.text}\n")

    def _show_waits(self, watch: Watch) -> None:
        """One line for each call that has waited for a second."""
        now = time.time_ns()
        waits = set()
        for file, program in _pairs(watch):
            if file.behind or watch.has_ended(file, program):
                continue
            for number, begun in list(program.lane.waiting.items())[:10]:
                waits.add((program, number))
                if (program, number) not in self._waits and now - program.lane.offset - begun["t"] >= 10**9:
                    self._waits.add((program, number))
                    text = printable(begun["text"].rstrip(", "))
                    self._write([Row(now, program, "call", "", f"{text}) waits ...")])
        self._waits &= waits


def _file_notes(watch: Watch) -> list[Note]:
    """Why there are no calls of a file."""
    started = [program.trace for program in watch.started]
    files = [file for file in watch.files if not file.programs and file.path not in started]
    return [Note(f"{file.label}: {file.problem}") for file in files if file.problem]


class ColumnView:
    """Draws the programs side by side, over the whole terminal."""

    def __init__(self, console: Console | None = None) -> None:
        """Errors: ImportError where rich is not installed."""
        from rich.console import Console
        from rich.live import Live

        self._console = console or Console(highlight=False)
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._drawn = 0.0
        self._version = -1
        self._notes: list[Note] = []

    def open(self) -> None:
        """See View."""
        self._live.start()

    def row(self, row: Row) -> None:
        """See View."""

    def update(self, watch: Watch, notes: list[Note]) -> None:
        """See View."""
        now = time.monotonic()
        changed = watch.version != self._version or notes != self._notes
        if now - self._drawn >= (_PERIOD if changed else _CLOCK_PERIOD):
            self._drawn, self._version, self._notes = now, watch.version, notes
            self._live.update(screen(watch, notes, self._console.width, self._console.height), refresh=True)

    def close(self, watch: Watch) -> None:
        """See View."""
        self._live.stop()
        rows = min(len(watch.rows.rows), _LAST_ROWS)
        text = screen(watch, [], self._console.width, rows + 3 + len(watch.programs) + len(watch.files), final=True)
        self._console.print(text, soft_wrap=True)


def screen(watch: Watch, notes: list[Note], width: int, height: int, final: bool = False) -> Text:
    """The whole display as lines of this width."""
    from rich.text import Text

    programs = watch.programs
    columns = max(len(programs), 1)
    column = (width - _TIME) // columns - 1
    if column < _COLUMN:
        columns, column = 1, width - _TIME - 1
    lines = [*_head(watch), *_titles(programs, columns, column)]
    below = [*_now(watch, columns, column, max(height // 3, 1)), *_note_lines(notes)]
    free = max(height - len(lines) - len(below), 0)
    rows = sorted(watch.rows.rows, key=lambda row: row.at)[-free:] if free else []
    lines += [_row(row, watch.rows.start, programs, columns, column) for row in rows]
    if not final:
        lines += [Text()] * (free - len(rows))
    lines = [*lines, *below][:height]
    for line in lines:
        line.truncate(width)
    return Text("\n", no_wrap=True, overflow="crop").join(lines)


def _note_lines(notes: list[Note]) -> list[Text]:
    from rich.text import Text

    return [Text(printable(note.text + note.more), style="yellow") for note in notes]


def _head(watch: Watch) -> list[Text]:
    from rich.text import Text

    programs = watch.programs
    calls, errors = sum(each.calls for each in programs), sum(each.errors for each in programs)
    head = Text(f"{counted(len(programs), 'program')}  {counted(calls, 'call')}  ", style="bold")
    head.append(counted(errors, "error"), style="bold red" if errors else "bold")
    if watch.behind >= 1 << 20:
        head.append(f"  {watch.behind >> 20} MB of traces to read", style="yellow")
    return [head]


def _titles(programs: list[Program], columns: int, column: int) -> list[Text]:
    """The names over the columns."""
    from rich.text import Text

    if columns == 1 and len(programs) != 1:
        return [Text(" " * (_TIME + column + 1), style="underline")] if programs else []
    title = Text(" " * _TIME, style="underline bold")
    for program in programs:
        title.append(_fitted(_name(program), column) + " ")
    return [title]


def _name(program: Program) -> str:
    return printable(program.lane.title)


def _row(row: Row, start: int, programs: list[Program], columns: int, column: int) -> Text:
    from rich.text import Text

    line = Text(f"{seconds_since(start, row.at)} ", style="")
    place = programs.index(row.program) if columns > 1 and row.program in programs else 0
    prefix = ""
    if row.program is None and row.name:
        prefix = f"{printable(row.name)}: "
    elif columns == 1 and len(programs) > 1 and row.program:
        prefix = f"{printable(row.program.lane.name)}: "
    mark = "! " if row.kind == "error" else ""
    line.append(" " * (place * (column + 1)))
    line.append(_fitted(f"{prefix}{mark}{row.brief}", column).rstrip(), style=_STYLES[row.kind])
    return line


def _now(watch: Watch, columns: int, column: int, most: int) -> list[Text]:
    """What the programs do now: in their columns, or a line for each."""
    from rich.text import Text

    states = [(each, watch.activity(file, each), watch.state(file, each)) for file, each in _pairs(watch)]
    absent = [Text(printable(f"{file.label}: {watch.file_state(file)}")) for file in watch.files if not file.programs]
    if columns > 1:
        doing, state = Text("     now ", style="reverse"), Text(" " * _TIME, style="dim")
        for program, does, how in states:
            doing.append(_fitted(does or "", column) + " ")
            counts = f"{counted(program.calls, 'call')}, {counted(program.errors, 'error')}, {how}"
            state.append(_fitted(counts, column) + " ")
        return [doing, state, *absent[:most]]
    lines = []
    for program, does, how in states:
        counts = f"{counted(program.calls, 'call')}, {counted(program.errors, 'error')}"
        what = f"{how}, {does}" if does else how
        lines.append(Text(_fitted(f"{_name(program)}: {counts}, {what}", column + _TIME)))
    lines += absent
    if len(lines) > most > 1:
        lines = [Text(f"and {len(lines) - most + 1} more"), *lines[1 - most :]]
    return lines[-most:]


def _pairs(watch: Watch) -> list[tuple[FollowedFile, Program]]:
    return [(file, program) for file in watch.files for program in file.programs]


def _fitted(text: str, width: int) -> str:
    """The text in exactly this many cells of a terminal; dots for what does not fit."""
    from rich.cells import cell_len, set_cell_size

    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, max(width - 2, 0)) + ".."
