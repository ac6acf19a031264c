"""The chart client alone: what it accepts, what it refuses, and that a refused message leaves the chart unchanged."""

from __future__ import annotations

import pytest
from signal_kit import Script, arrive, close, forever, listener, port_of, read, ready, server, take, write
from tpl_kit import TplStage, fetch, files, mark_of, message, sent, until, untouched

from demos.chartfeed.frames import HELLO, frame
from winsock import (
    SOCKET_ERROR,
    WSAENETDOWN,
    WSASetLastError,
)

__all__ = ["server"]

pytestmark = pytest.mark.usefixtures("started")


def test_an_older_file_is_replaced_whole(server, tmp_path):
    stage = fetch(server, tmp_path)
    old = tmp_path / "MQL5" / "Files" / "tcprecv.tpl"
    old.write_bytes(b"an older and longer file" * 100)
    assert stage.play(sent(stage, server, message("new"))) == 0
    assert old.read_bytes() == message("new")[20:]
    assert files(tmp_path) == ["tcprecv.tpl"]


def test_a_folder_that_cannot_be_written_is_an_error_of_files(server, tmp_path):
    stage = fetch(server, tmp_path)
    (tmp_path / "MQL5" / "Files" / "tcprecv.tpl.part").mkdir()
    assert stage.play(sent(stage, server, message(symbol="GBPUSD"))) == 4
    assert stage.shown == ("EURUSD", 16385)


def test_a_file_that_cannot_be_renamed_is_removed(server, tmp_path):
    stage = fetch(server, tmp_path)
    (tmp_path / "MQL5" / "Files" / "tcprecv.tpl").mkdir()
    assert stage.play(sent(stage, server, message(symbol="GBPUSD"))) == 4
    assert files(tmp_path) == ["tcprecv.tpl"]
    assert stage.shown == ("EURUSD", 16385)


def test_a_template_that_cannot_be_applied_is_reported(server, tmp_path):
    stage = fetch(server, tmp_path)
    stage.program.ChartApplyTemplate = lambda *arguments: False
    assert stage.play(sent(stage, server, message())) == 4
    assert "tcprecv.tpl cannot be applied" in stage.errors()[0]


def test_a_download_ends_after_a_minute_at_the_latest(server, tmp_path):
    stage = fetch(server, tmp_path)

    def script() -> Script:
        yield
        peer = take(server)
        arrive(peer, message(), stage.program.client)
        yield from until(lambda: False)

    begin = stage.clock.time
    assert stage.play(script()) == 3
    assert stage.clock.time - begin == pytest.approx(60, abs=0.1)
    assert untouched(stage, tmp_path)


def test_a_connect_without_an_answer_ends_after_ten_seconds(server, tmp_path):
    stage = fetch(server, tmp_path)
    stage.program.select = lambda *arguments: 0
    stage.program.FD_ISSET = lambda *arguments: False
    begin = stage.clock.time
    assert stage.play(forever()) == 3
    assert stage.clock.time - begin == pytest.approx(10, abs=0.1)
    assert "10060" in stage.errors()[0]


def test_a_host_name_is_resolved_and_an_unknown_one_is_reported(server, tmp_path):
    assert fetch(server, tmp_path, Host="localhost").play(sent_to_localhost(server)) == 3
    assert fetch(server, tmp_path, Host="no such host.invalid").play(forever()) == 3


def sent_to_localhost(server: int) -> Script:
    yield
    close(take(server))
    yield from forever()


def test_an_error_of_select_or_getsockopt_ends_the_connect(server, tmp_path):
    stage = fetch(server, tmp_path)

    def fail(*arguments: object) -> int:
        WSASetLastError(WSAENETDOWN)
        return SOCKET_ERROR

    stage.program.connect = lambda *arguments: WSASetLastError(10035) or SOCKET_ERROR
    stage.program.select = fail
    assert stage.play(forever()) == 3
    stage = fetch(server, tmp_path)
    stage.program.connect = lambda *arguments: WSASetLastError(10035) or SOCKET_ERROR
    stage.program.FD_ISSET = lambda *arguments: True
    stage.program.getsockopt = fail
    assert stage.play(forever()) == 3
    assert str(WSAENETDOWN) in stage.errors()[0]


def test_a_subscriber_sends_hello_and_applies_each_change(server, tmp_path):
    stage = fetch(server, tmp_path, follow=True)

    def script() -> Script:
        yield
        peer = take(server)
        yield from until(lambda: ready(peer, 0))
        assert read(peer, len(HELLO)) == HELLO
        for number in range(3):
            data = frame(message(f"{number}", "GBPUSD", 1))
            arrive(peer, data[:30], stage.program.client)
            yield
            arrive(peer, data[30:], stage.program.client)
            yield from until(lambda number=number: mark_of(stage.template) == f"{number}")
        close(peer)
        yield from until(lambda: stage.errors())

    assert stage.play(script()) == 0
    assert stage.shown == ("GBPUSD", 1)
    assert [event["number"] for event in stage.record.of("applied")] == [1, 2, 3]
    assert "Next attempt in 1 s." in stage.errors()[0]


def test_of_changes_that_arrive_together_the_last_is_applied(server, tmp_path):
    stage = fetch(server, tmp_path, follow=True)

    def script() -> Script:
        yield
        peer = take(server)
        arrive(peer, frame(message("1")) + frame(message("2")) + frame(b""), stage.program.client)
        yield from until(lambda: stage.record.of("applied"))
        close(peer)

    assert stage.play(script()) == 0
    assert mark_of(stage.template) == "2"
    assert len(stage.record.of("applied")) == 1


def test_a_frame_that_is_not_a_message_is_reported_and_the_next_one_is_applied(server, tmp_path):
    stage = fetch(server, tmp_path, follow=True)

    def script() -> Script:
        yield
        peer = take(server)
        arrive(peer, frame(b"nonsense"), stage.program.client)
        yield from until(lambda: stage.errors())
        arrive(peer, frame(message("good")), stage.program.client)
        yield from until(lambda: stage.record.of("applied"))
        close(peer)

    assert stage.play(script()) == 0
    assert mark_of(stage.template) == "good"


def test_it_reconnects_after_growing_pauses_until_the_server_is_back(tmp_path):
    port = listener()
    number = port_of(port)
    close(port)
    stage = TplStage("chart_client", tmp_path, Port=number, follow=True)

    def script() -> Script:
        yield from until(lambda: len(stage.errors()) == 4)
        again = listener(number)
        yield from until(lambda: ready(again, 0))
        peer = take(again)
        write(peer, frame(message("back")))
        yield from until(lambda: stage.record.of("applied"))
        close(peer)
        yield from until(lambda: len(stage.errors()) == 5)
        close(again)

    assert stage.play(script()) == 0
    waits = [int(text.rsplit(" ", 2)[1]) for text in stage.errors()]
    assert waits == [1, 2, 4, 8, 1]


def test_a_server_without_keep_alives_is_disconnected(server, tmp_path):
    stage = fetch(server, tmp_path, follow=True)

    def script() -> Script:
        yield
        peer = take(server)
        begin = stage.clock.time
        yield from until(lambda: stage.errors())
        assert stage.clock.time - begin == pytest.approx(45, abs=0.2)
        close(peer)

    assert stage.play(script()) == 0
    assert "no frame in 45 seconds" in stage.errors()[0]


def test_a_peer_that_is_not_a_template_server_is_disconnected(server, tmp_path):
    stage = fetch(server, tmp_path, follow=True)

    def script() -> Script:
        yield
        peer = take(server)
        arrive(peer, b"HTTP/1.1 400 Bad Request\r\n", stage.program.client)
        yield from until(lambda: stage.errors())
        close(peer)

    assert stage.play(script()) == 0
    assert "the peer announces a message of" in stage.errors()[0]


def test_a_hello_that_cannot_be_sent_is_reported(server, tmp_path):
    stage = fetch(server, tmp_path, follow=True)
    stage.program.send = lambda *arguments: WSASetLastError(WSAENETDOWN) or SOCKET_ERROR
    assert stage.play(until(lambda: stage.errors())) == 0
    assert "Send failed error" in stage.errors()[0]
