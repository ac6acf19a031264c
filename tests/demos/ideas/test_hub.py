"""The hub: what it sends to which client, its limits, and clients that break its rules."""

from __future__ import annotations

import ssl
import threading

import pytest
from hostile_kit import BINARY, PING, TEXT, UPGRADE, frame
from ideas_kit import TIMER_MS, Peer, connect, hub_stage, opened, pass_time, port_served, served, until
from signal_kit import Script, Stage
from web_kit import certificate, network
from winsock_kit import LIMIT_SECONDS

from demos.ideas import hub_port
from demos.ideas.hub import MOST_PUMPED

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")


def calls(stage: Stage, kind: str) -> list[tuple[object, ...]]:
    """The calls of the handler of this kind."""
    return [call for call in stage.program.handler.log if call[0] == kind]


def play(stage: Stage, script: Script) -> None:
    """Play the script after the hub listens."""

    def whole() -> Script:
        yield from served(stage)
        yield from script

    assert stage.play(whole()) == 0, stage.texts
    assert len(calls(stage, "opened")) == len(calls(stage, "closed"))


def test_a_client_gets_messages_and_its_texts_reach_the_handler():
    stage = hub_stage()

    def script() -> Script:
        peer = connect(stage)
        yield from opened(stage, peer)
        peer.say("one")
        peer.say("zwei €")
        yield from until(stage, lambda: len(peer.texts()) == 3)
        assert peer.texts() == ["welcome", "one", "zwei €"]
        assert stage.program.hub.count == 1
        peer.close()
        yield from until(stage, lambda: calls(stage, "closed"))
        assert stage.program.hub.count == 0

    play(stage, script())
    assert stage.program.handler.log[0] == ("opened", 1, "127.0.0.1")


def test_each_client_gets_a_new_state_and_a_slow_client_gets_the_newest_one_only():
    stage = hub_stage()
    states = [f"{number} " + "x" * 500_000 for number in range(60)]

    def script() -> Script:
        fast, slow = connect(stage), connect(stage)
        yield from opened(stage, fast, slow)
        for peer in (fast, slow):
            peer.say("hello")
        yield from until(stage, lambda: len(fast.texts()) == len(slow.texts()) == 2)
        for state in states:
            stage.program.handler.state = state
            yield from until(stage, lambda expected=state: fast.texts()[-1] == expected)
        yield from until(stage, lambda: slow.texts()[-1] == states[-1])
        assert len(slow.texts()) < len(states)
        numbers = [int(text.partition(" ")[0]) for text in slow.texts()[2:]]
        assert numbers == sorted(set(numbers))

    play(stage, script())


def test_many_messages_are_sent_in_pieces_and_the_others_are_served_between_them():
    stage = hub_stage()
    count = 10 * MOST_PUMPED

    def script() -> Script:
        peer = connect(stage)
        yield from opened(stage, peer)
        peer.say(f"many {count}")
        yield from until(stage, lambda: len(peer.texts()) == count + 1)

    play(stage, script())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"refuse"), 1008),
        (frame(BINARY, b"x"), 1003),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"x" * (64 * 1024 + 1)), 1009),
        (frame(3), 1002),
        (frame(TEXT, b"{}", masked=False), 1002),
        (1000 * frame(PING, b"x"), 1008),
        (1000 * frame(TEXT, b"x"), 1008),
        (frame(TEXT, fin=False) + 1000 * frame(0, fin=False), 1009),
    ],
)
def test_a_client_that_breaks_a_rule_is_ended_and_no_other_client_is(data, code):
    stage = hub_stage()

    def script() -> Script:
        good, bad = connect(stage), connect(stage)
        yield from opened(stage, good, bad)
        bad.send(data)
        yield from until(stage, bad.close_code)
        assert bad.close_code() == code
        good.say("still here")
        yield from until(stage, lambda: good.texts()[-1] == "still here")
        assert len(calls(stage, "closed")) == 1

    play(stage, script())


def test_a_message_error_is_sent_to_the_client_with_code_and_text():
    stage = hub_stage()

    def script() -> Script:
        peer = connect(stage)
        yield from opened(stage, peer)
        peer.say("refuse")
        peer.say("ignored")
        yield from until(stage, peer.close_code)
        assert peer.texts()[-1] == '{"type":"error","code":"malformed","text":"as requested"}'

    play(stage, script())
    assert [call[2] for call in calls(stage, "received")] == ["refuse"]
    assert calls(stage, "closed")[0][2] == "as requested"


def test_an_exception_for_one_client_ends_that_client_only_and_is_logged():
    stage = hub_stage(defect=True)

    def script() -> Script:
        good, bad = connect(stage), connect(stage)
        yield from opened(stage, good, bad)
        bad.say("fail")
        yield from until(stage, lambda: bad.read() is not None and bad.ended)
        good.say("still here")
        yield from until(stage, lambda: good.texts()[-1] == "still here")

    play(stage, script())
    assert any("internal error: RuntimeError: as requested (line " in text for text in stage.errors())
    assert any("internal error: RuntimeError: closed() has failed" in text for text in stage.errors())


def test_an_exception_for_the_next_message_of_one_client_ends_that_client_only():
    stage = hub_stage()

    def script() -> Script:
        good, bad = connect(stage), connect(stage)
        yield from opened(stage, good, bad)
        stage.program.handler.state = "fail 2"
        yield from until(stage, lambda: bad.read() is not None and bad.ended)
        good.say("still here")
        yield from until(stage, lambda: "still here" in good.texts())

    play(stage, script())
    assert any("internal error: RuntimeError: next_message() has failed" in text for text in stage.errors())


def test_the_handler_can_end_another_client():
    stage = hub_stage()

    def script() -> Script:
        first, second = connect(stage), connect(stage)
        yield from opened(stage, first, second)
        second.say("end 1")
        yield from until(stage, first.close_code)
        assert '"code":"ended"' in first.texts()[-1]
        yield from until(stage, lambda: second.texts()[-1] == "end 1")

    play(stage, script())


def test_a_client_without_a_first_message_is_ended_after_the_limit():
    stage = hub_stage()

    def script() -> Script:
        silent, speaking = connect(stage), connect(stage)
        yield from opened(stage, silent, speaking)
        speaking.say("hello")
        yield from until(stage, lambda: len(speaking.texts()) == 2)
        before = stage.clock.time
        yield from until(stage, silent.close_code)
        assert stage.clock.time - before == pytest.approx(10, abs=0.5)
        assert '"code":"hello","text":"no message within 10 s"' in silent.texts()[-1]
        assert not speaking.close_code()

    play(stage, script())


@pytest.mark.parametrize("data", [b"", UPGRADE[:40], b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x00"])
def test_a_connection_without_a_whole_request_ends_after_the_limit(data):
    stage = hub_stage()

    def script() -> Script:
        peer = Peer(port_served(stage))
        peer.send(data)
        yield from until(stage, lambda: peer.read() is not None and peer.ended)

    play(stage, script())
    assert not calls(stage, "opened")


def test_half_a_frame_costs_nothing_and_its_client_is_ended_when_it_stays_silent():
    stage = hub_stage()

    def script() -> Script:
        peer = connect(stage)
        yield from opened(stage, peer)
        peer.say("hello")
        peer.send(frame(TEXT, b"x" * 1000)[:500])
        yield from until(stage, lambda: peer.ended or len(peer.texts()) == 2)
        yield from pass_time(61)
        yield from until(stage, lambda: peer.read() is not None and peer.ended)

    play(stage, script())
    assert "silent for 60 s" in str(calls(stage, "closed")[0][2])


@pytest.mark.parametrize("after", [b"", UPGRADE, UPGRADE + frame(TEXT, b"hello"), UPGRADE + frame(TEXT, b"x" * 99)[:9]])
def test_a_reset_ends_only_the_connection(after):
    stage = hub_stage()

    def script() -> Script:
        good = connect(stage)
        yield from opened(stage, good)
        for _ in range(20):
            peer = Peer(port_served(stage))
            peer.send(after)
            yield
            peer.reset()
        good.say("still here")
        yield from until(stage, lambda: good.texts()[-1] == "still here")
        yield from until(stage, lambda: stage.program.hub.count == 1)

    play(stage, script())


def test_more_connections_than_allowed_from_one_address_replace_the_one_that_was_silent_longest():
    stage = hub_stage(clients=8, per_address=3)

    def script() -> Script:
        peers = [connect(stage) for _ in range(3)]
        yield from opened(stage, *peers)
        peers[0].say("active")
        yield from until(stage, lambda: peers[0].texts()[-1] == "active")
        fourth = connect(stage)
        yield from opened(stage, fourth)
        yield from until(stage, lambda: peers[1].read() is not None and peers[1].ended)
        assert stage.program.hub.count == 3
        assert not peers[0].close_code()

    play(stage, script())
    assert any(str(call[2]).startswith("too many connections") for call in calls(stage, "closed"))


def test_a_flood_of_connections_leaves_no_more_than_the_limit_open():
    stage = hub_stage(clients=4, per_address=4)

    def script() -> Script:
        for _ in range(10):
            crowd = [connect(stage) for _ in range(20)]
            yield from until(stage, lambda last=crowd[-1]: last.texts() or last.ended)
            assert stage.program.hub.count <= 4
        last = connect(stage)
        yield from opened(stage, last)

    play(stage, script())


def test_a_client_that_stops_reading_is_ended_and_the_others_are_served():
    stage = hub_stage()
    large = "x" * 60_000

    def script() -> Script:
        good, bad = connect(stage), connect(stage)
        yield from opened(stage, good, bad)
        good.say("hello")
        bad.say("hello")
        yield from until(stage, lambda: len(good.texts()) == len(bad.texts()) == 2)
        stage.program.handler.waiting[2].extend([large] * 1000)
        for _ in range(int(31_000 / TIMER_MS)):
            yield
        good.say("still here")
        yield from until(stage, lambda: good.texts()[-1] == "still here")
        yield from until(stage, lambda: calls(stage, "closed"))

    play(stage, script())
    reasons = {call[1]: str(call[2]) for call in calls(stage, "closed")}
    assert "the peer has read nothing for 30 s" in reasons[2]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Origin: https://evil.example\r\n", b"403"),
        (b"Origin: http://localhost\r\n", b"403"),
        (b"", b"101"),
    ],
)
def test_web_pages_may_not_connect(header, status):
    stage = hub_stage()

    def script() -> Script:
        peer = Peer(port_served(stage))
        peer.send(UPGRADE.replace(b"\r\n\r\n", b"\r\n" + header + b"\r\n"))
        yield from until(stage, lambda: b"\r\n\r\n" in peer.read())
        assert peer.received.startswith(b"HTTP/1.1 " + status)

    play(stage, script())


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (UPGRADE.replace(b"/ws", b"/other"), b"404"),
        (UPGRADE.replace(b"localhost", b"evil.example"), b"421"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_other_requests_are_refused(request_bytes, status):
    stage = hub_stage()

    def script() -> Script:
        peer = Peer(port_served(stage))
        peer.send(request_bytes)
        yield from until(stage, lambda: b"\r\n\r\n" in peer.read())
        assert peer.received.startswith(b"HTTP/1.1 " + status)

    play(stage, script())
    assert not calls(stage, "opened")


def test_another_address_than_loopback_needs_tls():
    stage = hub_stage(Host="0.0.0.0")

    def script() -> Script:
        yield from until(stage, lambda: stage.errors())

    assert stage.play(script()) == 2
    assert "is not a loopback address, so it needs TLS: give --cert and --key" in stage.errors()[0]


def test_a_port_in_use_ends_the_program_with_the_code_of_the_network():
    first = hub_stage()
    codes = []

    def script() -> Script:
        yield from served(first)
        second = hub_stage(Port=port_served(first))
        codes.append(second.play(pass_time(1)))
        assert "WSAEADDRINUSE" in second.errors()[0]

    first.play(script())
    assert codes == [3]


def test_a_certificate_that_cannot_be_used_ends_the_program(tmp_path):
    for inputs in ({"cert": str(tmp_path / "missing.pem")}, {"key": str(tmp_path / "key.pem")}):
        stage = hub_stage(**inputs)
        assert stage.play(pass_time(1)) == 2
        assert "cert" in stage.errors()[0]


@pytest.mark.parametrize(
    ("present", "raised", "refused"), [(None, None, False), (9999, 0, False), (99, 9999, False), (99, 99, True)]
)
def test_the_limit_of_open_files_is_raised_when_it_is_too_low_for_all_clients(monkeypatch, present, raised, refused):
    monkeypatch.setattr(hub_port, "present_limit", lambda: present)
    monkeypatch.setattr(hub_port, "raise_limit", lambda: raised)
    stage = hub_stage(clients=1000)
    assert stage.play(pass_time(1)) == (2 if refused else 0)
    if refused:
        assert "the process may open 99 files, but 1064 may be needed for 1000 clients" in stage.errors()[0]


def test_with_a_certificate_the_port_speaks_tls_only(tmp_path):
    stage = hub_stage(cert=str(certificate(tmp_path)), key=str(tmp_path / "key.pem"))

    def script() -> Script:
        peer = connect(stage)
        yield from until(stage, lambda: peer.read() is not None and peer.ended)
        assert b"HTTP" not in peer.received

    play(stage, script())
    assert any("SHA-256, which clients can pin" in text for text in stage.texts)


def test_a_client_with_tls_verifies_the_certificate_and_exchanges_messages(tmp_path):
    from websockets.sync.client import connect as connect_client

    stage = hub_stage(cert=str(certificate(tmp_path)), key=str(tmp_path / "key.pem"))
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    received: list[object] = []

    def converse() -> None:
        url = f"wss://localhost:{port_served(stage)}/ws"
        with connect_client(url, ssl=context, open_timeout=LIMIT_SECONDS, compression=None) as client:
            client.send("hello")
            received.extend(client.recv(LIMIT_SECONDS) for _ in range(2))

    def script() -> Script:
        thread = threading.Thread(target=converse)
        thread.start()
        yield from until(stage, lambda: not thread.is_alive())
        thread.join()
        yield from until(stage, lambda: calls(stage, "closed"))

    play(stage, script())
    assert received == ["welcome", "hello"]


def test_half_a_tls_handshake_ends_after_the_limit(tmp_path):
    stage = hub_stage(cert=str(certificate(tmp_path)), key=str(tmp_path / "key.pem"))
    hello = ssl.MemoryBIO()
    context = ssl.create_default_context()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
    data = hello.read()

    def script() -> Script:
        whole, half = Peer(port_served(stage)), Peer(port_served(stage))
        whole.send(data)
        half.send(data[: len(data) // 2])
        yield from until(stage, lambda: all(peer.read() is not None and peer.ended for peer in (whole, half)))

    play(stage, script())
    assert not calls(stage, "opened")
