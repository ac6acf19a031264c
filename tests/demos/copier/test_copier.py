"""The copier, driven over real TCP with a clock of its own, byte for byte."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from signal_kit import (
    EURUSD,
    QUOTES,
    Script,
    Stage,
    after,
    arrive,
    close,
    closed_port,
    connected,
    event_number,
    failing_orders,
    fill,
    follow,
    forever,
    lots,
    read_all,
    ready,
    refusing,
    server,
    server_leaves,
    successes,
    take,
    write,
)
from winsock_kit import writable

from demos.copier import targets as copier_targets
from demos.copier.connection import MOST_RECEIVED, ServerConnection
from demos.copier.moments import Moment
from demos.terminal.interfaces import ProgramError
from winsock import (
    FIONBIO,
    INVALID_SOCKET,
    SO_ERROR,
    SOCKET_ERROR,
    SOL_SOCKET,
    WSAEINVAL,
    WSASetLastError,
    accept,
    getsockname,
    ioctlsocket,
    u_long,
)

__all__ = ["server"]

pytestmark = pytest.mark.usefixtures("started")


def test_s7_an_unreadable_volume_closes_nothing_and_is_reported_once_per_event(server):
    stage = after(b"<<EURUSD|0.10>>", b"<<EURUSD|abc>><<EURUSD|>>\0<<|1\x1b>>", server=server)
    assert stage.position() == Decimal("0.10")
    assert stage.errors() == ["-wrong pos info: EURUSD|abc (no volume of two digits; number of such messages: 3)"]


def test_received_text_is_escaped_in_the_log(server):
    stage = after(b"<<\x1b[31m\n>>", server=server)
    assert "-wrong pos info: \\x1b[31m\\x0a (" in stage.errors()[0]


def test_text_is_read_in_the_code_page(server):
    spec = EURUSD.__class__("EURЖ")
    quote = QUOTES[0]._replace(symbol="EURЖ")
    stage = after(b"<<EUR\xc6|0.10>>\0", server=server, symbols=[spec], quotes=[quote], codepage=1251)
    assert stage.position("EURЖ") == Decimal("0.10")


def test_an_unfinished_message_over_256_bytes_closes_the_connection(server):
    stage = after(b"<<EURUSD|0.10>>\0<<" + b"x" * 300, server=server)
    assert stage.position() == Decimal("0.10")
    assert stage.errors() == ["-Receive. a message longer than 256 bytes"]


def test_s6_64_kib_without_a_message_close_the_connection(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        handle = stage.program.client
        fill(stage.peer)
        for _ in range(3):
            if stage.program.client == handle:
                assert ready(handle)
            yield
        close(stage.peer)

    assert stage.play(script()) == 0
    assert stage.errors() == ["-Receive. 64 KiB without a message"]


def attempts(stage: Stage, events: int) -> list[int]:
    """At which timer events a connect was tried."""
    tried: list[int] = []
    real = ServerConnection.StartClient

    def StartClient(self: ServerConnection, addr: str, port: int) -> None:
        tried.append(event_number(stage))
        real(self, addr, port)

    def script() -> Script:
        for _ in range(events):
            yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServerConnection, "StartClient", StartClient)
        assert stage.play(script()) == 3
    return tried


def test_pauses_between_refused_connects_grow():
    stage = Stage("copier", Port=closed_port())
    refusing(stage)
    assert attempts(stage, 22) == [1, 2, 4, 8, 12, 16, 20]
    first, *_, last, end = stage.errors()
    assert first.startswith(f"-Connect to 127.0.0.1:{stage.program.Port} failed error: (#10061)")
    assert first.endswith("Next attempt in 1 s.")
    assert last.endswith("Next attempt in 4 s.")
    assert end == f"no connection to 127.0.0.1:{stage.program.Port} has succeeded"


def test_at_a_fast_timer_the_pauses_between_connects_are_the_same_seconds():
    stage = Stage("copier", Port=closed_port(), timer_ms=10)
    refusing(stage)
    assert attempts(stage, 1250) == [0, 1, 3, 7, 11]
    assert stage.errors()[0].endswith("Next attempt in 1 s.")


def test_at_a_fast_timer_an_order_that_fails_is_retried_after_the_same_seconds(server, monkeypatch):
    stage = follow(server, timer_ms=10)
    tried = failing_orders(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        for _ in range(1600):
            yield
        close(stage.peer)

    stage.play(script())
    assert [round(time - tried[0]) for time in tried] == [0, 1, 3, 7, 15]


def test_new_signals_do_not_repeat_a_failing_order_more_often_than_each_second(server, monkeypatch):
    stage = follow(server, timer_ms=10)
    tried = failing_orders(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        for number in range(1, 301):
            arrive(stage.peer, b"<<EURUSD|%d.%02d>>\0" % divmod(number, 100), stage.program.client)
            yield
        close(stage.peer)

    stage.play(script())
    assert [round(time - tried[0]) for time in tried] == [0, 1, 2]


@pytest.mark.parametrize(
    ("period", "events"),
    [
        (1000, [1000, 2000, 3000]),
        # Late and early events.
        (1000, [1000, 1950, 3010]),
        (1000, [1049, 2000, 3000]),
    ],
)
def test_an_attempt_is_made_at_the_timer_event_nearest_to_its_time(period, events):
    first, second, third = (Moment(time, period) for time in events)
    assert second.is_due(first.after(1))
    assert not second.is_due(first.after(2))
    assert third.is_due(first.after(2))
    assert Moment(11_000, 10_000).is_due(first.after(8))
    assert not Moment(first.ms + 990, 10).is_due(first.after(1))


@pytest.mark.parametrize(("timer_ms", "next_attempt"), [(200, "4"), (1000, "4"), (10_000, "10")])
def test_the_time_of_the_next_attempt_is_right_after_the_process_was_stopped(timer_ms, next_attempt):
    stage = Stage("copier", Port=closed_port(), timer_ms=timer_ms)
    refusing(stage)

    def script() -> Script:
        while len(stage.errors()) < 2:
            yield
        # A process that was stopped sees one long time between two timer events.
        stage.clock.time += 25
        for _ in range(8):
            yield

    assert stage.play(script()) == 3
    assert stage.errors()[2].endswith(f"Next attempt in {next_attempt} s.")


def test_s21_a_refused_connect_is_one_line_of_error():
    stage = Stage("copier", Port=closed_port())
    refusing(stage)
    assert attempts(stage, 1) == [1]
    assert len(stage.errors()) == 2  # one for the attempt, and at the end that there was no other
    assert "close socket" not in stage.stream.getvalue()


def test_a_message_ends_the_back_off_and_a_connection_alone_does_not(server):
    stage = follow(server)

    def script() -> Script:
        for _ in range(3):
            while stage.program.client == INVALID_SOCKET:
                yield
            peer, handle = take(server), stage.program.client
            close(peer)
            while stage.program.client == handle:
                assert ready(handle)
                yield
        assert stage.program.backoff.failures == 3
        while stage.program.client == INVALID_SOCKET:
            yield
        peer = take(server)
        arrive(peer, b"<<EURUSD|0.00>>\0", stage.program.client)
        while not stage.record.of("received"):
            yield
        assert stage.program.backoff.failures == 0
        close(peer)

    stage.play(script())
    assert event_number(stage) >= 1 + 2 + 4


@pytest.mark.parametrize("host", ["", "a\0b", "a b"])
def test_s22_an_invalid_host_name_is_one_line_and_exit_code_3(host):
    stage = Stage("copier", Host=host)
    seen = successes(stage)
    assert stage.play(forever()) == 3
    [error] = stage.errors()
    assert "invalid host name: " in error
    assert seen == ["WSAStartup", "WSACleanup"]


def test_at_the_end_it_closes_the_connection_in_order(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)

    stage.play(script())
    assert read_all(stage.peer) == b""
    close(stage.peer)


@pytest.mark.parametrize(
    ("call", "failure"),
    [
        ("WSAStartup", lambda *_: 10091),
        ("socket", lambda *_: INVALID_SOCKET),
        ("ioctlsocket", lambda *_: SOCKET_ERROR),
        ("connect", lambda *_: WSASetLastError(10051) or SOCKET_ERROR),
        ("getsockname", lambda *_: WSASetLastError(10050) or SOCKET_ERROR),
        ("getpeername", lambda *_: WSASetLastError(10050) or SOCKET_ERROR),
        # The socket has connected to itself.
        ("getpeername", getsockname),
        ("select", lambda *_: WSASetLastError(10050) or SOCKET_ERROR),
    ],
)
def test_a_failure_of_any_call_before_the_connection_is_retried(server, call, failure):
    stage = follow(server)
    real = getattr(stage.program, call)
    setattr(stage.program, call, failure)
    seen = [] if call == "WSAStartup" else successes(stage)

    def script() -> Script:
        yield
        while len(stage.errors()) < 2:
            if stage.program.client != INVALID_SOCKET:
                writable(stage.program.client)  # Windows completes a connect in the background
            yield
        assert stage.program.client == INVALID_SOCKET
        setattr(stage.program, call, real)
        while stage.program.client == INVALID_SOCKET or stage.program.connecting:
            yield
        assert ioctlsocket(server, FIONBIO, u_long(1)) == 0
        peer = INVALID_SOCKET
        while ready(server, 0) and (s := accept(server, None, None)) != INVALID_SOCKET:
            close(peer)
            peer = s
        arrive(peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        yield
        assert stage.position() == Decimal("0.25")
        close(peer)

    assert stage.play(script()) == 0
    assert seen.count("WSAStartup") == seen.count("WSACleanup")


def test_when_getsockopt_fails_its_own_error_is_logged():
    stage = Stage("copier", Port=closed_port())
    refusing(stage)

    def getsockopt(s: int, level: int, name: int, *rest: object) -> int:
        assert (level, name) == (SOL_SOCKET, SO_ERROR)
        WSASetLastError(WSAEINVAL)
        return SOCKET_ERROR

    stage.program.getsockopt = getsockopt
    attempts(stage, 1)
    assert "(#10022)" in stage.errors()[0]


def test_s11_the_target_outlives_the_connection_and_is_retried_at_once_on_the_next(server, monkeypatch):
    stage = follow(server)
    tried = failing_orders(stage, monkeypatch, lambda: event_number(stage))

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        for _ in range(20):
            yield
        yield from server_leaves(stage)
        assert tried[-1] < event_number(stage)
        yield from connected(stage, server)
        assert tried[-1] == event_number(stage)
        close(stage.peer)

    stage.play(script())


def test_a_symbol_that_the_terminal_lacks_is_reported(server):
    stage = after(b"<<XYZ|0.25>>\0<<EURUSD|0.10>>\0", server=server)
    assert stage.errors() == ["-cannot trade XYZ to 0.25 lots: the terminal has no symbol XYZ"]
    assert stage.position() == Decimal("0.10")


def test_the_number_of_remembered_symbols_is_limited(server, monkeypatch):
    stage = follow(server)
    monkeypatch.setattr(copier_targets, "MOST_SYMBOLS", 3)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"".join(b"<<X%d|0.10>>" % n for n in range(5)), stage.program.client)
        yield
        # No target is dropped for a newer one.
        assert list(stage.program.targets.targets) == ["X0", "X1", "X2"]
        close(stage.peer)

    stage.play(script())
    assert stage.errors().count("-more than 3 symbols: X3 and other new ones are not copied") == 1


def test_a_symbol_of_the_map_is_copied_however_many_others_came_before(server, monkeypatch):
    monkeypatch.setattr(copier_targets, "MOST_SYMBOLS", 3)
    others = b"".join(b"<<X%d|0.10>>" % number for number in range(5))
    stage = after(others, b"<<E|0.25>>\0", server=server, map="E=EURUSD")
    assert stage.position() == Decimal("0.25")


def test_the_bytes_received_in_one_event_are_limited(server):
    stage = follow(server)

    def script() -> Script:
        yield from connected(stage, server)
        assert ioctlsocket(stage.peer, FIONBIO, u_long(1)) == 0
        stage.program.MOST_RECEIVED = 8192
        message = b"<<EURUSD|0.10>>\0"
        write(stage.peer, message * 1024)
        assert ready(stage.program.client)
        yield
        assert len(stage.record.of("received")) <= 512
        while len(stage.record.of("received")) < 1024:
            yield
        close(stage.peer)

    stage.play(script())


@pytest.mark.parametrize("inputs", [{"codepage": 1}])
def test_inputs_are_checked(inputs):
    with pytest.raises(ProgramError):
        Stage("copier", **inputs)


@pytest.mark.parametrize("fast", [False, True])
def test_with_fast_a_message_is_copied_when_it_arrives_and_without_it_at_the_next_timer_event(server, fast):
    stage = follow(server, fast=fast)
    times: list[float] = []
    real = stage.record.record

    def record(kind: str, fields: dict[str, object]) -> None:
        if kind == "deal":
            times.append(stage.clock.time)
        real(kind, fields)

    stage.record.record = record  # type: ignore[method-assign]

    def script() -> Script:
        yield from connected(stage, server)
        for volume in ("0.10", "0.20", "0.00"):
            arrive(stage.peer, lots(volume), stage.program.client)
            arrived.append(stage.clock.time)
            yield
        close(stage.peer)

    arrived: list[float] = []
    stage.play(script())
    assert times == [time if fast else time + 1 for time in arrived]
    assert [fields["position"] for fields in stage.record.of("deal")] == ["0.10", "0.20", "0.00"]


def test_with_fast_the_end_of_the_connection_is_noticed_at_once_and_the_next_attempt_waits_for_its_time(
    server, monkeypatch
):
    stage = follow(server, fast=True)
    times: list[tuple[str, float]] = []
    for name in ("StartClient", "CloseClean"):
        real = getattr(ServerConnection, name)

        def called(self: ServerConnection, *arguments: object, name: str = name, real: object = real) -> None:
            times.append((name, stage.clock.time))
            real(self, *arguments)  # type: ignore[operator]

        monkeypatch.setattr(ServerConnection, name, called)

    def script() -> Script:
        yield from connected(stage, server)
        yield
        closed_at.append(stage.clock.time)
        close(stage.peer)
        assert ready(stage.program.client)
        yield
        yield from connected(stage, server)
        close(stage.peer)

    closed_at: list[float] = []
    stage.play(script())
    assert times[:3] == [("StartClient", 1001.0), ("CloseClean", closed_at[0]), ("StartClient", closed_at[0] + 1)]
    assert stage.errors()[0] == "-Receive. connection closed"


def test_with_fast_new_signals_do_not_repeat_a_failing_order_before_its_pause_is_over(server, monkeypatch):
    stage = follow(server, fast=True)
    tried = failing_orders(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        for number in range(1, 6):
            arrive(stage.peer, lots(f"0.{number}0", f"0.{number}1"), stage.program.client)
            yield
        close(stage.peer)

    stage.play(script())
    assert tried
    assert all(after - before >= 1 for before, after in pairwise(tried))


def test_with_fast_nothing_is_traded_while_the_killfile_exists(server, tmp_path):
    killfile = tmp_path / "stop"
    stage = follow(server, fast=True, killfile=str(killfile))

    def script() -> Script:
        yield from connected(stage, server)
        killfile.touch()
        arrive(stage.peer, lots("0.10"), stage.program.client)
        yield
        close(stage.peer)

    stage.play(script())
    assert stage.position() == 0
    assert len(stage.record.of("stopped")) == 1


def test_with_fast_the_bytes_received_in_one_event_are_limited_and_the_rest_follows_at_once(server):
    stage = follow(server, fast=True)
    sizes: list[int] = []

    def script() -> Script:
        yield from connected(stage, server)
        message = lots("0.10") * 4096
        write(stage.peer, message)
        assert ready(stage.program.client)
        event = stage.program.OnSocket
        real = stage.program.recv

        def OnSocket(s: int, ready: int) -> None:
            sizes.append(0)
            event(s, ready)

        def counted(*arguments: object) -> int:
            size: int = real(*arguments)
            sizes[-1] += max(size, 0)
            return size

        sizes.append(0)
        stage.program.OnSocket, stage.program.recv = OnSocket, counted
        while sum(sizes) < len(message):
            yield
        close(stage.peer)

    stage.play(script())
    assert max(sizes) <= MOST_RECEIVED
    assert stage.position() == Decimal("0.10")
