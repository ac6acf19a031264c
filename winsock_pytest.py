"""The pytest plugin of winsock: fixtures for tests of programs that use sockets. notes/testing.md describes them.

pytest loads this module in each run. So it is not in the package `winsock`, whose import loads the backend, and it
imports nothing of it until a fixture is used.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from winsock.simulation.network import Network
    from winsock.testing import Peer, RunningPeer
    from winsock.testing.network_report import Recording

# The fixture, and the mark that chooses its seed.
_NETWORK_FIXTURE = "winsock_network"
# Fixtures of this machine's network: while a simulated one is open, winsock's calls are the simulated ones.
_REAL_FIXTURES = {"winsock_started", "winsock_ports", "winsock_port"}
_REPORTS = "winsock_reports"
_SEED_OR_SEEDS = "use seed=7 or seeds=range(20)"
# What is known of a test: whether it ended early (it failed or was skipped), its peers, the failed steps that its own
# failure does not show, its simulated network.
_ENDED_EARLY: pytest.StashKey[bool] = pytest.StashKey()
_PEERS: pytest.StashKey[list[RunningPeer]] = pytest.StashKey()
_FAILED_STEPS: pytest.StashKey[str] = pytest.StashKey()
_NETWORK: pytest.StashKey[Recording] = pytest.StashKey()
# Of the whole run: whether it was interrupted, by Ctrl-C, pytest.exit or an internal error. A fixture that fails then
# would hide the cause and change pytest's exit code.
_INTERRUPTED: pytest.StashKey[bool] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "winsock_network(seed=0, seeds=(), **options): the seed of the fixture winsock_network, or several seeds to "
        "run the test with; the other options are those of winsock.simulation's Network",
    )


@pytest.fixture
def winsock_started(request: pytest.FixtureRequest) -> Iterator[None]:
    """Winsock is started. The test fails if it leaves sockets open; the report names the line that opened each one."""
    from winsock.testing import started

    _register_reports(request.config)
    _refuse_in_network(request)
    problems = ""
    try:
        with started():
            yield
    except AssertionError as error:
        problems = str(error)
    # A test that ended early could not close its sockets: one report is enough.
    if not request.node.stash.get(_ENDED_EARLY, False):
        _fail(request, problems)


def _fail(request: pytest.FixtureRequest, report: str) -> None:
    """Fail with this report, if it has a text and pytest goes on."""
    if not request.config.stash.get(_INTERRUPTED, False):
        _fail_with(report)


def _fail_with(report: str) -> None:
    if report:
        pytest.fail(report, pytrace=False)


@pytest.fixture
def winsock_ports(request: pytest.FixtureRequest) -> Iterator[Callable[[], int]]:
    """A function that returns a free port, another one for each call."""
    from winsock.testing import reserved_ports

    _refuse_in_network(request)
    with reserved_ports() as reservations:
        yield reservations.new_port


@pytest.fixture
def winsock_port(winsock_ports: Callable[[], int]) -> int:
    """A free port, for TCP and UDP."""
    return winsock_ports()


@pytest.fixture
def winsock_peer(request: pytest.FixtureRequest) -> Iterator[Callable[[Peer], RunningPeer]]:
    """A function that starts a script. The test ends when all its scripts have ended, and fails with a failed step."""
    from winsock.testing import Peer

    _register_reports(request.config)
    running = request.node.stash.setdefault(_PEERS, [])

    def start(script: Peer) -> RunningPeer:
        __tracebackhide__ = True
        if not isinstance(script, Peer):
            raise TypeError(f"winsock_peer() takes a script, such as Peer().accept(), not {script!r}")
        peer = script.start()
        running.append(peer)
        return peer

    yield start
    _fail(request, _finish_last_peers(request))


def _finish_last_peers(request: pytest.FixtureRequest) -> str:
    """Finish the peers that the end of a fixture has started; stop them if the test has failed, or is interrupted."""
    interrupted = request.config.stash.get(_INTERRUPTED, False)
    stop = interrupted or request.node.stash.get(_ENDED_EARLY, False)
    return _finish_peers(request.node.stash.get(_PEERS, []), stop=stop)


def _finish_peers(running: list[RunningPeer], stop: bool) -> str:
    """Wait for the end of the scripts, or stop them; returns the reports of all steps that have failed."""
    failures = []
    while running:
        peer = running[0]
        try:
            if stop:
                peer.stop()
            peer.finish()
        except AssertionError as error:
            failures.append(str(error))
        except Exception as error:  # a defect of the peer or of the simulation: the other peers are reported too
            # Its chain ends at the test's own failure, where there is one.
            failures.append("".join(traceback.format_exception(error, chain=not stop)))
        # Not before: a peer stays in the list when the wait is interrupted, and the fixture stops it.
        del running[0]
    return "\n\n".join(failures)


# These end a test without a failure of it, also where a peer has failed because of that.
_NO_FAILURES = (KeyboardInterrupt, pytest.exit.Exception, pytest.skip.Exception, pytest.xfail.Exception)


class _Reports:
    """The hooks around a test. The first test that uses a fixture registers them, so that other runs do without."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        # Some plugins run a failed test again.
        keys: tuple[pytest.StashKey[Any], ...] = (_ENDED_EARLY, _FAILED_STEPS, _NETWORK)
        for key in keys:
            if key in item.stash:
                del item.stash[key]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        running = item.stash.get(_PEERS, [])
        try:
            result = yield
        except _NO_FAILURES:
            _finish_peers(running, stop=True)
            raise
        except BaseException:
            self._stop_peers(item)
            raise
        if getattr(item, "_excinfo", None):  # pytest's items of unittest keep the exception
            self._stop_peers(item)
        else:
            _fail_with(_finish_peers(running, stop=False))
        return result

    def _stop_peers(self, item: pytest.Item) -> None:
        """The test has failed. A failed step is often the cause, so the test's report shows both."""
        if _NETWORK in item.stash:
            item.stash[_NETWORK].keep()
        item.stash[_FAILED_STEPS] = _finish_peers(item.stash.get(_PEERS, []), stop=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        # Skipped tests and expected failures are not failed reports, but they end at an exception too.
        if report.failed or call.excinfo is not None:
            item.stash[_ENDED_EARLY] = True
        if report.failed and call.when == "call" and item.stash.get(_FAILED_STEPS, ""):
            _add_section(report, "failed step of a peer", item.stash[_FAILED_STEPS])
        if report.failed and _NETWORK in item.stash:
            _add_section(report, "simulated network", item.stash[_NETWORK].report())
        return report

    @pytest.hookimpl
    def pytest_keyboard_interrupt(self) -> None:
        self._config.stash[_INTERRUPTED] = True

    @pytest.hookimpl
    def pytest_internalerror(self) -> None:
        self._config.stash[_INTERRUPTED] = True


def _add_section(report: pytest.TestReport, name: str, text: str) -> None:
    """Add it to the failure itself, where pytest can: --show-capture=no and JUnit's files leave out other sections."""
    add = getattr(report.longrepr, "addsection", None)
    if add is None:
        report.sections.append((name, text))
    else:
        add(name, text)


def _register_reports(config: pytest.Config) -> None:
    if not config.pluginmanager.has_plugin(_REPORTS):
        config.pluginmanager.register(_Reports(config), _REPORTS)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each of the mark's seeds."""
    mark = metafunc.definition.get_closest_marker(_NETWORK_FIXTURE)
    if mark is not None and "seeds" in mark.kwargs and _NETWORK_FIXTURE in metafunc.fixturenames:
        seeds = mark.kwargs["seeds"]
        # An iterator would have no seeds left for the second test of a class or a module with this mark.
        if not isinstance(seeds, Iterable) or isinstance(seeds, (str, Iterator)):
            _invalid_mark(metafunc.definition, f"seeds={seeds!r}: {_SEED_OR_SEEDS}")
        seeds = list(seeds)
        metafunc.parametrize(_NETWORK_FIXTURE, seeds, indirect=True, ids=[f"seed={seed}" for seed in seeds])


@pytest.fixture
def winsock_network(request: pytest.FixtureRequest) -> Iterator[Network]:
    """A simulated network that is open during the test; the mark of the same name chooses its seed."""
    from winsock.simulation.errors import SimulationError
    from winsock.simulation.network import Network
    from winsock.testing.network_report import Recording

    _register_reports(request.config)
    _refuse_real_fixtures(sorted(_REAL_FIXTURES & set(request.fixturenames)))
    options = _network_options(request.node)
    seed = options.pop("seed", 0)
    if options.pop("seeds", None) is not None:
        if not hasattr(request, "param"):
            _invalid_mark(
                request.node, f"several seeds need {_NETWORK_FIXTURE} as a parameter of the test: {_SEED_OR_SEEDS}"
            )
        seed = request.param
    problem = ""
    try:
        network = Network(seed=seed, **options)
    except SimulationError as error:
        problem = str(error)
    if problem:  # not above, where pytest would show the first error too
        _invalid_mark(request.node, problem)
    with network:
        request.node.stash[_NETWORK] = Recording(network)
        yield network
        # The end of the network kills its peers. This comes first where winsock_peer was set up before it.
        failures = _finish_last_peers(request)
    _fail(request, failures)


def _refuse_in_network(request: pytest.FixtureRequest) -> None:
    """A test may ask for this machine's fixtures only when it runs, by getfixturevalue."""
    if _NETWORK in request.node.stash:
        _refuse_real_fixtures([str(request.fixturename)])


def _refuse_real_fixtures(names: list[str]) -> None:
    if names:
        pytest.fail(
            f"winsock_network cannot be used together with {', '.join(names)}: a simulated process calls WSAStartup "
            "itself and can bind any port. Use a test of its own for the simulated network",
            pytrace=False,
        )


def _network_options(node: pytest.Item) -> dict[str, Any]:
    mark = node.get_closest_marker(_NETWORK_FIXTURE)
    if mark is None:
        return {}
    if mark.args or {"seed", "seeds"} <= set(mark.kwargs):
        _invalid_mark(node, _SEED_OR_SEEDS)
    return dict(mark.kwargs)


def _invalid_mark(node: pytest.Item, problem: str) -> NoReturn:
    file, line, test = node.location
    where = file if line is None else f"{file}:{line + 1}"
    pytest.fail(f"invalid mark {_NETWORK_FIXTURE}: {problem} (at {where}, {test})", pytrace=False)
