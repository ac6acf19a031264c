"""Programs whose host name cannot be resolved at present retry with growing pauses, and report it once.

A name server or a system that fails may work later. An unknown name may get an address later, for example when the
network starts: a client retries. A server's own name is an error of the user.
"""

from __future__ import annotations

from functools import partial

import pytest
from signal_kit import (
    FLAT,
    Script,
    Stage,
    close,
    connected,
    dial,
    follow,
    forever,
    listening_port,
    port_of,
    read,
    server,
)
from tick_kit import USDJPY, TickStage, receive, receiver
from tpl_kit import TplStage, get

from demos.wire import addresses
from winsock import (
    INVALID_SOCKET,
    WSA_NOT_ENOUGH_MEMORY,
    WSAEAFNOSUPPORT,
    WSAEMFILE,
    WSAENETDOWN,
    WSAENOBUFS,
    WSAHOST_NOT_FOUND,
    WSANO_DATA,
    WSANO_RECOVERY,
    WSASYSNOTREADY,
    WSATRY_AGAIN,
)

__all__ = ["receiver", "server"]

pytestmark = pytest.mark.usefixtures("started")

# The errors that are temporary for servers and clients, and those that mean an unknown name.
FAILURES = (
    WSATRY_AGAIN,
    WSANO_RECOVERY,
    WSA_NOT_ENOUGH_MEMORY,
    WSAENOBUFS,
    WSAEMFILE,
    WSAENETDOWN,
    WSASYSNOTREADY,
)
UNKNOWN = (WSAHOST_NOT_FOUND, WSANO_DATA)


def failing(monkeypatch, error: int):
    """Let the resolver fail until the result is called."""
    resolve = addresses.getaddrinfo

    def fail(*arguments: object) -> int:
        return error

    monkeypatch.setattr(addresses, "getaddrinfo", fail)
    return lambda: monkeypatch.setattr(addresses, "getaddrinfo", resolve)


@pytest.fixture
def unresolved(monkeypatch):
    """A resolver that fails with a temporary error until it is repaired."""
    return failing(monkeypatch, WSATRY_AGAIN)


@pytest.fixture(params=[*FAILURES, *UNKNOWN])
def unknown(request, monkeypatch):
    """The same with each of the errors that are temporary for a client."""
    return failing(monkeypatch, request.param)


def listens_later(stage: Stage, repair) -> Script:
    for _ in range(20):
        yield
    assert stage.program.server == INVALID_SOCKET
    assert 2 <= stage.program.starting.failures <= 10
    repair()
    for _ in range(400):
        if stage.program.server != INVALID_SOCKET:
            return
        yield
    raise AssertionError("the program does not listen")


def test_the_collector_listens_when_the_name_can_be_resolved(unresolved):
    stage = Stage("tick_collector", Port=0, Host="localhost")
    assert stage.play(listens_later(stage, unresolved)) == 0
    [error] = stage.errors()
    assert error.startswith("-the host name 'localhost' cannot be resolved: (#11002)")
    assert error.endswith(" found. Next attempt in 0.5 s, then after growing pauses.")


def test_the_chart_server_listens_when_the_name_can_be_resolved(unresolved, tmp_path):
    stage = TplStage("chart_server", tmp_path, Port=0, Host="localhost", timer_ms=1000)

    def script() -> Script:
        yield from listens_later(stage, unresolved)
        yield from get(stage)

    assert stage.play(script()) == 0
    assert len([error for error in stage.errors() if "cannot be resolved" in error]) == 1


def test_the_provider_listens_when_the_name_can_be_resolved(unresolved):
    stage = Stage("provider", Port=0, Host="localhost")

    def script() -> Script:
        yield from listens_later(stage, unresolved)
        peer = dial(listening_port(stage))
        yield
        assert read(peer, 16) == FLAT
        close(peer)

    assert stage.play(script()) == 0
    [error] = stage.errors()
    assert error.startswith("-the host name 'localhost' cannot be resolved: (#11002)")
    assert error.endswith(" found. Next attempt in 1 s, then after growing pauses.")


@pytest.mark.parametrize("error", FAILURES)
def test_the_provider_retries_every_failure_of_the_resolver(error, monkeypatch):
    stage = Stage("provider", Port=0, Host="localhost")
    assert stage.play(listens_later(stage, failing(monkeypatch, error))) == 0
    assert len([text for text in stage.errors() if "cannot be resolved" in text]) == 1


@pytest.mark.parametrize("code", [*UNKNOWN, WSAEAFNOSUPPORT])
@pytest.mark.parametrize("program", ["provider", "chart_server", "tick_collector"])
def test_a_server_whose_own_name_is_unknown_ends_with_one_line_and_exit_code_3(program, code, monkeypatch, tmp_path):
    failing(monkeypatch, code)
    make = partial(TplStage, program, tmp_path) if program == "chart_server" else partial(Stage, program)
    stage = make(Port=0, Host="server")
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert error.startswith(f"the host name 'server' cannot be resolved: (#{code})")


def test_the_copier_connects_when_the_name_can_be_resolved(unknown, server):
    stage = follow(server, Host="localhost")

    def script() -> Script:
        for _ in range(20):
            yield
        assert stage.program.client == INVALID_SOCKET
        unknown()
        while stage.program.client == INVALID_SOCKET:
            yield
        yield from connected(stage, server)
        close(stage.peer)

    assert stage.play(script()) == 0
    assert len([error for error in stage.errors() if "cannot be resolved" in error]) == 1


@pytest.mark.parametrize("program", ["copier", "tick_sender"])
def test_a_client_whose_servers_name_is_never_resolved_reports_it_once_and_ends_with_exit_code_3(program, unknown):
    stage = Stage(program, Port=1, Host="server")

    def script() -> Script:
        for _ in range(100):
            yield

    assert stage.play(script()) == 3
    assert len([error for error in stage.errors() if "cannot be resolved" in error]) == 1


def test_the_sender_keeps_its_ticks_until_the_name_can_be_resolved(unknown, receiver):
    stage = TickStage(port_of(receiver), USDJPY, Host="localhost")

    def script() -> Script:
        stage.tick(110_500)
        for _ in range(20):
            yield
        unknown()
        for _ in range(40):
            yield
        assert receive(receiver) == b"USDJPY 110.500\0"

    assert stage.play(script()) == 0
    assert len(stage.errors()) == 1
