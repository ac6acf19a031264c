"""The command line of python -m winsock.doctor."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from winsock.command_line import run_command, write_output
from winsock.constants import SOCKET_ERROR
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

For MQL source that calls Winsock itself:
  python -m winsock.doctor layout FILE.mqh
      are its structures, constants, macros and imported functions correct?

Exit code 0: everything is fine; 1: something is wrong; 2: invalid options, or
the output cannot be written.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the checks that the command line selects, prints the findings, and returns the exit code.

    Errors: SystemExit for invalid options and after --help.
    """
    return run_command("python -m winsock.doctor", lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    check: Callable[[argparse.Namespace], list[Finding]] = options.check
    findings = check(options)
    write_output(as_json(findings) if "json" in options else as_text(findings))
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
    layout = command("layout", _layout, "compare the declarations in MQL source with Winsock's")
    layout.description = (
        "Compare MQL source with Winsock: the sizes and offsets of its structures, the values of its constants and "
        "macros, the functions that it imports from Ws2_32.dll, and the variable that it passes to WSAStartup. "
        "A declaration that Winsock does not have is only a note. Files that #include names in quotation marks are "
        "read too."
    )
    layout.add_argument("file", metavar="FILE", help="a file of MQL source; - is standard input")
    layout.add_argument("--struct", metavar="NAME", help="compare only this structure, and nothing else")
    layout.add_argument(
        "--bits", type=_bits, metavar="{32,64}", default=64, help="width of the MetaTrader terminal; default: 64"
    )


def _port_number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or not 0 < int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"invalid port: {text!r}; use a number from 1 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    number = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", text)
    seconds = float(text) if number else 0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"invalid time: {text!r}; use a number of seconds up to 3600")
    return seconds


def _bits(text: str) -> int:
    if text not in ("32", "64"):
        raise argparse.ArgumentTypeError(f"invalid width: {text!r}; use 32 or 64")
    return int(text)


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
    code = _error_code(text)
    if code is None:
        advice = "Use a number such as 10061 or a name such as WSAECONNREFUSED."
        return [Finding(False, "error", f"unknown Winsock error: {text!r}", advice)]
    if code == 0:
        found = f"{WSAErrorDescript(0)} The last call of this thread succeeded, or none was made."
        return [Finding(None, "error", found, facts={"error": 0})]
    if code == SOCKET_ERROR:
        advice = "Call WSAGetLastError immediately after the failed call: its result is the error code."
        return [Finding(False, "error", f"{code} is SOCKET_ERROR, the result of a failed call", advice)]
    known = code in set(WSAError)
    return [Finding(None if known else False, "error", WSAErrorDescript(code), advice_for(code), {"error": code})]


def _error_code(text: str) -> int | None:
    """The code that a number (decimal or hexadecimal) or a name means; None if it means none."""
    name = text.strip().upper()
    if name in WSAError.__members__:
        return int(WSAError[name])
    if name in ("NO_ERROR", "ERROR_SUCCESS"):
        return 0
    # A C int has at most ten digits.
    number = re.fullmatch(r"[-+]?[0-9]{1,10}|0[xX][0-9a-fA-F]{1,8}", text.strip(), re.ASCII)
    return int(text, 16 if "x" in text.lower() else 10) if number else None


def _layout(options: argparse.Namespace) -> list[Finding]:
    from .layout import compare
    from .source_files import Includes, SourceError, SourceFile, decoded, read_source

    path = None if options.file == "-" else Path(options.file)
    name = str(options.file) if path else "standard input"
    try:
        text = decoded(read_source(path))
    except SourceError as error:
        return [Finding(False, name, str(error))]
    file = SourceFile(name, text, path.parent if path else Path())
    return compare(file, options.bits, options.struct, Includes(path))


if __name__ == "__main__":
    sys.exit(main())
