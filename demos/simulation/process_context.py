"""What a program takes from the real world otherwise, in a simulated process: random numbers, threads, files' ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace

from demos.provider.passwords import Parameters, use_parameters
from demos.simulation.databases import closing_databases
from demos.simulation.threads import SimulatedThreads
from demos.terminal.runtime import randomness, threads
from winsock.simulation.dispatch import running_process

# wsproto masks each frame of a client with random bytes of the system. It uses nothing else of `os`.
# Without the package there are no WebSockets.
with suppress(ImportError):
    from wsproto import frame_protocol

    frame_protocol.os = SimpleNamespace(urandom=randomness.token_bytes)  # type: ignore[attr-defined, assignment]

# The least cost: passwords in a simulation protect nothing, and the simulated time of a hash does not depend on it.
CHEAP_PASSWORDS = Parameters(1, 1, 1)


@contextmanager
def process_context() -> Iterator[None]:
    """Run a program of the present process inside; at the end its SQLite files are closed."""
    process = running_process()
    with (
        closing_databases(),
        randomness.use(process.random),
        threads.use(SimulatedThreads()),
        use_parameters(CHEAP_PASSWORDS),
    ):
        try:
            yield
        finally:
            # A provider that was killed has not undone its gc.freeze(), which concerns the whole real process.
            gc.unfreeze()
