"""``python -m demos``: the demos' command line. Each subcommand is a module, imported only when it is used."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence

from demos.registry import SUBCOMMANDS
from winsock.command_line import run_command

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
    arguments = list(sys.argv[1:] if argv is None else argv)

    def run() -> int:
        args = _parser(arguments).parse_args(arguments)
        code: int = args.main(args)
        return code

    return run_command("python -m demos", run, unwritable=_UNWRITABLE, reader_may_stop=_only_shows_text(arguments))


def _only_shows_text(arguments: Sequence[str]) -> bool:
    """Whether a reader such as ``head`` may close the pipe when it has read enough.

    That is the case for `list`, for `collected` without files to write, for the lists and checks of `provider` and
    `copier`, and for every --help.
    """
    if arguments[:1] == ["collected"]:
        return not any(argument.startswith(("--export", "--picture")) for argument in arguments)
    if any(arguments[1 : 1 + len(words)] == words for words in _LISTS.get("".join(arguments[:1]), ())):
        return True
    return arguments[:1] == ["list"] or not {"-h", "--help"}.isdisjoint(arguments)


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
