"""``python -m demos beside FILE``: shows a reader's copy of the article's listings next to the study programs."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from demos.beside.columns import summary, two_columns
from demos.beside.matching import Match, best_match, matches_in, nearest
from demos.beside.mql_listings import Listing, listings_in
from demos.beside.page import page
from demos.beside.studies import all_studies, study_names
from demos.launcher.output_files import check_outputs
from demos.terminal.interfaces import OutputError, ProgramError, TerminalError
from demos.terminal.runtime.log import escaped
from winsock.command_line import printable
from winsock.doctor.source_files import SourceError, decoded, read_source

if TYPE_CHECKING:
    from demos.launcher.option_types import SubParsers

_SOURCES = (".mq5", ".mq4", ".mqh")
_WIDTHS = (60, 240)
# A header for Winsock's DLL, which declares its functions.
_HEADER = re.compile(r'^[ \t]*#import\s{1,100}"ws2_32', re.IGNORECASE | re.MULTILINE)
# A page that a browser has saved as a single file; its lines are encoded.
_ARCHIVE = re.compile(r"^MIME-Version:.*multipart/related", re.IGNORECASE | re.MULTILINE | re.DOTALL)
_EXAMPLES = """\
examples:
  python -m demos beside SignalServer.mq5
  python -m demos beside SignalServer.mq5 --procedure OnTimer
  python -m demos beside article.html --program tick_server
  python -m demos beside article.html --html beside.html

All programs of FILE are shown, unless --program chooses one. Exit code 0:
shown; 2: an invalid option; 4: a file that cannot be read or written, or has
none of the programs.
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
        "procedure by procedure, with what differs and why. FILE is a listing (.mq5),\n"
        "or the saved article: HTML, Markdown, text. It is in UTF-8, in UTF-16 with a\n"
        "byte order mark, or in code page 1252.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the listing, or the article with its listings")
    parser.add_argument(
        "--program",
        choices=study_names(),
        metavar="NAME",
        help=f"show only this program: {', '.join(study_names())} (default: all in FILE)",
    )
    parser.add_argument(
        "--procedure", action="append", default=[], metavar="NAME", help="show only this procedure; may be repeated"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with two columns to this file")


def main(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code. An error is one line on standard error."""
    try:
        check_outputs({"--html": args.html}, {"FILE": args.file, **_files()})
        if args.html and args.procedure:
            raise ProgramError("--procedure is for the terminal: the page has all procedures")
        matches, not_shown = _matches(args)
        name = args.file.name
        if args.html:
            _write(args.html, page(matches, name, [list(summary(match, name)) for match in matches]))
        else:
            for line in _comparison(matches, name, args.procedure):
                print(line)
        for line in (*(line for match in matches for line in summary(match, name)), *_about(not_shown, name)):
            print(textwrap.fill(printable(line), _width()))
        if args.html:
            print(f"wrote {escaped(str(args.html))}")
    except TerminalError as error:
        print(f"python -m demos beside: error: {escaped(str(error))}", file=sys.stderr)
        return error.code
    return 0


def _files() -> dict[str, Path]:
    """The files of the clone that are shown: the study programs, and the READMEs with their explanations."""
    studies = all_studies().values()
    return {study.name: study.path for study in studies} | {f"{study.name}'s README": study.readme for study in studies}


def _matches(args: argparse.Namespace) -> tuple[list[Match], list[Listing]]:
    """The programs to show, and those that are not shown because they are not recognized.

    Errors: ListingError if the file cannot be read or has none of them.
    """
    try:
        text = decoded(read_source(args.file))
    except SourceError as error:
        raise ListingError(f"{args.file}: {error}") from error
    if _ARCHIVE.search(text, 0, 2000):
        raise ListingError(f"{args.file} is a web archive (MHTML): save the page as HTML")
    listings = listings_in(text, args.file.suffix.lower() in _SOURCES)
    if args.program:
        match = best_match(all_studies()[args.program], listings)
        if match is None:
            raise ListingError(f"{args.file} has none of the procedures of {args.program}")
        return [match], []
    matches = matches_in(listings)
    if not matches:
        raise ListingError(f"{args.file} {_problem(text, listings)}")
    return matches, _not_shown(matches, listings)


def _not_shown(matches: list[Match], listings: list[Listing]) -> list[Listing]:
    """The programs that have no procedure of the matches; each once, also if it is in several listings."""
    seen = {procedure.lines[-1] for match in matches for procedure in match.listing.procedures}
    found = []
    for listing in listings:
        ends = {procedure.lines[-1] for procedure in listing.procedures}
        if listing.is_program and not seen & ends:
            found.append(listing)
            seen |= ends
    return found


def _problem(text: str, listings: list[Listing]) -> str:
    """What a file is in which no program was recognized, and what to do."""
    if _HEADER.search(text) and not any(listing.is_program for listing in listings):
        return (
            "is a header, not a program: notes/listing.md compares the article's header with winsock, and "
            "`python -m winsock.doctor layout FILE` checks any header"
        )
    if not listings:
        return "has no procedures of MQL: FILE must be a listing (.mq5), or the saved article"
    match = nearest(listings)
    names = ", ".join(study_names())
    if match is None:
        return f"has no procedure of the article's programs: {names}"
    study = match.study
    found = study.procedures - len(match.missing)
    return (
        f"is not recognized as one of the article's programs. The nearest one is {study.name} ({found} of its "
        f"{study.procedures} procedures). Choose one with --program: {names}"
    )


def _about(not_shown: list[Listing], name: str) -> Iterator[str]:
    """A line for each program of a file that is not shown."""
    for listing in not_shown:
        number = (listing.declarations or listing.procedures[0].lines)[0][0]
        yield f"Not shown, because not recognized or a second copy: the program at line {number} of {name}"


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
