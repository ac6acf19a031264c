"""``python -m demos provider --demo``: its options, and its start."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

from demos.launcher import market_options, option_types
from demos.launcher.job import run_job
from demos.terminal.interfaces import ProgramError

_DESCRIPTION = """
    Run a provider with its dashboard and two copiers on this machine, with one
    command. Everything is created for it: a certificate, the logins with their
    tokens, and an operator for the dashboard. The provider trades a small strategy
    on a random walk and publishes its account over TLS. copier1 copies its volume,
    copier2 half of it, each into an account of its own. All accounts are paper
    accounts.

    The first lines show the dashboard's address, and the operator's login and
    password. Open the address with a browser on this machine. The browser warns of
    the certificate, because no authority has signed it: continue to the page
    (Chrome: Advanced, Proceed to localhost; Firefox: Advanced, Accept the Risk and
    Continue). Then pause the provider, or disconnect a copier, and watch what
    happens.

    At the end the copiers' positions are compared with the provider's.
"""
_EPILOG = """
    exit codes:
      0  each copier has the provider's position, scaled by its factor
      1  one has not, or nothing was traded
      2  invalid options, or packages are missing
      3  network error
      4  invalid data or account
    130  interrupted before the copiers followed

    with --folder DIR, also while the demo runs:
      python -m demos copier explain EURUSD --memory DIR/copier1-memory.sqlite
      python -m demos copier journal --memory DIR/copier2-memory.sqlite
      python -m demos provider user list --state DIR/provider.sqlite
"""


def run_demo(arguments: Sequence[str]) -> int:
    """Run the demo with these options; returns its exit code.

    Errors: SystemExit with 2 after a bad option, with 0 after --help; ProgramError when packages are missing.
    """
    options = _parser().parse_args(arguments)
    try:
        from demos.provider.demo_job import DemoJob
    except ImportError as error:
        raise ProgramError(str(error)) from None
    return run_job(DemoJob(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demos provider --demo",
        description=dedent(_DESCRIPTION).strip(),
        epilog=dedent(_EPILOG).strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="keep all files in this folder, and continue with them the next time (default: a temporary folder)",
    )
    parser.add_argument(
        "--Port",
        type=option_types.listening_port,
        default=0,
        metavar="N",
        help="the port of the copiers and the dashboard (default: any free one; in a kept folder, the last one)",
    )
    market_options.add_copying_job_options(parser)
    return parser
