"""Helpers of the terminal's tests: a terminal with a manual clock, and child processes."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from contextlib import closing, contextmanager
from pathlib import Path

from cleanup_kit import closed_after_test

from demos.terminal.interfaces import SymbolSpec, Tick
from demos.terminal.paper.account import PaperAccount
from demos.terminal.paper.market import ReplayMarket, Speed
from demos.terminal.runtime.clock import ManualClock
from demos.terminal.runtime.log import EventFile, Log
from demos.terminal.runtime.programs import read_program
from demos.terminal.terminal import ProgramOnChart, Terminal

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
BARS = DATA / "EURUSD_H1.tsv"
FOLLOWER = DATA / "programs" / "follower.py"

EURUSD = SymbolSpec("EURUSD")
GBPUSD = SymbolSpec("GBPUSD")


def ticks(*bids: int, symbol: str = "EURUSD", spread: int = 2) -> list[Tick]:
    """Ticks a second apart."""
    return [Tick(symbol, 1000 * number, bid, bid + spread) for number, bid in enumerate(bids)]


class Bench:
    """A terminal with a manual clock, so that hours pass at once; programs are given as source text."""

    def __init__(
        self,
        folder: Path,
        quotes: Iterable[Tick] = (),
        *,
        symbols: Iterable[SymbolSpec] = (EURUSD, GBPUSD),
        speed: Speed | None = None,
        timer_ms: int | None = None,
        account: PaperAccount | None = None,
        events: EventFile | None = None,
    ) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.stream = io.StringIO()
        self.account = account or closed_after_test(PaperAccount())
        self.answers: list[str] = []
        market = ReplayMarket(list(symbols), iter(quotes), speed or Speed(per_second=1))
        log = Log(self.clock, self.stream)
        self.terminal = Terminal(
            self.clock, market, self.account, log, events=events, timer_ms=timer_ms, answer=self.answers.append
        )

    def attach(self, source: str, symbol: str = "EURUSD", name: str = "probe", **inputs: object) -> ProgramOnChart:
        """Attach a program that imports all names of the terminal."""
        path = self.folder / f"{name}.py"
        path.write_text("from demos.terminal import *\n" + textwrap.dedent(source), encoding="utf-8")
        program = read_program(path, name)
        assert program is not None
        return self.terminal.attach(program, symbol, inputs=inputs)

    def run(self, duration: float | None = None) -> int:
        """Run the terminal once and close the account."""
        with closing(self.account):
            return self.terminal.run(duration)

    @property
    def log(self) -> list[str]:
        """The lines of the log without their times."""
        return [line.partition(" ")[2] for line in self.stream.getvalue().splitlines()]

    def texts(self, program: str = "probe") -> list[str]:
        """The lines that the programs with this name have printed."""
        # A symbol in the label may contain blanks.
        line = re.compile(rf"{re.escape(program)}(?:\[.*?\])? \S+ \S+ (.*)", re.DOTALL)
        return [match[1] for match in map(line.fullmatch, self.log) if match]


@contextmanager
def child(*arguments: object, **options: object):
    """`python -m demos` with these arguments; it is killed when the block ends."""
    settings = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "demos", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, text=True, encoding="utf-8", **settings) as process:
        try:
            yield process
        finally:
            process.kill()


def demos(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run `python -m demos` to its end, with an empty standard input by default."""
    settings = {} if "input" in options else {"stdin": subprocess.DEVNULL}
    command = [sys.executable, "-m", "demos", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, text=True, encoding="utf-8", capture_output=True, check=False, **settings, **options
    )


def wait_for(stream: io.TextIOBase, text: str) -> str:
    """Read lines up to the first one that contains a text, and return it."""
    for line in stream:
        if text in line:
            return line
    raise AssertionError(f"the stream ended without {text!r}")
