"""The log's line about a connection that its client has ended: none when the client had everything."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import cast

import pytest
from service_kit import RunningProvider
from web_kit import network, wait_until
from winsock_kit import LIMIT_SECONDS

from demos.provider.connection import Connection, lost_reason
from demos.wire.channel import PEER_GONE, RECEIVE_FAILED, SEND_FAILED
from demos.wire.tls import NO_CLOSE_NOTIFY
from winsock import WSAECONNRESET, WSAErrorDescript

__all__ = ["network"]

pytestmark = pytest.mark.usefixtures("network")

RESET = RECEIVE_FAILED + WSAErrorDescript(WSAECONNRESET)


@pytest.mark.parametrize(
    ("reason", "websocket", "is_idle", "shown"),
    [
        (NO_CLOSE_NOTIFY, False, True, False),
        (NO_CLOSE_NOTIFY, False, False, True),
        (NO_CLOSE_NOTIFY, True, True, True),
        (RESET, False, True, False),
        (RESET, False, False, True),
        (RESET, True, False, True),
        (PEER_GONE, True, False, False),
        (SEND_FAILED + WSAErrorDescript(WSAECONNRESET), True, False, True),
        ("TLS failed: a wrong record", False, True, True),
        ("", False, True, False),
    ],
)
def test_the_end_of_an_idle_http_connection_and_a_client_that_is_gone_are_no_faults(reason, websocket, is_idle, shown):
    connection = SimpleNamespace(
        stream=SimpleNamespace(reason=reason), web=SimpleNamespace(is_idle=is_idle), websocket=websocket or None
    )
    assert lost_reason(cast(Connection, connection)) == (reason if shown else "")


def test_a_client_that_ends_tls_without_close_notify_is_reported_only_when_an_answer_is_missing(tmp_path):
    provider = RunningProvider(tmp_path)
    context = provider.context()
    assert context is not None
    ports = []
    for request in (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /healthz HTTP/1.1\r\n"):
        plain = socket.create_connection(("127.0.0.1", provider.port), LIMIT_SECONDS)
        # Python's ssl sends no close_notify when a socket is closed.
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            ports.append(secure.getsockname()[1])
            secure.sendall(request)
            if not ports[1:]:
                assert secure.recv(16).startswith(b"HTTP/1.1")
                while b"reason" not in secure.recv(4096):
                    pass
    wait_until(lambda: f"127.0.0.1:{ports[1]}: {NO_CLOSE_NOTIFY}" in provider.log())
    assert f"127.0.0.1:{ports[0]}" not in provider.log()
