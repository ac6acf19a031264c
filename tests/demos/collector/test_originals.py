"""The defects U1 to U6: what the article's tick programs do with the same datagrams and errors, and what ours do.

The originals are small models of the article's programs (tick_kit), on real sockets. Ours are the study programs
tick_server and tick_client and the product programs tick_collector and tick_sender: both correct each defect.
"""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
from signal_kit import Script, Stage, address, close, port_of
from tick_kit import (
    USDJPY,
    OriginalClient,
    OriginalServer,
    TickStage,
    address_of,
    fail_calls,
    failing,
    nothing_to_receive,
    peer,
    receive,
)
from winsock_kit import readable

import winsock as calls
from demos.collector.store import TickStore
from demos.terminal.points import price_text
from demos.ticks.protocol import MAX_DATAGRAM
from winsock import (
    SO_RCVBUF,
    SOL_SOCKET,
    WSAECONNRESET,
    WSAENETDOWN,
    WSAEWOULDBLOCK,
    sendto,
    setsockopt,
    u_long,
)

pytestmark = pytest.mark.usefixtures("started")

TICKS = [b"EURUSD 1.1000%d\0" % number for number in range(9)]

servers = pytest.mark.parametrize("server", ["tick_server", "tick_collector"])
clients = pytest.mark.parametrize("client", ["tick_client", "tick_sender"])


def send_all(s: int, port: int, *datagrams: bytes) -> None:
    for datagram in datagrams:
        assert sendto(s, datagram, len(datagram), 0, address(port), 16) == len(datagram)


def ours_after(server: str, folder: Path, *datagrams: bytes) -> tuple[Stage, list[str]]:
    """Our server, one event after these datagrams arrived from one sender, and the ticks that it showed or stored."""
    database = folder / "ticks.sqlite"
    stage = Stage(server, Port=0, **({"database": str(database)} if server == "tick_collector" else {}))

    def script() -> Script:
        yield
        stage.peer = peer()
        send_all(stage.peer, port_of(stage.program.server), *datagrams)
        assert readable(stage.program.server)
        yield
        # Datagrams that are only read at the end of the program do not count.
        assert nothing_to_receive(stage.program.server)

    assert stage.play(script()) == 0
    if server == "tick_server":
        shown = f"receive tick from client {address_of(stage.peer)}: "
        return stage, [text.partition(shown)[2] for text in stage.texts if text.startswith("receive ")]
    with closing(TickStore(database, reading=True)) as store:
        ticks = [tick for symbol in store.symbols() for tick in store.ticks(symbol.name)]
    return stage, [f"{tick.symbol} {price_text(tick.bid, tick.digits)}" for tick in ticks]


def received_ticks(stage: Stage) -> int:
    """The number of ticks in the server's log. tick_collector logs the ticks of an event in one line."""
    found = (re.match(r"receive (?:tick|(\d+) ticks) from ", text) for text in stage.texts)
    return sum(int(match[1] or 1) for match in found if match)


def texts(datagrams: list[bytes]) -> list[str]:
    return [datagram.partition(b"\0")[0].decode() for datagram in datagrams]


def test_u1_the_original_takes_one_datagram_at_each_event_and_falls_behind():
    original = OriginalServer()
    send_all(peer(), original.port, *TICKS)
    for count in range(1, len(TICKS) + 1):
        assert readable(original.server)
        original.event()
        assert original.ticks() == texts(TICKS)[:count]


@servers
def test_u1_ours_reads_all_waiting_ticks_at_one_event(server, tmp_path):
    _, ticks = ours_after(server, tmp_path, *TICKS)
    assert ticks == texts(TICKS)


# Eight such datagrams fit into the buffer of the next two tests, not many more.
LARGE, SMALL_BUFFER = 1000, 16 * 1024
BURSTS = [[b"EURUSD 1.%03d\0" % (8 * burst + number) for number in range(8)] for burst in range(30)]


def shrink(server: int) -> None:
    assert setsockopt(server, SOL_SOCKET, SO_RCVBUF, u_long(SMALL_BUFFER), 4) == 0


def test_u2_the_originals_queue_overflows_and_the_newest_ticks_are_lost():
    original = OriginalServer()
    shrink(original.server)
    s = peer()
    for burst in BURSTS:
        send_all(s, original.port, *(tick.ljust(LARGE, b"\0") for tick in burst))
        original.event()
    while not nothing_to_receive(original.server):
        original.event()
    sent = [text for burst in BURSTS for text in texts(burst)]
    assert len(original.ticks()) < len(sent) / 2
    assert original.ticks()[:8] == sent[:8]
    assert sent[-1] not in original.ticks()
    assert not [text for text in original.log if text.startswith("-")]


@servers
def test_u2_ours_loses_none_of_the_same_ticks_with_the_same_buffer(server):
    stage = Stage(server, Port=0)

    def script() -> Script:
        yield
        shrink(stage.program.server)
        s = peer()
        for burst in BURSTS:
            send_all(s, port_of(stage.program.server), *(tick.ljust(LARGE, b"\0") for tick in burst))
            assert readable(stage.program.server)
            yield
        assert received_ticks(stage) == sum(map(len, BURSTS))

    assert stage.play(script()) == 0


@pytest.mark.parametrize("size", [MAX_DATAGRAM + 1])
def test_u3_a_large_datagram_closes_the_original_and_what_is_queued_is_lost(size):
    original = OriginalServer()
    send_all(peer(), original.port, TICKS[0], b"x" * size, *TICKS[1:])
    for _ in range(len(TICKS) + 5):
        original.event()
    assert original.ticks() == texts(TICKS)[:1]
    assert original.log[1:] == ["-receive failed error: 10040"]


@servers
@pytest.mark.parametrize("size", [MAX_DATAGRAM + 1])
def test_u3_ours_reports_it_with_its_sender_and_continues(server, size, tmp_path):
    stage, ticks = ours_after(server, tmp_path, TICKS[0], b"x" * size, *TICKS[1:])
    assert ticks == texts(TICKS)
    [error] = stage.errors()
    assert (
        error
        == {
            "tick_server": f"-invalid datagram from client {address_of(stage.peer)}: longer than 1024 bytes",
            "tick_collector": f"-datagrams longer than 1024 bytes: 1, the first: from {address_of(stage.peer)}",
        }[server]
    )


@servers
def test_u3_a_datagram_of_exactly_the_buffers_size_is_a_tick(server, tmp_path):
    stage, ticks = ours_after(server, tmp_path, TICKS[0].ljust(MAX_DATAGRAM, b"\0"))
    assert ticks == texts(TICKS)[:1]
    assert stage.errors() == []


def received(server: int) -> list[bytes]:
    found = []
    while not nothing_to_receive(server):
        found.append(receive(server))
    return found


def test_u4_an_error_costs_the_original_that_tick_and_the_next():
    server = peer()
    original = OriginalClient(port_of(server))
    original.sendto = failing(calls.sendto, 0, WSAENETDOWN)
    for tick in TICKS[:4]:
        original.tick(tick)
    assert readable(server)
    assert received(server) == [TICKS[0], TICKS[3]]


def test_u4_a_full_buffer_costs_the_original_a_tick_without_a_log_line():
    server = peer()
    original = OriginalClient(port_of(server))
    original.sendto = failing(calls.sendto, 0, WSAEWOULDBLOCK)
    for tick in TICKS[:3]:
        original.tick(tick)
    assert received(server) == [TICKS[0], TICKS[2]]
    assert original.log == ["create socket OK", "send tick to server", "send tick to server"]


@clients
@pytest.mark.parametrize("error", [WSAENETDOWN, WSAEWOULDBLOCK])
def test_u4_ours_sends_every_tick(client, error):
    server = peer()
    stage = TickStage(port_of(server), USDJPY, client)
    fail_calls(stage, "sendto", 0, error)

    def script() -> Script:
        stage.tick(110_500, 110_501, 110_502, 110_503)
        yield
        assert [receive(server) for _ in range(4)] == [b"USDJPY 110.50%d\0" % number for number in range(4)]

    assert stage.play(script()) == 0


def closed() -> int:
    """A port that was bound and is closed now."""
    s = peer()
    port = port_of(s)
    close(s)
    return port


def test_u5_the_original_never_notices_that_nobody_listens():
    original = OriginalClient(closed())
    # Winsock reports the closed port only to a receiving call, and the original never receives.
    for tick in TICKS[:4]:
        original.tick(tick)
    assert original.log == ["create socket OK"] + ["send tick to server"] * 4


def test_u5_the_study_client_sends_like_the_original_when_nobody_listens():
    stage = TickStage(closed(), USDJPY, "tick_client")

    def script() -> Script:
        stage.tick(110_500, 110_501)
        yield
        stage.tick(110_502)
        yield

    assert stage.play(script()) == 0
    assert stage.texts == ["create socket OK", *["send USDJPY tick to server"] * 3, "close socket"]


@pytest.mark.wine_differs("a datagram to a closed port leaves no error on the sending socket")
def test_u5_the_sender_reports_it_once_where_the_network_reports_it():
    port = closed()
    stage = TickStage(port, USDJPY)

    def script() -> Script:
        stage.tick(110_500)
        yield
        if not stage.errors():
            assert readable(stage.program.client)
        stage.tick(110_501, 110_502)
        yield

    assert stage.play(script()) == 0
    [error] = stage.errors()
    assert error.startswith(f"-No program listens at 127.0.0.1:{port}, ticks are lost: (#{WSAECONNRESET})")


INVALID = (b"", b"EURUSD 1.1\0and more", b"no tick\0")


def test_u6_the_original_shows_no_sender_and_accepts_anything_as_a_tick():
    original = OriginalServer()
    s = peer()
    send_all(s, original.port, *INVALID)
    for _ in INVALID:
        original.event()
    assert original.ticks() == ["", "EURUSD 1.1", "no tick"]
    assert not [text for text in original.log if address_of(s) in text]


@servers
def test_u6_ours_shows_the_sender_and_checks_the_form(server, tmp_path):
    stage, ticks = ours_after(server, tmp_path, *INVALID, TICKS[0])
    sender = address_of(stage.peer)
    assert ticks == texts(TICKS)[:1]
    assert f"receive tick from client {sender}: EURUSD 1.10000" in stage.texts
    assert (
        stage.errors()
        == {
            "tick_server": [
                f"-invalid datagram from client {sender}: empty datagram: ''",
                f"-invalid datagram from client {sender}: unexpected bytes after the NUL: 'EURUSD 1.1\\x00and more'",
                f"-invalid datagram from client {sender}: "
                "the price is not a positive number with at most 8 decimals: 'no tick'",
            ],
            "tick_collector": [
                f"-datagrams dropped (empty datagram): 1, the first: '' from {sender}",
                f"-datagrams dropped (unexpected bytes after the NUL): 1, the first: 'EURUSD 1.1\\x00and more' from "
                f"{sender}",
                "-datagrams dropped (the price is not a positive number with at most 8 decimals): 1, the first: "
                f"'no tick' from {sender}",
            ],
        }[server]
    )


@pytest.mark.parametrize(("client", "inputs"), [("tick_client", {}), ("tick_sender", {"sequence": True})])
def test_the_original_server_reads_our_ticks_with_or_without_numbers(client, inputs):
    original = OriginalServer()
    stage = TickStage(original.port, USDJPY, client, **inputs)

    def script() -> Script:
        stage.tick(110_500)
        yield
        assert readable(original.server)
        original.event()

    assert stage.play(script()) == 0
    assert original.log == ["receive tick from client: USDJPY 110.500"]


@servers
def test_our_servers_read_the_original_clients_ticks(server):
    stage = Stage(server, Port=0)

    def script() -> Script:
        yield
        original = OriginalClient(port_of(stage.program.server))
        for tick in TICKS:
            original.tick(tick)
        assert readable(stage.program.server)
        yield
        assert received_ticks(stage) == len(TICKS)

    assert stage.play(script()) == 0
