"""Free ports: free for TCP and UDP, different for each user, and not among those that the system chooses itself."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from trace_kit import ROOT
from winsock_kit import bound, loopback, new, option, port_of

from winsock import (
    INADDR_ANY,
    INVALID_SOCKET,
    SO_EXCLUSIVEADDRUSE,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKET_ERROR,
    WSAEMFILE,
    WSACleanup,
    WSASetLastError,
    bind,
    closesocket,
    listen,
)
from winsock.testing import reserved_ports
from winsock.testing.own_sockets import OWN_SOCKETS

OTHER_PROCESS = """
import sys
sys.path[:0] = [{root!r}, {compat!r}]
from winsock.testing import ports
with ports.reserved_ports() as reservations:
    reservations._next = {next}
    print(reservations.new_port())
"""


@pytest.mark.usefixtures("unstarted")
def test_winsock_is_started_for_the_block_alone() -> None:
    with reserved_ports() as reservations:
        assert reservations.new_port() > 0
    assert WSACleanup() == SOCKET_ERROR


@pytest.mark.usefixtures("started")
def test_a_program_can_bind_and_listen_on_the_port_in_both_protocols() -> None:
    with reserved_ports() as reservations:
        port = reservations.new_port()
        for address in (loopback(port), loopback(port, INADDR_ANY)):
            s = bound(SOCK_STREAM, address)
            assert option(s, SO_EXCLUSIVEADDRUSE) == 0
            assert listen(s, 5) == 0
            closesocket(s)
            closesocket(bound(SOCK_DGRAM, address))


@pytest.mark.usefixtures("started")
def test_each_call_returns_another_port() -> None:
    with reserved_ports() as first, reserved_ports() as second:
        ports = [reservations.new_port() for _ in range(10) for reservations in (first, second)]
    assert len(set(ports)) == 20


@pytest.mark.usefixtures("started")
def test_a_port_in_use_is_left_out() -> None:
    with reserved_ports() as reservations:
        used = reservations.new_port()
    s = bound(SOCK_STREAM, loopback(used))
    with reserved_ports() as reservations:
        reservations._next = used - 20_000
        assert reservations.new_port() != used
    closesocket(s)


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("opened", [0, 1, 3])
def test_the_reason_is_reported_where_no_more_sockets_can_be_opened(
    monkeypatch: pytest.MonkeyPatch, opened: int
) -> None:
    before = set(OWN_SOCKETS)
    with reserved_ports() as reservations:
        left = iter(range(opened))

        def socket(*args: int, original: Any = reservations._calls.socket) -> int:
            if next(left, None) is not None:
                return original(*args)  # type: ignore[no-any-return]
            WSASetLastError(WSAEMFILE)
            return INVALID_SOCKET

        monkeypatch.setattr(reservations._calls, "socket", socket)
        with pytest.raises(AssertionError, match=r"^no free port: socket failed: .*WSAEMFILE"):
            reservations.new_port()
    assert before == OWN_SOCKETS


@pytest.mark.usefixtures("started")
def test_the_system_does_not_give_out_these_ports_by_itself() -> None:
    with reserved_ports() as reservations:
        lowest = reservations.new_port()
    assert 20_000 <= lowest < 26_000
    assert all(port_of(bound(kind)) >= 32_000 for kind in (SOCK_STREAM, SOCK_DGRAM) for _ in range(5))


@pytest.mark.usefixtures("started")
def test_another_process_gets_another_port_while_one_is_reserved() -> None:
    with reserved_ports() as reservations:
        port = reservations.new_port()
        code = OTHER_PROCESS.format(root=str(ROOT), compat=str(ROOT / "compat"), next=port - 20_000)
        output = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout
        assert int(output) != port


@pytest.mark.usefixtures("started")
def test_a_port_is_given_out_again_after_the_block() -> None:
    with reserved_ports() as reservations:
        port = reservations.new_port()
    with reserved_ports() as reservations:
        reservations._next = port - 20_000
        assert reservations.new_port() == port
    assert bind(new(), loopback(port), 16) == 0
