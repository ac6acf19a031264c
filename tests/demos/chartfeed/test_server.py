"""The chart server alone: what it creates, which clients it answers, and how it treats faulty clients."""

from __future__ import annotations

import pytest
from signal_kit import Script, close, dial, fill, forever, listener, port_of, read, read_all, reset, write
from tpl_kit import drain, get, names, serve, served, text_of, turns, until

import demos.chartfeed.server as reference
from demos.chartfeed import serving
from demos.chartfeed.frames import HELLO, frame
from demos.template.protocol import decode
from demos.terminal.charts import layout, operations
from demos.terminal.interfaces import SymbolSpec
from winsock import (
    SD_SEND,
    SOCKET_ERROR,
    WSAECONNRESET,
    WSAEMFILE,
    WSASetLastError,
    shutdown,
)

pytestmark = pytest.mark.usefixtures("started")


def test_a_client_that_sends_nothing_gets_symbol_period_and_template_and_the_end(tmp_path):
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        yield from get(stage)

    assert stage.play(script()) == 0
    assert stage.got[:20] == b"EURUSD".ljust(10, b"\0") + b"16385".ljust(10, b"\0")
    symbol, period, template = decode(stage.got, 1252)
    assert (symbol, period) == ("EURUSD", 16385)
    assert stage.got == stage.got[:20] + template
    [event] = stage.record.of("served")
    assert (event["how"], event["bytes"]) == ("plain", len(stage.got))


def test_the_template_is_the_charts_without_the_name_of_this_program(tmp_path):
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        yield from get(stage)

    stage.play(script())
    text = text_of(decode(stage.got, 1252).template)
    assert "symbol=EURUSD\r\nperiod_type=1\r\nperiod_size=1\r\ndigits=5\r\n" in text
    assert "<expert>\r\nname=chart_server\r\npath=Experts\\ \r\nexpertmode=5\r\n<inputs>\r\nHost=127.0.0.1\r\n" in text
    assert "chart_server.ex5" not in text
    saved = (tmp_path / "Profiles" / "Templates" / "tcpsend.tpl").read_bytes()
    assert text_of(saved) + "\0" == text.replace("path=Experts\\ ", "path=Experts\\chart_server.ex5")


def test_a_client_that_sends_nothing_is_answered_after_the_quiet_time(tmp_path):
    stage = serve(tmp_path)
    times = []

    def script() -> Script:
        yield
        peer = dial(stage.port)
        yield from until(lambda: len(stage.program.conns) > 0)
        times.append(stage.clock.time)
        yield from served(stage)
        times.append(stage.clock.time)
        close(peer)

    stage.play(script())
    assert times[1] - times[0] == pytest.approx(serving.QUIET_MS / 1000, abs=0.11)


def test_a_template_is_created_once_a_second_at_most_and_contains_the_last_change(tmp_path):
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        for number in range(25):
            stage.change(f"change {number}")
            yield
        yield from turns(12)
        yield from get(stage)

    stage.play(script())
    made = stage.record.of("created")
    assert 3 <= len(made) <= 5
    assert names(stage.got) == [f"change {number}" for number in range(25)]


def test_no_template_is_created_while_nothing_changes(tmp_path):
    stage = serve(tmp_path)
    stage.play(turns(100))
    assert len(stage.record.of("created")) == 1


def test_each_client_gets_the_newest_template_alone(tmp_path):
    stage = serve(tmp_path)
    sizes = []

    def script() -> Script:
        yield
        for name in ("one", "two"):
            stage.change(name)
            yield from turns(12)
            yield from get(stage)
            sizes.append(len(stage.got))
            assert names(stage.got)[-1] == name
            assert decode(stage.got, 1252).template == stage.got[20:]

    stage.play(script())
    assert sizes[1] - sizes[0] < 400


def test_another_period_is_served_and_the_connections_stay_open(tmp_path):
    stage = serve(tmp_path)
    opened = []

    def script() -> Script:
        yield
        opened.append(stage.port)
        assert operations.set_symbol_period(stage.host, stage.chart.id, "GBPUSD", 1) is None
        yield from turns(12)
        opened.append(stage.port)
        yield from get(stage)

    assert stage.play(script()) == 0
    assert decode(stage.got, 1252)[:2] == ("GBPUSD", 1)
    assert opened[0] == opened[1]
    assert sum("start server ok" in text for text in stage.texts) == 1


def test_many_clients_are_served_at_the_same_time(tmp_path):
    stage = serve(tmp_path)
    got = []

    def script() -> Script:
        yield
        peers = [dial(stage.port) for _ in range(5)]
        yield from served(stage, 5)
        got.extend(read_all(peer) for peer in peers)
        close(*peers)
        yield from until(lambda: not stage.program.conns)

    stage.play(script())
    assert len(set(got)) == 1
    assert len(got) == 5


def test_a_subscriber_gets_each_change_and_keep_alives(tmp_path):
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        peer = dial(stage.port)
        write(peer, HELLO[:4])
        yield from turns(20)
        assert not stage.record.of("served")
        write(peer, HELLO[4:])
        yield from served(stage)
        first = read(peer, int.from_bytes(read(peer, 4), "big"))
        assert names(first) == []
        stage.change("news")
        yield from served(stage, 2)
        second = read(peer, int.from_bytes(read(peer, 4), "big"))
        assert names(second) == ["news"]
        yield from turns(serving.KEEP_ALIVE_MS // 100 + 2)
        assert read(peer, 4) == frame(b"")
        close(peer)
        yield from until(lambda: not stage.program.conns)

    assert stage.play(script()) == 0
    assert any("disconnected" in text for text in stage.texts)


def test_a_slow_subscriber_gets_the_newest_template_and_not_every_one(tmp_path):
    stage = serve(tmp_path)
    layout.root(stage.template).set("description", "x" * 2_000_000)

    def script() -> Script:
        yield
        peer = dial(stage.port)
        write(peer, HELLO)
        yield from served(stage)
        for number in range(8):
            stage.change(f"change {number}")
            yield from turns(11)
        got = b""
        last = []
        for _ in range(3000):
            more, ended = drain(peer)
            assert ended is None
            got += more
            while len(got) >= 4 and len(got) >= (size := int.from_bytes(got[:4], "big")) + 4:
                if size:
                    last.append(names(got[4 : 4 + size])[-1:])
                got = got[4 + size :]
            if last and last[-1] == ["change 7"]:
                break
            yield
        assert last[-1] == ["change 7"]
        assert len(last) < 5
        close(peer)

    assert stage.play(script()) == 0


def test_a_client_that_reads_nothing_is_closed_and_the_next_one_is_served(tmp_path):
    stage = serve(tmp_path)
    layout.root(stage.template).set("description", "x" * 5_000_000)

    def script() -> Script:
        yield
        peer = dial(stage.port)
        yield from served(stage)
        yield from until(lambda: not stage.program.conns)
        assert any("has read nothing for 30 s" in text for text in stage.errors())
        close(peer)
        layout.root(stage.template).set("description", "short")
        stage.change("news")
        yield from turns(12)
        yield from get(stage)

    assert stage.play(script()) == 0
    assert names(stage.got) == ["news"]


def test_a_client_that_does_not_end_its_side_is_closed_after_a_while(tmp_path):
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        peer = dial(stage.port)
        yield from served(stage)
        begin = stage.clock.time
        yield from until(lambda: not stage.program.conns)
        assert stage.clock.time - begin == pytest.approx(serving.DRAIN_MS / 1000, abs=0.2)
        close(peer)

    stage.play(script())


def test_a_client_that_has_ended_its_side_at_once_is_answered_at_once(tmp_path):
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        peer = dial(stage.port)
        shutdown(peer, SD_SEND)
        yield from served(stage)
        assert len(decode(read_all(peer), 1252)) == 3
        close(peer)
        yield from until(lambda: not stage.program.conns)

    stage.play(script())


def test_a_reset_closes_that_client_alone(tmp_path):
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        peer = dial(stage.port)
        write(peer, HELLO)
        yield from served(stage)
        reset(peer)
        yield from until(lambda: not stage.program.conns)
        yield from get(stage)

    assert stage.play(script()) == 0
    assert decode(stage.got, 1252).symbol == "EURUSD"


def test_an_error_of_ioctlsocket_closes_that_client(tmp_path):
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        real = stage.program.ioctlsocket
        stage.program.ioctlsocket = lambda *arguments: SOCKET_ERROR
        peer = dial(stage.port)
        yield
        yield
        stage.program.ioctlsocket = real
        assert read_all(peer) == b""
        close(peer)
        assert not stage.program.conns

    assert stage.play(script()) == 0
    assert any("ioctlsocket failed" in text for text in stage.errors())


def test_a_connection_that_was_reset_before_accept_is_skipped(tmp_path):
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        real = stage.program.accept
        answers = iter([WSAECONNRESET, WSAEMFILE, WSAEMFILE])

        def accept(*arguments: object) -> int:
            error = next(answers, None)
            if error is None:
                return real(*arguments)
            WSASetLastError(error)
            return reference.INVALID_SOCKET

        stage.program.accept = accept
        yield from turns(2)
        yield from get(stage)

    assert stage.play(script()) == 0
    assert sum("Accept failed" in text for text in stage.errors()) == 1


@pytest.mark.parametrize("host", ["", "no such host.invalid", "a\0b"])
def test_a_host_that_cannot_be_found_is_an_error_of_the_network(tmp_path, host):
    stage = serve(tmp_path, Host=host)
    assert stage.play(forever()) == 3
    assert len(stage.errors()) == 1


def test_a_host_name_is_resolved(tmp_path):
    stage = serve(tmp_path, Host="localhost")

    def script() -> Script:
        yield
        assert stage.port > 0

    assert stage.play(script()) == 0


def test_a_port_in_use_is_reported_once_and_ends_the_program(tmp_path):
    other = listener()
    stage = serve(tmp_path, Port=port_of(other))
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert f"127.0.0.1:{port_of(other)} failed error" in error
    close(other)


def test_a_warning_is_printed_when_it_listens_on_every_network(tmp_path):
    stage = serve(tmp_path, Host="0.0.0.0")
    assert stage.play(turns(1)) == 0
    assert sum("open to every network" in text for text in stage.texts) == 1


@pytest.mark.parametrize("call", ["socket", "bind", "ioctlsocket", "listen", "getsockname"])
def test_each_call_that_fails_at_the_start_is_reported_and_ends_the_program(tmp_path, call):
    stage = serve(tmp_path)
    failure = reference.INVALID_SOCKET if call == "socket" else SOCKET_ERROR
    setattr(stage.program, call, lambda *arguments: failure)
    assert stage.play(forever()) == 3
    assert len(stage.errors()) == 1


def test_winsock_that_does_not_start_ends_the_program(tmp_path):
    stage = serve(tmp_path)
    stage.program.WSAStartup = lambda *arguments: 10091
    assert stage.play(forever()) == 3
    assert "10091" in stage.errors()[0]


@pytest.mark.parametrize("symbol", ["EURUSD.pro", "\u0416"])
def test_a_symbol_that_no_message_can_carry_is_refused_at_the_start(tmp_path, symbol):
    stage = serve(tmp_path, symbols=[SymbolSpec(symbol)])
    assert stage.play(forever()) == 2


def test_a_symbol_that_no_message_can_carry_leaves_the_last_template(tmp_path):
    stage = serve(tmp_path, symbols=[SymbolSpec("EURUSD"), SymbolSpec("EURUSD.pro")])

    def script() -> Script:
        yield
        operations.set_symbol_period(stage.host, stage.chart.id, "EURUSD.pro", 1)
        yield from turns(40)
        yield from get(stage)

    assert stage.play(script()) == 0
    assert decode(stage.got, 1252)[:2] == ("EURUSD", 16385)
    assert sum("cannot carry the symbol" in text for text in stage.errors()) == 1


def test_a_template_that_is_too_large_leaves_the_last_one(tmp_path):
    stage = serve(tmp_path)
    stage.program.MAX_BYTES = 8000

    def script() -> Script:
        yield
        layout.root(stage.template).set("description", "x" * 8000)
        stage.change("more")
        yield from turns(25)
        yield from get(stage)

    assert stage.play(script()) == 0
    assert names(stage.got) == []
    assert sum("above the limit of" in text for text in stage.errors()) == 1


def test_start_ups_and_clean_ups_are_paired(tmp_path):
    stage = serve(tmp_path)
    calls = []
    for name in ("WSAStartup", "WSACleanup"):
        real = getattr(stage.program, name)
        setattr(stage.program, name, lambda *a, name=name, real=real: calls.append(name) or real(*a))
    stage.play(turns(5))
    assert calls == ["WSAStartup", "WSACleanup"]


def test_a_client_that_is_still_connected_when_the_server_ends_sees_the_end(tmp_path):
    stage = serve(tmp_path)
    peers = []

    def script() -> Script:
        yield
        peers.append(dial(stage.port))
        yield
        yield

    stage.play(script())
    assert read_all(peers[0]) == b""
    close(*peers)


def test_a_client_that_only_sends_does_not_block_the_others(tmp_path):
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        noisy = dial(stage.port)
        write(noisy, HELLO)
        yield from served(stage)
        assert fill(noisy) > 0
        yield from get(stage)
        close(noisy)

    assert stage.play(script()) == 0
    assert decode(stage.got, 1252).symbol == "EURUSD"
