"""The rules that signal_server and provider share, on real TCP with a clock of their own, byte for byte."""

from __future__ import annotations

import pytest
from cleanup_kit import closed_after_test
from signal_kit import (
    EURUSD,
    FLAT,
    QUOTES,
    Script,
    buy,
    close,
    dial,
    fail,
    fill,
    forever,
    listener,
    listening_port,
    lots,
    one_event,
    port_of,
    read,
    read_all,
    ready,
    reset,
    serve,
    sockets,
    successes,
)

from demos.terminal.interfaces import ProgramError, SymbolSpec
from demos.terminal.paper.account import PaperAccount
from winsock import (
    INVALID_SOCKET,
    MAKEWORD,
    SOCKET_ERROR,
    WSADATA,
    WSAEWOULDBLOCK,
    WSANOTINITIALISED,
    WSACleanup,
    WSAGetLastError,
    WSAStartup,
    closesocket,
    sockaddr_in,
)

pytestmark = pytest.mark.usefixtures("started")

STUDY, PRODUCT = "signal_server", "provider"
DISCARDED_PER_EVENT = 64 * 1024

both = pytest.mark.parametrize("program", [STUDY, PRODUCT])

# Without --fast the provider sends at most one message a second, and repeats the last one.
both_at_once = pytest.mark.parametrize(("program", "inputs"), [(STUDY, {}), (PRODUCT, {"fast": True})])


@both
def test_it_listens_at_the_first_timer_event_and_greets_at_the_second(program):
    stage = serve(program)

    def script() -> Script:
        assert stage.program.server == INVALID_SOCKET
        yield
        peer = dial(listening_port(stage))
        yield
        assert read(peer, 16) == FLAT
        close(peer)

    assert stage.play(script()) == 0
    first = ["try bind... 127.0.0.1:0"] if program == STUDY else []
    assert stage.texts[: len(first) + 1] == [*first, f"start server ok, 127.0.0.1:{listening_port(stage)}"]
    assert any(text.startswith("Accept new client 127.0.0.1:") for text in stage.texts)
    if program == PRODUCT:
        assert stage.record.of("listening") == [{"port": listening_port(stage)}]


@both
def test_a_trade_is_sent_to_every_client_at_the_next_timer_event(program):
    stage = serve(program)

    def script() -> Script:
        yield
        peers = [dial(listening_port(stage)) for _ in range(3)]
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


@both
@pytest.mark.parametrize(("steps", "message"), [(-30, lots("-0.30")), (0, FLAT)])
def test_the_greeting_is_the_present_position_of_the_symbol(program, steps, message):
    account = closed_after_test(PaperAccount())
    if steps:
        account.trade(EURUSD, steps, QUOTES[0])
    account.trade(SymbolSpec("GBPUSD"), 25, QUOTES[1])
    stage = serve(program, account=account)

    def script() -> Script:
        yield
        peer = dial(listening_port(stage))
        yield
        assert read(peer, len(message)) == message
        close(peer)

    assert stage.play(script()) == 0
    if program == PRODUCT:
        position = "-0.30" if steps else "0.00"
        assert stage.record.of("started") == [{"symbol": "EURUSD", "position": position}]


@both
def test_s19_trades_within_a_period_are_one_message_of_the_latest_state(program):
    stage = serve(program)
    got: list[int] = []

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        yield
        for _ in range(5):
            buy(stage, "0.10")
        yield

    stage.play(script())
    assert read_all(got[0]) == lots("0.00", "0.50")
    close(*got)
    if program == PRODUCT:
        assert stage.record.of("sent")[1]["trades"] == 5


@both
def test_s3_a_shorter_message_has_no_tail_of_a_longer_one(program):
    stage = serve(program)
    got: list[int] = []

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        buy(stage, "100")
        yield
        stage.host.post("sell 99.50")
        yield

    stage.play(script())
    assert read_all(got[0]) == lots("100.00", "0.50")
    close(*got)


@both
@pytest.mark.parametrize("symbol", ["EUR|USD", "EUR<<USD", "EUR>>USD", "EUR\0USD", "EURЖ"])
def test_s9_a_symbol_that_a_message_cannot_carry_is_refused_at_the_start(program, symbol):
    stage = serve(program, symbols=[SymbolSpec(symbol)], quotes=())
    assert stage.play(forever()) == 2
    assert repr(symbol) in stage.errors()[0]
    if program == PRODUCT:
        assert len(stage.errors()) == 1


@both
def test_s13_it_cleans_up_exactly_what_it_started(program):
    for script, calls in ((iter(()), []), (one_event(), ["WSAStartup", "WSACleanup"])):
        stage = serve(program)
        seen = successes(stage)
        stage.play(script)
        assert seen == calls


@both
def test_s15_a_client_whose_mode_cannot_be_set_is_closed(program):
    stage = serve(program)

    def script() -> Script:
        yield
        real = stage.program.ioctlsocket
        stage.program.ioctlsocket = fail(10022)
        first = dial(listening_port(stage))
        yield
        assert read_all(first) == b""
        stage.program.ioctlsocket = real
        second = dial(listening_port(stage))
        yield
        assert read(second, 16) == FLAT
        assert len(stage.program.conns) == 1
        close(first, second)

    stage.play(script())
    if program == PRODUCT:
        assert len(stage.record.of("accepted")) == 1


@both
@pytest.mark.parametrize("leave", [closesocket, reset])
def test_s16_a2_a_client_that_left_is_noticed_at_the_next_event_and_removed(program, leave):
    stage = serve(program)

    def script() -> Script:
        yield
        gone, other = dial(listening_port(stage)), dial(listening_port(stage))
        yield
        assert read(gone, 16) == read(other, 16) == FLAT
        handle = sockets(stage)[0]
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


@pytest.mark.parametrize(("program", "text"), [(STUDY, "-Send failed error: (#10"), (PRODUCT, "-Send to 127.0.0.1:")])
def test_s16_a_client_to_which_a_send_fails_is_closed(program, text):
    stage = serve(program)

    def script() -> Script:
        yield
        peer, other = dial(listening_port(stage)), dial(listening_port(stage))
        yield
        stage.program.recv = fail(WSAEWOULDBLOCK)
        handle = sockets(stage)[0]
        reset(peer)
        assert ready(handle)
        buy(stage, "0.10")
        yield
        assert len(stage.program.conns) == 1
        assert read(other, 32) == lots("0.00", "0.10")
        close(other)

    stage.play(script())
    [error] = stage.errors()
    assert error.startswith(text)


@both_at_once
def test_s17_a_client_whose_buffer_is_full_is_kept_and_gets_the_latest_state_when_there_is_room(program, inputs):
    stage = serve(program, **inputs)
    got: list[int] = []

    def script() -> Script:
        yield
        slow, quick = dial(listening_port(stage)), dial(listening_port(stage))
        got.extend((slow, quick))
        yield
        assert read(slow, 16) == FLAT
        junk = fill(sockets(stage)[0])
        for _ in range(3):
            buy(stage, "0.10")
            yield
        # The other client does not wait for it.
        assert read(quick, 16 * 4) == lots("0.00", "0.10", "0.20", "0.30")
        read(slow, junk)
        yield
        if program == STUDY:
            yield

    stage.play(script())
    assert read_all(got[0]) == lots("0.30")
    close(*got)
    assert stage.errors() == []


@both_at_once
def test_s18_input_of_clients_is_discarded_up_to_a_limit_per_event(program, inputs):
    # Sending to a closed connection would end it before all input is discarded.
    no_repeat = {"repeat": 0} if program == PRODUCT else {}
    stage = serve(program, **inputs, **no_repeat)
    # What each event has received.
    sizes: list[list[int]] = [[]]

    def counting(event: str) -> None:
        function = getattr(stage.program, event)

        def counted(*arguments: object) -> None:
            sizes.append([])
            function(*arguments)

        setattr(stage.program, event, counted)

    def script() -> Script:
        yield
        peer, other = dial(listening_port(stage)), dial(listening_port(stage))
        yield
        assert read(peer, 16) == FLAT
        for event in ("OnTimer", *(["OnSocket"] if program == PRODUCT else [])):
            counting(event)
        count = fill(peer)
        assert count > DISCARDED_PER_EVENT
        real = stage.program.recv

        def counted(*arguments: object) -> int:
            size: int = real(*arguments)
            sizes[-1].append(max(size, 0))
            return size

        stage.program.recv = counted
        buy(stage, "0.10")
        yield
        assert 0 < max(map(sum, sizes)) < DISCARDED_PER_EVENT + 4096
        if program == PRODUCT:
            assert max(map(sum, sizes)) <= stage.program.MOST_DISCARDED == DISCARDED_PER_EVENT
        assert len([each for each in sizes if each]) == 1 or inputs.get("fast")
        assert read(peer, 16) == lots("0.10")
        assert read(other, 32) == lots("0.00", "0.10")
        closesocket(peer)
        while len(stage.program.conns) > 1:
            yield
        assert sum(map(sum, sizes)) == count
        close(other)

    stage.play(script())


@both
def test_s21_a_port_in_use_is_one_line_of_error_and_exit_code_3(program):
    other = listener()
    stage = serve(program, Port=port_of(other))
    assert stage.play(forever()) == 3
    close(other)
    [error] = stage.errors()
    assert f"127.0.0.1:{stage.program.Port} failed error: (#10048)" in error


@both
def test_s22_an_address_of_another_machine_is_refused_with_exit_code_3(program):
    stage = serve(program, Host="192.0.2.1")
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert error.startswith("Bind to 192.0.2.1:0 failed error: (#10049)")


@both
def test_h1_h3_the_address_given_to_bind_has_16_bytes_and_ends_in_zeros(program):
    stage = serve(program)
    given: list[tuple[bytes, int]] = []
    real = stage.program.bind

    def bind(s: int, name: bytearray | sockaddr_in, namelen: int) -> int:
        assert isinstance(name, bytearray if program == STUDY else sockaddr_in)
        given.append((bytes(name), namelen))
        result: int = real(s, name, namelen)
        return result

    stage.program.bind = bind
    stage.play(one_event())
    assert given == [(b"\x02\0\0\0\x7f\0\0\x01" + bytes(8), 16)]


@pytest.mark.parametrize(
    ("program", "call", "failure"),
    [
        (STUDY, "bind", fail(10013)),
        (STUDY, "listen", fail(10048)),
        (STUDY, "getsockname", fail(10055)),
        (PRODUCT, "WSAStartup", lambda *_: 10091),
        (PRODUCT, "socket", fail(10055, INVALID_SOCKET)),
        (PRODUCT, "bind", fail(10013)),
        (PRODUCT, "ioctlsocket", fail(10055)),
        (PRODUCT, "listen", fail(10048)),
        (PRODUCT, "getsockname", fail(10055)),
    ],
)
def test_a_server_that_cannot_start_prints_one_line_of_error_and_ends_with_exit_code_3(program, call, failure):
    stage = serve(program)
    setattr(stage.program, call, failure)
    assert stage.play(forever()) == 3
    assert len(stage.errors()) == 1
    assert WSACleanup() == 0
    # The count was this test's own.
    assert WSACleanup() == SOCKET_ERROR
    assert WSAGetLastError() == WSANOTINITIALISED
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0


@both
def test_the_end_is_orderly_for_clients_and_the_port_can_be_bound_again_at_once(program):
    stage = serve(program)
    got: list[int] = []

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        yield

    stage.play(script())
    assert read_all(got[0]) == FLAT
    again = serve(program, Port=listening_port(stage))
    assert again.play(one_event()) == 0
    assert listening_port(again) == listening_port(stage)
    close(*got)


@both
@pytest.mark.parametrize("inputs", [{"Port": -2}, {"Port": 65536}])
def test_the_port_is_checked(program, inputs):
    with pytest.raises(ProgramError, match=r"invalid port: .*; use a number from 0 to 65535"):
        serve(program, **inputs)
