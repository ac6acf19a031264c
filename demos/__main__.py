"""``python -m demos``: the demos' command line. Each subcommand is a module, imported only when it is used.

Importing takes a moment. So this module imports what it needs in functions: Ctrl-C is one line from the beginning.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import signal
import sys
from collections.abc import Sequence

_PROG = "python -m demos"
_UNWRITABLE = 4

# What follows the name of a subcommand in the commands that change nothing.
_LISTS: dict[str, Sequence[list[str]]] = {
    "copier": (["check"], ["explain"], ["journal"]),
    "provider": (["bans"], ["check"], ["user", "list"], ["user", "token", "list"]),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code: 0, 1 unequal results, 2 options, 3 network, 4 data or account.

    Errors: SystemExit with 2 after a bad option, with 0 after --help.
    """
    from winsock.command_line import run_command

    arguments = list(sys.argv[1:] if argv is None else argv)

    def run() -> int:
        args, unknown = _parser(arguments).parse_known_args(arguments)
        if unknown:
            shown = (
                ": " + " ".join(unknown)
                if getattr(args, "shows_unknown", True)
                else f": {len(unknown)}, not shown: one may be a password"
            )
            args.usage_error(f"unrecognized arguments{shown}")
        code: int = args.main(args)
        return code

    return run_command(_PROG, run, unwritable=_UNWRITABLE, reader_may_stop=_only_shows_text(arguments))


def _only_shows_text(arguments: Sequence[str]) -> bool:
    """Whether a reader such as ``head`` may close the pipe when it has read enough.

    That is the case for `list`, for `beside` without a page and for `collected` without files to write, for the lists
    and checks of `provider` and `copier`, and for every --help.
    """
    if arguments[:1] == ["beside"]:
        return not any(argument.startswith("--html") for argument in arguments)
    if arguments[:1] == ["collected"]:
        return not any(argument.startswith(("--export", "--picture")) for argument in arguments)
    if any(arguments[1 : 1 + len(words)] == words for words in _LISTS.get("".join(arguments[:1]), ())):
        return True
    return arguments[:1] == ["list"] or not {"-h", "--help"}.isdisjoint(arguments)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of all subcommands; only the one that the arguments name is imported."""
    from demos.registry import SUBCOMMANDS

    parser = argparse.ArgumentParser(
        prog=_PROG,
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
            chosen_parser = subparsers.choices[name]
            chosen_parser.set_defaults(main=module.main, usage_error=chosen_parser.error)
        else:
            subparsers.add_parser(name, help=subcommand.help)
    return parser


def run_process() -> int:
    """main() as a process of its own: Ctrl-C at any time is at most one line, and the exit code 130."""
    try:
        return main()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from winsock.command_line import INTERRUPTED, write_final_line

        write_final_line(f"{_PROG}: interrupted\n")
        return INTERRUPTED
    finally:
        # What is left is the end of the interpreter, which would print a traceback.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(run_process())
