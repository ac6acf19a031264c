"""The copier's connection to a provider, against a server of the package websockets: verification, faults, refusals."""

from __future__ import annotations

import hashlib
import os
import ssl
from pathlib import Path

import pytest
from copier_kit import (
    FEED,
    Peer,
    WebsocketsProvider,
    holds,
    pass_long_time,
    pass_time,
    plain_url,
    position,
    serve_states,
    subscribe,
    tls_context,
    until,
)
from signal_kit import Script, Stage, alerts, close, listener, port_of, take, write
from web_kit import network

from demos.copier.login_secret import SecretError, find_secret
from demos.copier.server_url import endpoint_from_text, pin_problem, url_problem
from demos.terminal.interfaces import ProgramError

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")


def secure_url(provider: WebsocketsProvider, host: str = "127.0.0.1") -> str:
    return f"wss://{host}:{provider.port}"


def fingerprint(path: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text("ascii"))).hexdigest()


def copied(stage: Stage) -> Script:
    yield from until(stage, holds(stage, "0.25"))


def faults(stage: Stage) -> list[str]:
    """The reasons of the connection's faults in the log, without the time of the next attempt."""
    lines = [text for text in stage.errors() if text.startswith("-provider ")]
    return [text.partition(": ")[2].partition(". Next attempt")[0] for text in lines]


def faulty(stage: Stage) -> Script:
    yield from until(stage, lambda: bool(faults(stage)))


# ---- verification


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_is_verified_by_a_ca_file(tmp_path, host):
    provider = WebsocketsProvider(context=tls_context(tmp_path))
    provider.positions = [position("EURUSD", "0.25")]
    stage = subscribe(secure_url(provider, host), tmp_path, ca=str(tmp_path / "cert.pem"))
    assert stage.play(copied(stage)) == 0


def test_a_server_is_verified_by_its_pinned_fingerprint(tmp_path):
    provider = WebsocketsProvider(context=tls_context(tmp_path, hosts=("elsewhere.example",)))
    provider.positions = [position("EURUSD", "0.25")]
    stage = subscribe(secure_url(provider), tmp_path, pin=fingerprint(tmp_path / "cert.pem"))
    assert stage.play(copied(stage)) == 0


def refused_server(tmp_path: Path, inputs: dict[str, object], **options: object) -> list[str]:
    """The faults that are logged in several attempts with a server that must not be trusted; it gets no login."""
    provider = WebsocketsProvider(context=tls_context(tmp_path, **options))
    stage = subscribe(secure_url(provider), tmp_path, **inputs)

    def script() -> Script:
        yield from until(stage, lambda: stage.program.account.connection.attempts == 4)

    stage.play(script())
    assert provider.heard.empty()
    assert provider.connections == 0
    return faults(stage)


def test_another_certificate_than_the_pinned_one_is_refused_before_the_login(tmp_path):
    [fault] = refused_server(tmp_path, {"pin": "ab" * 32})
    assert fault.startswith("the server's certificate is not the pinned one: pinned AB:AB:")


def test_a_certificate_of_another_ca_is_refused(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    tls_context(other)
    [fault] = refused_server(tmp_path, {"ca": str(other / "cert.pem")})
    assert "self-signed" in fault


def test_the_cas_of_the_system_do_not_verify_a_self_signed_certificate(tmp_path):
    [fault] = refused_server(tmp_path, {})
    assert fault == "the server's certificate is self-signed; pin its SHA-256 fingerprint, or name it as the CA file"


def test_an_expired_certificate_is_refused(tmp_path):
    [fault] = refused_server(tmp_path, {"ca": str(tmp_path / "cert.pem")}, days=5, age=10)
    assert fault == "the server's certificate has expired"


def test_a_certificate_for_another_host_is_refused(tmp_path):
    [fault] = refused_server(tmp_path, {"ca": str(tmp_path / "cert.pem")}, hosts=("provider.example",))
    assert fault.startswith("the server's certificate does not name the host '127.0.0.1'")


# ---- inputs


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://192.0.2.1:8443", "a connection without TLS (ws://) may only be to this computer"),
        ("ws://provider.example:8443", "a connection without TLS (ws://) may only be to this computer"),
        ("https://provider.example", "use wss://HOST:PORT"),
        ("wss://", "use wss://HOST:PORT"),
        ("wss://host:99999", "use wss://HOST:PORT"),
        ("wss://host:0", "use wss://HOST:PORT"),
        ("wss://ho st:1", "use wss://HOST:PORT"),
        ("wss://host:1/Other", "its path is empty or the name of a topic"),
        ("wss://host:1/ws/a/b", "its path is empty or the name of a topic"),
        ("wss://host:1?q", "its path is empty or the name of a topic"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_reason(url, expected):
    problem = url_problem(url)
    assert problem is not None
    assert expected in problem
    with pytest.raises(ProgramError):
        Stage("copier", url=url)


@pytest.mark.parametrize(
    "url", ["wss://customer:secret@host:1", "wss://customer:s/secret@host:1", "wss:customer:secret@host:1"]
)
def test_a_password_in_a_url_is_refused_and_not_shown(url):
    problem = url_problem(url)
    assert problem == "invalid URL: it has a user name or a password; use --login and --password-file"


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1", "ws://127.1.2.3:1", "ws://localhost:1/ws", "ws://[::1]:1"])
def test_a_url_without_tls_may_name_this_computer(url):
    assert not endpoint_from_text(url).tls


def test_a_url_without_a_port_has_the_port_of_its_scheme():
    assert endpoint_from_text("wss://provider.example").port == 443
    assert endpoint_from_text("wss://provider.example:8443/ws").port == 8443


def test_a_name_without_tls_must_have_an_address_of_this_computer(tmp_path, monkeypatch):
    from demos.copier import transport
    from demos.wire.addresses import find_address

    monkeypatch.setattr(transport, "find_address", lambda host, port, kind: find_address("192.0.2.1", port, kind))
    stage = subscribe("ws://localhost:8443", tmp_path)
    stage.play(faulty(stage))
    assert faults(stage) == ["192.0.2.1:8443 is not this computer, and ws:// has no TLS: use wss://"]


def test_a_pin_is_a_sha256():
    assert pin_problem("ab" * 32) is None
    assert "64 hexadecimal digits" in str(pin_problem("ab"))


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"login": ""}, "a provider needs a login: give --login NAME"),
        ({"password_file": ""}, "a login needs a password or a token, and none is given"),
        ({"token_file": "x"}, "a login needs a password or a token, and only one is possible"),
        ({"password_file": "missing"}, "the password file missing cannot be read: No such file or directory"),
        ({"pin": "ab" * 32}, "--ca and --pin verify a server with TLS: use wss:// in --url"),
        ({"url": "wss://127.0.0.1:1", "ca": "missing"}, "the CA file 'missing' cannot be used"),
        ({"url": "wss://127.0.0.1:1", "ca": "x", "pin": "ab" * 32}, "use either --ca or --pin"),
    ],
)
def test_inputs_that_do_not_go_together_end_the_program_with_one_error(tmp_path, monkeypatch, inputs, expected):
    monkeypatch.delenv("WINSOCK_PASSWORD", raising=False)
    monkeypatch.delenv("WINSOCK_TOKEN", raising=False)
    stage = subscribe(**{"url": "ws://127.0.0.1:1", "folder": tmp_path, **inputs})
    assert stage.play(iter(())) == 4
    [text] = alerts(stage)
    assert text.startswith(expected)


def test_the_secret_comes_from_a_file_or_the_environment_and_is_in_no_text(tmp_path):
    file = tmp_path / "token"
    file.write_text("from the file\nsecond line\n", encoding="utf-8")
    environment = {"WINSOCK_PASSWORD": "from the environment"}
    by_file = find_secret("customer", "", str(file), environment)
    assert by_file.message(None, "client").token == "from the file"
    by_environment = find_secret("customer", "", "", environment)
    assert by_environment.message(None, "client").password == "from the environment"
    assert "from the" not in repr((by_file, by_environment, by_environment.message(None, "client")))
    with pytest.raises(SecretError, match="empty"):
        find_secret("customer", os.devnull, "", {})
    with pytest.raises(SecretError) as caught:
        find_secret("customer", "", "", {"WINSOCK_TOKEN": "x" * 300})
    assert "xxx" not in str(caught.value)


@pytest.mark.posix_only(reason="modes of files")
def test_a_password_file_that_others_can_read_is_reported(tmp_path):
    provider = WebsocketsProvider()
    stage = subscribe(plain_url(provider), tmp_path)
    (tmp_path / "password").chmod(0o644)
    stage.play(iter(()))
    assert alerts(stage) == [f"other users can access the password in {tmp_path / 'password'}: change its mode to 600"]


# ---- refused logins


def refusing(code: str) -> WebsocketsProvider:
    """A server that answers each login with an error."""

    async def refuse(peer: Peer) -> None:
        await peer.say("hello", version=1, server="x", stream=FEED[:32], heartbeat_ms=1000, time=1)
        await peer.hear()
        await peer.say("error", code=code, text="a reason", fatal=True)
        await peer.listen()

    return WebsocketsProvider(refuse)


@pytest.mark.parametrize(
    ("code", "waits", "then"),
    [("wait", 4, 3), ("paused", 4, 3), ("banned", 55, 10), ("failed", 3500, 110), ("unknown-code", 4, 3)],
)
def test_a_refused_login_is_repeated_only_after_a_pause(tmp_path, code, waits, then):
    provider = refusing(code)
    stage = subscribe(plain_url(provider), tmp_path)

    def script() -> Script:
        yield from until(stage, lambda: provider.heard.qsize() == 1 and bool(faults(stage)))
        stage.clock.time += waits - 2
        yield from pass_time(2)
        assert provider.connections == 1
        stage.clock.time += then
        yield from until(stage, lambda: provider.heard.qsize() == 2)

    stage.play(script())
    assert faults(stage) == [f"the server refuses the login or ends it: a reason ({code})"]


@pytest.mark.parametrize("code", ["failed", "paused", "disabled"])
def test_a_refusal_counts_also_when_the_end_of_the_connection_arrives_with_it(tmp_path, code):
    provider = WebsocketsProvider()
    provider.positions = [position("EURUSD", "0.25")]
    stage = subscribe(plain_url(provider), tmp_path)

    def script() -> Script:
        yield from copied(stage)
        provider.refuse_and_close(code)
        yield from faulty(stage)
        yield from pass_time(4)

    stage.play(script())
    assert faults(stage) == [f"the server refuses the login or ends it: a reason ({code})"]
    assert provider.connections == 1


def test_a_wrong_password_is_tried_again_when_its_file_has_changed(tmp_path):
    provider = refusing("failed")
    provider.positions = [position("EURUSD", "0.25")]
    stage = subscribe(plain_url(provider), tmp_path)

    def script() -> Script:
        yield from until(stage, lambda: bool(faults(stage)))
        yield from pass_long_time(stage, 600)
        assert provider.connections == 1
        provider.behave = serve_states
        (tmp_path / "password").write_text("the right one\n", encoding="utf-8")
        yield from copied(stage)

    stage.play(script())
    assert [provider.next("login")["password"] for _ in range(2)] == ["correct horse", "the right one"]
    log = stage.stream.getvalue()
    assert "correct horse" not in log
    assert "the right one" not in log


@pytest.mark.parametrize(("on_end", "left"), [("hold", "0.25"), ("close-only", "0.25"), ("flatten", "0")])
def test_when_the_login_has_ended_the_positions_are_held_or_closed(tmp_path, on_end, left):
    provider = WebsocketsProvider()
    provider.positions = [position("EURUSD", "0.25")]
    stage = subscribe(plain_url(provider), tmp_path, on_end=on_end)

    def script() -> Script:
        yield from copied(stage)
        provider.refuse("expired", "the login has expired")
        yield from until(stage, lambda: any("ended the login" in text for text in alerts(stage)))
        yield from pass_long_time(stage, 100)

    stage.play(script())
    assert holds(stage, left)()
    assert provider.connections == 1


def test_the_environment_can_have_the_token(tmp_path, monkeypatch):
    monkeypatch.setenv("WINSOCK_TOKEN", "a token")
    monkeypatch.delenv("WINSOCK_PASSWORD", raising=False)
    provider = WebsocketsProvider()
    provider.positions = [position("EURUSD", "0.25")]
    stage = subscribe(plain_url(provider), tmp_path, password_file="", only="EURUSD,GBPUSD")
    stage.play(copied(stage))
    login = provider.next("login")
    assert (login["token"], login.get("password"), login["symbols"]) == ("a token", None, ["EURUSD", "GBPUSD"])


# ---- servers that stall or break the protocol


async def say_nothing(peer: Peer) -> None:
    await peer.listen()


async def only_hello(peer: Peer) -> None:
    await peer.say("hello", version=1, server="x", stream=FEED[:32], heartbeat_ms=600_000, time=1)
    await peer.listen()


async def only_welcome(peer: Peer) -> None:
    await peer.welcome()
    await peer.listen()


async def endless_hello(peer: Peer) -> None:
    for time in range(1, 300):
        await peer.say("hello", version=1, server="x", stream=FEED[:32], heartbeat_ms=600_000, time=time)
    await peer.listen()


@pytest.mark.parametrize(
    ("behave", "expected"),
    [
        (say_nothing, "no heartbeat and no new state for 150"),
        (only_hello, "the server has not completed the login within 30 s"),
        (only_welcome, "the server has not completed the login within 30 s"),
        (endless_hello, "the server has not completed the login within 30 s"),
    ],
)
def test_a_server_that_stalls_after_the_opening_is_given_up(tmp_path, behave, expected):
    provider = WebsocketsProvider(behave)
    stage = subscribe(plain_url(provider), tmp_path)

    def script() -> Script:
        yield from until(stage, lambda: stage.program.account.connection.transport.is_open)
        yield from pass_time(31)
        yield from faulty(stage)

    stage.play(script())
    assert faults(stage)[0].startswith(expected)


@pytest.mark.parametrize(
    ("scheme", "seconds", "expected"),
    [
        ("wss", 11, "the TLS handshake was not complete in time"),
        ("ws", 31, "the server's answer was not whole in time"),
    ],
)
def test_a_server_that_stalls_before_the_opening_is_given_up(tmp_path, scheme, seconds, expected):
    server = listener()
    inputs = {"pin": "ab" * 32} if scheme == "wss" else {}
    stage = subscribe(f"{scheme}://127.0.0.1:{port_of(server)}", tmp_path, **inputs)

    def script() -> Script:
        yield
        peer = take(server)
        yield from pass_time(seconds)
        close(peer)

    stage.play(script())
    close(server)
    assert faults(stage)[0] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("garbage", "the server breaks the protocol: not JSON"),
        (b"\x00\x01", "WebSocket error 1003: only text messages are accepted"),
        ("x" * 1_100_000, "WebSocket error 1009: a message has more than 1048576 characters"),
        ('{"type":"snapshot"}', "the server breaks the protocol: snapshot: "),
        ('{"type":"hello","version":2}', "the server breaks the protocol: unsupported protocol version: 2"),
        ('{"type":"unknown"}', "the server breaks the protocol: unknown type of message"),
        ("[" * 100_000, "the server breaks the protocol: nested more than 8 levels deep"),
    ],
    ids=["garbage", "binary", "huge", "no fields", "version", "type", "nested"],
)
def test_a_message_that_breaks_the_protocol_ends_the_connection_and_changes_no_position(tmp_path, text, expected):
    provider = WebsocketsProvider()
    provider.positions = [position("EURUSD", "0.25")]
    stage = subscribe(plain_url(provider), tmp_path)

    def script() -> Script:
        yield from copied(stage)
        provider.send(text)
        yield from faulty(stage)
        provider.trade(position("EURUSD", "0.5"))
        yield from until(stage, lambda: provider.connections == 2)
        yield from until(stage, holds(stage, "0.50"))

    stage.play(script())
    [fault] = faults(stage)
    assert fault.startswith(expected)


def test_a_server_that_speaks_only_http_is_one_clear_error(tmp_path):
    server = listener()
    stage = subscribe(f"ws://127.0.0.1:{port_of(server)}", tmp_path)

    def script() -> Script:
        yield
        peer = take(server)
        write(peer, b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nno such\r\n")
        yield from faulty(stage)
        close(peer)

    stage.play(script())
    close(server)
    assert faults(stage) == ["the server refuses the WebSocket: HTTP 404 'no such'"]


def test_a_refused_connect_is_logged_once_and_repeated_with_growing_pauses(tmp_path):
    server = listener()
    url = f"ws://127.0.0.1:{port_of(server)}"
    close(server)
    stage = subscribe(url, tmp_path)

    def script() -> Script:
        yield from faulty(stage)
        yield from pass_long_time(stage, 60)

    stage.play(script())
    [fault] = faults(stage)
    assert "failed error: (#10061)" in fault


def test_the_copier_comes_back_after_the_server_has_gone(tmp_path):
    provider = WebsocketsProvider()
    provider.positions = [position("EURUSD", "0.25")]
    stage = subscribe(plain_url(provider), tmp_path)

    def script() -> Script:
        yield from copied(stage)
        provider.disconnect()
        provider.trade(position("EURUSD", "0.1"))
        yield from until(stage, holds(stage, "0.10"))

    stage.play(script())
    logins = [provider.next("login") for _ in range(2)]
    assert [login.get("known") for login in logins] == [None, {"stream": FEED, "seq": 1}]


def test_with_its_timer_alone_the_connection_works_too(tmp_path):
    provider = WebsocketsProvider(context=tls_context(tmp_path))
    provider.positions = [position("EURUSD", "0.25")]
    stage = subscribe(secure_url(provider), tmp_path, ca=str(tmp_path / "cert.pem"))
    del stage.chart.module.OnSocket
    stage.play(copied(stage))
