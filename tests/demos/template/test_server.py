"""The study program tpl_server alone; tests/demos/chartfeed/test_originals.py compares it with the original."""

from __future__ import annotations

import pytest
from signal_kit import Script, close, dial, fill, forever, listener, port_of, read_all, ready, reset, successes, write
from terminal_kit import child, wait_for
from tick_kit import fail_calls
from tpl_kit import (
    TplStage,
    download,
    file_of,
    listening,
    names,
    open_sockets,
    read_to_end,
    serve,
    text_of,
    turns,
    until,
)

from demos.template.protocol import decode
from demos.terminal.charts import layout, operations
from demos.terminal.interfaces import SymbolSpec
from winsock import (
    AF_INET,
    INADDR_LOOPBACK,
    INVALID_SOCKET,
    SD_SEND,
    SOCKET_ERROR,
    WSAECONNRESET,
    WSAEISCONN,
    WSAEMFILE,
    WSAENOBUFS,
    WSAEWOULDBLOCK,
    WSASetLastError,
    htonl,
    htons,
    shutdown,
    sockaddr_in,
)

pytestmark = pytest.mark.usefixtures("started")


def study(folder, **options) -> TplStage:
    return serve(folder, "tpl_server", **options)


def large(stage: TplStage, characters: int) -> None:
    layout.root(stage.template).set("description", "x" * characters)


class Full:
    """The send buffer of the first client: it takes 1,000 bytes and is full until `room` grows.

    How much a real one takes differs from system to system; Windows may take everything in one call.
    """

    def __init__(self, stage: TplStage) -> None:
        self.room = 1000
        self.socket = INVALID_SOCKET
        self._real = stage.program.send
        stage.program.send = self.send

    def send(self, s: int, buf: memoryview, size: int, flags: int) -> int:
        if self.socket == INVALID_SOCKET:
            self.socket = s
        if s != self.socket:
            return self._real(s, buf, size, flags)
        size = min(size, self.room)
        if size == 0:
            WSASetLastError(WSAEWOULDBLOCK)
            return SOCKET_ERROR
        res = self._real(s, buf, size, flags)
        self.room -= max(res, 0)
        return res


def test_a_client_gets_symbol_period_and_template_and_an_orderly_end(tmp_path):
    stage = study(tmp_path)

    def script() -> Script:
        yield from listening(stage)
        yield from download(stage)

    assert stage.play(script()) == 0
    assert stage.got[:20] == b"EURUSD".ljust(10, b"\0") + b"16385".ljust(10, b"\0")
    symbol, period, template = decode(stage.got, 1252)
    assert (symbol, period, template) == ("EURUSD", 16385, stage.got[20:])
    assert f"Sent {len(stage.got)} bytes of {len(stage.got)}" in stage.texts
    assert stage.record.events == []


@pytest.mark.parametrize("program", ["tpl_server", "chart_server"])
def test_t13_the_programs_own_name_is_removed_from_the_template_once_where_ex5_follows(tmp_path, program):
    stage = serve(tmp_path, program)

    def script() -> Script:
        yield from listening(stage)
        yield from download(stage)

    stage.play(script())
    text = text_of(decode(stage.got, 1252).template)
    assert f"<expert>\r\nname={program}\r\npath=Experts\\ \r\n" in text
    assert ".ex5" not in text
    saved = (tmp_path / "Profiles" / "Templates" / "tcpsend.tpl").read_bytes()
    assert text_of(saved).count(f"{program}.ex5") == 1


def test_the_text_of_the_template_ends_at_its_first_nul(tmp_path):
    stage = study(tmp_path)
    real = stage.program.ChartSaveTemplate

    def save(chart: int, name: str) -> bool:
        done: bool = real(chart, name)
        with (tmp_path / "Profiles" / "Templates" / name).open("ab") as file:
            file.write(b"\0\0")
        return done

    stage.program.ChartSaveTemplate = save

    def script() -> Script:
        yield from listening(stage)
        yield from download(stage)

    assert stage.play(script()) == 0
    assert text_of(stage.got[20:]).endswith("</chart>\r\n\0")
    assert text_of(stage.got[20:]).count("\0") == 1


def test_t8_a_symbol_that_does_not_fit_into_its_field_is_one_line_of_error_and_exit_code_2(tmp_path):
    stage = study(tmp_path, symbols=[SymbolSpec("EURUSD.pro")])
    assert stage.play(forever()) == 2
    [error] = stage.errors()
    assert "cannot carry the symbol 'EURUSD.pro': it has 10 bytes" in error


def test_the_timer_has_a_period_of_one_second(tmp_path):
    stage = study(tmp_path)
    begin = stage.clock.time

    def script() -> Script:
        yield from listening(stage)
        assert stage.clock.time - begin == pytest.approx(1)
        peer = dial(stage.port)
        yield from until(lambda: ready(peer, 0))
        assert stage.clock.time - begin == pytest.approx(2)
        yield from read_to_end(stage, peer)

    assert stage.play(script()) == 0


def test_a_template_is_created_once_a_second_at_most_and_only_after_a_change(tmp_path):
    stage = study(tmp_path)

    def created() -> int:
        return sum("Create TPL" in text for text in stage.texts)

    def script() -> Script:
        yield from listening(stage)
        yield from turns(10)
        assert created() == 1
        for number in range(3):
            stage.change(f"change {number}")
        yield from turns(10)
        assert created() == 2
        yield from download(stage)

    assert stage.play(script()) == 0
    assert names(stage.got) == ["change 0", "change 1", "change 2"]


def test_t6_a_template_that_could_not_be_saved_is_saved_at_a_later_timer_event(tmp_path):
    stage = study(tmp_path)

    def script() -> Script:
        yield from listening(stage)
        real = stage.program.ChartSaveTemplate
        stage.program.ChartSaveTemplate = lambda *arguments: False
        stage.change("news")
        yield from turns(5)
        stage.program.ChartSaveTemplate = real
        yield from turns(2)
        yield from download(stage)

    assert stage.play(script()) == 0
    assert names(stage.got) == ["news"]
    assert stage.errors() == ["-tcpsend.tpl cannot be saved"]


def test_t7_a_template_that_is_cut_at_a_nul_is_not_sent(tmp_path):
    stage = study(tmp_path)

    def save(chart: int, name: str) -> bool:
        path = stage.terminal.data.templates / name
        path.write_bytes(file_of("<chart>\r\n<inp\0uts>\r\n</chart>\r\n"))
        return True

    def script() -> Script:
        yield from listening(stage)
        stage.program.ChartSaveTemplate = save
        stage.change("news")
        yield from turns(5)
        yield from download(stage)

    assert stage.play(script()) == 0
    assert decode(stage.got, 1252)
    assert names(stage.got) == []
    assert stage.errors() == ["-tcpsend.tpl cannot be sent: not a template: the template ends inside <chart>"]


def test_t7_without_any_template_a_client_gets_0_bytes_and_an_orderly_end(tmp_path):
    stage = study(tmp_path)
    stage.program.ChartSaveTemplate = lambda *arguments: False

    def script() -> Script:
        yield from listening(stage)
        yield from download(stage)

    assert stage.play(script()) == 0
    assert stage.got == b""


def test_another_symbol_restarts_the_server_with_a_template_of_that_symbol(tmp_path):
    stage = study(tmp_path)

    def script() -> Script:
        yield from listening(stage)
        assert operations.set_symbol_period(stage.terminal, stage.chart.id, "GBPUSD", 1) is None
        yield
        yield from listening(stage)
        yield from download(stage)

    assert stage.play(script()) == 0
    assert decode(stage.got, 1252)[:2] == ("GBPUSD", 1)
    assert sum("start server ok" in text for text in stage.texts) == 2


def test_several_clients_are_served_in_the_same_timer_event(tmp_path):
    stage = study(tmp_path)
    got = []

    def script() -> Script:
        yield from listening(stage)
        peers = [dial(stage.port) for _ in range(5)]
        yield from until(lambda: len(stage.program.conns) == 5)
        got.extend(read_all(peer) for peer in peers)
        close(*peers)
        yield from until(lambda: not stage.program.conns)

    assert stage.play(script()) == 0
    assert got == [stage.program.tpl] * 5


def test_t2_a_slow_reader_gets_all_while_others_are_served(tmp_path):
    stage = study(tmp_path)
    large(stage, 4_000_000)
    full = Full(stage)

    def script() -> Script:
        yield from listening(stage)
        slow = dial(stage.port)
        yield from turns(10)
        assert open_sockets(stage) == [full.socket]
        yield from download(stage)
        assert stage.got == stage.program.tpl
        for _ in range(40):
            full.room += 10
            yield
        assert full.socket in open_sockets(stage)
        full.room = 10_000_000
        yield from read_to_end(stage, slow)

    assert stage.play(script()) == 0
    assert len(stage.got) > 8_000_000
    assert stage.got == stage.program.tpl
    assert stage.errors() == []


def test_t2_a_client_that_reads_nothing_is_closed_after_30_seconds(tmp_path):
    stage = study(tmp_path)
    full = Full(stage)

    def script() -> Script:
        yield from listening(stage)
        peer = dial(stage.port)
        yield from until(lambda: stage.program.conns)
        begin = stage.clock.time
        yield from until(lambda: not stage.program.conns)
        assert stage.clock.time - begin == pytest.approx(30, abs=2)
        close(peer)
        # Windows may give the next client the same handle.
        full.room = 10_000_000
        stage.change("news")
        yield from turns(2)
        yield from download(stage)

    assert stage.play(script()) == 0
    assert names(stage.got) == ["news"]
    [error] = stage.errors()
    assert "Send failed error" in error
    assert "10060" in error


def test_t11_a_client_that_does_not_close_is_closed_after_two_seconds(tmp_path):
    stage = study(tmp_path)

    def script() -> Script:
        yield from listening(stage)
        peer = dial(stage.port)
        yield from until(lambda: stage.program.conns)
        begin = stage.clock.time
        yield from until(lambda: not stage.program.conns)
        assert stage.clock.time - begin == pytest.approx(2, abs=1)
        assert read_all(peer) == stage.program.tpl
        close(peer)

    assert stage.play(script()) == 0


def test_t11_a_client_that_has_shut_down_its_side_first_gets_all(tmp_path):
    stage = study(tmp_path)

    def script() -> Script:
        yield from listening(stage)
        peer = dial(stage.port)
        write(peer, b"GET / HTTP/1.1\r\n\r\n")
        shutdown(peer, SD_SEND)
        yield from read_to_end(stage, peer)

    assert stage.play(script()) == 0
    assert stage.got == stage.program.tpl


def test_t11_a_client_that_sends_without_end_does_not_block_the_others(tmp_path):
    stage = study(tmp_path)

    def script() -> Script:
        yield from listening(stage)
        noisy = dial(stage.port)
        assert fill(noisy) > 0
        yield from download(stage)
        yield from until(lambda: not stage.program.conns)
        close(noisy)

    assert stage.play(script()) == 0
    assert stage.got == stage.program.tpl


def test_a_reset_in_mid_transfer_closes_that_client_alone(tmp_path):
    stage = study(tmp_path)
    full = Full(stage)

    def script() -> Script:
        yield from listening(stage)
        peer = dial(stage.port)
        yield from until(lambda: ready(peer, 0))
        assert open_sockets(stage) == [full.socket]
        reset(peer)
        full.room = 10_000_000
        yield from until(lambda: not stage.program.conns)
        yield from download(stage)

    assert stage.play(script()) == 0
    assert stage.got == stage.program.tpl
    assert len(stage.errors()) == 1


def test_t3_a_client_whose_mode_cannot_be_set_is_closed(tmp_path):
    stage = study(tmp_path)

    def script() -> Script:
        yield from listening(stage)
        real = stage.program.ioctlsocket
        stage.program.ioctlsocket = lambda *arguments: SOCKET_ERROR
        peer = dial(stage.port)
        yield from turns(2)
        stage.program.ioctlsocket = real
        assert read_all(peer) == b""
        close(peer)
        assert not stage.program.conns
        yield from download(stage)

    assert stage.play(script()) == 0
    assert stage.got == stage.program.tpl


@pytest.mark.parametrize("code", [WSAECONNRESET, WSAEMFILE])
def test_t12_an_accept_error_closes_neither_the_listener_nor_a_client(tmp_path, code):
    stage = study(tmp_path)
    large(stage, 10_000)
    full = Full(stage)

    def script() -> Script:
        yield from listening(stage)
        server = stage.program.server
        waiting = dial(stage.port)
        yield from until(lambda: stage.program.conns)
        held = open_sockets(stage)
        fail_calls(stage, "accept", *[code] * 2, result=INVALID_SOCKET)
        yield
        yield
        assert stage.program.server == server
        assert open_sockets(stage) == held
        full.room = 100_000
        yield from read_to_end(stage, waiting)
        assert stage.got == stage.program.tpl
        yield from download(stage)
        assert stage.program.server == server

    assert stage.play(script()) == 0
    assert stage.got == stage.program.tpl
    [error] = stage.errors()
    assert error.startswith(f"-Accept failed with error: (#{code})")


def test_s21_a_port_in_use_is_one_line_of_error_and_exit_code_3(tmp_path):
    other = listener()
    port = port_of(other)
    stage = study(tmp_path, Port=port)
    seen = successes(stage)
    assert stage.play(forever()) == 3
    assert stage.program.server == INVALID_SOCKET
    assert seen == ["WSAStartup", "WSACleanup"]
    close(other)
    [error] = stage.errors()
    assert f"127.0.0.1:{port} failed error: (#10048)" in error
    again = study(tmp_path, Port=port)
    assert again.play(listening(again)) == 0
    assert f"start server ok, 127.0.0.1:{port}" in again.texts


def test_s22_an_address_of_another_machine_is_refused_with_exit_code_3(tmp_path):
    stage = study(tmp_path, Host="192.0.2.1")
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert error.startswith("Bind to 192.0.2.1:0 failed error: (#10049)")


@pytest.mark.parametrize(("call", "step"), [("bind", "Bind to"), ("listen", "Listen on")])
@pytest.mark.parametrize("code", [WSAENOBUFS, WSAEISCONN])
def test_s21_an_address_that_cannot_be_used_is_one_line_of_error_and_exit_code_3(tmp_path, call, step, code):
    stage = study(tmp_path)
    seen = successes(stage)
    fail_calls(stage, call, code)
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert error.startswith(f"{step} 127.0.0.1:0 failed error: (#{code})")
    assert seen == ["WSAStartup", "WSACleanup"]


def test_a5_a_port_that_cannot_be_read_is_one_line_of_error_and_exit_code_3(tmp_path):
    stage = study(tmp_path)
    fail_calls(stage, "getsockname", WSAENOBUFS)
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert error.startswith(f"getsockname failed error: (#{WSAENOBUFS})")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1 x", "127.1"])
def test_a5_the_log_shows_the_address_and_the_port_that_the_server_is_bound_to(tmp_path, host):
    stage = study(tmp_path, Host=host)
    ports = []

    def script() -> Script:
        yield from listening(stage)
        ports.append(stage.port)

    assert stage.play(script()) == 0
    assert ports[0] > 0
    assert f"start server ok, 127.0.0.1:{ports[0]}" in stage.texts


@pytest.mark.parametrize("host", ["localhost", "", "1.2.3.4.5", "é", "ж", "\uff11.0.0.1", "\udcff"])
def test_s22_a_host_that_is_not_an_ipv4_address_is_one_line_of_error_and_exit_code_2(tmp_path, host):
    stage = study(tmp_path, Host=host)
    assert stage.play(forever()) == 2
    assert stage.errors() == [f"invalid IPv4 address: {host!r}; Host takes four numbers, as in 127.0.0.1"]


@pytest.mark.parametrize("call", ["socket", "ioctlsocket"])
def test_s13_a_call_that_fails_at_the_start_is_reported_once_and_tried_again(tmp_path, call):
    stage = study(tmp_path)
    seen = successes(stage)
    real = getattr(stage.program, call)

    def fail(*arguments: object) -> int:
        WSASetLastError(WSAENOBUFS)
        return INVALID_SOCKET if call == "socket" else SOCKET_ERROR

    setattr(stage.program, call, fail)

    def script() -> Script:
        yield from turns(4)
        setattr(stage.program, call, real)
        yield from listening(stage)

    assert stage.play(script()) == 0
    [error] = stage.errors()
    assert str(WSAENOBUFS) in error
    assert seen == ["WSAStartup", "WSACleanup"] * (len(seen) // 2)
    assert len(seen) >= 8


def test_s13_without_a_startup_there_is_no_cleanup(tmp_path):
    stage = study(tmp_path)
    stage.program.WSAStartup = lambda *arguments: 10091
    cleanups = []
    stage.program.WSACleanup = lambda: cleanups.append(1) or 0
    assert stage.play(turns(5)) == 0
    [error] = stage.errors()
    assert "10091" in error
    assert cleanups == []


def test_h1_h3_bind_gets_16_bytes_with_a_4_byte_address_and_zeros_behind_it(tmp_path):
    other = listener()
    port = port_of(other)
    close(other)
    stage = study(tmp_path, Port=port)
    given = []
    real = stage.program.bind
    stage.program.bind = lambda s, name, size: given.append((bytes(name), size)) or real(s, name, size)

    def script() -> Script:
        yield from listening(stage)

    assert stage.play(script()) == 0
    address = sockaddr_in(sin_family=AF_INET, sin_port=htons(port))
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    assert given == [(bytes(address), 16)]
    assert given[0][0].endswith(bytes(8))


def test_clients_see_the_end_when_the_server_ends(tmp_path):
    stage = study(tmp_path)
    peers = []

    def script() -> Script:
        yield from listening(stage)
        peers.extend(dial(stage.port) for _ in range(2))
        yield from until(lambda: len(stage.program.conns) == 2)

    assert stage.play(script()) == 0
    assert [read_all(peer) for peer in peers] == [stage.program.tpl] * 2
    close(*peers)


@pytest.mark.parametrize("client", ["tpl_client", "chart_client"])
@pytest.mark.parametrize("server", ["tpl_server", "chart_server"])
def test_each_server_serves_each_client(tmp_path, server, client):
    with child("run", server, "--Port", 0, "--seed", 1, "--data", tmp_path / "server") as serving:
        port = wait_for(serving.stderr, "start server ok, 127.0.0.1:").strip().rpartition(":")[2]
        options = ("--chart", "EURUSD,M15", "--data", tmp_path / "client", "--save-template", tmp_path / "chart.tpl")
        with child("run", client, "--Port", port, "--seed", 1, *options) as receiving:
            _, log = receiving.communicate()
        serving.communicate("quit\n")
    assert (receiving.returncode, serving.returncode) == (0, 0), log
    got = (tmp_path / "client" / "MQL5" / "Files" / "tcprecv.tpl").read_bytes()
    saved = (tmp_path / "server" / "Profiles" / "Templates" / "tcpsend.tpl").read_bytes()
    assert text_of(got) == text_of(saved).replace(f"{server}.ex5", " ") + "\0"
    assert "period_type=1\r\nperiod_size=1\r\n" in (tmp_path / "chart.tpl").read_bytes().decode("utf-16")


@pytest.mark.parametrize(("server", "client"), [("tpl_server", "chart_client"), ("chart_server", "tpl_client")])
def test_an_8_bit_template_stays_8_bit_at_the_server_and_is_utf_16_at_the_client(tmp_path, server, client):
    file = b"<chart>\nsymbol=EURUSD\nperiod=60\ndigits=5\ncomment=\xe9\n</chart>\n"
    (tmp_path / "old.tpl").write_bytes(file)
    options = ("--seed", 1, "--template", tmp_path / "old.tpl", "--save-template", tmp_path / "kept.tpl")
    with child("run", server, "--Port", 0, "--data", tmp_path / "server", *options) as serving:
        port = wait_for(serving.stderr, "start server ok, 127.0.0.1:").strip().rpartition(":")[2]
        saving = ("--data", tmp_path / "client", "--save-template", tmp_path / "chart.tpl")
        with child("run", client, "--Port", port, "--seed", 1, *saving) as receiving:
            _, log = receiving.communicate()
        serving.communicate("quit\n")
    assert (receiving.returncode, serving.returncode) == (0, 0), log
    assert (tmp_path / "kept.tpl").read_bytes() == file
    assert (tmp_path / "chart.tpl").read_bytes() == b"\xff\xfe" + file.decode("cp1252").encode("utf-16-le")
