"""python -m winsock.doctor: what is wrong with this machine for a client or a server, and what to do."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from winsock.errors import WSAError, WSAErrorDescript

from .advice import advice_for
from .findings import Finding, all_well, as_json, as_text

__all__ = ["main"]

_EPILOG = """\
When a client cannot connect, ask in this order:
  python -m winsock.doctor                      does Winsock work here at all?
  python -m winsock.doctor port 8081            on the server: is the port free, or who holds it?
  python -m winsock.doctor address 192.168.1.5  on the server: is that its address?
  python -m winsock.doctor reach HOST 8081      on the client: does the server answer?

The exit code is 0 when all is well, 1 when something is wrong, 2 for bad options.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks that the command line asks for, print them, and return the exit code.

    Errors: SystemExit, as argparse has it.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name may hold what the terminal's code page lacks: show it escaped rather than fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(argv)
    check: Callable[[argparse.Namespace], list[Finding]] = options.check
    findings = check(options)
    print(as_json(findings) if "json" in options else as_text(findings))
    return 0 if all_well(findings) else 1


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    # Before or behind the command's name; the one behind must not undo the other.
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object for programs")
    parser = argparse.ArgumentParser(
        prog="python -m winsock.doctor",
        description="Check what a client and a server need of this machine; without a command: start-up, backend, and "
        "a round trip by TCP and by UDP on loopback.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    parser.set_defaults(check=_machine)
    commands = parser.add_subparsers(metavar="COMMAND")

    def command(name: str, check: Callable[[argparse.Namespace], list[Finding]], text: str) -> argparse.ArgumentParser:
        own = commands.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False)
        own.set_defaults(check=check)
        return own

    port = command("port", _port, "tell whether a server can have a port, and who holds it")
    port.add_argument("port", type=_port_number, metavar="PORT")
    port.add_argument("--udp", action="store_true", help="the UDP port of that number")
    address = command("address", _address, "tell whether an address is of this machine: a server can bind to it")
    address.add_argument("address", metavar="ADDRESS")
    reach = command("reach", _reach, "connect to a server by TCP, and explain what keeps a client from it")
    reach.add_argument("host", metavar="HOST")
    reach.add_argument("port", type=_port_number, metavar="PORT")
    reach.add_argument("--seconds", type=_seconds, default=5.0, help="how long to wait for an answer; default: 5")
    error = command("error", _error, "tell what a Winsock error means, and what to do")
    error.add_argument("code", metavar="CODE", help="its number or its name, such as 10061 or WSAECONNREFUSED")
    layout = command("layout", _layout, "compare the structures of an MQL program with Winsock's")
    layout.add_argument("file", metavar="FILE", help="MQL source with struct { ... } in it; - is standard input")
    layout.add_argument("--struct", metavar="NAME", help="only this structure")
    layout.add_argument("--bits", type=int, choices=(32, 64), default=64, help="of the terminal; default: 64")
    return parser


def _port_number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"a time is a number of seconds up to 3600, not {text!r}")
    return seconds


def _with_winsock(checks: Callable[[], list[Finding]]) -> list[Finding]:
    """Findings of what needs Winsock started; why it does not start, where that is what is wrong."""
    from winsock import WSACleanup

    from .checks import start

    started = start()
    if not started.ok:
        return [started]
    try:
        return [started, *checks()]
    finally:
        WSACleanup()


def _machine(options: argparse.Namespace) -> list[Finding]:
    from .checks import machine

    return _with_winsock(machine)


def _port(options: argparse.Namespace) -> list[Finding]:
    from .holders import check_port

    return _with_winsock(lambda: [check_port(options.port, "UDP" if options.udp else "TCP")])


def _address(options: argparse.Namespace) -> list[Finding]:
    from .checks import address_is_local

    return _with_winsock(lambda: [address_is_local(options.address)])


def _reach(options: argparse.Namespace) -> list[Finding]:
    from .checks import reach

    return _with_winsock(lambda: reach(options.host, options.port, options.seconds))


def _error(options: argparse.Namespace) -> list[Finding]:
    text = options.code
    if text.isdecimal():
        code = int(text)
    elif text in WSAError.__members__:
        code = int(WSAError[text])
    else:
        return [Finding(False, "error", f"Winsock has no error {text!r}", "Give its number or its name.")]
    known = code in set(WSAError)
    return [Finding(None if known else False, "error", WSAErrorDescript(code), advice_for(code), {"error": code})]


def _layout(options: argparse.Namespace) -> list[Finding]:
    from .layout import compare

    name = "standard input" if options.file == "-" else options.file
    try:
        source = sys.stdin.read() if options.file == "-" else Path(options.file).read_bytes()
    except OSError as error:
        return [Finding(False, name, f"can't be read: {error.strerror}")]
    return compare(_decoded(source) if isinstance(source, bytes) else source, name, options.bits, options.struct)


def _decoded(source: bytes) -> str:
    """MetaEditor saves UTF-16 with a mark, UTF-8, or the machine's code page; names and types are ASCII in each."""
    if source[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return source.decode("utf-16", "replace")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError:
        return source.decode("latin-1")


if __name__ == "__main__":
    sys.exit(main())
