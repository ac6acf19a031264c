"""``python -m demos broker``: runs a provider and several copiers, connected by an MQTT broker."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from textwrap import dedent

from demos.launcher import market_options, option_types
from demos.launcher.job import run_job
from demos.terminal.interfaces import ProgramError
from demos.wire.mqtt_url import mqtt_url_problem

_DESCRIPTION = """
    Run a provider and several copiers on this machine, connected by an MQTT broker.
    The provider trades a small strategy and publishes its account to the broker;
    the copiers subscribe there, and never connect to the provider. copier1 copies
    the provider's volume, copier2 half of it, copier3 twice as much, and so on. All
    accounts are paper accounts. At the end the copiers' positions are compared with
    the provider's.

    The job starts mosquitto on this machine, which must be installed (Debian and
    Ubuntu: apt-get install mosquitto), over TLS, with a login for each program and
    rules for what each may read and write. With --broker it uses a broker that is
    running, with any prefix that its rules allow to these logins.

    Kill a process while the job runs, the broker too: it is started again, the
    others connect again, and the positions are right at the end.
"""
_EPILOG = """
    exit codes:
      0  each copier has the provider's position, scaled by its factor
      1  one has not, or nothing was traded
      2  invalid options, or mosquitto or packages are missing
      3  network error
      4  invalid data or account, or another provider at this prefix
    130  interrupted before the copiers followed

    examples:
      python -m demos broker --duration 20
      python -m demos broker --duration 20 --copiers 5 --json
      python -m demos broker --broker mqtts://broker.example:8883/signals/test
          --broker-login provider --broker-password-file provider.password
          --login copier --password-file copier.password
"""


def add_parser(subparsers: option_types.SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "broker",
        help="run a provider and several copiers, connected by an MQTT broker",
        description=dedent(_DESCRIPTION).strip(),
        epilog=dedent(_EPILOG).strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_existing_broker(parser)
    parser.add_argument(
        "--Port",
        type=option_types.listening_port,
        default=0,
        metavar="N",
        help="the port of the broker that the job starts (default: any free one; in a kept folder, the last one)",
    )
    parser.add_argument(
        "--copiers",
        type=option_types.whole,
        default=3,
        metavar="N",
        help="the number of copiers (default: %(default)s)",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="keep all files in this folder (default: a temporary folder)"
    )
    market_options.add_copying_job_options(parser)


def _add_existing_broker(parser: argparse.ArgumentParser) -> None:
    existing = parser.add_argument_group("a broker that is running")
    existing.add_argument("--broker", type=_broker_url, metavar="URL", help="use this broker: mqtts://HOST:PORT/PREFIX")
    existing.add_argument("--broker-login", metavar="NAME", help="the provider's login at the broker")
    existing.add_argument("--broker-password-file", type=Path, metavar="FILE", help="the file with its password")
    existing.add_argument("--login", metavar="NAME", help="the copiers' login at the broker")
    existing.add_argument("--password-file", type=Path, metavar="FILE", help="the file with its password")
    existing.add_argument("--ca", type=Path, metavar="FILE", help="CA file (PEM) for the broker's certificate")


def _broker_url(text: str) -> str:
    if problem := mqtt_url_problem(text):
        raise argparse.ArgumentTypeError(problem)
    return text


def _check_options(args: argparse.Namespace) -> None:
    """The options of a broker that is running need its URL, and exclude those of one that the job starts.

    Errors: SystemExit with 2.
    """
    names = ("broker_login", "broker_password_file", "login", "password_file", "ca")
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(args, name)]
    if given and not args.broker:
        args.usage_error(f"--broker is missing: {', '.join(given)} can be used with a broker that is running only")
    if args.broker and args.Port:
        args.usage_error("--Port cannot be used with --broker: it is the port of the broker that the job starts")


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. A failure is one line on standard error."""
    _check_options(args)
    try:
        from demos.ideas.broker.job import BrokerJob
    except ImportError as error:
        print(f"python -m demos broker: error: {error}", file=sys.stderr)
        return ProgramError.code
    return run_job(BrokerJob(args))
