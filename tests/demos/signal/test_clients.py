"""The rules that signal_client and copier share, on real TCP with a clock of their own, byte for byte."""

from __future__ import annotations

from decimal import Decimal

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
    dial,
    fail,
    failing_orders,
    follow,
    forever,
    port_of,
    read_all,
    refusing,
    reset,
    server,
    server_leaves,
    successes,
    take,
)

from demos.terminal import ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
from demos.terminal.interfaces import ProgramError
from demos.terminal.paper.account import PaperAccount
from winsock import FD_ZERO, INVALID_SOCKET, closesocket, fd_set, sockaddr_in

__all__ = ["server"]

pytestmark = pytest.mark.usefixtures("started")

STUDY, PRODUCT = "signal_client", "copier"
both = pytest.mark.parametrize("program", [STUDY, PRODUCT])


def holding(steps: int) -> PaperAccount:
    """An account with a EURUSD position of this many hundredths of a lot."""
    account = PaperAccount()
    if steps:
        account.trade(EURUSD, steps, QUOTES[0])
        account.new_deals()
    return account


@both
@pytest.mark.parametrize(
    ("before", "message", "position", "action"),
    [
        (0, b"<<EURUSD|0.25>>\0", "0.25", "add Buy position"),
        (0, b"<<EURUSD|-10.25>>\0", "-10.25", "add Sell position"),
        (50, b"<<EURUSD|0.25>>\0", "0.25", "add Sell position"),
        (50, b"<<EURUSD|-0.25>>\0", "-0.25", "add Sell position"),
        (-50, b"<<EURUSD|-0.25>>\0", "-0.25", "add Buy position"),
        (50, b"<<EURUSD|0.00>>\0", "0", "full close position"),
        (-50, b"<<EURUSD|-0.00>>\0", "0", "full close position"),
        (25, b"<<EURUSD|0.25>>\0", "0.25", "nothing change"),
        (0, b"<<EURUSD|0.00>>\0", "0", "nothing change"),
    ],
)
def test_the_position_becomes_that_of_the_message_in_one_deal(server, program, before, message, position, action):
    # The study program has no limits.
    limits = {} if program == STUDY else {"maxlots": 0.0}
    stage = after(message, server=server, program=program, account=holding(before), **limits)
    assert stage.position() == Decimal(position)
    assert len(stage.record.of("deal")) == (action != "nothing change")
    if program == STUDY:
        assert action in stage.texts
        assert f"server position: {message[2:-3].decode()}" in stage.texts


@both
def test_it_connects_at_its_first_event_and_copies_from_the_next(server, program):
    stage = follow(server, program)

    def script() -> Script:
        assert stage.program.client == INVALID_SOCKET
        yield
        peer = take(server)
        arrive(peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        assert stage.position() == 0
        yield
        assert stage.position() == Decimal("0.25")
        close(peer)

    assert stage.play(script()) == 0
    if program == STUDY:
        assert stage.texts[0] == "connect OK"
        return
    kinds = [kind for kind, _ in stage.record.events]
    assert kinds == ["started", "connected", "received", "deal", "synced"]
    assert stage.record.of("received")[0] == {
        "port": stage.record.of("connected")[0]["port"],
        "number": 1,
        "symbol": "EURUSD",
        "lots": "0.25",
    }


@both
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 15, 16])
def test_a_message_may_be_cut_anywhere(server, program, size):
    stream = b"<<EURUSD|0.25>>\0<<EURUSD|-0.50>>\0"
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    stage = after(*pieces, server=server, program=program)
    assert [fields["position"] for fields in stage.record.of("deal")] == ["0.25", "-0.50"]
    assert stage.errors() == []


@both
def test_s1_of_messages_that_arrive_together_the_newest_wins(server, program):
    stage = after(b"<<EURUSD|0.10>>\0<<EURUSD|0.20>>\0<<EURUSD|0.30>>\0", server=server, program=program)
    assert stage.position() == Decimal("0.30")
    assert len(stage.record.of("deal")) == 1
    assert len(stage.record.of("received")) == (3 if program == PRODUCT else 0)


@both
def test_s2_a_piece_that_begins_with_a_nul_is_read(server, program):
    stage = after(b"<<EURUSD|0.10>>", b"\0<<EURUSD|0.20>>", server=server, program=program)
    assert stage.position() == Decimal("0.20")


@both
def test_s4_an_end_mark_before_the_begin_mark_trades_nothing(server, program):
    stage = after(b">><<EURUSD|1", b".50>>\0", server=server, program=program)
    assert [fields["position"] for fields in stage.record.of("deal")] == ["1.50"]


@both
def test_s5_half_a_message_is_dropped_with_its_connection_and_the_greeting_is_read(server, program):
    stage = follow(server, program)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.", stage.program.client)
        yield
        yield from server_leaves(stage)
        assert stage.program.client == INVALID_SOCKET
        yield from connected(stage, server)
        arrive(stage.peer, b"25>><<EURUSD|0.75>>\0", stage.program.client)
        yield
        assert stage.position() == Decimal("0.75")
        close(stage.peer)

    assert stage.play(script()) == 0
    assert stage.errors() == ["-Receive. connection closed"]


@both
def test_s10_the_last_message_of_each_symbol_is_traded(server, program):
    stage = after(b"<<EURUSD|0.10>>\0<<GBPUSD|-0.20>>\0<<EURUSD|0.30>>\0", server=server, program=program)
    assert (stage.position(), stage.position("GBPUSD")) == (Decimal("0.30"), Decimal("-0.20"))
    assert len(stage.record.of("deal")) == 2


@pytest.mark.parametrize(
    ("program", "events", "pauses"),
    [
        (STUDY, 140, [0, 1, 2, 4, 8, 16, 32, 64, 96, 128]),
        (PRODUCT, 100, [0, 1, 3, 7, 15, 31, 63, 95]),
    ],
)
def test_s11_pauses_between_attempts_of_a_failing_order_grow(server, monkeypatch, program, events, pauses):
    stage = follow(server, program)
    tried = failing_orders(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        for _ in range(events):
            yield
        close(stage.peer)

    stage.play(script())
    assert [round(time - tried[0]) for time in tried] == pauses
    assert len(stage.errors()) == len(tried)
    assert stage.texts.count("server position: EURUSD|0.25") == 1


@pytest.mark.parametrize(("program", "pauses"), [(STUDY, [0, 1, 2, 4]), (PRODUCT, [0, 1, 3])])
def test_s11_a_repeated_message_does_not_shorten_the_pause_and_a_newer_one_replaces_it(
    server, monkeypatch, program, pauses
):
    stage = follow(server, program)
    tried = failing_orders(stage, monkeypatch)

    def script() -> Script:
        yield from connected(stage, server)
        for _ in range(6):
            arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
            yield
        assert [round(time - tried[0]) for time in tried] == pauses
        arrive(stage.peer, b"<<EURUSD|-0.25>>\0", stage.program.client)
        yield
        assert stage.position() == Decimal("-0.25")
        for _ in range(40):
            yield
        assert len(tried) == len(pauses)
        if program == STUDY:
            assert stage.program.msg == ""
        close(stage.peer)

    stage.play(script())


@pytest.mark.parametrize(
    ("program", "events", "code", "timeouts"),
    # The copier's next attempt follows at once after so long, and its end reports that no connect has succeeded.
    [(STUDY, 10, 0, [True]), (PRODUCT, 12, 3, [True, False])],
)
def test_s12_a_connect_without_an_answer_is_given_up_and_blocks_nothing(server, program, events, code, timeouts):
    stage = follow(server, program)

    def select(nfds: int, readfds: None, writefds: fd_set, exceptfds: fd_set, timeout: object) -> int:
        FD_ZERO(writefds)
        FD_ZERO(exceptfds)
        return 0

    stage.program.select = select

    def script() -> Script:
        yield
        stage.host.post("buy 0.10")
        yield
        assert stage.position() == Decimal("0.10")
        for _ in range(events):
            yield

    assert stage.play(script()) == code
    assert ["(#10060)" in text for text in stage.errors()] == timeouts


@both
def test_s12_a4_the_socket_is_nonblocking_before_it_connects(server, program):
    stage = follow(server, program)
    calls: list[str] = []

    def note(name: str) -> None:
        call = getattr(stage.program, name)

        def noted(*arguments: object) -> int:
            calls.append(name)
            result: int = call(*arguments)
            return result

        setattr(stage.program, name, noted)

    note("ioctlsocket")
    note("connect")

    def script() -> Script:
        yield from connected(stage, server)
        close(stage.peer)

    stage.play(script())
    assert calls == ["ioctlsocket", "connect"]


# The copier connects at the events 1, 2 and 4, and its end reports that no connect has succeeded.
@pytest.mark.parametrize(("program", "events", "code"), [(STUDY, 3, 0), (PRODUCT, 5, 3)])
def test_s13_each_start_up_has_its_clean_up_and_no_more(program, events, code):
    stage = Stage(program, Port=closed_port())
    seen = successes(stage)
    refusing(stage)

    def script() -> Script:
        for _ in range(events):
            yield

    assert stage.play(script()) == code
    assert seen == ["WSAStartup", "WSACleanup"] * 3


@both
def test_s13_a_client_that_never_started_winsock_does_not_clean_it_up(program):
    stage = Stage(program)
    seen = successes(stage)
    stage.play(iter(()))
    assert seen == []


@both
@pytest.mark.parametrize("leave", [closesocket, reset])
def test_s20_messages_before_the_end_are_traded(server, program, leave):
    stage = follow(server, program)

    def script() -> Script:
        yield from connected(stage, server)
        handle = stage.program.client
        real = stage.program.recv
        if leave is reset:
            # A reset discards unread data, so the second recv is made to fail instead.
            answers = iter([real, fail(10054), fail(10054)])
            stage.program.recv = lambda *arguments: next(answers)(*arguments)
            arrive(stage.peer, b"<<EURUSD|0.25>>\0" + bytes(496), handle)
        else:
            arrive(stage.peer, b"<<EURUSD|0.25>>\0", handle)
            closesocket(stage.peer)
        yield
        assert stage.position() == Decimal("0.25")
        stage.program.recv = real if leave is closesocket else stage.program.recv
        if stage.program.client != INVALID_SOCKET:
            yield
        assert stage.program.client == INVALID_SOCKET

    assert stage.play(script()) == 0
    assert len(stage.errors()) == 1


@both
def test_h1_h3_the_address_given_to_connect_has_16_bytes_and_ends_in_zeros(server, program):
    stage = follow(server, program)
    given: list[tuple[bytes, int]] = []
    real = stage.program.connect

    def connect(s: int, name: bytearray | sockaddr_in, namelen: int) -> int:
        assert isinstance(name, bytearray if program == STUDY else sockaddr_in)
        given.append((bytes(name), namelen))
        result: int = real(s, name, namelen)
        return result

    stage.program.connect = connect

    def script() -> Script:
        yield from connected(stage, server)
        close(stage.peer)

    stage.play(script())
    number = port_of(server)
    assert given == [(b"\x02\0" + number.to_bytes(2, "big") + b"\x7f\0\0\x01" + bytes(8), 16)]


@both
def test_a_server_that_goes_away_and_comes_back_is_found_again_at_the_next_event(server, program):
    stage = follow(server, program)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.25>>\0", stage.program.client)
        yield
        yield from server_leaves(stage)
        yield
        again = take(server)
        arrive(again, b"<<EURUSD|-0.50>>\0", stage.program.client)
        yield
        # Equal at the second event after the one that noticed the end.
        assert stage.position() == Decimal("-0.50")
        close(again)

    assert stage.play(script()) == 0


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (STUDY, "the client works only with netting accounts"),
        (PRODUCT, "the account is a hedging account: add --hedging to close and open positions by ticket"),
    ],
)
def test_a_hedging_account_is_refused(server, program, text):
    account = PaperAccount()
    account.margin_mode = ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    stage = follow(server, program, account=account)
    assert stage.play(forever()) == 4
    assert text in stage.texts


@both
def test_it_never_sends_a_byte_and_closes_the_connection_in_order(server, program):
    stage = follow(server, program)

    def script() -> Script:
        yield from connected(stage, server)
        arrive(stage.peer, b"<<EURUSD|0.10>>\0", stage.program.client)
        yield

    stage.play(script())
    assert read_all(stage.peer) == b""
    close(stage.peer)
    assert dial(port_of(server)) != INVALID_SOCKET


@both
@pytest.mark.parametrize("inputs", [{"Port": 0}, {"Port": 65536}])
def test_the_port_is_checked(program, inputs):
    with pytest.raises(ProgramError, match=r"invalid port: .*; use a number from 1 to 65535"):
        Stage(program, **inputs)
