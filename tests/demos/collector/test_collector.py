"""The tick server, event by event, on real sockets."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from ctypes import c_int
from pathlib import Path

import pytest
from signal_kit import Script, Stage, close, one_event, port_of, successes
from tick_kit import address_of, nothing_to_receive, peer, send_to
from winsock_kit import bound, loopback6

from demos.collector.store import SenderRow, SymbolRow, TickRow, TickStore
from demos.ticks.protocol import LONGEST
from demos.wire.addresses import address_text
from winsock import (
    INVALID_SOCKET,
    SO_RCVBUF,
    SOCK_DGRAM,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAECONNRESET,
    WSAENETDOWN,
    WSAENETRESET,
    WSAENOBUFS,
    WSASYSNOTREADY,
    WSASetLastError,
    getsockopt,
)

pytestmark = pytest.mark.usefixtures("started")

# What ManualClock says a second after its start, when the server reads for the first time.
FIRST_EVENT = 1_767_225_600_000 + 1_000_000


def listening(**options: object) -> Stage:
    return Stage("tick_server", **{"Port": 0, **options})


def after(*datagrams: bytes, **options: object) -> Stage:
    """A server that has received these datagrams, all before its next event, from one sender."""
    stage = listening(**options)

    def script() -> Script:
        yield
        stage.peer = peer()
        send_to(stage, stage.peer, *datagrams)
        yield

    assert stage.play(script()) == 0
    return stage


def kept(path: Path) -> list[TickRow]:
    with closing(TickStore(path, reading=True)) as store:
        return [tick for symbol in store.symbols() for tick in store.ticks(symbol.name)]


def failing(call: Callable[..., int], errors: list[int], result: int = SOCKET_ERROR) -> Callable[..., int]:
    """The call, which fails with these errors first."""

    def called(*arguments: object) -> int:
        if errors:
            WSASetLastError(errors.pop(0))
            return result
        return call(*arguments)

    return called


def test_a_tick_is_shown_with_its_sender():
    stage = after(b"EURUSD 1.10000\0")
    assert f"receive tick from client {address_of(stage.peer)}: EURUSD 1.10000" in stage.texts
    assert stage.host.charts.view(stage.chart.id).comment == "1 ticks, the last: EURUSD 1.10000"


def test_all_that_waits_is_read_at_one_event_and_told_in_one_line():
    stage = listening()

    def script() -> Script:
        yield
        first, second = peer(), peer()
        send_to(stage, first, *(b"EURUSD 1.1000%d\0" % n for n in range(9)))
        send_to(stage, second, *(b"USDJPY 110.50%d\0" % n for n in range(3)))
        yield
        assert nothing_to_receive(stage.program.server)
        assert stage.texts[-1] == f"receive 12 ticks from 2 clients, the last from {address_of(second)}: USDJPY 110.502"

    assert stage.play(script()) == 0


def test_ticks_are_kept_with_symbol_bid_sender_and_time_of_receipt(tmp_path):
    database = tmp_path / "ticks.sqlite"
    stage = after(b"EURUSD 1.10000\0", b"USDJPY 110.500\0", b"EURUSD 12\0", database=str(database))
    sender = address_of(stage.peer)
    [tick, second, third] = kept(database)
    assert (tick, third) == (
        TickRow("EURUSD", 110_000, 5, sender, tick.time),
        TickRow("USDJPY", 110_500, 3, sender, tick.time),
    )
    assert second == TickRow("EURUSD", 12, 0, sender, tick.time)
    assert FIRST_EVENT <= tick.time < FIRST_EVENT + 1000


def test_without_a_database_the_ticks_are_counted_alone():
    stage = listening()

    def script() -> Script:
        yield
        s = peer()
        send_to(stage, s, b"EURUSD 1.10000\0", b"nonsense", b"EURUSD 1.10001\0")
        yield
        assert stage.program.store.symbols() == [
            SymbolRow("EURUSD", 2, 110_001, 5, stage.program.store.symbols()[0].time)
        ]
        assert stage.program.store.senders() == [SenderRow(address_of(s), 2, 1, 0, 0, 0)]

    assert stage.play(script()) == 0


def test_what_has_arrived_before_the_end_is_kept(tmp_path):
    database = tmp_path / "ticks.sqlite"
    stage = listening(database=str(database))

    def script() -> Script:
        yield
        send_to(stage, peer(), b"EURUSD 1.1\0", b"nonsense\0")

    assert stage.play(script()) == 0
    assert [tick.bid for tick in kept(database)] == [11]
    assert (
        "-datagrams that are no ticks: 1, at first 'nonsense' (not of the form SYMBOL BID) from " in stage.errors()[0]
    )


def test_one_event_reads_no_more_than_its_bound_and_the_next_goes_on():
    stage = listening()
    stage.program.MOST_DATAGRAMS = 10

    def script() -> Script:
        yield
        send_to(stage, peer(), *(b"EURUSD 1.1\0" for _ in range(25)))
        for count in (10, 20, 25):
            yield
            assert stage.program.total == count

    assert stage.play(script()) == 0


@pytest.mark.parametrize("size", [LONGEST + 1, 5000])
def test_a_datagram_larger_than_the_buffer_is_reported_with_its_sender_and_the_rest_is_read(size):
    stage = after(b"EURUSD 1.1\0", b"x" * size, b"EURUSD 1.2\0")
    assert stage.errors() == [f"-datagrams longer than 1024 bytes: 1, at first from {address_of(stage.peer)}"]
    assert any("receive 2 ticks" in text and "EURUSD 1.2" in text for text in stage.texts)


def test_a_datagram_that_fills_the_buffer_is_read():
    stage = after(b"EURUSD 1.1".ljust(LONGEST, b"\0"))
    assert stage.errors() == []
    assert stage.program.total == 1


def test_what_is_no_tick_is_escaped_counted_and_told_once_a_second(tmp_path):
    stage = listening(timer_ms=100, database=str(tmp_path / "ticks.sqlite"))

    def script() -> Script:
        yield
        s = peer()
        for _ in range(25):
            send_to(stage, s, b"\x1b[2J\0", b"\0")
            yield
        told = stage.errors()
        assert len(told) == 3
        assert told[0].startswith(
            "-datagrams that are no ticks: 2, at first '\\x1b[2J' (not of the form SYMBOL BID) from "
        )
        assert "no ticks: 20, at first" in told[1]
        assert stage.program.store.senders() == [SenderRow(address_of(s), 0, 50, 0, 0, 0)]

    assert stage.play(script()) == 0
    assert "\x1b" not in stage.stream.getvalue()
    assert len(stage.errors()) == 4


def test_a_long_text_is_not_shown_whole():
    stage = after(b"x" * 1000)
    assert f"'{'x' * 60}' (" in stage.errors()[0]


def test_lost_and_repeated_ticks_are_told_where_numbers_show_them():
    mark = b"EURUSD 1.1\0#0123456789abcdef %d\0"
    stage = after(*(mark % number for number in (1, 2, 6, 2)))
    repeated, lost = stage.errors()
    assert "at first 'EURUSD, number 2' (a tick that came before)" in repeated
    assert lost == "-datagrams lost, as the numbers of others tell: 3, at first 3 in one event"


def test_the_first_timer_event_makes_the_socket():
    stage = listening(Port=0)

    def script() -> Script:
        assert stage.program.server == INVALID_SOCKET
        yield
        assert stage.program.server != INVALID_SOCKET
        assert stage.record.of("listening") == [{"port": port_of(stage.program.server)}]

    stage.play(script())
    assert f"start server ok, 127.0.0.1:{stage.program.port}" in stage.texts
    assert stage.texts[-1] == "Shutdown server"


def test_it_asks_for_a_buffer_that_holds_more_than_one_period():
    stage = listening()

    def script() -> Script:
        yield
        size = c_int()
        assert getsockopt(stage.program.server, SOL_SOCKET, SO_RCVBUF, size, c_int(4)) == 0
        usual = c_int()
        assert getsockopt(bound(SOCK_DGRAM), SOL_SOCKET, SO_RCVBUF, usual, c_int(4)) == 0
        assert size.value > usual.value

    assert stage.play(script()) == 0


def test_it_listens_on_ipv6_too():
    stage = listening(Host="::1")

    def script() -> Script:
        yield
        s = bound(SOCK_DGRAM, loopback6())
        send_to(stage, s, b"EURUSD 1.1\0")
        yield
        assert f"from client {address_text(name_of_six(s))}: EURUSD 1.1" in stage.texts[-1]

    assert stage.play(script()) == 0


def name_of_six(s: int):
    from winsock import getsockname, sockaddr_in6

    name = sockaddr_in6()
    assert getsockname(s, name, c_int(28)) == 0
    return name


@pytest.mark.parametrize(("host", "shown"), [("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")])
def test_a_host_may_be_a_name(host, shown):
    stage = listening(Host=host)
    assert stage.play(one_event()) == 0
    assert any(text.startswith(f"start server ok, {shown}:") for text in stage.texts)
    assert not [line for line in stage.stream.getvalue().splitlines() if " alert " in line]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_listening_on_every_network_is_one_warning(host):
    stage = listening(Host=host)
    assert stage.play(one_event()) == 0
    [alert] = [line for line in stage.stream.getvalue().splitlines() if " alert " in line]
    assert f"{host} is open to every network" in alert


def test_a_host_that_nobody_knows_is_one_clear_line_and_exit_code_3():
    stage = listening(Host="a b")
    assert stage.play(one_event()) == 3
    [error] = stage.errors()
    assert error.startswith("a b cannot be found: (#11")


def test_a_port_in_use_is_one_clear_line_and_exit_code_3():
    s = peer()
    stage = listening(Port=port_of(s))
    starts = successes(stage)
    assert stage.play(one_event()) == 3
    [error] = stage.errors()
    assert error.startswith(f"Bind to {address_of(s)} failed error: (#10048)")
    assert starts == ["WSAStartup", "WSACleanup"]


@pytest.mark.parametrize(
    ("call", "result", "text"),
    [
        ("WSAStartup", WSASYSNOTREADY, "WSAStartup failed error: (#10091)"),
        ("socket", INVALID_SOCKET, "Create failed error: (#10055)"),
        ("ioctlsocket", SOCKET_ERROR, "ioctlsocket failed error: (#10055)"),
        ("getsockname", SOCKET_ERROR, "getsockname failed error: (#10055)"),
    ],
)
def test_a_start_that_fails_is_exit_code_3_and_is_cleaned_up(call, result, text):
    stage = listening()
    starts = successes(stage) if call != "WSAStartup" else []

    def failed(*arguments: object) -> int:
        WSASetLastError(WSAENOBUFS)
        return result

    setattr(stage.program, call, failed)
    assert stage.play(one_event()) == 3
    [error] = stage.errors()
    assert error.startswith(text)
    assert starts in ([], ["WSAStartup", "WSACleanup"])


def test_without_a_larger_buffer_it_goes_on():
    stage = listening()
    stage.program.setsockopt = failing(stage.program.setsockopt, [WSAENOBUFS])
    assert stage.play(one_event()) == 0
    assert stage.errors()[0].startswith("-setsockopt failed error: (#10055)")
    assert any(text.startswith("start server ok") for text in stage.texts)


@pytest.mark.parametrize("error", [WSAECONNRESET, WSAENETRESET])
def test_an_error_of_an_earlier_datagram_does_not_stop_it(error):
    stage = listening()

    def script() -> Script:
        yield
        s = peer()
        send_to(stage, s, b"EURUSD 1.1\0")
        stage.program.recvfrom = failing(stage.program.recvfrom, [error] * 3)
        yield
        assert stage.texts[-1] == f"receive tick from client {address_of(s)}: EURUSD 1.1"

    assert stage.play(script()) == 0
    assert stage.errors() == []


def test_any_other_error_makes_the_socket_anew_on_the_same_port_and_keeps_what_was_read():
    stage = listening()

    def script() -> Script:
        yield
        port = stage.program.port
        assert port
        s = peer()
        send_to(stage, s, b"EURUSD 1.1\0")
        works = stage.program.recvfrom
        errors = [0, WSAENETDOWN]

        def recvfrom(*arguments: object) -> int:
            if errors and (error := errors.pop(0)):
                WSASetLastError(error)
                return SOCKET_ERROR
            return works(*arguments)

        stage.program.recvfrom = recvfrom
        yield
        assert stage.program.total == 1
        assert stage.program.server == INVALID_SOCKET
        assert stage.errors() == ["-receive failed error: (#10050) WSAENETDOWN: Network is down.. Cleanup socket"]
        yield
        assert stage.program.port == port
        send_to(stage, s, b"EURUSD 1.2\0")
        yield
        assert stage.program.total == 2

    starts = successes(stage)
    assert stage.play(script()) == 0
    assert starts == ["WSAStartup", "WSACleanup"] * 2


def test_senders_without_number_need_no_more_memory():
    stage = listening()
    stage.program.MOST_NAMES = 2

    def script() -> Script:
        yield
        for _ in range(5):
            s = peer()
            send_to(stage, s, b"EURUSD 1.1\0")
            yield
            assert address_of(s) in stage.texts[-1]
            assert len(stage.program.names) <= 2
            close(s)

    assert stage.play(script()) == 0


def test_a_database_that_is_none_is_one_clear_line_and_exit_code_4(tmp_path):
    database = tmp_path / "ticks.sqlite"
    database.write_text("something else " * 100, encoding="utf-8")
    stage = listening(database=str(database))
    assert stage.play(one_event()) == 4
    assert stage.errors() == [f"{database} holds no collected ticks"]


def test_a_database_that_takes_no_more_is_one_clear_line_and_exit_code_4(tmp_path):
    database = tmp_path / "ticks.sqlite"
    stage = listening(database=str(database))

    def script() -> Script:
        yield
        with closing(sqlite3.connect(database)) as db:
            db.execute("CREATE TRIGGER full BEFORE INSERT ON ticks BEGIN SELECT RAISE(ABORT, 'no room'); END")
        send_to(stage, peer(), b"EURUSD 1.1\0")
        yield
        raise AssertionError("it goes on")

    starts = successes(stage)
    assert stage.play(script()) == 4
    assert stage.errors() == [f"{database}: no room"]
    assert starts == ["WSAStartup", "WSACleanup"]
    assert kept(database) == []


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(Exception, match=f"{port} is not a port"):
        listening(Port=port)
