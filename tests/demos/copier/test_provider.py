"""The provider, driven over real TCP with a clock of its own, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from cleanup_kit import closed_after_test
from signal_kit import (
    EURUSD,
    QUOTES,
    Script,
    Stage,
    close,
    dial,
    fill,
    forever,
    listener,
    one_event,
    port_of,
    read,
    read_all,
    ready,
    reset,
    successes,
)

from demos.terminal.interfaces import SymbolSpec, Tick
from demos.terminal.paper.account import PaperAccount
from winsock import (
    INVALID_SOCKET,
    MAKEWORD,
    SOCKET_ERROR,
    WSADATA,
    WSAECONNRESET,
    WSAEMFILE,
    WSAEWOULDBLOCK,
    WSANOTINITIALISED,
    WSACleanup,
    WSAGetLastError,
    WSASetLastError,
    WSAStartup,
    closesocket,
)

pytestmark = pytest.mark.usefixtures("started")

FLAT = b"<<EURUSD|0.00>>\0"


def serve(**inputs: object) -> Stage:
    return Stage("provider", **{"Port": 0, **inputs})


def port(stage: Stage) -> int:
    [listening] = stage.record.of("listening")
    number = listening["port"]
    assert isinstance(number, int)
    return number


def lots(*volumes: str) -> bytes:
    return b"".join(f"<<EURUSD|{volume}>>\0".encode() for volume in volumes)


def buy(stage: Stage, volume: str) -> None:
    stage.host.post(f"buy {volume}")


def test_it_listens_at_the_first_timer_event_and_greets_at_the_second():
    stage = serve()

    def script() -> Script:
        assert stage.program.server == INVALID_SOCKET
        yield
        peer = dial(port(stage))
        yield
        assert read(peer, 16) == FLAT
        close(peer)

    assert stage.play(script()) == 0
    assert "start server ok, 127.0.0.1:" in "\n".join(stage.texts)


def test_a_trade_is_sent_to_every_client_at_the_next_timer_event():
    stage = serve()

    def script() -> Script:
        yield
        peers = [dial(port(stage)) for _ in range(3)]
        yield
        assert [read(peer, 16) for peer in peers] == [FLAT] * 3
        buy(stage, "0.25")
        yield
        assert [read(peer, 16) for peer in peers] == [lots("0.25")] * 3
        stage.host.post("sell 10.50")
        yield
        assert [read(peer, 18) for peer in peers] == [lots("-10.25")] * 3
        close(*peers)

    stage.play(script())


def test_a_position_in_another_symbol_is_not_sent():
    account = closed_after_test(PaperAccount())
    account.trade(SymbolSpec("GBPUSD"), 25, QUOTES[1])
    stage = serve(account=account)

    def script() -> Script:
        yield
        peer = dial(port(stage))
        yield
        assert read(peer, 16) == FLAT
        close(peer)

    assert stage.play(script()) == 0


def test_s3_a_shorter_message_has_no_tail_of_a_longer_one():
    stage = serve()
    got = []

    def script() -> Script:
        yield
        peer = dial(port(stage))
        got.append(peer)
        buy(stage, "100")
        yield
        stage.host.post("sell 99.50")
        yield

    stage.play(script())
    assert read_all(got[0]) == lots("100.00", "0.50")
    close(*got)


def test_s19_trades_within_a_period_are_one_message_of_the_latest_state():
    stage = serve()
    got = []

    def script() -> Script:
        yield
        got.append(dial(port(stage)))
        yield
        for _ in range(5):
            buy(stage, "0.10")
        yield

    stage.play(script())
    assert read_all(got[0]) == lots("0.00", "0.50")
    close(*got)
    assert stage.record.of("sent")[1]["trades"] == 5


def test_s19_a_new_client_is_greeted_alone():
    stage = serve()
    got = []

    def script() -> Script:
        yield
        got.append(dial(port(stage)))
        yield
        got.append(dial(port(stage)))
        yield

    stage.play(script())
    assert [read_all(peer) for peer in got] == [FLAT, FLAT]
    close(*got)


def test_the_greeting_is_the_present_position_of_the_account():
    account = closed_after_test(PaperAccount())
    account.trade(EURUSD, -30, QUOTES[0])
    stage = serve(account=account)

    def script() -> Script:
        yield
        peer = dial(port(stage))
        yield
        assert read(peer, 17) == lots("-0.30")
        close(peer)

    stage.play(script())
    assert stage.record.of("started") == [{"symbol": "EURUSD", "position": "-0.30"}]


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
        peers.append(dial(port(stage)))
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
    stage = serve()
    received, times = sent_at(stage, trading(stage, 1))
    assert received == lots("0.00", "0.01", "0.01")
    assert times == [0.0, 1.0, 3.0]


def test_fast_turns_both_off():
    stage = serve(timer_ms=100, fast=True)
    received, times = sent_at(stage, trading(stage, 3))
    assert received == lots("0.00", "0.01", "0.02", "0.03")
    assert times == [0.0, 0.1, 0.2, 0.3]


def test_s17_a_client_whose_buffer_is_full_is_kept_and_gets_the_latest_state_when_there_is_room():
    stage = serve(fast=True)
    got: list[int] = []
    junk = 0

    def script() -> Script:
        nonlocal junk
        yield
        slow, quick = dial(port(stage)), dial(port(stage))
        got.extend((slow, quick))
        yield
        assert read(slow, 16) == FLAT
        junk = fill(stage.program.conns[0].socket)
        for _ in range(3):
            buy(stage, "0.10")
            yield
        # Nobody else waits for it.
        assert read(quick, 16 * 4) == lots("0.00", "0.10", "0.20", "0.30")
        read(slow, junk)
        yield

    stage.play(script())
    assert read_all(got[0]) == lots("0.30")
    close(*got)
    assert stage.errors() == []


def test_s17_a_partial_send_is_continued_before_anything_newer():
    stage = serve(fast=True)
    got: list[int] = []
    real = stage.program.send_many
    room = [3, 0, 4, 100]

    def send_many(sockets: list[int], buf: bytes, length: int, flags: int) -> list[int]:
        if not sockets:
            return []
        size = min(room.pop(0) if room else length, length)
        return real(sockets, buf, size, flags) if size else [-WSAEWOULDBLOCK]

    stage.program.send_many = send_many

    def script() -> Script:
        yield
        got.append(dial(port(stage)))
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


@pytest.mark.parametrize("leave", [closesocket, reset])
def test_s16_a_client_that_left_is_noticed_at_the_next_event_and_forgotten(leave):
    stage = serve()

    def script() -> Script:
        yield
        gone, other = dial(port(stage)), dial(port(stage))
        yield
        assert read(gone, 16) == read(other, 16) == FLAT
        handle = stage.program.conns[0].socket
        leave(gone)
        assert ready(handle)
        yield
        assert len(stage.program.conns) == 1
        buy(stage, "0.10")
        yield
        assert read(other, 16) == lots("0.10")
        close(other)

    stage.play(script())
    assert "Shutdown server and 1 connections" in stage.texts


def test_s16_a_client_to_which_a_send_fails_is_closed():
    stage = serve()

    def script() -> Script:
        yield
        peer, other = dial(port(stage)), dial(port(stage))
        yield
        stage.program.recv = lambda *_: WSASetLastError(WSAEWOULDBLOCK) or SOCKET_ERROR
        handle = stage.program.conns[0].socket
        reset(peer)
        assert ready(handle)
        buy(stage, "0.10")
        yield
        assert len(stage.program.conns) == 1
        assert read(other, 32) == lots("0.00", "0.10")
        close(other)

    stage.play(script())
    [error] = stage.errors()
    assert error.startswith("-Send to 127.0.0.1:")


def test_s18_input_of_clients_is_discarded_up_to_a_limit_per_event():
    stage = serve(fast=True)
    sizes: list[int] = []

    def script() -> Script:
        yield
        peer, other = dial(port(stage)), dial(port(stage))
        yield
        assert read(peer, 16) == FLAT
        count = fill(peer)
        assert count > stage.program.MOST_DISCARDED
        real = stage.program.recv

        def counted(*arguments: object) -> int:
            size: int = real(*arguments)
            sizes.append(max(size, 0))
            return size

        stage.program.recv = counted
        buy(stage, "0.10")
        yield
        assert 0 < sum(sizes) <= stage.program.MOST_DISCARDED
        assert read(peer, 16) == lots("0.10")
        assert read(other, 32) == lots("0.00", "0.10")
        closesocket(peer)
        while len(stage.program.conns) > 1:
            yield
        assert sum(sizes) == count
        close(other)

    stage.play(script())


@pytest.mark.parametrize(("error", "logged"), [(WSAECONNRESET, []), (WSAEMFILE, ["-Accept failed error: (#10024)"])])
def test_s14_an_accept_error_drops_neither_the_listener_nor_a_client(error, logged):
    stage = serve(fast=True)

    def script() -> Script:
        yield
        first = dial(port(stage))
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
        second = dial(port(stage))
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


def test_s15_a_client_whose_mode_cannot_be_set_is_closed():
    stage = serve()

    def script() -> Script:
        yield
        real = stage.program.ioctlsocket
        stage.program.ioctlsocket = lambda *_: WSASetLastError(10022) or SOCKET_ERROR
        first = dial(port(stage))
        yield
        assert read_all(first) == b""
        stage.program.ioctlsocket = real
        second = dial(port(stage))
        yield
        assert read(second, 16) == FLAT
        close(first, second)

    stage.play(script())
    assert len(stage.record.of("accepted")) == 1


def test_a_client_whose_nodelay_fails_is_reported_and_served():
    stage = serve()

    def script() -> Script:
        yield
        stage.program.setsockopt = lambda *_: WSASetLastError(10042) or SOCKET_ERROR
        peer = dial(port(stage))
        yield
        assert read(peer, 16) == FLAT
        close(peer)

    stage.play(script())
    assert "setsockopt" in stage.errors()[0]


def test_s13_it_cleans_up_exactly_what_it_started():
    for script, calls in ((iter(()), []), (one_event(), ["WSAStartup", "WSACleanup"])):
        stage = serve()
        seen = successes(stage)
        stage.play(script)
        assert seen == calls


def test_the_end_is_orderly_for_clients_and_the_port_can_be_bound_again_at_once():
    stage = serve()
    got: list[int] = []

    def script() -> Script:
        yield
        got.append(dial(port(stage)))
        yield

    stage.play(script())
    assert read_all(got[0]) == FLAT
    again = serve(Port=port(stage))
    assert again.play(one_event()) == 0
    assert port(again) == port(stage)
    close(*got)


def test_s21_a_port_in_use_is_one_clear_line_and_exit_code_3():
    other = listener()
    stage = serve(Port=port_of(other))
    assert stage.play(forever()) == 3
    close(other)
    [error] = stage.errors()
    assert f"127.0.0.1:{stage.program.Port} failed error: " in error
    assert "10048" in error


@pytest.mark.parametrize("host", ["", "a\0b", "no-such-host.invalid"])
def test_s22_a_host_that_cannot_be_found_is_one_line_and_exit_code_3(host):
    stage = serve(Host=host)
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert "invalid host name: " in error or f"{host} cannot be found: (#11001)" in error


def test_s22_an_address_of_another_machine_is_refused_with_exit_code_3():
    stage = serve(Host="192.0.2.1")
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert error.startswith("Bind to 192.0.2.1:0 failed error: (#10049)")


def test_h1_h3_the_address_given_to_bind_has_16_bytes_and_ends_in_zeros():
    stage = serve()
    given: list[tuple[bytes, int]] = []
    real = stage.program.bind

    def bind(s: int, name: bytearray, namelen: int) -> int:
        given.append((bytes(name), namelen))
        result: int = real(s, name, namelen)
        return result

    stage.program.bind = bind
    stage.play(one_event())
    assert given == [(b"\x02\0\0\0\x7f\0\0\x01" + bytes(8), 16)]


@pytest.mark.parametrize(
    ("call", "failure"),
    [
        ("WSAStartup", lambda *_: 10091),
        ("socket", lambda *_: INVALID_SOCKET),
        ("bind", lambda *_: SOCKET_ERROR),
        ("ioctlsocket", lambda *_: SOCKET_ERROR),
        ("listen", lambda *_: SOCKET_ERROR),
        ("getsockname", lambda *_: SOCKET_ERROR),
    ],
)
def test_a_server_that_cannot_start_says_so_once_and_ends_with_exit_code_3(call, failure):
    stage = serve()
    setattr(stage.program, call, failure)
    assert stage.play(forever()) == 3
    assert len(stage.errors()) == 1
    assert WSACleanup() == 0
    # The count was ours alone.
    assert WSACleanup() == SOCKET_ERROR
    assert WSAGetLastError() == WSANOTINITIALISED
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0


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


@pytest.mark.parametrize("symbol", ["EUR|USD", "EUR<<USD", "EUR>>USD", "EUR\0USD", "EURЖ"])
def test_s9_a_symbol_that_a_message_cannot_carry_is_refused_at_the_start(symbol):
    stage = serve(symbols=[SymbolSpec(symbol)], quotes=())
    assert stage.play(forever()) == 2
    [error] = stage.errors()
    assert repr(symbol) in error


def test_s9_another_code_page_carries_other_letters():
    stage = serve(symbols=[SymbolSpec("EURЖ")], quotes=(), codepage=1251)

    def script() -> Script:
        yield
        peer = dial(port(stage))
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
        peers = [dial(port(stage)) for _ in range(3)]
        yield
        assert len(stage.program.conns) == 2
        yield
        assert [read(peer, 16) for peer in peers] == [FLAT] * 3
        close(*peers)

    stage.play(script())


@pytest.mark.parametrize("inputs", [{"Port": -1}, {"Port": 65536}, {"codepage": 1}, {"strategy": -1}])
def test_inputs_are_checked(inputs):
    from demos.terminal.interfaces import ProgramError

    with pytest.raises(ProgramError):
        serve(**inputs)
