"""A command whose packages are not installed says so in one line, with the command that installs them in the clone."""

from __future__ import annotations

import pytest
from trace_kit import ROOT, python


@pytest.mark.parametrize(
    ("package", "arguments", "extras"),
    [
        ("cryptography", "provider --demo", "provider"),
        ("cryptography", "proxy", "provider"),
        ("cryptography", "broker", "provider"),
        ("wsproto", "simulate provider", "provider"),
        ("paho", "simulate broker", "provider,broker"),
    ],
)
def test_a_missing_package_is_one_line_and_exit_code_2(package: str, arguments: str, extras: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; from demos.__main__ import main; "
    done = python("-c", f"{program}sys.exit(main({arguments.split()}))", cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"python -m demos {arguments.split()[0]}: error: ")
    assert done.stderr.endswith(f': python -m pip install -e ".[{extras}]"\n')
