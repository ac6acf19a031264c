"""A step that fails raises one AssertionError in the test's thread: what failed, the script and both sides' bytes."""

from __future__ import annotations

import gc
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable
from ctypes import sizeof
from types import SimpleNamespace
from typing import Any

import pytest
from winsock_kit import Running, bound, listener, new, port_of, receive_all, reset

from winsock import SD_SEND, closesocket, connect, send, shutdown, testing
from winsock.testing import Peer, RunningPeer
from winsock.testing.actions import ACTIONS
from winsock.testing.conversation import Conversation
from winsock.testing.endpoints import Connection, DatagramSocket
from winsock.testing.own_sockets import OWN_SOCKETS
from winsock.testing.steps import ExpectReset
from winsock.testing.surroundings import Failure, Stopped, wait_until_ready

pytestmark = pytest.mark.usefixtures("started")


def connected(peer: RunningPeer) -> int:
    s = new()
    assert connect(s, peer.sockaddr, sizeof(peer.sockaddr)) == 0
    return s


def send_all(s: int, data: bytes) -> None:
    assert send(s, data, len(data), 0) == len(data)


def failure(script: Peer, program: Callable[[int], None]) -> str:
    """The text of the AssertionError, after `program` has run with a connection to the peer."""
    peer = script.start()
    program(connected(peer))
    with pytest.raises(AssertionError) as caught:
        peer.finish()
    return str(caught.value)


def test_the_report_shows_the_script_and_the_bytes_of_both_sides_with_their_times() -> None:
    def program(s: int) -> None:
        assert receive_all(s, 6) == b"hello\0"
        send_all(s, b"POST /\r\n")

    text = failure(Peer().accept().send(b"hello\0").expect(b"GET ").close(), program)
    assert re.fullmatch(
        r"step 3, expect\(b'GET '\): the next bytes are b'POST /\\r\\n' \(\d+\.\d{3} s after the peer's start\)\n"
        r"the peer was started at .*test_peer_failures\.py:\d+ in failure\n"
        r"  called at .*test_peer_failures\.py:\d+ in test_the_report_shows_the_script_and_the_bytes_of_.*_times\n"
        r"\n"
        r"The script:\n"
        r"      1 \.accept\(\)\n"
        r"      2 \.send\(b'hello\\x00'\)\n"
        r"  >   3 \.expect\(b'GET '\)\n"
        r"      4 \.close\(\)\n"
        r"\n"
        r"The conversation:\n"
        r" +\d+\.\d{3} s  connected: the peer is 127\.0\.0\.1:\d+, the other side is 127\.0\.0\.1:\d+\n"
        r" +\d+\.\d{3} s  the peer sent 6 bytes\n"
        r" +000000  68 65 6c 6c 6f 00 +hello\.\n"
        r" +\d+\.\d{3} s  the peer received 8 bytes\n"
        r" +000000  50 4f 53 54 20 2f 0d 0a +POST /\.\.",
        text,
    ), text


def test_a_long_message_is_shown_by_its_first_and_last_lines() -> None:
    def program(s: int) -> None:
        assert receive_all(s, 10_000) == b"a" * 5_000 + b"z" * 5_000
        closesocket(s)

    text = failure(Peer().accept().send(b"a" * 5_000 + b"z" * 5_000).expect(b"x"), program)
    assert "the peer sent" in text
    assert re.search(r"… \d+ lines of 16 bytes are not shown", text)
    assert len(text.splitlines()) < 200
    assert max(map(len, text.splitlines())) < 200


@pytest.mark.parametrize(
    ("script", "program", "message"),
    [
        (
            Peer().accept().expect(b"GET "),
            lambda s: (send_all(s, b"GE"), closesocket(s)),
            "expect(b'GET '): the other side ended its stream: 2 of 4 bytes have arrived",
        ),
        (
            Peer().accept().expect(b"GET "),
            lambda s: send_all(s, b"GOT"),
            "expect(b'GET '): the next bytes are b'GOT'",
        ),
        (
            Peer().accept().receive(5),
            lambda s: (send_all(s, b"1"), shutdown(s, SD_SEND)),
            "receive(5): the other side ended its stream: 1 of 5 bytes have arrived",
        ),
        (
            Peer().accept().expect_end(),
            lambda s: send_all(s, b"surprise"),
            "expect_end(): the other side sent data that no step received: b'surprise'",
        ),
        (Peer().accept().expect_end(), reset, "expect_end(): the other side reset the connection"),
        (Peer().accept().expect(b"x"), reset, "expect(b'x'): the other side reset the connection"),
        (
            Peer().accept().expect_reset(),
            lambda s: closesocket(s),
            "expect_reset(): the other side ended its stream, without a reset",
        ),
        (
            Peer().accept().read_slowly(1_000, count=5),
            lambda s: (send_all(s, b"12"), shutdown(s, SD_SEND)),
            "read_slowly(1000, count=5): the other side ended its stream: 2 of 5 bytes have arrived",
        ),
    ],
    ids=lambda value: repr(value) if isinstance(value, Peer) else "",
)
def test_a_failed_step_says_what_happened_instead(script: Peer, program: Callable[[int], None], message: str) -> None:
    assert message in failure(script, program).splitlines()[0]


def test_a_step_fails_at_the_time_limit() -> None:
    # The other steps' time limits are tested in simulated time, which no busy machine delays.
    text = failure(Peer(limit=2).accept().expect(b"GET "), lambda s: send_all(s, b"GE"))
    assert "expect(b'GET '): 2 of 4 bytes have arrived within the limit of 2 s (2." in text.splitlines()[0]


def test_a_send_that_the_other_side_does_not_read_fails_at_the_time_limit() -> None:
    text = failure(Peer(limit=2, send_buffer=4096).accept().send(bytes(50_000_000)), lambda s: None)
    assert re.search(r"the other side takes no more data: \d+ of 50000000 bytes were sent", text.splitlines()[0])


def test_a_server_that_does_not_listen_is_reported_by_the_client() -> None:
    port = port_of(bound())
    with pytest.raises(AssertionError, match=rf"connect to 127\.0\.0\.1:{port} failed: .*"):
        Peer(limit=0.1).connect(port).start().finish()


def test_an_unknown_host_is_reported() -> None:
    with pytest.raises(AssertionError, match=r"step 1, connect.*: invalid host name: 'no\.such\.host\.invalid'"):
        Peer(limit=0.1).connect(("no.such.host.invalid", 1)).start().finish()


def test_the_report_names_the_turn_of_a_repetition() -> None:
    def program(s: int) -> None:
        send_all(s, b"ab" * 2 + b"ac")

    text = failure(Peer().accept().expect(b"ab").repeat(5, last=1), program)
    assert text.startswith("step 2, turn 3 of 5, step 1, expect(b'ab'): the next bytes are b'ac'")
    assert "  >   2 .expect(b'ab').repeat(5, last=1)" in text


def test_what_arrived_without_being_expected_is_shown_too() -> None:
    def program(s: int) -> None:
        send_all(s, b"no")
        send_all(s, b"more of it")

    text = failure(Peer().accept().wait(0.05).expect(b"yes"), program)
    assert "more of it" in text


def test_long_data_is_shown_by_the_bytes_around_the_first_difference() -> None:
    expected = bytes(range(256)) * 40
    data = expected[:5_000] + b"!" + expected[5_001:]
    text = failure(Peer().accept().expect(expected), lambda s: send_all(s, data)).splitlines()[0]
    assert f"at offset 5000 of 10240 bytes: expected … {expected[4_984:5_016]!r} …, " in text
    assert f"the next bytes are … {data[4_984:5_016]!r} …" in text
    assert len(text) < 500


def test_the_report_of_a_long_conversation_is_short() -> None:
    def program(s: int) -> None:
        for _ in range(500):
            send_all(s, b"a")
            assert receive_all(s, 1) == b"b"
        send_all(s, b"X")

    text = failure(Peer().accept().expect(b"a").send(b"b").repeat(500, last=2).expect(b"c"), program)
    assert len(text.splitlines()) < 200
    assert re.search(r"… \d+ (events|lines) are not shown", text)
    assert text.endswith("X")


def test_adjacent_pieces_of_a_long_conversation_are_shown_together() -> None:
    times = iter(range(1_000))
    conversation = Conversation(lambda: next(times))
    for _ in range(100):
        conversation.add("received", b"a")
    conversation.note("the other side ended its stream")
    text = str(conversation)
    assert "1.000 s  the peer received 100 bytes\n" in text
    assert text.endswith("101.000 s  the other side ended its stream")
    assert len(text.splitlines()) == 9


def test_much_data_is_shown_without_a_line_for_each_sixteen_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []

    def hex_dump(data: bytes, starts: range) -> list[str]:
        shown.extend(starts)
        return []

    monkeypatch.setattr("winsock.testing.conversation.hex_dump", hex_dump)
    conversation = Conversation(lambda: 0.0)
    conversation.add("sent", bytes(1_000_000))
    assert "62484 lines of 16 bytes are not shown" in str(conversation)
    assert shown == [*range(0, 192, 16), *range(999_936, 1_000_000, 16)]


def test_a_failure_of_the_close_at_the_end_of_a_script_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def close(self: Connection, deadline: float) -> None:
        raise Failure("recv failed")

    monkeypatch.setattr(Connection, "close", close)
    text = failure(Peer().accept().expect(b"a"), lambda s: send_all(s, b"a"))
    assert text.startswith("the close at the end of the script: recv failed")
    assert not OWN_SOCKETS


@pytest.mark.parametrize(
    "script",
    [
        Peer().datagrams(("no.such.host.invalid", 5)),
        Peer(address="no.such.host.invalid").accept(),
        Peer(address="192.0.2.1").accept(),
    ],
    ids=repr,
)
def test_a_peer_that_cannot_start_leaves_no_socket_open(script: Peer) -> None:
    before = set(OWN_SOCKETS)
    with pytest.raises(AssertionError, match=r"^the peer's start: "):
        script.start()
    assert before == OWN_SOCKETS


@pytest.mark.parametrize("error", [Failure, TypeError])
def test_a_socket_whose_options_cannot_be_set_is_closed(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def call(*args: object) -> None:
        raise error("setsockopt failed")

    before = set(OWN_SOCKETS)
    monkeypatch.setattr("winsock.testing.runs.call", call)
    with pytest.raises((AssertionError, TypeError), match="setsockopt failed"):
        Peer(receive_buffer=4_096).accept().start()
    assert before == OWN_SOCKETS


def test_a_side_that_sends_without_end_does_not_prolong_expect_reset() -> None:
    data, clock = iter([True] * 10), iter(range(100))
    connection = SimpleNamespace(was_reset=False, ended=False, wait_for_more=lambda deadline: next(data))
    run: Any = SimpleNamespace(connection=connection, deadline=3, surroundings=SimpleNamespace(now=clock.__next__))
    with pytest.raises(Failure, match="the other side has not reset the connection"):
        ACTIONS[ExpectReset](run, ExpectReset())


def test_a_side_that_sends_without_end_and_does_not_read_does_not_prolong_a_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready, clock = iter([(True, False)] * 10), iter(range(100))
    monkeypatch.setattr("winsock.testing.endpoints.wait_until_ready", lambda *args, **kwargs: next(ready))
    connection = object.__new__(Connection)
    vars(connection).update(
        s=4, ended=False, was_reset=False, receive=lambda: True, _surroundings=SimpleNamespace(now=clock.__next__)
    )
    with pytest.raises(Failure, match="the other side takes no more data: 0 of 1 bytes were sent"):
        connection.send(b"x", 3)


def test_a_side_that_sends_without_end_does_not_prevent_a_stop() -> None:
    def check() -> None:
        raise Stopped

    calls: Any = SimpleNamespace(select=lambda *args: 1)
    surroundings: Any = SimpleNamespace(calls=calls, longest_wait=1.0, now=lambda: 0.0, check=check)
    with pytest.raises(Stopped):
        wait_until_ready(surroundings, 4, read=True, write=False, deadline=600)
    connection = object.__new__(Connection)
    vars(connection).update(receive=lambda: True, _surroundings=surroundings)
    with pytest.raises(Stopped):
        connection.close(600)


@pytest.mark.parametrize(("kind", "end"), [(Connection, "close"), (Connection, "reset"), (DatagramSocket, "close")])
def test_a_side_that_sends_without_end_does_not_prolong_the_end(kind: type[Any], end: str) -> None:
    data, clock, closed = iter([True] * 10), iter(range(100)), list[int]()
    socket = object.__new__(kind)
    vars(socket).update(
        s=4,
        receive=lambda: next(data),
        _surroundings=SimpleNamespace(now=clock.__next__, check=lambda: None),
        _calls=SimpleNamespace(closesocket=closed.append, setsockopt=lambda *args: 0),
        _conversation=Conversation(lambda: 0.0),
    )
    getattr(socket, end)(3)
    assert closed == [4]


def test_limits_do_not_depend_on_the_clocks_that_a_test_replaces(monkeypatch: pytest.MonkeyPatch) -> None:
    # As freezegun does: in the module time, and where a module has imported one of its functions by name.
    real = {id(time.monotonic), id(time.perf_counter)}
    own = [module for name, module in list(sys.modules.items()) if name.startswith("winsock")]
    for module in (time, *own):
        for name, value in list(vars(module).items()):
            if id(value) in real:
                monkeypatch.setattr(module, name, lambda: 0.0)
    with pytest.raises(AssertionError, match=r"nobody connected to .* within the limit of 0\.1 s"):
        Peer(limit=0.1).accept().start().finish()
    ended = threading.Event()
    thread = Running(ended.wait)
    with pytest.raises(AssertionError, match="1 socket was left open"), testing.started():
        new()
    ended.set()
    thread.result()


def test_the_block_of_a_with_statement_raises_the_failure_at_its_end() -> None:
    with pytest.raises(AssertionError, match="nobody connected"):  # noqa: SIM117 - the order matters
        with Peer(limit=0.01).accept().start():
            pass


def test_a_failure_that_nobody_asks_for_is_a_warning() -> None:
    peer = Peer(limit=0.01).accept().start()
    peer._surroundings.join()
    with pytest.warns(RuntimeWarning, match=r"^finish\(\) was not called for a peer that has failed: step 1, accept"):
        del peer


def test_a_peer_that_is_stopped_by_an_interruption_gives_no_warning() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        test_a_failed_step_does_not_replace_an_interruption_of_the_block(KeyboardInterrupt)
        gc.collect()
    assert not caught


def test_an_error_in_the_block_stops_the_peer_and_is_raised() -> None:
    with pytest.raises(KeyError):  # noqa: SIM117 - the order matters
        with Peer(limit=600).accept().start():
            raise KeyError


def test_a_failed_step_is_raised_with_the_error_of_the_block_as_its_context() -> None:
    with pytest.raises(AssertionError, match=r"expect\(b'GET '\)") as caught:  # noqa: PT012, SIM117 - the block raises
        with Peer().accept().expect(b"GET ").start() as peer:
            s = connected(peer)
            send_all(s, b"POST")
            receive_all(s, 1)  # until the peer has failed
            raise KeyError
    assert isinstance(caught.value.__context__, KeyError)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_a_failed_step_does_not_replace_an_interruption_of_the_block(interruption: type[BaseException]) -> None:
    with pytest.raises(interruption):  # noqa: PT012, SIM117 - the block raises
        with Peer().accept().expect(b"GET ").start() as peer:
            s = connected(peer)
            send_all(s, b"POST")
            receive_all(s, 1)  # until the peer has failed
            raise interruption


def test_a_failure_is_raised_once() -> None:
    listener()
    peer = Peer(limit=0.01).accept().start()
    with pytest.raises(AssertionError):
        peer.finish()
    peer.finish()
