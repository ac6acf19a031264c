"""The defects T1 to T12: the article's template programs and ours with the same bytes and events.

Each test runs both of ours, the study program and the product. The originals are small models of the observed
behaviour of the article's programs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from signal_kit import Script, arrive, close, dial, forever, listener, port_of, read_all, ready, server, take, write
from tpl_kit import (
    OriginalServer,
    TplStage,
    download,
    fetch,
    files,
    listening,
    mark_of,
    message,
    names,
    open_sockets,
    original_apply,
    original_receive,
    read_to_end,
    sent,
    serve,
    small_template,
    turns,
    until,
    untouched,
)

import winsock as calls
from demos.chartfeed import serving
from demos.template.protocol import LayoutError, decode
from demos.terminal.charts import layout
from demos.terminal.interfaces import SymbolSpec
from winsock import (
    FIONBIO,
    INVALID_SOCKET,
    SD_BOTH,
    SOCKET_ERROR,
    WSAEMFILE,
    WSAEWOULDBLOCK,
    WSAGetLastError,
    WSASetLastError,
    accept,
    closesocket,
    ioctlsocket,
    send,
    shutdown,
    u_long,
)

__all__ = ["server"]

pytestmark = pytest.mark.usefixtures("started")


@pytest.fixture(params=["tpl_server", "chart_server"])
def our_server(request) -> str:
    return request.param


@pytest.fixture(params=["tpl_client", "chart_client"])
def our_client(request) -> str:
    return request.param


def original_serves(listening: int, data: bytes, send_call=send) -> int:
    """What the article's server does with a client that waits: one send of its message, close; the bytes sent."""
    assert ready(listening)
    client = accept(listening, None, None)
    count: int = send_call(client, data, len(data), 0)
    shutdown(client, SD_BOTH)
    closesocket(client)
    return count


@pytest.fixture
def original() -> Iterator[int]:
    """The article's listening socket: non-blocking, and so are the ones that it accepts."""
    s = listener()
    assert ioctlsocket(s, FIONBIO, u_long(1)) == 0
    yield s
    close(s)


def test_t1_the_original_applies_a_file_cut_by_a_short_read_and_ours_reads_to_the_end(server, tmp_path, our_client):
    data = message("x" * 3000, "GBPUSD", 1)
    segments = [data[at : at + 1448] for at in range(0, len(data), 1448)]
    got = original_receive(*segments)
    assert len(got) == 1448
    assert original_apply(got)[0] == "GBPUSD"
    stage = fetch(server, tmp_path, our_client)
    assert stage.play(sent(stage, server, *segments)) == 0
    assert mark_of(stage.template) == "x" * 3000
    cut = original_receive(data[:5], data[5:])
    assert original_apply(cut) == ("GBPUS", 0, b"")


def test_t2_the_original_does_not_continue_a_partial_send_and_ours_sends_all(
    original, tmp_path, monkeypatch, our_server
):
    # The operating system decides how much one send takes; here it is little.
    def little(s: int, buf: bytes, size: int, flags: int) -> int:
        return send(s, buf, min(size, 1000), flags)

    peer = dial(port_of(original))
    assert original_serves(original, bytes(5000), little) == 1000
    assert len(read_all(peer)) == 1000
    close(peer)
    full = [True]

    def every_second_fails(s: int, buf: bytes, size: int, flags: int) -> int:
        full[0] = not full[0]
        if full[0]:
            WSASetLastError(WSAEWOULDBLOCK)
            return SOCKET_ERROR
        return little(s, buf, size, flags)

    stage = serve(tmp_path, our_server)
    monkeypatch.setattr(stage.chart.module if our_server == "tpl_server" else serving, "send", every_second_fails)

    def script() -> Script:
        yield from listening(stage)
        yield from download(stage)

    assert stage.play(script()) == 0
    assert stage.got == stage.program.tpl
    assert len(stage.got) > 2000
    assert decode(stage.got, 1252).symbol == "EURUSD"


def test_t2_a_template_larger_than_any_buffer_arrives_whole(tmp_path, our_server):
    stage = serve(tmp_path, our_server)
    layout.root(stage.template).set("description", "x" * 4_000_000)

    def script() -> Script:
        yield from listening(stage)
        yield from download(stage)

    assert stage.play(script()) == 0
    assert stage.got == stage.program.tpl
    assert len(stage.got) > 8_000_000
    assert decode(stage.got, 1252).symbol == "EURUSD"


def test_t3_the_original_never_sets_the_mode_of_an_accepted_socket_and_ours_sets_it(original, tmp_path, our_server):
    peer = dial(port_of(original))
    assert ready(original)
    client = accept(original, None, None)
    buffer = bytearray(1)
    assert calls.recv(client, buffer, 1, 0) == SOCKET_ERROR
    assert WSAGetLastError() == WSAEWOULDBLOCK
    close(client, peer)
    stage = serve(tmp_path, our_server)
    asked = []

    def script() -> Script:
        yield from listening(stage)
        real = stage.program.ioctlsocket
        stage.program.ioctlsocket = lambda s, cmd, argp: asked.append((s, cmd, argp.value)) or real(s, cmd, argp)
        peer = dial(stage.port)
        yield from until(lambda: stage.program.conns)
        assert asked == [(open_sockets(stage)[0], FIONBIO, 1)]
        close(peer)

    assert stage.play(script()) == 0


def test_t4_the_original_appends_each_template_to_the_older_ones_and_ours_sends_one(tmp_path, our_server):
    original = OriginalServer()
    sizes = []
    for mark in ("a", "b", "c"):
        original.timer()
        original.chart_event(small_template(mark))
        sizes.append(len(original.message))
    assert sizes == [sizes[0], 2 * sizes[0], 3 * sizes[0]]
    symbol, period, file = original_apply(original.message)
    assert (symbol, period) == ("EURUSD", 16385)
    assert file.count(b"\xff\xfe") == 3
    assert decode(original.message, 1252).template == message("c")[20:]
    stage = serve(tmp_path, our_server)
    got = []

    def script() -> Script:
        yield from listening(stage)
        for mark in ("a", "b", "c"):
            stage.change(mark)
            yield from turns(12)
            yield from download(stage)
            got.append(stage.got)

    stage.play(script())
    assert [data.count(b"\xff\xfe") for data in got] == [1, 1, 1]
    assert [names(data) for data in got] == [["a"], ["a", "b"], ["a", "b", "c"]]


def test_t5_the_original_applies_0_bytes_as_a_template_and_ours_fails(server, tmp_path, our_client):
    assert OriginalServer().message == b""
    assert original_apply(original_receive()) == ("", 0, b"")
    stage = fetch(server, tmp_path, our_client)
    assert stage.play(sent(stage, server)) == 3
    assert untouched(stage, tmp_path)
    assert "no template yet" in stage.errors()[0]


def test_t5_the_original_has_no_template_before_the_first_change_and_ours_has_one(tmp_path, our_server):
    stage = serve(tmp_path, our_server)

    def script() -> Script:
        yield from listening(stage)
        yield from download(stage)

    stage.play(script())
    assert names(stage.got) == []


def test_t6_of_several_changes_the_original_saves_the_first_and_ours_the_last(tmp_path, our_server):
    original = OriginalServer()
    for mark in ("first", "second", "last"):
        original.chart_event(small_template(mark))
    assert original.message[20:] == message("first")[20:]
    stage = serve(tmp_path, our_server)

    def script() -> Script:
        yield from listening(stage)
        for mark in ("first", "second", "last"):
            stage.change(mark)
        yield from turns(12)
        yield from download(stage)

    stage.play(script())
    assert names(stage.got) == ["first", "second", "last"]


def test_t7_without_a_readable_template_the_original_sends_a_header_and_ours_the_last_one(tmp_path, our_server):
    original = OriginalServer()
    original.chart_event(None)
    assert len(original.message) == 20
    stage = serve(tmp_path, our_server)

    def script() -> Script:
        yield from listening(stage)
        for save in (lambda *arguments: False, lambda *arguments: True):
            stage.program.ChartSaveTemplate = save
            (tmp_path / "Profiles" / "Templates" / "tcpsend.tpl").write_bytes(b"no template")
            stage.change("news")
            yield from turns(25)
            yield from download(stage)
            assert names(stage.got) == []
        (tmp_path / "Profiles" / "Templates" / "tcpsend.tpl").unlink()
        stage.change("more")
        yield from turns(25)
        yield from download(stage)
        assert names(stage.got) == []

    assert stage.play(script()) == 0
    assert ["saved" in text or "read" in text for text in stage.errors()] == [True, True, True]


def test_t8_the_original_pads_fields_with_undefined_bytes_and_ours_with_zeros(tmp_path, our_server):
    original = OriginalServer(symbol="EURUSD.micro")
    original.chart_event(small_template())
    assert original.message[:20] == b"EURUSD.mic16385\0\xcc\xcc\xcc\xcc"
    assert message()[:20] == b"EURUSD".ljust(10, b"\0") + b"16385".ljust(10, b"\0")
    stage = serve(tmp_path, our_server, symbols=[SymbolSpec("EURUSD.micro")])
    assert stage.play(forever()) == 2
    assert "cannot carry the symbol 'EURUSD.micro'" in stage.errors()[0]


@pytest.mark.parametrize("cut", [-1, -2, -500, 25])
def test_t9_the_original_applies_an_incomplete_template_and_ours_refuses_it(server, tmp_path, our_client, cut):
    data = message("x" * 500)[:cut]
    assert original_apply(data)[2] != b""
    with pytest.raises(LayoutError):
        decode(data, 1252)
    stage = fetch(server, tmp_path, our_client)
    assert stage.play(sent(stage, server, data)) == 3
    assert untouched(stage, tmp_path)


def test_t10_the_original_calls_recv_without_pause_or_end_and_ours_waits_and_ends(server, tmp_path, our_client):
    silent = dial(port_of(server))
    assert ioctlsocket(silent, FIONBIO, u_long(1)) == 0
    buffer = bytearray(512)
    # The article's loop: it has no pause and no time limit.
    for _ in range(1000):
        assert calls.recv(silent, buffer, 512, 0) == SOCKET_ERROR
    close(take(server), silent)
    stage = fetch(server, tmp_path, our_client)
    asked = []
    real = stage.program.recv
    stage.program.recv = lambda *arguments: asked.append(1) or real(*arguments)

    def script() -> Script:
        yield
        peer = take(server)
        yield from until(lambda: False)
        close(peer)

    begin = stage.clock.time
    assert stage.play(script()) == 3
    assert stage.clock.time - begin == pytest.approx(60, abs=1)
    assert len(asked) <= 60_000 / stage.program.PAUSE_MS + 10
    assert files(tmp_path) == []


REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_t11_the_original_resets_a_client_that_has_sent_bytes_and_ours_lets_it_read_to_the_end(
    original, tmp_path, our_server
):
    data = bytes(120_012)
    peer = dial(port_of(original))
    assert ready(original)
    client = accept(original, None, None)
    arrive(peer, REQUEST, client)
    assert send(client, data, len(data), 0) == len(data)
    shutdown(client, SD_BOTH)
    closesocket(client)
    got = 0
    buffer = bytearray(65536)
    while (size := calls.recv(peer, buffer, len(buffer), 0)) > 0:
        got += size
    # On Wine the reset looks like an orderly end.
    assert size == SOCKET_ERROR or got < len(data)
    close(peer)
    stage = serve(tmp_path, our_server)
    layout.root(stage.template).set("description", "x" * 1_500_000)

    def script() -> Script:
        yield from listening(stage)
        peer = dial(stage.port)
        # It sends its request while the answer is under way, so the chart_server does not see an HTTP client.
        yield from until(lambda: ready(peer, 0))
        write(peer, REQUEST)
        yield from read_to_end(stage, peer)

    assert stage.play(script()) == 0
    assert stage.got == stage.program.tpl


class OriginalListener:
    """The article's server after an error of accept: it closes, and listens again a second later."""

    def __init__(self, accept_call) -> None:
        self.server = 1
        self.accept = accept_call

    def timer(self) -> None:
        if self.server == INVALID_SOCKET:
            self.server = 1
        elif self.accept() == INVALID_SOCKET and WSAGetLastError() != WSAEWOULDBLOCK:
            self.server = INVALID_SOCKET


def test_t12_one_error_of_accept_closes_the_original_and_ours_goes_on_listening(tmp_path, our_server):
    def fail(*arguments: object) -> int:
        WSASetLastError(WSAEMFILE)
        return INVALID_SOCKET

    original = OriginalListener(fail)
    original.timer()
    assert original.server == INVALID_SOCKET
    stage = serve(tmp_path, our_server)

    def script() -> Script:
        yield from listening(stage)
        handle, real = stage.program.server, stage.program.accept
        stage.program.accept = fail
        yield from turns(3)
        stage.program.accept = real
        assert stage.program.server == handle
        yield from download(stage)

    assert stage.play(script()) == 0
    assert len(decode(stage.got, 1252)) == 3
    assert sum("Accept failed" in text for text in stage.errors()) == 1


def test_our_client_gets_the_chart_from_an_original_server(original, tmp_path, our_client):
    from_original = OriginalServer("GBPUSD", 16388)
    for mark in ("old", "new"):
        from_original.timer()
        from_original.chart_event(small_template(mark))
    stage = TplStage(our_client, tmp_path, Port=port_of(original))

    def script() -> Script:
        yield
        assert original_serves(original, from_original.message) == len(from_original.message)
        yield from forever()

    assert stage.play(script()) == 0
    assert stage.shown == ("GBPUSD", 16388)
    assert mark_of(stage.template) == "new"


def test_an_original_client_gets_the_chart_from_our_server(tmp_path, our_server):
    stage = serve(tmp_path, our_server)

    def script() -> Script:
        yield from listening(stage)
        peer = dial(stage.port)
        yield from until(lambda: ready(peer, 0))
        # On loopback it arrives in one piece, which is what the article's client needs.
        data = original_receive(read_all(peer))
        symbol, period, file = original_apply(data)
        assert (symbol, period) == ("EURUSD", 16385)
        assert file.startswith(b"\xff\xfe")
        assert file.endswith(b"\0\0")
        close(peer)

    assert stage.play(script()) == 0
