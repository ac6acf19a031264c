"""Clients that send wrong frames, messages, requests and TLS records to the provider program."""

from __future__ import annotations

import json
import socket
import ssl
import warnings
import zlib
from collections.abc import Iterator

import pytest
from hostile_kit import BINARY, CLOSE, PING, PONG, TEXT, UPGRADE, Client, close_code, frame, login, message, resident
from service_kit import QUICK_REQUESTS, RunningProvider, Subscriber, add_user
from web_kit import certificate, wait_until
from winsock_kit import LIMIT_SECONDS

from demos.provider.messages import Snapshot

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.posix_only("the clients of this module use /proc and other addresses of loopback"),
]

MIB = 1024 * 1024

INVALID_CLOSE_CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
VALID_CLOSE_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 4000, 4999)


def wrong_frames() -> Iterator[tuple[str, bytes, int]]:
    """What a client sends after the opening, and the code of the close frame that follows from it."""
    for rsv in range(1, 8):
        yield f"reserved bits {rsv}", frame(TEXT, b"{}", rsv=rsv), 1002
    for opcode in (*range(3, 8), *range(11, 16)):
        yield f"opcode {opcode}", frame(opcode), 1002
    for opcode in (TEXT, PING, CLOSE):
        yield f"opcode {opcode} without a mask", frame(opcode, b"", masked=False), 1002
    for opcode in (CLOSE, PING, PONG):
        yield f"opcode {opcode} in fragments", frame(opcode, b"", fin=False), 1002
        yield f"opcode {opcode} of 126 bytes", frame(opcode, b"\x03\xe8" + b"x" * 124), 1002
    for code in INVALID_CLOSE_CODES:
        yield f"close code {code}", frame(CLOSE, code.to_bytes(2, "big")), 1002
    yield "half a close code", frame(CLOSE, b"\x03"), 1002
    yield "a close reason that is not UTF-8", frame(CLOSE, b"\x03\xe8\xff"), 1007
    yield "a continuation of nothing", frame(0, b"x"), 1002
    yield "a message within another one", frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), 1002
    yield "a binary message", frame(BINARY, b"x"), 1003
    yield "text that is not UTF-8", frame(TEXT, b"\xff\xfe"), 1007
    yield "text that ends in a character", frame(TEXT, b"\xe2\x82"), 1007
    yield "fragments that are not UTF-8", frame(TEXT, b"\xe2", fin=False) + frame(0, b"\x28"), 1007
    yield "2^63 bytes", frame(TEXT, b"x", length=b"\x7f\x80" + bytes(7)), 1002
    yield "a length that is not the shortest", frame(TEXT, b"x", length=b"\x7e\x00\x01"), 1002
    yield "a login of more than 64 KiB", frame(TEXT, b"x" * (64 * 1024 + 1)), 1009
    yield "65 fragments", frame(TEXT, b"x", fin=False) + 65 * frame(0, b"x", fin=False), 1009
    yield "a thousand pings", 1000 * frame(PING, b"x" * 125), 1008
    yield "a thousand pongs", 1000 * frame(PONG), 1008
    yield "a thousand empty fragments", frame(TEXT, fin=False) + 1000 * frame(0, fin=False), 1009


def test_every_wrong_frame_ends_its_connection_with_the_code_for_it_and_no_other_connection(tmp_path):
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path)
    subscriber = Subscriber(provider, login="anna", token=token)
    subscriber.receive_kind(Snapshot)
    before = resident(provider)
    for name, data, code in wrong_frames():
        client = Client(provider).open()
        client.send(data)
        assert (name, close_code(client.receive_frames())) == (name, code)
    assert resident(provider) - before < 64 * MIB
    provider.command("buy 0.1")
    subscriber.receive_lots("0.1")
    assert provider.stop() == 0
    assert "Traceback" not in provider.log()


def test_every_valid_close_code_is_answered_with_itself(tmp_path):
    provider = RunningProvider(tmp_path)
    for code in VALID_CLOSE_CODES:
        client = Client(provider).open()
        client.send(frame(CLOSE, code.to_bytes(2, "big") + b"reason"))
        assert close_code(client.receive_frames()) == code


def test_a_frame_of_2_to_the_62_bytes_ends_when_the_message_limit_is_reached(tmp_path):
    provider = RunningProvider(tmp_path, tls=False)
    before = resident(provider)
    client = Client(provider).open()
    client.send(frame(TEXT, b"x" * (8 * MIB), length=b"\x7f\x40" + bytes(7)))
    assert b"\x03\xf1a message has more than" in client.receive_to_end()
    assert resident(provider) - before < 32 * MIB


def wrong_messages() -> Iterator[tuple[bytes, str]]:
    """Messages before a login that end the connection, and the code of the error."""
    for text in ("", "null", "[]", "{", '{"type": 1}', "[" * 1000, '{"type":"resync","type":"resync"}', '{"a":NaN}'):
        yield frame(TEXT, text.encode()), "malformed"
    yield message(type="nonsense"), "type"
    yield message(type="hello"), "type"
    yield message(type="login", version=2, login="anna", token="x"), "version"
    yield login("anna"), "malformed"
    yield login("anna", password="x", token="x"), "malformed"
    yield login("anna", token="x", symbols=["A"] * 501), "malformed"
    yield login("a" * 65, token="x"), "malformed"
    yield message(type="resync"), "login"
    yield message(type="ack", stream="0" * 32 + "-" + "0" * 16, seq=1, held={}), "login"
    yield login("anna", password="x") + login("anna", password="x"), "login"


def test_every_wrong_message_is_answered_with_a_fatal_error(tmp_path):
    add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path)
    for data, code in wrong_messages():
        client = Client(provider).open()
        client.send(data)
        received = client.receive_frames()
        assert close_code(received) == 1008, data
        error = json.loads(received[-2][1])
        assert (data, error["code"], error["fatal"]) == (data, code, True)
    assert provider.stop() == 0
    assert "Traceback" not in provider.log()


def test_compression_is_not_accepted_and_a_compressed_message_is_an_error(tmp_path):
    from websockets.sync.client import connect

    provider = RunningProvider(tmp_path)
    context = provider.context()
    with connect(provider.url(), ssl=context, compression="deflate", open_timeout=LIMIT_SECONDS) as offering:
        assert offering.protocol.extensions == []
        assert json.loads(offering.recv(LIMIT_SECONDS))["type"] == "hello"
    before = resident(provider)
    client = Client(provider)
    client.send(UPGRADE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"))
    assert b"extensions" not in client.receive_head().lower()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(40 * MIB)) + packer.flush(zlib.Z_SYNC_FLUSH)
    client.send(frame(TEXT, bomb, rsv=4))
    assert close_code(client.receive_frames()) == 1002
    assert resident(provider) - before < 16 * MIB


def http_abuse() -> Iterator[tuple[bytes, bytes]]:
    """Requests, and the beginning of the answer; b"" where the connection only ends."""
    host = b"Host: localhost\r\n"
    yield b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n" + host + b"\r\n", b"HTTP/1.1 414"
    yield b"GET / HTTP/1.1\r\n" + host + b"X: " + b"a" * 100_000 + b"\r\n\r\n", b"HTTP/1.1 431"
    yield b"GET / HTTP/1.1\r\n" + 50_000 * b"X: y\r\n" + b"\r\n", b"HTTP/1.1 431"
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"HTTP/1.1 "
    yield b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", b"HTTP/1.1 501"
    yield b"TRACE / HTTP/1.1\r\n" + host + b"\r\n", b"HTTP/1.1 501"
    yield b"GET http://localhost/page.css HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n", b"HTTP/1.1 200"
    yield b"GET http://[::1/ HTTP/1.1\r\n" + host + b"\r\n", b"HTTP/1.1 400"
    yield b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"HTTP/1.1 421"
    yield b"GET http://evil.example/ HTTP/1.1\r\n" + host + b"\r\n", b"HTTP/1.1 421"
    yield b"GET / HTTP/1.1\r\nHost: [::1].evil.example\r\n\r\n", b"HTTP/1.1 400"
    yield b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400"
    yield b"GET / HTTP/1.1\r\n" + host + host + b"\r\n", b"HTTP/1.1 400"
    yield b"GET / HTTP/1.1\r\n" + host + b"X: a\0b\r\n\r\n", b"HTTP/1.1 400"
    yield b"GET / HTTP/1.1\r\n" + host + b" folded\r\n : x\r\n\r\n", b"HTTP/1.1 4"
    yield b"GET /../../etc/passwd HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n", b"HTTP/1.1 404"
    yield b"GET /%2e%2e/%00 HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n", b"HTTP/1.1 404"
    yield b"POST /operator/login HTTP/1.1\r\n" + host + b"Content-Length: 99999999\r\n\r\n", b"HTTP/1.1 413"
    yield b"POST / HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n", b"HTTP/1.1 400"
    yield b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", b"HTTP/1.1 400"
    yield b"POST / HTTP/1.1\r\n" + host + b"Transfer-Encoding: gzip\r\n\r\n", b"HTTP/1.1 501"
    yield UPGRADE.replace(b"GET", b"POST"), b"HTTP/1.1 400"
    yield UPGRADE.replace(b"Version: 13", b"Version: 12"), b"HTTP/1.1 426"
    yield UPGRADE.replace(b"MDEyMzQ1Njc4OWFiY2RlZg==", b"short"), b"HTTP/1.1 400"
    yield UPGRADE.replace(b"/ws", b"/other"), b"HTTP/1.1 404"
    yield b"\0\1\2\3\r\n\r\n", b"HTTP/1.1 400"


def test_every_abuse_of_http_gets_its_status_and_the_next_client_an_answer(tmp_path):
    provider = RunningProvider(tmp_path, tls=False)
    for data, answer in http_abuse():
        client = Client(provider)
        client.send(data)
        client.socket.shutdown(socket.SHUT_WR)
        received = client.receive_to_end()
        assert received.startswith(answer), (data[:100], received[:100])
    assert provider.stop() == 0
    assert "Traceback" not in provider.log()


def test_of_pipelined_requests_only_the_first_is_answered(tmp_path):
    provider = RunningProvider(tmp_path)
    client = Client(provider)
    client.send(2000 * b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.receive_to_end().count(b"HTTP/1.1 200") == 1


def test_slow_requests_end_after_their_time_and_delay_nobody(tmp_path):
    token = add_user(tmp_path, "anna")
    provider = RunningProvider(tmp_path)
    slow = [Client(provider, f"127.0.0.{2 + number % 8}") for number in range(200)]
    for position in range(5):
        for client in slow:
            client.send(b"GET / HTTP/1.1\r\n"[position : position + 1])
    subscriber = Subscriber(provider, login="anna", token=token)
    provider.command("buy 0.1")
    subscriber.receive_lots("0.1")
    for client in slow:
        assert client.receive_to_end().startswith(b"HTTP/1.1 408")


# ---- TLS


def test_bytes_that_are_not_tls_end_the_connection(tmp_path):
    provider = RunningProvider(tmp_path)
    for data in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", bytes(1000), b"\x16\x03\x01\xff\xff" + bytes(70_000)):
        client = Client(provider, tls=False)
        client.send(data)
        received = client.receive_to_end()
        # At most an alert record.
        assert received[:1] in (b"", b"\x15"), data[:20]
        assert len(received) < 20
    assert provider.process.poll() is None


def test_a_handshake_that_stops_halfway_ends_after_its_time(tmp_path):
    provider = RunningProvider(tmp_path, quick=QUICK_REQUESTS)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = provider.context()
    assert context is not None
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    clients = [Client(provider, tls=False) for _ in range(3)]
    for client, length in zip(clients, (0, len(hello) // 2, len(hello)), strict=True):
        client.send(hello[:length])
    for client in clients:
        client.receive_to_end()
    wait_until(lambda: provider.log().count("the TLS handshake was not complete in time") == 3)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
def test_old_versions_of_tls_are_refused(version, tmp_path):
    provider = RunningProvider(tmp_path)
    context = provider.context()
    assert context is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", provider.port), LIMIT_SECONDS) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"),
    ):
        context.wrap_socket(plain, server_hostname="localhost")
    wait_until(lambda: "supports only versions of TLS before 1.2" in provider.log())


def test_renegotiation_is_refused_and_ends_no_other_connection(tmp_path):
    import shutil
    import subprocess

    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    provider = RunningProvider(tmp_path, quick=QUICK_REQUESTS)
    subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{provider.port}", "-tls1_2", "-quiet"],
        input=b"R\n" * 100, capture_output=True, timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip
    assert Client(provider).open()


def test_a_client_that_expects_another_certificate_does_not_connect_and_one_with_its_own_does(tmp_path):
    provider = RunningProvider(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    certificate(other)
    with (
        socket.create_connection(("127.0.0.1", provider.port), LIMIT_SECONDS) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context(cafile=str(other / "cert.pem")).wrap_socket(plain, server_hostname="localhost")
    context = provider.context()
    assert context is not None
    # The server asks for no certificate of a client, so it does not look at this one.
    context.load_cert_chain(other / "cert.pem", other / "key.pem")
    with (
        socket.create_connection(("127.0.0.1", provider.port), LIMIT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert secure.recv(1000).startswith(b"HTTP/1.1 200")
    # A client that closes its socket with unread bytes resets the connection, and a reset discards its alert.
    wait_until(
        lambda: any(text in provider.log() for text in ("the peer does not trust the certificate", "WSAECONNRESET"))
    )
