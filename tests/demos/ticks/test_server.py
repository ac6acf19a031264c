"""The study program tick_server, event by event, on real sockets."""

from __future__ import annotations

import pytest
from signal_kit import Script, Stage, one_event, port_of, successes
from tick_kit import USDJPY, TickStage, address_of, fail_calls, nothing_to_receive, peer, send_to
from winsock_kit import name_of, readable

from demos.ticks.protocol import MAX_DATAGRAM
from winsock import (
    INADDR_LOOPBACK,
    INVALID_SOCKET,
    SOCKET_ERROR,
    WSAEISCONN,
    WSAEMFILE,
    WSAENETDOWN,
    WSAENOBUFS,
    WSASYSNOTREADY,
    ntohl,
)

pytestmark = pytest.mark.usefixtures("started")


def listening(**options: object) -> Stage:
    return Stage("tick_server", **{"Port": 0, **options})


def receives(stage: Stage) -> list[str]:
    return [text for text in stage.texts if text.startswith("receive ")]


def test_the_first_timer_event_starts_the_server_and_logs_its_real_port():
    stage = listening()

    def script() -> Script:
        assert stage.program.server == INVALID_SOCKET
        yield
        stage.port = port_of(stage.program.server)
        assert ntohl(name_of(stage.program.server).sin_addr.s_addr) == INADDR_LOOPBACK

    starts = successes(stage)
    assert stage.play(script()) == 0
    assert starts == ["WSAStartup", "WSACleanup"]
    assert stage.texts == ["try bind... 127.0.0.1:0", f"start server ok, 127.0.0.1:{stage.port}", "Shutdown server"]


def test_the_timer_event_comes_every_300_milliseconds():
    stage = listening()
    times: list[float] = []

    def script() -> Script:
        for _ in range(3):
            yield
            times.append(round(stage.clock.monotonic() * 1000))

    stage.play(script())
    assert times[2] - times[1] == 300


def test_a_tick_is_shown_with_its_sender():
    stage = listening()

    def script() -> Script:
        yield
        stage.peer = peer()
        send_to(stage, stage.peer, b"Volatility 75 Index 123456.78\0")
        yield

    assert stage.play(script()) == 0
    assert receives(stage) == [f"receive tick from client {address_of(stage.peer)}: Volatility 75 Index 123456.78"]


def test_ticks_of_several_clients_are_shown_in_the_order_of_arrival():
    stage = listening()
    peers = [peer() for _ in range(3)]

    def script() -> Script:
        yield
        for turn in range(2):
            for s in peers:
                send_to(stage, s, b"EURUSD 1.1%d\0" % turn)
        yield
        assert nothing_to_receive(stage.program.server)

    assert stage.play(script()) == 0
    expected = [f"receive tick from client {address_of(s)}: EURUSD 1.1{turn}" for turn in range(2) for s in peers]
    assert receives(stage) == expected


def test_u1_one_event_reads_at_most_its_limit_and_the_next_continues():
    stage = listening()
    stage.program.MAX_READS = 10

    def script() -> Script:
        yield
        send_to(stage, peer(), *(b"EURUSD 1.1\0" for _ in range(25)))
        for count in (10, 20, 25):
            yield
            assert len(receives(stage)) == count

    assert stage.play(script()) == 0


def test_u2_each_event_reads_all_that_waits_so_the_queue_has_room_and_no_tick_is_lost():
    stage = listening()

    def script() -> Script:
        yield
        sender = peer()
        for start in range(0, 600, 100):
            send_to(stage, sender, *(b"EURUSD 1.%05d\0" % number for number in range(start, start + 100)))
            yield
            assert nothing_to_receive(stage.program.server)
            assert len(receives(stage)) == start + 100

    assert stage.play(script()) == 0
    assert [text.rpartition(" ")[2] for text in receives(stage)] == [f"1.{number:05}" for number in range(600)]


@pytest.mark.parametrize("size", [MAX_DATAGRAM + 1, 5000])
def test_u3_a_datagram_larger_than_the_buffer_is_reported_and_reading_continues(size):
    stage = listening()

    def script() -> Script:
        yield
        stage.peer = peer()
        send_to(stage, stage.peer, b"EURUSD 1.1\0", b"x" * size, b"EURUSD 1.2\0")
        yield

    assert stage.play(script()) == 0
    sender = address_of(stage.peer)
    assert stage.texts[2:] == [
        f"receive tick from client {sender}: EURUSD 1.1",
        f"-invalid datagram from client {sender}: longer than 1024 bytes",
        f"receive tick from client {sender}: EURUSD 1.2",
        "Shutdown server",
    ]


def test_u6_invalid_datagrams_are_shown_escaped_and_shortened():
    stage = listening()

    def script() -> Script:
        yield
        stage.peer = peer()
        send_to(stage, stage.peer, b"\x1b[2J\0", b"x" * 1000, b"")
        yield

    assert stage.play(script()) == 0
    assert "\x1b" not in stage.stream.getvalue()
    prefix = f"-invalid datagram from client {address_of(stage.peer)}: "
    assert stage.errors() == [
        prefix + "not of the form SYMBOL BID: '\\x1b[2J'",
        prefix + f"not of the form SYMBOL BID: '{'x' * 60}'",
        prefix + "empty datagram: ''",
    ]


def test_another_receive_error_closes_the_socket_and_the_next_event_starts_the_server_again():
    stage = listening()

    def script() -> Script:
        yield
        fail_calls(stage, "recvfrom", WSAENETDOWN)
        send_to(stage, peer(), b"EURUSD 1.1\0")
        yield
        assert stage.program.server == INVALID_SOCKET
        yield
        send_to(stage, peer(), b"EURUSD 1.2\0")
        yield
        assert receives(stage)[-1].endswith(": EURUSD 1.2")

    starts = successes(stage)
    assert stage.play(script()) == 0
    assert starts == ["WSAStartup", "WSACleanup"] * 2
    [error] = stage.errors()
    assert error.startswith("-receive failed error: (#10050)")


def test_s13_without_a_socket_the_end_cleans_nothing_up():
    stage = listening()
    starts = successes(stage)

    def script() -> Script:
        return
        yield

    assert stage.play(script()) == 0
    assert starts == []


@pytest.mark.parametrize(
    ("call", "result", "error", "text"),
    [
        ("WSAStartup", 0, WSASYSNOTREADY, "-WSAStartup failed error: (#10091)"),
        ("socket", INVALID_SOCKET, WSAEMFILE, "-Create failed error: (#10024)"),
        ("ioctlsocket", SOCKET_ERROR, WSAENOBUFS, "-ioctlsocket failed error: (#10055)"),
    ],
)
def test_a_start_that_fails_is_cleaned_up_and_tried_again_at_the_next_event(call, result, error, text):
    stage = listening()
    starts = successes(stage) if call != "WSAStartup" else []
    fail_calls(stage, call, error, result=result)

    def script() -> Script:
        yield
        assert stage.program.server == INVALID_SOCKET
        yield
        assert stage.program.server != INVALID_SOCKET

    assert stage.play(script()) == 0
    [logged] = stage.errors()
    assert logged.startswith(text)
    assert starts in ([], ["WSAStartup", "WSACleanup"] * 2)


def test_a5_a_port_that_cannot_be_read_is_one_line_of_error_and_exit_code_3():
    stage = listening()
    starts = successes(stage)
    fail_calls(stage, "getsockname", WSAENOBUFS)
    assert stage.play(one_event()) == 3
    [error] = stage.errors()
    assert error.startswith("getsockname failed error: (#10055)")
    assert starts == ["WSAStartup", "WSACleanup"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1 x", "127.1"])
def test_a5_the_log_shows_the_address_and_the_port_that_the_server_is_bound_to(host):
    stage = listening(Host=host)

    def script() -> Script:
        yield
        stage.port = port_of(stage.program.server)

    assert stage.play(script()) == 0
    assert f"start server ok, 127.0.0.1:{stage.port}" in stage.texts
    assert stage.port > 0


def test_a7_a_bind_that_fails_with_any_error_ends_the_program():
    stage = listening()
    fail_calls(stage, "bind", WSAEISCONN)
    assert stage.play(one_event()) == 3
    [error] = stage.errors()
    assert error.startswith("Bind to 127.0.0.1:0 failed error: (#10056)")


@pytest.mark.parametrize("host", ["localhost", "::1", "", "é", "ж", "\uff11.0.0.1", "\udcff", "255.255.255.255"])
def test_s22_a_host_that_is_not_an_ipv4_address_is_one_line_and_exit_code_2(host):
    stage = listening(Host=host)
    starts = successes(stage)
    assert stage.play(one_event()) == 2
    assert stage.errors() == [f"invalid IPv4 address: {host!r}; Host takes four numbers, as in 127.0.0.1"]
    assert starts == ["WSAStartup", "WSACleanup"]


def test_h1_h3_bind_gets_16_bytes_whose_padding_is_zero():
    stage = listening()
    seen: list[tuple[bytes, int]] = []
    bind = stage.program.bind

    def recording(s: int, name: bytearray, namelen: int) -> int:
        seen.append((bytes(name), namelen))
        return bind(s, name, namelen)

    stage.program.bind = recording
    assert stage.play(one_event()) == 0
    assert seen == [(b"\x02\x00" + bytes(2) + b"\x7f\x00\x00\x01" + bytes(8), 16)]


@pytest.mark.parametrize("inputs", [{}, {"sequence": True}])
def test_it_shows_the_ticks_of_tick_sender_with_or_without_numbers(inputs):
    stage = listening()
    sender: list[TickStage] = []

    def send(product: TickStage) -> Script:
        product.tick(110_500, 110_501)
        yield
        assert readable(stage.program.server)

    def script() -> Script:
        yield
        sender.append(TickStage(port_of(stage.program.server), USDJPY, **inputs))
        assert sender[0].play(send(sender[0])) == 0
        yield

    assert stage.play(script()) == 0
    assert [text.rpartition(": ")[2] for text in receives(stage)] == ["USDJPY 110.500", "USDJPY 110.501"]
