"""Expressions that read texts of any length: they divide a text in one way only, so that the time grows with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Each text is as long as a file or a command line may be, and none of them matches.
_CALLS = {
    "a number of seconds": "from winsock.doctor.__main__ import _seconds as read; read('1' * 3000000 + 'x')",
    "a format string": (
        "from demos.terminal.mql.conversion import mql_format as read; read('%' + '0' * 3000000 + '!', ())"
    ),
    "a line of a configuration": (
        "from demos.launcher.config_file import _line_text as read; read(' ' * 3000000 + 'x', 'Port')"
    ),
    "a file of certificates": (
        "from demos.wire.tls_contexts import _first_certificate as read; read('-----BEGIN CERTIFICATE-----' * 300000)"
    ),
    "the lots of a signal": (
        "from demos.signal.protocol import _LOTS; assert not _LOTS.fullmatch('1' * 3000000 + 'x')"
    ),
}


@pytest.mark.parametrize("what", _CALLS)
def test_a_long_text_is_read_or_refused_in_a_time_that_grows_with_its_length(what: str) -> None:
    # In a process of its own: an expression that does not end would hold the GIL.
    errors = "argparse.ArgumentTypeError, TypeError, ValueError"
    program = f"import argparse\ntry:\n    {_CALLS[what]}\nexcept ({errors}):\n    pass"
    subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
