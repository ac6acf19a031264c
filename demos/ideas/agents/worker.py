"""The process that executes the strategy: ``python -m demos.ideas.agents.worker STRATEGY FUNCTION DATA ANSWERS``.

It loads both files and appends one line to the file ANSWERS: the files' digests, or the problem. Then each line of
standard input has the names of the parameters and a list of points, and for each point it appends one line with the
value. So the program that has started it waits for nothing: it looks into the file.

A thread reads standard input and ends the process at the input's end. So this process ends with the program that has
started it, however that ends, also while the strategy calculates.
"""

from __future__ import annotations

import json
import os
import queue
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


def main(arguments: Sequence[str]) -> int:
    """Answer until the end of standard input."""
    path, function, data, answers = arguments
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_lines, args=(lines,), name="input", daemon=True).start()
    with Path(answers).open("ab", buffering=0) as file:
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
