"""python -m winsock.trace export: writes the traces of several programs in the formats of other tools."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from errno import EBADF

from winsock.command_line import is_same_file, printable, run_command

from .packets import capture
from .perfetto import perfetto
from .rendering import counted
from .timeline import timeline
from .trace_arguments import TRACE, TRACE_HELP, failed, read_traces, replaces_source, replaces_trace, write_file
from .trace_files import TraceError

_PROG = "python -m winsock.trace export"
_EPILOG = """\
example:
  python -m winsock.trace -o server.jsonl server.py  # in one terminal
  python -m winsock.trace -o client.jsonl client.py  # in another one
  python -m winsock.trace export server.jsonl client.jsonl --pcapng talk.pcapng

--pcapng writes a capture for Wireshark. Each program is an interface, and each
packet has the text of its call as comment. The packets are those that the calls
stand for, not those of a network: a call that sends is a packet with its data,
a call that receives is an ACK. There are no retransmissions in it, and each
packet has the time of its call.

--perfetto writes a file for https://ui.perfetto.dev or chrome://tracing. Each
program is a process, each call a bar, each arrow of the picture a flow.

FILE can be - for standard output:
  python -m winsock.trace export a.jsonl --pcapng - | wireshark -k -i -

Exit code 0: all files are written; 2: invalid options, a file that cannot be
read or is not a trace, or a file that cannot be written.
"""


def main(arguments: Sequence[str]) -> int:
    """Writes the files; returns the exit code.

    Errors: SystemExit with code 2 for invalid options.
    """
    return run_command(_PROG, lambda: _export(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG,
        description="Write the traces of several programs for Wireshark or Perfetto.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("traces", nargs="+", metavar=TRACE, help=TRACE_HELP)
    parser.add_argument("--pcapng", metavar="FILE", help="write a capture that Wireshark opens")
    parser.add_argument("--perfetto", metavar="FILE", help="write Chrome trace JSON, which Perfetto opens")
    return parser


def _export(options: argparse.Namespace) -> int:
    if conflict := _conflict(options):
        return failed(_PROG, conflict)
    try:
        lanes = read_traces(options.traces)
        for file in (options.pcapng, options.perfetto):
            if file and file != "-" and replaces_source(file, lanes):
                return failed(_PROG, f"{file}: the export would replace the program; write it to another file")
        whole = timeline(lanes, fold=False, unfinished=True)
        if options.pcapng:
            packets = capture(whole)
            _write(options.pcapng, packets.data)
            _report(f"{counted(packets.packets, 'packet')} written to {options.pcapng}{_left_out(packets.left_out)}")
        if options.perfetto:
            _write(options.perfetto, perfetto(whole).encode())
            counts = f"{counted(len(whole.events), 'call')} and {counted(len(whole.arrows), 'arrow')}"
            _report(f"{counts} written to {options.perfetto}")
    except TraceError as error:
        return failed(_PROG, str(error))
    except OSError as error:
        if error.filename is None:
            raise  # of standard output
        return failed(_PROG, f"{error.filename}: cannot be written: {error.strerror}")
    return 0


def _conflict(options: argparse.Namespace) -> str:
    """The message if the options do not say what to write, or if a file would be replaced; "" if all is well."""
    files = [file for file in (options.pcapng, options.perfetto) if file]
    if not files:
        return "no format; use --pcapng FILE or --perfetto FILE"
    for file in files:
        if file != "-" and replaces_trace(file, options.traces):
            return f"{file}: the export would replace the trace; write it to another file"
    if len(files) == 2 and (files == ["-", "-"] or is_same_file(*files)):
        return f"{files[1]}: one export would replace the other; write it to another file"
    return ""


def _write(target: str, data: bytes) -> None:
    """Writes a file or standard output.

    Errors: OSError, with the name of the file unless it is standard output.
    """
    if target != "-":
        write_file(target, data)
    elif sys.stdout is None:
        raise OSError(EBADF, "it is closed")
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def _report(text: str) -> None:
    print(printable(text), file=sys.stderr)


def _left_out(calls: Counter[str]) -> str:
    return "".join(f"; {counted(number, 'call')} left out: {reason}" for reason, number in sorted(calls.items()))
