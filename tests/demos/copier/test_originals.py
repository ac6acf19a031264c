"""The article's programs and ours with the same bytes and events: the defects S1 to S24.

The originals are small models in code of their own. They read, send and accept as the article's programs do; what does
not matter here is left out. Ours are the study programs and the products: each rule that both keep is tested on both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ctypes import sizeof
from decimal import Decimal

import pytest
from signal_kit import (
    Script,
    Stage,
    address,
    after,
    arrive,
    close,
    connected,
    dial,
    fill,
    follow,
    forever,
    listening_port,
    one_event,
    port_of,
    read,
    read_all,
    ready,
    serve,
    server,
    sockets,
    stream_socket,
    successes,
)

import winsock as calls
from demos.signal.protocol import encode
from demos.terminal.interfaces import SymbolSpec
from winsock import (
    FIONBIO,
    FIONREAD,
    INADDR_NONE,
    INVALID_SOCKET,
    MAKEWORD,
    NO_ERROR,
    SOCKET_ERROR,
    WSADATA,
    WSAEMFILE,
    WSAENOBUFS,
    WSAEWOULDBLOCK,
    WSANOTINITIALISED,
    WSACleanup,
    WSAGetLastError,
    WSASetLastError,
    WSAStartup,
    bind,
    inet_addr,
    ioctlsocket,
    listen,
    sockaddr_in,
    u_long,
)

__all__ = ["server"]

pytestmark = pytest.mark.usefixtures("started")


class OriginalClient:
    """The article's client from the bytes of one read to the position that it trades to."""

    def __init__(self) -> None:
        self.text = ""
        self.positions: dict[str, Decimal] = {}
        self.log: list[str] = []
        self.orders = 0
        self.order_works = True

    def read(self, *results: bytes | None) -> None:
        """One timer event's turns of the reading loop; an error, None, leaves it and all that it has read."""
        if None not in results:
            self.event(b"".join(filter(None, results)))

    def event(self, received: bytes = b"") -> None:
        """One timer event in which these bytes were there to be read."""
        if received:
            self.text += received.partition(b"\0")[0].decode("cp1252")
            self.log.append(f"received msg from server: {self.text}")
        last = ""
        while (begin := self.text.find("<<")) >= 0 and (end := self.text.find(">>")) >= 0:
            last = self.text[begin + 2 :] if end < begin + 2 else self.text[begin + 2 : end]
            self.text = self.text[end + 2 :]
        if not last:
            return
        symbol, *rest = last.split("|")
        if len(rest) != 1:
            self.log.append(f"-wrong pos info: {last}")
            return
        number = re.match(r" *[-+]?\d+(\.\d*)?", rest[0])
        self.orders += 1
        if self.order_works:
            self.positions[symbol] = round(Decimal(number[0].strip() if number else "0"), 2)
        else:
            self.text = f"<<{last}>>{self.text}"


def original_position(*reads: bytes) -> Decimal:
    client = OriginalClient()
    for received in reads:
        client.event(received)
    return client.positions.get("EURUSD", Decimal(0))


class OriginalServer:
    """The article's server, on real sockets; `accept` and `ioctlsocket` can be replaced to make them fail."""

    def __init__(self) -> None:
        self.accept: Callable[..., int] = calls.accept
        self.ioctlsocket: Callable[..., int] = calls.ioctlsocket
        self.conns: list[int] = []
        self.data = bytearray()
        self.changed = False
        self.trade("0.00")
        self.server = stream_socket()
        assert bind(self.server, address(0), sizeof(sockaddr_in)) == 0
        assert ioctlsocket(self.server, FIONBIO, u_long(1)) == 0
        assert listen(self.server, 128) == 0
        self.port = port_of(self.server)

    def trade(self, lots: str) -> None:
        text = f"<<EURUSD|{lots}>>\0".encode()
        # The array is written from its beginning and never becomes shorter.
        self.data[: len(text)] = text
        self.changed = True

    def event(self) -> None:
        while self.server != INVALID_SOCKET and (client := self.accept(self.server, None, None)) != INVALID_SOCKET:
            if self.ioctlsocket(client, FIONBIO, u_long(1)) == NO_ERROR:
                self.conns.append(client)
                self.changed = True
        if self.server != INVALID_SOCKET and WSAGetLastError() != WSAEWOULDBLOCK:
            self.close()
        if self.changed:
            for index in reversed(range(len(self.conns))):
                client = self.conns[index]
                if client != INVALID_SOCKET and calls.send(client, self.data, len(self.data), 0) == SOCKET_ERROR:
                    close(client)
                    self.conns[index] = INVALID_SOCKET
            self.changed = False

    def close(self) -> None:
        close(self.server, *self.conns)
        self.server = INVALID_SOCKET
        self.conns = []


@pytest.fixture
def original(started: None) -> Iterator[OriginalServer]:
    model = OriginalServer()
    yield model
    model.close()


clients = pytest.mark.parametrize("program", ["signal_client", "copier"])
servers = pytest.mark.parametrize("program", ["signal_server", "provider"])

FLAT = b"<<EURUSD|0.00>>\0"
DISCARDED_PER_EVENT = 64 * 1024
THREE = b"<<EURUSD|0.10>>\0<<EURUSD|0.20>>\0<<EURUSD|0.30>>\0"


@clients
def test_s1_of_messages_that_arrive_together_the_original_keeps_the_oldest_ours_the_newest(server, program):
    assert original_position(THREE) == Decimal("0.10")
    assert after(THREE, server=server, program=program).position() == Decimal("0.30")


def sent_by_provider(seconds: int, **inputs: object) -> list[tuple[float, bytes]]:
    """What our server, with a timer of 100 ms, sends while it trades at every event: times and messages."""
    stage = serve(timer_ms=100, **inputs)
    sent: list[tuple[float, bytes]] = []
    peers: list[int] = []

    def script() -> Script:
        yield
        peers.append(dial(listening_port(stage)))
        yield
        real = stage.program.send_many

        def send_many(sockets: list[int], buf: bytes, length: int, flags: int) -> list[int]:
            sent.extend([(stage.clock.time, bytes(buf))] * len(sockets))
            sizes: list[int] = real(sockets, buf, length, flags)
            return sizes

        stage.program.send_many = send_many
        for _ in range(10 * seconds):
            stage.host.post("buy 0.01")
            yield
        for _ in range(30):
            yield

    stage.play(script())
    close(*peers)
    return sent


def by_seconds(sent: list[tuple[float, bytes]], phase: float) -> list[bytes]:
    """The same as an original client reads it, once a second."""
    events: dict[int, bytes] = {}
    for time, message in sent:
        second = int(time - phase)
        events[second] = events.get(second, b"") + message
    return [events[second] for second in sorted(events)]


def test_s1_the_provider_sends_at_most_once_a_second_except_with_fast():
    careful, fast = sent_by_provider(3), sent_by_provider(3, fast=True)
    assert len(fast) == 30
    for phase in range(10):
        assert original_position(*by_seconds(careful, phase / 10)) == Decimal("0.30")
    assert original_position(*by_seconds(fast, 0.55)) < Decimal("0.30")


def test_s1_the_repeated_message_corrects_a_client_that_received_two_together():
    first, last, again = [message for _, message in sent_by_provider(2)]
    assert last == again == b"<<EURUSD|0.20>>\0"
    assert original_position(first + last) == Decimal("0.10")
    assert original_position(first + last, again) == Decimal("0.20")


@clients
def test_s2_a_piece_that_begins_with_a_nul_is_lost_to_the_original(server, program):
    pieces = (b"<<EURUSD|0.10>>", b"\0<<EURUSD|0.20>>")
    assert original_position(*pieces) == Decimal("0.10")
    assert after(*pieces, server=server, program=program).position() == Decimal("0.20")


@servers
def test_s3_the_original_sends_the_tail_of_an_older_message_ours_sends_the_message(original, program):
    stage = serve(program)
    peers: list[int] = [dial(original.port)]
    for lots in ("100000.00", "0.50"):
        original.trade(lots)
        original.event()
    assert read(peers[0], 21 * 2) == b"<<EURUSD|100000.00>>\0" + b"<<EURUSD|0.50>>\x0000>>\0"

    def script() -> Script:
        yield
        peers.append(dial(listening_port(stage)))
        stage.host.post("buy 100")
        yield
        stage.host.post("sell 99.50")
        yield

    stage.play(script())
    assert read_all(peers[1]) == b"<<EURUSD|100.00>>\0<<EURUSD|0.50>>\0"
    close(*peers)


@clients
def test_s3_our_client_ignores_the_tail_that_an_original_server_sends(original, program):
    # The study program has no limits.
    limits = {"maxlots": 0.0, "maxtotal": 0.0} if program == "copier" else {}
    stage = Stage(program, Port=original.port, **limits)

    def script() -> Script:
        yield
        while stage.program.connecting:
            yield
        for lots in ("-10.25", "0.50", "20.00", "-0.75"):
            original.trade(lots)
            original.event()
            assert ready(stage.program.client)
            yield
            assert stage.position() == Decimal(lots)

    assert stage.play(script()) == 0
    assert stage.errors() == []


@clients
def test_s4_an_end_mark_before_the_begin_mark_makes_the_original_trade_half_a_number(server, program):
    pieces = (b">><<EURUSD|1", b".50>>\0")
    client = OriginalClient()
    client.event(pieces[0])
    assert client.positions == {"EURUSD": Decimal("1.00")}
    stage = after(*pieces, server=server, program=program)
    assert [fields["position"] for fields in stage.record.of("deal")] == ["1.50"]


@clients
def test_s5_half_a_message_spoils_the_originals_greeting_on_the_next_connection(server, program):
    half, greeting = b"<<EURUSD|0.", b"<<EURUSD|0.25>>\0"
    client = OriginalClient()
    client.event(half)
    client.event(greeting)
    assert client.log[-1] == "-wrong pos info: EURUSD|0.<<EURUSD|0.25"
    assert client.positions == {}
    stage = follow(server, program)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, half, stage.program.client)
        yield
        handle = stage.program.client
        close(stage.peer)
        assert ready(handle)
        yield
        yield from connected(stage, server)
        arrive(stage.peer, greeting, stage.program.client)
        yield
        assert stage.position() == Decimal("0.25")
        close(stage.peer)

    assert stage.play(script()) == 0


@clients
def test_s6_text_without_marks_is_never_deleted_by_the_original(server, program):
    client = OriginalClient()
    for _ in range(100):
        client.event(b"x" * 512)
    assert len(client.text) == 51_200
    assert len(client.log[-1]) > 51_200
    stage = after(*[b"x" * 512] * 100, server=server, program=program)
    pending = stage.program.msg
    assert len(getattr(pending, "_buffer", pending)) == 0
    # A study program logs what it receives, as the original does, but not more than 256 bytes of it.
    assert max(map(len, stage.texts)) < {"copier": 200, "signal_client": 300}[program]


@clients
@pytest.mark.parametrize("message", [b"<<EURUSD|abc>>\0", b"<<EURUSD|>>\0"])
def test_s7_an_unreadable_volume_closes_the_originals_position(server, message, program):
    assert original_position(b"<<EURUSD|0.25>>\0", message) == 0
    assert after(b"<<EURUSD|0.25>>\0", message, server=server, program=program).position() == Decimal("0.25")


def test_s8_a_volume_below_two_digits_is_sent_as_zero_by_the_original_and_refused_by_ours():
    assert f"{0.004:.2f}" == "0.00"
    with pytest.raises(ValueError, match="two digits"):
        encode("EURUSD", 0.004, 1252)


@servers
def test_s9_a_bar_in_the_symbol_makes_every_message_unreadable(program):
    client = OriginalClient()
    client.event(b"<<EUR|USD|0.25>>\0")
    assert client.log[-1] == "-wrong pos info: EUR|USD|0.25"
    spec = SymbolSpec("EUR|USD")
    stage = serve(program, symbols=[spec], quotes=())
    assert stage.play(forever()) == 2


@clients
def test_s10_the_original_trades_only_the_last_of_several_symbols(server, program):
    both = b"<<EURUSD|0.10>><<GBPUSD|0.20>>"
    client = OriginalClient()
    client.event(both)
    assert client.positions == {"GBPUSD": Decimal("0.20")}
    stage = after(both, server=server, program=program)
    assert (stage.position(), stage.position("GBPUSD")) == (Decimal("0.10"), Decimal("0.20"))


@pytest.mark.parametrize(("program", "attempts"), [("signal_client", 9), ("copier", 8)])
def test_s11_a_failing_order_is_repeated_by_the_original_at_every_event(server, program, attempts):
    client = OriginalClient()
    client.order_works = False
    client.event(b"<<XYZ|0.10>>\0")
    for _ in range(99):
        client.event()
    assert client.orders == 100
    stage = follow(server, program)
    tried: list[float] = []

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<XYZ|0.10>>\0", stage.program.client)
        real = stage.program.SyncSymbolLot

        def SyncSymbolLot(smb: str, nlot: float) -> bool:
            tried.append(nlot)
            done: bool = real(smb, nlot)
            return done

        stage.program.SyncSymbolLot = SyncSymbolLot
        for _ in range(100):
            yield
        close(stage.peer)

    stage.play(script())
    assert len(tried) == attempts


def test_s13_a_wsacleanup_too_many_fails_or_ends_winsock_for_others_in_the_process():
    # The original with no socket open at its end: one start-up and clean-up, then the clean-up of OnDeinit.
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    assert WSACleanup() == 0
    assert WSACleanup() == 0
    # That was the count of another, here this test's fixture: Winsock is gone for it.
    assert calls.socket(2, 1, 6) == INVALID_SOCKET
    assert WSAGetLastError() == WSANOTINITIALISED
    assert WSACleanup() == SOCKET_ERROR
    assert WSAStartup(MAKEWORD(2, 2), WSADATA()) == 0
    for program in ("signal_server", "signal_client", "provider", "copier"):
        stage = Stage(program)
        seen = successes(stage)
        stage.play(iter(()))
        assert seen == []
        close(stream_socket())


def fail_once(call: Callable[..., int], error: int, result: int) -> Callable[..., int]:
    failures = [error]

    def failing(*arguments: object) -> int:
        if failures:
            WSASetLastError(failures.pop())
            return result
        return call(*arguments)

    return failing


@servers
def test_s14_one_accept_error_drops_all_clients_of_the_original(original, program):
    peer = dial(original.port)
    original.event()
    assert read(peer, len(FLAT)) == FLAT
    original.accept = fail_once(original.accept, WSAEMFILE, INVALID_SOCKET)
    original.event()
    assert read_all(peer) == b""
    assert original.server == INVALID_SOCKET
    close(peer)
    stage = serve(program)

    def script() -> Script:
        yield
        peer = dial(listening_port(stage))
        yield
        stage.program.accept = fail_once(stage.program.accept, WSAEMFILE, INVALID_SOCKET)
        yield
        stage.host.post("buy 0.10")
        yield
        assert read(peer, 32) == FLAT + b"<<EURUSD|0.10>>\0"
        close(peer)

    assert stage.play(script()) == 0


@servers
def test_s15_a_client_whose_mode_cannot_be_set_is_left_hanging_by_the_original(original, program):
    original.ioctlsocket = fail_once(original.ioctlsocket, WSAENOBUFS, SOCKET_ERROR)
    peer = dial(original.port)
    original.event()
    original.trade("0.10")
    original.event()
    assert original.conns == []
    assert not ready(peer, 0)
    close(peer)
    stage = serve(program)

    def script() -> Script:
        yield
        stage.program.ioctlsocket = fail_once(stage.program.ioctlsocket, WSAENOBUFS, SOCKET_ERROR)
        peer = dial(listening_port(stage))
        yield
        assert read_all(peer) == b""
        close(peer)

    stage.play(script())


@servers
def test_s16_s18_a_client_that_has_left_stays_in_the_originals_list(original, program):
    peer = dial(original.port)
    original.event()
    assert read(peer, len(FLAT)) == FLAT
    handle = original.conns[0]
    close(peer)
    assert ready(handle)
    original.event()
    # It never reads, so it cannot know; after it has found out at a send, the entry stays all the same.
    assert original.conns == [handle]
    stage = serve(program)

    def script() -> Script:
        yield
        peer = dial(listening_port(stage))
        yield
        handle = sockets(stage)[0]
        close(peer)
        assert ready(handle)
        yield
        assert stage.program.conns == []

    stage.play(script())


@servers
def test_s17_a_client_that_is_slow_to_read_is_dropped_by_the_original(original, program):
    peer = dial(original.port)
    original.event()
    fill(original.conns[0])
    original.trade("0.10")
    original.event()
    assert original.conns == [INVALID_SOCKET]
    close(peer)
    stage = serve(program, **({"fast": True} if program == "provider" else {}))
    got: list[int] = []

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        yield
        count = fill(sockets(stage)[0])
        stage.host.post("buy 0.10")
        yield
        read(got[0], len(FLAT) + count)
        yield

    stage.play(script())
    assert read_all(got[0]) == b"<<EURUSD|0.10>>\0"
    close(*got)


def waiting(s: int) -> int:
    """How many bytes wait to be read."""
    count = u_long()
    assert ioctlsocket(s, FIONREAD, count) == 0
    return count.value


@servers
def test_s18_what_clients_send_piles_up_in_the_original(original, program):
    peer = dial(original.port)
    original.event()
    fill(peer)
    for _ in range(10):
        original.event()
    assert waiting(original.conns[0]) > 0
    close(peer)
    stage = serve(program)

    def script() -> Script:
        yield
        peer = dial(listening_port(stage))
        yield
        took = fill(peer)
        for _ in range(took // DISCARDED_PER_EVENT + 2):
            yield
        [handle] = sockets(stage)
        assert waiting(handle) == 0
        close(peer)

    stage.play(script())


def test_s19_the_original_repeats_to_all_for_each_new_client_the_provider_greets_the_new_one(original):
    first = dial(original.port)
    original.event()
    second = dial(original.port)
    original.event()
    assert read(first, 2 * len(FLAT)) == FLAT * 2
    close(first, second)
    stage = serve()
    got: list[int] = []

    def script() -> Script:
        yield
        got.append(dial(listening_port(stage)))
        yield
        got.append(dial(listening_port(stage)))
        yield

    stage.play(script())
    assert [read_all(peer) for peer in got] == [FLAT, FLAT]
    close(*got)


@clients
def test_s20_the_original_discards_bytes_read_before_an_error_and_ours_trades_them(server, program):
    full = b"<<EURUSD|0.25>>\0" + bytes(496)
    client = OriginalClient()
    client.read(full, None)
    assert client.positions == {}
    stage = follow(server, program)

    def script() -> Script:
        yield from connected(stage, server)
        real = stage.program.recv
        answers = iter((real, fail_once(real, 10054, SOCKET_ERROR)))
        arrive(stage.peer, full, stage.program.client)
        stage.program.recv = lambda *arguments: next(answers)(*arguments)
        yield
        assert stage.position() == Decimal("0.25")
        close(stage.peer)

    stage.play(script())


def test_s22_a_name_is_the_broadcast_address_for_the_original_and_resolved_by_the_products(server):
    assert inet_addr("localhost") == INADDR_NONE
    stage = after(b"<<EURUSD|0.25>>\0", server=server, Host="localhost")
    assert stage.position() == Decimal("0.25")
    assert f"connect OK, localhost (127.0.0.1:{port_of(server)})" in stage.texts
    named = serve(Host="localhost")
    assert named.play(one_event()) == 0
    assert f"start server ok, 127.0.0.1:{listening_port(named)}" in named.texts


@clients
def test_s23_a_hedged_sum_below_zero_is_minus_zero_in_the_original_and_zero_in_ours(server, program):
    noise = 0.3 - 0.1 - 0.2
    assert f"{noise:.2f}" == "-0.00"
    assert encode("EURUSD", noise, 1252) == FLAT
    assert after(b"<<EURUSD|0.25>>\0", b"<<EURUSD|-0.00>>\0", server=server, program=program).position() == 0


@clients
def test_s1_s5_a_client_that_reconnects_has_the_position_of_an_original_server(original, program):
    stage = Stage(program, Port=original.port)

    def script() -> Script:
        yield
        original.trade("0.25")
        original.event()
        assert ready(stage.program.client)
        yield
        assert stage.position() == Decimal("0.25")
        handle = stage.program.client
        close(*original.conns)
        original.conns = []
        original.trade("-0.75")
        assert ready(handle)
        yield
        yield
        original.event()
        assert ready(stage.program.client)
        yield
        assert stage.position() == Decimal("-0.75")

    assert stage.play(script()) == 0


def test_h2_names_that_the_listings_use_and_their_header_lacks_exist():
    names = ["SOCK_DGRAM", "IPPROTO_UDP", "sendto", "recvfrom", "WSAErrorDescript", "WSAEWOULDBLOCK", "WSAEISCONN"]
    assert set(names) <= set(calls.__all__)
