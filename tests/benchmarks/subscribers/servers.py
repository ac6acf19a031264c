"""The servers that are measured, as processes, with the memory and CPU time that each uses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.measuring import CHECKOUT

# A process that needs longer than this to start has failed.
LIMIT = 30.0


class ServerProcess:
    """A server process with a port; commands go to its standard input."""

    def __init__(self, stack: ExitStack, command: list[str], output: int | None = None) -> None:
        self.port = 0
        self.process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, *command], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
            )
        )
        # A server with thousands of connections would take long to end in order.
        stack.callback(self.process.kill)

    def trade(self, lots: float) -> None:
        """Buy, or sell negative lots."""
        assert self.process.stdin
        self.process.stdin.write(f"{'buy' if lots > 0 else 'sell'} {abs(lots):.2f}\n".encode())
        self.process.stdin.flush()

    def memory(self) -> int:
        """The resident memory in bytes."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu_time(self) -> int:
        """The CPU time of all threads so far, in nanoseconds."""
        # clock_getcpuclockid of glibc computes the clock's id from the process's id in this manner.
        return time.clock_gettime_ns((~self.process.pid << 3) | 2)


def websockets_server(stack: ExitStack, folder: Path, count: int) -> ServerProcess:
    """The comparison server."""
    task = [str(folder / "certificate.pem"), str(folder / "users.json"), str(count)]
    server = ServerProcess(stack, ["-m", "tests.benchmarks.subscribers.websockets_server", *task])
    assert server.process.stdout
    server.port = int(server.process.stdout.readline())
    return server
