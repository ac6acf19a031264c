"""The simulation's invariants on a real network, with few faults; `python -m tests.reality` has all kinds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.posix_only(reason="network namespaces are Linux's")

SHORT_SCRIPT = """\
at 6 rule provider * latency=0.05 loss=0.1 for 8
at 8 partition provider copier1 for 5
at 9 crash copier2 for 2
"""


def skip_where_impossible() -> None:
    from tests.reality.namespaces import reason_to_skip

    if reason := reason_to_skip():
        pytest.skip(reason)


def test_the_programs_recover_on_a_real_network_as_in_the_simulation() -> None:
    skip_where_impossible()
    from tests.reality.check import check_real

    result = check_real(SHORT_SCRIPT, tail=3)
    assert result.violation is None
    assert result.settled_after is not None
    assert "a copier is started again" in result.paths
    assert {name: starts for name, (starts, _) in result.programs.items()} == {
        "provider": 1,
        "copier1": 1,
        "copier2": 2,
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("at 5 clock_jump provider 60\n", "only a simulated network can do this"),
        ("at 5 vanish provider\nat 9 appear provider\n", "give the fault that it ends a duration with 'for'"),
        ("at 5 crash elsewhere for 2\n", "the hosts are provider, copier1, copier2"),
        ("at 5 kill provider/copier1 for 2\n", "each has a program of its name"),
        ("# nothing\n", "the script has no faults"),
    ],
)
def test_the_command_refuses_faults_that_real_hosts_cannot_have(text: str, problem: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "tests.reality", "--script", str(script)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert problem in ended.stderr
