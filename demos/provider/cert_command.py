"""The command that creates a server's certificate: its options, and what it prints."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from datetime import datetime
from pathlib import Path

from demos.launcher.option_types import whole
from demos.terminal.runtime.log import escaped

DAYS = 825


def add_cert_options(parser: ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("host", nargs="+", help="a name or address by which subscribers connect, such as 203.0.113.7")
    parser.add_argument("--cert", type=Path, default=Path("cert.pem"), help="the certificate's file (%(default)s)")
    parser.add_argument("--key", type=Path, default=Path("key.pem"), help="the private key's file (%(default)s)")
    parser.add_argument("--days", type=whole, default=DAYS, help="how long the certificate is valid (%(default)s days)")
    parser.add_argument("--force", action="store_true", help="replace existing files; the fingerprint changes")


def run_cert_command(options: Namespace, now: datetime) -> int:
    """Create the certificate and print its fingerprint, or the problem; the exit code. ``now`` has its time zone.

    The code is 2 without the package that creates certificates, and 4 for files that cannot be written.
    """
    try:
        from demos.provider.certificates import CertificateError, create_certificate
    except ImportError as error:
        return _failed(error, 2)
    from demos.wire.tls_contexts import fingerprint_text

    try:
        digest = create_certificate(options.cert, options.key, options.host, options.days, now, force=options.force)
    except CertificateError as error:
        return _failed(error, 4)
    print(f"created {options.cert} and its private key {options.key}, valid for {options.days} days")
    print(f"SHA-256 fingerprint, which subscribers pin:\n{fingerprint_text(digest)}")
    return 0


def _failed(error: Exception, code: int) -> int:
    print(f"python -m demos provider: error: {escaped(str(error))}", file=sys.stderr)
    return code
