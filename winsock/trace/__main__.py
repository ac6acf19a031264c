"""The command line of python -m winsock.trace: runs a program with a trace, or one of the commands that read traces."""

from __future__ import annotations

import argparse
import builtins
import difflib
import importlib
import importlib.util
import os
import pkgutil
import re
import sys
from collections.abc import Sequence
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec, SourceFileLoader, SourcelessFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, cast

from winsock.api import CALLS
from winsock.command_line import is_same_file, printable, run_command, write_output

from . import JSON_PREVIEW, PREVIEW, start

# The commands that read traces, and what each does. The module of the same name is imported only when its command is
# used; its `main` takes the arguments after the command and returns the exit code.
COMMANDS = {
    "picture": "draw the calls of several programs and what they sent to each other",
    "live": "show the calls of several programs while they run",
    "summary": "count calls, errors, bytes and time per call",
    "diff": "show where two runs of the same programs differ",
    "export": "write traces for Wireshark (--pcapng) or Perfetto (--perfetto)",
}

_EPILOG = """\
examples:
  python -m winsock.trace server.py
  python -m winsock.trace --calls send,recv -m demos run signal_client
  python -m winsock.trace -o server.jsonl server.py
  python -m winsock.trace picture server.jsonl client.jsonl --html talk.html

To trace a program without this command, set the environment variable
WINSOCK_TRACE to - (standard error) or to a file name. A file name that ends in
.jsonl selects JSON lines, and %p in it is replaced by the process id.

commands that read traces in JSON lines:
{commands}

`python -m winsock.trace COMMAND --help` explains a command. A program that has
the name of a command is run by its path: ./summary.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line; the exit code is that of the program, or 2 for invalid options.

    Errors: SystemExit, and any exception of the program.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in COMMANDS:
        sys.exit(importlib.import_module(f"winsock.trace.{arguments[0]}").main(arguments[1:]))
    parser = _parser()
    options = parser.parse_args(arguments)
    path = Path(options.program)
    if not options.module and not os.path.exists(path):
        parser.error(f"no such file: {options.program!r}")
    if not options.module and os.path.isdir(path) and not (path / "__main__.py").exists():
        parser.error(f"a folder without __main__.py: {options.program!r}")
    if any(is_same_file(options.output, file) for file in _program_files(options.program, options.module)):
        parser.error(f"the trace would replace the program: {printable(options.output)}; write it to another file")
    as_json = options.json or options.output.endswith((".json", ".jsonl"))
    program = [*(["-m"] if options.module else []), options.program, *options.arguments]
    try:
        start(options.output, json=as_json, preview=options.bytes, only=options.calls, argv=program)
    except OSError as error:
        parser.error(f"cannot write the trace to {printable(options.output)}: {error.strerror}")
    run(options.program, options.arguments, options.module)


class _Parser(argparse.ArgumentParser):
    """Prints the help completely. Everything else that goes to standard output is the program's."""

    def print_help(self, file: Any = None) -> None:
        sys.exit(run_command(self.prog, lambda: write_output(self.format_help().rstrip())))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m winsock.trace",
        usage="%(prog)s [options] (PROGRAM.py | -m MODULE) [ARGUMENT ...]\n       %(prog)s COMMAND ...",
        description="Run a program and print each of its Winsock calls in C notation, with the\n"
        "time of day, the thread, the result or error, and the duration in seconds.",
        epilog=_EPILOG.format(commands="\n".join(f"  {name:<9}{what}" for name, what in COMMANDS.items())),
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
        "--bytes",
        type=_count,
        metavar="N",
        help=f"show N bytes of a buffer; default: {PREVIEW}, in JSON lines {JSON_PREVIEW}",
    )
    parser.add_argument(
        "-m", dest="module", action="store_true", help="PROGRAM is the name of a module, as for python -m"
    )
    parser.add_argument("program", metavar="PROGRAM", help="a script, or a module after -m")
    rest = parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="arguments of the program"
    )
    rest.required = False  # it is True in some versions of Python, which then report it as missing
    return parser


def _program_files(program: str, module: bool) -> list[str]:
    """The files that a program in the current folder may consist of, without importing its packages."""
    path = program.replace(".", "/") if module else program
    return [f"{path}.py" if module else path, f"{path}/__init__.py", f"{path}/__main__.py"]


def run(program: str, arguments: Sequence[str], module: bool) -> None:
    """Runs a script or a module as `python PROGRAM` or `python -m PROGRAM` does.

    The module `__main__` stays that of the program: its threads may run after its last line, and so may functions that
    it has registered with atexit.
    """
    sys.argv = [program, *arguments]
    path = os.path.abspath(program)
    # `python -m winsock.trace` has begun the path with the current folder, unless Python has the option -P.
    if not sys.flags.safe_path:
        del sys.path[0]
    if module:
        if not sys.flags.safe_path:
            sys.path.insert(0, str(Path.cwd()))
        spec, code = _module(program)
        sys.argv[0] = str(spec.origin)
        _execute(code, spec.origin, spec.loader, spec)
    elif finder := pkgutil.get_importer(path):  # a folder or a ZIP file
        sys.path.insert(0, path)
        found = finder.find_spec("__main__")
        if found is None or found.loader is None:
            sys.exit(f"python -m winsock.trace: no __main__.py in {printable(path)}")
        _execute(cast(InspectLoader, found.loader).get_code("__main__"), found.origin, found.loader, found)
    else:
        if not sys.flags.safe_path:
            sys.path.insert(0, str(Path(path).resolve().parent))
        compiled = path.endswith(".pyc")
        loader = (SourcelessFileLoader if compiled else SourceFileLoader)("__main__", path)
        data = loader.get_data(path)
        _execute(loader.get_code("__main__") if compiled else loader.source_to_code(data, path), path, loader, None)


def _execute(code: CodeType | None, file: str | None, loader: object, spec: ModuleSpec | None) -> None:
    """Runs code as the module __main__."""
    program = ModuleType("__main__")
    package = spec.parent if spec else None
    vars(program).update(
        __builtins__=builtins, __file__=file, __cached__=None, __loader__=loader, __package__=package, __spec__=spec
    )
    sys.modules["__main__"] = program
    exec(cast(CodeType, code), vars(program))


def _module(name: str) -> tuple[ModuleSpec, CodeType]:
    """The module that `python -m NAME` runs, and its code.

    Errors: SystemExit if there is none.
    """
    spec = _spec(name) if re.fullmatch(r"\w+(\.\w+)*", name) and name != "__main__" else None
    problem = f"No module named {name}"
    if spec is not None and spec.submodule_search_locations is not None:
        spec, problem = _spec(f"{name}.__main__"), f"No module named {name}.__main__; {name} is a package"
    if spec is not None:
        if code := cast(InspectLoader, spec.loader).get_code(spec.name):
            return spec, code
        problem = f"{name} is not written in Python; it cannot be run"
    sys.exit(f"python -m winsock.trace: {printable(problem)}")


def _spec(module: str) -> ModuleSpec | None:
    """Where a module is; None if there is none."""
    try:
        return importlib.util.find_spec(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # a parent package exists and fails to import something else
        return None


def _calls(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in CALLS:
            near = difflib.get_close_matches(name, CALLS, 1)
            advice = f"; did you mean {near[0]}?" if near else f"; the calls are {', '.join(CALLS)}"
            raise argparse.ArgumentTypeError(f"unknown call: {name!r}{advice}")
    return names


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"invalid number of bytes: {text!r}; use a number below 1000000000")
    return int(text)


if __name__ == "__main__":
    main()
