"""The pytest plugin: its fixtures, what a failed test reports, and that it costs nothing where it is not used."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from trace_kit import ROOT

pytest_plugins = ["pytester"]

# What every test file of these runs begins with.
HEAD = """
import pytest
from winsock import *
from winsock.testing import Peer

def connected(peer):
    s = socket(AF_INET, SOCK_STREAM, 0)
    assert connect(s, peer.sockaddr, 16) == 0
    return s
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> object:
    """A function that runs pytest in this process on a file with this text."""
    # So that a run has the same plugins wherever the project is installed; on Wine it is not.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run_pytest(text: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(HEAD + text)
        return pytester.runpytest_inprocess("-p", "winsock_pytest", "-W", "error", "--strict-markers", *arguments)

    return run_pytest


def test_the_plugin_imports_nothing_of_winsock_until_a_fixture_is_used() -> None:
    code = (
        "import sys, pytest\nbefore = set(sys.modules)\nimport winsock_pytest\nprint(sorted(set(sys.modules) - before))"
    )
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    assert output.stdout.strip() == "['winsock_pytest']"


def test_the_fixtures_are_listed_with_their_descriptions(run) -> None:  # type: ignore[no-untyped-def]
    result = run("", "--fixtures")
    names = ("winsock_network", "winsock_peer", "winsock_port", "winsock_ports", "winsock_started")
    shown = result.stdout.str()
    for name in names:
        assert re.search(rf"^{name} -- .*winsock_pytest\.py:\d+\n +\w", shown, re.MULTILINE), name


def test_winsock_started_starts_and_cleans_up(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
def test_it(winsock_started):
    s = socket(AF_INET, SOCK_STREAM, 0)
    assert s != INVALID_SOCKET
    assert closesocket(s) == 0
""")
    result.assert_outcomes(passed=1)


def test_a_test_that_leaves_sockets_open_fails_with_their_lines(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
def opened():
    return socket(AF_INET, SOCK_DGRAM, 0)

def test_it(winsock_started):
    closesocket(opened())
    opened()
""")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_it*",
            "1 socket was left open:",
            "  socket *: UDP, local address -, peer -",
            "    opened by socket() at *test_a_test_that_leaves_sockets_open_fails_with_their_lines.py:11 in opened",
            "      called at *test_a_test_that_leaves_sockets_open_fails_with_their_lines.py:15 in test_it",
        ],
        consecutive=True,
    )
    assert "winsock_pytest.py" not in result.stdout.str()


def test_the_sockets_of_a_failed_test_are_closed_without_a_second_report(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
def test_it(winsock_started):
    socket(AF_INET, SOCK_DGRAM, 0)
    raise KeyError
""")
    result.assert_outcomes(failed=1)
    assert "left open" not in result.stdout.str()


def test_what_a_fixture_of_the_test_opens_and_closes_is_not_reported(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
@pytest.fixture
def s(winsock_started):
    s = socket(AF_INET, SOCK_STREAM, 0)
    yield s
    closesocket(s)

def test_it(s):
    assert getsockname(s, bytearray(16), u_long(16)) == SOCKET_ERROR
""")
    result.assert_outcomes(passed=1)


def test_free_ports_are_different(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
def test_it(winsock_port, winsock_ports, winsock_started):
    ports = [winsock_port, winsock_ports(), winsock_ports()]
    assert len(set(ports)) == 3
    for port in ports:
        s = socket(AF_INET, SOCK_STREAM, 0)
        assert bind(s, sockaddr_in(AF_INET, htons(port), in_addr(inet_addr("127.0.0.1"))), 16) == 0
        closesocket(s)
""")
    result.assert_outcomes(passed=1)


def test_a_test_ends_when_its_peers_have_ended(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
def test_it(winsock_started, winsock_peer):
    peer = winsock_peer(Peer().accept().send(b"x").expect(b"y"))
    s = connected(peer)
    assert recv(s, bytearray(1), 1, 0) == 1
    assert send(s, b"y", 1, 0) == 1
    closesocket(s)
""")
    result.assert_outcomes(passed=1)


def test_a_test_fails_with_the_failed_steps_of_its_peers(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
def test_it(winsock_started, winsock_peer):
    for expected in (b"GET ", b"PUT "):
        s = connected(winsock_peer(Peer().accept().expect(expected)))
        assert send(s, b"POST", 4, 0) == 4
        closesocket(s)
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "step 2, expect(b'GET '): the next bytes are b'POST' (* s after the peer's start)",
            "The script:",
            "  >   2 .expect(b'GET ')",
            "The conversation:",
            "*000000  50 4f 53 54 * POST",
            "step 2, expect(b'PUT '): the next bytes are b'POST' (* s after the peer's start)",
        ]
    )
    assert "winsock_pytest.py" not in result.stdout.str()


def test_an_error_of_the_test_is_shown_with_the_failed_step_that_caused_it(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
def test_it(winsock_started, winsock_peer):
    s = connected(winsock_peer(Peer().accept().expect(b"GET ")))
    assert send(s, b"POST", 4, 0) == 4
    assert recv(s, bytearray(1), 1, 0) == 1, "no answer"
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["no answer", "step 2, expect(b'GET '): the next bytes are b'POST' *"])


def test_an_error_of_the_test_stops_its_peers(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
def test_it(winsock_peer):
    winsock_peer(Peer(limit=600).accept())
    raise KeyError
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*KeyError"])


def test_a_peer_that_another_fixture_starts_is_stopped_when_the_test_does_not_run(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
@pytest.fixture
def broken(winsock_peer):
    winsock_peer(Peer(limit=600).accept())
    raise KeyError

def test_it(broken): pass
""")
    result.assert_outcomes(errors=1)


def test_a_test_without_these_fixtures_has_the_original_functions(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
import winsock

ORIGINAL = [socket]

def test_before(): assert socket is ORIGINAL[0] is winsock.socket
def test_recorded(winsock_started): assert socket is not ORIGINAL[0]
def test_after(): assert socket is ORIGINAL[0] is winsock.socket
""")
    result.assert_outcomes(passed=3)
