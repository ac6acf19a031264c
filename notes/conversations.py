"""Run the article's pairs, trace their calls, and draw what they said to each other into notes/conversations.md.

python notes/conversations.py                 all pairs
python notes/conversations.py signal ticks    these
python notes/conversations.py --page DIR      also, for each pair, a page to zoom, filter and hover, in that folder
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
    """One `python -m demos run`, traced, with its log to read and its standard input to write."""

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

    def hear(self, text: str) -> str:
        """The next line of the log that holds a text; RuntimeError when the program ends without it."""
        assert self._process.stderr is not None
        heard = []
        for line in self._process.stderr:
            heard.append(line)
            if text in line:
                return line
        raise RuntimeError(f"{self.name} has ended without {text!r}:\n{''.join(heard)}")

    def say(self, line: str) -> None:
        """Give the program a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def wait_for(self, call: str, result: int) -> None:
        """Wait until the trace has a call with this result."""
        text = re.compile(rf'"call": ?"{call}".*"result": ?{result}\b')
        end = time.monotonic() + LIMIT
        while not text.search(self.trace.read_text(encoding="utf-8")):
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name} has not come to {call} = {result}")
            time.sleep(0.05)

    def end(self) -> None:
        """Wait for the end; RuntimeError when it was not in order."""
        _, rest = self._process.communicate()
        self._limit.cancel()
        if self._process.returncode:
            raise RuntimeError(f"{self.name} has ended with code {self._process.returncode}:\n{rest}")

    def close(self) -> None:
        """Let nothing be left, whatever has happened."""
        self._limit.cancel()
        self._process.kill()
        self._process.communicate()


Start = Callable[..., Program]


def signal(start: Start, folder: Path) -> None:
    """A client connects and is greeted; the server's account buys; the client follows and leaves."""
    server = start("signal_server", "--Port=0", "--timer-ms=200")
    client = start("signal_client", f"--Port={_port(server)}", "--timer-ms=200")
    client.hear("server position: EURUSD|0.00")
    server.say("buy 0.25")
    client.hear("server position: EURUSD|0.25")
    client.say("quit")
    client.end()
    server.hear("has closed")
    server.say("quit")
    server.end()


def ticks(start: Start, folder: Path) -> None:
    """Three ticks are sent as three datagrams."""
    export = folder / "EURUSD.tsv"
    export.write_text(_TICKS, encoding="ascii")
    server = start("tick_server", "--Port=0")
    client = start("tick_client", f"--Port={_port(server)}", f"--ticks={export}", "--Symbol=EURUSD", "--speed=10")
    client.hear("the last tick has been replayed")
    client.say("quit")
    client.end()
    server.hear("EURUSD 1.09998")
    server.say("quit")
    server.end()


def template(start: Start, folder: Path) -> None:
    """A subscriber connects, says nothing, and gets a chart's template up to the end of the connection."""
    server = start("tpl_server", "--Port=0")
    client = start("tpl_client", f"--Port={_port(server)}")
    client.end()
    # The client's end, seen by the server.
    server.wait_for("recv", 0)
    server.say("quit")
    server.end()


PAIRS: dict[str, Callable[[Start, Path], None]] = {"signal": signal, "ticks": ticks, "template": template}


def draw(pair: str, page: Path | None = None) -> str:
    """Run a pair and return its sequence diagram; the page, where one is wanted, goes to that file."""
    # On Windows a file may still be held for a moment by a process that has ended.
    with TemporaryDirectory(prefix="conversation-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        programs: list[Program] = []

        def start(program: str, *arguments: str) -> Program:
            programs.append(Program(folder, program, *arguments))
            return programs[-1]

        try:
            PAIRS[pair](start, folder)
        finally:
            for program in programs:
                program.close()
        lanes = [f"{program.name}={program.trace}" for program in programs]
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
    return server.hear("start server ok").rstrip().rpartition(":")[2]


def with_diagram(text: str, pair: str, diagram: str) -> str:
    """The note with another diagram behind the pair's mark."""
    block = re.compile(rf"(<!-- run: {pair} -->\n```mermaid\n).*?(?=```)", re.DOTALL)
    changed, count = block.subn(lambda match: match[1] + diagram, text)
    if count != 1:
        raise RuntimeError(f"{NOTE.name} has {count} places for {pair}")
    return changed


def main() -> None:
    """Draw what the command line names."""
    parser = argparse.ArgumentParser(description="Run the article's pairs and draw what they said to each other.")
    parser.add_argument("pairs", nargs="*", metavar="PAIR", help=f"of {', '.join(PAIRS)}; default: all")
    parser.add_argument("--page", type=Path, metavar="DIR", help="write pages to zoom, filter and hover there")
    options = parser.parse_args()
    for pair in options.pairs:
        if pair not in PAIRS:
            parser.error(f"there is no pair {pair}: {', '.join(PAIRS)}")
    if options.page:
        options.page.mkdir(parents=True, exist_ok=True)
    for pair in options.pairs or PAIRS:
        page = options.page / f"{pair}.html" if options.page else None
        diagram = draw(pair, page)
        NOTE.write_text(with_diagram(NOTE.read_text(encoding="utf-8"), pair, diagram), encoding="utf-8", newline="\n")
        print(f"{pair}: {NOTE.name}{f' and {page}' if page else ''}")


if __name__ == "__main__":
    main()
