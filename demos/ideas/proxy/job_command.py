"""``python -m demos proxy``: runs a provider, a tree of proxies and two copiers, and compares their positions."""

from __future__ import annotations

import argparse
import sys
from textwrap import dedent

from demos.launcher import market_options, option_types
from demos.launcher.job import run_job
from demos.terminal.interfaces import ProgramError

_DESCRIPTION = """
    Run a provider, three proxies in two levels, and two copiers on this machine,
    and compare their positions at the end:

        provider --- proxy --- proxy1 --- copier1 (the same volume)
                          \\--- proxy2 --- copier2 (half the volume)

    The provider trades a small strategy on a random walk. Each proxy logs in to
    the server above it, and passes its states on to its own subscribers, over TLS
    and with logins of its own. Each process is started again when it is killed:
    try it. All accounts are paper accounts, in a temporary folder.
"""
_EPILOG = """
    exit codes:
      0  each copier has the provider's position, scaled by its factor
      1  one has not, or nothing was traded
      2  invalid options, or packages are missing
      3  network error
      4  invalid data or account
    130  interrupted before the copiers followed

    to run a proxy of your own (the first two commands are for the provider):
      python -m demos provider user add my-proxy
      python -m demos provider user token add my-proxy proxy --out token.txt
      python -m demos provider user add anna --state proxy.sqlite
      python -m demos run proxy --upstream main=wss://provider.example:8443 \\
          --login my-proxy --token-file token.txt --cert cert.pem --key key.pem
      python -m demos run copier --url wss://proxy.example:8444/main --login anna
"""


def add_parser(subparsers: option_types.SubParsers) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "proxy",
        help="run a provider, a tree of proxies and two copiers and compare their positions",
        description=dedent(_DESCRIPTION).strip(),
        epilog=dedent(_EPILOG).strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--Port",
        type=option_types.listening_port,
        default=0,
        metavar="N",
        help="the provider's port (default: any free one)",
    )
    market_options.add_copying_job_options(parser)


def main(args: argparse.Namespace) -> int:
    """Run the job; returns its exit code. A failure is one line on standard error."""
    try:
        from demos.ideas.proxy.job import ProxyJob
    except ImportError as error:
        print(f"python -m demos proxy: error: {error}", file=sys.stderr)
        return ProgramError.code
    return run_job(ProxyJob(args))
