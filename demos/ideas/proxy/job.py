"""The job of ``python -m demos proxy``: a provider, a tree of proxies, and copiers at its leaves."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from demos.ideas.proxy.job_tally import ProxyTally
from demos.ideas.proxy.job_view import proxy_tables, proxy_text
from demos.launcher.runner import Runner
from demos.launcher.views import Process, Tables
from demos.provider.demo_copying import STARTING
from demos.provider.demo_job import FACTORS, DemoJob
from demos.provider.demo_setup import HOST, create_tls_files, create_users
from demos.provider.demo_tally import PROVIDER
from demos.terminal.runtime.clock import RealClock

TOPIC = "main"

# Each proxy's server, in the order of their start, and each copier's proxy.
SERVERS = {"proxy": PROVIDER, "proxy1": "proxy", "proxy2": "proxy"}
PARENTS = {"copier1": "proxy1", "copier2": "proxy2"}


class ProxyJob(DemoJob):
    """The provider trades until the time is over; the copiers follow it through two levels of proxies."""

    command = "proxy"
    names = (PROVIDER, *SERVERS, *FACTORS)

    def __init__(self, options: argparse.Namespace) -> None:
        options.folder = None
        super().__init__(options)
        self.tree = ProxyTally(FACTORS, SERVERS, PARENTS)
        self.tally = self.tree

    def prepare(self, folder: Path, stack: ExitStack) -> None:
        """See Job."""
        self.use_folder(folder)
        now = RealClock().utc_ms() / 1000
        self.fingerprint = create_tls_files(self.files, now)
        for server in (PROVIDER, *SERVERS):
            logins = [each for each, parent in {**SERVERS, **PARENTS}.items() if parent == server]
            create_users(self.files, self._state(server), logins, now)

    def run(self, runner: Runner) -> None:
        """See Job."""
        # While this file exists the strategy does not trade. It exists until the copiers follow.
        self.pause.touch()
        self.start_provider(runner)
        for name in SERVERS:
            self._start_proxy(runner, name)
        self.start_copiers(runner)
        self.trade(runner)

    def server_url(self, name: str) -> str:
        """See DemoJob; ``name`` may be a proxy's too."""
        server = {**SERVERS, **PARENTS}[name]
        return (
            f"wss://{HOST}:{self.tree.port}"
            if server == PROVIDER
            else f"wss://{HOST}:{self.tree.ports[server]}/{TOPIC}"
        )

    def tables(self, processes: Sequence[Process], state: str, height: int) -> Tables:
        """See Job."""
        return proxy_tables(self.tree, processes, state)

    def summary(self, runner: Runner) -> dict[str, Any]:
        """See Job."""
        restarts = {name: child.restarts for name, child in runner.children.items()}
        per_proxy = [
            {"name": name, "server": server, "logins": self.tree.logins[name], "restarts": restarts.get(name, 0)}
            for name, server in SERVERS.items()
        ]
        return {**super().summary(runner), "per_proxy": per_proxy}

    def further_results(self) -> dict[str, Any]:
        """See CopyingJob."""
        return {}

    def summary_text(self, summary: Mapping[str, Any]) -> str:
        """See Job."""
        return proxy_text(summary)

    def _state(self, server: str) -> Path:
        """The file with the users of a server."""
        return self.files.folder / f"{server}.sqlite"

    def _start_proxy(self, runner: Runner, name: str) -> None:
        files = self.files
        program = [
            "--Port=0",
            f"--cert={files.certificate}",
            f"--key={files.key}",
            f"--state={self._state(name)}",
            f"--name={name}",
            f"--upstream={TOPIC}={self.server_url(name)}",
            f"--login={name}",
            f"--token-file={files.token(name)}",
            f"--pin={self.fingerprint}",
        ]
        runner.start(name, ["run", "proxy", *program], restart=True)
        late = f"{name} has not started to listen within {STARTING:.0f} s"
        runner.wait_until(lambda: self.tree.ports[name] != 0, STARTING, late, code=3)
        runner.check_stop(f"before {name} has started")
        # After a restart the proxy listens on the same port again.
        runner.children[name].arguments.append(f"--Port={self.tree.ports[name]}")
