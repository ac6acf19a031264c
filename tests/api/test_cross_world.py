"""A program on Ws2_32.dll and one on compat communicate over loopback, each as the server and as the client."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from cross_world_peer import MESSAGE, SIZES
from winsock_kit import bound, port_of

TESTS = Path(__file__).resolve().parents[1]
PEER = TESTS / "kits" / "cross_world_peer.py"
WORLDS = {"compat": [sys.executable], "ws2_32": [str(TESTS / "wine" / "run"), "python"]}
NOT_BUILT = 125

pytestmark = [
    pytest.mark.posix_only(reason="both worlds are started from Linux"),
    pytest.mark.parametrize(("server", "client"), [("ws2_32", "compat"), ("compat", "ws2_32")]),
]


@pytest.fixture(autouse=True, scope="module")
def _environment() -> None:
    if sys.platform == "win32":
        pytest.skip("both worlds are started from Linux")
    done = subprocess.run([*WORLDS["ws2_32"], "-c", ""], capture_output=True, text=True, check=False)
    if done.returncode == NOT_BUILT:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stderr) == (0, "")


@contextmanager
def running(world: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python program on one of the backends; it is ended when the block is left."""
    command = [*WORLDS[world], *map(str, arguments)]
    with subprocess.Popen(
        command,
        cwd=TESTS.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def conversation(server: str, client: str, kind: str) -> tuple[list[str], list[str]]:
    """The output of both programs, after both have ended with exit code 0."""
    with running(server, PEER, f"{kind}_server") as serving:
        assert serving.stdout
        backend, _, port = serving.stdout.readline().partition(" ")
        assert backend == server, serving.communicate()
        with running(client, PEER, f"{kind}_client", int(port)) as asking:
            asked, problem = asking.communicate()
        assert (asking.returncode, problem) == (0, "")
        served, problem = serving.communicate()
        assert (serving.returncode, problem) == (0, "")
    backend, *seen = asked.splitlines()
    assert backend == client
    return served.splitlines(), seen


def test_a_megabyte_is_echoed_over_tcp_followed_by_an_end_a_reset_and_a_refusal(
    started: None, server: str, client: str
) -> None:
    served, seen = conversation(server, client, "tcp")
    assert served == ["from 127.0.0.1", f"turned {len(MESSAGE)}", "from 127.0.0.1", "WSAECONNRESET"]
    assert seen == [f"got {len(MESSAGE)} True", "got 255"]
    # No other program can listen on the port of a bound socket.
    with running(client, PEER, "tcp_nobody", port_of(bound())) as asking:
        assert asking.communicate() == (f"{client} -1 WSAECONNREFUSED\n", "")


def test_datagrams_of_every_size_are_echoed_over_udp(server: str, client: str) -> None:
    served, seen = conversation(server, client, "udp")
    assert served == [*map(str, SIZES), "10"]
    assert seen == [*(f"{size} True" for size in SIZES), "-1 WSAEMSGSIZE", "True"]


def wait_for(stream: IO[str] | None, pattern: str) -> re.Match[str]:
    """Reads the log of a program up to the line that matches the pattern."""
    assert stream
    lines = []
    for line in stream:
        lines.append(line)
        if match := re.search(pattern, line):
            return match
    raise AssertionError(f"the log ends without {pattern!r}: {''.join(lines)}")


def tell(process: subprocess.Popen[str], command: str) -> None:
    assert process.stdin
    process.stdin.write(f"{command}\n")
    process.stdin.flush()


def test_a_signal_client_copies_the_positions_of_a_server_on_the_other_backend(server: str, client: str) -> None:
    run = ("-m", "demos", "run")
    common = ("--timer-ms", 50, "--Host", "127.0.0.1")
    with running(server, *run, "provider", *common, "--Port", -1, "--plain-port", 0, "--fast") as serving:
        port = wait_for(serving.stderr, r"start server ok, 127\.0\.0\.1:(\d+)$")[1]
        with running(client, *run, "copier", *common, "--Port", port) as following:
            wait_for(serving.stderr, "Accept new client 127.0.0.1")
            for command, position in (("buy 0.25", "0.25"), ("close", "0.00"), ("sell 0.15", "-0.15")):
                tell(serving, command)
                for process in (serving, following):
                    wait_for(process.stderr, rf"deal #\d+ EURUSD .* -> {position}$")
            for process in (following, serving):
                tell(process, "positions")
                tell(process, "quit")
                output, log = process.communicate()
                assert process.returncode == 0, log
                assert output.splitlines()[-1] == "EURUSD -0.15"
                assert " error " not in log
