"""The simulation's invariants on a real network, with few faults; `python -m tests.reality` has all kinds."""

from __future__ import annotations

import subprocess
import sys

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


def test_the_command_refuses_faults_that_only_a_simulated_network_can_have(tmp_path: pytest.TempPathFactory) -> None:
    script = f"{tmp_path}/script"
    with open(script, "w", encoding="utf-8") as file:
        file.write("at 5 clock_jump provider 60\n")
    command = [sys.executable, "-m", "tests.reality", "--script", script]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "only a simulated network can do this" in ended.stderr
