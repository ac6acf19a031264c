"""Run the pairs of study programs, trace their calls, and draw the conversations into notes/conversations.md.

python notes/conversations.py                 all pairs
python notes/conversations.py signal ticks    only these pairs
python notes/conversations.py --page DIR      also write an HTML page for each pair to that folder
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
NOTE = ROOT / "notes" / "conversations.md"
LIMIT = 60.0

_TICKS = """\
<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>
2026.01.05\t10:00:00.000\t1.10000\t1.10002\t\t\t6
2026.01.05\t10:00:00.500\t1.10003\t1.10005\t\t\t6
2026.01.05\t10:00:01.000\t1.09998\t1.10000\t\t\t6
"""


class Program:
    """A process of `python -m demos run` with a trace; its log can be read, and commands can be sent to it."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        self.name = name
        self.trace = folder / f"{name}.jsonl"
        path = os.pathsep.join([str(ROOT), str(ROOT / "compat")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "demos", "run", name, *arguments],
            cwd=ROOT,
            env=os.environ | {"WINSOCK_TRACE": str(self.trace), "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._limit = threading.Timer(LIMIT, self._process.kill)
        self._limit.start()

    def wait_for_line(self, text: str) -> str:
        """Return the next line of the log that contains the text.

        Errors: RuntimeError when the program ends without such a line.
        """
        assert self._process.stderr is not None
        lines = []
        for line in self._process.stderr:
            lines.append(line)
            if text in line:
                return line
        raise RuntimeError(f"{self.name} ended without logging {text!r}:\n{''.join(lines)}")

    def command(self, line: str) -> None:
        """Send a command to the program's standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def wait_for_call(self, call: str, result: int) -> None:
        """Wait until the trace contains the call with this result.

        Errors: RuntimeError when it does not within LIMIT seconds.
        """
        text = re.compile(rf'"call": ?"{call}".*"result": ?{result}\b')
        end = time.monotonic() + LIMIT
        while not text.search(self.trace.read_text(encoding="utf-8")):
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name} made no {call} with the result {result} in {LIMIT} s")
            time.sleep(0.05)

    def end(self) -> None:
        """Wait for the end of the process.

        Errors: RuntimeError when its exit code is not 0.
        """
        _, log = self._process.communicate()
        self._limit.cancel()
        if self._process.returncode:
            raise RuntimeError(f"{self.name} ended with exit code {self._process.returncode}:\n{log}")

    def close(self) -> None:
        """End the process if it still runs."""
        self._limit.cancel()
        self._process.kill()
        self._process.communicate()


Start = Callable[..., Program]


def signal(start: Start, folder: Path) -> None:
    """A client connects and gets the position; the server's account buys; the client trades too and disconnects."""
    server = start("signal_server", "--Port=0", "--timer-ms=200")
    client = start("signal_client", f"--Port={_port(server)}", "--timer-ms=200")
    client.wait_for_line("server position: EURUSD|0.00")
    server.command("buy 0.25")
    client.wait_for_line("server position: EURUSD|0.25")
    client.command("quit")
    client.end()
    server.wait_for_line("closed its connection")
    server.command("quit")
    server.end()


def ticks(start: Start, folder: Path) -> None:
    """Three ticks are sent as three datagrams."""
    export = folder / "EURUSD.tsv"
    export.write_text(_TICKS, encoding="ascii")
    server = start("tick_server", "--Port=0", "--timer-ms=100")
    client = start("tick_client", f"--Port={_port(server)}", f"--ticks={export}", "--Symbol=EURUSD", "--speed=10")
    client.wait_for_line("the last tick has been replayed")
    client.command("quit")
    client.end()
    server.wait_for_line("1.09998")
    server.command("quit")
    server.end()


def template(start: Start, folder: Path) -> None:
    """A client connects, sends nothing, and gets the template of a chart up to the end of the stream."""
    server = start("tpl_server", "--Port=0", "--timer-ms=200")
    client = start("tpl_client", f"--Port={_port(server)}")
    client.end()
    # The server reads the end of the client's stream.
    server.wait_for_call("recv", 0)
    server.command("quit")
    server.end()


PAIRS: dict[str, Callable[[Start, Path], None]] = {"signal": signal, "ticks": ticks, "template": template}


def record(pair: str, folder: Path) -> dict[str, Path]:
    """Run a pair; return the trace of each program, in this folder."""
    programs: list[Program] = []

    def start(program: str, *arguments: str) -> Program:
        programs.append(Program(folder, program, *arguments))
        return programs[-1]

    try:
        PAIRS[pair](start, folder)
    finally:
        for program in programs:
            program.close()
    return {program.name: program.trace for program in programs}


def draw(pair: str, page: Path | None = None) -> str:
    """Run a pair and return its sequence diagram; also write the HTML page if ``page`` names a file."""
    # On Windows a file may stay locked for a moment after its process has ended.
    with TemporaryDirectory(prefix="conversation-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        lanes = [f"{program}={trace}" for program, trace in record(pair, folder).items()]
        options = ["--html", str(page)] if page else []
        diagram = folder / "diagram"
        subprocess.run(
            [sys.executable, "-m", "winsock.trace", "picture", *lanes, "--mermaid", str(diagram), *options],
            cwd=ROOT,
            check=True,
            timeout=LIMIT,
        )
        return diagram.read_text(encoding="utf-8")


def _port(server: Program) -> str:
    return server.wait_for_line("start server ok").rstrip().rpartition(":")[2]


def with_diagram(text: str, pair: str, diagram: str) -> str:
    """Return the note with the pair's diagram replaced."""
    block = re.compile(rf"(<!-- run: {pair} -->\n```mermaid\n).*?(?=```)", re.DOTALL)
    changed, count = block.subn(lambda match: match[1] + diagram, text)
    if count != 1:
        raise RuntimeError(f"{NOTE.name} must have one diagram of {pair}, not {count}")
    return changed


def main() -> None:
    """Draw the pairs that the command line names."""
    parser = argparse.ArgumentParser(description="Run pairs of study programs and draw their conversations.")
    parser.add_argument("pairs", nargs="*", metavar="PAIR", help=f"one of {', '.join(PAIRS)}; default: all")
    parser.add_argument("--page", type=Path, metavar="DIR", help="write an HTML page for each pair to this folder")
    options = parser.parse_args()
    for pair in options.pairs:
        if pair not in PAIRS:
            parser.error(f"unknown pair: {pair!r}; choose from {', '.join(PAIRS)}")
    if options.page:
        options.page.mkdir(parents=True, exist_ok=True)
    for pair in options.pairs or PAIRS:
        page = options.page / f"{pair}.html" if options.page else None
        diagram = draw(pair, page)
        NOTE.write_text(with_diagram(NOTE.read_text(encoding="utf-8"), pair, diagram), encoding="utf-8", newline="\n")
        print(f"{pair}: {NOTE.name}{f' and {page}' if page else ''}")


if __name__ == "__main__":
    main()
