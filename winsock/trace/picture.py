"""python -m winsock.trace picture: the traces of programs that talked to each other, as one timeline."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from .mermaid import MOST_CHARACTERS, sequence_diagram
from .page import page
from .timeline import TraceError, read_lanes, timeline

_EPILOG = """\
example:
  python -m winsock.trace --json -o server.jsonl server.py        (in one terminal)
  python -m winsock.trace --json -o client.jsonl client.py        (in another one)
  python -m winsock.trace picture server.jsonl client.jsonl --html talk.html

Open the HTML file in a browser: it needs nothing else. Arrows are found by the addresses of connect, accept, bind and
sendto, streams byte by byte, datagrams by sender and content. Calls in a row that found nothing to do are one mark.
"""


def main(arguments: Sequence[str]) -> int:
    """Draw; the exit code is 0, or 2 for bad options or files.

    Errors: SystemExit, as argparse has it.
    """
    parser = argparse.ArgumentParser(
        prog="python -m winsock.trace picture",
        description="Draw what several programs said to each other, from their traces in JSON lines: a lane a program, "
        "calls as marks with their results, data as arrows, time downwards.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("traces", nargs="+", metavar="[NAME=]FILE", help="a trace; NAME is what its lane is called")
    parser.add_argument("--html", type=Path, metavar="FILE", help="a page to zoom, filter and hover")
    parser.add_argument(
        "--mermaid", metavar="FILE", help="a sequence diagram, in a code block if FILE ends in .md; - is the output"
    )
    parser.add_argument(
        "--all", action="store_true", help="in the diagram, also calls that found nothing, and htons ..."
    )
    parser.add_argument("--title", default="", help="the page's title")
    options = parser.parse_args(arguments)
    try:
        lanes = [lane for trace in options.traces for lane in read_lanes(*_file_and_name(trace))]
        if not any(lane.records for lane in lanes):
            raise TraceError("there is no call in " + ", ".join(options.traces))
        drawn = timeline(lanes)
        if options.html:
            title = options.title or " and ".join(lane.name for lane in drawn.lanes)
            options.html.write_text(page(drawn, title), encoding="utf-8")
        if options.mermaid or not options.html:
            _write_diagram(sequence_diagram(drawn, options.all), options.mermaid or "-")
    except TraceError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    where = " and ".join(str(name) for name in (options.html, options.mermaid) if name and name != "-")
    calls = sum(event.count for event in drawn.events)
    print(
        f"{len(drawn.lanes)} programs, {calls} calls, {len(drawn.arrows)} arrows{f': {where}' if where else ''}",
        file=sys.stderr,
    )
    return 0


def _file_and_name(text: str) -> tuple[Path, str | None]:
    match = re.fullmatch(r"([^=/\\]+)=(.+)", text)
    return (Path(match[2]), match[1]) if match and not Path(text).exists() else (Path(text), None)


def _write_diagram(diagram: str, target: str) -> None:
    if len(diagram) > MOST_CHARACTERS:
        print(
            f"The diagram has {len(diagram)} characters; most viewers draw no more than {MOST_CHARACTERS}. "
            "--html draws all, --calls makes shorter traces.",
            file=sys.stderr,
        )
    if target == "-":
        sys.stdout.buffer.write(diagram.encode())
        sys.stdout.flush()
    else:
        text = f"```mermaid\n{diagram}```\n" if target.endswith(".md") else diagram
        Path(target).write_text(text, encoding="utf-8", newline="\n")
