"""The process that executes the strategy: ``python -m demos.ideas.agents.worker STRATEGY FUNCTION DATA``.

It loads both files and writes one line to standard output: the files' digests, or the problem. Then each line of
standard input has the names of the parameters and a list of points, and for each point it writes one line with the
value. Standard output is a file, so the program that has started the process waits for nothing: it looks into the file.
What the strategy prints is discarded.

A thread reads standard input and ends the process at the input's end. So this process ends with the program that has
started it, however that ends, also while the strategy calculates. The thread cannot run while a function of a C library
keeps the interpreter's lock, as a regular expression does that takes hours. On Linux the system ends the process then
too; elsewhere it ends when the function returns.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from demos.ideas.agents.evaluation import calculate
from demos.ideas.agents.history import file_digest, read_history
from demos.ideas.agents.strategy_file import Source, StrategyError, digest, parameters_problem, read_source, strategy_of
from demos.ideas.agents.values import exception_value
from demos.terminal.interfaces import MarketError

# From Linux's <sys/prctl.h>.
_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> int:
    """Answer until the end of standard input."""
    path, function, data = arguments
    _end_with_parent()
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_lines, args=(lines,), name="input", daemon=True).start()
    with os.fdopen(os.dup(1), "wb", buffering=0) as file:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 1)
        try:
            content = read_source(Source(Path(path)))
            strategy = strategy_of(content, path, function)
            data_digest = file_digest(Path(data))
            history = read_history(Path(data))
        except (StrategyError, MarketError) as error:
            return _refuse(file, str(error))
        except BaseException as error:  # what the owner's file does at its top level is reported, also a SystemExit
            return _refuse(file, f"{path}: {exception_value(error)}")
        function = strategy.__name__
        _write(file, {"strategy": digest(content), "function": function, "data": data_digest, "rows": len(history)})
        while True:
            work = json.loads(lines.get())
            if problem := parameters_problem(strategy, work["names"]):
                return _refuse(file, f"{path}: {problem}")
            for point in work["points"]:
                _write(file, {"value": calculate(strategy, history, work["names"], point)})


def _end_with_parent() -> None:
    """Have the system kill this process when the thread that has started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _refuse(file: IO[bytes], problem: str) -> int:
    _write(file, {"problem": problem})
    return 1


def _write(file: IO[bytes], answer: dict[str, Any]) -> None:
    file.write(json.dumps(answer).encode() + b"\n")


def _read_lines(lines: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


if __name__ == "__main__":
    # Without the end of the interpreter, which fails while the thread reads.
    os._exit(main(sys.argv[1:]))
