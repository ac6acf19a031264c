"""The command line of python -m winsock.trace: runs a program with a trace, or draws the traces of several programs."""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from winsock.api import CALLS
from winsock.command_line import run_command, write_output

from . import PREVIEW, start

_EPILOG = """\
examples:
  python -m winsock.trace server.py
  python -m winsock.trace --calls send,recv -m demos run signal_client
  python -m winsock.trace --json -o server.jsonl server.py
  python -m winsock.trace picture server.jsonl client.jsonl --html talk.html

To trace a program without this command, set the environment variable
WINSOCK_TRACE to - (standard error) or to a file name. A file name that ends in
.jsonl selects JSON lines, and %p in it is replaced by the process id.
`python -m winsock.trace picture --help` explains pictures.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line; the exit code is that of the program, or 2 for invalid options.

    Errors: SystemExit, and any exception of the program.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["picture"]:
        from .picture import main as picture

        sys.exit(picture(arguments[1:]))
    parser = _parser()
    options = parser.parse_args(arguments)
    path = Path(options.program)
    if not options.module and not path.exists():
        parser.error(f"no such file: {options.program!r}")
    if not options.module and path.is_dir() and not (path / "__main__.py").exists():
        parser.error(f"a folder without __main__.py: {options.program!r}")
    as_json = options.json or options.output.endswith((".json", ".jsonl"))
    program = [*(["-m"] if options.module else []), options.program, *options.arguments]
    try:
        start(options.output, json=as_json, preview=options.bytes, only=options.calls, argv=program)
    except OSError as error:
        parser.error(f"cannot write the trace to {options.output}: {error.strerror}")
    run(options.program, options.arguments, options.module)


class _Parser(argparse.ArgumentParser):
    """Prints the help completely. Everything else that goes to standard output is the program's."""

    def print_help(self, file: Any = None) -> None:
        sys.exit(run_command(self.prog, lambda: write_output(self.format_help().rstrip())))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m winsock.trace",
        usage="%(prog)s [options] (PROGRAM.py | -m MODULE) [ARGUMENT ...]\n       %(prog)s picture --help",
        description="Run a program and print each of its Winsock calls in C notation, with the\n"
        "time of day, the thread, the result or error, and the duration in seconds.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "-o", dest="output", metavar="FILE", default="-", help="write the trace to FILE; default: standard error"
    )
    parser.add_argument(
        "--json", action="store_true", help="write JSON lines (default if FILE ends in .json or .jsonl)"
    )
    parser.add_argument("--calls", type=_calls, default=CALLS, metavar="A,B", help="trace only these calls")
    parser.add_argument(
        "--bytes", type=_count, default=PREVIEW, metavar="N", help=f"show N bytes of a buffer; default: {PREVIEW}"
    )
    parser.add_argument(
        "-m", dest="module", action="store_true", help="PROGRAM is the name of a module, as for python -m"
    )
    parser.add_argument("program", metavar="PROGRAM", help="a script, or a module after -m")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="arguments of the program")
    return parser


def run(program: str, arguments: Sequence[str], module: bool) -> None:
    """Runs a script or a module as `python PROGRAM` or `python -m PROGRAM` does."""
    sys.argv = [program, *arguments]
    if module:
        sys.path[0] = str(Path.cwd())
        if not _exists(program):
            sys.exit(f"python -m winsock.trace: No module named {program}")
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(program).resolve().parent)
        runpy.run_path(program, run_name="__main__")


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # a parent package exists and fails to import something else
        return False


def _calls(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in CALLS:
            near = difflib.get_close_matches(name, CALLS, 1)
            advice = f"; did you mean {near[0]}?" if near else f"; the calls are {', '.join(CALLS)}"
            raise argparse.ArgumentTypeError(f"unknown call: {name!r}{advice}")
    return names


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"invalid number of bytes: {text!r}; use a number below 1000000000")
    return int(text)


if __name__ == "__main__":
    main()
