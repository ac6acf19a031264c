"""A copier in a process of its own that follows a provider, started again as often as a test kills it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from cleanup_kit import closed_after_test
from service_kit import RunningProvider
from terminal_kit import ROOT
from web_kit import wait_until
from winsock_kit import LIMIT_SECONDS


class RunningCopier:
    """``python -m demos run copier`` with the provider's url, started again as often as a test kills it."""

    def __init__(self, folder: Path, provider: RunningProvider, token: str, *arguments: str) -> None:
        self.folder = folder
        self.account = folder / "account.sqlite"
        self.memory = folder / "copier.sqlite"
        self.events_path = folder / "copier.jsonl"
        self.log_path = folder / "copier.log"
        file = folder / "token"
        file.write_text(token, encoding="ascii")
        file.chmod(0o600)
        options = {
            "url": f"wss://localhost:{provider.port}", "login": "customer", "token-file": file, "join": "now",
            "ca": provider.certificate, "memory": self.memory, "account": self.account, "events": self.events_path,
            "maxdeviation": 0, "seed": 1, "lots": "0.01:100:0.01",
        }  # fmt: skip
        given = [f"--{name}={value}" for name, value in options.items()]
        self._command = [sys.executable, "-m", "demos", "run", "copier", *given, *arguments]
        self.start()
        closed_after_test(self)

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log, cwd=ROOT
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(LIMIT_SECONDS)
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close(self) -> None:
        if self.process.returncode is None:
            self.kill()

    def events(self, kind: str) -> list[dict[str, Any]]:
        if not self.events_path.exists():
            return []
        lines = self.events_path.read_text(encoding="utf-8").splitlines(keepends=True)
        return [event for line in lines if line.endswith("\n") and (event := json.loads(line))["kind"] == kind]

    def deals(self) -> list[Decimal]:
        """The position after each deal so far, in lots."""
        if not self.account.exists():
            return []
        return [Decimal(str(event["position"])) for event in self.events("deal")]

    def wait_for(self, lots: str) -> None:
        """Wait until the position has this volume."""
        self.wait(lambda: self.deals()[-1:] == [Decimal(lots)])

    def wait(self, condition: Callable[[], bool]) -> None:
        wait_until(lambda: condition() or self.process.poll() is not None)
        assert condition(), self.log_path.read_text(encoding="utf-8")[-3000:]

    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8")
