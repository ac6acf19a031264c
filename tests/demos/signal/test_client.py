"""The study program signal_client, driven over real TCP with a clock of its own, byte for byte."""

from __future__ import annotations

from decimal import Decimal

import pytest
from signal_kit import (
    QUOTES,
    Script,
    Stage,
    arrive,
    close,
    closed_port,
    connected,
    fail,
    failing_orders,
    fill,
    forever,
    port_of,
    ready,
    refusing,
    server,
    server_leaves,
    successes,
    two_positions,
    unselectable,
)
from signal_kit import after as after_pieces
from signal_kit import follow as follow_server

from demos.terminal.interfaces import SymbolSpec
from winsock import (
    INVALID_SOCKET,
    WSAEISCONN,
)

__all__ = ["server"]

pytestmark = pytest.mark.usefixtures("started")


def follow(server: int, **options: object) -> Stage:
    return follow_server(server, "signal_client", **options)


def after(*pieces: bytes, server: int, **options: object) -> Stage:
    return after_pieces(*pieces, server=server, program="signal_client", **options)


def test_s1_messages_without_nuls_are_separated_too(server):
    assert after(b"<<EURUSD|0.10>><<EURUSD|0.20>>", server=server).position() == Decimal("0.20")


def test_s3_the_stale_tail_behind_a_shorter_message_is_ignored(server):
    stage = after(b"<<EURUSD|50.00>>\0", b"<<EURUSD|0.50>>\x0000>>\0<<EURUSD|0.75>>\0>\0", server=server)
    assert stage.position() == Decimal("0.75")
    assert stage.errors() == []


def test_s6_text_outside_the_marks_is_dropped(server):
    stage = after(b"hello", b"\0\0<", b"<EURUSD|0.10>>bye<", server=server)
    assert stage.position() == Decimal("0.10")
    assert stage.program.msg == ""  # the connection has ended
    assert stage.texts.count("received msg from server: hello") == 1


def test_s6_an_unfinished_message_over_256_bytes_is_dropped(server):
    stage = after(b"<<EURUSD|0.10>>\0<<" + b"x" * 300, b"|1.00>>\0<<EURUSD|0.20>>\0", server=server)
    assert stage.position() == Decimal("0.20")
    assert stage.errors() == []


STREAM = b"<<" + b"x" * 300 + b"<<EURUSD|0.25>>\0"


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_s6_a_message_behind_a_long_incomplete_one_is_executed_wherever_the_stream_is_cut(server, cut):
    stage = after(STREAM[:cut], STREAM[cut:], server=server) if 0 < cut < len(STREAM) else after(STREAM, server=server)
    assert stage.position() == Decimal("0.25")
    assert stage.errors() == []


def test_s6_a_message_behind_a_long_incomplete_one_is_executed_when_each_byte_arrives_alone(server):
    stage = after(*(STREAM[at : at + 1] for at in range(len(STREAM))), server=server)
    assert stage.position() == Decimal("0.25")
    assert stage.errors() == []


def test_s6_one_event_receives_a_limited_number_of_bytes(server):
    stage = follow(server)
    sizes: list[int] = []

    def script() -> Script:
        yield from connected(stage, server)
        real = stage.program.recv

        def counted(*arguments: object) -> int:
            size: int = real(*arguments)
            sizes.append(max(size, 0))
            return size

        stage.program.recv = counted
        fill(stage.peer)
        assert ready(stage.program.client)
        yield
        assert 0 < sum(sizes) <= 64 * 1024
        assert stage.program.msg == ""
        close(stage.peer)

    assert stage.play(script()) == 0


def test_s6_a_server_of_many_unknown_symbols_cannot_use_up_the_memory(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        for start in range(0, 1200, 300):
            data = b"".join(b"<<X%d|0.10>>" % n for n in range(start, start + 300))
            arrive(stage.peer, data, stage.program.client)
            while ready(stage.program.client, 0):
                yield
        assert len(stage.program.failed) <= 256
        assert len(stage.program.msg) < 256 * len("<<X1000|0.10>>") + 1
        close(stage.peer)

    assert stage.play(script()) == 0


@pytest.mark.parametrize(
    "body",
    [b"EURUSD|abc", b"EURUSD|", b"EURUSD", b"|1.00", b"EUR|USD|1.00", b"EURUSD|1,5", b"EURUSD|0x1", b"EURUSD|1\x00.00"],
)
def test_s7_an_unreadable_message_is_skipped_and_reported(server, body):
    stage = after(b"<<EURUSD|0.10>>", b"<<" + body + b">>\0", server=server)
    assert stage.position() == Decimal("0.10")
    assert [text.partition(":")[0] for text in stage.errors()] == ["-wrong pos info"]


def test_an_empty_message_is_ignored(server):
    stage = after(b"<<EURUSD|0.10>>\0<<>>\0", server=server)
    assert stage.position() == Decimal("0.10")
    assert stage.errors() == []


def test_received_text_is_escaped_in_the_log(server):
    stage = after(b"<<\x1b[31m\n>>", server=server)
    assert stage.errors() == ["-wrong pos info: \\x1b[31m\\x0a"]


def test_s8_a_volume_of_more_than_two_digits_is_skipped(server):
    stage = after(b"<<EURUSD|0.10>>", b"<<EURUSD|0.004>>\0", server=server)
    assert stage.position() == Decimal("0.10")
    assert stage.errors() == ["-wrong pos info: EURUSD|0.004"]


@pytest.mark.parametrize(("text", "lots"), [("0.5", "0.50"), (" 0.75", "0.75"), ("+1", "1.00"), ("1e0", "1.00")])
def test_volumes_may_be_written_as_the_original_client_understands_them(server, text, lots):
    assert after(f"<<EURUSD|{text}>>".encode(), server=server).position() == Decimal(lots)


@pytest.mark.parametrize("symbol", ["Volatility 75 Index", "eurusd", "EURUSD.m", "#AAPL", "EURUSD_i", "é€"])
def test_s9_every_valid_symbol_is_traded(server, symbol):
    quote = QUOTES[0]._replace(symbol=symbol)
    message = f"<<{symbol}|0.10>>\0".encode("cp1252")
    stage = after(message, server=server, symbols=[SymbolSpec(symbol)], quotes=[quote])
    assert stage.position(symbol) == Decimal("0.10")


def test_s11_a_failing_order_does_not_delay_another_symbol(server, monkeypatch):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<XYZ|0.10>>\0", stage.program.client)
        for _ in range(4):
            yield
        arrive(stage.peer, b"<<EURUSD|0.10>>\0", stage.program.client)
        yield
        assert stage.position() == Decimal("0.10")
        close(stage.peer)

    stage.play(script())
    assert stage.errors()[0].startswith("-cannot trade XYZ to 0.10 lots: ")


def test_s11_the_retry_ends_with_the_connection(server, monkeypatch):
    stage = follow(server)
    tried = failing_orders(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        yield
        yield from server_leaves(stage)
        yield from connected(stage, server)
        count = len(tried)
        for _ in range(10):
            yield
        assert len(tried) == count
        close(stage.peer)

    stage.play(script())


def test_s21_each_refused_connect_is_one_line_of_error_and_is_retried_at_the_next_event():
    stage = Stage("signal_client", Port=closed_port())
    refusing(stage)

    def script() -> Script:
        for _ in range(4):
            yield

    assert stage.play(script()) == 0
    assert [text.startswith("-Connect failed error: (#10061)") for text in stage.errors()] == [True] * 4


def test_s21_a_received_text_is_logged_once_and_in_part_when_it_is_long(server):
    stage = after(b"<<EURUSD|0.", b"25>>\0" + b"x" * 400, server=server)
    received = [text for text in stage.texts if text.startswith("received msg from server: ")]
    assert received[0] == "received msg from server: <<EURUSD|0."
    assert received[1].startswith("received msg from server: 25>>\\x00xxx")
    assert max(map(len, received)) < 300


@pytest.mark.parametrize(
    "host", ["", "a\0b", "localhost", "no-such-host.invalid", "256.0.0.1", "::1", "é", "ж", "\uff11.0.0.1", "\udcff"]
)
def test_s22_a_host_that_is_not_an_ipv4_address_is_one_line_of_error_and_exit_code_2(host):
    stage = Stage("signal_client", Host=host)
    seen = successes(stage)
    assert stage.play(forever()) == 2
    [error] = stage.errors()
    assert error.startswith("invalid IPv4 address: ")
    assert error.endswith("; Host takes four numbers, as in 127.0.0.1")
    assert seen == ["WSAStartup", "WSACleanup"]


def test_s23_minus_zero_is_zero(server):
    stage = after(b"<<EURUSD|-0.00>>\0", server=server)
    assert "nothing change" in stage.texts
    assert stage.record.of("deal") == []


def test_a6_a_position_that_cannot_be_selected_is_not_counted(server):
    stage = follow(server, account=two_positions())
    unselectable(stage)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.10>>\0", stage.program.client)
        yield
        close(stage.peer)

    assert stage.play(script()) == 0
    assert "nothing change" in stage.texts
    assert stage.position() == Decimal("0.10")


def test_a7_a_connect_that_fails_with_any_other_error_than_would_block_is_reported(server):
    stage = follow(server)
    stage.program.connect = fail(WSAEISCONN)

    def script() -> Script:
        yield

    assert stage.play(script()) == 0
    [error] = stage.errors()
    assert error.startswith("-Connect failed error: (#10056)")
    assert stage.program.client == INVALID_SOCKET


def test_s24_an_unfinished_message_before_a_complete_one_is_dropped(server):
    stage = after(b"<<EURUSD|0.<<EURUSD|0.25>>\0", server=server)
    assert stage.position() == Decimal("0.25")
    assert stage.errors() == []


@pytest.mark.parametrize(
    ("call", "failure"),
    [
        ("WSAStartup", lambda *_: 10091),
        ("socket", fail(10055, INVALID_SOCKET)),
        ("ioctlsocket", fail(10055)),
        ("connect", fail(10051)),
        ("select", fail(10055)),
        ("getsockopt", fail(10022)),
    ],
)
def test_a_failure_of_any_call_before_the_connection_is_retried(server, call, failure):
    port = closed_port() if call == "getsockopt" else port_of(server)
    stage = Stage("signal_client", Port=port)
    refusing(stage)
    setattr(stage.program, call, failure)
    seen = [] if call == "WSAStartup" else successes(stage)

    def script() -> Script:
        yield
        yield

    assert stage.play(script()) == 0
    assert len(stage.errors()) == 2
    assert seen == ([] if call == "WSAStartup" else ["WSAStartup", "WSACleanup"] * 2)
