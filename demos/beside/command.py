"""``python -m demos beside FILE``: shows a reader's copy of the article's listings next to the study programs."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from demos.beside.columns import summary, two_columns
from demos.beside.matching import Match, best_match, matches_in
from demos.beside.mql_listings import listings_in
from demos.beside.page import page
from demos.beside.studies import all_studies
from demos.launcher.output_files import check_outputs
from demos.terminal.interfaces import OutputError, ProgramError, TerminalError
from demos.terminal.runtime.log import escaped
from winsock.command_line import printable
from winsock.doctor.source_files import SourceError, decoded, read_source

if TYPE_CHECKING:
    from demos.launcher.option_types import SubParsers

_ALL = "all"
_SOURCES = (".mq5", ".mq4", ".mqh")
_WIDTHS = (60, 240)
_EXAMPLES = """\
examples:
  python -m demos beside SignalServer.mq5
  python -m demos beside SignalServer.mq5 --procedure OnTimer
  python -m demos beside article.html --program tick_server
  python -m demos beside article.html --html beside.html

The page has all programs of FILE, unless --program chooses one. Exit code 0:
shown; 2: an invalid option, or FILE has several programs and --program is
missing; 4: a file that cannot be read or written, or has none of the programs.
"""


class ListingError(TerminalError):
    """A file that cannot be read, or in which none of the article's programs was found."""

    code = 4


def add_parser(subparsers: SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "beside",
        help="show your copy of the article's listings next to the study programs",
        description="Show your copy of the article's listings next to the study programs,\n"
        "procedure by procedure, with what differs and why. FILE is a listing (.mq5,\n"
        "UTF-16, UTF-8 or code page 1252), or the saved article: HTML, Markdown, text.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the listing, or the article with its listings")
    parser.add_argument(
        "--program",
        choices=[*all_studies(), _ALL],
        metavar="NAME",
        help=f"the program to show: {', '.join(all_studies())}, or {_ALL} (default: the only one in FILE)",
    )
    parser.add_argument(
        "--procedure", action="append", default=[], metavar="NAME", help="show only this procedure; may be repeated"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with two columns to this file")


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code. An error is one line on standard error."""
    try:
        check_outputs({"--html": args.html}, {"FILE": args.file})
        if args.html and args.procedure:
            raise ProgramError("--procedure is for the terminal: the page has all procedures")
        matches = _matches(args)
        name = args.file.name
        if args.html:
            _write(args.html, page(matches, name, [list(summary(match, name)) for match in matches]))
        else:
            for line in _comparison(matches, name, args.procedure):
                print(line)
        for match in matches:
            for line in summary(match, name):
                print(textwrap.fill(printable(line), _width()))
        if args.html:
            print(f"wrote {escaped(str(args.html))}")
        sys.stdout.flush()
    except TerminalError as error:
        print(f"python -m demos beside: error: {escaped(str(error))}", file=sys.stderr)
        return error.code
    return 0


def _matches(args: argparse.Namespace) -> list[Match]:
    """The programs to show.

    Errors: ListingError if the file cannot be read or has none of them; ProgramError if the user must choose.
    """
    try:
        text = decoded(read_source(args.file))
    except SourceError as error:
        raise ListingError(f"{args.file}: {error}") from error
    listings = listings_in(text, args.file.suffix.lower() in _SOURCES)
    if args.program in (None, _ALL):
        matches = matches_in(listings)
    else:
        match = best_match(all_studies()[args.program], listings)
        matches = [match] if match else []
    if not matches:
        raise ListingError(_not_found(args, bool(listings)))
    if len(matches) > 1 and not (args.html or args.program):
        names = ", ".join(match.study.name for match in matches)
        raise ProgramError(f"{args.file} has {len(matches)} programs; choose one with --program: {names}, or {_ALL}")
    return matches


def _not_found(args: argparse.Namespace, has_procedures: bool) -> str:
    if not has_procedures:
        return f"{args.file} has no procedures of MQL"
    if args.program in (None, _ALL):
        return f"{args.file} is none of the article's programs; if it is a changed one, name it with --program"
    return f"{args.file} has none of the procedures of {args.program}"


def _comparison(matches: list[Match], name: str, only: list[str]) -> Iterator[str]:
    """The lines of all comparisons.

    Errors: ProgramError if a procedure in `only` is in none of the programs.
    """
    known = {part.name for match in matches for part in match.study.parts}
    known.update(other for match in matches for other in match.additional)
    for procedure in only:
        if procedure not in known:
            raise ProgramError(f"no procedure {procedure!r}: choose from {', '.join(sorted(known))}")
    for match in matches:
        yield from two_columns(match, printable(name), _width(), only)


def _width() -> int:
    """The columns of the terminal, within limits; 80 if the output is not a terminal."""
    return min(max(shutil.get_terminal_size().columns, _WIDTHS[0]), _WIDTHS[1])


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(f"--html {path} cannot be written: {error.strerror}") from error
