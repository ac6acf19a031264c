"""The configurations that the report compares: how each is installed, and how its figures are measured and kept.

Each configuration has a file in results/, with the machine, the versions, the date, the command and the number of runs.
The configurations of the reference need an installation without the accelerator: a clone with a virtual environment of
its own, as in .ci/run. It contains what is committed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .measuring import CHECKOUT

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Configuration:
    name: str
    title: str
    backend: str  # as the benchmarks print it
    settings: dict[str, str] = field(default_factory=dict)  # the environment of a clone's installation
    options: tuple[str, ...] = ()


CONFIGURATIONS = {
    one.name: one
    for one in (
        Configuration("accelerator", "accelerator", "compat, cffi API mode, with the accelerator"),
        Configuration(
            "reference-api",
            "reference, cffi API mode",
            "compat, cffi API mode, without the accelerator",
            {"WINSOCK_COMPAT_ACCELERATOR": "0"},
        ),
        Configuration(
            "reference-abi",
            "reference, cffi ABI mode",
            "compat, cffi ABI mode, without the accelerator",
            {"CC": "/bin/false"},
        ),
        Configuration("wine", "ctypes on Wine", "ws2_32", options=("--quick",)),
    )
}


def python_of(configuration: Configuration, clones: Path) -> tuple[list[str], Path]:
    """The command of the configuration's Python, and its working directory. Makes a clone if it is needed."""
    if configuration.name == "wine":
        return [sys.executable, str(CHECKOUT / "tests/wine/run"), "python"], CHECKOUT
    if not configuration.settings:
        return [sys.executable], CHECKOUT
    checkout, python = clones / configuration.name, clones / f"{configuration.name}-venv" / "bin" / "python"
    if not checkout.exists():
        print(f"{configuration.name}: installing a clone in {checkout}", flush=True)
        subprocess.run(["git", "clone", "--quiet", CHECKOUT, checkout], check=True)
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--editable", "."],
            cwd=checkout,
            env=os.environ | configuration.settings,
            check=True,
        )
    return [str(python)], checkout


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown processor"
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown processor")


def load_average() -> list[float]:
    """The numbers of running processes in the last 1, 5 and 15 minutes; nothing on Windows."""
    if sys.platform == "win32":
        return []
    return [round(amount, 2) for amount in os.getloadavg()]


def merged(runs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One result for each row of the benchmarks: the medians of the runs, and the ratio of each run."""
    results = []
    for row in zip(*runs, strict=True):
        kept = {key: row[0][key] for key in ("name", "against", "unit", "rounds")}
        kept |= {key: statistics.median(run[key] for run in row) for key in ("winsock", "other", "ratio")}
        for key in ("winsock", "other", "ratio"):
            kept[key] = float(f"{kept[key]:.4g}")
        results.append(kept | {"ratios": [round(run["ratio"], 4) for run in row]})
    return results


def measure(configuration: Configuration, clones: Path, runs: int) -> dict[str, Any]:
    """Runs the benchmarks in this configuration.

    Errors: CalledProcessError if they fail; ValueError if the installation has another backend or mode.
    """
    command, checkout = python_of(configuration, clones)
    options = ["-m", "tests.benchmarks", *configuration.options]
    load = load_average()
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs):
            print(f"{configuration.name}: run {run + 1} of {runs}", flush=True)
            file = Path(folder) / "figures.json"
            # A Windows program understands relative paths only.
            subprocess.run([*command, *options, "--json", os.path.relpath(file, checkout)], cwd=checkout, check=True)
            measured.append(json.loads(file.read_text(encoding="utf-8")))
            backend = measured[-1]["environment"]["backend"]
            if backend != configuration.backend:
                raise ValueError(f"{configuration.name} needs the backend {configuration.backend!r}, not {backend!r}")
    return {
        "configuration": configuration.name,
        "environment": measured[-1]["environment"] | {"processor": processor()},
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "command": " ".join(["python", *options]),
        "installed_with": configuration.settings,
        "runs": runs,
        "load_average_before": load,
        "results": merged([one["results"] for one in measured]),
        "not_run": measured[-1]["not_run"],
    }


def keep(name: str, figures: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8", newline="\n")


def kept(name: str) -> dict[str, Any] | None:
    """What was measured; None if it was not."""
    file = RESULTS / f"{name}.json"
    figures: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    return figures
