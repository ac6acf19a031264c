"""``python -m demos``: the demos' command line. Each subcommand is a module, imported only when it is used."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import io
import sys
from collections.abc import Sequence
from errno import EINVAL

from demos.launcher.final_line import write_final_line
from demos.registry import SUBCOMMANDS

_UNWRITABLE = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code: 0, 1 unequal results, 2 options, 3 network, 4 data or account.

    Errors: SystemExit with 2 after a bad option, with 0 after --help.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # The terminal's code page may lack a letter of a symbol or a path: show it escaped instead of failing.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser = _parser(arguments)
    try:
        try:
            args = parser.parse_args(arguments)
            code: int = args.main(args)
        finally:
            # Python flushes at exit as well, but would report a failure there in its own way.
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        # The error of a file has its name, that of a stream has none.
        if error.filename is not None:
            raise
        if _only_shows_text(arguments) and _reader_is_gone(error):
            write_final_line("")
            return 0
        write_final_line(f"{parser.prog}: error: standard output cannot be written: {error.strerror}\n")
        return _UNWRITABLE
    return code


def _only_shows_text(arguments: Sequence[str]) -> bool:
    """Whether a reader such as ``head`` may close the pipe when it has read enough: `list`, and any --help."""
    return arguments[:1] == ["list"] or not {"-h", "--help"}.isdisjoint(arguments)


def _reader_is_gone(error: OSError) -> bool:
    # On Windows a write to a pipe that nobody reads is an invalid argument.
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == EINVAL)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of all subcommands; only the one that the arguments name is imported."""
    parser = argparse.ArgumentParser(
        prog="python -m demos",
        description="Run the study programs (ports of the article's programs) and the product programs.",
        epilog="`python -m demos list` lists the programs; `python -m demos run PROGRAM --help` shows one's inputs.",
        allow_abbrev=False,
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, subcommand in SUBCOMMANDS.items():
        if importlib.util.find_spec(subcommand.module) is None:
            continue
        if name == chosen:
            module = importlib.import_module(subcommand.module)
            module.add_parser(subparsers)
            subparsers.choices[name].set_defaults(main=module.main)
        else:
            subparsers.add_parser(name, help=subcommand.help)
    return parser


if __name__ == "__main__":
    sys.exit(main())
