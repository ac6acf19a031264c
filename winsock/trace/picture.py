"""python -m winsock.trace picture: draws the traces of several programs as one timeline."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from winsock.command_line import is_same_file, printable, run_command, write_output

from .mermaid import MAX_CHARACTERS, sequence_diagram
from .page import page
from .rendering import counted
from .timeline import Timeline, timeline
from .trace_arguments import TRACE, TRACE_HELP, failed, read_traces, replaces_source, replaces_trace, write_file
from .trace_files import TraceError

_PROG = "python -m winsock.trace picture"
_EPILOG = """\
example:
  python -m winsock.trace -o server.jsonl server.py  # in one terminal
  python -m winsock.trace -o client.jsonl client.py  # in another one
  python -m winsock.trace picture server.jsonl client.jsonl --html talk.html

Open the HTML file in a browser; it needs no other files. An arrow connects a
send with the receive of the same bytes: connections and datagrams are matched
by their addresses, streams by the position of each byte. Consecutive calls that
found nothing to do (WSAEWOULDBLOCK, or a select that returned 0) are drawn as
one mark. Without --html and --mermaid a diagram is written to standard output.

Exit code 0: the picture is drawn; 2: invalid options, a file that cannot be
read or is not a trace, or output that cannot be written.
"""


def main(arguments: Sequence[str]) -> int:
    """Draws the picture; returns the exit code.

    Errors: SystemExit with code 2 for invalid options.
    """
    return run_command(_PROG, lambda: _draw(_parser().parse_args(arguments)))


def _draw(options: argparse.Namespace) -> int:
    if conflict := _conflict(options):
        return failed(_PROG, conflict)
    try:
        lanes = read_traces(options.traces)
        for target in (options.html, options.mermaid):
            if target and target != "-" and replaces_source(target, lanes):
                return failed(_PROG, f"{target}: the picture would replace the program; write it to another file")
        drawn = timeline(lanes, unfinished=True)
        if options.html:
            title = options.title or " and ".join(lane.name for lane in drawn.lanes)
            write_file(options.html, page(drawn, printable(title)).encode())
        if options.mermaid or not options.html:
            _write_diagram(sequence_diagram(drawn, options.all), options.mermaid or "-")
    except TraceError as error:
        return failed(_PROG, str(error))
    except OSError as error:
        if error.filename is None:
            raise  # of standard output
        return failed(_PROG, f"{error.filename}: cannot be written: {error.strerror}")
    files = " and ".join(str(name) for name in (options.html, options.mermaid) if name and name != "-")
    calls = sum(event.count for event in drawn.events)
    counts = ((len(drawn.lanes), "program"), (calls, "call"), (len(drawn.arrows), "arrow"))
    summary = ", ".join(counted(number, noun) for number, noun in counts)
    print(printable(f"{summary}; written to {files}" if files else summary), file=sys.stderr)
    if hint := _hint(drawn):
        print(hint, file=sys.stderr)
    return 0


def _hint(drawn: Timeline) -> str:
    """Why no arrow connects the calls that sent and received data; "" if there is no reason to expect one."""
    calls = {event.call for event in drawn.events}
    datagrams = any(event.record["args"].get("type") == "SOCK_DGRAM" for event in drawn.events)
    missing = [call for call in ("connect", "accept") if call not in calls]
    if drawn.arrows or len(drawn.lanes) < 2 or datagrams or not missing or not calls & {"send", "recv"}:
        return ""
    return (
        f"No arrows: the traces have no call of {' or '.join(missing)}, so it is unknown which sockets were "
        "connected.\nWith --calls, trace socket, connect and accept too."
    )


def _conflict(options: argparse.Namespace) -> str:
    """The message if the output would replace a trace or the other output, or is none; "" if all is well."""
    html, mermaid = options.html, options.mermaid if options.mermaid != "-" else None
    if str(html) == "-":
        return "-: the page is not written to standard output; name a file"
    for target in (html, mermaid):
        if target and replaces_trace(target, options.traces):
            return f"{target}: the picture would replace the trace; write it to another file"
    if html and mermaid and is_same_file(html, mermaid):
        return f"{mermaid}: the diagram would replace the page; write it to another file"
    return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description="Draw the communication of several programs, from their traces in JSON lines.\n"
        "Each program is a lane, each call a mark with its result, and data that was\n"
        "sent and received an arrow. Time runs downwards.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("traces", nargs="+", metavar=TRACE, help=TRACE_HELP)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write an interactive page: search, filters, details")
    parser.add_argument(
        "--mermaid",
        metavar="FILE",
        help="write a Mermaid sequence diagram, in a code block if FILE ends in .md; - is standard output, the default "
        "without --html",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="in the diagram, include calls that found nothing to do, and conversions such as htons",
    )
    parser.add_argument("--title", default="", help="title of the page; default: the names of the programs")
    return parser


def _write_diagram(diagram: str, target: str) -> None:
    if len(diagram) > MAX_CHARACTERS:
        print(
            f"The diagram has {len(diagram)} characters; most viewers draw at most {MAX_CHARACTERS}. Use --html, or "
            "trace fewer calls with --calls.",
            file=sys.stderr,
        )
    if target == "-":
        # UTF-8 on every system, as in a file: a redirected diagram is for other programs.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        write_output(diagram.removesuffix("\n"))
    else:
        text = f"```mermaid\n{diagram}```\n" if target.endswith(".md") else diagram
        write_file(target, text.encode())
