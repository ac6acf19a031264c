"""The provider, driven over real TCP with a clock of its own, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from signal_kit import (
    FLAT,
    Script,
    Stage,
    buy,
    close,
    dial,
    forever,
    listening_port,
    lots,
    one_event,
    option,
    read,
    read_all,
    ready,
    sockets,
)

from demos.terminal.interfaces import SymbolSpec, Tick
from demos.wire.keepalive import IDLE_S, INTERVAL_S, PROBES
from winsock import (
    INVALID_SOCKET,
    IPPROTO_TCP,
    SO_KEEPALIVE,
    SOCKET_ERROR,
    SOL_SOCKET,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    WSAECONNRESET,
    WSAEMFILE,
    WSAEWOULDBLOCK,
    WSASetLastError,
)

pytestmark = pytest.mark.usefixtures("started")


def serve(**inputs: object) -> Stage:
    return Stage("provider", **{"Port": 0, **inputs})


def test_s19_a_new_client_is_greeted_alone():
    stage = serve()
    got = []

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        yield
        got.append(dial(listening_port(stage)))
        yield

    stage.play(script())
    assert [read_all(peer) for peer in got] == [FLAT, FLAT]
    close(*got)


def sent_at(stage: Stage, script: Callable[[list[int]], Script]) -> tuple[bytes, list[float]]:
    """What one client received, and when the messages were sent, in seconds after the first."""
    peers: list[int] = []
    times: list[float] = []
    note = stage.record.record

    def record(kind: str, fields: dict[str, object]) -> None:
        if kind == "sent":
            times.append(stage.clock.time)
        note(kind, fields)

    stage.record.record = record  # type: ignore[method-assign]
    stage.play(script(peers))
    received = read_all(peers[0])
    close(*peers)
    return received, [round(time - times[0], 3) for time in times]


def trading(stage: Stage, events: int) -> Callable[[list[int]], Script]:
    """A trade before each of this number of timer events after the greeting, then thirty events without trades."""

    def script(peers: list[int]) -> Script:
        yield
        peers.append(dial(listening_port(stage)))
        yield
        for _ in range(events):
            buy(stage, "0.01")
            yield
        for _ in range(30):
            yield

    return script


def test_with_any_timer_it_sends_the_latest_state_at_most_once_a_second():
    stage = serve(timer_ms=100)
    received, times = sent_at(stage, trading(stage, 25))
    assert received == lots("0.00", "0.10", "0.20", "0.25", "0.25")
    assert times == [0.0, 1.0, 2.0, 3.0, 5.0]


def test_it_sends_the_last_state_again_after_two_seconds_without_a_change():
    stage = serve(repeat=0)
    received, times = sent_at(stage, trading(stage, 1))
    assert received == lots("0.00", "0.01", "0.01")
    assert times == [0.0, 1.0, 3.0]


def test_fast_turns_both_off():
    stage = serve(timer_ms=100, fast=True)
    received, times = sent_at(stage, trading(stage, 3))
    assert received == lots("0.00", "0.01", "0.02", "0.03")
    assert times == [0.0, 0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("inputs", "times"),
    [
        ({}, [0.0, 2.0, 22.0]),
        ({"repeat": 10}, [0.0, 2.0, 12.0, 22.0]),
        ({"repeat": 1}, [float(second) for second in range(31)]),
        ({"fast": True, "repeat": 15}, [0.0, 15.0, 30.0]),
        ({"fast": True, "repeat": 0}, [0.0]),
    ],
)
def test_the_state_is_repeated_so_that_a_client_can_tell_a_quiet_server_from_a_frozen_one(inputs, times):
    stage = serve(**inputs)
    received, sent = sent_at(stage, trading(stage, 0))
    assert sent == times
    assert received == FLAT * len(times)


def test_a_connection_that_is_accepted_gets_keep_alive():
    stage = serve()

    def script() -> Script:
        yield
        peer = dial(listening_port(stage))
        yield
        [handle] = sockets(stage)
        names = ((SOL_SOCKET, SO_KEEPALIVE), *((IPPROTO_TCP, n) for n in (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT)))
        assert [option(handle, *each) for each in names] == [1, IDLE_S, INTERVAL_S, PROBES]
        close(peer)

    stage.play(script())


def test_s17_a_partial_send_is_continued_before_anything_newer():
    stage = serve(fast=True)
    # The terminal never calls OnSocket, so that the message is continued by trades and timer events only.
    stage.program.EventSetSocket = lambda *_: False
    got: list[int] = []
    real = stage.program.send_many
    room = [3, 0, 4, 0, 1, 0, 100]

    def send_many(sockets: list[int], buf: bytes, length: int, flags: int) -> list[int]:
        if not sockets:
            return []
        size = min(room.pop(0) if room else length, length)
        return real(sockets, buf, size, flags) if size else [-WSAEWOULDBLOCK]

    stage.program.send_many = send_many

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        yield
        buy(stage, "0.10")
        yield
        buy(stage, "0.10")
        yield
        buy(stage, "0.10")
        yield
        yield

    stage.play(script())
    assert read_all(got[0]) == lots("0.00", "0.30")
    close(*got)
    assert [fields["trades"] for fields in stage.record.of("sent")] == [0, 3]


def test_with_fast_a_client_is_greeted_and_a_trade_is_sent_without_waiting_for_the_timer():
    stage = serve(fast=True, repeat=0)
    got: list[int] = []
    times: list[float] = []
    real = stage.record.record

    def record(kind: str, fields: dict[str, object]) -> None:
        if kind == "sent":
            times.append(stage.clock.time)
        real(kind, fields)

    stage.record.record = record  # type: ignore[method-assign]

    def script() -> Script:
        yield
        for _ in range(2):
            got.append(dial(listening_port(stage)))
            expected.append(stage.clock.time)
            yield
        for _ in range(3):
            buy(stage, "0.10")
            expected.extend([stage.clock.time] * 2)
            yield

    expected: list[float] = []
    stage.play(script())
    assert times == expected
    assert len(set(times)) == 5
    assert [read_all(peer) for peer in got] == [lots("0.00", "0.10", "0.20", "0.30")] * 2
    close(*got)


def test_with_fast_the_end_of_a_connection_is_noticed_without_waiting_for_the_timer():
    stage = serve(fast=True)

    def script() -> Script:
        yield
        peer = dial(listening_port(stage))
        yield
        assert read(peer, 16) == FLAT
        time = stage.clock.time
        (handle,) = sockets(stage)
        close(peer)
        assert ready(handle)
        real = stage.program.Close

        def Close(client: object) -> None:
            closed.append(stage.clock.time - time)
            real(client)

        stage.program.Close = Close
        yield

    closed: list[float] = []
    stage.play(script())
    assert closed == [0.0]
    assert stage.errors() == []


def test_with_fast_a_client_without_room_gets_the_latest_state_as_soon_as_it_has_room():
    stage = serve(fast=True, repeat=0)
    real = stage.program.send_many
    full = [False]
    times: list[float] = []

    def send_many(sockets: list[int], buf: bytes, length: int, flags: int) -> list[int]:
        if sockets and full[0]:
            full[0] = False
            times.append(stage.clock.time)
            return [-WSAEWOULDBLOCK for _ in sockets]
        return real(sockets, buf, length, flags)

    stage.program.send_many = send_many
    got: list[int] = []

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        yield
        full[0] = True
        buy(stage, "0.10")
        time = stage.clock.time
        yield
        assert stage.clock.time == time + 1
        assert times == [time]
        assert read(got[0], 16) == FLAT
        assert read(got[0], 16) == lots("0.10")
        (client,) = stage.program.conns
        assert not client.waiting

    stage.play(script())
    assert len(stage.record.of("sent")) == 2
    close(*got)


def test_with_fast_a_client_that_cannot_be_accepted_is_tried_again_at_the_next_timer_event_only():
    stage = serve(fast=True)
    tried: list[float] = []

    def accept(*_: object) -> int:
        tried.append(stage.clock.time)
        WSASetLastError(WSAEMFILE)
        return INVALID_SOCKET

    def script() -> Script:
        yield
        peer = dial(listening_port(stage))
        stage.program.accept = accept
        for _ in range(3):
            yield
        close(peer)

    stage.play(script())
    assert 3 <= len(tried) <= 7
    assert len(set(tried)) >= 3


@pytest.mark.parametrize(("error", "logged"), [(WSAECONNRESET, []), (WSAEMFILE, ["-Accept failed error: (#10024)"])])
def test_s14_an_accept_error_drops_neither_the_listener_nor_a_client(error, logged):
    stage = serve(fast=True)

    def script() -> Script:
        yield
        first = dial(listening_port(stage))
        yield
        real = stage.program.accept
        failures = [error, error, error]

        def accept(*arguments: object) -> int:
            if failures:
                WSASetLastError(failures.pop())
                return INVALID_SOCKET
            handle: int = real(*arguments)
            return handle

        stage.program.accept = accept
        second = dial(listening_port(stage))
        for _ in range(4):
            yield
        assert read(second, 16) == FLAT
        buy(stage, "0.10")
        yield
        assert read(first, 32) == lots("0.00", "0.10")
        assert read(second, 16) == lots("0.10")
        close(first, second)

    stage.play(script())
    # A lasting error is logged once; that of a client which is already gone is not logged.
    assert [text[:30] for text in stage.errors()] == logged


def test_a_client_whose_nodelay_fails_is_reported_and_served():
    stage = serve()

    def script() -> Script:
        yield
        stage.program.setsockopt = lambda *_: WSASetLastError(10042) or SOCKET_ERROR
        peer = dial(listening_port(stage))
        yield
        assert read(peer, 16) == FLAT
        close(peer)

    stage.play(script())
    assert "setsockopt" in stage.errors()[0]


@pytest.mark.parametrize("host", ["", "a\0b", "no-such-host.invalid"])
def test_s22_a_host_name_that_cannot_be_resolved_is_one_line_and_exit_code_3(host):
    stage = serve(Host=host)
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert "invalid host name: " in error or f"the host name '{host}' cannot be resolved: (#11001)" in error


def test_listening_on_every_network_logs_one_warning():
    stage = serve(Host="0.0.0.0")
    assert stage.play(one_event()) == 0
    warnings = [line for line in stage.stream.getvalue().splitlines() if " alert " in line]
    assert len(warnings) == 1
    assert "no password" in warnings[0]
    assert "can read the position" in warnings[0]


def test_loopback_is_the_default_and_logs_no_warning():
    stage = serve()
    assert stage.program.Host == "127.0.0.1"
    stage.play(one_event())
    assert " alert " not in stage.stream.getvalue()


def test_s9_another_code_page_carries_other_letters():
    stage = serve(symbols=[SymbolSpec("EURЖ")], quotes=(), codepage=1251)

    def script() -> Script:
        yield
        peer = dial(listening_port(stage))
        yield
        assert read(peer, 14) == b"<<EUR\xc6|0.00>>\0"
        close(peer)

    assert stage.play(script()) == 0


def test_s8_a_volume_step_finer_than_a_message_is_refused_at_the_start():
    stage = serve(symbols=[SymbolSpec("EURUSD", volume_step=Decimal("0.001"))])
    assert stage.play(forever()) == 2
    [error] = stage.errors()
    assert error == "a message cannot carry volumes in steps of 0.001 lots: it has two digits"


WAVE = tuple(Tick("EURUSD", n, bid, bid + 2) for n, bid in enumerate([110_000, 110_300, 110_300, 109_000, 110_000] * 4))


def deals(**inputs: object) -> list[object]:
    stage = serve(quotes=WAVE, **inputs)
    stage.play(one_event())
    return [(fields["volume"], fields["position"]) for fields in stage.record.of("deal")]


def test_the_strategy_trades_the_same_on_the_same_ticks_and_only_when_it_is_turned_on():
    trades = deals(strategy=1)
    assert trades == deals(strategy=1)
    assert len(trades) > 10
    assert {str(position).startswith("-") for _, position in trades} == {True, False}
    assert 0 < len(deals(strategy=3)) < len(trades)
    assert deals() == []


def test_the_strategy_trades_in_the_smallest_volumes_and_not_above_its_limit():
    coarse = SymbolSpec("EURUSD", volume_min=10)
    quotes = (Tick("EURUSD", 0, 110_000, 110_002), Tick("EURUSD", 1, 150_000, 150_002))
    stage = serve(symbols=[coarse], quotes=quotes, strategy=1)
    stage.play(one_event())
    assert [fields["position"] for fields in stage.record.of("deal")] == ["-10.00"]


def test_the_strategy_does_not_trade_while_its_file_exists(tmp_path):
    file = tmp_path / "pause"
    assert deals(strategy=1, pause=str(file))
    file.touch()
    assert deals(strategy=1, pause=str(file)) == []


def test_no_trade_follows_the_event_that_reports_the_pause(tmp_path):
    file = tmp_path / "pause"
    stage = serve(quotes=WAVE, strategy=1, pause=str(file))

    def script() -> Script:
        yield
        file.touch()
        yield
        assert stage.record.events[-1] == ("paused", {"paused": True})
        stage.terminal.market._quotes += WAVE
        yield
        assert stage.record.events[-1] == ("paused", {"paused": True})
        file.unlink()
        yield
        assert stage.record.events[-1] == ("paused", {"paused": False})

    stage.play(script())
    assert stage.record.of("deal")


def test_a_failed_order_of_the_strategy_is_logged():
    small = SymbolSpec("EURUSD", volume_max=1)
    quotes = (Tick("EURUSD", 0, 110_000, 110_002), Tick("EURUSD", 1, 110_300, 110_302))
    stage = serve(symbols=[small], quotes=quotes, strategy=1)
    stage.play(one_event())
    assert stage.errors() == ["-Trade failed: invalid volume in the request: volume 0.54 is above the maximum 0.01"]


def test_the_clients_accepted_in_one_event_are_limited():
    stage = serve()

    def script() -> Script:
        yield
        stage.program.MOST_ACCEPTED = 2
        peers = [dial(listening_port(stage)) for _ in range(3)]
        yield
        assert len(stage.program.conns) == 2
        yield
        assert [read(peer, 16) for peer in peers] == [FLAT] * 3
        close(*peers)

    stage.play(script())


@pytest.mark.parametrize("inputs", [{"codepage": 1}, {"strategy": -1}])
def test_inputs_are_checked(inputs):
    from demos.terminal.interfaces import ProgramError

    with pytest.raises(ProgramError):
        serve(**inputs)
