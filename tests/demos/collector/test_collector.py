"""tick_collector, event by event, on real sockets."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from ctypes import c_int
from pathlib import Path

import pytest
from signal_kit import Script, Stage, close, one_event, port_of, successes
from tick_kit import address_of, bound_name, fail_calls, nothing_to_receive, peer, send_to
from winsock_kit import bound, loopback6

from demos.collector.rows import SenderRow, SymbolRow, TickRow
from demos.collector.store import TickStore
from demos.ticks.protocol import MAX_DATAGRAM
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

# The time of the first event in milliseconds: one second after the start of ManualClock.
FIRST_EVENT = 1_767_225_600_000 + 1_000_000


def listening(**options: object) -> Stage:
    return Stage("tick_collector", **{"Port": 0, **options})


def after(*datagrams: bytes, **options: object) -> Stage:
    """A collector that has received these datagrams, all before its next event, from one sender."""
    stage = listening(**options)

    def script() -> Script:
        yield
        stage.peer = peer()
        send_to(stage, stage.peer, *datagrams)
        yield

    assert stage.play(script()) == 0
    return stage


def stored(path: Path) -> list[TickRow]:
    with closing(TickStore(path, reading=True)) as store:
        return [tick for symbol in store.symbols() for tick in store.ticks(symbol.name)]


def test_a_tick_is_shown_with_its_sender():
    stage = after(b"EURUSD 1.10000\0")
    assert f"receive tick from client {address_of(stage.peer)}: EURUSD 1.10000" in stage.texts
    assert stage.host.charts.view(stage.chart.id).comment == "1 ticks, the last: EURUSD 1.10000"


def test_several_ticks_of_one_client_are_logged_with_their_number():
    stage = after(b"EURUSD 1.10000\0", b"EURUSD 1.10001\0")
    assert f"receive 2 ticks from client {address_of(stage.peer)}, the last: EURUSD 1.10001" in stage.texts


def test_all_waiting_ticks_are_read_at_one_event_and_logged_in_one_line():
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


def test_ticks_are_stored_with_symbol_bid_sender_and_time_of_receipt(tmp_path):
    database = tmp_path / "ticks.sqlite"
    stage = after(b"EURUSD 1.10000\0", b"USDJPY 110.500\0", b"EURUSD 12\0", database=str(database))
    sender = address_of(stage.peer)
    [tick, second, third] = stored(database)
    assert (tick, third) == (
        TickRow("EURUSD", 110_000, 5, sender, tick.time),
        TickRow("USDJPY", 110_500, 3, sender, tick.time),
    )
    assert second == TickRow("EURUSD", 12, 0, sender, tick.time)
    assert FIRST_EVENT <= tick.time < FIRST_EVENT + 1000


def test_without_a_database_ticks_are_only_counted():
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


def test_ticks_that_arrived_before_the_end_are_stored(tmp_path):
    database = tmp_path / "ticks.sqlite"
    stage = listening(database=str(database))

    def script() -> Script:
        yield
        send_to(stage, peer(), b"EURUSD 1.1\0", b"nonsense\0")

    assert stage.play(script()) == 0
    assert [tick.bid for tick in stored(database)] == [11]
    assert "-datagrams dropped (not of the form SYMBOL BID): 1, the first: 'nonsense' from " in stage.errors()[0]


def test_one_event_reads_at_most_its_limit_and_the_next_continues():
    stage = listening()
    stage.program.MAX_READS = 10

    def script() -> Script:
        yield
        send_to(stage, peer(), *(b"EURUSD 1.1\0" for _ in range(25)))
        for count in (10, 20, 25):
            yield
            assert stage.program.total == count

    assert stage.play(script()) == 0


@pytest.mark.parametrize("size", [MAX_DATAGRAM + 1, 5000])
def test_a_datagram_larger_than_the_buffer_is_reported_with_its_sender_and_reading_continues(size):
    stage = after(b"EURUSD 1.1\0", b"x" * size, b"EURUSD 1.2\0")
    assert stage.errors() == [f"-datagrams longer than 1024 bytes: 1, the first: from {address_of(stage.peer)}"]
    assert any("receive 2 ticks" in text and "EURUSD 1.2" in text for text in stage.texts)


def test_a_datagram_that_fills_the_buffer_is_read():
    stage = after(b"EURUSD 1.1".ljust(MAX_DATAGRAM, b"\0"))
    assert stage.errors() == []
    assert stage.program.total == 1


def test_invalid_datagrams_are_escaped_counted_and_reported_once_per_second(tmp_path):
    stage = listening(timer_ms=100, database=str(tmp_path / "ticks.sqlite"))

    def script() -> Script:
        yield
        s = peer()
        for _ in range(25):
            send_to(stage, s, b"\x1b[2J\0", b"\0")
            yield
        reports = stage.errors()
        assert len(reports) == 2 * 3
        assert reports[0].startswith("-datagrams dropped (not of the form SYMBOL BID): 1, the first: '\\x1b[2J' from ")
        assert reports[1].startswith("-datagrams dropped (empty datagram): 1, the first: '\\x00' from ")
        assert "(not of the form SYMBOL BID): 10, the first" in reports[2]
        assert "(empty datagram): 10, the first" in reports[3]
        assert stage.program.store.senders() == [SenderRow(address_of(s), 0, 50, 0, 0, 0)]

    assert stage.play(script()) == 0
    assert "\x1b" not in stage.stream.getvalue()
    assert len(stage.errors()) == 2 * 4


def test_a_long_text_is_shortened():
    stage = after(b"x" * 1000)
    assert f"the first: '{'x' * 60}' from " in stage.errors()[0]


def test_lost_and_repeated_ticks_are_reported_when_ticks_are_numbered():
    mark = b"EURUSD 1.1\0#0123456789abcdef %d\0"
    stage = after(*(mark % number for number in (1, 2, 6, 2)))
    repeated, lost = stage.errors()
    assert repeated.startswith("-datagrams dropped (repeated tick): 1, the first: 'EURUSD, number 2' from ")
    assert lost == "-datagrams lost, by their numbers: 3, the first: 3 in one event"


def test_each_reason_to_drop_a_datagram_has_its_own_line():
    mark = b"EURUSD 1.1\0#0123456789abcdef %d\0"
    stage = after(*(mark % number for number in (1, 2, 2, 1)), b"nonsense", b"\0", b"more-nonsense")
    sender = address_of(stage.peer)
    assert stage.errors() == [
        f"-datagrams dropped (repeated tick): 2, the first: 'EURUSD, number 2' from {sender}",
        f"-datagrams dropped (not of the form SYMBOL BID): 2, the first: 'nonsense' from {sender}",
        f"-datagrams dropped (empty datagram): 1, the first: '\\x00' from {sender}",
    ]


def test_the_first_timer_event_creates_the_socket():
    stage = listening(Port=0)

    def script() -> Script:
        assert stage.program.server == INVALID_SOCKET
        yield
        assert stage.program.server != INVALID_SOCKET
        assert stage.record.of("listening") == [{"port": port_of(stage.program.server)}]

    stage.play(script())
    assert f"start server ok, 127.0.0.1:{stage.program.port}" in stage.texts
    assert stage.texts[-1] == "Shutdown server"


def test_it_requests_a_larger_receive_buffer():
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
        assert f"from client {address_text(bound_name(s))}: EURUSD 1.1" in stage.texts[-1]

    assert stage.play(script()) == 0


@pytest.mark.parametrize(("host", "shown"), [("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")])
def test_a_host_may_be_a_name(host, shown):
    stage = listening(Host=host)
    assert stage.play(one_event()) == 0
    assert any(text.startswith(f"start server ok, {shown}:") for text in stage.texts)
    assert not [line for line in stage.stream.getvalue().splitlines() if " alert " in line]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_listening_on_all_networks_is_one_warning(host):
    stage = listening(Host=host)
    assert stage.play(one_event()) == 0
    [alert] = [line for line in stage.stream.getvalue().splitlines() if " alert " in line]
    assert f"{host} accepts ticks from all networks" in alert


def test_an_invalid_host_name_is_one_line_and_exit_code_3():
    stage = listening(Host="a b")
    assert stage.play(one_event()) == 3
    [error] = stage.errors()
    assert error == "invalid host name: 'a b'"


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


def test_it_works_without_a_larger_buffer():
    stage = listening()
    fail_calls(stage, "setsockopt", WSAENOBUFS)
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
        fail_calls(stage, "recvfrom", *[error] * 3)
        yield
        assert stage.texts[-1] == f"receive tick from client {address_of(s)}: EURUSD 1.1"

    assert stage.play(script()) == 0
    assert stage.errors() == []


def test_any_other_error_creates_the_socket_again_on_the_same_port_and_loses_no_tick():
    stage = listening()

    def script() -> Script:
        yield
        port = stage.program.port
        assert port
        s = peer()
        send_to(stage, s, b"EURUSD 1.1\0")
        fail_calls(stage, "recvfrom", 0, WSAENETDOWN)
        yield
        assert stage.program.total == 1
        assert stage.program.server == INVALID_SOCKET
        assert stage.errors() == ["-receive failed error: (#10050) WSAENETDOWN: Network is down. Cleanup socket"]
        yield
        assert stage.program.port == port
        send_to(stage, s, b"EURUSD 1.2\0")
        yield
        assert stage.program.total == 2

    starts = successes(stage)
    assert stage.play(script()) == 0
    assert starts == ["WSAStartup", "WSACleanup"] * 2


def test_many_senders_need_no_more_memory():
    stage = listening()
    stage.program.MAX_CACHED_NAMES = 2

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


def test_a_file_that_is_not_a_database_is_one_line_and_exit_code_4(tmp_path):
    database = tmp_path / "ticks.sqlite"
    database.write_text("something else " * 100, encoding="utf-8")
    stage = listening(database=str(database))
    assert stage.play(one_event()) == 4
    assert stage.errors() == [f"not a file of collected ticks: {database}"]


def test_a_database_that_cannot_be_written_is_one_line_and_exit_code_4(tmp_path):
    database = tmp_path / "ticks.sqlite"
    stage = listening(database=str(database))

    def script() -> Script:
        yield
        with closing(sqlite3.connect(database)) as db:
            db.execute("CREATE TRIGGER full BEFORE INSERT ON ticks BEGIN SELECT RAISE(ABORT, 'no room'); END")
        send_to(stage, peer(), b"EURUSD 1.1\0")
        yield
        raise AssertionError("the program continued")

    starts = successes(stage)
    assert stage.play(script()) == 4
    assert stage.errors() == [f"{database}: no room; ticks that are not stored: 1"]
    assert starts == ["WSAStartup", "WSACleanup"]
    assert stored(database) == []
