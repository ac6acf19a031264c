"""From a trade to its copy between a provider and a copier of its whole account, over TLS; and where the time goes.

`account-lag` runs `provider` and `copier --url wss://…` as processes with timers of 1 s, a token, a pinned certificate
and accounts in memory. A trade is a command on the provider's standard input; the lag is the time from the provider's
deal to the copier's. The copier's memory is a file, so its commits are part of the lag.

The parts of the lag have rows of their own. Each ends at a station of stations.py:

    published   the provider has read its account and made the new state
    sent        its expert's thread has the message, and is about to encrypt and send it
    received    the copier has read and decrypted it
    accepted    it has decoded the state, and found that it is the newest one
    decided     it has read its account, and decided by its rules
    ordered     what must not be forgotten is stored, with the order in the journal, which is about to be sent
    filled      the copier's deal
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from .latency import PAUSE, Program, copies, one_transfer, percentile_99
from .measuring import Benchmark, Unavailable, Variant, Variants
from .stations import STATIONS

LOGIN = "benchmark"
PARTS = (*(station.name for program in ("provider", "copier") for station in STATIONS[program]), "filled")
# The lag of a trade, then its parts.
_COSTS = 1 + len(PARTS)


def _imported(name: str) -> Any:
    """A module that needs packages which this installation may lack."""
    try:
        return import_module(name)
    except ImportError as error:
        raise Unavailable(str(error)) from None


class Pair:
    """The provider and the copier."""

    def __init__(self, stack: ExitStack, *provider_options: str) -> None:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lag-", ignore_cleanup_errors=True)))
        # They need the packages of the extra `provider`.
        for module in ("demos.provider.service", "demos.copier.account_start"):
            _imported(module)
        setup = _imported("demos.provider.demo_setup")
        files = setup.DemoFiles(folder)
        fingerprint, _ = setup.create_files(files, [LOGIN], time.time())
        self._records = {name: folder / f"{name}.stations" for name in STATIONS}
        modules = {name: ("tests.benchmarks.stations", str(path)) for name, path in self._records.items()}
        served = (f"--cert={files.certificate}", f"--key={files.key}", f"--state={files.state}", "--Port=0")
        self.provider = Program(
            stack, folder, "provider", "--plain-port=-1", *served, *provider_options, module=modules["provider"]
        )
        port = self.provider.wait("serving")[0]["port"]
        login = (f"--login={LOGIN}", f"--token-file={files.token(LOGIN)}", f"--pin={fingerprint}")
        rules = (f"--memory={files.memory(LOGIN)}", "--join=now", "--maxdeviation=0", "--maxorders=0")
        url = f"--url=wss://127.0.0.1:{port}"
        self.copier = Program(stack, folder, "copier", url, *login, *rules, module=modules["copier"])
        self.copier.wait("received")

    def stations(self) -> dict[str, list[int]]:
        """The times of each station so far, in order."""
        found: dict[str, list[int]] = {}
        for path in self._records.values():
            for line in path.read_text(encoding="utf-8").splitlines():
                passed_at, _, name = line.partition(" ")
                found.setdefault(name, []).append(int(passed_at))
        return found


def _way(trade: int, copy: int, stations: dict[str, list[int]]) -> list[float]:
    """The lag of a trade and its parts: each station passed for the first time after the one before it."""
    times = [trade]
    for name in PARTS[:-1]:
        passed = stations[name]
        times.append(passed[bisect_left(passed, times[-1])])
    times.append(copy)
    return [float(copy - trade), *(float(after - before) for before, after in pairwise(times))]


def _copied(stack: ExitStack) -> Variant:
    """The lags of trades and their parts, in nanoseconds."""
    pair = Pair(stack)
    make = copies(pair.provider, pair.copier)

    def variant(number: int) -> list[float]:
        made = make(number)
        # The copier writes its stations after the acknowledgement.
        time.sleep(PAUSE)
        stations = pair.stations()
        return [each for trade, copy in made for each in _way(trade, copy, stations)]

    return variant


def _transfer(stack: ExitStack) -> Variant:
    """The time of one send and one blocking recv, compared with the lag and with each part."""
    variant = one_transfer(stack)
    return lambda number: [each for cost in variant(number) for each in [cost] * _COSTS]


@contextmanager
def copying() -> Iterator[Variants]:
    with ExitStack() as stack:
        yield {"winsock": _copied(stack), "socket": _transfer(stack)}


def _of(place: int, statistic: Callable[[Sequence[float]], float]) -> Callable[[Sequence[float]], float]:
    return lambda costs: statistic(costs[place::_COSTS])


STATISTICS = {"": _of(0, median), "-p99": _of(0, percentile_99)} | {
    f"-{name}": _of(place, median) for place, name in enumerate(PARTS, 1)
}


def _many_positions(name: str) -> Callable[[], AbstractContextManager[Variants]]:
    """A benchmark of many_positions.py, whose imports need the packages of the extra `provider`."""

    def prepare() -> AbstractContextManager[Variants]:
        prepared: AbstractContextManager[Variants] = getattr(_imported("tests.benchmarks.many_positions"), name)()
        return prepared

    return prepare


BENCHMARKS = (
    Benchmark("account-lag", copying, number=50, rounds=9, statistics=STATISTICS),
    Benchmark("publish-200", _many_positions("publishing"), number=1, rounds=51),
    Benchmark("decide-200", _many_positions("deciding"), number=1, rounds=51),
)
