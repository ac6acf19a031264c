"""python -m winsock.trace live: shows the calls of several programs while they run."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from winsock.command_line import is_same_file, printable, run_command, write_output
from winsock.interrupts import stopped_by_signals

from .live_files import MAX_PROGRAMS
from .live_programs import StartedProgram, command_words, end_all
from .live_terminal import ColumnView, LineView, Note, View
from .live_watch import Watch
from .trace_arguments import failed, file_and_name

__all__ = ["chosen_view", "main", "notes_of"]

_PROG = "python -m winsock.trace live"
# The time between two looks at the files, in seconds.
_POLL = 0.1
_KEEP = 5000
_WITH_VALUE = ("--run", "--port", "--title", "--keep", "--traces")
_EPILOG = """\
examples:
  python -m winsock.trace live server.py client.py
  python -m winsock.trace live --page server.py --run "client.py 127.0.0.1 8081"
  python -m winsock.trace live --run "-m demos run signal_server" client.py
  python -m winsock.trace live server.jsonl client.jsonl

The first line starts two programs, shows their calls side by side, and ends
them at Ctrl-C; what they print after that is not shown. The last one follows
the traces of programs that were started elsewhere:
python -m winsock.trace -o server.jsonl server.py

A program is started when the one before it listens, waits or has ended. It has
no standard input; what it prints is shown after a >, and then how it ended.
Errors and programs that failed have a !. The line "now" has the calls that have
not returned. Consecutive calls that found nothing to do (WSAEWOULDBLOCK, or a
select that returned 0) are one line. Where the output is no terminal, each call
is a line of text.

Exit code 0: ended by Ctrl-C, or all started programs have ended without an
error; 1: a started program has failed; 2: invalid options, a program that
cannot be started, a port that cannot be used, or output that cannot be written.
"""


class _Source(NamedTuple):
    """What the command line names: a trace, or a program to start (`words` is not empty)."""

    name: str | None
    text: str
    words: list[str]


def main(arguments: Sequence[str]) -> int:
    """Watches until Ctrl-C, or until all started programs have ended; returns the exit code.

    Errors: SystemExit with code 2 for invalid options.
    """
    return run_command(_PROG, lambda: _run(_parser().parse_intermixed_args(arguments), arguments))


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    try:
        sources = [
            _command(text) if is_command else _source(text) for text, is_command in _in_order(options, arguments)
        ]
    except ValueError as error:
        return failed(_PROG, str(error))
    if not sources:
        return failed(_PROG, "nothing to watch: name a trace, or a program such as server.py")
    if options.traces and (problem := _folder_problem(options.traces, sources)):
        return failed(_PROG, problem)
    with ExitStack() as stack:
        view = chosen_view(options.lines)
        watch = Watch(view.row)
        stack.enter_context(stopped_by_signals(watch.end))
        try:
            folder = options.traces or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="winsock-live-")))
            folder.mkdir(parents=True, exist_ok=True)
            for number, source in enumerate(sources, 1):
                _add(watch, source, folder, number, options.keep)
        except OSError as error:
            place = error.filename or "temporary folder"
            return failed(_PROG, f"{place}: the traces cannot be written there: {error.strerror}")
        return _watch(watch, view, options, stack)


def _folder_problem(folder: Path, sources: list[_Source]) -> str:
    """Why the traces cannot be kept in a folder; "" if they can."""
    if "%p" in os.path.abspath(folder):
        return f"invalid folder: {str(folder)!r}: %p in the name of a trace is replaced"
    new = [_trace(source, folder, number) for number, source in enumerate(sources, 1) if source.words]
    for source in sources:
        if not source.words and any(is_same_file(source.text, trace) for trace in new):
            return f"{source.text}: a new trace would replace it; use another folder"
    return ""


def _trace(source: _Source, folder: Path, number: int) -> Path:
    """The trace of a program to start."""
    name = source.name or Path(source.text).stem
    return folder / f"{number}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)[:40]}.jsonl"


def _add(watch: Watch, source: _Source, folder: Path, number: int, keep: int) -> None:
    """Follow a trace, or start a program with a trace in this folder.

    Errors: OSError if an old trace cannot be replaced.
    """
    if source.words:
        trace = _trace(source, folder, number)
        trace.unlink(missing_ok=True)
        watch.start(StartedProgram(source.text, source.words, trace), source.name, keep)
    else:
        watch.follow(Path(source.text), source.name, keep)


def _watch(watch: Watch, view: View, options: argparse.Namespace, stack: ExitStack) -> int:
    url = ""
    if options.page or options.port is not None:
        from .live_page import PageServer

        try:
            server = PageServer(watch, options.port or 0, options.title)
        except OSError as error:
            text = f"port {options.port} cannot be used: {error.strerror}; use another one, or --page without --port"
            return failed(_PROG, text)
        stack.callback(server.close)
        url = server.url
    view.open()
    try:
        _loop(watch, view, url)
        end_all(watch.started)
        while watch.poll():
            pass
    finally:
        end_all(watch.started)
        view.close(watch)
    if options.traces:
        files = [str(program.trace) for program in watch.started]
        quoted = subprocess.list2cmdline(files) if sys.platform == "win32" else shlex.join(files)
        print(printable(f"python -m winsock.trace picture {quoted} --html talk.html"), file=sys.stderr)
    for program in watch.started:
        if program.problem:
            return failed(_PROG, f"{program.command}: {program.problem}")
    return int(watch.failed)


def _loop(watch: Watch, view: View, url: str) -> None:
    """Look at the files until a signal, or until all started programs have ended and no page shows them."""
    while not watch.ending:
        changed = watch.poll()
        view.update(watch, notes_of(watch, url))
        if watch.ended and not changed and not url:
            return
        if not watch.behind:
            time.sleep(_POLL)


def notes_of(watch: Watch, url: str) -> list[Note]:
    """What the display says besides the calls."""
    notes = [Note(f"{each.command}: {each.problem}") for each in watch.started if each.problem]
    for file in watch.files:
        if file.forgotten:
            text = f"{file.label}: only the last {MAX_PROGRAMS} programs of this trace are shown"
            notes.append(Note(text, f"; {file.forgotten} are left out"))
        if file.damaged:
            more = f", and {file.damaged - 1} more" if file.damaged > 1 else ""
            notes.append(Note(f"{file.label}: {file.damage}", more))
        if file.problem and file.programs:
            notes.append(Note(f"{file.label}: {file.problem}"))
    forgotten = sum(program.history.forgotten for program in watch.programs)
    if forgotten and url:
        notes.append(Note("the page shows the last calls of each program (--keep)", f"; {forgotten} are left out"))
    if url:
        notes.append(Note(f"page: {url}   Ctrl-C ends"))
        if watch.ended:
            notes.append(Note("all programs have ended; the page stays until Ctrl-C"))
    return notes


def chosen_view(lines: bool) -> View:
    """The display for this output."""
    if lines or sys.stdout is None or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return LineView()
    try:
        return ColumnView()
    except ImportError:
        text = 'the display needs rich: python -m pip install -e ".[live]"; each call is a line of text; Ctrl-C ends'
        print(f"{_PROG}: {text}", file=sys.stderr)
        return LineView()


def _in_order(options: argparse.Namespace, arguments: Sequence[str]) -> list[tuple[str, bool]]:
    """The files and the commands of --run in the order of the command line, and whether each is a command.

    argparse has collected each kind separately.
    """
    files, commands, found = list(options.sources), list(options.run), []
    words = iter(arguments)
    for word in words:
        option, equals, _ = word.partition("=")
        if option == "--run" and commands:
            found.append((commands.pop(0), True))
        elif files and word == files[0]:
            found.append((files.pop(0), False))
        if option in _WITH_VALUE and not equals:
            next(words, None)
    # After "--", a file may have the name of an option.
    return found + [(text, True) for text in commands] + [(text, False) for text in files]


def _source(text: str) -> _Source:
    """A trace, or a program whose name ends in .py.

    Errors: ValueError if the program does not exist.
    """
    path, name = file_and_name(text)
    if path.suffix.lower() not in (".py", ".pyw"):
        if text.isdecimal() and not os.path.exists(path):
            raise ValueError(f"no such file: {text!r}; a port is given with --port {text}")
        if os.path.exists(path) and not os.path.isfile(path):
            kind = "a folder" if os.path.isdir(path) else "a device or pipe"
            raise ValueError(f"{kind}: {str(path)!r}; name a trace, or a program such as server.py")
        return _Source(name, str(path), [])
    if not os.path.exists(path):
        raise ValueError(f"no such file: {str(path)!r}")
    return _Source(name, str(path), [sys.executable, str(path)])


def _command(text: str) -> _Source:
    """A command line, which may begin with NAME=.

    Errors: ValueError if it has no word, or if a quotation mark is missing.
    """
    match = re.fullmatch(r"([^=/\\\s\"']+)=(.+)", text, re.DOTALL)
    name, command = (match[1], match[2]) if match else (None, text)
    try:
        return _Source(name, command, command_words(command))
    except ValueError as error:
        raise ValueError(f"invalid command: {text!r}: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=_PROG,
        description="Show the calls of several programs side by side while they run, in the\n"
        "terminal and with --page in a browser.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="[NAME=]FILE",
        help="a trace in JSON lines, which need not exist yet; or a program FILE.py, which is started with a trace",
    )
    parser.add_argument(
        "--run",
        action="append",
        default=[],
        metavar="[NAME=]COMMAND",
        help="start a program with arguments; repeatable",
    )
    parser.add_argument("--page", action="store_true", help="serve the page of `picture` on loopback, updated live")
    parser.add_argument("--port", type=_port, metavar="PORT", help="the port of the page; default: a free one")
    parser.add_argument("--title", default="", help="title of the page; default: the names of the programs")
    parser.add_argument(
        "--keep",
        type=_keep,
        default=_KEEP,
        metavar="N",
        help=f"the page has the last N calls of each program; default: {_KEEP}",
    )
    parser.add_argument("--traces", type=Path, metavar="FOLDER", help="keep the traces of the started programs here")
    parser.add_argument("--lines", action="store_true", help="print lines of text on a terminal too")
    return parser


class _Parser(argparse.ArgumentParser):
    """Prints the help completely."""

    def print_help(self, file: object = None) -> None:
        write_output(self.format_help().rstrip())


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"invalid port: {text!r}; use a number from 1 to 65535")
    return int(text)


def _keep(text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text) or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"invalid number of calls: {text!r}; use a number from 1 to 100000")
    return int(text)
