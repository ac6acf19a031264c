"""The reader's listing and our program as one HTML page: two columns, procedure by procedure, and the errata.

The page needs no other files and has no scripts. Everything from the reader's file is escaped.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from html import escape
from pathlib import Path

from demos.beside.matching import Match
from demos.beside.mql_listings import OPAQUE, Lines
from demos.beside.studies import DECLARATIONS, ERRATUM, Part, Study, all_errata
from winsock.command_line import printable

__all__ = ["page"]

_CSS = Path(__file__).with_name("page.css")
# The text of the cells: code, or a number of an erratum.
_MARKS = re.compile(rf"`([^`]*)`|({ERRATUM.pattern})")


def page(matches: list[Match], name: str, summaries: list[list[str]]) -> str:
    """The page of the programs that were found in a file; `summaries` are the lines about each."""
    name = escape(printable(name))
    errata = sorted(
        {number for match in matches for part in match.study.parts for number in part.errata},
        key=lambda number: (number[0], int(number[1:])),
    )
    body = "".join(_program(match, name, lines) for match, lines in zip(matches, summaries, strict=True))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{name} and the study programs</title>\n<style>\n{_CSS.read_text(encoding='utf-8')}</style>\n</head>\n"
        f"<body>\n<h1>{name} and the study programs</h1>\n{_contents(matches)}{body}{_errata(errata)}</body>\n</html>\n"
    )


def _contents(matches: list[Match]) -> str:
    links = [f'<li><a href="#{match.study.name}">{match.study.name}</a></li>' for match in matches]
    links.append('<li><a href="#errata">errata</a></li>')
    return (
        "<p>Left: your file. Right: our program. A comment with a number, such as <code># H1</code>, marks a line that "
        "corrects a defect of the original; such a line has another background.</p>\n"
        f"<nav><ul>{''.join(links)}</ul></nav>\n"
    )


def _program(match: Match, name: str, summary: list[str]) -> str:
    study, theirs = match.study, match.theirs
    links = [f'<li><a href="#{_anchor(study, part.name)}">{part.name}</a></li>' for part in study.parts]
    parts = []
    for part in study.parts:
        if part.name == DECLARATIONS:
            listed = match.listing.declarations
        else:
            listed = theirs[part.name].lines if part.name in theirs else []
        ours = _figure(study.file, _python_rows(study, part), "Not found in our program.")
        absent = "This procedure is not in the listing." if part.is_ours_alone else "Not found in your file."
        parts.append(
            f'<h3 id="{_anchor(study, part.name)}">{part.name}</h3>\n{_explanation(study, part)}<div class="columns">\n'
            f"{_figure(name, _mql_rows(listed), absent)}{ours}</div>\n"
        )
    for other in match.additional:
        parts.append(
            f'<h3>{escape(other)}</h3>\n<p class="place">Only in your file.</p>\n'
            f'<div class="columns">\n{_figure(name, _mql_rows(theirs[other].lines), "")}</div>\n'
        )
    found = "".join(f"<p>{escape(printable(line))}</p>\n" for line in summary)
    return (
        f'<h2 id="{study.name}">{study.name}: {escape(study.listing)}</h2>\n{found}'
        f"<nav><ul>{''.join(links)}</ul></nav>\n{''.join(parts)}"
    )


def _explanation(study: Study, part: Part) -> str:
    place = f'<p class="place">Procedure {part.position} of {study.procedures} in the listing</p>\n'
    return (
        f"{place if part.position else ''}<p><b>What it does.</b> {_marked(part.does)}</p>\n"
        f"<p><b>What differs.</b> {_marked(part.differs)}</p>\n"
    )


def _marked(markdown: str) -> str:
    """A text of a table as HTML, with a link for each number of an erratum."""

    def replaced(mark: re.Match[str]) -> str:
        return f"<code>{mark[1]}</code>" if mark[2] is None else _link(mark[2])

    return _MARKS.sub(replaced, escape(markdown.replace("\\|", "|"), quote=False))


def _link(number: str) -> str:
    return f'<a href="#{number}">{number}</a>'


def _figure(caption: str, rows: str, absent: str) -> str:
    content = f"<pre>{rows}</pre>" if rows else f'<p class="absent">{absent}</p>'
    return f"<figure><figcaption>{caption}</figcaption>{content}</figure>\n"


def _row(number: int, html: str, marked: bool = False) -> str:
    return f'<span class="row{" marked" if marked else ""}" data-line="{number or ""}">{html}\n</span>'


def _mql_rows(lines: Lines) -> str:
    """The lines of the reader's file as HTML, with comments and strings in colors."""
    text = "\n".join(printable(line) for _, line in lines)
    spans = [(found.start(), found.end(), "c" if found[1] else "s") for found in OPAQUE.finditer(text)]
    colored = "".join(_colored(text, spans)).split("\n")
    return "".join(_row(number, html) for (number, _), html in zip(lines, colored, strict=True)) if lines else ""


def _python_rows(study: Study, part: Part) -> str:
    """The lines of our program as HTML; a line with the number of an erratum in a comment is marked."""
    lines = study.code(part)
    if not lines:
        return ""
    text = "\n".join(line for _, line in lines)
    starts = [0]
    for _, line in lines:
        starts.append(starts[-1] + len(line) + 1)
    spans, marked = [], set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            begin, end = (starts[row - 1] + column for row, column in (token.start, token.end))
            spans.append((begin, end, "c" if token.type == tokenize.COMMENT else "s"))
            if token.type == tokenize.COMMENT and ERRATUM.search(token.string):
                marked.add(token.start[0])
    colored = "".join(_colored(text, spans)).split("\n")
    return "".join(
        _row(number, ERRATUM.sub(lambda found: _link(found[0]), html) if index in marked else html, index in marked)
        for index, ((number, _), html) in enumerate(zip(lines, colored, strict=True), 1)
    )


def _colored(text: str, spans: list[tuple[int, int, str]]) -> Iterator[str]:
    """The text as HTML, with an element for each line of a span."""
    position = 0
    for begin, end, kind in spans:
        yield _escaped(text[position:begin])
        inside = _escaped(text[begin:end]).split("\n")
        yield "\n".join(f'<span class="{kind}">{line}</span>' for line in inside)
        position = end
    yield _escaped(text[position:])


def _escaped(code: str) -> str:
    """Code as HTML, which in a narrow window continues on the next line after a bracket or a comma."""
    return re.sub(r"([(,])(?=\S)", r"\1<wbr>", escape(code, quote=False))


def _errata(numbers: list[str]) -> str:
    rows = "".join(
        f'<tr id="{number}"><td>{number}</td><td>{_marked(all_errata()[number].original)}</td>'
        f"<td>{_marked(all_errata()[number].study)}</td></tr>\n"
        for number in numbers
    )
    return (
        '<h2 id="errata">Errata</h2>\n<table>\n<thead><tr><th></th><th>the original</th><th>our program</th></tr>'
        f"</thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    )


def _anchor(study: Study, name: str) -> str:
    return f"{study.name}-{name.replace(' ', '-')}"
