"""The command line of python -m winsock.doctor."""

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
If a client cannot connect, run these commands in this order:
  python -m winsock.doctor
      on both machines: does Winsock work?
  python -m winsock.doctor port 8081
      on the server: is the port free, or which process uses it?
  python -m winsock.doctor address 192.168.1.5
      on the server: is this an address of the machine?
  python -m winsock.doctor reach HOST 8081
      on the client: does the server answer?

Exit code 0: everything is fine; 1: something is wrong; 2: invalid options.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the checks that the command line selects, prints the findings, and returns the exit code.

    Errors: SystemExit for invalid options and after --help.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The terminal's code page may lack a character of a name: print it escaped instead of failing.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(argv)
    check: Callable[[argparse.Namespace], list[Finding]] = options.check
    findings = check(options)
    print(as_json(findings) if "json" in options else as_text(findings))
    return 0 if all_well(findings) else 1


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    # --json may stand before or after the command. SUPPRESS keeps the second parser from resetting the first value.
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")
    parser = argparse.ArgumentParser(
        prog="python -m winsock.doctor",
        description="Diagnose why a client cannot reach its server. Without a command: check\n"
        "WSAStartup, the backend, and TCP and UDP round trips on loopback.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    parser.set_defaults(check=_machine)
    _add_commands(parser, common)
    return parser


def _add_commands(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND")

    def command(name: str, check: Callable[[argparse.Namespace], list[Finding]], text: str) -> argparse.ArgumentParser:
        own = commands.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False)
        own.set_defaults(check=check)
        return own

    port = command("port", _port, "check whether a server can bind to a port, and show which process uses it")
    port.add_argument("port", type=_port_number, metavar="PORT", help="number of the port")
    port.add_argument("--udp", action="store_true", help="check the UDP port instead of the TCP port")
    address = command(
        "address", _address, "check whether an address belongs to this machine, so that a server can bind to it"
    )
    address.add_argument("address", metavar="ADDRESS", help="an IPv4 or IPv6 address")
    reach = command("reach", _reach, "connect to a TCP server, and explain why if that fails")
    reach.add_argument("host", metavar="HOST", help="name or address of the server")
    reach.add_argument("port", type=_port_number, metavar="PORT", help="port of the server")
    reach.add_argument("--seconds", type=_seconds, default=5.0, help="time limit of the connection; default: 5")
    error = command("error", _error, "explain a Winsock error, and what to do about it")
    error.add_argument("code", metavar="CODE", help="number or name of the error, such as 10061 or WSAECONNREFUSED")
    layout = command("layout", _layout, "compare the structures in MQL source with Winsock's")
    layout.add_argument("file", metavar="FILE", help="a file of MQL source; - is standard input")
    layout.add_argument("--struct", metavar="NAME", help="compare only this structure")
    layout.add_argument(
        "--bits", type=int, choices=(32, 64), default=64, help="width of the MetaTrader terminal; default: 64"
    )


def _port_number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"invalid port: {text!r}; use a number from 1 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"invalid time: {text!r}; use a number of seconds up to 3600")
    return seconds


def _with_winsock(checks: Callable[[], list[Finding]]) -> list[Finding]:
    """Runs checks between WSAStartup and WSACleanup; if WSAStartup fails, that is the only finding."""
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
    from .ports import check_port

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
        return [Finding(False, "error", f"unknown Winsock error: {text!r}", "Use a number such as 10061 or a name.")]
    known = code in set(WSAError)
    return [Finding(None if known else False, "error", WSAErrorDescript(code), advice_for(code), {"error": code})]


def _layout(options: argparse.Namespace) -> list[Finding]:
    from .layout import compare

    name = "standard input" if options.file == "-" else options.file
    try:
        source = sys.stdin.read() if options.file == "-" else Path(options.file).read_bytes()
    except OSError as error:
        return [Finding(False, name, f"cannot be read: {error.strerror}")]
    return compare(_decoded(source) if isinstance(source, bytes) else source, name, options.bits, options.struct)


def _decoded(source: bytes) -> str:
    """Decodes what MetaEditor saves: UTF-16 with a byte order mark, UTF-8, or an 8-bit code page.

    Names and types are ASCII, so any 8-bit code page will do.
    """
    if source[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return source.decode("utf-16", "replace")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError:
        return source.decode("latin-1")


if __name__ == "__main__":
    sys.exit(main())
