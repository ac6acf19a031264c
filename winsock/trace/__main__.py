"""python -m winsock.trace: run a program and tell its calls; or draw what several programs said to each other."""

from __future__ import annotations

import argparse
import importlib.util
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from winsock.api import CALLS

from . import PREVIEW, start

_EPILOG = """\
examples:
  python -m winsock.trace server.py
  python -m winsock.trace --calls connect,send,recv -m demos run signal_client
  python -m winsock.trace --json -o server.jsonl server.py
  python -m winsock.trace picture server.jsonl client.jsonl --html talk.html

Without this command: WINSOCK_TRACE=- (standard error) or WINSOCK_TRACE=FILE in the environment of any program; a FILE
that ends in .jsonl takes JSON lines, %p in its name is the process's number. `python -m winsock.trace picture --help`
tells of the pictures.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; the exit code is the program's, or 2 for bad options.

    Errors: SystemExit, and whatever the program raises.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["picture"]:
        from .picture import main as picture

        sys.exit(picture(arguments[1:]))
    parser = argparse.ArgumentParser(
        prog="python -m winsock.trace",
        usage="%(prog)s [options] (PROGRAM.py | -m MODULE) [ARGUMENT ...]\n       %(prog)s picture --help",
        description="Run a program and print each call of Winsock as C would read, with its result, error, duration in "
        "seconds, and thread.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-o", dest="output", metavar="FILE", default="-", help="write there; default: standard error")
    parser.add_argument("--json", action="store_true", help="JSON lines; also when FILE ends in .json or .jsonl")
    parser.add_argument("--calls", type=_calls, default=CALLS, metavar="A,B", help="only these calls")
    parser.add_argument(
        "--bytes", type=_count, default=PREVIEW, metavar="N", help=f"show N bytes of a buffer; default: {PREVIEW}"
    )
    parser.add_argument("-m", dest="module", action="store_true", help="PROGRAM is a module's name, as for python -m")
    parser.add_argument("program", metavar="PROGRAM", help="a script, or a module after -m")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="the program's own")
    options = parser.parse_args(arguments)
    if not options.module and not Path(options.program).exists():
        parser.error(f"there is no program {options.program}")
    as_json = options.json or options.output.endswith((".json", ".jsonl"))
    program = [*(["-m"] if options.module else []), options.program, *options.arguments]
    try:
        start(options.output, json=as_json, preview=options.bytes, only=options.calls, argv=program)
    except OSError as error:
        parser.error(f"{options.output}: {error.strerror}")
    run(options.program, options.arguments, options.module)


def run(program: str, arguments: Sequence[str], module: bool) -> None:
    """Run a script or a module as Python's own command line would."""
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
            raise  # a package on the way is there, and lacks what it imports
        return False


def _calls(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in CALLS:
            raise argparse.ArgumentTypeError(f"there is no call {name!r}")
    return names


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes")
    return int(text)


if __name__ == "__main__":
    main()
