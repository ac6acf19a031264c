"""A simulated scenario has the same traces in another process: of packets, faults and calls, also with TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
from trace_kit import python


def traces(scenario: str, folder: Path, hash_seed: str) -> dict[str, bytes]:
    """The traces of a run in a process of its own."""
    arguments = ("simulate", scenario, "--seed", "8", "--minutes", "3", "--trace", str(folder))
    done = python("-m", "demos", *arguments, cwd=folder.parent, environment={"PYTHONHASHSEED": hash_seed})
    assert done.returncode == 0, done.stdout + done.stderr
    # A log may contain the fingerprint of the certificate and the path of the temporary folder.
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".log"}


@pytest.mark.parametrize("scenario", ["signal", "provider"])
def test_a_scenario_has_the_same_traces_in_two_processes_with_other_hash_seeds(tmp_path: Path, scenario: str) -> None:
    one, other = (traces(scenario, tmp_path / f"run{hash_seed}", hash_seed) for hash_seed in ("0", "1"))
    assert {"network.txt", "script.faults"} < one.keys() == other.keys()
    assert any(name.endswith(".jsonl") for name in one)
    assert [name for name in one if one[name] != other[name]] == []
