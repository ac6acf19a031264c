"""TLS against Python's own TLS sockets, urllib and curl: verification, the end of a connection, reloading, garbage."""

from __future__ import annotations

import os
import random
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.request
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cleanup_kit import closed_after_test
from web_kit import Server, certificate, connected_channel, drive, exchange, milliseconds, network, raw, wait_until
from winsock_kit import connected_pair, readable, set_nonblocking

from demos.wire.channel import LIMITS, Channel
from demos.wire.tls import TlsChannel, client_tls, server_tls
from demos.wire.tls_contexts import (
    CertificateFiles,
    TlsError,
    fingerprint_from_text,
    fingerprint_text,
    pinning_context,
    verifying_context,
)
from demos.wire.web_client import send_request
from winsock import send

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")


@pytest.fixture
def files(tmp_path) -> CertificateFiles:
    """A certificate for localhost and 127.0.0.1."""
    return CertificateFiles(certificate(tmp_path), tmp_path / "key.pem")


class PythonServer:
    """A TLS server of the standard library; it handles one connection after the other."""

    def __init__(self, context: ssl.SSLContext, handle: Callable[[ssl.SSLSocket], object]) -> None:
        self.reasons: list[str] = []
        self._context, self._handle = context, handle
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        closed_after_test(self)

    def close(self) -> None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        self._thread.join(30)
        self._listener.close()

    def _run(self) -> None:
        s, _ = self._listener.accept()
        with s:
            s.settimeout(30)
            try:
                with self._context.wrap_socket(s, server_side=True) as secure:
                    self._handle(secure)
            except OSError as error:
                self.reasons.append(str(error))


def python_context(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def echo_once(secure: ssl.SSLSocket) -> None:
    secure.sendall(secure.recv(1000))
    secure.unwrap().close()


def reason_of(port: int, context: ssl.SSLContext, host: str = "localhost", pin: bytes | None = None) -> str:
    """Connect, send a byte, and return what is echoed, or why the connection has ended."""
    stream = client_tls(connected_channel(port), context, host, pin, milliseconds())
    stream.send(b"!", milliseconds())
    received = drive(stream, stream.receive)
    return received.decode() if received else stream.reason


# ---- verification


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_of_the_ca_that_names_the_host_is_accepted(files, tmp_path, host):
    server = PythonServer(python_context(tmp_path), echo_once)
    assert reason_of(server.port, verifying_context(str(files.certificate)), host) == "!"


def test_a_pinned_certificate_is_accepted_whatever_its_names_and_dates(tmp_path):
    path = certificate(tmp_path, ("other.example",), days=1, age=10)
    pin = CertificateFiles(path, tmp_path / "key.pem").fingerprint
    server = PythonServer(python_context(tmp_path), echo_once)
    assert reason_of(server.port, pinning_context(), pin=pin) == "!"


def test_another_certificate_than_the_pinned_one_is_refused_and_its_fingerprint_shown(files, tmp_path):
    received: list[bytes] = []
    server = PythonServer(python_context(tmp_path), lambda secure: received.append(secure.recv(1000)))
    reason = reason_of(server.port, pinning_context(), pin=bytes(32))
    assert reason == (
        f"the server's certificate is not the pinned one: pinned {fingerprint_text(bytes(32))}, "
        f"presented {fingerprint_text(files.fingerprint)}"
    )
    wait_until(lambda: bool(received or server.reasons))
    assert received in ([], [b""])


def test_a_self_signed_certificate_is_refused_without_a_pin(files, tmp_path):
    server = PythonServer(python_context(tmp_path), echo_once)
    assert reason_of(server.port, verifying_context()) == (
        "the server's certificate is self-signed; pin its SHA-256 fingerprint, or name it as the CA file"
    )
    # The server has received an alert, not just the end of the connection.
    wait_until(lambda: bool(server.reasons))
    assert "alert" in server.reasons[0].lower()


def test_a_certificate_for_another_host_is_refused(files, tmp_path):
    server = PythonServer(python_context(tmp_path), echo_once)
    assert reason_of(server.port, verifying_context(str(files.certificate)), "provider.example") == (
        "the server's certificate does not name the host 'provider.example'; connect by a name in it, or pin it"
    )


@pytest.mark.parametrize(
    ("age", "text"),
    [(10, "has expired"), (-10, "is not valid yet; check the clock of this computer")],
)
def test_a_certificate_outside_its_dates_is_refused(tmp_path, age, text):
    path = certificate(tmp_path, days=2, age=age)
    server = PythonServer(python_context(tmp_path), echo_once)
    assert reason_of(server.port, verifying_context(str(path))) == f"the server's certificate {text}"


def test_a_client_without_verification_cannot_be_created(started):
    s, _ = connected_pair()
    with pytest.raises(TlsError, match="give a pin"):
        client_tls(Channel(s), pinning_context(), "localhost", None, 0)


def test_a_server_without_tls_1_2_is_refused(files, tmp_path):
    context = python_context(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    server = PythonServer(context, echo_once)
    reason = reason_of(server.port, verifying_context(str(files.certificate)))
    assert reason == "TLS failed: the peer does not accept TLS 1.2 and 1.3"


def test_fingerprints_are_read_in_the_usual_notations():
    digest = bytes(range(32))
    text = fingerprint_text(digest)
    assert text.startswith("00:01:02:")
    for each in (text, text.lower(), text.replace(":", ""), f"sha256:{text}", f" SHA256={text} "):
        assert fingerprint_from_text(each) == digest


@pytest.mark.parametrize("text", ["", "00", "0" * 63, "0" * 65, "g" * 64, "sha1:" + "0" * 64, "\u0660" * 64])
def test_an_invalid_fingerprint_is_refused(text):
    with pytest.raises(ValueError, match="invalid fingerprint"):
        fingerprint_from_text(text)


# ---- independent clients of our server


def python_client(server: Server, ca_file: Path, **versions: ssl.TLSVersion) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(ca_file))
    context.set_alpn_protocols(["h2", "http/1.1"])
    # The default of Python 3.13.
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for name, value in versions.items():
        setattr(context, name, value)
    s = socket.create_connection(("127.0.0.1", server.port), 30)
    return closed_after_test(context.wrap_socket(s, server_hostname="localhost"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_server_speaks_tls_1_2_and_1_3_and_selects_http_1_1(files, version):
    secure = python_client(Server(files.context), files.certificate, maximum_version=version, minimum_version=version)
    assert secure.version() == version.name.replace("_", ".")
    assert secure.selected_alpn_protocol() == "http/1.1"
    assert secure.compression() is None


def test_the_end_of_an_answer_is_a_close_notify(files):
    server = Server(files.context)
    secure = python_client(server, files.certificate)
    secure.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    received = b""
    while data := secure.recv(65536):
        received += data
    assert received.endswith(b"x" * 500_000)
    secure.unwrap()


def test_urllib_gets_pages_over_tls(files):
    server = Server(files.context)
    context = ssl.create_default_context(cafile=str(files.certificate))
    url = f"https://localhost:{server.port}/"
    with urllib.request.urlopen(url, timeout=30, context=context) as answer:
        assert b"provider" in answer.read()
    with urllib.request.urlopen(url + "echo", b"x" * 50_000, 30, context=context) as answer:
        assert answer.read() == b"x" * 50_000


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.posix_only("the curl of Linux does not reach a server on Wine")
def test_curl_gets_several_pages_on_one_connection(files):
    server = Server(files.context)
    url = f"https://localhost:{server.port}/"
    done = subprocess.run(
        ["curl", "-sS", "-m", "30", "--cacert", files.certificate, url, url + "echo", "-d", "body"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.endswith(b"body")


# ---- the end of a connection


def test_a_connection_without_close_notify_is_an_error(files):
    server = Server(files.context)
    secure = python_client(server, files.certificate)
    secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert secure.recv(1000).startswith(b"HTTP/1.1 200")
    closed_after_test(socket.socket(fileno=secure.detach())).shutdown(socket.SHUT_RDWR)
    wait_until(lambda: bool(server.reasons))
    assert server.reasons == ["the connection ended without TLS's close_notify: data may be missing"]


def test_a_connection_with_close_notify_ends_without_a_reason(files):
    server = Server(files.context)
    secure = python_client(server, files.certificate)
    secure.unwrap().close()
    wait_until(lambda: bool(server.reasons))
    assert server.reasons == [""]


def test_an_answer_is_received_although_the_connection_ends_without_close_notify(files, tmp_path):
    def handle(secure: ssl.SSLSocket) -> None:
        secure.recv(1000)
        secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole")
        socket.socket(fileno=secure.detach()).close()

    server = PythonServer(python_context(tmp_path), handle)
    context = verifying_context(str(files.certificate))
    stream = client_tls(connected_channel(server.port), context, "localhost", None, milliseconds())
    request = send_request(stream, "GET", "localhost", "/", milliseconds())
    received = drive(stream, request.receive, lambda found: True)
    assert received is not None, stream.reason
    assert received.body == b"whole"


# ---- hostile peers


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "the peer speaks HTTP without TLS; use https://"),
        (b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(1000), "the peer does not speak TLS"),
        (b"\x16\x03\x01\xff\xff" + bytes(1000), ""),
        # Other bytes may be the start of a record that is never complete.
        (random.Random(1).randbytes(2000), ""),
        (bytes(2000), ""),
    ],
    ids=["HTTP", "SSH", "length", "random", "zeros"],
)
def test_bytes_that_are_not_tls_end_the_connection(files, data, text):
    server = Server(files.context)
    exchange(raw(server), data)
    wait_until(lambda: bool(server.reasons))
    assert server.reasons[0].startswith("TLS failed: ")
    assert server.reasons[0].endswith(text)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_that_does_not_proceed_ends_after_its_time(files, sent):
    peer, s = connected_pair()
    set_nonblocking(s)
    stream = server_tls(Channel(s), files.context, 0)
    if sent:
        send(peer, sent, len(sent), 0)
        assert readable(s)
    assert stream.receive(0) == b""
    stream.check(9_999)
    assert stream.is_open
    stream.check(10_000)
    assert stream.is_closed
    assert stream.reason == "the TLS handshake was not complete in time"


def connected_streams(files: CertificateFiles) -> tuple[TlsChannel, TlsChannel]:
    """A client and a server of ours, before the handshake."""
    a, b = connected_pair()
    set_nonblocking(a)
    set_nonblocking(b)
    client = client_tls(Channel(a), verifying_context(str(files.certificate)), "localhost", None, 0)
    return client, server_tls(Channel(b), files.context, 0)


def shake_hands(client: TlsChannel, server: TlsChannel) -> bytes:
    """Complete the handshake; returns what the server has received meanwhile."""
    received = b""
    while not (client.established and server.established):
        for stream in (server, client):
            if not stream.established and readable(stream.socket, 0):
                received += stream.receive(0)
    return received


def test_output_before_the_end_of_the_handshake_is_kept_and_limited(files):
    client, server = connected_streams(files)
    client.send(b"early", 0)
    received = shake_hands(client, server)
    while not received:
        assert readable(server.socket)
        received = server.receive(0)
    assert received == b"early"

    late, _ = connected_streams(files)
    late.send(bytes(65536), 0)
    late.send(b"!", 0)
    assert late.reason == "more than 65536 bytes wait for the TLS handshake"


def test_the_handshake_and_messages_may_arrive_byte_by_byte(files):
    client, server = connected_streams(files)
    for stream in (client, server):
        stream.channel.limits = LIMITS._replace(received=1)
    client.send(b"text", 0)
    received = shake_hands(client, server)
    while len(received) < 4:
        assert readable(server.socket)
        received += server.receive(0)
    assert received == b"text"


def test_messages_of_every_size_arrive_whole(files):
    client, server = connected_streams(files)
    shake_hands(client, server)
    data = os.urandom(300_000)
    for start, size in ((0, 1), (1, 16_383), (16_384, 16_385), (32_769, 200_000), (232_769, 67_231)):
        client.send(data[start : start + size], 0)
    received = b""
    while len(received) < len(data):
        client.flush(0)
        assert readable(server.socket)
        received += server.receive(0)
    assert received == data


def test_changed_bytes_end_the_connection(files):
    client, server = connected_streams(files)
    shake_hands(client, server)
    client.channel.send(b"\x17\x03\x03\x00\x20" + bytes(32), 0)
    assert readable(server.socket)
    assert server.receive(0) == b""
    # The second one is OpenSSL's text from version 3.2 on.
    assert server.reason in ("TLS failed: decryption failed or bad record mac", "TLS failed: record layer failure")


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
@pytest.mark.posix_only("the openssl of Linux does not reach a server on Wine")
def test_renegotiation_is_refused(files, tmp_path):
    server = Server(files.context)
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2"]
    with (
        (tmp_path / "output").open("wb") as output,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output) as client,
    ):
        assert client.stdin is not None
        client.stdin.write(b"R\n")
        client.stdin.flush()
        # The client waits for input unless the server refuses.
        assert client.wait(30) != 0
    assert b"no renegotiation" in (tmp_path / "output").read_bytes()


# ---- certificate files


def renew(folder: Path, times: int) -> None:
    """Create another certificate; its time differs from the last one's, whatever the resolution of the file system."""
    certificate(folder)
    for name in ("cert.pem", "key.pem"):
        os.utime(folder / name, (times, times))


def test_a_changed_certificate_is_loaded_for_new_connections(files, tmp_path):
    first, context = files.fingerprint, files.context
    assert files.reload() == ""
    renew(tmp_path, 1)
    assert files.reload().startswith(f"loaded the new certificate {tmp_path / 'cert.pem'}, SHA-256 ")
    assert files.fingerprint != first
    assert files.context is not context
    assert files.reload() == ""
    server = Server(files.context)
    secure = python_client(server, files.certificate)
    assert ssl.PEM_cert_to_DER_cert(files.certificate.read_text()) == secure.getpeercert(binary_form=True)


@pytest.mark.parametrize("damage", ["garbage", "no certificate", "another key", "missing"])
def test_a_file_that_cannot_be_used_is_reported_once_and_the_last_certificate_stays(files, tmp_path, damage):
    first, context = files.fingerprint, files.context
    if damage == "missing":
        files.certificate.unlink()
    elif damage == "another key":
        old = files.certificate.read_bytes()
        renew(tmp_path, 1)
        files.certificate.write_bytes(old)
    else:
        text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" if damage == "garbage" else "\n"
        files.certificate.write_text(text)
        os.utime(files.certificate, (2, 2))
    report = files.reload()
    assert report.startswith(f"-the certificate {files.certificate}")
    assert report.endswith("; the last certificate stays in use")
    assert files.reload() == ""
    assert (files.fingerprint, files.context) == (first, context)
    renew(tmp_path, 3)
    assert files.reload().startswith("loaded the new certificate")


def test_a_key_with_a_password_is_refused_without_asking(tmp_path):
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    path = certificate(tmp_path)
    key = load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "key.pem").write_bytes(encrypted)
    with pytest.raises(TlsError, match="protected by a password"):
        CertificateFiles(path, tmp_path / "key.pem")


def test_a_missing_ca_file_is_reported_with_its_name(tmp_path):
    with pytest.raises(TlsError, match=r"the CA file '.*none\.pem' cannot be used: "):
        verifying_context(str(tmp_path / "none.pem"))


def test_one_receive_returns_all_records_that_have_arrived_and_the_rest_of_a_record_later(files):
    sockets = connected_pair()
    for s in sockets:
        set_nonblocking(s)
    client = client_tls(Channel(sockets[0]), pinning_context(), "localhost", files.fingerprint, milliseconds())
    server = server_tls(Channel(sockets[1]), files.context, milliseconds())
    while not (client.established and server.established):
        for end in (server, client):
            end.receive(milliseconds())
    for part in (b"one", b"two", b"three"):
        client.send(part, milliseconds())
    assert readable(sockets[1])
    assert server.receive(milliseconds()) == b"onetwothree"
    assert server.receive(milliseconds()) == b""

    records = _encrypted(client, b"whole") + _encrypted(client, b"in two parts")
    assert send(sockets[0], records[:-5], len(records) - 5, 0) == len(records) - 5
    assert readable(sockets[1])
    assert server.receive(milliseconds()) == b"whole"
    assert send(sockets[0], records[-5:], 5, 0) == 5
    assert readable(sockets[1])
    assert server.receive(milliseconds()) == b"in two parts"


def _encrypted(stream: TlsChannel, data: bytes) -> bytes:
    """The record of this data, which is not sent."""
    stream._tls.write(data)
    return stream._outgoing.read()
