"""The pytest plugin: its fixtures, what a failed test reports, and that it costs nothing where it is not used."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib.metadata import MetadataPathFinder

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
    if not inspect.ismethod(MetadataPathFinder.invalidate_caches):
        # On Wine the standard library is of a slightly older release than the interpreter, which needs a class method.
        monkeypatch.setattr(MetadataPathFinder, "invalidate_caches", classmethod(lambda cls: None))

    def run_pytest(text: str, *arguments: str, head: str = HEAD) -> pytest.RunResult:
        pytester.makepyfile(head + text)
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


# A test of a simulated network takes each call from `winsock` when it makes it.
SIMULATED = """
import pytest
import winsock as w
from winsock.testing import Peer

SOCKET = [w.socket]

def client(ip, port):
    assert w.WSAStartup(w.MAKEWORD(2, 2), w.WSADATA()) == 0
    s = w.socket(w.AF_INET, w.SOCK_STREAM, 0)
    assert w.connect(s, w.sockaddr_in(w.AF_INET, w.htons(port), w.in_addr(w.inet_addr(ip))), 16) == 0
    buf = bytearray(100)
    return bytes(buf[: w.recv(s, buf, 100, 0)])
"""


def test_a_simulated_network_is_open_during_the_test(run) -> None:  # type: ignore[no-untyped-def]
    result = run(
        """
def test_it(winsock_network, winsock_peer):
    peer = winsock_peer(Peer(winsock_network.host("server")).accept().wait(3600).send(b"late"))
    process = winsock_network.host("client").start(client, *peer.address)
    winsock_network.run()
    assert process.result() == b"late"
    assert winsock_network.seed == 0
    assert winsock_network.now > 3600

def test_after():
    assert w.socket is SOCKET[0]
""",
        head=SIMULATED,
    )
    result.assert_outcomes(passed=2)


def test_the_mark_chooses_seed_and_options_of_the_network(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
@pytest.mark.winsock_network(seed=7, latency=0.5)
def test_it(winsock_network):
    assert winsock_network.seed == 7
    assert winsock_network.default_link.latency == 0.5
""")
    result.assert_outcomes(passed=1)


def test_a_test_runs_once_for_each_seed_of_the_mark(run) -> None:  # type: ignore[no-untyped-def]
    result = run(
        """
@pytest.mark.winsock_network(seeds=range(3), latency=0.5)
def test_it(winsock_network):
    assert winsock_network.seed != 1
""",
        "-v",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*::test_it[[]seed=0[]] PASSED*", "*::test_it[[]seed=1[]] FAILED*"])


def test_a_failed_test_shows_the_seed_the_sockets_and_the_end_of_the_trace(run) -> None:  # type: ignore[no-untyped-def]
    result = run("""
@pytest.mark.winsock_network(seed=7)
def test_it(winsock_network, winsock_peer):
    server = Peer(winsock_network.host("server"), port=8081).accept().expect(b"GET ").wait(5)
    client = Peer(winsock_network.host("client")).connect(("server", 8081)).send(b"GET ").wait(5)
    winsock_peer(server), winsock_peer(client)
    winsock_network.run(1)
    raise KeyError
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*KeyError",
            "*- simulated network -*",
            "seed: 7",
            "simulated time: 1.000000 s",
            "netstat of host server:",
            "tcp *10.0.0.1:8081 *ESTABLISHED *",
            "netstat of host client:",
            "tcp *10.0.0.2:* *10.0.0.1:8081 *ESTABLISHED *",
            "the end of the trace:",
            "0.00* server: *",
        ]
    )


def test_an_error_of_a_simulated_program_fails_the_test_with_the_networks_report(run) -> None:  # type: ignore[no-untyped-def]
    result = run(
        """
def test_it(winsock_network):
    winsock_network.host("client").start(client, "10.0.0.9", 1)
    winsock_network.run()
""",
        head=SIMULATED,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["seed: 0", "netstat of host client:", "the end of the trace:"])


@pytest.mark.parametrize("mark", ["7", "seed=7, seeds=[1]"])
def test_an_invalid_mark_is_reported(run, mark: str) -> None:  # type: ignore[no-untyped-def]
    result = run(f"""
@pytest.mark.winsock_network({mark})
def test_it(winsock_network): pass
""")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*invalid mark winsock_network: use seed=7 or seeds=range(20)*"])


@pytest.mark.parametrize("fixture", ["winsock_started", "winsock_port", "winsock_ports"])
@pytest.mark.parametrize("first", [True, False])
def test_fixtures_of_this_machine_are_refused_in_a_simulated_network(run, fixture: str, first: bool) -> None:  # type: ignore[no-untyped-def]
    names = [fixture, "winsock_network"] if first else ["winsock_network", fixture]
    result = run(f"def test_it({', '.join(names)}): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["winsock_network cannot be used together with winsock_port*"]
        if "port" in fixture
        else ["winsock_network cannot be used together with winsock_started: *"]
    )
