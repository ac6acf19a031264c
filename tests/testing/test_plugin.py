"""The pytest plugin: its fixtures, what a failed test reports, and that it costs nothing where it is not used."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import TypeAlias

import pytest
from plugin_kit import run_with_plugin
from trace_kit import ROOT

pytest_plugins = ["pytester"]

Run: TypeAlias = Callable[..., pytest.RunResult]

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
def run(pytester: pytest.Pytester) -> Run:
    """A function that runs pytest in this process on a file with this text."""

    def run_pytest(text: str, *arguments: str, head: str = HEAD) -> pytest.RunResult:
        pytester.makepyfile(head + text)
        return run_with_plugin(pytester, *arguments)

    return run_pytest


def test_the_plugin_imports_nothing_of_winsock_until_a_fixture_is_used() -> None:
    code = (
        "import sys, pytest\nbefore = set(sys.modules)\nimport winsock_pytest\nprint(sorted(set(sys.modules) - before))"
    )
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    assert output.stdout.strip() == "['winsock_pytest']"


def test_the_hooks_of_reports_are_registered_by_the_first_test_that_uses_a_fixture(run: Run) -> None:
    result = run("""
def test_before(request): assert not request.config.pluginmanager.has_plugin("winsock_reports")
def test_first(winsock_started): pass
def test_after(request): assert request.config.pluginmanager.has_plugin("winsock_reports")
""")
    result.assert_outcomes(passed=3)


def test_the_fixtures_are_listed_with_their_descriptions(run: Run) -> None:
    result = run("", "--fixtures")
    names = ("winsock_network", "winsock_peer", "winsock_port", "winsock_ports", "winsock_started")
    shown = result.stdout.str()
    for name in names:
        assert re.search(rf"^{name} -- .*winsock_pytest\.py:\d+\n +\w", shown, re.MULTILINE), name


def test_winsock_started_starts_and_cleans_up(run: Run) -> None:
    result = run("""
def test_it(winsock_started):
    s = socket(AF_INET, SOCK_STREAM, 0)
    assert s != INVALID_SOCKET
    assert closesocket(s) == 0
""")
    result.assert_outcomes(passed=1)


def test_a_test_that_leaves_sockets_open_fails_with_their_lines(run: Run) -> None:
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


def test_the_sockets_of_a_failed_test_are_closed_without_a_second_report(run: Run) -> None:
    result = run("""
def test_it(winsock_started):
    socket(AF_INET, SOCK_DGRAM, 0)
    raise KeyError
""")
    result.assert_outcomes(failed=1)
    assert "left open" not in result.stdout.str()


@pytest.mark.parametrize(
    ("interruption", "code"), [("raise KeyboardInterrupt", 2), ("pytest.exit('stop', returncode=7)", 7)]
)
@pytest.mark.parametrize("place", ["test", "fixture"])
def test_an_interrupted_run_keeps_its_exit_code_and_has_no_other_report(
    run: Run, interruption: str, code: int, place: str
) -> None:
    result = run(f"""
def interrupt(place):
    if place == "{place}":
        socket(AF_INET, SOCK_DGRAM, 0)
        {interruption}

@pytest.fixture
def opened(winsock_started, winsock_peer):
    peer = winsock_peer(Peer().accept().expect(b"GET "))
    s = connected(peer)
    send(s, b"POST", 4, 0)
    assert recv(s, bytearray(1), 1, 0) <= 0
    interrupt("fixture")

def test_it(opened):
    interrupt("test")
""")
    assert result.ret == code
    report = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in report
    assert "Traceback" not in report
    assert "left open" not in report


def test_an_interrupted_wait_for_a_peer_stops_the_peer(run: Run) -> None:
    result = run("""
import threading

@pytest.fixture
def no_peer_is_left():
    yield
    assert threading.active_count() == before

before = threading.active_count()

def interrupt(self, join=threading.Thread.join):
    if self.name == "winsock peer":
        threading.Thread.join = join
        pytest.fail("interrupted")
    join(self)

def test_it(no_peer_is_left, winsock_started, winsock_peer):
    closesocket(connected(winsock_peer(Peer().accept().stall(600))))
    threading.Thread.join = interrupt

def test_after(winsock_started):
    s = socket(AF_INET, SOCK_STREAM, 0)
    assert s != INVALID_SOCKET
    closesocket(s)
""")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*WSAStartup succeeded*")


@pytest.mark.parametrize(
    ("mark", "end", "outcome"),
    [
        ("parametrize('i', [1])", "pytest.skip('no IPv6')", "skipped"),
        ("parametrize('i', [1])", "pytest.xfail('known')", "xfailed"),
        ("xfail", "raise KeyError", "xfailed"),
        ("xfail(strict=True)", "raise KeyError", "xfailed"),
    ],
)
def test_a_skipped_test_or_an_expected_failure_has_no_second_report(
    run: Run, mark: str, end: str, outcome: str
) -> None:
    result = run(f"""
@pytest.mark.{mark}
def test_it(winsock_started, winsock_peer{", i" if "'i'" in mark else ""}):
    s = connected(winsock_peer(Peer().accept().expect(b"GET ")))
    send(s, b"POST", 4, 0)
    assert recv(s, bytearray(1), 1, 0) <= 0
    {end}
""")
    result.assert_outcomes(**{outcome: 1})


UNITTEST = (
    HEAD
    + """
import unittest

class Case(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _fixtures(self, winsock_started, winsock_peer):
        self.start = winsock_peer
"""
)


def test_a_peer_fails_the_test_of_a_unittest_class(run: Run) -> None:
    result = run(
        """
    def test_it(self):
        s = connected(self.start(Peer().accept().expect(b"GET ")))
        send(s, b"POST", 4, 0)
        closesocket(s)
""",
        head=UNITTEST,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["step 2, expect(b'GET '): the next bytes are b'POST' *", "the peer was started at *"])


def test_a_failed_test_of_a_unittest_class_is_shown_with_the_failed_step(run: Run) -> None:
    result = run(
        """
    def test_it(self):
        s = connected(self.start(Peer().accept().expect(b"GET ")))
        send(s, b"POST", 4, 0)
        self.assertEqual(recv(s, bytearray(1), 1, 0), 1, "no answer")
""",
        head=UNITTEST,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*no answer", "*- failed step of a peer -*", "step 2, expect(b'GET '): the next bytes are b'POST' *"]
    )


@pytest.mark.parametrize(
    ("end", "mark", "outcome"),
    [
        ("self.fail()", "", "failed"),
        ("self.skipTest('no IPv6')", "", "skipped"),
        ("self.fail()", "@unittest.expectedFailure", "xfailed"),
        ("self.fail()", "@pytest.mark.xfail", "xfailed"),
    ],
)
def test_a_test_of_a_unittest_class_that_ends_early_stops_its_peers(
    run: Run, end: str, mark: str, outcome: str
) -> None:
    # Otherwise the run would wait for the peer, longer than this test may take.
    result = run(
        f"""
    {mark}
    def test_it(self):
        self.start(Peer(limit=600).accept())
        {end}
""",
        head=UNITTEST,
    )
    result.assert_outcomes(**{outcome: 1})
    assert "nobody connected" not in result.stdout.str()


def test_what_a_fixture_of_the_test_opens_and_closes_is_not_reported(run: Run) -> None:
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


def test_free_ports_are_different(run: Run) -> None:
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


def test_a_test_ends_when_its_peers_have_ended(run: Run) -> None:
    result = run("""
def test_it(winsock_started, winsock_peer):
    peer = winsock_peer(Peer().accept().send(b"x").expect(b"y"))
    s = connected(peer)
    assert recv(s, bytearray(1), 1, 0) == 1
    assert send(s, b"y", 1, 0) == 1
    closesocket(s)
""")
    result.assert_outcomes(passed=1)


def test_a_test_fails_with_the_failed_steps_of_its_peers(run: Run) -> None:
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


@pytest.mark.parametrize(
    "body",
    [
        "with Peer(limit=0.01).accept().start(): pass",
        "Peer(limit=0.01).accept().start().finish()",
        "Peer(address='192.0.2.1').accept().start()",
        "Peer().start()",
    ],
)
def test_the_report_of_a_failed_script_points_to_the_line_of_the_test(run: Run, body: str) -> None:
    result = run(f"""
def test_it():
    {body}
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_the_report_of_*.py:11: *Error"])
    assert "running.py" not in result.stdout.str()
    assert "peer.py" not in result.stdout.str()


def test_the_report_of_an_open_socket_does_not_show_the_code_of_started(run: Run) -> None:
    result = run("""
from winsock.testing import started

def test_it():
    with started():
        socket(AF_INET, SOCK_DGRAM, 0)
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">*with started():", "E *opened by socket() at *.py:14 in test_it"])
    assert "open_sockets.py" not in result.stdout.str()


def test_an_error_of_the_test_is_shown_with_the_failed_step_that_caused_it(run: Run) -> None:
    result = run("""
def test_it(winsock_started, winsock_peer):
    s = connected(winsock_peer(Peer().accept().expect(b"GET ")))
    assert send(s, b"POST", 4, 0) == 4
    assert recv(s, bytearray(1), 1, 0) == 1, "no answer"
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>*recv(s, bytearray(1), 1, 0) == 1, "no answer"',
            "E *AssertionError: no answer",
            "*.py:13: AssertionError",
            "*- failed step of a peer -*",
            "step 2, expect(b'GET '): the next bytes are b'POST' *",
        ]
    )


def test_a_failed_step_is_in_the_failure_itself_and_does_not_replace_its_type(
    run: Run, pytester: pytest.Pytester
) -> None:
    result = run(
        """
@pytest.mark.parametrize("error", [KeyError, pytest.param(TypeError, marks=pytest.mark.xfail(raises=TypeError))])
def test_it(winsock_started, winsock_peer, error):
    s = connected(winsock_peer(Peer().accept().expect(b"GET ")))
    assert send(s, b"POST", 4, 0) == 4
    recv(s, bytearray(1), 1, 0)
    raise error
""",
        "--show-capture=no",
        "--junitxml=report.xml",
    )
    result.assert_outcomes(failed=1, xfailed=1)
    result.stdout.fnmatch_lines(["step 2, expect(b'GET '): the next bytes are b'POST' *"])
    report = (pytester.path / "report.xml").read_text(encoding="utf-8")
    assert report.count("the next bytes are b'POST'") == 1


def test_an_error_of_the_test_stops_its_peers(run: Run) -> None:
    result = run("""
def test_it(winsock_peer):
    winsock_peer(Peer(limit=600).accept())
    raise KeyError
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*KeyError"])


def test_a_peer_that_another_fixture_starts_is_stopped_when_the_test_does_not_run(run: Run) -> None:
    result = run("""
@pytest.fixture
def broken(winsock_peer):
    winsock_peer(Peer(limit=600).accept())
    raise KeyError

def test_it(broken): pass
""")
    result.assert_outcomes(errors=1)


@pytest.mark.parametrize("argument", ["None", "Peer", "Peer().accept"])
def test_what_is_no_script_is_refused(run: Run, argument: str) -> None:
    result = run(f"def test_it(winsock_peer): winsock_peer({argument})")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*TypeError: winsock_peer() takes a script, such as Peer().accept(), not *"])


def test_a_test_waits_for_a_peer_that_the_end_of_a_fixture_starts(run: Run) -> None:
    result = run("""
@pytest.fixture
def late(winsock_started, winsock_peer):
    yield
    s = connected(winsock_peer(Peer().accept().wait(0.1).expect(b"GET ")))
    send(s, b"POST", 4, 0)
    closesocket(s)

def test_it(late): pass
""")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["step 3, expect(b'GET '): the next bytes are b'POST' *"])


def test_a_test_that_runs_again_begins_anew(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, nextitem=nextitem, log=False)
    item._initrequest()
    runtestprotocol(item, nextitem=nextitem, log=True)
    return True
""")
    result = run("""
runs = []

def test_it(winsock_started):
    runs.append(1)
    socket(AF_INET, SOCK_DGRAM, 0)
    assert len(runs) == 2
""")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["1 socket was left open:"])


def test_a_test_without_these_fixtures_has_the_original_functions(run: Run) -> None:
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


def test_a_simulated_network_is_open_during_the_test(run: Run) -> None:
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


def test_a_simulated_network_ends_after_its_peers_in_either_order_of_the_fixtures(run: Run) -> None:
    result = run("""
@pytest.fixture
def broken(winsock_peer, winsock_network):
    winsock_peer(Peer(winsock_network.host("server")).accept().expect(b"x"))
    raise KeyError

@pytest.fixture
def late(winsock_peer, winsock_network):
    yield
    server = winsock_peer(Peer(winsock_network.host("server")).accept().expect(b"x"))
    winsock_peer(Peer(winsock_network.host("client")).connect(server.address).send(b"x"))

def test_broken(broken): pass
def test_late(late): pass
""")
    result.assert_outcomes(passed=1, errors=1)
    assert "the peer was killed" not in result.stdout.str()


def test_the_mark_chooses_seed_and_options_of_the_network(run: Run) -> None:
    result = run("""
@pytest.mark.winsock_network(seed=7, latency=0.5)
def test_it(winsock_network):
    assert winsock_network.seed == 7
    assert winsock_network.default_link.latency == 0.5
""")
    result.assert_outcomes(passed=1)


def test_a_test_runs_once_for_each_seed_of_the_mark(run: Run) -> None:
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


def test_a_failed_test_shows_the_seed_the_sockets_and_the_end_of_the_trace(run: Run) -> None:
    result = run(
        """
@pytest.mark.winsock_network(seed=7)
def test_it(winsock_network, winsock_peer):
    server = Peer(winsock_network.host("server"), port=8081).accept().expect(b"GET ").wait(5)
    client = Peer(winsock_network.host("client")).connect(("server", 8081)).send(b"GET ").wait(5)
    winsock_peer(server), winsock_peer(client)
    winsock_network.run(1)
    raise KeyError
""",
        "--show-capture=no",
    )
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


def test_an_error_of_a_simulated_program_fails_the_test_with_the_networks_report(run: Run) -> None:
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
def test_an_invalid_mark_is_reported(run: Run, mark: str) -> None:
    result = run(f"""
@pytest.mark.winsock_network({mark})
def test_it(winsock_network): pass
""")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*invalid mark winsock_network: use seed=7 or seeds=range(20)*"])


def test_several_seeds_need_the_fixture_as_a_parameter_of_the_test(run: Run) -> None:
    result = run("""
@pytest.mark.winsock_network(seeds=[3])
def test_it(request):
    request.getfixturevalue("winsock_network")

@pytest.mark.winsock_network(seed=3)
def test_one_seed(request):
    assert request.getfixturevalue("winsock_network").seed == 3
""")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["invalid mark winsock_network: several seeds need winsock_network as a parameter of the test: *"]
    )


@pytest.mark.parametrize("option", ["sed=7", "latency='1'", "programs='ticker'", "seed=1.5"])
def test_an_invalid_option_of_the_network_is_reported_without_a_traceback(run: Run, option: str) -> None:
    result = run(f"""
@pytest.mark.winsock_network({option})
def test_it(winsock_network): pass
""")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at setup*", "invalid mark winsock_network: * (at *.py:10, test_it)"], consecutive=True
    )
    assert "winsock_pytest.py" not in result.stdout.str()


@pytest.mark.parametrize("fixture", ["winsock_started", "winsock_port", "winsock_ports"])
@pytest.mark.parametrize("first", [True, False])
def test_fixtures_of_this_machine_are_refused_in_a_simulated_network(run: Run, fixture: str, first: bool) -> None:
    names = [fixture, "winsock_network"] if first else ["winsock_network", fixture]
    result = run(f"def test_it({', '.join(names)}): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["winsock_network cannot be used together with winsock_port*"]
        if "port" in fixture
        else ["winsock_network cannot be used together with winsock_started: *"]
    )


@pytest.mark.parametrize("fixture", ["winsock_started", "winsock_port", "winsock_ports"])
def test_fixtures_of_this_machine_are_refused_in_an_open_network_too(run: Run, fixture: str) -> None:
    result = run(f"""
def test_it(request, winsock_network):
    request.getfixturevalue("{fixture}")

def test_after(winsock_started, winsock_port): pass
""")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["winsock_network cannot be used together with *: a simulated process calls *"])


def test_a_peer_of_this_machine_is_refused_in_a_simulated_network(run: Run) -> None:
    result = run("""
def test_it(winsock_network, winsock_peer):
    winsock_peer(Peer(limit=1).accept())
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*ValueError: a simulated network is open, so a peer needs a host of it: Peer(host), not Peer(limit=1)*"]
    )


@pytest.mark.parametrize("seeds", ["3", "'12'", "iter([3])"])
def test_seeds_that_are_not_several_are_reported(run: Run, seeds: str) -> None:
    result = run(f"""
@pytest.mark.winsock_network(seeds={seeds})
def test_it(winsock_network): pass
""")
    assert result.ret != 0
    file = "test_seeds_that_are_not_several_are_reported.py:10, test_it"
    shown = "<*>" if "iter" in seeds else seeds
    message = f"invalid mark winsock_network: seeds={shown}: use seed=7 or seeds=range(20) (at {file})"
    result.stdout.fnmatch_lines([f"*{message}*"])
    assert "TypeError" not in result.stdout.str()


def test_an_error_inside_a_peer_does_not_hide_the_reports_of_the_others(run: Run) -> None:
    result = run("""
def test_it(winsock_started, winsock_peer):
    broken = winsock_peer(Peer().accept().close())
    s = connected(broken)
    closesocket(s)
    broken.finish = lambda: {}["broken"]
    s = connected(winsock_peer(Peer().accept().expect(b"GET ")))
    send(s, b"POST", 4, 0)
    closesocket(s)
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["KeyError: 'broken'", "step 2, expect(b'GET '): the next bytes are b'POST' *"])


@pytest.mark.parametrize("end", ["", "assert not 'a failure of the test'"])
def test_an_error_inside_a_peer_is_shown_with_its_cause_and_without_the_tests_own_failure(run: Run, end: str) -> None:
    result = run(f"""
def finish():
    try:
        raise LookupError("the cause")
    except LookupError:
        raise KeyError("broken")

def test_it(winsock_started, winsock_peer):
    peer = winsock_peer(Peer().accept().close())
    closesocket(connected(peer))
    peer.finish = finish
    {end}
""")
    result.assert_outcomes(failed=1)
    report = result.stdout.str()
    assert "KeyError: 'broken'" in report
    assert ("LookupError: the cause" in report) is not bool(end)
    # Not in the summary at the end, which pytest shortens to the width of the terminal.
    assert len(re.findall("^E +AssertionError: assert not", report, re.MULTILINE)) == bool(end)
